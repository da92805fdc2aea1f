/* SPDX-License-Identifier: MIT */
/*
 * Threads and the scheduler: one run queue, round robin, preemption at each timer tick.
 *
 * schedule() takes sched_lock and holds it across switch_to(); the thread that comes up on the
 * other side releases it. So nobody can run a thread before its registers are saved. A thread that
 * runs in the kernel may be preempted whenever its interrupts are on, which is whenever it holds no
 * spin lock.
 *
 * A thread waits in a wait queue, with the lock of what it waits for given to wait_on(): sched_lock
 * is taken before that lock is released, so a wake_all() between the check and the wait is not
 * lost. A hart with nothing to run waits for an interrupt in its idle thread; whoever makes work
 * sends it one.
 *
 * Kernel stacks are slots of the stack area. A slot keeps its page once it has one, so a freed
 * stack is never unmapped under another hart's TLB.
 */
#include "kernel.h"

_Static_assert(offsetof(struct thread, kernel_sp) == THREAD_KERNEL_SP, "trap.S");
_Static_assert(offsetof(struct thread, scratch) == THREAD_SCRATCH, "trap.S");
_Static_assert(offsetof(struct thread, cpu) == THREAD_CPU, "trap.S");
_Static_assert(offsetof(struct thread, context) == THREAD_CONTEXT, "trap.S");
_Static_assert(offsetof(struct cpu, overflow_sp) == CPU_OVERFLOW_SP, "trap.S");
_Static_assert(offsetof(struct cpu, hartid) == CPU_HARTID, "head.S");
_Static_assert(offsetof(struct cpu, idle) == CPU_IDLE, "head.S");
_Static_assert(sizeof(struct cpu) == CPU_SIZE, "head.S");

struct cpu cpus[MAX_HARTS];
unsigned cpu_count = 1;
struct thread boot_thread = {.cpu = &cpus[0], .comm = "boot"};

static struct spinlock sched_lock;
static struct thread *ready_first, *ready_last;
static struct thread *all_threads;
static unsigned threads;
static int next_tid = 1;
static struct spinlock exit_lock;
static struct wait_queue exits;

/* ---- kernel stacks --------------------------------------------------------------------------- */

static struct spinlock stack_lock;
static uint8_t stack_used[MAX_THREADS + MAX_HARTS];
static uint8_t stack_mapped[MAX_THREADS + MAX_HARTS];

static uint64_t stack_base(unsigned slot)
{
    return STACK_AREA + slot * 2ul * STACK_SIZE + STACK_SIZE;
}

/* A stack is painted before use; what is not paint any more when its thread ends has been used. */
#define PAINT 0xa5a5a5a5a5a5a5a5ul
static size_t deepest;
static char deepest_comm[16];

static void stack_paint(uint64_t top)
{
    for (uint64_t *p = (uint64_t *)(top - STACK_SIZE); p < (uint64_t *)top; p++)
        *p = PAINT;
}

static void stack_measure(const struct thread *t)
{
    const uint64_t *p = (const uint64_t *)(t->kernel_sp - STACK_SIZE);
    unsigned long irq;

    while (p < (const uint64_t *)t->kernel_sp && *p == PAINT)
        p++;
    irq = spin_lock(&stack_lock);
    if (t->kernel_sp - (uint64_t)p > deepest) {
        deepest = t->kernel_sp - (uint64_t)p;
        strcopy(deepest_comm, t->comm, sizeof(deepest_comm));
    }
    spin_unlock(&stack_lock, irq);
}

/* The top of a free stack; 0: none. */
static uint64_t stack_alloc(void)
{
    unsigned long irq = spin_lock(&stack_lock);
    unsigned slot = 0;
    bool fresh;

    while (slot < ARRAY_SIZE(stack_used) && stack_used[slot])
        slot++;
    if (slot == ARRAY_SIZE(stack_used)) {
        spin_unlock(&stack_lock, irq);
        return 0;
    }
    stack_used[slot] = 1;
    fresh = !stack_mapped[slot];
    spin_unlock(&stack_lock, irq);
    if (fresh) {
        int err = vm_map_stack(stack_base(slot));
        stack_mapped[slot] = !err;
        if (err) {
            __atomic_store_n(&stack_used[slot], 0, __ATOMIC_RELEASE);
            return 0;
        }
    }
    return stack_base(slot) + STACK_SIZE;
}

static void stack_free(uint64_t top)
{
    uint64_t slot = (top - 1 - STACK_AREA) / (2 * STACK_SIZE);

    __atomic_store_n(&stack_used[slot], 0, __ATOMIC_RELEASE);
}

/* ---- the run queue: all with sched_lock ------------------------------------------------------ */

static void make_ready(struct thread *t)
{
    t->state = THREAD_READY;
    t->next = NULL;
    if (ready_last)
        ready_last->next = t;
    else
        ready_first = t;
    ready_last = t;
    for (unsigned i = 0; i < cpu_count; i++) {
        if (cpus[i].idling && &cpus[i] != current->cpu) {
            cpus[i].idling = false;
            sbi_send_ipi(cpus[i].hartid);
            break;
        }
    }
}

static struct thread *take_ready(void)
{
    struct thread *t = ready_first;

    if (t) {
        ready_first = t->next;
        if (!ready_first)
            ready_last = NULL;
    }
    return t;
}

/* Gives the hart to the next thread; returns when the caller is chosen again, maybe on another
 * hart. */
static void switch_away(void)
{
    struct thread *prev = current, *next = take_ready();
    struct cpu *cpu = prev->cpu;

    if (!next) {
        if (prev->state == THREAD_RUNNING)
            return;
        next = cpu->idle;
    }
    if (prev->state == THREAD_RUNNING && prev != cpu->idle)
        make_ready(prev);
    next->state = THREAD_RUNNING;
    next->cpu = cpu;
    cpu->idling = next == cpu->idle;
    if (next->satp != prev->satp) {
        csr_write(satp, next->satp);
        sfence_vma();
        __asm__ volatile("fence.i"); /* the program may have been written from another hart */
    }
    switch_to(prev, next);
}

noinline void schedule(void)
{
    unsigned long irq = spin_lock(&sched_lock);

    if (current == current->cpu->idle)
        current->cpu->idling = true;
    switch_away();
    spin_unlock(&sched_lock, irq);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Takes t, which is blocked, out of its wait queue and makes it run. */
static void wake(struct thread *t)
{
    if (t->waits_on) {
        struct thread **p = &t->waits_on->first;
        while (*p != t)
            p = &(*p)->next;
        *p = t->next;
    }
    t->waits_on = NULL;
    make_ready(t);
}

bool wait_on(struct wait_queue *q, struct spinlock *lock, uint64_t deadline)
{
    struct thread *t = current;

    lock_acquire(&sched_lock);
    if (!t->killed) {
        t->state = THREAD_BLOCKED;
        t->wake_at = deadline;
        t->waits_on = q;
        t->next = q->first;
        q->first = t;
        lock_release(lock);
        switch_away();
        lock_release(&sched_lock);
        lock_acquire(lock);
    } else {
        lock_release(&sched_lock);
    }
    return !deadline || time_ns() < deadline;
}

void wake_all(struct wait_queue *q)
{
    unsigned long irq = spin_lock(&sched_lock);

    while (q->first)
        wake(q->first);
    spin_unlock(&sched_lock, irq);
}

void sleep_until(uint64_t deadline)
{
    static struct spinlock lock;
    static struct wait_queue nobody_wakes;
    unsigned long irq = spin_lock(&lock);

    while (time_ns() < deadline && !current->killed)
        wait_on(&nobody_wakes, &lock, deadline);
    spin_unlock(&lock, irq);
}

void sched_tick(void)
{
    unsigned long irq = spin_lock(&sched_lock);
    uint64_t now = time_ns();

    for (struct thread *t = all_threads; t; t = t->all_next)
        if (t->state == THREAD_BLOCKED && ((t->wake_at && t->wake_at <= now) || t->killed))
            wake(t);
    spin_unlock(&sched_lock, irq);
}

void thread_kill(struct thread *t)
{
    unsigned long irq = spin_lock(&sched_lock);

    t->killed = true;
    if (t->state == THREAD_BLOCKED)
        wake(t);
    spin_unlock(&sched_lock, irq);
}

/* ---- threads --------------------------------------------------------------------------------- */

/* The first C code of every thread, in the place where switch_away() would go on. */
void thread_main(void)
{
    struct thread *t = current;

    lock_release(&sched_lock);
    irq_enable();
    t->fn(t->arg);
    thread_exit();
}

struct thread *thread_alloc(const char *name, void (*fn)(void *arg), void *arg)
{
    struct thread *t = kmalloc(sizeof(*t));
    unsigned long irq;

    if (!t)
        return NULL;
    memset(t, 0, sizeof(*t));
    t->kernel_sp = stack_alloc();
    if (!t->kernel_sp) {
        kfree(t, sizeof(*t));
        return NULL;
    }
    stack_paint(t->kernel_sp);
    ebpf_refill(); /* a task more that programs may want storage for */
    strcopy(t->comm, name, sizeof(t->comm));
    t->fn = fn;
    t->arg = arg;
    t->satp = kernel_satp;
    t->cpu = &cpus[0];
    t->context.ra = (uint64_t)thread_begin;
    t->context.sp = t->kernel_sp;
    t->state = THREAD_BLOCKED;
    irq = spin_lock(&sched_lock);
    t->tid = next_tid++;
    t->all_next = all_threads;
    all_threads = t;
    threads++;
    spin_unlock(&sched_lock, irq);
    return t;
}

/* The thread of that number does not go away until thread_put(), even if it ends. NULL: none. */
struct thread *thread_get(int tid)
{
    unsigned long irq = spin_lock(&sched_lock);
    struct thread *t = all_threads;

    while (t && t->tid != tid)
        t = t->all_next;
    if (t)
        __atomic_fetch_add(&t->holds, 1, __ATOMIC_RELAXED);
    spin_unlock(&sched_lock, irq);
    return t;
}

void thread_put(struct thread *t)
{
    __atomic_fetch_sub(&t->holds, 1, __ATOMIC_RELEASE);
}

void thread_start(struct thread *t)
{
    unsigned long irq = spin_lock(&sched_lock);

    make_ready(t);
    spin_unlock(&sched_lock, irq);
}

struct thread *thread_create(const char *name, void (*fn)(void *arg), void *arg)
{
    struct thread *t = thread_alloc(name, fn, arg);

    if (t)
        thread_start(t);
    return t;
}

/* t is exiting: it may still be on its way out on another hart, which makes it a zombie and then
 * holds sched_lock until it is off its stack. */
void thread_free(struct thread *t)
{
    struct thread **p = &all_threads;
    unsigned long irq;

    for (;;) {
        irq = spin_lock(&sched_lock);
        if (t->state == THREAD_ZOMBIE)
            break;
        spin_unlock(&sched_lock, irq);
        schedule();
    }
    while (*p != t)
        p = &(*p)->all_next;
    *p = t->all_next;
    threads--;
    spin_unlock(&sched_lock, irq);
    while (__atomic_load_n(&t->holds, __ATOMIC_ACQUIRE))
        schedule();
    ebpf_task_exit((uintptr_t)t); /* nobody finds it any more: its task storage goes */
    stack_measure(t);
    stack_free(t->kernel_sp);
    kfree(t, sizeof(*t));
}

/* t has never run. */
void thread_discard(struct thread *t)
{
    t->state = THREAD_ZOMBIE;
    thread_free(t);
}

void thread_exit(void)
{
    unsigned long irq = spin_lock(&exit_lock);
    (void)irq;

    current->exited = true;
    wake_all(&exits);
    lock_release(&exit_lock);
    lock_acquire(&sched_lock);
    current->state = THREAD_ZOMBIE;
    switch_away();
    panic("a thread came back from its exit");
}

void thread_wait(struct thread *t)
{
    unsigned long irq = spin_lock(&exit_lock);

    while (!t->exited)
        wait_on(&exits, &exit_lock, 0);
    spin_unlock(&exit_lock, irq);
}

void thread_join(struct thread *t)
{
    thread_wait(t);
    thread_free(t);
}

/* Threads that still live are looked at from outside: good enough at the end. */
void stack_report(void)
{
    for (struct thread *t = all_threads; t; t = t->all_next)
        stack_measure(t);
    printk("deepest kernel stack: %lu of %u bytes (%s)\n", deepest, STACK_SIZE, deepest_comm);
}

unsigned thread_count(void)
{
    return __atomic_load_n(&threads, __ATOMIC_RELAXED);
}

/* ---- harts ----------------------------------------------------------------------------------- */

/* Runs on each hart when there is nothing else. The interrupts that wfi waits for are taken behind
 * it. */
static void idle_loop(void *arg)
{
    (void)arg;
    for (;;) {
        irq_disable();
        schedule();
        __asm__ volatile("wfi");
        irq_enable();
    }
}

/* Gives a hart its idle thread and its spare stack. */
void sched_init(struct cpu *cpu)
{
    char *spare = pages_alloc(0);

    cpu->idle = thread_alloc("idle", idle_loop, NULL);
    if (!cpu->idle || !spare)
        panic("no memory for hart %lu", cpu->hartid);
    cpu->idle->tid = 0;
    cpu->idle->cpu = cpu;
    cpu->overflow_sp = (uint64_t)spare + PAGE_SIZE;
}

/* The boot hart's way into its idle thread; the boot stack is not used any more. */
void sched_run(void)
{
    irq_disable();
    lock_acquire(&sched_lock);
    cpus[0].idle->state = THREAD_RUNNING;
    switch_to(&boot_thread, cpus[0].idle);
    panic("the boot thread came back");
}
