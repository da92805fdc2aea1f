/* SPDX-License-Identifier: MIT */
/* Blocks, loops and liveness of a function's list. */
#include "jit/opt/live.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Room for so many; what was there is forgotten. */
static bool make_room(struct ebpf_ir_fn *fn, uint32_t blocks, uint32_t labels)
{
    if (blocks > fn->block_cap) {
        ebpf_free(fn->blocks, fn->block_cap * sizeof(*fn->blocks));
        fn->blocks = ebpf_alloc(blocks * sizeof(*fn->blocks));
        fn->block_cap = fn->blocks ? blocks : 0;
    }
    if (labels > fn->labels_cap) {
        ebpf_free(fn->labels, fn->labels_cap * sizeof(*fn->labels));
        fn->labels = ebpf_alloc(labels * sizeof(*fn->labels));
        fn->labels_cap = fn->labels ? labels : 0;
    }
    return blocks <= fn->block_cap && labels <= fn->labels_cap;
}

/* At least so many blocks as there are. */
static uint32_t count_blocks(const struct ebpf_ir_list *list)
{
    uint32_t cnt = 1;

    for (uint32_t i = 0; i < list->cnt; i++)
        cnt += list->ops[i].code == IR_LABEL || ebpf_ir_ends_block(&list->ops[i]);
    return cnt;
}

/* A block begins with a label, and behind what ends one. */
static void fill_blocks(struct ebpf_ir_fn *fn)
{
    const struct ebpf_ir_list *list = &fn->list;
    struct ebpf_ir_block *block = fn->blocks;
    bool begins = true;

    for (uint32_t i = 0; i < list->cnt; i++) {
        const struct ebpf_ir_op *op = &list->ops[i];

        if (begins || op->code == IR_LABEL) {
            *block = (struct ebpf_ir_block){.start = i};
            block++;
        }
        if (op->code == IR_LABEL)
            fn->labels[op->target] = (uint32_t)(block - fn->blocks) - 1;
        block[-1].end = i + 1;
        begins = ebpf_ir_ends_block(op);
    }
    fn->block_cnt = (uint32_t)(block - fn->blocks);
}

/* Where block number b goes. */
static void connect(struct ebpf_ir_fn *fn, uint32_t b)
{
    struct ebpf_ir_block *block = &fn->blocks[b];
    const struct ebpf_ir_op *last = &fn->list.ops[block->end - 1];
    bool leaves = last->code == IR_JUMP || last->code == IR_EXIT;

    block->next[0] = leaves || b + 1 == fn->block_cnt ? IR_NOWHERE : b + 1;
    block->next[1] =
        last->code != IR_EXIT && ebpf_ir_ends_block(last) ? fn->labels[last->target] : IR_NOWHERE;
    for (unsigned n = 0; n < 2; n++) {
        struct ebpf_ir_block *to =
            block->next[n] == IR_NOWHERE ? NULL : &fn->blocks[block->next[n]];

        if (!to)
            continue;
        to->preds++;
        if (block->next[n] <= b && to->loop_end <= b)
            to->loop_end = b + 1;
    }
}

/* A loop is what lies between a jump backwards and its target: with the layout of compilers, it is.
 * How many loops end with a block is counted where liveness will be. */
static void find_loops(struct ebpf_ir_fn *fn)
{
    int32_t depth = 0;

    for (uint32_t b = 0; b < fn->block_cnt; b++) {
        struct ebpf_ir_block *block = &fn->blocks[b];

        if (block->loop_end) {
            depth++;
            fn->blocks[block->loop_end - 1].live_lo++;
        }
        block->depth = (uint8_t)(depth > 7 ? 7 : depth);
        depth -= (int32_t)block->live_lo; /* loops that end with this block */
        block->live_lo = 0;
    }
}

int ebpf_ir_flow(struct ebpf_ir_fn *fn)
{
    if (fn->has_flow)
        return 0;
    if (!make_room(fn, count_blocks(&fn->list), fn->label_cnt))
        return -ENOMEM;
    fill_blocks(fn);
    for (uint32_t b = 0; b < fn->block_cnt; b++)
        connect(fn, b);
    find_loops(fn);
    fn->has_flow = true;
    fn->has_liveness = false;
    return 0;
}

/* ---- liveness -------------------------------------------------------------------------------- */

/* Blocks whose successors are as they were need no second look. */
static bool liveness_round(struct ebpf_ir_fn *fn, bool first)
{
    bool changed = false;

    for (uint32_t b = fn->block_cnt; b-- > 0;) {
        struct ebpf_ir_block *block = &fn->blocks[b];
        struct ebpf_ir_live live = ebpf_ir_live_out(fn, block);

        if (!first && live.lo == block->out_lo && live.hi == block->out_hi)
            continue;
        block->out_lo = live.lo;
        block->out_hi = live.hi;
        for (uint32_t i = block->end; i-- > block->start;)
            live = ebpf_ir_live_before(&fn->list.ops[i], live);
        changed |= live.lo != block->live_lo || live.hi != block->live_hi;
        block->live_lo = live.lo;
        block->live_hi = live.hi;
    }
    return changed;
}

/* Loops nested n deep take n + 2 rounds or so; jumps that no compiler makes could take many
 * more. */
#define MAX_ROUNDS 16

bool ebpf_ir_liveness(struct ebpf_ir_fn *fn)
{
    if (fn->has_liveness)
        return true;
    for (uint32_t b = 0; b < fn->block_cnt; b++)
        fn->blocks[b].live_lo = fn->blocks[b].live_hi = 0;
    for (unsigned round = 0; round < MAX_ROUNDS; round++) {
        if (!liveness_round(fn, round == 0)) {
            fn->has_liveness = true;
            return true;
        }
    }
    for (uint32_t b = 0; b < fn->block_cnt; b++)
        fn->blocks[b].live_lo = fn->blocks[b].live_hi = UINT64_MAX;
    return false;
}
