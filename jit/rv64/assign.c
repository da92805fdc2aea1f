/* SPDX-License-Identifier: MIT */
/* Where registers live: BPF's at home (lower.h), those that passes made in what is left. */
#include "jit/rv64/lower.h"

static const uint8_t homes[IR_FP] = {A5, A0, A1, A2, A3, A4, S0, S1, S2, S3};

void ebpf_rv_assign(struct rv_fn *fn)
{
    for (unsigned v = 0; v < IR_VREGS; v++)
        fn->regs[v] = v < IR_FP ? homes[v] : ZERO;
}
