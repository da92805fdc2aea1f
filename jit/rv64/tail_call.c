/* SPDX-License-Identifier: MIT */
/*
 * The main function's tail call through an array that is known, without a call of C: see
 * src/core/tail_call.c for what has to hold, struct ebpf_object_array and struct ebpf_run for what is
 * read. In C:
 *
 *     prog = array->progs[index];
 *     if (prog && run->tails_left) {
 *         run->tails_left--;
 *         return prog->entry(ctx, run, prog);     (a jump, with the frame gone)
 *     }
 */
#include "jit/rv64/lower.h"

static void branch(struct rv_jit *j, enum rv_cond cond, enum rv_reg rs1, enum rv_reg rs2,
                   uint32_t to)
{
    ebpf_rv_emit_wide(&j->as, rv_b(cond, RV_BRANCH, rs1, rs2, (int64_t)to - (int64_t)j->as.pos));
}

/* T0 = &progs[index], or a branch if there is none. */
static void slot_address(struct rv_jit *j, const struct ebpf_ir_op *op, uint32_t fail)
{
    struct rv_asm *a = &j->as;

    if (op->flags & IR_IMM) {
        ebpf_rv_address(j, T0, (uint64_t)op->imm);
        return;
    }
    ebpf_rv_extend(j, T1, ebpf_rv_source(j, op->src2, T1), 32, false);
    ebpf_rv_li(a, T0, (uint64_t)op->off);
    branch(j, RV_BGEU, T1, T0, fail);
    rv_slli(a, T1, T1, 3);
    ebpf_rv_address(j, T0, (uint64_t)op->imm);
    rv_add(a, T0, T0, T1);
}

static void emit(struct rv_jit *j, const struct ebpf_ir_op *op, uint32_t fail)
{
    struct rv_asm *a = &j->as;

    slot_address(j, op, fail);
    rv_ld(a, T0, 0, T0);
    branch(j, RV_BEQ, T0, ZERO, fail);
    ebpf_rv_load_run(j, T1);
    rv_lw(a, T2, offsetof(struct ebpf_run, tails_left), T1);
    branch(j, RV_BEQ, T2, ZERO, fail);
    rv_addi(a, T2, T2, -1);
    rv_sw(a, T2, offsetof(struct ebpf_run, tails_left), T1);
    rv_mv(a, A0, ebpf_rv_source(j, op->src1, A0));
    rv_mv(a, A1, T1);
    rv_mv(a, A2, T0);
    rv_ld(a, T1, offsetof(struct ebpf_prog, entry), T0);
    ebpf_rv_restore(j);
    rv_jalr(a, ZERO, 0, T1);
}

/* Twice: the first only finds where the end is. */
void ebpf_rv_lower_tail_call(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    struct rv_asm before = j->as;
    uint32_t fail;

    j->as.buf = NULL;
    emit(j, op, before.pos);
    fail = j->as.pos;
    j->as = before;
    emit(j, op, fail);
}
