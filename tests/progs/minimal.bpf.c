/* SPDX-License-Identifier: MIT */
/* For tests/system/minimal.c: a map, a packet, and a probe on a function that the kernel has no
 * name of. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} totals SEC(".maps");

/* the sum of the packet's first 64 bytes */
SEC("xdp")
int sum(struct xdp_md *ctx)
{
    __u8 *byte = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;
    __u32 key = 0, result = 0;
    __u64 *total = bpf_map_lookup_elem(&totals, &key);

    for (int i = 0; i < 64 && byte + 1 <= end; i++)
        result += *byte++;
    if (total)
        __sync_fetch_and_add(total, result);
    return result;
}

SEC("kprobe/nowhere")
int nowhere(void *ctx)
{
    (void)ctx;
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
