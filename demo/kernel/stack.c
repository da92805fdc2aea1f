/* SPDX-License-Identifier: MIT */
/*
 * Walks up stacks by frame pointers: everything here is compiled with -fno-omit-frame-pointer. A
 * function's frame, as the psABI draws it, ends where fp (s0) points:
 *
 *     fp -  8   return address
 *     fp - 16   the caller's fp
 *
 * No word of it is believed: every read may fail, and a frame pointer must lie further up the same
 * stack than the one before, so a walk ends. What was compiled without frame pointers (the BPF
 * library) does not appear, or is where the walk ends.
 */
#include "kernel.h"

struct walk {
    uint64_t pc, ra, fp; /* where it is; ra: the register, good only in the innermost frame */
    uint64_t top;        /* of the stack */
    bool user;
    unsigned skip, max, count;
    uint64_t *pcs;
};

/* False: there is room for no more. */
static bool add(struct walk *w, uint64_t pc)
{
    if (w->skip)
        w->skip--;
    else
        w->pcs[w->count++] = pc;
    return w->count < w->max;
}

static bool on_stack(const struct walk *w, uint64_t fp)
{
    return fp % 16 == 0 && fp > w->fp && fp <= w->top;
}

/* From a frame to the one that called it. */
static bool up(struct walk *w)
{
    uint64_t at = w->fp - 16, saved[2]; /* fp, return address */
    int err = w->user ? copy_from_user(saved, at, sizeof(saved))
                      : (int)copy_kernel_raw(saved, (const void *)at, sizeof(saved));

    if (err || w->fp % 16)
        return false;
    if (w->ra && on_stack(w, saved[1])) { /* a leaf: it has saved fp alone, in the upper place */
        saved[0] = saved[1];
        saved[1] = w->ra;
    }
    w->pc = saved[1];
    w->ra = 0;
    if (!w->pc)
        return false;
    w->fp = on_stack(w, saved[0]) ? saved[0] : 0;
    return true;
}

static void begin(struct walk *w, const struct ebpf_regs *regs)
{
    w->pc = regs->pc;
    w->ra = regs->x[REG_RA];
    w->fp = regs->x[REG_FP];
}

/* ---- user mode -------------------------------------------------------------------------------- */

unsigned user_stack(unsigned skip, uint64_t *pcs, unsigned max)
{
    struct walk w = {.top = USER_STACK_TOP, .user = true, .skip = skip, .max = max, .pcs = pcs};

    if (current->satp == kernel_satp)
        return 0; /* a kernel thread, or a process without its memory */
    begin(&w, &user_frame(current)->regs);
    while (add(&w, w.pc) && w.fp && up(&w))
        ;
    return w.count;
}

/* ---- the kernel ------------------------------------------------------------------------------- */

/* At its first instruction a function has no frame yet: fp is the caller's, which is where ra leads
 * to. */
static bool at_function_start(uint64_t pc)
{
    struct ebpf_symbol symbol;

    return ebpf_os_symbol_at(pc, &symbol) == 0 && symbol.addr == pc;
}

/* Over an interrupt or exception to the code that it interrupted: trap_handler()'s frame ends where
 * the trap frame begins. False: that was user mode. */
static bool over_trap(struct walk *w, uint64_t frame)
{
    const struct trap_frame *f = (const struct trap_frame *)frame;

    if (frame > w->top - sizeof(*f) || !(f->status & SSTATUS_SPP))
        return false;
    begin(w, &f->regs);
    if (w->fp <= frame)
        w->fp = 0; /* the interrupted code used the register for something else */
    return true;
}

static bool in_text(uint64_t pc)
{
    return pc >= (uint64_t)__kernel_start && pc < (uint64_t)__text_end;
}

unsigned kernel_stack(const struct ebpf_regs *regs, unsigned skip, uint64_t *pcs, unsigned max)
{
    struct walk w = {.top = current->kernel_sp, .skip = skip, .max = max, .pcs = pcs};
    uint64_t frame;

    if (regs) {
        begin(&w, regs);
    } else {
        w.pc = (uint64_t)__builtin_return_address(0);
        w.fp = *((uint64_t *)__builtin_frame_address(0) - 2);
    }
    if (!add(&w, w.pc))
        return w.count;
    if (regs && at_function_start(w.pc)) {
        if (!add(&w, w.ra))
            return w.count;
        w.ra = 0;
    }
    do {
        frame = w.fp;
        if (!frame || !up(&w))
            break;
        if (w.pc == (uint64_t)trap_handled && !over_trap(&w, frame))
            break;
    } while (in_text(w.pc) && add(&w, w.pc));
    return w.count;
}
