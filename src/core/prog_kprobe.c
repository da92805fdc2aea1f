/* SPDX-License-Identifier: MIT */
/* BPF_PROG_TYPE_KPROBE: the context is struct ebpf_regs, passed as it is; Linux has no test run for
 * it. */
#include <ebpf/kprobe.h>

#include "src/core/prog.h"

const struct ebpf_prog_type ebpf_prog_type_kprobe = {
    .id = BPF_PROG_TYPE_KPROBE,
    .name = "kprobe",
    .caps = EBPF_CAP_PERFMON,
    .ctx_size = sizeof(struct ebpf_regs),
};
