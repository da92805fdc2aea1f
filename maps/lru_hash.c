/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_LRU_HASH, and what BPF_MAP_TYPE_LRU_PERCPU_HASH shares with it: a hash that makes
 * room when it is full, by dropping an element that has not been used for long.
 *
 * Which one: a clock. A hand goes round over all elements, which count how often programs have
 * looked them up or updated them, up to 3; where it finds a count, it takes one off, and the
 * element gets another chance; one without goes. Where the hand has given a chance, it asks at the
 * other end, too: the oldest of the keys that came last (an eighth of the map) goes if nobody has
 * used it yet, so that keys that come once do not drive out those that are in use. After SCAN
 * chances the next element goes whatever it is, so that an update stays short. (Linux has two
 * lists, by hart, and may evict before the map is full; here it never does. BPF_F_NO_COMMON_LRU
 * rounds max_entries up as there, but the clock stays common: it has no lock.)
 *
 * The hand takes no lock. What it points at may be in no chain (queued, or about to be linked) or
 * just be moving: the element is searched in the bucket that its hash names, under that bucket's
 * lock, and only if it is found there it is in the map and leaves it.
 */
#include "maps/hash_inline.h"

#include "maps/value.h"

#define SCAN 64u

int ebpf_lru_hash_check(const struct ebpf_map_spec *spec)
{
    const uint32_t each = BPF_F_NO_COMMON_LRU | BPF_F_NUMA_NODE;

    if (spec->flags & BPF_F_NO_PREALLOC)
        return -ENOTSUPP;
    if ((spec->flags & each) == each) /* Linux: what is each CPU's lies where that is */
        return -EINVAL;
    return ebpf_hash_check(spec);
}

/* Linux gives each hart a list of its own, all of one length. */
void ebpf_lru_hash_adjust(struct ebpf_map_spec *spec)
{
    uint32_t cpus = ebpf_os_cpu_count(), rest = spec->max_entries % cpus;

    /* far from wrapping: ebpf_hash_check() has seen it */
    if (spec->flags & BPF_F_NO_COMMON_LRU && rest)
        spec->max_entries += cpus - rest;
}

/* ---- eviction ------------------------------------------------------------------------------ */

/* Takes the element out of the map if it is in it. */
static bool take_out(struct ebpf_hash *hash, uint32_t element)
{
    uint32_t h = __atomic_load_n(&ebpf_hash_element(hash, element)->hash, __ATOMIC_RELAXED);
    struct ebpf_hash_stripe *stripe = &ebpf_hash_stripes(hash)[h & hash->stripe_mask];
    uint32_t *link = &hash->buckets[h & hash->bucket_mask];
    uint64_t state;
    bool found;

    if (!stripe_lock(stripe, &state))
        return false;
    while (*link && *link != element)
        link = &ebpf_hash_element(hash, *link)->next;
    found = *link == element;
    if (found)
        link_store(link, ebpf_hash_element(hash, element)->next);
    stripe_unlock(stripe, state, found);
    return found;
}

static bool evict_this(struct ebpf_hash *hash, uint32_t element)
{
    if (!take_out(hash, element))
        return false;
    end_value(hash, element);
    give_element(hash, element);
    return true;
}

/* Takes one use off the element's count. */
static bool was_used(const struct ebpf_hash *hash, uint32_t element)
{
    struct ebpf_hash_extra *extra = ebpf_hash_extra(hash, ebpf_hash_element(hash, element));
    uint32_t ref = __atomic_load_n(&extra->ref, __ATOMIC_RELAXED);

    if (ref)
        __atomic_store_n(&extra->ref, ref - 1, __ATOMIC_RELAXED);
    return ref != 0;
}

/* The oldest of the newcomers, once, if it was not used; 0: no such. It may have left the map
 * meanwhile, and even come back as a newer key's: then that one goes. */
static uint32_t unused_newcomer(struct ebpf_hash *hash)
{
    uint32_t at = __atomic_load_n(&hash->recent_at, __ATOMIC_RELAXED) % hash->recent_count;
    uint32_t element = __atomic_exchange_n(&hash->recent[at], 0, __ATOMIC_RELAXED);

    if (!element)
        return 0;
    return __atomic_load_n(&ebpf_hash_extra(hash, ebpf_hash_element(hash, element))->ref,
                           __ATOMIC_RELAXED)
               ? 0
               : element;
}

bool ebpf_lru_hash_evict(struct ebpf_hash *hash)
{
    uint32_t chances = 0;

    /* each round takes one use off, and one more: harts that insert and delete at the same time
     * move elements behind the hand */
    for (uint32_t i = 0; i / (EBPF_LRU_USES + 2) < hash->elements; i++) {
        uint32_t n = __atomic_fetch_add(&hash->hand, 1, __ATOMIC_RELAXED) % hash->elements;
        uint32_t element = ebpf_hash_nth(hash, n);

        if (chances < SCAN && was_used(hash, element)) {
            chances++;
            element = unused_newcomer(hash);
        }
        if (element && evict_this(hash, element))
            return true;
    }
    return false;
}

/* ---- the type ------------------------------------------------------------------------------ */

static void *lru_lookup(struct ebpf_map *map, const void *key)
{
    const struct ebpf_hash *hash = ebpf_hash_of(map);
    struct probe p = probe_key(hash, key);
    uint64_t since;
    struct ebpf_hash_element *e = find(hash, &p, &since);

    if (!e)
        return NULL;
    lru_use(hash, e);
    return ebpf_hash_value(hash, e);
}

/* As publish(), and makes room where it must. */
static int put(struct ebpf_hash *hash, uint32_t element, const struct probe *p, uint64_t flags,
               uint32_t *rest)
{
    int err = publish(hash, element, p, flags, 0, rest);

    if (err != -E2BIG)
        return err;
    if (!hash->evict(hash))
        return -ENOMEM;
    err = publish(hash, element, p, flags, GRANTED, rest);
    if (*rest) /* another hart was first */
        give_place(hash);
    return err;
}

static int lru_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    struct ebpf_hash *hash = ebpf_hash_of(map);
    struct ebpf_hash_element *e;
    uint32_t element, rest;
    struct probe p;
    int err;

    if (flags > BPF_EXIST)
        return -EINVAL;
    element = take_element(hash);
    if (!element)
        return -EBUSY;
    e = ebpf_hash_element(hash, element);
    p = fill_key(hash, element, key);
    ebpf_fields_copy_new(map, ebpf_hash_value(hash, e), value);
    ebpf_store_relaxed(&ebpf_hash_extra(hash, e)->ref, 0);
    err = put(hash, element, &p, flags, &rest);
    if (!err && rest)
        ebpf_store_relaxed(&ebpf_hash_extra(hash, e)->ref, 1); /* used again */
    else if (!err)
        lru_remember(hash, element);
    recycle(hash, element, rest, 0);
    return err;
}

static int lru_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    int err = ebpf_hash_alloc(spec, EBPF_HASH_LRU, out);

    if (!err)
        ebpf_hash_of(*out)->evict = ebpf_lru_hash_evict;
    return err;
}

const struct ebpf_map_ops ebpf_map_lru_hash_ops = {
    .name = "lru_hash",
    .flags = BPF_F_NO_PREALLOC | BPF_F_NO_COMMON_LRU | BPF_F_NUMA_NODE | BPF_F_ZERO_SEED |
             BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG,
    .inner = true,
    .batches = EBPF_BATCH_UPDATE | EBPF_BATCH_DELETE,
    .check = ebpf_lru_hash_check,
    .adjust = ebpf_lru_hash_adjust,
    .alloc = lru_alloc,
    .free = ebpf_hash_free,
    .lookup = lru_lookup,
    .update = lru_update,
    .remove = ebpf_hash_remove,
    .lookup_copy = ebpf_hash_lookup_copy,
    .update_copy = lru_update,
    .take_copy = ebpf_hash_take_copy,
    .bucket_copy = ebpf_hash_bucket_copy,
    .next_key = ebpf_hash_next_key,
    .for_each = ebpf_hash_for_each,
    .places = ebpf_hash_places,
    .locate = ebpf_hash_locate,
};
