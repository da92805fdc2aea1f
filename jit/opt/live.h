/* SPDX-License-Identifier: MIT */
/* Steps backwards through a block: which halves of registers are live (ebpf_ir_liveness()). */
#ifndef EBPF_JIT_OPT_LIVE_H
#define EBPF_JIT_OPT_LIVE_H

#include "jit/opt/ir.h"

/* Registers whose lower or upper half is read before it is written. */
struct ebpf_ir_live {
    uint64_t lo, hi;
};

/* A 32-bit operation with one of these may be done on whole registers, and so needs what is in
 * them. */
#define IR_WHOLE (IR_WIDE | IR_DIRECT | IR_SEXT1 | IR_SEXT2)

/* Which upper halves of its operands a value needs, given whether its own is needed. */
static inline uint64_t ebpf_ir_alu_needs(const struct ebpf_ir_op *op, bool need_hi, uint64_t reads)
{
    bool imm = op->flags & IR_IMM;

    /* "any": the upper half comes from theirs */
    if (!(op->flags & IR_WHOLE) && op->ext != IR_EXT_ANY)
        return 0;
    if (ebpf_ir_is_div(op))
        return reads;
    if (op->code == IR_CZEQ || op->code == IR_CZNE)
        return (need_hi ? reads : IR_BIT(op->src2)) & IR_REGS;
    if (ebpf_ir_is_in(op, IR_BIT(IR_RSH) | IR_BIT(IR_ARSH) | IR_BIT(IR_ROR) | IR_BIT(IR_BEXT)))
        return IR_BIT(op->src1) & IR_REGS;
    if (!need_hi)
        return 0;
    if (op->code == IR_LSH)
        return imm && op->imm >= 32 ? 0 : IR_BIT(op->src1) & IR_REGS;
    return op->code != IR_AND || !imm || (uint64_t)op->imm > UINT32_MAX ? reads : 0;
}

/* The same for moves and extensions, what ends a block, calls. */
static inline uint64_t ebpf_ir_other_needs(const struct ebpf_ir_op *op, bool need_hi,
                                           uint64_t reads)
{
    switch (op->code) {
    case IR_MOV:
        return need_hi ? reads : 0;
    case IR_ZEXT:
        return op->ext == IR_EXT_ANY ? reads : 0;
    case IR_SEXT:
        return 0;
    case IR_SWAP:
        return op->imm < 64 ? 0 : reads;
    case IR_BRANCH:
        return op->flags & IR_WHOLE ? reads : 0;
    default:
        return reads;
    }
}

/* What is live before op, given what is live after it. */
static inline struct ebpf_ir_live ebpf_ir_live_before(const struct ebpf_ir_op *op,
                                                      struct ebpf_ir_live live)
{
    uint64_t writes = op->code == IR_OPAQUE ? 0 : ebpf_ir_writes(op), reads;
    bool need_lo = live.lo & writes, need_hi = live.hi & writes;

    live.lo &= ~writes;
    live.hi &= ~writes;
    if (!need_lo && !need_hi && ebpf_ir_pure(op))
        return live; /* taken out or not; a load that is not must find its address */
    reads = ebpf_ir_reads(op);
    live.lo |= reads;
    if (ebpf_ir_is_alu(op))
        live.hi |= ebpf_ir_alu_needs(op, need_hi, reads);
    else if (ebpf_ir_is_memory(op))
        live.hi |= op->size == 8 || op->src1 >= IR_NONE ? reads : IR_BIT(op->src1);
    else
        live.hi |= ebpf_ir_other_needs(op, need_hi, reads);
    return live;
}

/* What is live where the block ends. */
static inline struct ebpf_ir_live ebpf_ir_live_out(const struct ebpf_ir_fn *fn,
                                                   const struct ebpf_ir_block *block)
{
    struct ebpf_ir_live live = {0, 0};

    for (unsigned n = 0; n < 2; n++) {
        if (block->next[n] == IR_NOWHERE)
            continue;
        live.lo |= fn->blocks[block->next[n]].live_lo;
        live.hi |= fn->blocks[block->next[n]].live_hi;
    }
    return live;
}

#endif /* EBPF_JIT_OPT_LIVE_H */
