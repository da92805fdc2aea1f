/* SPDX-License-Identifier: MIT */
/* How a hash map lies in memory: for hash.c, which says how it works, and for those who look
 * inside (JIT, tests). */
#ifndef EBPF_MAPS_HASH_H
#define EBPF_MAPS_HASH_H

#include "maps/map.h"

/* A link is a distance from struct ebpf_hash in units of 8 bytes; 0 ends a chain. */
struct ebpf_hash_element {
    uint32_t next;
    uint32_t hash;
    uint8_t key[]; /* padded with zeros to a multiple of 8; behind it the value */
};

struct ebpf_hash_stripe {
    uint64_t state; /* bit 0: locked; the rest: the sequence */
};

struct ebpf_hash_hart {
    uint32_t spare; /* link of the element that only this hart may fill */
    uint32_t busy;  /* this hart is changing the map */
} __attribute__((aligned(64)));

/* The queue of elements that are in no chain and no hart's spare. Under lock: its length is
 * max_entries - count + RESERVE per hart, so an element is there whenever count allows one. */
struct ebpf_hash_queue {
    uint32_t lock;
    uint32_t head, tail;
    uint32_t count; /* elements in the map */
} __attribute__((aligned(64)));

struct ebpf_hash {
    struct ebpf_map map; /* first */
    void *block;         /* as allocated, before alignment */
    size_t bytes;
    uint64_t seed;
    uint32_t bucket_mask, stripe_mask;
    uint32_t value_at; /* offset in an element */
    uint32_t *buckets;
    struct ebpf_hash_stripe *stripes;
    struct ebpf_hash_hart *harts;
    struct ebpf_hash_queue queue;
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

#endif /* EBPF_MAPS_HASH_H */
