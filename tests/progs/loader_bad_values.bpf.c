/* SPDX-License-Identifier: MIT */
/* Refused: a program array with initial contents. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("socket")
int target(void *ctx)
{
    return 0;
}

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __array(values, int(void *));
} jumps SEC(".maps") = {.values = {[1] = (void *)&target}};
