/* SPDX-License-Identifier: MIT */
/* What operations on constants yield. */
#ifndef EBPF_JIT_OPT_EVAL_H
#define EBPF_JIT_OPT_EVAL_H

#include "jit/opt/ir.h"

/* The value of a pure operation on a and b (or imm). False: left to the hart. */
bool ebpf_ir_eval(const struct ebpf_ir_op *op, uint64_t a, uint64_t b, uint64_t *result);
/* The one bit that op, "or", "xor" or "and" with imm, changes; 64: there is not just one. */
unsigned ebpf_ir_single_bit(const struct ebpf_ir_op *op);
bool ebpf_ir_eval_branch(const struct ebpf_ir_op *op, uint64_t a, uint64_t b);

#endif /* EBPF_JIT_OPT_EVAL_H */
