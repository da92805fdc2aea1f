/* SPDX-License-Identifier: MIT */
/* Instructions whose whole effect is on the integer registers and the pc, done by arithmetic
 * instead of by the hart. */
#ifndef EBPF_KPROBE_RV64_SIMULATE_H
#define EBPF_KPROBE_RV64_SIMULATE_H

#include <ebpf/kprobe.h>

#include "kprobe/rv64/decode.h"

/* Does to *regs what insn, standing at regs->pc, would do. Only for kind SIMULATE. Context A, calls
 * nothing. */
void ebpf_rv_simulate(const struct ebpf_rv_insn *insn, struct ebpf_regs *regs);

#endif /* EBPF_KPROBE_RV64_SIMULATE_H */
