/* SPDX-License-Identifier: MIT */
/*
 * Registration, removal and the hit.
 *
 * A hit reads without locks, inside an epoch section. What makes every trap explicable:
 *   arming     the point is linked first, then the breakpoint is written;
 *   disarming  the text is restored and fenced on every hart first, then the point is unlinked,
 *   then all sections
 *              that may have seen it end (still under the mutex), then it is freed.
 * So a hart that trapped and finds no point either finds no breakpoint in the text any more (stale:
 * it goes on with the restored instruction), or it finds one that was armed after it looked, and
 * looks again; that one cannot go away for good while this hart is inside its section, because its
 * remover would wait for this hart with the mutex held.
 *
 * Between the trap and the per-hart guard nothing may be called that could carry a probe: only the
 * library's own functions (they refuse probes), inlined atomics, and the hook ebpf_os_cpu_id().
 */
#include "kprobe/kprobe.h"

#include <ebpf/config.h>
#include <ebpf/errno.h>
#include <ebpf/os.h>

#include "kprobe/rv64/simulate.h"
#include "kprobe/rv64/slot.h"
#include "src/base/alloc.h"
#include "src/base/epoch.h"
#include "src/base/log.h"

/* Only its own hart writes it, with interrupts off. */
struct hart {
    uint64_t hits, missed, stale, step;
    uint32_t active; /* a handler runs on this hart */
} __attribute__((aligned(64)));

struct ebpf_mutex ebpf_kprobe_mutex;
static struct hart harts[EBPF_CONFIG_MAX_CPUS];
static struct ebpf_kprobe_point *buckets[EBPF_CONFIG_KPROBE_BUCKETS];
static struct ebpf_kprobe *registered[EBPF_CONFIG_KPROBE_BUCKETS]; /* under the mutex */
static uint32_t point_count;
/* All addresses that were ever armed lie in [armed_low, armed_high]: text elsewhere is not looked
 * at. */
static uint64_t armed_low = UINT64_MAX, armed_high;

/* ---- the index ------------------------------------------------------------------------------- */

/* 2^64 / golden ratio: spreads neighbours */
static uint32_t bucket_number(uint64_t addr)
{
    return (addr >> 1) * 0x9e3779b97f4a7c15ull >> 32 & (EBPF_CONFIG_KPROBE_BUCKETS - 1);
}

static struct ebpf_kprobe_point **bucket_of(uint64_t addr)
{
    return &buckets[bucket_number(addr)];
}

struct ebpf_kprobe_point *ebpf_kprobe_find(uint64_t addr)
{
    struct ebpf_kprobe_point *point = __atomic_load_n(bucket_of(addr), __ATOMIC_ACQUIRE);

    while (point && point->addr != addr)
        point = __atomic_load_n(&point->next, __ATOMIC_ACQUIRE);
    return point;
}

static void point_link(struct ebpf_kprobe_point *point)
{
    struct ebpf_kprobe_point **bucket = bucket_of(point->addr);

    if (point->addr < armed_low)
        __atomic_store_n(&armed_low, point->addr, __ATOMIC_RELAXED);
    if (point->addr > armed_high)
        __atomic_store_n(&armed_high, point->addr, __ATOMIC_RELAXED);
    point->next = *bucket;
    __atomic_store_n(bucket, point, __ATOMIC_RELEASE);
    __atomic_store_n(&point_count, point_count + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* before the breakpoint that leads here */
}

/* The point's own next stays, for harts that are looking at it. */
static void point_unlink(struct ebpf_kprobe_point *point)
{
    struct ebpf_kprobe_point **from = bucket_of(point->addr);

    while (*from != point)
        from = &(*from)->next;
    __atomic_store_n(from, point->next, __ATOMIC_RELEASE);
    __atomic_store_n(&point_count, point_count - 1, __ATOMIC_RELAXED);
}

/* The link to probe among all registered ones, or the end of its list: then it is not registered.
 * By its own address: the fields of a probe that never was registered may be anything. */
static struct ebpf_kprobe **registration(const struct ebpf_kprobe *probe)
{
    struct ebpf_kprobe **link = &registered[bucket_number((uintptr_t)probe >> 3)];

    while (*link && *link != probe)
        link = &(*link)->registered;
    return link;
}

static void probe_append(struct ebpf_kprobe_point *point, struct ebpf_kprobe *probe)
{
    struct ebpf_kprobe **last = &point->probes;

    while (*last)
        last = &(*last)->next;
    probe->point = point;
    __atomic_store_n(last, probe, __ATOMIC_RELEASE);
}

static void probe_remove(struct ebpf_kprobe_point *point, struct ebpf_kprobe *probe)
{
    struct ebpf_kprobe **from = &point->probes;

    while (*from != probe)
        from = &(*from)->next;
    __atomic_store_n(from, probe->next, __ATOMIC_RELEASE);
}

/* ---- the breakpoint in the text -------------------------------------------------------------- */

static void *text(uint64_t addr)
{
    return (void *)(uintptr_t)addr;
}

/*
 * c.ebreak over the first half-word, whatever stands there: harts fetch half-words, and nothing but
 * Ziccif promises that they fetch two at once. With an ebreak of 4 bytes, a hart could see one half
 * of it and one of the instruction, which is some third one. (QEMU's translator does read them one
 * after the other; a kernel test once caught it.) The second half is never touched, so any mixture
 * is right. Only where the library is built for harts without C, all code is at multiples of 4 and
 * there is no choice: ebreak, in one store.
 */
static bool takes_ebreak(void)
{
#if defined(__riscv) && !defined(__riscv_compressed)
    return true;
#else
    return false;
#endif
}

static int write_text(uint64_t addr, uint32_t whole, uint16_t half)
{
    int err;

    if (takes_ebreak())
        err = ebpf_os_text_write(text(addr), &whole, sizeof(whole));
    else
        err = ebpf_os_text_write(text(addr), &half, sizeof(half));
    if (err)
        ebpf_log("ebpf: kprobe at 0x%llx: the kernel's text write failed: %d",
                 (unsigned long long)addr, err);
    return err;
}

static int arm(uint64_t addr)
{
    return write_text(addr, EBPF_RV_EBREAK, EBPF_RV_C_EBREAK);
}

static int restore(uint64_t addr, const struct ebpf_rv_insn *insn)
{
    return write_text(addr, insn->raw, (uint16_t)insn->raw);
}

/* Half by half: a c.ebreak may be the last thing in the text. */
static bool breakpoint_at(uint64_t addr)
{
    const uint16_t *half = text(addr);
    uint16_t low = __atomic_load_n(half, __ATOMIC_ACQUIRE);

    return low == EBPF_RV_C_EBREAK ||
           (low == (uint16_t)EBPF_RV_EBREAK &&
            __atomic_load_n(half + 1, __ATOMIC_ACQUIRE) == EBPF_RV_EBREAK >> 16);
}

/* ---- registration, T ------------------------------------------------------------------------- */

static int point_create(const struct ebpf_rv_insn *insn, struct ebpf_kprobe *probe)
{
    struct ebpf_kprobe_point *point = ebpf_zalloc(sizeof(*point));
    int err;

    if (!point)
        return -ENOMEM;
    point->addr = probe->addr;
    point->insn = *insn;
    if (insn->kind == EBPF_RV_SLOT) {
        err = ebpf_slot_get(point->addr, insn, &point->slot);
        if (err)
            goto free_point;
    }
    probe_append(point, probe);
    point_link(point);
    err = arm(point->addr);
    if (!err)
        return 0;
    point_unlink(point);
    ebpf_epoch_synchronize();
free_point:
    ebpf_free(point, sizeof(*point));
    return err;
}

int ebpf_kprobe_register(struct ebpf_kprobe *probe)
{
    struct ebpf_kprobe_point *point;
    struct ebpf_kprobe **link;
    struct ebpf_rv_insn insn;
    int err = -EBUSY;

    if (!probe->handler) {
        ebpf_log("ebpf: no probe at 0x%llx: it has no handler", (unsigned long long)probe->addr);
        return -EINVAL;
    }
    ebpf_mutex_lock(&ebpf_kprobe_mutex);
    link = registration(probe);
    if (*link)
        goto unlock;
    err = ebpf_kprobe_validate(probe->addr, &insn);
    if (err)
        goto unlock;
    __atomic_store_n(&probe->hits, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&probe->missed, 0, __ATOMIC_RELAXED);
    probe->next = NULL;
    point = ebpf_kprobe_find(probe->addr);
    if (point)
        probe_append(point, probe);
    else
        err = point_create(&insn, probe);
    if (err)
        goto unlock;
    probe->registered = NULL;
    *link = probe;
unlock:
    ebpf_mutex_unlock(&ebpf_kprobe_mutex);
    return err;
}

int ebpf_kprobe_unregister(struct ebpf_kprobe *probe)
{
    struct ebpf_kprobe_point *point;
    struct ebpf_kprobe **link;
    int err = -ENOENT;
    bool last;

    ebpf_mutex_lock(&ebpf_kprobe_mutex);
    link = registration(probe);
    if (!*link)
        goto unlock;
    point = probe->point;
    last = point->probes == probe && !probe->next;
    err = last ? restore(point->addr, &point->insn) : 0;
    if (err)
        goto unlock;
    if (last) /* its list stays as it is, for harts that found the point before */
        point_unlink(point);
    else
        probe_remove(point, probe);
    ebpf_epoch_synchronize();
    *link = probe->registered;
    if (last)
        ebpf_free(point, sizeof(*point));
unlock:
    ebpf_mutex_unlock(&ebpf_kprobe_mutex);
    return err;
}

/* Asks the hooks too: the text write writes what is there already. */
int ebpf_kprobe_check(uint64_t addr)
{
    struct ebpf_rv_insn insn;
    int err;

    ebpf_mutex_lock(&ebpf_kprobe_mutex);
    err = ebpf_kprobe_validate(addr, &insn);
    if (!err && !ebpf_kprobe_find(addr)) {
        if (insn.kind == EBPF_RV_SLOT)
            err = ebpf_slot_room(addr, &insn);
        if (!err)
            err = restore(addr, &insn);
    }
    ebpf_mutex_unlock(&ebpf_kprobe_mutex);
    return err;
}

/* ---- the hit, A ------------------------------------------------------------------------------ */

static void count(uint64_t *counter)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

static struct ebpf_kprobe *first_probe(struct ebpf_kprobe_point *point)
{
    return __atomic_load_n(&point->probes, __ATOMIC_ACQUIRE);
}

static struct ebpf_kprobe *next_probe(struct ebpf_kprobe *probe)
{
    return __atomic_load_n(&probe->next, __ATOMIC_ACQUIRE);
}

static void miss(struct hart *hart, struct ebpf_kprobe_point *point)
{
    count(&hart->missed);
    for (struct ebpf_kprobe *p = first_probe(point); p; p = next_probe(p))
        __atomic_fetch_add(&p->missed, 1, __ATOMIC_RELAXED);
}

static void run_handlers(struct hart *hart, struct ebpf_kprobe_point *point, struct ebpf_regs *regs)
{
    __atomic_store_n(&hart->active, 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* a nested trap on this hart must see it */
    count(&hart->hits);
    for (struct ebpf_kprobe *p = first_probe(point); p; p = next_probe(p)) {
        regs->pc = point->addr;
        __atomic_fetch_add(&p->hits, 1, __ATOMIC_RELAXED);
        p->handler(p, regs);
    }
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&hart->active, 0, __ATOMIC_RELAXED);
}

static void hit(struct hart *hart, struct ebpf_kprobe_point *point, struct ebpf_regs *regs)
{
    if (__atomic_load_n(&hart->active, __ATOMIC_RELAXED))
        miss(hart, point);
    else
        run_handlers(hart, point, regs);
    regs->pc = point->addr;
    if (point->slot)
        regs->pc = point->slot;
    else
        ebpf_rv_simulate(&point->insn, regs);
}

/* The end of a slot that is too far from the text for a jump. */
static bool step(struct hart *hart, struct ebpf_regs *regs)
{
    bool at_end = false;
    uint64_t original = ebpf_slot_original(regs->pc, &at_end);

    if (!original || !at_end)
        return false;
    regs->pc = original;
    count(&hart->step);
    return true;
}

static bool stale(struct hart *hart)
{
    count(&hart->stale);
#ifdef __riscv
    /* this hart may have fetched the breakpoint after the others' stores, but before the fence that
     * it was sent */
    __asm__ volatile("fence.i" ::: "memory");
#endif
    return true;
}

/* No point at this pc: is the trap explained by a probe that went, or came, meanwhile? */
static bool unexpected(struct hart *hart, struct ebpf_regs *regs)
{
    struct ebpf_kprobe_point *point;

    if (step(hart, regs))
        return true;
    if (regs->pc < __atomic_load_n(&armed_low, __ATOMIC_RELAXED) ||
        regs->pc > __atomic_load_n(&armed_high, __ATOMIC_RELAXED))
        return false;
    if (!breakpoint_at(regs->pc))
        return stale(hart);
    /* after that breakpoint was seen, so its point is visible, if it is ours */
    point = ebpf_kprobe_find(regs->pc);
    if (point)
        hit(hart, point, regs);
    else if (!breakpoint_at(regs->pc))
        return stale(hart);
    return point != NULL;
}

bool ebpf_breakpoint(struct ebpf_regs *regs)
{
    unsigned cpu = ebpf_os_cpu_id();
    struct ebpf_kprobe_point *point;
    bool ours = true;

    if (cpu >= EBPF_CONFIG_MAX_CPUS) /* a broken hook; no state to work with */
        return false;
    ebpf_epoch_enter(cpu);
    point = ebpf_kprobe_find(regs->pc);
    if (point)
        hit(&harts[cpu], point, regs);
    else
        ours = unexpected(&harts[cpu], regs);
    ebpf_epoch_exit(cpu);
    return ours;
}

bool ebpf_kprobe_fixup(struct ebpf_regs *regs)
{
    unsigned long irq = ebpf_os_irq_save();
    unsigned cpu = ebpf_os_cpu_id();
    uint64_t original = 0;
    bool at_end = false;

    if (cpu < EBPF_CONFIG_MAX_CPUS) {
        ebpf_epoch_enter(cpu);
        original = ebpf_slot_original(regs->pc, &at_end);
        ebpf_epoch_exit(cpu);
    }
    ebpf_os_irq_restore(irq);
    if (original)
        regs->pc = original;
    return original != 0;
}

/* ---- counters, begin and end ----------------------------------------------------------------- */

uint64_t ebpf_kprobe_hits(const struct ebpf_kprobe *probe)
{
    return __atomic_load_n(&probe->hits, __ATOMIC_RELAXED);
}

uint64_t ebpf_kprobe_missed(const struct ebpf_kprobe *probe)
{
    return __atomic_load_n(&probe->missed, __ATOMIC_RELAXED);
}

void ebpf_kprobe_stats(struct ebpf_kprobe_stats *out)
{
    *out = (struct ebpf_kprobe_stats){0};
    for (unsigned i = 0; i < EBPF_CONFIG_MAX_CPUS; i++) {
        out->hits += __atomic_load_n(&harts[i].hits, __ATOMIC_RELAXED);
        out->missed += __atomic_load_n(&harts[i].missed, __ATOMIC_RELAXED);
        out->stale += __atomic_load_n(&harts[i].stale, __ATOMIC_RELAXED);
        out->step += __atomic_load_n(&harts[i].step, __ATOMIC_RELAXED);
    }
    out->points = __atomic_load_n(&point_count, __ATOMIC_RELAXED);
    out->slots = ebpf_slot_count();
}

static void counters_clear(void)
{
    for (unsigned i = 0; i < EBPF_CONFIG_MAX_CPUS; i++) {
        __atomic_store_n(&harts[i].hits, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&harts[i].missed, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&harts[i].stale, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&harts[i].step, 0, __ATOMIC_RELAXED);
    }
}

int ebpf_kprobe_init(void)
{
    if (ebpf_os_cpu_count() <= EBPF_CONFIG_MAX_CPUS)
        return 0;
    ebpf_log("ebpf: kprobe: more harts than EBPF_CONFIG_MAX_CPUS (%d)", EBPF_CONFIG_MAX_CPUS);
    return -EINVAL;
}

int ebpf_kprobe_fini(void)
{
    int err = -EBUSY;

    ebpf_mutex_lock(&ebpf_kprobe_mutex);
    if (!point_count) {
        ebpf_slot_fini();
        ebpf_kprobe_exclude_none();
        counters_clear();
        armed_low = UINT64_MAX;
        armed_high = 0;
        err = 0;
    }
    ebpf_mutex_unlock(&ebpf_kprobe_mutex);
    return err;
}
