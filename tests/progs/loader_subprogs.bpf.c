/* SPDX-License-Identifier: MIT */
/* Functions called across sections: static and global ones in .text, one beside its caller, one by
 * reference. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define noinline __attribute__((noinline))

static noinline __u64 twice(__u64 a)
{
    asm volatile("" : "+r"(a));
    return a + a;
}

static noinline __u64 twice_and_one(__u64 a)
{
    asm volatile("" : "+r"(a));
    return twice(a) + 1;
}

noinline int global_add(int a, int b)
{
    asm volatile("" : "+r"(a), "+r"(b));
    return a + b;
}

SEC("socket") static noinline int beside(int a)
{
    asm volatile("" : "+r"(a));
    return global_add(a, 1) * 3;
}

/* (2 * 5 + 1) + (5 + 7) + (2 * 4) = 31 */
SEC("socket")
int chain(void *ctx)
{
    return (int)twice_and_one(5) + global_add(5, 7) + (int)twice(4);
}

/* (9 + 1) * 3 = 30 */
SEC("socket")
int neighbour(void *ctx)
{
    return beside(9);
}

SEC("socket")
int alone(void *ctx)
{
    return 5;
}

static int step(__u32 index, void *ctx)
{
    *(__u64 *)ctx += index;
    return twice(index) > 100;
}

/* loads a function's address: BPF_PSEUDO_FUNC */
SEC("?kprobe")
int callback(void *ctx)
{
    __u64 sum = 0;

    bpf_loop(10, step, &sum, 0);
    return (int)sum;
}

char LICENSE[] SEC("license") = "GPL";
