/* SPDX-License-Identifier: MIT */
/* A program array with initial contents. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("socket")
int target(struct __sk_buff *skb)
{
    return 42;
}

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __array(values, int(void *));
} jumps SEC(".maps") = {.values = {[1] = (void *)&target}};

SEC("socket")
int jump(struct __sk_buff *skb)
{
    bpf_tail_call(skb, &jumps, 1);
    return 1;
}

SEC("socket")
int jump_nowhere(struct __sk_buff *skb)
{
    bpf_tail_call(skb, &jumps, 0);
    return 2;
}
