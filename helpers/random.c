/* SPDX-License-Identifier: MIT */
/*
 * Helper 7: pseudo-random numbers, quick and not for secrets. Like Linux's, each hart has a
 * generator of its own, seeded once from the kernel's random numbers: xorshift64* (S. Vigna, "An
 * experimental exploration of Marsaglia's xorshift generators, scrambled", 2016), whose state is
 * never 0.
 */
#include "helpers/helper.h"

struct hart {
    uint64_t state; /* 0: not seeded yet */
} __attribute__((aligned(64)));

static struct hart harts[EBPF_CONFIG_MAX_CPUS];

/* The hart's number keeps harts apart even where the kernel's random numbers are poor. */
static uint64_t seed(unsigned cpu)
{
    uint64_t random = (uint64_t)ebpf_os_random() << 32 | ebpf_os_random();
    uint64_t state = random ^ (cpu + 1) * 0x9e3779b97f4a7c15u;

    return state ? state : 1;
}

EBPF_HELPER_FN(get_prandom_u32)
{
    unsigned cpu = ebpf_os_cpu_id();
    uint64_t x = harts[cpu].state;

    if (!x)
        x = seed(cpu);
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    harts[cpu].state = x;
    return x * 0x2545f4914f6cdd1du >> 32;
}

const struct ebpf_helper ebpf_helper_get_prandom_u32 = {
    .name = "get_prandom_u32",
    .fn = get_prandom_u32,
};
