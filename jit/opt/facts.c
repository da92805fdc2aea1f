/* SPDX-License-Identifier: MIT */
/*
 * Pass "facts": what the verifier knows (struct ebpf_fact) goes into the operations right after
 * they are decoded, before any pass changes them (the inliner tidies functions up, and copy
 * exchanges operands: "the second one is 5" would be said of the other one): constants that no code
 * around them shows, such as what a load from .rodata gives, and which 32-bit results are small, so that
 * extending their sign or zeros does the same (pass "forms").
 *
 *     v1 = li VALUES+8               v1 = li VALUES+8      (dead)
 *     v1 = load32 [v1+0]       ->    v1 = li 0x5           always 5
 *     v0 = add.w v0, v1              v0 = add.w v0, 5      ... and
 *     v0 = mod.w v0, v6              v0 = mod.w.small v0, v6
 *
 * What is known of calls, the pass "lookup" uses. Programs that no verifier has seen have no facts.
 */
#include "jit/opt/ir.h"

/* The result is a constant: it takes no more instructions than the operation. */
static void use_result(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn, struct ebpf_ir_op *op,
                       int64_t value)
{
    unsigned most = op->code == IR_LOAD ? 2 : 1; /* and nobody needs to know the load's address */

    if (op->code == IR_LI || !ebpf_ir_is_in(op, IR_SET_PURE | IR_BIT(IR_LOAD)) ||
        env->li_length((uint64_t)value) > most)
        return;
    op->code = IR_LI;
    op->flags = IR_WIDE;
    op->src1 = op->src2 = IR_NONE;
    op->imm = value;
    fn->moves = fn->unread = true;
}

/* src2 is a constant: as an immediate, if that saves its register at no cost (as copy.c has it). */
static bool is_good(const struct ebpf_ir_op *op, int64_t value)
{
    if (op->code == IR_STORE || op->code == IR_BRANCH)
        return value == 0;
    if (ebpf_ir_is_div(op))
        return value > 0 && value < 2048;
    if (ebpf_ir_is_shift(op))
        return true;
    return ebpf_ir_is_alu(op) && op->code != IR_MUL && ebpf_ir_is_short(value) &&
           (op->code != IR_SUB || ebpf_ir_is_short(-value));
}

static void use_operand(struct ebpf_ir_fn *fn, struct ebpf_ir_op *op, int64_t value)
{
    if (op->flags & IR_IMM || op->src2 >= IR_NONE || !is_good(op, value))
        return;
    op->flags |= IR_IMM;
    op->src2 = IR_NONE;
    op->imm = !ebpf_ir_is_shift(op) ? value : value & (op->flags & IR_WIDE ? 63 : 31);
    fn->unread = true;
}

int ebpf_ir_facts(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn)
{
    const uint32_t narrow = IR_SET_ALU | IR_BIT(IR_ZEXT) | IR_BIT(IR_SEXT);

    for (uint32_t i = 0; i < fn->list.cnt; i++) {
        struct ebpf_ir_op *op = &fn->list.ops[i];
        const struct ebpf_fact *fact = &env->facts[op->slot];

        if (!(fact->flags & (EBPF_FACT_RESULT | EBPF_FACT_OPERAND | EBPF_FACT_SMALL)))
            continue;
        if (fact->flags & EBPF_FACT_OPERAND)
            use_operand(fn, op, fact->value);
        if (fact->flags & EBPF_FACT_SMALL &&
            (op->code == IR_LOAD || (ebpf_ir_is_in(op, narrow) && !(op->flags & IR_WIDE))))
            op->flags |= IR_SMALL;
        if (fact->flags & EBPF_FACT_RESULT)
            use_result(env, fn, op, fact->value);
    }
    return 0;
}
