/* SPDX-License-Identifier: MIT */
/* What all hash types share: creation, deletion, user mode's reads. */
#include "maps/hash_inline.h"

#include "maps/value.h"
#include "src/base/alloc.h"

#define CACHE_LINE 64u
#define MAX_STRIPES 128u
#define RESERVE 2u                   /* elements per hart: maps/hash.c */
#define MAX_BYTES (8ull << 32)       /* what links can address */
#define MAX_ENTRIES (1u << 27)       /* Linux: 16-byte buckets in less than 2^32 bytes */
#define MAX_ELEMENT (4194304u - 48u) /* Linux: KMALLOC_MAX_SIZE - sizeof(struct htab_elem) */
#define COPY_TRIES 4u

/* ---- elements ------------------------------------------------------------------------------ */

/* The value as user mode sees it; lock: with BPF_F_LOCK. */
static void copy_value(const struct ebpf_hash *hash, struct ebpf_hash_element *e, uint8_t *value,
                       bool lock)
{
    size_t stride = hash->map.value_stride;
    const uint8_t *from;

    if (!hash->percpu && ebpf_has_fields(&hash->map)) {
        ebpf_fields_copy_out(&hash->map, value, ebpf_hash_value(hash, e), lock);
        return;
    }
    if (!hash->percpu) {
        ebpf_value_copy(value, ebpf_hash_value(hash, e), hash->value_size);
        return;
    }
    from = hash->percpu + ebpf_hash_extra(hash, e)->slot * stride;
    for (unsigned cpu = 0; cpu < hash->cpus; cpu++)
        ebpf_value_copy(value + cpu * stride, from + cpu * hash->cpu_stride, stride);
}

/* What is done to an element under its bucket's lock. */
#define TAKE 1u /* it leaves the map */
#define LOCK 2u /* BPF_F_LOCK */

static void leave(struct ebpf_hash *hash, uint32_t element)
{
    end_value(hash, element);
    give_element(hash, element);
    give_place(hash);
}

/* value NULL: only deletes. */
static int copy_element(struct ebpf_hash *hash, const struct probe *p, void *value, unsigned how)
{
    uint64_t state;
    uint32_t *link, old;

    if (!stripe_lock(p->stripe, &state))
        return -EBUSY;
    link = find_link(hash, p);
    old = *link;
    if (old && value)
        copy_value(hash, ebpf_hash_element(hash, old), value, (how & LOCK) != 0);
    if (old && how & TAKE)
        link_store(link, ebpf_hash_element(hash, old)->next);
    stripe_unlock(p->stripe, state, old && how & TAKE);
    if (old && how & TAKE)
        leave(hash, old);
    return old ? 0 : -ENOENT;
}

int ebpf_hash_take_copy(struct ebpf_map *map, const void *key, void *value)
{
    struct probe p = probe_key(ebpf_hash_of(map), key);

    return copy_element(ebpf_hash_of(map), &p, value, TAKE);
}

int ebpf_hash_copy_locked(struct ebpf_map *map, const void *key, void *value, bool take)
{
    struct probe p = probe_key(ebpf_hash_of(map), key);

    return copy_element(ebpf_hash_of(map), &p, value, LOCK | (take ? TAKE : 0));
}

/* The same as ebpf_hash_take_copy() to nowhere, in line. */
int ebpf_hash_remove(struct ebpf_map *map, const void *key)
{
    struct ebpf_hash *hash = ebpf_hash_of(map);
    uint32_t *link, old;
    struct probe p;
    uint64_t state;

    if (__builtin_expect(map->timer_off >= 0, 0))
        return ebpf_hash_take_copy(map, key, NULL);
    p = probe_key(hash, key);
    if (!stripe_lock(p.stripe, &state))
        return -EBUSY;
    link = find_link(hash, &p);
    old = *link;
    if (!old) {
        stripe_unlock(p.stripe, state, false);
        return -ENOENT;
    }
    link_store(link, ebpf_hash_element(hash, old)->next);
    stripe_unlock(p.stripe, state, true);
    give_element(hash, old);
    give_place(hash);
    return 0;
}

int ebpf_hash_lookup_copy(struct ebpf_map *map, const void *key, void *value)
{
    struct ebpf_hash *hash = ebpf_hash_of(map);
    struct probe p = probe_key(hash, key);
    uint64_t since;

    for (unsigned tries = 0; tries < COPY_TRIES; tries++) {
        struct ebpf_hash_element *e = find(hash, &p, &since);

        if (!e)
            return -ENOENT;
        copy_value(hash, e, value, false);
        if (!read_changed(p.stripe, since))
            return 0;
    }
    return copy_element(hash, &p, value, 0); /* others change the chain faster than that */
}

/* ---- buckets ------------------------------------------------------------------------------- */

static void copy_chain(const struct ebpf_hash *hash, uint32_t link, struct ebpf_bucket *out)
{
    size_t key_size = hash->map.key_size, value_size = hash->value_size;

    if (hash->percpu)
        value_size = (size_t)hash->map.value_stride * hash->cpus;
    for (size_t i = 0; link; i++) {
        struct ebpf_hash_element *e = ebpf_hash_element(hash, link);

        ebpf_value_copy(out->keys + i * key_size, e->key, key_size);
        copy_value(hash, e, out->values + i * value_size, out->lock);
        link = e->next;
    }
}

/* The chain from link on is in no bucket any more. */
static void free_chain(struct ebpf_hash *hash, uint32_t link)
{
    for (uint32_t at = link; at; at = ebpf_hash_element(hash, at)->next)
        end_value(hash, at);
    ebpf_spin_lock(&hash->queue.lock);
    while (link) {
        uint32_t next = ebpf_hash_element(hash, link)->next;

        queue_push(hash, link);
        give_place(hash);
        link = next;
    }
    ebpf_spin_unlock(&hash->queue.lock);
}

int ebpf_hash_bucket_copy(struct ebpf_map *map, uint32_t bucket, bool take, struct ebpf_bucket *out)
{
    struct ebpf_hash *hash = ebpf_hash_of(map);
    struct ebpf_hash_stripe *stripe = &ebpf_hash_stripes(hash)[bucket & hash->stripe_mask];
    uint64_t state;
    uint32_t chain;

    out->count = 0;
    if (bucket > hash->bucket_mask)
        return -ENOENT;
    if (!stripe_lock(stripe, &state))
        return -EBUSY;
    chain = hash->buckets[bucket];
    for (uint32_t link = chain; link; link = ebpf_hash_element(hash, link)->next)
        out->count++;
    take = take && chain && out->count <= out->room;
    if (out->count <= out->room)
        copy_chain(hash, chain, out);
    if (take)
        link_store(&hash->buckets[bucket], 0);
    stripe_unlock(stripe, state, take);
    if (take)
        free_chain(hash, chain);
    return out->count <= out->room ? 0 : -ENOSPC;
}

/* ---- keys ---------------------------------------------------------------------------------- */

/* The key of the first element in the buckets from number bucket on. */
static int first_from(const struct ebpf_hash *hash, size_t bucket, void *next)
{
    while (bucket <= hash->bucket_mask) {
        const struct ebpf_hash_stripe *stripe =
            &ebpf_hash_stripes(hash)[bucket & hash->stripe_mask];
        uint64_t since = read_begin(stripe);
        uint32_t link = link_load(&hash->buckets[bucket]);

        if (!link) {
            bucket++;
            continue;
        }
        ebpf_value_copy(next, ebpf_hash_element(hash, link)->key, hash->map.key_size);
        if (!read_changed(stripe, since))
            return 0;
    }
    return -ENOENT;
}

/* Like Linux, starts again with the first key when the given one is not there (any more). */
int ebpf_hash_next_key(struct ebpf_map *map, const void *key, void *next)
{
    const struct ebpf_hash *hash = ebpf_hash_of(map);
    struct probe p;
    struct ebpf_hash_element *e;
    uint64_t since;
    uint32_t link;

    if (!key)
        return first_from(hash, 0, next);
    p = probe_key(hash, key);
    do {
        e = find(hash, &p, &since);
        if (!e)
            return first_from(hash, 0, next);
        link = link_load(&e->next);
        if (link)
            ebpf_value_copy(next, ebpf_hash_element(hash, link)->key, map->key_size);
    } while (read_changed(p.stripe, since));
    return link ? 0 : first_from(hash, (size_t)(p.hash & hash->bucket_mask) + 1, next);
}

/* ---- places -------------------------------------------------------------------------------- */

uint32_t ebpf_hash_places(const struct ebpf_map *map)
{
    return ebpf_hash_of(map)->elements;
}

uint32_t ebpf_hash_locate(const struct ebpf_map *map, const void *value, const void **key)
{
    const struct ebpf_hash *hash = ebpf_hash_of(map);
    uintptr_t element = (uintptr_t)value - hash->value_at;

    *key = ((const struct ebpf_hash_element *)element)->key;
    return ((uint32_t)((element - (uintptr_t)hash) / 8) - hash->element_at) / hash->element_links;
}

/* ---- creation ------------------------------------------------------------------------------ */

int ebpf_hash_check(const struct ebpf_map_spec *spec)
{
    if (spec->max_entries == 0 || spec->key_size == 0 || spec->value_size == 0)
        return -EINVAL;
    if ((uint64_t)spec->key_size + spec->value_size >= MAX_ELEMENT ||
        spec->max_entries > MAX_ENTRIES)
        return -E2BIG;
    return 0;
}

/* A power of two, at least 3/4 of max_entries: chains of 1.33 elements at most when the map is
 * full. */
static uint32_t bucket_count(uint32_t max_entries)
{
    uint32_t count = 1;

    while (count < max_entries - max_entries / 4)
        count *= 2;
    return count;
}

/* Where everything lies in the block, as distances from its start. */
struct layout {
    uint32_t buckets, stripes;
    size_t stripes_at, buckets_at, elements_at;
    size_t value_at, element_size, elements;
    size_t recent_at, recent_count;
    size_t percpu_at, cpu_stride, end;
};

static void layout_element(const struct ebpf_map_spec *spec, unsigned kind, struct layout *l)
{
    l->value_at = sizeof(struct ebpf_hash_element) + EBPF_ROUND_UP((size_t)spec->key_size, 8);
    if (kind)
        l->value_at += sizeof(struct ebpf_hash_extra);
    l->element_size = l->value_at;
    if (!(kind & EBPF_HASH_PERCPU))
        l->element_size += EBPF_ROUND_UP((size_t)spec->value_size, 8);
}

static int make_layout(const struct ebpf_map_spec *spec, unsigned kind, struct layout *l)
{
    unsigned cpus = ebpf_os_cpu_count();
    size_t bytes;

    l->buckets = bucket_count(spec->max_entries);
    l->stripes = l->buckets < MAX_STRIPES ? l->buckets : MAX_STRIPES;
    l->stripes_at = sizeof(struct ebpf_hash);
    l->buckets_at = l->stripes_at + l->stripes * sizeof(struct ebpf_hash_stripe);
    l->elements_at =
        l->buckets_at + EBPF_ROUND_UP(l->buckets * sizeof(uint32_t), (size_t)CACHE_LINE);
    layout_element(spec, kind, l);
    l->elements = spec->max_entries + (size_t)cpus * RESERVE;
    l->recent_at = l->elements_at;
    l->recent_count = kind & EBPF_HASH_LRU ? spec->max_entries / 8 + 1 : 0;
    l->elements_at += EBPF_ROUND_UP(l->recent_count * sizeof(uint32_t), (size_t)CACHE_LINE);
    if (!ebpf_mul_ok(l->element_size, l->elements, &bytes) ||
        !ebpf_add_ok(bytes, l->elements_at, &l->end) || l->end > MAX_BYTES)
        return -ENOMEM;
    l->percpu_at = l->cpu_stride = 0;
    if (kind & EBPF_HASH_PERCPU) {
        /* 2^15 bytes a value, 2^28 values, 2^8 harts: fits */
        l->percpu_at = EBPF_ROUND_UP(l->end, (size_t)CACHE_LINE);
        l->cpu_stride = EBPF_ROUND_UP(EBPF_ROUND_UP((size_t)spec->value_size, 8) * l->elements,
                                      (size_t)CACHE_LINE);
        l->end = l->percpu_at + cpus * l->cpu_stride;
    }
    return 0;
}

static void queue_elements(struct ebpf_hash *hash, unsigned kind)
{
    for (uint32_t i = 0; i < hash->elements; i++) {
        uint32_t link = ebpf_hash_nth(hash, i);
        struct ebpf_hash_element *e = ebpf_hash_element(hash, link);

        e->hash = 0;
        if (kind)
            *ebpf_hash_extra(hash, e) = (struct ebpf_hash_extra){.slot = i};
        queue_push(hash, link);
    }
}

static void set_layout(struct ebpf_hash *hash, const struct layout *l)
{
    hash->bucket_mask = l->buckets - 1;
    hash->stripe_mask = l->stripes - 1;
    hash->value_at = (uint32_t)l->value_at;
    hash->buckets = (uint32_t *)((uintptr_t)hash + l->buckets_at);
    hash->elements = (uint32_t)l->elements;
    hash->element_at = (uint32_t)(l->elements_at / 8);
    hash->element_links = (uint32_t)(l->element_size / 8);
    hash->cpus = ebpf_os_cpu_count();
    hash->recent = (uint32_t *)((uintptr_t)hash + l->recent_at);
    hash->recent_count = (uint32_t)l->recent_count;
    if (l->percpu_at) {
        hash->percpu = (uint8_t *)hash + l->percpu_at;
        hash->cpu_stride = l->cpu_stride;
    }
}

int ebpf_hash_alloc(const struct ebpf_map_spec *spec, unsigned kind, struct ebpf_map **out)
{
    struct ebpf_hash *hash;
    struct layout l;
    void *block;
    int err = make_layout(spec, kind, &l);

    if (err)
        return err;
    block = ebpf_alloc(l.end + CACHE_LINE);
    if (!block)
        return -ENOMEM;
    hash = (struct ebpf_hash *)EBPF_ROUND_UP((uintptr_t)block, (uintptr_t)CACHE_LINE);
    memset(hash, 0, l.elements_at);
    hash->block = block;
    hash->bytes = l.end + CACHE_LINE;
    hash->value_size = spec->value_size;
    set_layout(hash, &l);
    if (!(spec->flags & BPF_F_ZERO_SEED))
        hash->seed = (uint64_t)ebpf_os_random() << 32 | ebpf_os_random();
    queue_elements(hash, kind);
    *out = &hash->map;
    return 0;
}

void ebpf_hash_free(struct ebpf_map *map)
{
    ebpf_free(ebpf_hash_of(map)->block, ebpf_hash_of(map)->bytes);
}
