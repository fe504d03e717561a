// A step of training in tiles of bfloat16 (AMX).
#include "arch/x86/training/tiles_amx.h"

#include "arch/x86/training/step.h"

esr::training::Step *esr::training::make_amx_step(const Form &form, const esr_training_form &asked) {
    return new PatchStep(form, asked);
}
