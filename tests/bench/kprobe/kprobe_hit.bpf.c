/* SPDX-License-Identifier: MIT */
/* Programs for a kprobe: one that does nothing, and one that counts in an array map. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u64);
} c SEC(".maps");
SEC("kprobe") int hit(void *ctx)
{
    __u32 k = 0;
    __u64 *v = bpf_map_lookup_elem(&c, &k);
    if (v)
        __sync_fetch_and_add(v, 1);
    return 0;
}
SEC("kprobe") int nothing(void *ctx)
{
    return 0;
}
