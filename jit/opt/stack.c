/* SPDX-License-Identifier: MIT */
/*
 * Who may access which bytes of the stack: what the passes that look at stores to it have to know.
 *
 * Addresses are followed inside blocks (and those that only the block before goes on to). An
 * address that goes to a helper gives it the bytes from there upwards, as every helper's
 * contract has it; one that goes anywhere else, to a function, into memory, into another block,
 * gives everything.
 */
#include "helpers/helper.h"
#include "jit/opt/ir.h"
#include "src/base/bits.h"

struct follow {
    struct ebpf_ir_stack *out;
    uint64_t addresses; /* vregs that hold r10 + off */
    int32_t off[IR_VREGS];
};

static void escape(struct ebpf_ir_stack *out, int32_t off)
{
    if (off < -(int32_t)EBPF_FRAME_SIZE || off > 0)
        off = -(int32_t)EBPF_FRAME_SIZE;
    out->escape = off < out->escape ? off : out->escape;
    out->low = off < out->low ? off : out->low;
}

static void escape_all(struct ebpf_ir_stack *out)
{
    escape(out, -(int32_t)EBPF_FRAME_SIZE);
}

static void access(struct ebpf_ir_stack *out, int64_t off, unsigned size, uint64_t *bytes)
{
    if (off < -(int32_t)EBPF_FRAME_SIZE || off + size > 0) {
        escape_all(out);
        return;
    }
    out->low = off < out->low ? (int32_t)off : out->low;
    ebpf_ir_stack_mark(bytes, (int32_t)off, size);
}

/* A load, a store or an atomic operation. */
static void see_memory(struct follow *f, const struct ebpf_ir_op *op)
{
    uint64_t address = op->src1 < IR_NONE ? f->addresses & IR_BIT(op->src1) : 0;
    bool value = op->code != IR_LOAD && !(op->flags & IR_IMM) && op->src2 < IR_NONE &&
                 (op->src2 == IR_FP || f->addresses >> op->src2 & 1);

    if (value)
        escape_all(f->out);
    if (op->src1 == IR_FP && op->code != IR_ATOMIC)
        access(f->out, op->off, op->size, op->code == IR_LOAD ? f->out->read : f->out->written);
    else if (op->src1 == IR_FP)
        access(f->out, op->off, op->size, f->out->pinned);
    else if (address)
        access(f->out, (int64_t)f->off[op->src1] + op->off, op->size, f->out->pinned);
}

/* Helpers that call a function back give it an address of the stack, and it may go either way. */
static bool calls_back(const struct ebpf_ir_op *op)
{
    const struct ebpf_helper *helper =
        op->flags & IR_C ? NULL : ebpf_helper_find((uint32_t)op->imm);

    return !(op->flags & IR_C) && (!helper || helper->callback != CALLBACK_NONE);
}

static void see_call(struct follow *f, const struct ebpf_ir_op *op)
{
    for (unsigned v = BPF_REG_1; v < 1u + op->size; v++) {
        if (!(f->addresses >> v & 1))
            continue;
        if (calls_back(op))
            escape_all(f->out);
        escape(f->out, f->off[v]);
    }
}

/* dst = r10 + *off? */
static bool makes_address(const struct follow *f, const struct ebpf_ir_op *op, int64_t *off)
{
    bool sum = op->code == IR_ADD && op->flags & IR_WIDE && op->flags & IR_IMM;

    if (op->code != IR_MOV && !sum)
        return false;
    *off = op->src1 == IR_FP ? 0 : op->src1 < IR_NONE ? f->off[op->src1] : 0;
    if (sum && (op->imm < -(int64_t)EBPF_FRAME_SIZE || op->imm > (int64_t)EBPF_FRAME_SIZE))
        return false;
    *off += sum ? op->imm : 0;
    return *off >= -(int64_t)EBPF_FRAME_SIZE && *off <= 0;
}

static void see(struct follow *f, const struct ebpf_ir_op *op)
{
    uint64_t writes = ebpf_ir_writes(op);
    bool uses = ebpf_ir_reads(op) & (f->addresses | IR_BIT(IR_FP)), address;
    int64_t off = 0;

    if (!uses && op->code != IR_CALL) {
        f->addresses &= ~writes;
        return;
    }
    address = uses && makes_address(f, op, &off);
    if (op->code >= IR_LOAD && op->code <= IR_ATOMIC)
        see_memory(f, op);
    else if (op->code == IR_CALL)
        see_call(f, op);
    else if (uses && !address && op->code != IR_BRANCH)
        escape_all(f->out);
    if (op->code == IR_OPAQUE && op->src1 == IR_FP)
        escape_all(f->out);
    f->addresses &= ~writes;
    if (address) {
        f->addresses |= writes;
        f->off[op->dst] = (int32_t)off;
    }
}

/* At the end of block b: what goes to blocks that know nothing of it. */
static void leave(struct follow *f, struct ebpf_ir_fn *fn, uint32_t b)
{
    for (unsigned n = 0; n < 2; n++) {
        uint32_t to = fn->blocks[b].next[n];

        if (!f->addresses || to == IR_NOWHERE || (to == b + 1 && ebpf_ir_goes_on(fn, to)))
            continue;
        ebpf_ir_liveness(fn);
        if (f->addresses & (fn->blocks[to].live_lo | fn->blocks[to].live_hi))
            escape_all(f->out);
    }
}

void ebpf_ir_stack_use(struct ebpf_ir_fn *fn, struct ebpf_ir_stack *out)
{
    struct follow f;

    f.out = out; /* off[] is of those that are in addresses */
    f.addresses = 0;
    memset(out, 0, sizeof(*out));
    for (uint32_t b = 0; b < fn->block_cnt; b++) {
        if (!ebpf_ir_goes_on(fn, b))
            f.addresses = 0;
        for (uint32_t i = fn->blocks[b].start; i < fn->blocks[b].end; i++)
            see(&f, &fn->list.ops[i]);
        leave(&f, fn, b);
    }
}

bool ebpf_ir_has_stack(const struct ebpf_ir_fn *fn, unsigned code)
{
    for (uint32_t i = 0; i < fn->list.cnt; i++) {
        if (fn->list.ops[i].src1 == IR_FP && fn->list.ops[i].code == code)
            return true;
    }
    return false;
}

void ebpf_ir_stack_mark(uint64_t *bytes, int32_t off, unsigned size)
{
    for (unsigned n = (unsigned)-off - size; n < (unsigned)-off; n++)
        bytes[n / 64] |= IR_BIT(n % 64);
}

bool ebpf_ir_stack_any(const uint64_t *bytes, int32_t off, unsigned size)
{
    for (unsigned n = (unsigned)-off - size; n < (unsigned)-off; n++) {
        if (bytes[n / 64] >> n % 64 & 1)
            return true;
    }
    return false;
}
