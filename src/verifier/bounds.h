/* SPDX-License-Identifier: MIT */
/*
 * What is known about a number in a register: known bits, and ranges of the whole and of its low
 * half. See bounds.c. Pure functions, any context. bits is the register's width: 64, and smaller
 * even widths in tests, which can then try all values.
 */
#ifndef EBPF_VERIFIER_BOUNDS_H
#define EBPF_VERIFIER_BOUNDS_H

#include "src/verifier/range.h"
#include "src/verifier/tnum.h"

struct ebpf_scalar {
    struct ebpf_tnum known;
    struct ebpf_range full, half;
};

void ebpf_scalar_forget(struct ebpf_scalar *s, unsigned bits);              /* it can be anything */
void ebpf_scalar_set(struct ebpf_scalar *s, uint64_t value, unsigned bits); /* it is value */
bool ebpf_scalar_has(const struct ebpf_scalar *s, uint64_t value, unsigned bits);

static inline bool ebpf_scalar_is_const(const struct ebpf_scalar *s)
{
    return ebpf_tnum_is_const(s->known);
}

static inline bool ebpf_scalar_is(const struct ebpf_scalar *s, uint64_t value)
{
    return !s->known.mask && s->known.value == value;
}

/* Is every number of inner one of outer, bound by bound? */
bool ebpf_scalar_within(const struct ebpf_scalar *inner, const struct ebpf_scalar *outer);

/* Lets all parts learn from each other; false: no number is left. */
bool ebpf_scalar_sync(struct ebpf_scalar *s, unsigned bits);

/* s becomes its lowest `low` bits, zero- or sign-extended: loads, MOVSX. */
void ebpf_scalar_zext(struct ebpf_scalar *s, unsigned low, unsigned bits);
void ebpf_scalar_movsx(struct ebpf_scalar *s, unsigned low, unsigned bits);

/*
 * dst becomes the result of an instruction of class BPF_ALU64 (wide) or BPF_ALU: op is BPF_ADD to
 * BPF_ARSH without BPF_MOV. What the domain does not follow (BPF_DIV, BPF_MOD, shifts by an unknown
 * number or by too many places) is unknown, but for the upper half, which is zero where !wide. dst
 * and src may be the same.
 */
void ebpf_scalar_alu(uint8_t op, bool wide, struct ebpf_scalar *dst, const struct ebpf_scalar *src,
                     unsigned bits);

/*
 * Narrows dst and src to the values with which the jump `op` (BPF_JEQ to BPF_JSLE; class BPF_JMP:
 * wide, else BPF_JMP32) is taken, or is not. false: there are none, that way is dead; dst and src
 * are of no use then.
 */
bool ebpf_scalar_branch(uint8_t op, bool wide, bool taken, struct ebpf_scalar *dst,
                        struct ebpf_scalar *src, unsigned bits);

#endif /* EBPF_VERIFIER_BOUNDS_H */
