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

static bool grow(struct ebpf_ir_list *list)
{
    uint32_t cap = list->cap + list->cap / 2 + 16;
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

void ebpf_ir_append(struct ebpf_ir_list *list, const struct ebpf_ir_op *op)
{
    if (!list->err && (list->cnt < list->cap || grow(list)))
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
    return 0;
}

void ebpf_ir_compact(struct ebpf_ir_fn *fn)
{
    struct ebpf_ir_list *list = &fn->list;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < list->cnt; i++) {
        if (list->ops[i].code != IR_NOP)
            list->ops[kept++] = list->ops[i];
    }
    list->cnt = kept;
}

unsigned ebpf_ir_new_vreg(struct ebpf_ir_fn *fn)
{
    return fn->vreg_cnt < IR_NONE ? fn->vreg_cnt++ : IR_NONE;
}

/* ---- reads and writes ------------------------------------------------------------------------ */

static uint64_t bit(unsigned vreg)
{
    return vreg < IR_NONE ? IR_BIT(vreg) : 0;
}

static uint64_t src2_bit(const struct ebpf_ir_op *op)
{
    return op->flags & IR_IMM ? 0 : bit(op->src2);
}

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

uint64_t ebpf_ir_reads(const struct ebpf_ir_op *op)
{
    switch (op->code) {
    case IR_NOP:
    case IR_LABEL:
    case IR_LI:
    case IR_JUMP:
        return 0;
    case IR_MOV:
    case IR_ZEXT:
    case IR_SEXT:
    case IR_SWAP:
    case IR_LOAD:
        return bit(op->src1);
    case IR_ATOMIC:
        return bit(op->src1) | bit(op->src2) | (op->imm == BPF_CMPXCHG ? 1 : 0);
    case IR_CALL:
        return IR_ARGS & (IR_BIT(op->size + 1) - 1);
    case IR_CALL_FUNC:
        return IR_ARGS;
    case IR_EXIT:
        return op->flags & IR_IMM ? 0 : bit(op->src1);
    case IR_OPAQUE:
        return (IR_BIT(IR_FP) - 1) | bit(op->src1);
    default:
        return bit(op->src1) | src2_bit(op);
    }
}

uint64_t ebpf_ir_writes(const struct ebpf_ir_op *op)
{
    switch (op->code) {
    case IR_NOP:
    case IR_LABEL:
    case IR_STORE:
    case IR_TAIL_CALL:
    case IR_BRANCH:
    case IR_JUMP:
    case IR_EXIT:
        return 0;
    case IR_CALL:
    case IR_CALL_FUNC:
        return IR_ARGS | 1;
    case IR_OPAQUE:
        return IR_BIT(IR_FP) - 1;
    default:
        return bit(op->dst);
    }
}

bool ebpf_ir_pure(const struct ebpf_ir_op *op)
{
    return ebpf_ir_is_alu(op) || (op->code >= IR_MOV && op->code <= IR_SWAP);
}

bool ebpf_ir_ends_block(const struct ebpf_ir_op *op)
{
    return op->code == IR_BRANCH || op->code == IR_JUMP || op->code == IR_EXIT ||
           (op->code == IR_OPAQUE && op->target != IR_NOWHERE);
}
