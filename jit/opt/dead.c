/* SPDX-License-Identifier: MIT */
/*
 * Pass "dead": takes out what nobody reads, stores to the stack too, and code that is never
 * reached; makes a zero-extension whose upper half nobody reads a move.
 *
 *     v2 = mov v1               (gone: v2 is written again before it is read)
 *     v2 = lsh v1, 13     ->    v2 = lsh v1, 13
 *     v3 = zext32 v4            v3 = mov v4          (only compared as 32 bits)
 */
#include "jit/opt/live.h"
#include "src/base/bits.h"

/* Takes out block b, which nobody goes to. */
static void remove_block(struct ebpf_ir_fn *fn, uint32_t b)
{
    struct ebpf_ir_block *block = &fn->blocks[b];

    for (uint32_t i = block->start; i < block->end; i++) {
        if (fn->list.ops[i].code != IR_LABEL && fn->list.ops[i].code != IR_NOP) {
            ebpf_ir_remove(fn, &fn->list.ops[i]);
            fn->has_flow = false; /* those around it may be neighbours */
            fn->branches = true;
        }
    }
    for (unsigned n = 0; n < 2; n++) {
        if (block->next[n] != IR_NOWHERE)
            fn->blocks[block->next[n]].preds--;
        block->next[n] = IR_NOWHERE;
    }
}

static void remove_unreachable(struct ebpf_ir_fn *fn)
{
    for (uint32_t b = 1; b < fn->block_cnt; b++) {
        if (!fn->blocks[b].preds)
            remove_block(fn, b);
    }
}

/* Keeps the lower half as it is, and the upper half is not read. */
static bool only_moves(const struct ebpf_ir_op *op)
{
    if (op->code == IR_ZEXT || op->code == IR_SEXT)
        return op->imm == 32;
    return op->code == IR_AND && op->flags & IR_IMM && (uint32_t)op->imm == UINT32_MAX;
}

static void step(struct ebpf_ir_fn *fn, struct ebpf_ir_op *op, uint64_t lo, uint64_t hi)
{
    uint64_t dst = IR_BIT(op->dst) & IR_REGS;

    if (!dst)
        return;
    if (!((lo | hi) & dst)) {
        if (ebpf_ir_is_in(op, IR_SET_PURE | IR_BIT(IR_LOAD))) {
            ebpf_ir_remove(fn, op);
            fn->branches = true;
        } else if ((op->code == IR_ATOMIC && op->imm != BPF_CMPXCHG) || op->code == IR_CALL) {
            op->dst = IR_NONE;
        }
    } else if (!(hi & dst) && only_moves(op)) {
        op->code = IR_MOV;
        op->flags = IR_WIDE;
        op->src2 = IR_NONE;
        fn->moves = true;
    }
}

/* ---- stores to the stack --------------------------------------------------------------------- */

static void remove_stores(struct ebpf_ir_fn *fn)
{
    struct ebpf_ir_stack stack;

    if (!ebpf_ir_has_stack(fn, IR_STORE))
        return;
    ebpf_ir_stack_use(fn, &stack);
    for (uint32_t i = 0; i < fn->list.cnt; i++) {
        struct ebpf_ir_op *op = &fn->list.ops[i];

        if (op->code == IR_STORE && op->src1 == IR_FP && op->off + op->size <= stack.escape &&
            op->off >= -(int32_t)EBPF_FRAME_SIZE &&
            !ebpf_ir_stack_any(stack.read, op->off, op->size) &&
            !ebpf_ir_stack_any(stack.pinned, op->off, op->size)) {
            ebpf_ir_remove(fn, op);
            fn->branches = true;
        }
    }
}

/* ---- the pass -------------------------------------------------------------------------------- */

int ebpf_ir_dead(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn)
{
    int err = ebpf_ir_flow(fn);

    (void)env;
    if (err)
        return err;
    remove_unreachable(fn);
    ebpf_ir_liveness(fn);
    for (uint32_t b = fn->block_cnt; b-- > 0;) {
        struct ebpf_ir_live live = ebpf_ir_live_out(fn, &fn->blocks[b]);

        for (uint32_t i = fn->blocks[b].end; i-- > fn->blocks[b].start;) {
            step(fn, &fn->list.ops[i], live.lo, live.hi);
            live = ebpf_ir_live_before(&fn->list.ops[i], live);
        }
    }
    remove_stores(fn);
    fn->unread = false;
    return 0;
}
