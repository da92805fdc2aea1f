/* SPDX-License-Identifier: MIT */
/*
 * bench-memory: what an element takes of memory, for each map type of this build: all that a map's
 * creation asks the kernel for, divided by its elements. On a machine of four harts, whose per-CPU
 * maps hold four values. Prints `MEMORY TYPE key= value= entries= bytes_per_element=`.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/map.h"

static size_t live;

void *ebpf_os_alloc(size_t size)
{
    live += size;
    return aligned_alloc(16, (size + 15) & ~(size_t)15);
}

void ebpf_os_free(void *ptr, size_t size)
{
    live -= size;
    free(ptr);
}

unsigned long ebpf_os_irq_save(void)
{
    return 0;
}

void ebpf_os_irq_restore(unsigned long state)
{
    (void)state;
}

uint64_t ebpf_os_time_ns(void)
{
    return 1;
}

unsigned ebpf_os_cpu_count(void)
{
    return 4;
}

void ebpf_os_console(const char *line)
{
    puts(line);
}

/* A size of key and value that the type takes, and what else it wants. */
static bool shape(uint32_t type, struct ebpf_map_spec *spec)
{
    switch (type) {
    case BPF_MAP_TYPE_QUEUE:
    case BPF_MAP_TYPE_STACK:
    case BPF_MAP_TYPE_BLOOM_FILTER:
        spec->key_size = 0;
        break;
    case BPF_MAP_TYPE_ARRAY:
    case BPF_MAP_TYPE_PERCPU_ARRAY:
        spec->key_size = 4;
        break;
    case BPF_MAP_TYPE_PROG_ARRAY:
    case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
        spec->key_size = spec->value_size = 4;
        break;
    case BPF_MAP_TYPE_LPM_TRIE:
        spec->flags = BPF_F_NO_PREALLOC;
        break;
    case BPF_MAP_TYPE_HASH:
    case BPF_MAP_TYPE_PERCPU_HASH:
    case BPF_MAP_TYPE_LRU_HASH:
    case BPF_MAP_TYPE_LRU_PERCPU_HASH:
        break;
    default:
        return false; /* not elements of a size (ring buffers), or not without another map */
    }
    return true;
}

static int measure(uint32_t type, uint32_t key, uint32_t value, uint32_t entries)
{
    struct ebpf_map_spec spec = {
        .type = type, .key_size = key, .value_size = value, .max_entries = entries};
    size_t before = live, bytes;
    struct ebpf_map *map;
    int err;

    if (!ebpf_map_ops(type) || !shape(type, &spec))
        return 0;
    err = ebpf_map_create(&spec, &map);
    if (err) {
        printf("%s: error %d\n", ebpf_map_ops(type)->name, err);
        return 1;
    }
    bytes = live - before;
    printf("MEMORY %s key=%u value=%u entries=%u bytes_per_element=%.1f\n", map->ops->name,
           spec.key_size, spec.value_size, entries, (double)bytes / entries);
    ebpf_obj_put(ebpf_map_obj(map));
    return 0;
}

int main(void)
{
    int failed = ebpf_init();

    for (uint32_t type = 1; type < 64 && !failed; type++)
        failed = measure(type, 8, 8, 1000);
    if (!failed)
        failed = measure(BPF_MAP_TYPE_HASH, 4, 8, 100) || measure(BPF_MAP_TYPE_HASH, 4, 8, 10000) ||
                 measure(BPF_MAP_TYPE_HASH, 16, 64, 1000);
    return failed;
}
