/* SPDX-License-Identifier: MIT */
/*
 * Tests that run inside the kernel: `test=NAME` on the command line runs one in the first thread;
 * main.c prints `SELFTEST NAME ok` or FAILED and powers off. A new test is a function and a row of
 * the table.
 */
#include "selftest.h"

/* ---- sched: threads that never yield share the harts, and all harts work --------------------- */

#define COUNTERS 12

struct counter {
    struct thread *thread;
    volatile uint64_t count;
    volatile uint32_t harts; /* bit per hart that it ran on */
};
static struct counter counters[COUNTERS];
static volatile bool counters_stop;
static struct spinlock total_lock;
static uint64_t total;

static void count_up(void *arg)
{
    struct counter *c = arg;

    while (!counters_stop) {
        unsigned long irq = spin_lock(&total_lock);
        total++;
        c->harts |= 1u << current->cpu->id;
        spin_unlock(&total_lock, irq);
        c->count++;
    }
}

static int test_sched(void)
{
    uint64_t sum = 0;
    uint32_t harts = 0;
    unsigned before = thread_count();

    for (int i = 0; i < COUNTERS; i++)
        CHECK(counters[i].thread = thread_create("counter", count_up, &counters[i]));
    sleep_until(time_ns() + NSEC_PER_SEC);
    counters_stop = true;
    for (int i = 0; i < COUNTERS; i++) {
        thread_join(counters[i].thread);
        printk("counter %d: %lu on harts %x\n", i, counters[i].count, counters[i].harts);
        /* more threads than harts: only preemption lets all of them run */
        CHECK(counters[i].count > 0);
        sum += counters[i].count;
        harts |= counters[i].harts;
    }
    CHECK(sum == total);
    CHECK(harts == (1u << cpu_count) - 1);
    CHECK(thread_count() == before);
    return 0;
}

/* ---- memory: the allocator gives back what it got -------------------------------------------- */

static int test_memory(void)
{
    size_t before;
    void *p[64];

    /* the first fills kmalloc's lists, which keep their pages */
    for (int round = 0; round < 2; round++) {
        before = pages_available();
        for (unsigned i = 0; i < ARRAY_SIZE(p); i++) {
            CHECK(p[i] = kmalloc(1 + i * i * 37));
            CHECK(((uintptr_t)p[i] & 15) == 0);
            memset(p[i], (int)i, 1 + i * i * 37);
        }
        for (unsigned i = 0; i < ARRAY_SIZE(p); i++) {
            CHECK(*(uint8_t *)p[i] == i && ((uint8_t *)p[i])[i * i * 37] == i);
            kfree(p[i], 1 + i * i * 37);
        }
    }
    CHECK(pages_available() == before);
    CHECK(!kmalloc(1ul << 40));
    return 0;
}

/* ---- faults: reads anywhere survive, text is not writable, data is not executable ------------ */

static int test_faults(void)
{
    static const uint64_t bad[] = {0,        8,          0x1000,      USER_END - 8,
                                   USER_END, 1ul << 63,  KERNEL_BASE, KERNEL_BASE + 0x80000000,
                                   FIXMAP,   STACK_AREA, -8ul,        -1ul};
    uint64_t word, text = (uint64_t)test_faults & -8ul, own = current->kernel_sp;
    uint32_t old, nop = 0x00000013;

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK(ebpf_os_probe_read(&word, bad[i], 8, false) == -EFAULT);
    CHECK(ebpf_os_probe_read(&word, text, 8, true) == -EFAULT);
    CHECK(ebpf_os_probe_read(&word, text, 8, false) == 0 && word == *(uint64_t *)text);
    CHECK(ebpf_os_probe_read(&word, own, 8, false) == -EFAULT); /* the next stack's guard page */
    CHECK(copy_kernel_raw((void *)text, &word, 8) == -EFAULT);
    CHECK(copy_kernel_raw(__code_start, &word, 8) == -EFAULT);
    CHECK(copy_kernel_raw((void *)(uintptr_t)bad, &word, 8) == -EFAULT);
    memcpy(&old, __code_start, 4);
    CHECK(text_poke(__code_start, &nop, 4) == 0 && *(volatile uint32_t *)__code_start == nop);
    CHECK(text_poke(__code_start, &old, 4) == 0);
    CHECK(text_poke(&word, &nop, 4) == -EFAULT);
    return 0;
}

/* ---- kprobe: a function that all harts run is probed and set free again and again ----------- */

static uint64_t hot_sum;

noinline uint64_t hot(uint64_t a, uint64_t b)
{
    if (a & 1)
        __atomic_fetch_add(&hot_sum, b, __ATOMIC_RELAXED);
    return a * 3 + b;
}

static void call_hot(void *arg)
{
    struct counter *c = arg;

    while (!counters_stop) {
        if (hot(c->count, 5) != c->count * 3 + 5)
            panic("hot() returned nonsense");
        c->count++;
        c->harts |= 1u << current->cpu->id;
    }
}

/* Sees the arguments, and where the probe is. */
static void hot_handler(struct ebpf_kprobe *probe, struct ebpf_regs *regs)
{
    if (regs->pc != probe->addr || regs->x[REG_A0 + 1] != 5)
        panic("a probe on hot() saw the wrong registers");
    __atomic_fetch_add((uint64_t *)probe->data, 1, __ATOMIC_RELAXED);
}

static void count_handler(struct ebpf_kprobe *probe, struct ebpf_regs *regs)
{
    (void)regs;
    __atomic_fetch_add((uint64_t *)probe->data, 1, __ATOMIC_RELAXED);
}

/* A fault of a displaced instruction must be repaired as if it had run in its place. */
static int check_fault_fixup(void)
{
    uint64_t word, count = 0, buf[2];

    for (const struct ex_row *row = __ex_table_start; row < __ex_table_end; row++) {
        struct ebpf_kprobe probe = {.addr = row->insn, .handler = count_handler, .data = &count};
        CHECK(ebpf_kprobe_register(&probe) == 0);
        for (unsigned i = 0; i < 2; i++) { /* aligned: a word at a time; not aligned: bytes */
            uint64_t bad = FIXMAP + i;
            char *good = (char *)buf + i;
            CHECK(copy_kernel_raw(good, (void *)bad, 8) == -EFAULT);
            CHECK(copy_kernel_raw((void *)bad, good, 8) == -EFAULT);
            CHECK(copy_from_user(good, 0x1000 + i, 8) == -EFAULT);
            CHECK(copy_to_user(0x1000 + i, good, 8) == -EFAULT);
            CHECK(copy_kernel_raw(&word, good, 8) == 0);
        }
        CHECK(ebpf_kprobe_unregister(&probe) == 0);
    }
    CHECK(count > 0);
    return 0;
}

static int test_kprobe(void)
{
    uint64_t seen = 0, switches = 0, before;
    struct ebpf_kprobe on_hot = {.addr = (uint64_t)hot, .handler = hot_handler, .data = &seen};
    struct ebpf_kprobe on_schedule = {
        .addr = (uint64_t)schedule, .handler = count_handler, .data = &switches};
    struct ebpf_kprobe_stats stats;
    int runners = (int)cpu_count + 1, rounds = 0;
    uint64_t end;

    CHECK(ebpf_kprobe_check((uint64_t)trap_entry) == -EINVAL);
    CHECK(ebpf_kprobe_check((uint64_t)memcpy) == -EINVAL);
    CHECK(ebpf_kprobe_check((uint64_t)hot + 1) == -EILSEQ);
    CHECK(ebpf_kprobe_check((uint64_t)&seen) == -ENOENT);
    CHECK(check_fault_fixup() == 0);
    CHECK(ebpf_kprobe_register(&on_schedule) == 0);
    for (int i = 0; i < runners; i++)
        CHECK(counters[i].thread = thread_create("hot", call_hot, &counters[i]));
    end = time_ns() + 2 * NSEC_PER_SEC;
    for (; rounds < 3 || time_ns() < end; rounds++) {
        CHECK(ebpf_kprobe_register(&on_hot) == 0);
        sleep_until(time_ns() + NSEC_PER_SEC / HZ);
        CHECK(ebpf_kprobe_unregister(&on_hot) == 0);
        before = seen;
        schedule();
        CHECK(seen == before); /* nobody is inside the handler after unregister */
    }
    counters_stop = true;
    for (int i = 0; i < runners; i++)
        thread_join(counters[i].thread);
    CHECK(ebpf_kprobe_unregister(&on_schedule) == 0);
    ebpf_kprobe_stats(&stats);
    printk(
        "%d rounds, hot seen %lu times, schedule %lu; hits %lu, missed %lu, stale %lu, step %lu\n",
        rounds, seen, switches, stats.hits, stats.missed, stats.stale, stats.step);
    CHECK(seen > 1000 && switches > 10);
    CHECK(stats.points == 0);
    return 0;
}

/* ---- overflow: must end in "panic ... kernel stack overflow" --------------------------------- */

static noinline int recurse(int n)
{
    volatile char frame[64];

    frame[0] = (char)n;
    return n > 1000000 ? 0 : recurse(n + 1) + frame[0];
}

static int test_overflow(void)
{
    return recurse(0) | -1;
}

/* ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*fn)(void);
} tests[] = {
    /* clang-format off */
    {"sched", test_sched},
    {"memory", test_memory},
    {"faults", test_faults},
    {"kprobe", test_kprobe},
    {"embedded", test_embedded},
    {"link", test_link},
    {"stack", test_stack},
    {"counters", test_counters},
    {"soak", test_soak},
    {"overflow", test_overflow},
    /* clang-format on */
};

uint64_t boot_number(const char *name, uint64_t otherwise)
{
    size_t len = strlen(name);

    for (const char *at = machine.bootargs; *at; at++) {
        uint64_t n = 0;
        if ((at != machine.bootargs && at[-1] != ' ') || strncmp(at, name, len) || at[len] != '=')
            continue;
        for (at += len + 1; *at >= '0' && *at <= '9' && n < UINT32_MAX; at++)
            n = n * 10 + (uint64_t)(*at - '0');
        return n;
    }
    return otherwise;
}

int selftest_run(const char *name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
        if (!strcmp(tests[i].name, name))
            return tests[i].fn();
    printk("no test is called %s\n", name);
    return -1;
}
