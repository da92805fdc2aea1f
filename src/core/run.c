/* SPDX-License-Identifier: MIT */
/*
 * Running a program: interrupts off, one program at a time on each hart, on that hart's program
 * stack, inside an epoch section. Context A.
 */
#include "src/base/epoch.h"
#include "src/core/prog.h"
#include "src/core/run.h"

struct hart {
    struct ebpf_run run;
    bool busy;
} __attribute__((aligned(64)));

static struct hart harts[EBPF_CONFIG_MAX_CPUS];
static uint8_t stacks[EBPF_CONFIG_MAX_CPUS][EBPF_CONFIG_STACK_SIZE] __attribute__((aligned(16)));

#if defined(__riscv)
/* src/core/stack.S: calls entry(ctx, run, prog) with sp = top */
uint64_t ebpf_stack_call(ebpf_prog_entry entry, void *ctx, struct ebpf_run *run,
                         const struct ebpf_prog *prog, void *top);
static uintptr_t stack_of(unsigned cpu)
{
    return (uintptr_t)stacks[cpu];
}
#else
static uintptr_t stack_of(unsigned cpu)
{
    (void)cpu;
    return 0;
}

/* On other machines programs run in tests and tools only, where stacks are large. */
static uint64_t ebpf_stack_call(ebpf_prog_entry entry, void *ctx, struct ebpf_run *run,
                                const struct ebpf_prog *prog, void *top)
{
    (void)top;
    return entry(ctx, run, prog);
}
#endif

uint64_t ebpf_prog_interpret(void *ctx, struct ebpf_run *run, const struct ebpf_prog *prog)
{
    (void)run;
    return ebpf_interp(&prog->code, ctx);
}

/* Interrupts are off. */
static void run_on(struct hart *hart, unsigned cpu, const struct ebpf_prog *prog,
                   ebpf_prog_entry entry, void *ctx, uint64_t *ret)
{
    hart->busy = true;
    hart->run.prog = prog;
    hart->run.tails_left = EBPF_MAX_TAIL_CALLS;
    hart->run.callbacks = 0;
    hart->run.retval = 0;
    hart->run.stack = stack_of(cpu);
    ebpf_epoch_enter(cpu);
    *ret = ebpf_stack_call(entry, ctx, &hart->run, prog, stacks[cpu] + sizeof(stacks[cpu]));
    ebpf_epoch_exit(cpu);
    hart->busy = false;
}

bool ebpf_prog_run(struct ebpf_prog *prog, void *ctx, uint64_t cookie, uint64_t *ret)
{
    unsigned long irq = ebpf_os_irq_save();
    unsigned cpu = ebpf_os_cpu_id();
    struct hart *hart = &harts[cpu];
    bool ran = !hart->busy;

    if (ran) {
        hart->run.cookie = cookie;
        run_on(hart, cpu, prog, prog->entry, ctx, ret);
        prog->stats[cpu].runs++;
    } else {
        prog->stats[cpu].misses++;
    }
    ebpf_os_irq_restore(irq);
    return ran;
}

bool ebpf_prog_call(const struct ebpf_prog *prog, const struct ebpf_later *later)
{
    unsigned long irq = ebpf_os_irq_save();
    unsigned cpu = ebpf_os_cpu_id();
    struct hart *hart = &harts[cpu];
    bool ran = !hart->busy;
    uint64_t ret; /* 0, as the verifier has seen to */

    if (ran) {
        hart->run.cookie = 0;
        run_on(hart, cpu, prog, ebpf_enter_func, (void *)(uintptr_t)later, &ret);
    }
    ebpf_os_irq_restore(irq);
    return ran;
}

struct ebpf_run *ebpf_run_current(void)
{
    struct hart *hart = &harts[ebpf_os_cpu_id()];

    return hart->busy ? &hart->run : NULL;
}

size_t ebpf_stack_used(unsigned cpu)
{
    size_t untouched = 0;

    while (untouched < sizeof(stacks[cpu]) && stacks[cpu][untouched] == EBPF_STACK_PAINT)
        untouched++;
    return sizeof(stacks[cpu]) - untouched;
}

void ebpf_run_init(void)
{
    for (unsigned cpu = 0; cpu < EBPF_CONFIG_MAX_CPUS; cpu++)
        harts[cpu].run.cpu = cpu;
    ebpf_stack_paint();
}

void ebpf_stack_paint(void)
{
    memset(stacks, EBPF_STACK_PAINT, sizeof(stacks));
}
