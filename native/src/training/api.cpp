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

}  // namespace

struct esr_trainer {
    std::unique_ptr<esr::training::Step> step;
};

int32_t esr_trainer_create(const esr_training_form *form, esr_trainer **trainer) {
    if (!trainer || !form || !valid(*form)) return ESR_BAD_NETWORK;
#if defined(ESR_AMX)
    if (!esr::has_amx()) return ESR_UNKNOWN_KERNEL;
    return esr::guarded([&] {
        const Form made{form->channels, form->blocks, form->layers, {form->widths, form->widths + form->layers}};
        *trainer = new esr_trainer{std::unique_ptr<esr::training::Step>(esr::training::make_amx_step(made, *form))};
        return int(ESR_OK);
    });
#else
    return ESR_UNKNOWN_KERNEL;
#endif
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
