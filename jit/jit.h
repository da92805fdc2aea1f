/* SPDX-License-Identifier: MIT */
/*
 * The RV64 compiler. It takes code that ebpf_code_check() accepted, trusts no other property of it
 * (an instruction that it does not know makes it give up, and the interpreter runs), and leaves a
 * function uint64_t f(void *ctx) at the first byte of the image, which follows the RV64 C calling
 * convention.
 */
#ifndef EBPF_JIT_JIT_H
#define EBPF_JIT_JIT_H

#include "src/core/prog.h"

/* Compiles code for this kernel: code memory from the hook, written through it. T. 0, -EOPNOTSUPP
 * (no code memory, no text writing, or built for another machine), -ENOMEM, -E2BIG. */
int ebpf_jit_compile(const struct ebpf_code *code, struct ebpf_jit_image *out);
void ebpf_jit_free(struct ebpf_jit_image *image);

/*
 * Encodes code as it has to be at address base (as a hart will see it) into buf: for tools and
 * tests, on any host. *len: bytes needed; buf is only filled if cap suffices. T. 0, -ENOMEM,
 * -E2BIG, -EOPNOTSUPP, -ENOSPC (cap too small).
 */
int ebpf_jit_encode(const struct ebpf_code *code, uint64_t base, uint8_t *buf, size_t cap,
                    size_t *len);

/* Which passes of jit/opt/ run: a mask of EBPF_PASS(), all of them unless a test or a tool says
 * otherwise. */
extern uint32_t ebpf_jit_passes;

/* Runs the passes and shows what each leaves (jit/opt/ir.h). T. As above, without -ENOSPC. */
struct ebpf_ir_trace;
int ebpf_jit_trace(const struct ebpf_code *code, const struct ebpf_ir_trace *trace);

#endif /* EBPF_JIT_JIT_H */
