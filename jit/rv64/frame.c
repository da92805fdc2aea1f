/* SPDX-License-Identifier: MIT */
/* Entering and leaving a function: what it needs of a frame, and only that, see struct rv_frame. */
#include "jit/rv64/lower.h"
#include "src/base/bits.h"

#define CALLEE_SAVED 0x0ffc0300u /* s0, s1, s2 to s11; psABI, Integer Register Convention */

/* What one operation asks of the frame: r10's displacement where it is the base of an access or of
 * an address (0: not used), all of it where the address goes anywhere else. */
static uint32_t stack_needed(const struct ebpf_ir_fn *ir, const struct ebpf_ir_op *op)
{
    bool memory = op->code == IR_LOAD || op->code == IR_STORE || op->code == IR_ATOMIC;
    bool value = op->code == IR_STORE || op->code == IR_ATOMIC
                     ? !(op->flags & IR_IMM) && op->src2 == IR_FP
                     : false;

    if (!(ebpf_ir_reads(op) & IR_BIT(IR_FP)))
        return 0;
    if (!memory || value || op->off >= 0 || op->off < -(int32_t)ir->stack)
        return ir->stack;
    return (uint32_t)-op->off;
}

static unsigned saved_count(const struct rv_frame *frame)
{
    unsigned count = (unsigned)frame->calls + frame->counts + frame->tails;

    for (uint32_t left = frame->saved; left; left &= left - 1)
        count++;
    return count;
}

void ebpf_rv_frame_plan(struct rv_fn *fn)
{
    struct rv_frame *frame = &fn->frame;
    uint32_t stack = 0;
    uint64_t written = 0;

    memset(frame, 0, sizeof(*frame));
    frame->c_result = fn->ir.subprog == 0 || fn->callback;
    for (uint32_t i = 0; i < fn->ir.list.cnt; i++) {
        const struct ebpf_ir_op *op = &fn->ir.list.ops[i];
        uint32_t needed = stack_needed(&fn->ir, op);

        stack = needed > stack ? needed : stack;
        written |= ebpf_ir_writes(op);
        frame->calls |= ebpf_ir_is_call(op);
        frame->counts |= op->code == IR_OPAQUE && op->target != IR_NOWHERE;
        frame->c_result |= rv_is_tail_call(op);
        frame->tails |= op->code == IR_TAIL_CALL;
    }
    for (unsigned v = 0; v < IR_NONE; v++) {
        if (v != IR_FP && written >> v & 1)
            frame->saved |= (uint32_t)1 << fn->regs[v] & CALLEE_SAVED;
    }
    frame->fp = (uint16_t)EBPF_ROUND_UP(stack, 8u);
    frame->size = (uint16_t)EBPF_ROUND_UP(frame->fp + 8u * saved_count(frame), 16u);
}

/* sd or ld of everything saved, from the top of the frame downwards. */
static void each_saved(struct rv_jit *j, int64_t at,
                       void (*access)(struct rv_asm *, enum rv_reg, int64_t, enum rv_reg))
{
    const struct rv_frame *frame = &j->fn->frame;

    if (frame->calls)
        access(&j->as, RA, at -= 8, SP);
    for (unsigned n = 0; n < 32; n++) {
        if (frame->saved >> n & 1)
            access(&j->as, (enum rv_reg)n, at -= 8, SP);
    }
}

/* Below the saved registers, which end at top. */
static int64_t run_place(const struct rv_frame *frame, int64_t top)
{
    return top - 8 * (int64_t)(saved_count(frame) - frame->counts);
}

/* A frame of inlined functions may be more than an immediate reaches: first the saved registers'
 * part, then the rest. */
#define STEP 2032

static void move_sp(struct rv_jit *j, int64_t by)
{
    for (; by > STEP; by -= STEP)
        rv_addi(&j->as, SP, SP, STEP);
    for (; by < -STEP; by += STEP)
        rv_addi(&j->as, SP, SP, -STEP);
    if (by)
        rv_addi(&j->as, SP, SP, by);
}

void ebpf_rv_prologue(struct rv_jit *j)
{
    int64_t size = j->fn->frame.size, first = size < STEP ? size : STEP;

    move_sp(j, -first);
    if (j->fn->frame.tails)
        rv_sd(&j->as, A1, run_place(&j->fn->frame, first), SP);
    each_saved(j, first, rv_sd);
    move_sp(j, first - size);
    if (j->fn->frame.counts) {
        int32_t off = 0;
        enum rv_reg base = ebpf_rv_base(j, IR_FP, &off, T1);

        ebpf_rv_li(&j->as, T0, EBPF_MAX_LOOPS);
        rv_sd(&j->as, T0, off, base);
    }
}

void ebpf_rv_load_run(struct rv_jit *j, enum rv_reg rd)
{
    int64_t at = run_place(&j->fn->frame, j->fn->frame.size);

    if (rv_fits(at, 12)) {
        rv_ld(&j->as, rd, at, SP);
        return;
    }
    ebpf_rv_li(&j->as, rd, (uint64_t)at);
    rv_add(&j->as, rd, rd, SP);
    rv_ld(&j->as, rd, 0, rd);
}

void ebpf_rv_restore(struct rv_jit *j)
{
    int64_t size = j->fn->frame.size, first = size < STEP ? size : STEP;

    move_sp(j, size - first);
    each_saved(j, first, rv_ld);
    move_sp(j, first);
}

/* The result is in r0's own register for the program's other functions, unless it is where C
 * expects it. */
void ebpf_rv_lower_exit(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    enum rv_reg result = j->fn->frame.c_result ? A0 : A5;

    if (op->flags & IR_IMM)
        ebpf_rv_li(&j->as, result, (uint64_t)op->imm);
    else
        rv_mv(&j->as, result, ebpf_rv_source(j, op->src1, result));
    ebpf_rv_restore(j);
    rv_jalr(&j->as, ZERO, 0, RA);
}
