/* SPDX-License-Identifier: MIT */
/* The multiplication that the hash functions here are made of. Context A. */
#ifndef EBPF_MAPS_MIX_H
#define EBPF_MAPS_MIX_H

#include <stdint.h>

/* numbers without a pattern: the fractions of the golden ratio and of sqrt(3) */
#define EBPF_MIX_1 0x9e3779b97f4a7c15u
#define EBPF_MIX_2 0xbb67ae8584caa73bu

/* Both halves of a 128-bit product, folded: on RV64 one mul and one mulhu. */
static inline uint64_t ebpf_fold_multiply(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#endif /* EBPF_MAPS_MIX_H */
