/* SPDX-License-Identifier: MIT */
/* Global data in all its sections: by object symbol, by section symbol with an offset, and
 * strings. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

__u32 initialised = 40;
__u32 array[4] = {1, 2, 3, 4};
static __u32 counter = 100; /* static: referenced through the section's symbol */
__u64 zero;
static __u64 zeros[3];
const volatile __u32 config = 1;
const volatile char name[16] = "configured";
__u32 custom SEC(".data.custom") = 7;
const volatile __u32 custom_const SEC(".rodata.custom") = 1000;

static volatile const char *pick(int which)
{
    return which ? "first string" : "second string";
}

/* 40 + 3 + 1 + 7 + 1000 = 1051, one more with each run */
SEC("socket")
int sum(void *ctx)
{
    __u32 *third = &array[2];

    asm volatile("" : "+r"(third));
    zero += 2;
    zeros[1] += 3;
    counter++;
    return (int)(initialised + *third + config + custom + custom_const + counter - 101);
}

/* 'e' of "second string" plus 'c' of "configured" */
SEC("socket")
int strings(void *ctx)
{
    volatile const char *s = pick(0);

    return s[1] + name[0];
}

char LICENSE[] SEC("license") = "GPL";
