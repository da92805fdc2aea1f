/* SPDX-License-Identifier: MIT */
/*
 * Tests of BPF inside the kernel, without user mode: an object from the kernel's image is loaded
 * and attached; a probe comes and goes on a function that all harts run; and what a hit takes of
 * the interrupted stack is measured.
 */
#include <ebpf/object.h>
#include <ebpf/perf.h>

#include "selftest.h"

extern const char inkernel_bpf_start[], inkernel_bpf_end[];

static int open_and_load(struct ebpf_object **obj)
{
    int err = ebpf_object_open_mem(inkernel_bpf_start, inkernel_bpf_end - inkernel_bpf_start, obj);

    if (err)
        return err;
    err = ebpf_object_load(*obj, EBPF_CAP_ALL);
    if (err)
        ebpf_object_close(*obj);
    return err;
}

/* ---- embedded: from the image to a line of output -------------------------------------------- */

int test_embedded(void)
{
    struct ebpf_object *obj;

    CHECK(open_and_load(&obj) == 0);
    CHECK(ebpf_object_prog_attach(ebpf_object_find_prog(obj, "hello")) == 0);
    thread_count(); /* the program prints a line */
    ebpf_object_close(obj);
    thread_count(); /* and does not any more */
    return 0;
}

/* ---- link: 1,000 times on and off a function that all harts run ------------------------------ */

#define ROUNDS 1000
#define CALLERS 4

struct caller {
    struct thread *thread;
    uint64_t made, seen; /* calls: counted by the caller, and by busy() itself */
};
static struct caller callers[CALLERS];
static volatile bool callers_stop;

noinline uint64_t busy(uint64_t x, struct caller *caller)
{
    uint64_t y = x * 3 + 7;

    if (y & 1)
        y ^= x >> 5;
    caller->seen++;
    return y + caller->made;
}

static uint64_t busy_model(uint64_t x, uint64_t made)
{
    uint64_t y = x * 3 + 7;

    return ((y & 1) ? y ^ x >> 5 : y) + made;
}

static void call_busy(void *arg)
{
    struct caller *c = arg;

    while (!callers_stop) {
        uint64_t x = c->made * 0x9e3779b97f4a7c15ul;

        if (busy(x, c) != busy_model(x, c->made))
            panic("busy() returned nonsense");
        c->made++;
    }
}

static uint64_t breakpoints(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < cpu_count; i++)
        sum += __atomic_load_n(&cpus[i].breakpoints, __ATOMIC_RELAXED);
    return sum;
}

/* Attaches at one instruction of busy() after the other, each time until somebody was caught, or 20
 * ms. */
static int attach_rounds(struct ebpf_prog *prog, int rounds)
{
    uint64_t addr = (uint64_t)busy;

    for (int round = 0; round < rounds; round++) {
        struct ebpf_kprobe_stats before, now;
        uint64_t deadline = time_ns() + NSEC_PER_SEC / 50;
        struct ebpf_link *link;

        ebpf_kprobe_stats(&before);
        CHECK(ebpf_link_kprobe(prog, addr, 0, &link) == 0);
        do {
            ebpf_kprobe_stats(&now);
        } while (now.hits == before.hits && time_ns() < deadline);
        ebpf_obj_put(ebpf_link_obj(link));
        addr += (*(uint16_t *)addr & 3) == 3 ? 4 : 2;
        if (*(uint16_t *)addr == 0x8082) /* c.ret: the end of busy() */
            addr = (uint64_t)busy;
    }
    return 0;
}

static int read_calls(struct ebpf_object *obj, uint64_t *calls)
{
    uint32_t key = 0;

    return ebpf_map_lookup(ebpf_object_map_map(ebpf_object_find_map(obj, ".bss")), &key, calls);
}

int test_link(void)
{
    struct ebpf_kprobe_stats stats, warm;
    struct ebpf_object *obj;
    struct ebpf_prog *prog;
    uint64_t calls, made = 0, trapped = breakpoints();
    size_t pages;

    CHECK(open_and_load(&obj) == 0);
    prog = ebpf_object_prog_prog(ebpf_object_find_prog(obj, "count_calls"));
    CHECK(ebpf_prog_is_jited(prog));
    for (int i = 0; i < CALLERS; i++)
        CHECK(callers[i].thread = thread_create("caller", call_busy, &callers[i]));
    CHECK(attach_rounds(prog, 40) == 0); /* makes the slots of all instructions */
    ebpf_kprobe_stats(&warm);
    pages = pages_available();
    CHECK(attach_rounds(prog, ROUNDS) == 0);
    CHECK(pages_available() == pages);
    callers_stop = true;
    for (int i = 0; i < CALLERS; i++) {
        thread_join(callers[i].thread);
        CHECK(callers[i].seen == callers[i].made);
        made += callers[i].made;
    }
    ebpf_kprobe_stats(&stats);
    trapped = breakpoints() - trapped;
    CHECK(read_calls(obj, &calls) == 0);
    printk("link: %lu calls, %lu traps = %lu hits + %lu missed + %lu stale + %lu steps; program "
           "ran %lu times\n",
           made, trapped, stats.hits, stats.missed, stats.stale, stats.step, calls);
    CHECK(stats.hits + stats.missed + stats.stale + stats.step == trapped);
    CHECK(calls == stats.hits && stats.hits > ROUNDS);
    CHECK(stats.points == 0 && stats.slots == warm.slots);
    ebpf_object_close(obj);
    return 0;
}

/* ---- stack: a hit takes at most 1 KiB of the interrupted stack ------------------------------- */

#define PAINTED 2048
#define PAINT 0x5ca1ab1e5ca1ab1eul

/* Paints the stack below this frame, lets a probe hit there, and sees how far down it went. There
 * is nothing of ours below sp: the psABI has no red zone. */
static noinline size_t stack_of_a_hit(struct caller *caller)
{
    unsigned long irq = irq_save();
    volatile uint64_t *sp, *low;
    size_t used;

    __asm__ volatile("mv %0, sp" : "=r"(sp));
    low = sp - PAINTED / sizeof(*sp);
    for (volatile uint64_t *p = low; p < sp; p++)
        *p = PAINT;
    busy(1, caller);
    for (used = PAINTED; used && *low == PAINT; used -= sizeof(*sp))
        low++;
    irq_restore(irq);
    return used;
}

int test_stack(void)
{
    struct ebpf_object *obj;
    struct ebpf_link *link;
    uint64_t calls;
    size_t plain = stack_of_a_hit(&callers[0]), used;

    CHECK(open_and_load(&obj) == 0);
    CHECK(ebpf_link_kprobe(ebpf_object_prog_prog(ebpf_object_find_prog(obj, "count_calls")),
                           (uint64_t)busy, 0, &link) == 0);
    used = stack_of_a_hit(&callers[0]);
    CHECK(read_calls(obj, &calls) == 0);
    CHECK(calls == 1);
    printk("stack: a probe hit takes %lu bytes of the interrupted stack, the call alone %lu\n",
           used, plain);
    CHECK(used > plain && used <= 1024);
    ebpf_obj_put(ebpf_link_obj(link));
    ebpf_object_close(obj);
    return 0;
}

/* ---- counters: instructions of every hart, read from here and by a program ------------------- */

static int count_on(unsigned cpu, struct ebpf_map *events, struct ebpf_obj **out)
{
    struct bpf_perf_event_value first, second;

    CHECK(ebpf_perf_counter_create(cpu, PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, out) == 0);
    CHECK(ebpf_map_set_perf_event(events, cpu, *out) == 0);
    CHECK(ebpf_perf_counter_read(*out, &first) == 0); /* asking a hart makes it work */
    CHECK(ebpf_perf_counter_read(*out, &second) == 0);
    CHECK(second.counter > first.counter && second.enabled > first.enabled);
    return 0;
}

int test_counters(void)
{
    struct bpf_perf_event_value by_program = {0};
    struct ebpf_obj *events[MAX_HARTS];
    struct ebpf_object *obj;
    struct ebpf_link *link;
    struct ebpf_map *array;
    uint32_t key = 0;

    CHECK(open_and_load(&obj) == 0);
    array = ebpf_object_map_map(ebpf_object_find_map(obj, "events"));
    for (unsigned i = 0; i < cpu_count; i++)
        CHECK(count_on(i, array, &events[i]) == 0);
    CHECK(ebpf_link_kprobe(ebpf_object_prog_prog(ebpf_object_find_prog(obj, "read_counter")),
                           (uint64_t)busy, 0, &link) == 0);
    busy(1, &callers[0]);
    CHECK(ebpf_map_lookup(ebpf_object_map_map(ebpf_object_find_map(obj, "counted")), &key,
                          &by_program) == 0);
    printk("counters: %lu instructions in %lu ns\n", by_program.counter, by_program.running);
    CHECK(by_program.counter > 0 && by_program.running > 0);
    ebpf_obj_put(ebpf_link_obj(link));
    for (unsigned i = 0; i < cpu_count; i++)
        ebpf_obj_put(events[i]);
    ebpf_object_close(obj);
    return 0;
}
