/* SPDX-License-Identifier: MIT */
/*
 * Timers in maps' values.
 *
 * Each element of a map whose values have a struct bpf_timer has a struct timer, allocated with the
 * map, so that programs allocate nothing; bpf_timer_init() puts its address into the value's field.
 * It ends (and could be initialised again) when its value leaves the map, and when the map's last
 * user goes. A timer with a callback holds the callback's program, which holds its maps: that
 * circle is broken by that last user, since without one no timer gets a callback.
 *
 * Each hart has a queue of waiting timers, and the hook wakes it for the first one. A timer waits
 * where it was started last, but while its callback runs it belongs to that hart: so one timer's
 * callbacks never run at the same time, and never twice on one hart. All of a timer is guarded by
 * the lock of the hart that it belongs to (timer.hart, which changes only under that lock).
 * Nothing outside the library is called with a lock held, so that no probe's program can come in
 * between and want it, too.
 *
 * Who cancels a timer, or takes its value out of the map, knows afterwards that its callback does
 * not run: where that is on another hart, he waits, with interrupts off. Nobody waits for code that
 * is not a callback, so only callbacks can wait for each other in circles. One that deletes does
 * not wait; its timer is "abandoned": the rest of that callback belongs to a life before. One that
 * cancels counts itself among those that wait for the other timer, and gets -EDEADLK where somebody
 * waits for its own. Of a circle, the last to count itself sees that. (Linux's rules.)
 */
#include "maps/timer.h"

#include "maps/value.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/base/epoch.h"
#include "src/base/lock.h"
#include "src/base/prioq.h"
#include "src/base/relax.h"

#define CLOCK_REALTIME 0u          /* Linux's; the others are one here */
#define TAI_MINUS_UTC 37000000000u /* ns, since 2017 */
#define BATCH 64u /* timers that run in one call, so that interrupts are not off for long */

struct timer {
    struct ebpf_prioq_node node; /* key: when */
    struct ebpf_obj *prog;       /* held; NULL: no callback */
    uint64_t func;
    uint8_t *value;
    uint32_t index; /* in ebpf_timers.timers */
    uint8_t hart;
    uint8_t clock;
    uint8_t flags;
    uint8_t waiters; /* callbacks on other harts that cancel it; at most one a hart */
};
#define INITIALISED 1u
#define QUEUED 2u /* and has a callback */

_Static_assert(EBPF_CONFIG_MAX_CPUS <= 256, "timer.hart and timer.waiters");

struct ebpf_timers {
    struct ebpf_map *map;
    uint32_t count;
    struct timer timers[];
};

static struct hart {
    struct ebpf_lock lock;
    struct ebpf_prioq queue;
    struct timer *running;
    bool abandoned; /* the running one has ended meanwhile */
    /* only this hart looks at these: inside ebpf_timers_run(), whose end arms; inside the hook */
    bool active, arming;
} __attribute__((aligned(64))) harts[EBPF_CONFIG_MAX_CPUS];

static struct hart *lock_timer(const struct timer *timer, unsigned long *irq)
{
    for (;;) {
        uint8_t n = __atomic_load_n(&timer->hart, __ATOMIC_RELAXED);

        *irq = ebpf_lock(&harts[n].lock);
        if (__atomic_load_n(&timer->hart, __ATOMIC_RELAXED) == n)
            return &harts[n];
        ebpf_unlock(&harts[n].lock, *irq);
    }
}

/* ---- the field in the value ---------------------------------------------------------------- */

static struct timer *field_load(const void *field)
{
    return (struct timer *)(uintptr_t)ebpf_word_load(field, sizeof(uint64_t));
}

static void field_store(void *field, const struct timer *timer)
{
    ebpf_word_store(field, (uintptr_t)timer, sizeof(uint64_t));
}

static struct ebpf_timers *timers_of(const struct timer *timer)
{
    return EBPF_CONTAINER_OF(timer - timer->index, struct ebpf_timers, timers);
}

/* Not where a program has initialised it through a pointer to a value that had left the map
 * already. */
static bool is_in_field(const struct timer *timer)
{
    return field_load(timer->value + timers_of(timer)->map->timer_off) == timer;
}

/* ---- parts, under the lock of the timer's hart --------------------------------------------- */

static bool dequeue(struct hart *hart, struct timer *timer)
{
    if (!(timer->flags & QUEUED))
        return false;
    ebpf_prioq_remove(&hart->queue, &timer->node);
    timer->flags &= (uint8_t)~QUEUED;
    return true;
}

static void drop_callback(struct timer *timer)
{
    if (timer->prog)
        ebpf_obj_drop_later(timer->prog);
    timer->prog = NULL;
}

static bool is_running(const struct hart *hart, const struct timer *timer)
{
    return hart->running == timer && !hart->abandoned;
}

static void end(struct hart *hart, struct timer *timer)
{
    if (!(timer->flags & INITIALISED))
        return;
    dequeue(hart, timer);
    drop_callback(timer);
    if (is_in_field(timer))
        field_store(timer->value + timers_of(timer)->map->timer_off, NULL);
    timer->flags = 0;
    if (hart->running == timer)
        hart->abandoned = true;
}

/* ---- ends of values and maps --------------------------------------------------------------- */

/* A, also T with interrupts on. */
static void end_and_wait(struct timer *timer)
{
    unsigned long irq;
    struct hart *hart = lock_timer(timer, &irq);
    bool wait;

    end(hart, timer);
    /* interrupts are off: what runs on this hart is what called this */
    wait = hart->running == timer && !harts[ebpf_os_cpu_id()].running;
    ebpf_unlock(&hart->lock, irq);
    while (wait) {
        ebpf_cpu_relax();
        irq = ebpf_lock(&hart->lock);
        wait = hart->running == timer && hart->abandoned;
        ebpf_unlock(&hart->lock, irq);
    }
}

static void release(struct ebpf_map *map, void *value)
{
    const void *key;

    end_and_wait(&map->timers->timers[map->ops->locate(map, value, &key)]);
}

void ebpf_timers_end(struct ebpf_map *map)
{
    for (uint32_t i = 0; map->timers && i < map->timers->count; i++)
        end_and_wait(&map->timers->timers[i]);
}

int ebpf_timers_create(struct ebpf_map *map)
{
    uint32_t count;
    size_t size;

    if (!map->ops->locate || !ebpf_timers_available())
        return 0;
    count = map->ops->places(map);
    if (!ebpf_mul_ok(count, sizeof(struct timer), &size) ||
        !ebpf_add_ok(size, sizeof(struct ebpf_timers), &size))
        return -E2BIG;
    map->timers = ebpf_zalloc(size);
    if (!map->timers)
        return -ENOMEM;
    map->timers->map = map;
    map->timers->count = count;
    for (uint32_t i = 0; i < count; i++)
        map->timers->timers[i].index = i;
    map->release = release;
    return 0;
}

void ebpf_timers_destroy(struct ebpf_map *map)
{
    if (map->timers)
        ebpf_free(map->timers,
                  sizeof(*map->timers) + map->timers->count * sizeof(map->timers->timers[0]));
}

/* ---- the hook ------------------------------------------------------------------------------ */

static uint64_t first_key(struct hart *hart)
{
    unsigned long irq = ebpf_lock(&hart->lock);
    uint64_t key = hart->queue.first ? hart->queue.first->key : UINT64_MAX;

    ebpf_unlock(&hart->lock, irq);
    return key;
}

/* This hart, with interrupts off. */
static int arm(struct hart *hart)
{
    int err;

    if (hart->active)
        return 0;
    hart->arming = true;
    err = ebpf_os_timer_arm(first_key(hart));
    hart->arming = false;
    return err;
}

bool ebpf_timers_available(void)
{
    unsigned long irq = ebpf_os_irq_save();
    int err = arm(&harts[ebpf_os_cpu_id()]); /* for what it is armed for anyway */

    ebpf_os_irq_restore(irq);
    return !err;
}

/* ---- helpers ------------------------------------------------------------------------------- */

static bool has_users(const struct timer *timer)
{
    return __atomic_load_n(&timers_of(timer)->map->obj.users, __ATOMIC_RELAXED) != 0;
}

int ebpf_timer_init(struct ebpf_map *map, struct bpf_timer *field, unsigned clock)
{
    uint8_t *value = (uint8_t *)field - map->timer_off;
    struct timer *timer;
    struct hart *hart;
    unsigned long irq;
    const void *key;
    int err = 0;

    if (!map->timers)
        return -EOPNOTSUPP;
    timer = &map->timers->timers[map->ops->locate(map, value, &key)];
    hart = lock_timer(timer, &irq);
    if (timer->flags & INITIALISED && is_in_field(timer)) {
        err = -EBUSY;
    } else if (!has_users(timer)) {
        err = -EPERM; /* or ebpf_timers_end() has yet to come by, and ends it */
    } else {
        end(hart, timer);
        timer->value = value;
        timer->clock = (uint8_t)clock;
        timer->flags = INITIALISED;
        field_store(field, timer);
    }
    ebpf_unlock(&hart->lock, irq);
    return err;
}

int ebpf_timer_set_callback(struct bpf_timer *field, struct ebpf_obj *prog, uint64_t func)
{
    struct timer *timer = field_load(field);
    struct hart *hart;
    unsigned long irq;
    int err = 0;

    if (!timer)
        return -EINVAL;
    hart = lock_timer(timer, &irq);
    if (!(timer->flags & INITIALISED))
        err = -EINVAL;
    else if (!has_users(timer))
        err = -EPERM;
    else if (timer->prog != prog && !ebpf_obj_hold_live(prog))
        err = -ENOENT;
    if (!err) {
        if (timer->prog != prog)
            drop_callback(timer);
        timer->prog = prog;
        timer->func = func;
    }
    ebpf_unlock(&hart->lock, irq);
    return err;
}

/* As ebpf_os_time_ns(). Linux takes times as signed numbers, and what is beyond them for never. */
static uint64_t when(unsigned clock, uint64_t ns, bool absolute)
{
    uint64_t now = ebpf_os_time_ns(), wall = 0;

    if (absolute && clock == CLOCK_REALTIME)
        wall = ebpf_os_time_tai_ns();
    wall = wall > TAI_MINUS_UTC ? wall - TAI_MINUS_UTC : 0; /* 0: unknown */
    if (wall && ns <= wall)
        return now;
    if (!absolute || wall)
        return ns - wall > INT64_MAX - now ? INT64_MAX : now + (ns - wall);
    return ns > INT64_MAX ? INT64_MAX : ns;
}

/* True: it waits in the queue of the hart that it belongs to now; *first: as the first there.
 * False: it belongs to hart now, and all is to be done again. */
static bool enqueue(struct timer *timer, struct hart *own, struct hart *hart, uint64_t key)
{
    dequeue(own, timer);
    if (own != hart && own->running != timer) {
        __atomic_store_n(&timer->hart, (uint8_t)(hart - harts), __ATOMIC_RELAXED);
        return false;
    }
    timer->node.key = key;
    ebpf_prioq_insert(&own->queue, &timer->node);
    timer->flags |= QUEUED;
    return true;
}

int ebpf_timer_start(struct bpf_timer *field, uint64_t ns, bool absolute)
{
    struct hart *hart = &harts[ebpf_os_cpu_id()], *own;
    struct timer *timer = field_load(field);
    bool queued = false;
    unsigned long irq;
    uint64_t key;
    int err = 0;

    if (!timer)
        return -EINVAL;
    if (hart->arming)
        return -EBUSY;
    key = when(__atomic_load_n(&timer->clock, __ATOMIC_RELAXED), ns, absolute);
    while (!err && !queued) {
        own = lock_timer(timer, &irq);
        if (!(timer->flags & INITIALISED) || !timer->prog)
            err = -EINVAL;
        else
            queued = enqueue(timer, own, hart, key);
        ebpf_unlock(&own->lock, irq);
    }
    /* another hart is inside ebpf_timers_run(), and will see it there */
    if (!err && own == hart)
        (void)arm(hart);
    return err;
}

/* Does a callback on another hart wait for this one? */
static bool is_awaited(const struct timer *timer)
{
    unsigned long irq;
    struct hart *hart = lock_timer(timer, &irq);
    bool awaited = timer->waiters != 0;

    ebpf_unlock(&hart->lock, irq);
    return awaited;
}

/* Under the lock of the timer's hart. count: this callback waits for that of the timer, as soon as
 * nobody waits for it. -EAGAIN: it runs; *was: and had been started again. What waits is cancelled
 * at once: without a callback, it must not stay in the queue. */
static int try_cancel(struct hart *hart, struct timer *timer, bool count, bool *was)
{
    if (!(timer->flags & INITIALISED))
        return -EINVAL;
    if (is_running(hart, timer) && hart == &harts[ebpf_os_cpu_id()])
        return -EDEADLK;
    if (is_running(hart, timer) && count) {
        timer->waiters++;
        return -EAGAIN;
    }
    drop_callback(timer);
    *was |= dequeue(hart, timer);
    return is_running(hart, timer) ? -EAGAIN : *was;
}

static void uncount(struct timer *timer)
{
    unsigned long irq;
    struct hart *hart = lock_timer(timer, &irq);

    timer->waiters--;
    ebpf_unlock(&hart->lock, irq);
}

int ebpf_timer_cancel(struct bpf_timer *field)
{
    struct timer *timer = field_load(field), *self = harts[ebpf_os_cpu_id()].running;
    bool waits = false, was = false;
    int err = timer ? -EAGAIN : -EINVAL;

    while (err == -EAGAIN) {
        unsigned long irq;
        struct hart *hart = lock_timer(timer, &irq);

        err = try_cancel(hart, timer, self && !waits, &was);
        ebpf_unlock(&hart->lock, irq);
        if (err == -EINVAL && waits)
            err = was; /* who ended it has also dequeued what was there then */
        if (err != -EAGAIN)
            break;
        if (self && !waits && is_awaited(self))
            err = -EDEADLK;
        waits = true;
        ebpf_cpu_relax();
    }
    if (waits && self)
        uncount(timer);
    return err;
}

/* ---- running ------------------------------------------------------------------------------- */

static void fill_call(const struct timer *timer, struct ebpf_timer_call *call)
{
    struct ebpf_map *map = timers_of(timer)->map;

    call->map = map;
    call->value = timer->value;
    call->prog = timer->prog;
    call->func = timer->func;
    call->index = map->ops->locate(map, timer->value, &call->key);
    if (!call->key)
        call->key = &call->index;
}

/* This hart's first timer, if its time has come; call->prog NULL: it has left its value. */
static bool take(struct hart *hart, uint64_t now, struct ebpf_timer_call *call)
{
    unsigned long irq = ebpf_lock(&hart->lock);
    bool due = hart->queue.first && hart->queue.first->key <= now;

    call->prog = NULL;
    if (due) {
        struct timer *timer = EBPF_CONTAINER_OF(hart->queue.first, struct timer, node);

        dequeue(hart, timer);
        if (is_in_field(timer)) {
            fill_call(timer, call);
            hart->running = timer;
            hart->abandoned = false;
        } else {
            end(hart, timer);
        }
    }
    ebpf_unlock(&hart->lock, irq);
    return due;
}

static void done(struct hart *hart)
{
    unsigned long irq = ebpf_lock(&hart->lock);

    hart->running = NULL;
    ebpf_unlock(&hart->lock, irq);
}

static void run_batch(struct hart *hart, void (*run)(const struct ebpf_timer_call *call))
{
    uint64_t now = ebpf_os_time_ns();
    struct ebpf_timer_call call;

    for (unsigned i = 0; i < BATCH && take(hart, now, &call); i++) {
        if (call.prog) {
            run(&call);
            done(hart);
        }
    }
}

void ebpf_timers_run(void (*run)(const struct ebpf_timer_call *call))
{
    unsigned long irq = ebpf_os_irq_save();
    unsigned cpu = ebpf_os_cpu_id();
    struct hart *hart = &harts[cpu];

    if (!hart->active && !hart->arming) {
        hart->active = true;
        ebpf_epoch_enter(cpu);
        run_batch(hart, run);
        ebpf_epoch_exit(cpu);
        hart->active = false;
        (void)arm(hart);
    }
    ebpf_os_irq_restore(irq);
}
