/* SPDX-License-Identifier: MIT */
/*
 * Traps: breakpoints go to the library, interrupts to their devices, system calls to syscall.c; a
 * fault of kernel code is repaired by .ex_table or ends in a panic, a fault of user code ends the
 * process.
 *
 * trap_handler() is in .text.trap with the entry code: until ebpf_breakpoint() has the frame,
 * nothing on the way may be probed, or the probe's own trap would come here again. Interrupts are
 * off on entry.
 */
#include "kernel.h"

_Static_assert(offsetof(struct trap_frame, regs.pc) == FRAME_PC, "trap.S");
_Static_assert(offsetof(struct trap_frame, status) == FRAME_STATUS, "trap.S");
_Static_assert(offsetof(struct trap_frame, cause) == FRAME_CAUSE, "trap.S");
_Static_assert(offsetof(struct trap_frame, tval) == FRAME_TVAL, "trap.S");
_Static_assert(sizeof(struct trap_frame) == FRAME_SIZE, "trap.S");

static const char *const cause_names[16] = {
    "instruction address misaligned",
    "instruction access fault",
    "illegal instruction",
    "breakpoint",
    "load address misaligned",
    "load access fault",
    "store address misaligned",
    "store access fault",
    "ecall from user mode",
    "ecall from supervisor mode",
    "cause 10",
    "cause 11",
    "instruction page fault",
    "load page fault",
    "cause 14",
    "store page fault",
};

static void dump(const struct trap_frame *f)
{
    static const char names[31][4] = {"ra", "sp",  "gp",  "tp", "t0", "t1", "t2", "s0",
                                      "s1", "a0",  "a1",  "a2", "a3", "a4", "a5", "a6",
                                      "a7", "s2",  "s3",  "s4", "s5", "s6", "s7", "s8",
                                      "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

    printk("%s, pc %016lx, stval %016lx, sstatus %016lx\n",
           f->cause < 16 ? cause_names[f->cause] : "interrupt", f->regs.pc, f->tval, f->status);
    for (int i = 0; i < 31; i++)
        printk("%4s %016lx%s", names[i], f->regs.x[i], i % 4 == 3 || i == 30 ? "\n" : "");
}

static void kernel_fault(struct trap_frame *f)
{
    if (ebpf_kprobe_fixup(&f->regs))
        f->tval = 0; /* of an instruction that ran elsewhere: a pc there means nothing */
    for (const struct ex_row *row = __ex_table_start; row < __ex_table_end; row++) {
        if (row->insn == f->regs.pc) {
            f->regs.pc = row->fixup;
            return;
        }
    }
    console_begin();
    dump(f);
    panic("unexpected %s in the kernel", f->cause < 16 ? cause_names[f->cause] : "trap");
}

static void user_fault(struct trap_frame *f)
{
    int sig = f->cause == CAUSE_ILLEGAL ? SIGILL : f->cause == CAUSE_BREAKPOINT ? SIGTRAP : SIGSEGV;

    irq_enable();
    printk("%s[%d]: %s at pc %lx, address %lx\n", current->comm, current->tid,
           f->cause < 16 ? cause_names[f->cause] : "trap", f->regs.pc, f->tval);
    proc_exit(sig);
}

static void interrupt(struct trap_frame *f)
{
    struct cpu *cpu = current->cpu;
    unsigned irq;

    switch (f->cause & ~CAUSE_INTERRUPT) {
    case IRQ_TIMER:
        if (!timer_interrupt(cpu->id))
            break;
        if (cpu->id == 0)
            sched_tick();
        schedule(); /* the end of a time slice */
        break;
    case IRQ_SOFTWARE:
        csr_clear(sip, SIE_SSIE);
        if (__atomic_load_n(&cpu->counters_asked, __ATOMIC_ACQUIRE))
            counters_tell(cpu);
        if (!poll_interrupt())
            schedule(); /* another hart has made work */
        break;
    case IRQ_EXTERNAL:
        irq = plic_claim(cpu->hartid);
        if (irq == UART_IRQ)
            console_interrupt();
        if (irq)
            plic_complete(cpu->hartid, irq);
        break;
    default:
        panic("interrupt %lx", f->cause);
    }
}

static void user_trap(struct trap_frame *f)
{
    if (f->cause & CAUSE_INTERRUPT) {
        interrupt(f);
    } else if (f->cause == CAUSE_ECALL_U) {
        f->regs.pc += 4;
        irq_enable();
        f->regs.x[REG_A0] = (uint64_t)syscall_dispatch((long)f->regs.x[REG_A7], &f->regs.x[REG_A0]);
    } else {
        user_fault(f);
    }
    if (current->killed) {
        irq_enable();
        proc_exit(current->proc->signal);
    }
    irq_disable();
}

static trap_text bool breakpoint(struct trap_frame *f)
{
    current->cpu->breakpoints++;
    return ebpf_breakpoint(&f->regs);
}

trap_text void trap_handler(struct trap_frame *f)
{
    if (!(f->status & SSTATUS_SPP))
        user_trap(f);
    else if (f->cause & CAUSE_INTERRUPT)
        interrupt(f);
    else if (f->cause != CAUSE_BREAKPOINT || !breakpoint(f))
        kernel_fault(f);
}

trap_text void trap_stack_overflow(struct trap_frame *f)
{
    console_begin();
    dump(f);
    panic("kernel stack overflow");
}

void trap_init(void)
{
    csr_write(stvec, (uint64_t)trap_entry);
    csr_write(sscratch, 0);
    csr_clear(sstatus, SSTATUS_FS); /* no floating point: nobody saves its registers */
    csr_write(sie, SIE_SSIE | SIE_STIE | SIE_SEIE);
    timer_next_tick(current->cpu->id);
}
