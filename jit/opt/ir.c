/* SPDX-License-Identifier: MIT */
/* Lists of operations, and what an operation reads and writes: see ir.h. */
#include "jit/opt/ir.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"

/* ---- lists ----------------------------------------------------------------------------------- */

void ebpf_ir_init(struct ebpf_ir_fn *fn, uint32_t subprog)
{
    memset(fn, 0, sizeof(*fn));
    fn->subprog = subprog;
    fn->vreg_cnt = IR_EXTRA;
    fn->stack = EBPF_FRAME_SIZE;
    fn->moves = fn->unread = fn->branches = true;
}

void ebpf_ir_list_fini(struct ebpf_ir_list *list)
{
    ebpf_free(list->ops, list->cap * sizeof(*list->ops));
    memset(list, 0, sizeof(*list));
}

void ebpf_ir_fini(struct ebpf_ir_fn *fn)
{
    ebpf_ir_list_fini(&fn->list);
    ebpf_free(fn->blocks, fn->block_cap * sizeof(*fn->blocks));
    ebpf_free(fn->labels, fn->labels_cap * sizeof(*fn->labels));
    fn->blocks = NULL;
    fn->labels = NULL;
}

static bool set_cap(struct ebpf_ir_list *list, uint32_t cap)
{
    struct ebpf_ir_op *ops = ebpf_alloc(cap * sizeof(*ops));

    if (!ops) {
        list->err = -ENOMEM;
        return false;
    }
    if (list->cnt)
        memcpy(ops, list->ops, list->cnt * sizeof(*ops));
    ebpf_free(list->ops, list->cap * sizeof(*ops));
    list->ops = ops;
    list->cap = cap;
    return true;
}

void ebpf_ir_reserve(struct ebpf_ir_list *list, uint32_t cnt)
{
    set_cap(list, cnt);
}

void ebpf_ir_append(struct ebpf_ir_list *list, const struct ebpf_ir_op *op)
{
    if (!list->err && (list->cnt < list->cap || set_cap(list, list->cap + list->cap / 2 + 16)))
        list->ops[list->cnt++] = *op;
}

int ebpf_ir_replace(struct ebpf_ir_fn *fn, struct ebpf_ir_list *list)
{
    int err = list->err;

    if (err) {
        ebpf_ir_list_fini(list);
        return err;
    }
    ebpf_ir_list_fini(&fn->list);
    fn->list = *list;
    memset(list, 0, sizeof(*list));
    fn->has_flow = fn->has_liveness = false;
    fn->moves = fn->unread = fn->branches = true;
    return 0;
}

/* Operations [start, end) move to where kept ends; returns where that is then. */
static uint32_t close_holes(struct ebpf_ir_op *ops, uint32_t start, uint32_t end, uint32_t kept)
{
    for (uint32_t i = start; i < end; i++) {
        if (ops[i].code == IR_NOP)
            continue;
        if (i != kept)
            ops[kept] = ops[i];
        kept++;
    }
    return kept;
}

void ebpf_ir_compact(struct ebpf_ir_fn *fn)
{
    struct ebpf_ir_list *list = &fn->list;
    uint32_t kept = 0;

    if (!fn->holes)
        return;
    for (uint32_t b = 0; fn->has_flow && b < fn->block_cnt; b++) {
        struct ebpf_ir_block *block = &fn->blocks[b];
        uint32_t start = kept;

        kept = close_holes(list->ops, block->start, block->end, kept);
        block->start = start;
        block->end = kept;
    }
    list->cnt = fn->has_flow ? kept : close_holes(list->ops, 0, list->cnt, 0);
    fn->holes = false;
}

unsigned ebpf_ir_new_vreg(struct ebpf_ir_fn *fn)
{
    return fn->vreg_cnt < IR_NONE ? fn->vreg_cnt++ : IR_NONE;
}

/* ---- reads and writes ------------------------------------------------------------------------ */

/* (The builtin calls libgcc without Zbb.) */
unsigned ebpf_ir_lowest(uint64_t mask)
{
    unsigned n = 0;

    for (unsigned step = 32; step; step /= 2) {
        if (!(mask & ((IR_BIT(step)) - 1))) {
            mask >>= step;
            n += step;
        }
    }
    return n;
}

uint64_t ebpf_ir_reads_odd(const struct ebpf_ir_op *op)
{
    switch (op->code) {
    case IR_ATOMIC:
        return ((IR_BIT(op->src1) | IR_BIT(op->src2)) & IR_REGS) | (op->imm == BPF_CMPXCHG);
    case IR_CALL:
        return IR_ARGS & (IR_BIT(op->size + 1) - 1);
    case IR_CALL_FUNC:
        return IR_ARGS;
    case IR_OPAQUE:
        return (IR_BIT(IR_FP) - 1) | (IR_BIT(op->src1) & IR_REGS);
    default:
        return 0;
    }
}

uint64_t ebpf_ir_writes_odd(const struct ebpf_ir_op *op)
{
    switch (op->code) {
    case IR_ATOMIC:
        return IR_BIT(op->dst) & IR_REGS;
    case IR_CALL:
    case IR_CALL_FUNC:
        return IR_ARGS | 1;
    case IR_OPAQUE:
        return IR_BIT(IR_FP) - 1;
    default:
        return 0;
    }
}
