/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_HASH: everything preallocated, lookups without a lock.
 *
 * One block of memory holds it all and lives until the map's grace period is over, so a stale
 * pointer into it is never wild: struct ebpf_hash | stripes[] | buckets[] | elements[]
 * (maps/hash.h). Links are 32-bit: distance from the block's start in units of 8 bytes; 0 ends a
 * chain.
 *
 * Elements. max_entries can be in the map. Those that are not wait in a queue: an update takes the
 * first, fills it before it locks the bucket, and links it in place of the old element: the old
 * value stays as it is for programs that hold a pointer to it. Elements that left the map go to the
 * end of the queue, so memory is reused as late as possible; two more per hart, one on its way into
 * the map and one on its way out, keep the queue from running dry in a full map. (Linux reuses a
 * replaced element with the hart's next update.)
 *
 * Writers hold the lock of the bucket's stripe (stripe s guards the buckets s, s + stripes, ...) or
 * the queue's lock, never both; interrupts are off. While one is held nothing outside of these
 * files is called, so no probe can run a program there and no hart meets itself. If one did all the
 * same, because its kernel takes a trap there, it would give up: a nested writer gets -EBUSY after
 * it has waited in vain for long (ebpf_spin_try()).
 *
 * Readers take no lock. A stripe's state is a sequence number that each change of one of its
 * chains advances when the lock is released. One change is one store to one link: a reader in the
 * middle of it sees the chain from before or the one from after. Only after the release may the
 * element that was unlinked go to the queue and be filled again or linked elsewhere. So if the
 * sequence is the same before and after a walk, no element of the walk was reused, and the answer
 * (found, or not there) was right at some moment between the two; if not, the walk starts again.
 * What makes this hold on a weakly ordered machine: links are stored with release, and a release
 * fence stands between taking an element from the queue and filling it (ebpf_store_release(), by
 * which the queue's lock goes), so whoever sees new contents sees the advanced sequence too.
 */
#include "maps/hash_inline.h"

#include "maps/value.h"

static void *hash_lookup(struct ebpf_map *map, const void *key)
{
    const struct ebpf_hash *hash = ebpf_hash_of(map);
    struct probe p = probe_key(hash, key);
    uint64_t since;
    struct ebpf_hash_element *e = find(hash, &p, &since);

    return e ? ebpf_hash_value(hash, e) : NULL;
}

HOT int update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags,
               unsigned how)
{
    struct ebpf_hash *hash = ebpf_hash_of(map);
    uint32_t element = take_element(hash), rest;
    struct probe p;
    uint8_t *to;
    int err;

    if (!element)
        return -EBUSY;
    p = fill_key(hash, element, key);
    to = ebpf_hash_value(hash, ebpf_hash_element(hash, element));
    if (how & PLAIN)
        ebpf_value_copy(to, value, map->value_size);
    else
        ebpf_fields_copy_new(map, to, value);
    err = publish(hash, element, &p, flags, how, &rest);
    recycle(hash, element, rest, how);
    return err;
}

/* Values with locks or timers, and flags that are wrong without. */
static __attribute__((noinline)) int update_fields(struct ebpf_map *map, const void *key,
                                                   const void *value, uint64_t flags)
{
    if ((flags & ~(uint64_t)BPF_F_LOCK) > BPF_EXIST || (flags & BPF_F_LOCK && map->lock_off < 0))
        return -EINVAL;
    return update(map, key, value, flags, 0);
}

static int hash_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    if (__builtin_expect(flags > BPF_EXIST || ebpf_has_fields(map), 0))
        return update_fields(map, key, value, flags);
    return update(map, key, value, flags, PLAIN);
}

static int hash_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    return ebpf_hash_alloc(spec, 0, out);
}

/* BPF_F_NO_PREALLOC is accepted, but programs never allocate: the elements are there from the
 * start. */
const struct ebpf_map_ops ebpf_map_hash_ops = {
    .name = "hash",
    .flags = BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_ZERO_SEED | BPF_F_RDONLY | BPF_F_WRONLY |
             BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG,
    .inner = true,
    .batches = EBPF_BATCH_UPDATE | EBPF_BATCH_DELETE,
    .check = ebpf_hash_check,
    .alloc = hash_alloc,
    .free = ebpf_hash_free,
    .lookup = hash_lookup,
    .update = hash_update,
    .remove = ebpf_hash_remove,
    .lookup_copy = ebpf_hash_lookup_copy,
    .update_copy = hash_update,
    .take_copy = ebpf_hash_take_copy,
    .copy_locked = ebpf_hash_copy_locked,
    .bucket_copy = ebpf_hash_bucket_copy,
    .next_key = ebpf_hash_next_key,
    .for_each = ebpf_hash_for_each,
    .places = ebpf_hash_places,
    .locate = ebpf_hash_locate,
};
