/* SPDX-License-Identifier: MIT */
/* Kprobe sections that name no usable place. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("kprobe")
int nowhere(void *ctx)
{
    return 0;
}

SEC("kprobe/do_something+0x100000000000000000")
int too_large(void *ctx)
{
    return 0;
}

#define TEN "abcdefghij"
SEC("kprobe/" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN)
int long_name(void *ctx)
{
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
