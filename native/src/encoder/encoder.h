// An encoder for one kernel, and the frames it works in.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "encoder/frame.h"
#include "encoder/packing.h"
#include "encoder/schedule.h"
#include "esr_native.h"

namespace esr {

class Encoder {
public:
    Encoder(const esr_encoder_network &network, const EncoderKernel &kernel) : kernel_(kernel), network_(network, kernel) {}

    const EncoderKernel &kernel() const { return kernel_; }
    bool valid(const esr_encode_request &request) const;
    void encode(const esr_encode_request &request);

private:
    std::unique_ptr<Frame> borrow(const esr_encode_request &request);
    void give_back(std::unique_ptr<Frame> frame);
    void work(const esr_encode_request &request, Frame &frame, Schedule &schedule, int worker, int *next) const;
    void run(const esr_encode_request &request, Frame &frame, const Task &task, int worker, int *next) const;
    void make(const esr_encode_request &request, const Layer &layer, const Strip &strip) const;

    const EncoderKernel &kernel_;
    const PackedEncoder network_;
    std::mutex mutex_;
    // Fresh pages for every frame would cost as much as several layers.
    std::vector<std::unique_ptr<Frame>> spare_;
};

}  // namespace esr
