/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_PERCPU_HASH, and what BPF_MAP_TYPE_LRU_PERCPU_HASH shares with it: a hash whose
 * elements stand for one value on each hart. The values lie behind the elements, each hart's
 * together, so that harts do not share cache lines. An update of a key that is there writes in
 * place, as on Linux: no other hart's value changes, so nothing can be replaced.
 */
#include "maps/hash_inline.h"

#include "maps/value.h"

#define MAX_VALUE 32768u /* Linux: PCPU_MIN_UNIT_SIZE */

int ebpf_percpu_hash_check(const struct ebpf_map_spec *spec)
{
    int err = ebpf_hash_check(spec);

    return !err && spec->value_size > MAX_VALUE ? -E2BIG : err;
}

static uint8_t *value_of(const struct ebpf_hash *hash, struct ebpf_hash_element *e, unsigned cpu)
{
    return hash->percpu + cpu * hash->cpu_stride +
           (size_t)ebpf_hash_extra(hash, e)->slot * hash->map.value_stride;
}

void *ebpf_percpu_hash_lookup_cpu(struct ebpf_map *map, const void *key, unsigned cpu)
{
    const struct ebpf_hash *hash = ebpf_hash_of(map);
    struct probe p = probe_key(hash, key);
    uint64_t since;
    struct ebpf_hash_element *e = cpu < hash->cpus ? find(hash, &p, &since) : NULL;

    return e ? value_of(hash, e, cpu) : NULL;
}

void *ebpf_percpu_hash_lookup(struct ebpf_map *map, const void *key)
{
    return ebpf_percpu_hash_lookup_cpu(map, key, ebpf_os_cpu_id());
}

/* ---- updates ------------------------------------------------------------------------------- */

/* What an update brings: a value for this hart, or one for each. cpu is asked for before any lock is
 * held: nobody outside is called inside. */
struct update {
    const uint8_t *value;
    uint64_t flags;
    bool all;
    unsigned cpu; /* this hart */
};

static void clear(uint8_t *value, size_t len)
{
    for (; len; value += 8, len -= 8)
        ebpf_word_store(value, 0, 8);
}

/* fresh: the element is new, so that nothing may be left of who had it before. */
static void set_values(const struct ebpf_hash *hash, struct ebpf_hash_element *e,
                       const struct update *u, bool fresh)
{
    size_t stride = hash->map.value_stride;

    for (unsigned cpu = 0; cpu < hash->cpus; cpu++) {
        if (u->all) {
            ebpf_value_copy(value_of(hash, e, cpu), u->value + cpu * stride, stride);
            continue;
        }
        if (fresh)
            clear(value_of(hash, e, cpu), stride);
        if (cpu == u->cpu)
            ebpf_value_copy(value_of(hash, e, cpu), u->value, hash->map.value_size);
    }
}

#define WANTS_ELEMENT 1

/* Into the element of the key, or into this one, whose key is filled in; without one (0) and where
 * one is wanted WANTS_ELEMENT. *used: the element went into the map. */
static int put(struct ebpf_hash *hash, uint32_t element, const struct probe *p,
               const struct update *u, bool granted, bool *used)
{
    uint64_t state;
    uint32_t link;
    int err = 0;

    *used = false;
    if (!stripe_lock(p->stripe, &state))
        return -EBUSY;
    link = *find_link(hash, p);
    if (link && u->flags == BPF_NOEXIST) {
        err = -EEXIST;
    } else if (!link && u->flags == BPF_EXIST) {
        err = -ENOENT;
    } else if (link) {
        set_values(hash, ebpf_hash_element(hash, link), u, false);
        lru_use(hash, ebpf_hash_element(hash, link));
    } else if (!element) {
        err = WANTS_ELEMENT;
    } else if (!granted && !take_place(hash)) {
        err = -E2BIG;
    } else {
        set_values(hash, ebpf_hash_element(hash, element), u, true);
        ebpf_store_relaxed(&ebpf_hash_extra(hash, ebpf_hash_element(hash, element))->ref, 0);
        link_element(hash, element, p->bucket, false);
        *used = true;
        if (hash->recent_count)
            lru_remember(hash, element);
    }
    stripe_unlock(p->stripe, state, *used);
    return err;
}

/* A key that was not there. */
static int put_new(struct ebpf_hash *hash, const void *key, const struct update *u)
{
    uint32_t element = take_element(hash);
    struct probe p;
    bool used;
    int err;

    if (!element)
        return -EBUSY;
    p = fill_key(hash, element, key);
    err = put(hash, element, &p, u, false, &used);
    if (err == -E2BIG && hash->evict) {
        if (hash->evict(hash)) {
            err = put(hash, element, &p, u, true, &used);
            if (!used)
                give_place(hash);
        } else {
            err = -ENOMEM;
        }
    }
    if (!used)
        untake_element(hash, element);
    return err;
}

static int update(struct ebpf_map *map, const void *key, const struct update *u)
{
    struct ebpf_hash *hash = ebpf_hash_of(map);
    struct probe p;
    bool used;
    int err;

    if (u->flags > BPF_EXIST)
        return -EINVAL;
    p = probe_key(hash, key);
    err = put(hash, 0, &p, u, false, &used);
    return err == WANTS_ELEMENT ? put_new(hash, key, u) : err;
}

int ebpf_percpu_hash_update(struct ebpf_map *map, const void *key, const void *value,
                            uint64_t flags)
{
    return update(map, key, &(struct update){value, flags, false, ebpf_os_cpu_id()});
}

int ebpf_percpu_hash_update_copy(struct ebpf_map *map, const void *key, const void *value,
                                 uint64_t flags)
{
    return update(map, key, &(struct update){value, flags, true, 0});
}

static int percpu_hash_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    return ebpf_hash_alloc(spec, EBPF_HASH_PERCPU, out);
}

const struct ebpf_map_ops ebpf_map_percpu_hash_ops = {
    .name = "percpu_hash",
    .flags = BPF_F_NO_PREALLOC | BPF_F_ZERO_SEED | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG |
             BPF_F_WRONLY_PROG,
    .inner = true,
    .per_cpu = true,
    .batches = EBPF_BATCH_UPDATE | EBPF_BATCH_DELETE,
    .check = ebpf_percpu_hash_check,
    .alloc = percpu_hash_alloc,
    .free = ebpf_hash_free,
    .lookup = ebpf_percpu_hash_lookup,
    .lookup_cpu = ebpf_percpu_hash_lookup_cpu,
    .update = ebpf_percpu_hash_update,
    .remove = ebpf_hash_remove,
    .lookup_copy = ebpf_hash_lookup_copy,
    .update_copy = ebpf_percpu_hash_update_copy,
    .take_copy = ebpf_hash_take_copy,
    .bucket_copy = ebpf_hash_bucket_copy,
    .next_key = ebpf_hash_next_key,
    .for_each = ebpf_hash_for_each,
};
