/* SPDX-License-Identifier: MIT */
/* Maps of maps, with an initial value. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct inner {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
};

struct inner first SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, 4);
    __type(key, __u32);
    __array(values, struct inner);
} outer SEC(".maps") = {.values = {[2] = &first}};

struct {
    __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
    __uint(max_entries, 4);
    __type(key, __u32);
    __array(values, struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 3);
        __type(key, __u64);
        __type(value, __u8);
    });
} empty SEC(".maps");

SEC("socket")
int count(struct __sk_buff *skb)
{
    __u32 at = 2, zero = 0, *value;
    void *map = bpf_map_lookup_elem(&outer, &at);

    if (!map)
        return -1;
    value = bpf_map_lookup_elem(map, &zero);
    return value ? ++*value : -2;
}
