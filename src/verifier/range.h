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

void ebpf_range_forget(struct ebpf_range *r, unsigned bits);              /* it can be anything */
void ebpf_range_set(struct ebpf_range *r, uint64_t value, unsigned bits); /* it is value */
bool ebpf_range_has(const struct ebpf_range *r, uint64_t value, unsigned bits);
bool ebpf_range_within(const struct ebpf_range *inner, const struct ebpf_range *outer);

/* r becomes what is in both, bound by bound; run ebpf_range_sync() afterwards. */
void ebpf_range_meet(struct ebpf_range *r, const struct ebpf_range *other);

/* Lets the signed and the unsigned bounds learn from each other; false: no number is within
 * both. */
bool ebpf_range_sync(struct ebpf_range *r, unsigned bits);

/* part becomes what is both in it and among the lowest `low` bits, its width, of the numbers in r;
 * bound by bound. */
void ebpf_range_meet_low(struct ebpf_range *part, const struct ebpf_range *r, unsigned low);

/* Cuts off at the ends of r the numbers whose lowest `low` bits (fewer than bits) are not in
 * part; false: none is left. */
bool ebpf_range_trim(struct ebpf_range *r, unsigned bits, const struct ebpf_range *part,
                     unsigned low);

/* r = r + by and so on; r and by may be the same. */
void ebpf_range_add(struct ebpf_range *r, const struct ebpf_range *by, unsigned bits);
void ebpf_range_sub(struct ebpf_range *r, const struct ebpf_range *by, unsigned bits);
void ebpf_range_mul(struct ebpf_range *r, const struct ebpf_range *by, unsigned bits);
/* by a known number of places, below bits */
void ebpf_range_lsh(struct ebpf_range *r, unsigned by, unsigned bits);
void ebpf_range_rsh(struct ebpf_range *r, unsigned by, unsigned bits);
void ebpf_range_arsh(struct ebpf_range *r, unsigned by, unsigned bits);

#endif /* EBPF_VERIFIER_RANGE_H */
