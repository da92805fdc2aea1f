/* SPDX-License-Identifier: MIT */
/*
 * Probes on kernel instructions: any place in a known function can be made to call a handler, on
 * all harts. This part knows nothing of BPF; links (ebpf/ebpf.h) put programs on it.
 *
 * The kernel's side: build a struct ebpf_regs at the breakpoint exception (scause 3) and call
 * ebpf_breakpoint(); call ebpf_kprobe_fixup() before it looks at the pc of any other exception that
 * kernel code took; name the code that runs before those calls, and after them, with
 * ebpf_kprobe_exclude().
 */
#ifndef EBPF_KPROBE_H
#define EBPF_KPROBE_H

#include <stdbool.h>
#include <stdint.h>

/* Linux's riscv struct user_regs_struct (arch/riscv/include/uapi/asm/ptrace.h): the context of a
 * kprobe program, so that libbpf's PT_REGS_PARM1() and friends find what they expect. x[n] is
 * register x(n+1): ra is x[0], sp x[1], a0 x[9]. A kernel whose trap frame starts with this layout
 * passes the frame itself. */
struct ebpf_regs {
    uint64_t pc;
    uint64_t x[31];
};

struct ebpf_kprobe;
struct ebpf_kprobe_point; /* private: what all probes of one address share */

/* Called at each hit, before the probed instruction runs; regs->pc is its address. Context A,
 * interrupts off, on the interrupted stack, inside an epoch section. May change registers, not
 * pc. */
typedef void (*ebpf_kprobe_handler)(struct ebpf_kprobe *probe, struct ebpf_regs *regs);

/* One probe. The caller owns the memory and leaves it alone from a successful register until
 * unregister returns. */
struct ebpf_kprobe {
    uint64_t addr;               /* in: address of the instruction */
    ebpf_kprobe_handler handler; /* in */
    void *data;                  /* in: the handler's own */
    uint64_t hits;               /* out: handler calls; read it with ebpf_kprobe_hits() */
    /* out: hits while this hart was already handling one, counted instead of called */
    uint64_t missed;
    struct ebpf_kprobe_point *point;
    struct ebpf_kprobe *next;
    struct ebpf_kprobe *registered; /* another one */
};

/*
 * Arms a probe. T. When it returns 0, every hart that reaches probe->addr calls probe->handler;
 * several probes may share an address (handlers run in the order of registration). Returns
 *   -ENOENT      the address lies in no known function (ebpf_os_symbol_at)
 *   -EILSEQ      not at an instruction boundary, or an instruction that is not RV64GC
 *   -EINVAL      inside the library, the hooks, a range of ebpf_kprobe_exclude(), between lr and
 *                its sc, on ebreak or sret/mret; the log line says which
 *   -EBUSY       probe is registered already
 *   -EOPNOTSUPP  the kernel gives no ebpf_os_text_write, or no code memory and the
 *                instruction needs a slot
 *   -ENOMEM, or what ebpf_os_text_write() returned.
 */
int ebpf_kprobe_register(struct ebpf_kprobe *probe);

/* Disarms a probe and waits until no hart is inside its handler. T; not from a handler. Returns 0,
 * -ENOENT if it was not registered, or what ebpf_os_text_write() returned: the probe then stays
 * armed. */
int ebpf_kprobe_unregister(struct ebpf_kprobe *probe);

/* Would ebpf_kprobe_register() accept addr? Same return values, nothing changed. T. */
int ebpf_kprobe_check(uint64_t addr);

/* Counters of a probe, summed over the harts; any context. */
uint64_t ebpf_kprobe_hits(const struct ebpf_kprobe *probe);
uint64_t ebpf_kprobe_missed(const struct ebpf_kprobe *probe);

/* Refuses probes in [start, end): the kernel's trap entry and exit, its breakpoint path up to
 * ebpf_breakpoint(). At most 16 ranges. T, normally at boot. Returns 0, -EINVAL (end <= start),
 * -ENOSPC. */
int ebpf_kprobe_exclude(uint64_t start, uint64_t end);

/*
 * The breakpoint exception's entry, context A with interrupts off. Returns true when the trap was
 * the library's: *regs now says where and how to go on, return to it. False: someone else's ebreak.
 * Uses less than 512 bytes of the interrupted stack, program stacks not counted. Only for
 * breakpoints that the kernel's own code ran into: user mode's addresses mean something else. Any
 * register may have changed, sp too (`addi sp, sp, -64` is done here): load all of them, sp last.
 */
bool ebpf_breakpoint(struct ebpf_regs *regs);

/* A displaced instruction runs from a slot. If an exception (not a breakpoint) comes with a pc
 * inside a slot, moves regs->pc to the original instruction and returns true, so that the kernel's
 * fault fix-ups and messages see the address that they know. Context A. */
bool ebpf_kprobe_fixup(struct ebpf_regs *regs);

/* Breakpoint traps since boot by what became of them, summed over the harts: each trap that
 * ebpf_breakpoint() took is counted once in hits, missed, stale (the probe was removed while this
 * hart was on its way) or step (the end of a slot too far from the text for a jump). Any
 * context. */
struct ebpf_kprobe_stats {
    uint64_t hits, missed, stale, step;
    uint32_t points; /* addresses armed now */
    uint32_t slots;  /* slots in use or kept for an address that was probed before */
};
void ebpf_kprobe_stats(struct ebpf_kprobe_stats *out);

#endif /* EBPF_KPROBE_H */
