/* SPDX-License-Identifier: MIT */
/* How a hash map lies in memory: for hash.c, which says how it works, and for those who look
 * inside (JIT, tests). */
#ifndef EBPF_MAPS_HASH_H
#define EBPF_MAPS_HASH_H

#include "maps/map.h"

/* struct ebpf_hash is followed by its stripes; see ebpf_hash_stripes(). A link is a distance from
 * struct ebpf_hash in units of 8 bytes; 0 ends a chain. */
struct ebpf_hash_element {
    uint32_t next;
    uint32_t hash;
    uint8_t key[]; /* padded with zeros to a multiple of 8; behind it the value */
};

/* Per-CPU and LRU maps: the 8 bytes before an element's value (per-CPU maps keep it elsewhere). */
struct ebpf_hash_extra {
    uint32_t ref;  /* LRU: how often used, up to 3, less how often the clock's hand came by */
    uint32_t slot; /* the element's number: its place in each hart's part of the per-CPU values */
};

struct ebpf_hash_stripe {
    uint64_t state; /* bit 0: locked; the rest: the sequence */
};

/* The queue of elements that are in no chain. Its length is max_entries - count and those for
 * harts, but for what is on its way into and out of the map: an element is there whenever count
 * allows one. */
struct ebpf_hash_queue {
    uint32_t lock;
    uint32_t head, tail; /* under lock; head 0: empty */
    uint32_t count;      /* elements in the map, and those that are about to be; changes alone */
} __attribute__((aligned(64)));

struct ebpf_hash {
    struct ebpf_map map; /* first */
    void *block;         /* as allocated, before alignment */
    size_t bytes;
    uint64_t seed;
    uint32_t bucket_mask, stripe_mask;
    uint32_t value_at;   /* offset in an element */
    uint32_t value_size; /* map.value_size, but where user mode sees something else than is kept */
    uint32_t *buckets;
    struct ebpf_hash_queue queue;

    uint32_t elements, element_at, element_links; /* how many, the first one's link, links apart */
    uint32_t hand;                                /* LRU: the clock's, counts elements */
    uint32_t *recent;                             /* LRU: links of the last new elements, a ring */
    uint32_t recent_count, recent_at;             /* of how many; the oldest one's place */
    /* LRU, called when the map is full: one element leaves it, and its place in count is the
     * caller's. False: none was to be had. NULL: a full map is full. */
    bool (*evict)(struct ebpf_hash *hash);
    uint8_t *percpu; /* per-CPU: each hart's values, cpu_stride bytes apart; else NULL */
    size_t cpu_stride;
    unsigned cpus;
};

static inline struct ebpf_hash *ebpf_hash_of(const struct ebpf_map *map)
{
    return (struct ebpf_hash *)map;
}

static inline struct ebpf_hash_element *ebpf_hash_element(const struct ebpf_hash *hash,
                                                          uint32_t link)
{
    return (struct ebpf_hash_element *)((uintptr_t)hash + 8 * (uintptr_t)link);
}

static inline uint8_t *ebpf_hash_value(const struct ebpf_hash *hash, struct ebpf_hash_element *e)
{
    return (uint8_t *)e + hash->value_at;
}

static inline struct ebpf_hash_stripe *ebpf_hash_stripes(const struct ebpf_hash *hash)
{
    return (struct ebpf_hash_stripe *)((uintptr_t)hash + sizeof(*hash));
}

/* Only where there is one: see struct ebpf_hash_extra. */
static inline struct ebpf_hash_extra *ebpf_hash_extra(const struct ebpf_hash *hash,
                                                      struct ebpf_hash_element *e)
{
    return (struct ebpf_hash_extra *)(void *)((uint8_t *)e + hash->value_at) - 1;
}

/* The link of element number i. */
static inline uint32_t ebpf_hash_nth(const struct ebpf_hash *hash, uint32_t i)
{
    return hash->element_at + i * hash->element_links;
}

/* ---- hash_common.c: operations of all hash types (struct ebpf_map_ops) ---- */
int ebpf_hash_check(const struct ebpf_map_spec *spec);
int ebpf_hash_remove(struct ebpf_map *map, const void *key);
int ebpf_hash_lookup_copy(struct ebpf_map *map, const void *key, void *value);
int ebpf_hash_take_copy(struct ebpf_map *map, const void *key, void *value);
int ebpf_hash_copy_locked(struct ebpf_map *map, const void *key, void *value, bool take);
int ebpf_hash_bucket_copy(struct ebpf_map *map, uint32_t bucket, bool take,
                          struct ebpf_bucket *out);
int ebpf_hash_next_key(struct ebpf_map *map, const void *key, void *next);
void ebpf_hash_free(struct ebpf_map *map);
uint32_t ebpf_hash_places(const struct ebpf_map *map);
uint32_t ebpf_hash_locate(const struct ebpf_map *map, const void *value, const void **key);

/* ---- hash_each.c ---- */
int64_t ebpf_hash_for_each(struct ebpf_map *map, ebpf_map_each_fn fn, void *ctx);

enum ebpf_hash_kind { EBPF_HASH_PERCPU = 1, EBPF_HASH_LRU = 2 };
int ebpf_hash_alloc(const struct ebpf_map_spec *spec, unsigned kind, struct ebpf_map **out);

/* ---- percpu_hash.c, for both per-CPU types ---- */
int ebpf_percpu_hash_check(const struct ebpf_map_spec *spec);
void *ebpf_percpu_hash_lookup_cpu(struct ebpf_map *map, const void *key, unsigned cpu);
void *ebpf_percpu_hash_lookup(struct ebpf_map *map, const void *key);
int ebpf_percpu_hash_update(struct ebpf_map *map, const void *key, const void *value,
                            uint64_t flags);
int ebpf_percpu_hash_update_copy(struct ebpf_map *map, const void *key, const void *value,
                                 uint64_t flags);

/* ---- lru_hash.c, for both LRU types ---- */
int ebpf_lru_hash_check(const struct ebpf_map_spec *spec);
void ebpf_lru_hash_adjust(struct ebpf_map_spec *spec);
bool ebpf_lru_hash_evict(struct ebpf_hash *hash);

#endif /* EBPF_MAPS_HASH_H */
