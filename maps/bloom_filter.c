/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_BLOOM_FILTER: a set of values that can say "certainly not" and "probably". Values
 * can only be added: a push sets some bits, which the value's hash chooses, a peek looks whether
 * all of them are set. map_extra is how many bits (0: 5), as on Linux; the k-th bit is h1 + k * h2
 * (A. Kirsch, M. Mitzenmacher, "Less hashing, same performance", 2006). No locks: bits are set
 * atomically and never cleared.
 */
#include "maps/keyless.h"

#include "maps/mix.h"
#include "maps/value.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"

#define DEFAULT_HASHES 5u

struct bloom {
    struct ebpf_map map; /* first */
    size_t bytes;
    uint64_t seed;
    uint32_t mask; /* of a bit's number */
    uint32_t hashes;
    uint64_t words[];
};

static struct bloom *bloom_of(struct ebpf_map *map)
{
    return (struct bloom *)map;
}

static int bloom_check(const struct ebpf_map_spec *spec)
{
    if (spec->value_size > EBPF_MAX_KEYLESS_VALUE) /* Linux looks at this first */
        return -E2BIG;
    return spec->map_extra & ~15ull ? -EINVAL : ebpf_keyless_check(spec);
}

/* Linux's size: entries * hashes * 7/5 (near the best, hashes / ln 2), a power of two, 2^32 at
 * most. */
static uint64_t bit_count(uint32_t entries, uint32_t hashes)
{
    uint64_t want = (uint64_t)entries * hashes, bits = 64;

    want = want > UINT32_MAX ? want : want * 7 / 5;
    while (bits < want && bits < 1ull << 32)
        bits *= 2;
    return bits;
}

static int bloom_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    uint32_t hashes = spec->map_extra ? (uint32_t)spec->map_extra : DEFAULT_HASHES;
    uint64_t bits = bit_count(spec->max_entries, hashes);
    size_t bytes = sizeof(struct bloom) + (size_t)(bits / 8);
    struct bloom *bloom = ebpf_zalloc(bytes);

    if (!bloom)
        return -ENOMEM;
    bloom->bytes = bytes;
    bloom->mask = (uint32_t)(bits - 1);
    bloom->hashes = hashes;
    if (!(spec->flags & BPF_F_ZERO_SEED))
        bloom->seed = (uint64_t)ebpf_os_random() << 32 | ebpf_os_random();
    *out = &bloom->map;
    return 0;
}

static void bloom_free(struct ebpf_map *map)
{
    ebpf_free(map, bloom_of(map)->bytes);
}

/* ---- bits ---------------------------------------------------------------------------------- */

static uint64_t hash_value(const struct bloom *bloom, const uint8_t *value)
{
    uint32_t left = bloom->map.value_size;
    uint64_t h = bloom->seed ^ left;

    for (; left > 8; left -= 8, value += 8)
        h = ebpf_fold_multiply(h ^ ebpf_word_load(value, 8), EBPF_MIX_1) + EBPF_MIX_2;
    h = ebpf_fold_multiply(h ^ ebpf_word_load(value, left), EBPF_MIX_2);
    return (h ^ h >> 32) * EBPF_MIX_1;
}

/* Number k of the bits that belong to the hash. */
static uint32_t bit_of(const struct bloom *bloom, uint64_t hash, uint32_t k)
{
    return ((uint32_t)(hash >> 32) + k * ((uint32_t)hash | 1)) & bloom->mask;
}

static int bloom_push(struct ebpf_map *map, const void *value, uint64_t flags)
{
    struct bloom *bloom = bloom_of(map);
    uint64_t hash;

    if (flags != BPF_ANY)
        return -EINVAL;
    hash = hash_value(bloom, value);
    for (uint32_t k = 0; k < bloom->hashes; k++) {
        uint32_t bit = bit_of(bloom, hash, k);

        __atomic_fetch_or(&bloom->words[bit / 64], 1ull << bit % 64, __ATOMIC_RELAXED);
    }
    return 0;
}

static int bloom_peek(struct ebpf_map *map, void *value)
{
    const struct bloom *bloom = bloom_of(map);
    uint64_t hash = hash_value(bloom, value);

    for (uint32_t k = 0; k < bloom->hashes; k++) {
        uint32_t bit = bit_of(bloom, hash, k);

        if (!(__atomic_load_n(&bloom->words[bit / 64], __ATOMIC_RELAXED) >> bit % 64 & 1))
            return -ENOENT;
    }
    return 0;
}

static int bloom_pop(struct ebpf_map *map, void *value)
{
    (void)map;
    (void)value;
    return -EOPNOTSUPP;
}

/* ---- user mode ----------------------------------------------------------------------------- */

static int bloom_lookup_copy(struct ebpf_map *map, const void *key, void *value)
{
    (void)key;
    return bloom_peek(map, value);
}

static int bloom_update_copy(struct ebpf_map *map, const void *key, const void *value,
                             uint64_t flags)
{
    (void)key;
    return bloom_push(map, value, flags);
}

static int bloom_remove(struct ebpf_map *map, const void *key)
{
    (void)map;
    (void)key;
    return -EOPNOTSUPP;
}

static int bloom_next_key(struct ebpf_map *map, const void *key, void *next)
{
    (void)map;
    (void)key;
    (void)next;
    return -EOPNOTSUPP;
}

const struct ebpf_map_ops ebpf_map_bloom_filter_ops = {
    .name = "bloom_filter",
    .flags = BPF_F_NUMA_NODE | BPF_F_ZERO_SEED | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG |
             BPF_F_WRONLY_PROG,
    .inner = true,
    .extra = true,
    .value_in = true,
    .check = bloom_check,
    .alloc = bloom_alloc,
    .free = bloom_free,
    .lookup = ebpf_no_lookup,
    .update = ebpf_no_update,
    .remove = bloom_remove,
    .push = bloom_push,
    .pop = bloom_pop,
    .peek = bloom_peek,
    .lookup_copy = bloom_lookup_copy,
    .update_copy = bloom_update_copy,
    .next_key = bloom_next_key,
    .own_helpers = true,
};
