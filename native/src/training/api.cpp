// The C interface of training.
#include <memory>

#include "common/guarded.h"
#include "common/processor.h"
#include "training/training.h"

namespace {

using esr::training::Form;

bool valid(const esr_training_form &f) {
    if ((f.channels != 16 && f.channels != 32) || f.blocks < 0 || f.blocks > 64 || f.layers < 1 || f.layers > 8 || !f.widths)
        return false;
    for (int i = 0; i < f.layers; ++i)
        if (f.widths[i] < 1 || f.widths[i] > esr::training::kWidth) return false;
    return f.batch > 0 && f.patch > 0 && f.patch <= 512 && f.samples > 0 && f.samples <= 64 && f.threads > 0;
}

bool valid(const esr_training_batch &b) { return b.low && b.offsets && b.target && b.weights; }

using MakeStep = esr::training::Step *(*)(const Form &, const esr_training_form &);

// The fastest step of this processor; null where it has none.
MakeStep chosen_step() {
#if defined(ESR_AMX)
    if (esr::has_amx()) return esr::training::make_amx_step;
#endif
#if defined(ESR_AVX512_BF16)
    if (esr::has_avx512_bf16()) return esr::training::make_avx512_bf16_step;
#endif
    return nullptr;
}

}  // namespace

struct esr_trainer {
    std::unique_ptr<esr::training::Step> step;
};

int32_t esr_trainer_create(const esr_training_form *form, esr_trainer **trainer) {
    if (!trainer || !form || !valid(*form)) return ESR_BAD_NETWORK;
    const MakeStep make = chosen_step();
    if (!make) return ESR_UNKNOWN_KERNEL;
    return esr::guarded([&] {
        const Form made{form->channels, form->blocks, form->layers, {form->widths, form->widths + form->layers}};
        *trainer = new esr_trainer{std::unique_ptr<esr::training::Step>(make(made, *form))};
        return int(ESR_OK);
    });
}

void esr_trainer_destroy(esr_trainer *trainer) { delete trainer; }

int32_t esr_train(esr_trainer *trainer, const esr_training_batch *batch, const float *const *values, float *const *gradients,
                  double *loss) {
    if (!trainer || !batch || !valid(*batch) || !values || !gradients || !loss) return ESR_BAD_REQUEST;
    return esr::guarded([&] {
        *loss = trainer->step->run(*batch, values, gradients);
        return int(ESR_OK);
    });
}
