/* SPDX-License-Identifier: MIT */
/* Loads and stores (RFC 9669, Regular and Sign-extension load and store operations). */
#include "jit/rv64/lower.h"

typedef void (*access_form)(struct rv_asm *, enum rv_reg reg, int64_t imm, enum rv_reg rs1);

/* [bytes] */
static const struct {
    access_form load, load_signed, store;
} accesses[9] = {
    [1] = {rv_lbu, rv_lb, rv_sb},
    [2] = {rv_lhu, rv_lh, rv_sh},
    [4] = {rv_lwu, rv_lw, rv_sw},
    [8] = {rv_ld, rv_ld, rv_sd},
};

/* Where nobody reads the upper half, lw has the shorter encoding. */
void ebpf_rv_lower_load(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    bool sign = (op->flags & IR_SIGN) || (op->size == 4 && op->ext != IR_EXT_ZERO);
    enum rv_reg rd = ebpf_rv_reg(j, op->dst), base;
    int32_t off = op->off;

    base = ebpf_rv_base(j, op->src1, &off, T0);
    (sign ? accesses[op->size].load_signed : accesses[op->size].load)(&j->as, rd, off, base);
}

void ebpf_rv_lower_store(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    int32_t off = op->off;
    enum rv_reg value, base;

    value = op->flags & IR_IMM ? ebpf_rv_constant(j, op->imm, T1) : ebpf_rv_source(j, op->src2, T1);
    base = ebpf_rv_base(j, op->src1, &off, T0);
    accesses[op->size].store(&j->as, value, off, base);
}
