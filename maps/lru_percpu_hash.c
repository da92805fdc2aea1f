/* SPDX-License-Identifier: MIT */
/* BPF_MAP_TYPE_LRU_PERCPU_HASH: the values of percpu_hash.c, the room of lru_hash.c. */
#include "maps/hash_inline.h"

static int lru_percpu_check(const struct ebpf_map_spec *spec)
{
    int err = ebpf_lru_hash_check(spec);

    if (!err && spec->flags & BPF_F_NUMA_NODE)
        err = -EINVAL;
    return err ? err : ebpf_percpu_hash_check(spec);
}

static int lru_percpu_alloc(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    int err = ebpf_hash_alloc(spec, EBPF_HASH_PERCPU | EBPF_HASH_LRU, out);

    if (!err)
        ebpf_hash_of(*out)->evict = ebpf_lru_hash_evict;
    return err;
}

/* The mark is the element's: bpf_map_lookup_percpu_elem() uses it too. */
static void *lru_percpu_lookup_cpu(struct ebpf_map *map, const void *key, unsigned cpu)
{
    const struct ebpf_hash *hash = ebpf_hash_of(map);
    struct probe p = probe_key(hash, key);
    uint64_t since;
    struct ebpf_hash_element *e = cpu < hash->cpus ? find(hash, &p, &since) : NULL;

    if (!e)
        return NULL;
    lru_use(hash, e);
    return hash->percpu + cpu * hash->cpu_stride +
           (size_t)ebpf_hash_extra(hash, e)->slot * map->value_stride;
}

static void *lru_percpu_lookup(struct ebpf_map *map, const void *key)
{
    return lru_percpu_lookup_cpu(map, key, ebpf_os_cpu_id());
}

const struct ebpf_map_ops ebpf_map_lru_percpu_hash_ops = {
    .name = "lru_percpu_hash",
    .flags = BPF_F_NO_PREALLOC | BPF_F_NO_COMMON_LRU | BPF_F_NUMA_NODE | BPF_F_ZERO_SEED |
             BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG,
    .inner = true,
    .per_cpu = true,
    .batches = EBPF_BATCH_UPDATE | EBPF_BATCH_DELETE,
    .check = lru_percpu_check,
    .adjust = ebpf_lru_hash_adjust,
    .alloc = lru_percpu_alloc,
    .free = ebpf_hash_free,
    .lookup = lru_percpu_lookup,
    .lookup_cpu = lru_percpu_lookup_cpu,
    .update = ebpf_percpu_hash_update,
    .remove = ebpf_hash_remove,
    .lookup_copy = ebpf_hash_lookup_copy,
    .update_copy = ebpf_percpu_hash_update_copy,
    .take_copy = ebpf_hash_take_copy,
    .bucket_copy = ebpf_hash_bucket_copy,
    .next_key = ebpf_hash_next_key,
    .for_each = ebpf_hash_for_each,
};
