/* SPDX-License-Identifier: MIT */
/*
 * Ranges of numbers of some width, seen unsigned and signed at once. See range.c. Pure functions,
 * any context. bits is 1 to 64; signed bounds are sign-extended from it.
 */
#ifndef EBPF_VERIFIER_RANGE_H
#define EBPF_VERIFIER_RANGE_H

#include <stdbool.h>
#include <stdint.h>

struct ebpf_range {
    uint64_t umin, umax;
    int64_t smin, smax;
};

/* The number of that width with these bits, as a signed one. */
static inline int64_t ebpf_sext(uint64_t value, unsigned bits)
{
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

struct ebpf_range ebpf_range_unknown(unsigned bits);
struct ebpf_range ebpf_range_const(uint64_t value, unsigned bits);
bool ebpf_range_has(const struct ebpf_range *r, uint64_t value, unsigned bits);
bool ebpf_range_within(const struct ebpf_range *inner, const struct ebpf_range *outer);

/* What is in both, bound by bound; run ebpf_range_sync() afterwards. */
struct ebpf_range ebpf_range_meet(const struct ebpf_range *a, const struct ebpf_range *b);

/* Lets the signed and the unsigned bounds learn from each other; false: no number is within
 * both. */
bool ebpf_range_sync(struct ebpf_range *r, unsigned bits);

/* The lowest `low` bits of all numbers in r. */
struct ebpf_range ebpf_range_low(const struct ebpf_range *r, unsigned low);

/* Cuts off at the ends of r the numbers whose lowest `low` bits (fewer than bits) are not in
 * part; false: none is left. */
bool ebpf_range_trim(struct ebpf_range *r, unsigned bits, const struct ebpf_range *part,
                     unsigned low);

struct ebpf_range ebpf_range_add(const struct ebpf_range *a, const struct ebpf_range *b,
                                 unsigned bits);
struct ebpf_range ebpf_range_sub(const struct ebpf_range *a, const struct ebpf_range *b,
                                 unsigned bits);
struct ebpf_range ebpf_range_mul(const struct ebpf_range *a, const struct ebpf_range *b,
                                 unsigned bits);
/* by a known number of places, below bits */
struct ebpf_range ebpf_range_lsh(const struct ebpf_range *r, unsigned by, unsigned bits);
struct ebpf_range ebpf_range_rsh(const struct ebpf_range *r, unsigned by, unsigned bits);
struct ebpf_range ebpf_range_arsh(const struct ebpf_range *r, unsigned by, unsigned bits);

#endif /* EBPF_VERIFIER_RANGE_H */
