/* SPDX-License-Identifier: MIT */
/* Instructions that have no operation in jit/opt/ir.h: they are emitted from BPF's form, with all registers at home. */
#include "jit/rv64/lower.h"

void ebpf_rv_lower_opaque(struct rv_jit *j, const struct bpf_insn *insn)
{
    (void)insn;
    ebpf_rv_unknown(j);
}
