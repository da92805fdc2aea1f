/* SPDX-License-Identifier: MIT */
/*
 * Atomic operations (RFC 9669). Ordering as Linux defines it for BPF
 * (Documentation/bpf/standardization, and the kernel's atomic_t.txt): what fetches is fully
 * ordered, what does not is relaxed, a failed exchange orders nothing.
 */
#include "jit/rv64/lower.h"

typedef void (*amo_form)(struct rv_asm *, enum rv_reg rd, enum rv_reg rs2, enum rv_reg rs1,
                         enum rv_order);

/* [imm >> 4][64 bits] */
static const amo_form amos[16][2] = {
    [BPF_ADD >> 4] = {rv_amoadd_w, rv_amoadd_d},    [BPF_OR >> 4] = {rv_amoor_w, rv_amoor_d},
    [BPF_AND >> 4] = {rv_amoand_w, rv_amoand_d},    [BPF_XOR >> 4] = {rv_amoxor_w, rv_amoxor_d},
    [BPF_XCHG >> 4] = {rv_amoswap_w, rv_amoswap_d},
};

/* AMOs have no displacement. */
static enum rv_reg address(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    int32_t off = op->off;
    enum rv_reg base = ebpf_rv_base(j, op->src1, &off, T0);

    if (!off)
        return base;
    rv_addi(&j->as, T0, base, off);
    return T0;
}

/*
 * r0 is compared with what memory holds, and gets it.
 *
 *     again:  lr      T1, (addr)
 *             bne     T1, expected, done
 *             sc.rl   T2, src, (addr)
 *             bnez    T2, again
 *             fence   rw, rw
 *     done:
 *
 * Nothing in the loop is compressed: T1 and T2 are not x8 to x15. ("Eventual success of
 * store-conditional": the loop holds only what a constrained LR/SC loop may.) lr.w sign-extends, so
 * that the expected value has to be, too. Zacas has one instruction for all of it.
 */
static void compare_exchange(struct rv_jit *j, enum rv_reg addr, enum rv_reg src, bool wide)
{
    struct rv_asm *a = &j->as;
    enum rv_reg r0 = ebpf_rv_reg(j, BPF_REG_0), expected = r0;

    if (j->isa & EBPF_ISA_ZACAS) {
        (wide ? rv_amocas_d : rv_amocas_w)(a, r0, src, addr, RV_AQRL);
        if (!wide)
            ebpf_rv_extend(j, r0, r0, 32, false);
        return;
    }
    if (!wide) {
        rv_sext_w(a, T3, r0);
        expected = T3;
    }
    (wide ? rv_lr_d : rv_lr_w)(a, T1, addr, RV_RELAXED);
    rv_bne(a, T1, expected, 16);
    (wide ? rv_sc_d : rv_sc_w)(a, T2, src, addr, RV_RL);
    rv_bne(a, T2, ZERO, -12);
    rv_fence_rw_rw(a);
    if (wide)
        rv_mv(a, r0, T1);
    else
        ebpf_rv_extend(j, r0, T1, 32, false);
}

void ebpf_rv_lower_atomic(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    bool wide = op->size == 8, fetch = op->imm & BPF_FETCH;
    enum rv_reg addr = address(j, op), src = ebpf_rv_source(j, op->src2, T4), rd = ZERO;

    if (op->imm == BPF_CMPXCHG) {
        compare_exchange(j, addr, src, wide);
        return;
    }
    if (op->dst != IR_NONE)
        rd = ebpf_rv_reg(j, op->dst);
    amos[op->imm >> 4][wide](&j->as, rd, src, addr, fetch ? RV_AQRL : RV_RELAXED);
    if (rd != ZERO && !wide && op->ext == IR_EXT_ZERO)
        ebpf_rv_extend(j, rd, rd, 32, false);
}
