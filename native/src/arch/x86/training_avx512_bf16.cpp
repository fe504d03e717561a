// A step of training by dot products of bfloat16.
#include "arch/x86/training/tiles_avx512_bf16.h"

#include "arch/x86/training/step.h"

esr::training::Step *esr::training::make_avx512_bf16_step(const Form &form, const esr_training_form &asked) {
    return new PatchStep(form, asked);
}
