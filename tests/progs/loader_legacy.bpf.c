/* SPDX-License-Identifier: MIT */
/* Map definitions of the time before BTF; the second dialect has more fields, which are zero. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct legacy_def {
    __u32 type, key_size, value_size, max_entries, map_flags;
};

struct longer_def {
    struct legacy_def def;
    __u32 id, pinning;
};

struct legacy_def SEC("maps") first_map = {BPF_MAP_TYPE_ARRAY, 4, 8, 16, 0};
struct longer_def SEC("maps") second_map = {{BPF_MAP_TYPE_HASH, 8, 4, 32, BPF_F_NO_PREALLOC}, 0, 0};
struct legacy_def SEC("maps") third_map = {BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0};

SEC("socket")
int use_maps(void *ctx)
{
    __u32 zero = 0;
    __u64 *value = bpf_map_lookup_elem(&first_map, &zero);
    __u32 *other = bpf_map_lookup_elem(&third_map, &zero);

    if (!value || !other)
        return 0;
    *value += 5;
    *other += 1;
    return (int)*value + (int)*other;
}

char LICENSE[] SEC("license") = "GPL";
