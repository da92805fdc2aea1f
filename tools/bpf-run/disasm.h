/* SPDX-License-Identifier: MIT */
/* BPF instructions as text, in the notation of llvm-objdump. */
#ifndef TOOLS_BPF_RUN_DISASM_H
#define TOOLS_BPF_RUN_DISASM_H

#include <stddef.h>

#include <ebpf/uapi.h>

/* Writes the instruction at insn (of left > 0 slots) to text, cut at size; returns how many slots
 * it takes. */
unsigned disasm(const struct bpf_insn *insn, size_t left, char *text, size_t size);

#endif /* TOOLS_BPF_RUN_DISASM_H */
