// Training steps of random forms in arrays of exactly the stated sizes, under sanitizers: on one thread and on several, whose
// gradients differ by rounding alone.
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "random_call.h"

namespace {

struct PatchForm {
    std::int32_t channels, blocks;
    std::vector<std::int32_t> widths;
    std::int32_t batch, patch, samples;
};

const PatchForm kForms[] = {
    {16, 2, {32, 28, 16}, 3, 20, 3}, {32, 1, {32, 32}, 2, 24, 4}, {32, 0, {7}, 1, 1, 1},
    {16, 1, {1, 2, 3, 4}, 2, 5, 7},  {32, 3, {9, 32}, 4, 11, 2},
};

class Tensors {
public:
    explicit Tensors(const std::vector<std::size_t> &sizes) {
        for (const std::size_t size : sizes) {
            arrays_.emplace_back(size);
            pointers_.push_back(arrays_.back().data.get());
        }
    }
    float **pointers() { return pointers_.data(); }
    template <class Each>
    void each(const Each &apply) {
        for (auto &array : arrays_)
            for (std::size_t i = 0; i < array.size; ++i) apply(array.data[i]);
    }

private:
    std::vector<Exact<float>> arrays_;
    std::vector<float *> pointers_;
};

std::vector<std::size_t> sizes_of(const PatchForm &s) {
    std::vector<std::size_t> sizes;
    const auto layer = [&](std::size_t outputs, std::size_t inputs) {
        sizes.push_back(outputs * inputs);
        sizes.push_back(outputs);
    };
    const std::size_t content = 9 * s.channels;
    layer(s.channels, 27);
    for (int i = 0; i < 2 * s.blocks + 1; ++i) layer(s.channels, content);
    for (std::size_t i = 0; i < s.widths.size(); ++i) layer(s.widths[i], content + (i ? s.widths[i - 1] : 0));
    for (std::size_t i = 0; i < s.widths.size(); ++i) layer(s.widths[i], i ? s.widths[i - 1] : 3);
    layer(3, s.widths.back());
    return sizes;
}

class Case {
public:
    explicit Case(const PatchForm &s)
        : form_(s), random_(7), low_(pixels() * 3), target_(pixels() * s.samples * 3), offsets_(pixels() * s.samples * 2),
          weights_(pixels()), values_(sizes_of(s)) {
        std::uniform_real_distribution<float> signedly(-1, 1), positive(0.5f, 1.5f);
        std::uniform_int_distribution<int> level(0, 255);
        fill(low_, [&] { return std::uint8_t(level(random_)); });
        fill(target_, [&] { return std::uint8_t(level(random_)); });
        fill(offsets_, [&] { return signedly(random_); });
        fill(weights_, [&] { return positive(random_); });
        values_.each([&](float &value) { value = 0.1f * signedly(random_); });
    }

    double run(int threads, int absolute, Tensors &gradients) {
        const esr_training_form asked{form_.channels, form_.blocks, std::int32_t(form_.widths.size()), form_.widths.data(),
                                     form_.batch,    form_.patch,  form_.samples,                     threads};
        const esr_training_batch batch{low_.data.get(), offsets_.data.get(), target_.data.get(), weights_.data.get(),
                                       0.3f,            0.8f,                2e-5f,              absolute};
        esr_trainer *trainer = nullptr;
        if (esr_trainer_create(&asked, &trainer) != ESR_OK) std::abort();
        double loss = 0;
        for (int step = 0; step < 2; ++step)
            if (esr_train(trainer, &batch, values_.pointers(), gradients.pointers(), &loss) != ESR_OK) std::abort();
        esr_trainer_destroy(trainer);
        return loss;
    }

private:
    std::size_t pixels() const { return std::size_t(form_.batch) * form_.patch * form_.patch; }
    template <class T, class Make>
    static void fill(Exact<T> &array, const Make &make) {
        for (std::size_t i = 0; i < array.size; ++i) array.data[i] = make();
    }

    const PatchForm &form_;
    std::mt19937 random_;
    Exact<std::uint8_t> low_, target_;
    Exact<float> offsets_, weights_;
    Tensors values_;
};

bool agrees(const PatchForm &form, int absolute) {
    Tensors alone(sizes_of(form)), shared(sizes_of(form));
    Case one(form);
    const double first = one.run(1, absolute, alone), second = one.run(3, absolute, shared);
    std::vector<float> kept;
    alone.each([&](float &value) { kept.push_back(value); });
    double size = 0, difference = 0;
    std::size_t i = 0;
    shared.each([&](float &value) {
        size += double(kept[i]) * kept[i];
        difference += (double(value) - kept[i]) * (double(value) - kept[i]);
        ++i;
    });
    std::printf("loss %.6g gradient %.6g\n", first, std::sqrt(size));
    return std::isfinite(first) && size > 0 && std::fabs(first - second) < 1e-6 && difference <= 1e-10 * size;
}

bool refuses() {
    const std::int32_t wide[] = {33}, none[] = {0};
    esr_trainer *trainer = nullptr;
    const esr_training_form bad[] = {{16, 1, 1, wide, 1, 8, 1, 1}, {16, 1, 1, none, 1, 8, 1, 1}, {24, 1, 1, none, 1, 8, 1, 1},
                                     {16, 1, 0, none, 1, 8, 1, 1}, {16, 1, 1, nullptr, 1, 8, 1, 1}};
    for (const esr_training_form &form : bad)
        if (esr_trainer_create(&form, &trainer) != ESR_BAD_NETWORK) return false;
    return esr_trainer_create(nullptr, &trainer) == ESR_BAD_NETWORK && esr_train(nullptr, nullptr, nullptr, nullptr, nullptr) == ESR_BAD_REQUEST;
}

}  // namespace

int main() {
    if (!refuses()) return 1;
    const std::int32_t width[] = {16};
    const esr_training_form form{16, 0, 1, width, 1, 4, 1, 1};
    esr_trainer *trainer = nullptr;
    if (esr_trainer_create(&form, &trainer) == ESR_UNKNOWN_KERNEL) {
        std::puts("no products of bfloat16 here");
        return 0;
    }
    esr_trainer_destroy(trainer);
    for (const PatchForm &form : kForms)
        for (const int absolute : {0, 1})
            if (!agrees(form, absolute)) {
                std::printf("%d channels, %d blocks: THREADS DISAGREE\n", int(form.channels), int(form.blocks));
                return 1;
            }
    std::puts("all patches agree");
    return 0;
}
