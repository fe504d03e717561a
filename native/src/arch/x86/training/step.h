// A step of training: patches shared out over threads, gradients summed in one order. The including source has included the products.
#pragma once

#include <memory>

#include "arch/x86/training/patch_pass.h"
#include "common/threads.h"
#include "training/training.h"

namespace {

class PatchStep final : public Step {
public:
    PatchStep(const Form &form, const esr_training_form &asked)
        : form_(form), g_(asked.patch), batch_(asked.batch), samples_(asked.samples), weights_(form, g_) {
        const int threads = asked.threads < batch_ ? asked.threads : batch_;
        for (int i = 0; i < threads; ++i) {
            passes_.push_back(std::make_unique<PatchPass>(form_, g_, samples_));
            gradients_.push_back(std::make_unique<NetworkGradients>(weights_));
            all_.push_back(gradients_.back().get());
        }
    }

    double run(const esr_training_batch &batch, const float *const *values, float *const *gradients) override {
        const int threads = int(passes_.size());
        esr::run_on_threads(threads, [&](int thread) {
            for (int part = thread; part < weights_.parts(); part += threads) weights_.pack(part, values);
        });
        esr::run_on_threads(threads, [&](int thread) {
            begin_products();
            gradients_[thread]->clear();
            for (int i = thread; i < batch_; i += threads)
                passes_[thread]->run(weights_, patch(batch, i), loss(batch), *gradients_[thread]);
            end_products();
        });
        const GradientSum sum(weights_, all_, gradients);
        esr::run_on_threads(threads, [&](int thread) {
            for (int part = thread; part < weights_.parts(); part += threads) sum.write(part);
        });
        double total = 0;
        for (const NetworkGradients *thread : all_) total += thread->loss;
        return total;
    }

private:
    Patch patch(const esr_training_batch &batch, int index) const {
        const std::size_t pixels = std::size_t(g_.patch) * g_.patch, samples = pixels * samples_;
        return {batch.low + index * pixels * kColours, batch.offsets + index * samples * 2, batch.target + index * samples * kColours,
                batch.weights + index * pixels, batch.ratio};
    }
    Loss loss(const esr_training_batch &batch) const {
        return {{batch.luma_share, batch.absolute != 0}, batch.floor, batch_};
    }

    Form form_;
    Geometry g_;
    int batch_, samples_;
    NetworkWeights weights_;
    std::vector<std::unique_ptr<PatchPass>> passes_;
    std::vector<std::unique_ptr<NetworkGradients>> gradients_;
    std::vector<NetworkGradients *> all_;
};

}  // namespace
