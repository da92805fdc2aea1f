/* SPDX-License-Identifier: MIT */
/* Two functions that call each other: the loader must end, whoever checks programs must refuse. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define noinline __attribute__((noinline))

noinline int pong(int n);

noinline int ping(int n)
{
    asm volatile("" : "+r"(n));
    return n ? pong(n - 1) + 1 : 0;
}

noinline int pong(int n)
{
    asm volatile("" : "+r"(n));
    return n ? ping(n - 1) + 1 : 0;
}

SEC("?socket")
int recursive(void *ctx)
{
    return ping(3);
}

char LICENSE[] SEC("license") = "GPL";
