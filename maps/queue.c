/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_QUEUE and BPF_MAP_TYPE_STACK: a ring of max_entries values, into whose head one
 * pushes; a queue gives its oldest value, a stack its newest. User mode: an update pushes, a lookup
 * peeks, lookup-and-delete pops, all without a key.
 *
 * One lock for the map, as on Linux: every operation changes or needs both ends. Each hart marks
 * that it is inside, so that a program which interrupts one is turned away with -EBUSY.
 */
#include "maps/keyless.h"

#include "maps/value.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/base/lock.h"

struct hart {
    uint32_t busy;
} __attribute__((aligned(64)));

struct queue {
    struct ebpf_map map; /* first */
    size_t bytes;
    void *block; /* as allocated, before alignment */
    struct ebpf_lock lock;
    bool stack;
    uint32_t oldest, count;
    struct hart *harts;
    uint8_t *values;
};

static struct queue *queue_of(struct ebpf_map *map)
{
    return (struct queue *)map;
}

static int queue_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    size_t bytes, harts = EBPF_ROUND_UP(sizeof(struct queue), (size_t)64);
    size_t values = harts + ebpf_os_cpu_count() * sizeof(struct hart);
    struct queue *queue;
    void *block;

    if (!ebpf_mul_ok(EBPF_ROUND_UP((size_t)spec->value_size, 8), spec->max_entries, &bytes) ||
        !ebpf_add_ok(bytes, values + 64, &bytes))
        return -ENOMEM;
    block = ebpf_alloc(bytes);
    if (!block)
        return -ENOMEM;
    queue = (struct queue *)EBPF_ROUND_UP((uintptr_t)block, (uintptr_t)64);
    memset(queue, 0, values);
    queue->block = block;
    queue->bytes = bytes;
    queue->stack = spec->type == BPF_MAP_TYPE_STACK;
    queue->harts = (struct hart *)((uintptr_t)queue + harts);
    queue->values = (uint8_t *)queue + values;
    *out = &queue->map;
    return 0;
}

static void queue_free(struct ebpf_map *map)
{
    ebpf_free(queue_of(map)->block, queue_of(map)->bytes);
}

/* ---- both ends ----------------------------------------------------------------------------- */

/* Interrupt states from before, for the way out. */
struct inside {
    struct hart *hart;
    unsigned long irq, lock_irq;
};

static bool enter(struct queue *queue, struct inside *in)
{
    in->irq = ebpf_os_irq_save();
    in->hart = &queue->harts[ebpf_os_cpu_id()];
    if (__atomic_load_n(&in->hart->busy, __ATOMIC_RELAXED)) {
        ebpf_os_irq_restore(in->irq);
        return false;
    }
    __atomic_store_n(&in->hart->busy, 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* who interrupts a hart sees what it has done */
    in->lock_irq = ebpf_lock(&queue->lock);
    return true;
}

static void leave(struct queue *queue, const struct inside *in)
{
    ebpf_unlock(&queue->lock, in->lock_irq);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&in->hart->busy, 0, __ATOMIC_RELAXED);
    ebpf_os_irq_restore(in->irq);
}

/* The place of value number i, counted from the oldest. */
static uint8_t *nth(const struct queue *queue, uint32_t i)
{
    uint64_t at = (uint64_t)queue->oldest + i;

    if (at >= queue->map.max_entries)
        at -= queue->map.max_entries;
    return queue->values + at * queue->map.value_stride;
}

static int queue_push(struct ebpf_map *map, const void *value, uint64_t flags)
{
    struct queue *queue = queue_of(map);
    struct inside in;
    int err = 0;

    if (flags & BPF_NOEXIST || flags > BPF_EXIST)
        return -EINVAL;
    if (!enter(queue, &in))
        return -EBUSY;
    if (queue->count == map->max_entries) {
        if (flags & BPF_EXIST) { /* the oldest makes room */
            queue->oldest = queue->oldest + 1 < map->max_entries ? queue->oldest + 1 : 0;
            queue->count--;
        } else {
            err = -E2BIG;
        }
    }
    if (!err)
        ebpf_value_copy(nth(queue, queue->count++), value, map->value_size);
    leave(queue, &in);
    return err;
}

static int get(struct ebpf_map *map, uint8_t *value, bool take)
{
    struct queue *queue = queue_of(map);
    struct inside in;
    int err = 0;

    if (!enter(queue, &in))
        return -EBUSY;
    if (!queue->count) {
        memset(value, 0, map->value_size); /* as Linux does: nothing uninitialised for programs */
        err = -ENOENT;
    } else {
        ebpf_value_copy(value, nth(queue, queue->stack ? queue->count - 1 : 0), map->value_size);
        if (take && !queue->stack)
            queue->oldest = queue->oldest + 1 < map->max_entries ? queue->oldest + 1 : 0;
        queue->count -= take;
    }
    leave(queue, &in);
    return err;
}

static int queue_pop(struct ebpf_map *map, void *value)
{
    return get(map, value, true);
}

static int queue_peek(struct ebpf_map *map, void *value)
{
    return get(map, value, false);
}

/* ---- user mode ----------------------------------------------------------------------------- */

static int queue_lookup_copy(struct ebpf_map *map, const void *key, void *value)
{
    (void)key;
    return get(map, value, false);
}

static int queue_take_copy(struct ebpf_map *map, const void *key, void *value)
{
    (void)key;
    return get(map, value, true);
}

static int queue_update_copy(struct ebpf_map *map, const void *key, const void *value,
                             uint64_t flags)
{
    (void)key;
    return queue_push(map, value, flags);
}

static int queue_remove(struct ebpf_map *map, const void *key)
{
    (void)map;
    (void)key;
    return -EINVAL;
}

static int queue_next_key(struct ebpf_map *map, const void *key, void *next)
{
    (void)map;
    (void)key;
    (void)next;
    return -EINVAL;
}

#define QUEUE_OPS(type_name)                                                          \
    {                                                                                 \
        .name = type_name,                                                            \
        .flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG |  \
                 BPF_F_WRONLY_PROG,                                                   \
        .inner = true, .own_helpers = true,                                           \
        .check = ebpf_keyless_check, .alloc = queue_alloc, .free = queue_free,        \
        .lookup = ebpf_no_lookup, .update = ebpf_no_update, .remove = queue_remove,   \
        .push = queue_push, .pop = queue_pop, .peek = queue_peek,                     \
        .lookup_copy = queue_lookup_copy, .update_copy = queue_update_copy,           \
        .take_copy = queue_take_copy, .next_key = queue_next_key,                     \
    }

const struct ebpf_map_ops ebpf_map_queue_ops = QUEUE_OPS("queue");
const struct ebpf_map_ops ebpf_map_stack_ops = QUEUE_OPS("stack");
