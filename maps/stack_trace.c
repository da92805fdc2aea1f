/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_STACK_TRACE: a table of buckets, one stack each, that programs fill by
 * bpf_get_stackid() and user mode reads by the number of the bucket. The number is the frames'
 * hash, so a stack has the same number whoever meets it; two stacks that have the same number do
 * not both fit (Linux's rule). With build ids the frames say which file's code it is, so that
 * processes that have it at other addresses share the number (Linux: not).
 *
 * A bucket is a word: the number of an element, from 1, and bit 31 while somebody looks at it.
 * There are max_entries elements; those in no bucket are in a list of their own, under a lock that
 * is taken for new stacks only. Both locks are held with interrupts off, and nothing is called
 * meanwhile. Stacks are walked before, into memory of the hart.
 */
#include "maps/stack_trace.h"

#include "maps/array.h"
#include "maps/keyless.h"
#include "maps/mix.h"
#include "maps/value.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/base/lock.h"
#include "src/base/relax.h"

#define LOCKED (1u << 31)
#define MAX_BUCKETS (1u << 31)
#define ID_FLAGS \
    (BPF_F_SKIP_FIELD_MASK | BPF_F_USER_STACK | BPF_F_FAST_STACK_CMP | BPF_F_REUSE_STACKID)
#define GET_FLAGS (BPF_F_SKIP_FIELD_MASK | BPF_F_USER_STACK | BPF_F_USER_BUILD_ID)
#define CHUNK 32u /* addresses of a walk at once: a kernel's stack is small */

struct element {
    uint32_t next; /* in the list of free ones: its number; 0: none */
    uint32_t size; /* of the frames, in bytes */
    uint64_t hash;
    uint64_t frames[]; /* value_size bytes */
};

struct hart {
    uint32_t busy;
    uint64_t frames[]; /* value_size bytes */
};

struct stack_trace {
    struct ebpf_map map; /* first */
    size_t bytes;        /* of this allocation */
    uint64_t seed;
    uint32_t bucket_mask;
    uint32_t free; /* first free element */
    struct ebpf_lock lock;
    size_t element_size, hart_size;
    uint8_t *elements, *harts;
    uint32_t buckets[];
};

static struct stack_trace *of(const struct ebpf_map *map)
{
    return (struct stack_trace *)map;
}

/* ---- buckets and elements ------------------------------------------------------------------ */

static struct element *element(const struct stack_trace *st, uint32_t number)
{
    return (struct element *)(void *)(st->elements + (size_t)(number - 1) * st->element_size);
}

/* Interrupts are off. Returns the bucket's element; 0: none. */
static uint32_t bucket_lock(struct stack_trace *st, uint32_t id)
{
    uint32_t was;

    while ((was = __atomic_fetch_or(&st->buckets[id], LOCKED, __ATOMIC_ACQUIRE)) & LOCKED)
        ebpf_cpu_relax();
    return was;
}

static void bucket_unlock(struct stack_trace *st, uint32_t id, uint32_t number)
{
    __atomic_store_n(&st->buckets[id], number, __ATOMIC_RELEASE);
}

static uint32_t take_free(struct stack_trace *st)
{
    unsigned long irq = ebpf_lock(&st->lock);
    uint32_t number = st->free;

    if (number)
        st->free = element(st, number)->next;
    ebpf_unlock(&st->lock, irq);
    return number;
}

static void give_free(struct stack_trace *st, uint32_t number)
{
    unsigned long irq = ebpf_lock(&st->lock);

    element(st, number)->next = st->free;
    st->free = number;
    ebpf_unlock(&st->lock, irq);
}

/* ---- for programs -------------------------------------------------------------------------- */

static uint32_t frame_size(bool build_ids)
{
    return build_ids ? sizeof(struct bpf_stack_build_id) : sizeof(uint64_t);
}

/* Linux, too, has addresses only for the kernel's own frames. */
static void put_frame(uint8_t *to, uint64_t pc, bool build_ids, bool user)
{
    struct bpf_stack_build_id frame = {0};
    uint64_t offset;

    if (!build_ids) {
        memcpy(to, &pc, sizeof(pc));
        return;
    }
    if (user && !ebpf_os_build_id(pc, frame.build_id, &offset)) {
        frame.status = BPF_STACK_BUILD_ID_VALID;
        frame.offset = offset;
    } else {
        frame = (struct bpf_stack_build_id){.status = BPF_STACK_BUILD_ID_IP, .ip = pc};
    }
    memcpy(to, &frame, sizeof(frame));
}

/* Fills the size bytes at `to`, of any alignment, with frames; returns how many bytes there are of
 * them. Linux walks as many frames as fit and never more than the limit, skipped ones included. */
static uint32_t walk(const struct ebpf_regs *regs, uint64_t flags, bool build_ids, void *to,
                     uint32_t size)
{
    const bool user = (flags & BPF_F_USER_STACK) != 0;
    uint32_t skip = (uint32_t)(flags & BPF_F_SKIP_FIELD_MASK), done = 0, got, want, room;
    uint64_t pcs[CHUNK];

    if (skip >= EBPF_MAX_STACK)
        return 0;
    room = (uint32_t)ebpf_min(size / frame_size(build_ids), EBPF_MAX_STACK - skip);
    do {
        want = (uint32_t)ebpf_min(room - done, CHUNK);
        got = want ? ebpf_os_stack(regs, user, skip + done, pcs, want) : 0;
        got = (uint32_t)ebpf_min(got, want);
        for (uint32_t i = 0; i < got; i++)
            put_frame((uint8_t *)to + (done + i) * frame_size(build_ids), pcs[i], build_ids, user);
        done += got;
    } while (got == CHUNK);
    return done * frame_size(build_ids);
}

static uint64_t hash_of(const struct stack_trace *st, const uint64_t *frames, uint32_t size)
{
    uint64_t hash = st->seed ^ size;

    for (uint32_t i = 0; i < size / sizeof(uint64_t); i++)
        hash = ebpf_fold_multiply(hash ^ frames[i], EBPF_MIX_1) + EBPF_MIX_2;
    return hash ^ hash >> 32;
}

static bool is_same(const struct element *e, uint64_t hash, const uint64_t *frames, uint32_t size,
                    uint64_t flags)
{
    if (e->hash != hash)
        return false;
    if (flags & BPF_F_FAST_STACK_CMP)
        return true;
    return e->size == size && !memcmp(e->frames, frames, size);
}

static int64_t put(struct stack_trace *st, const uint64_t *frames, uint32_t size, uint64_t flags)
{
    uint64_t hash = hash_of(st, frames, size);
    uint32_t id = (uint32_t)hash & st->bucket_mask, number = bucket_lock(st, id);
    int64_t ret = id;

    if (number && is_same(element(st, number), hash, frames, size, flags))
        goto unlock;
    ret = -EEXIST;
    if (number && !(flags & BPF_F_REUSE_STACKID))
        goto unlock;
    ret = -ENOMEM;
    if (!number)
        number = take_free(st);
    if (!number)
        goto unlock;
    element(st, number)->hash = hash;
    element(st, number)->size = size;
    ebpf_value_copy(element(st, number)->frames, frames, size);
    ret = id;
unlock:
    bucket_unlock(st, id, number);
    return ret;
}

int64_t ebpf_stack_trace_id(struct ebpf_map *map, const struct ebpf_regs *regs, uint64_t flags)
{
    struct hart *hart;
    uint32_t size;
    int64_t ret;

    if (map->type != BPF_MAP_TYPE_STACK_TRACE || flags & ~(uint64_t)ID_FLAGS)
        return -EINVAL;
    hart = (struct hart *)(void *)(of(map)->harts + ebpf_os_cpu_id() * of(map)->hart_size);
    if (__atomic_exchange_n(&hart->busy, 1, __ATOMIC_RELAXED))
        return -EBUSY;
    size = walk(regs, flags, map->flags & BPF_F_STACK_BUILD_ID, hart->frames, map->value_size);
    ret = size ? put(of(map), hart->frames, size, flags) : -EFAULT;
    __atomic_store_n(&hart->busy, 0, __ATOMIC_RELEASE);
    return ret;
}

/* Are there as many frames as are to be skipped? Linux: then a stack of which nothing is left is
 * not an error of bpf_get_stack(). */
static bool can_skip(const struct ebpf_regs *regs, uint64_t flags)
{
    uint32_t skip = (uint32_t)(flags & BPF_F_SKIP_FIELD_MASK);
    uint64_t pc;

    if (!skip)
        return true;
    return skip <= EBPF_MAX_STACK &&
           ebpf_os_stack(regs, (flags & BPF_F_USER_STACK) != 0, skip - 1, &pc, 1) != 0;
}

int64_t ebpf_stack_trace_get(const struct ebpf_regs *regs, void *buf, uint32_t size, uint64_t flags)
{
    bool build_ids = (flags & BPF_F_USER_BUILD_ID) != 0;
    uint32_t bytes = 0;
    int64_t ret = -EINVAL;

    if (!(flags & ~(uint64_t)GET_FLAGS) && (!build_ids || flags & BPF_F_USER_STACK) &&
        size % frame_size(build_ids) == 0) {
        bytes = walk(regs, flags, build_ids, buf, size);
        ret = bytes || can_skip(regs, flags) ? (int64_t)bytes : -EFAULT;
    }
    memset((uint8_t *)buf + bytes, 0, size - bytes);
    return ret;
}

/* ---- for user mode ------------------------------------------------------------------------- */

static int copy_out(struct ebpf_map *map, const void *key, void *value, bool take)
{
    struct stack_trace *st = of(map);
    uint32_t id = ebpf_array_index(key), number, size;

    if (id > st->bucket_mask)
        return -ENOENT;
    number = bucket_lock(st, id);
    if (number) {
        size = element(st, number)->size;
        ebpf_value_copy(value, element(st, number)->frames, size);
        for (; size < map->value_size; size += (uint32_t)sizeof(uint64_t))
            ebpf_word_store((uint8_t *)value + size, 0, sizeof(uint64_t));
    }
    bucket_unlock(st, id, take ? 0 : number);
    if (take && number)
        give_free(st, number);
    return number ? 0 : -ENOENT;
}

static int stack_lookup_copy(struct ebpf_map *map, const void *key, void *value)
{
    return copy_out(map, key, value, false);
}

static int stack_take_copy(struct ebpf_map *map, const void *key, void *value)
{
    return copy_out(map, key, value, true);
}

static int stack_remove(struct ebpf_map *map, const void *key)
{
    struct stack_trace *st = of(map);
    uint32_t id = ebpf_array_index(key), number;

    if (id > st->bucket_mask)
        return -E2BIG;
    number = bucket_lock(st, id);
    bucket_unlock(st, id, 0);
    if (number)
        give_free(st, number);
    return number ? 0 : -ENOENT;
}

static int stack_next_key(struct ebpf_map *map, const void *key, void *next)
{
    const struct stack_trace *st = of(map);
    uint64_t id = 0;

    if (key && ebpf_array_index(key) <= st->bucket_mask)
        id = (uint64_t)ebpf_array_index(key) + 1;
    while (id <= st->bucket_mask &&
           !(__atomic_load_n(&st->buckets[id], __ATOMIC_RELAXED) & ~LOCKED))
        id++;
    if (id > st->bucket_mask)
        return -ENOENT;
    memcpy(next, &id, sizeof(uint32_t)); /* little-endian, as all of eBPF here */
    return 0;
}

/* ---- the type ------------------------------------------------------------------------------ */

static int stack_check(const struct ebpf_map_spec *spec)
{
    uint32_t frame = frame_size(spec->flags & BPF_F_STACK_BUILD_ID);

    if (!spec->max_entries || spec->key_size != sizeof(uint32_t) || spec->value_size < frame ||
        spec->value_size % frame || spec->value_size / frame > EBPF_MAX_STACK)
        return -EINVAL;
    return spec->max_entries > MAX_BUCKETS ? -E2BIG : 0;
}

/* struct | buckets | harts | elements; all of it fits: 2^31 * (4 + 4080) and some */
static int stack_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    size_t element_size = sizeof(struct element) + spec->value_size, buckets = 1, harts, elements;
    size_t hart_size = EBPF_ROUND_UP(sizeof(struct hart) + spec->value_size, (size_t)64);
    struct stack_trace *st;

    while (buckets < spec->max_entries)
        buckets *= 2;
    harts = EBPF_ROUND_UP(sizeof(*st) + buckets * sizeof(uint32_t), (size_t)64) + 64;
    elements = harts + ebpf_os_cpu_count() * hart_size;
    st = ebpf_zalloc(elements + spec->max_entries * element_size);
    if (!st)
        return -ENOMEM;
    st->bytes = elements + spec->max_entries * element_size;
    st->seed = (uint64_t)ebpf_os_random() << 32 | ebpf_os_random();
    st->bucket_mask = (uint32_t)(buckets - 1);
    st->element_size = element_size;
    st->hart_size = hart_size;
    st->harts = (uint8_t *)EBPF_ROUND_UP((uintptr_t)st + harts - 64, (uintptr_t)64);
    st->elements = (uint8_t *)st + elements;
    for (uint32_t i = spec->max_entries; i; i--) {
        element(st, i)->next = st->free;
        st->free = i;
    }
    *out = &st->map;
    return 0;
}

static void stack_free(struct ebpf_map *map)
{
    ebpf_free(map, of(map)->bytes);
}

const struct ebpf_map_ops ebpf_map_stack_trace_ops = {
    .name = "stack_trace",
    .flags = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_STACK_BUILD_ID,
    .inner = true,
    .check = stack_check,
    .alloc = stack_alloc,
    .free = stack_free,
    .lookup = ebpf_no_lookup,
    .update = ebpf_no_update,
    .remove = stack_remove,
    .lookup_copy = stack_lookup_copy,
    .update_copy = ebpf_no_update,
    .take_copy = stack_take_copy,
    .next_key = stack_next_key,
    .own_helpers = true,
};
