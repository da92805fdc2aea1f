/* SPDX-License-Identifier: MIT */
/*
 * Known bits ("tristate numbers"): each bit of a value is known to be 0, known to be 1, or unknown.
 * See tnum.c. Pure functions, any context. Where a function takes `bits`, values have that many (1
 * to 64), and all results are cut to it; the others work for every width at once, as two's
 * complement arithmetic does.
 */
#ifndef EBPF_VERIFIER_TNUM_H
#define EBPF_VERIFIER_TNUM_H

#include <stdbool.h>
#include <stdint.h>

struct ebpf_tnum {
    uint64_t value; /* the bits known to be 1 */
    uint64_t mask;  /* the unknown bits; never in value too */
};

/* The lowest `bits` bits, 0 to 64. */
static inline uint64_t ebpf_low_bits(unsigned bits)
{
    return bits >= 64 ? ~0ull : (1ull << bits) - 1;
}

static inline struct ebpf_tnum ebpf_tnum_const(uint64_t value)
{
    return (struct ebpf_tnum){value, 0};
}

static inline bool ebpf_tnum_is_const(struct ebpf_tnum t)
{
    return !t.mask;
}

/* May the value be x? */
static inline bool ebpf_tnum_has(struct ebpf_tnum t, uint64_t x)
{
    return !((x ^ t.value) & ~t.mask);
}

struct ebpf_tnum ebpf_tnum_unknown(unsigned bits);
struct ebpf_tnum ebpf_tnum_cut(struct ebpf_tnum t, unsigned bits); /* the lowest bits */
struct ebpf_tnum ebpf_tnum_range(uint64_t min, uint64_t max);      /* holds all of min to max */
bool ebpf_tnum_within(struct ebpf_tnum inner, struct ebpf_tnum outer);

/* What is in both; false: nothing is. */
bool ebpf_tnum_meet(struct ebpf_tnum a, struct ebpf_tnum b, struct ebpf_tnum *out);

struct ebpf_tnum ebpf_tnum_add(struct ebpf_tnum a, struct ebpf_tnum b, unsigned bits);
struct ebpf_tnum ebpf_tnum_sub(struct ebpf_tnum a, struct ebpf_tnum b, unsigned bits);
struct ebpf_tnum ebpf_tnum_mul(struct ebpf_tnum a, struct ebpf_tnum b, unsigned bits);
struct ebpf_tnum ebpf_tnum_and(struct ebpf_tnum a, struct ebpf_tnum b);
struct ebpf_tnum ebpf_tnum_or(struct ebpf_tnum a, struct ebpf_tnum b);
struct ebpf_tnum ebpf_tnum_xor(struct ebpf_tnum a, struct ebpf_tnum b);
/* by a known number of places, below bits */
struct ebpf_tnum ebpf_tnum_lsh(struct ebpf_tnum t, unsigned by, unsigned bits);
struct ebpf_tnum ebpf_tnum_rsh(struct ebpf_tnum t, unsigned by);
struct ebpf_tnum ebpf_tnum_arsh(struct ebpf_tnum t, unsigned by, unsigned bits);
struct ebpf_tnum ebpf_tnum_sext(struct ebpf_tnum t, unsigned from,
                                unsigned bits); /* sign extension */

#endif /* EBPF_VERIFIER_TNUM_H */
