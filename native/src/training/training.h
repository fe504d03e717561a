// A training step of DIINN: the loss of a batch and its gradients.
#pragma once

#include "training/form.h"

namespace esr::training {

struct Step {
    virtual ~Step() = default;
    virtual double run(const esr_training_batch &batch, const float *const *values, float *const *gradients) = 0;
};

Step *make_amx_step(const Form &form, const esr_training_form &asked);
Step *make_avx512_bf16_step(const Form &form, const esr_training_form &asked);

}  // namespace esr::training
