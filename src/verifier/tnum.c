/* SPDX-License-Identifier: MIT */
/*
 * Known bits. A tnum (value, mask) stands for the set of all x with x & ~mask == value: each bit is
 * known to be 0 (neither has it), known to be 1 (value has it) or unknown (mask has it). Example:
 * (0b0100, 0b0011) is {4, 5, 6, 7}.
 *
 * An operation is sound when its result holds op(x, y) for every x in a and y in b. All of them are
 * computed on whole words, without looking at one bit after the other, but multiplication. The
 * empty set has no tnum: only ebpf_tnum_meet() can find it, and says so.
 *
 * The idea is published: H. Vishwanathan et al., "Sound, Precise, and Fast Abstract Interpretation
 * with Tristate Numbers", CGO 2022.
 */
#include "src/verifier/tnum.h"

struct ebpf_tnum ebpf_tnum_unknown(unsigned bits)
{
    return (struct ebpf_tnum){0, ebpf_low_bits(bits)};
}

struct ebpf_tnum ebpf_tnum_cut(struct ebpf_tnum t, unsigned bits)
{
    return (struct ebpf_tnum){t.value & ebpf_low_bits(bits), t.mask & ebpf_low_bits(bits)};
}

/* Bits above the highest one in which min and max differ are the same in all numbers between
 * them. */
struct ebpf_tnum ebpf_tnum_range(uint64_t min, uint64_t max)
{
    uint64_t differ = min ^ max;

    for (unsigned by = 1; by < 64; by *= 2)
        differ |= differ >> by;
    return (struct ebpf_tnum){min & ~differ, differ};
}

bool ebpf_tnum_within(struct ebpf_tnum inner, struct ebpf_tnum outer)
{
    return !(inner.mask & ~outer.mask) && !((inner.value ^ outer.value) & ~outer.mask);
}

bool ebpf_tnum_meet(struct ebpf_tnum a, struct ebpf_tnum b, struct ebpf_tnum *out)
{
    if ((a.value ^ b.value) & ~a.mask & ~b.mask)
        return false;
    *out = (struct ebpf_tnum){a.value | b.value, a.mask & b.mask};
    return true;
}

/*
 * The smallest sum has all unknown bits 0, the largest all 1. A bit of the result is unknown where
 * an operand's is, or where the carry into it can differ: those are the bits in which the two sums
 * differ from each other.
 */
struct ebpf_tnum ebpf_tnum_add(struct ebpf_tnum a, struct ebpf_tnum b, unsigned bits)
{
    uint64_t least = a.value + b.value, most = least + a.mask + b.mask;
    uint64_t unknown = (least ^ most) | a.mask | b.mask;

    return ebpf_tnum_cut((struct ebpf_tnum){least & ~unknown, unknown}, bits);
}

/* The same with borrows: least where a's unknown bits are 0 and b's are 1. */
struct ebpf_tnum ebpf_tnum_sub(struct ebpf_tnum a, struct ebpf_tnum b, unsigned bits)
{
    uint64_t plain = a.value - b.value;
    uint64_t unknown = ((plain - b.mask) ^ (plain + a.mask)) | a.mask | b.mask;

    return ebpf_tnum_cut((struct ebpf_tnum){plain & ~unknown, unknown}, bits);
}

/* As in school: a sum of b, moved, for each bit of a. For an unknown bit of a, "b or nothing": all
 * of b's bits that can be 1 are unknown. */
struct ebpf_tnum ebpf_tnum_mul(struct ebpf_tnum a, struct ebpf_tnum b, unsigned bits)
{
    struct ebpf_tnum sum = ebpf_tnum_const(0);

    if (ebpf_tnum_is_const(a) && ebpf_tnum_is_const(b))
        return ebpf_tnum_cut(ebpf_tnum_const(a.value * b.value), bits);
    for (unsigned i = 0; i < bits && (a.value | a.mask) >> i; i++) {
        struct ebpf_tnum part = ebpf_tnum_lsh(b, i, bits);

        if (a.mask >> i & 1)
            part = (struct ebpf_tnum){0, part.value | part.mask};
        else if (!(a.value >> i & 1))
            continue;
        sum = ebpf_tnum_add(sum, part, bits);
    }
    return sum;
}

struct ebpf_tnum ebpf_tnum_and(struct ebpf_tnum a, struct ebpf_tnum b)
{
    uint64_t ones = a.value & b.value, maybe = (a.value | a.mask) & (b.value | b.mask);

    return (struct ebpf_tnum){ones, maybe & ~ones};
}

struct ebpf_tnum ebpf_tnum_or(struct ebpf_tnum a, struct ebpf_tnum b)
{
    uint64_t ones = a.value | b.value;

    return (struct ebpf_tnum){ones, (a.mask | b.mask) & ~ones};
}

struct ebpf_tnum ebpf_tnum_xor(struct ebpf_tnum a, struct ebpf_tnum b)
{
    uint64_t unknown = a.mask | b.mask;

    return (struct ebpf_tnum){(a.value ^ b.value) & ~unknown, unknown};
}

struct ebpf_tnum ebpf_tnum_lsh(struct ebpf_tnum t, unsigned by, unsigned bits)
{
    return ebpf_tnum_cut((struct ebpf_tnum){t.value << by, t.mask << by}, bits);
}

struct ebpf_tnum ebpf_tnum_rsh(struct ebpf_tnum t, unsigned by)
{
    return (struct ebpf_tnum){t.value >> by, t.mask >> by};
}

/* Copies of an unknown sign bit are unknown, each for itself. */
struct ebpf_tnum ebpf_tnum_arsh(struct ebpf_tnum t, unsigned by, unsigned bits)
{
    struct ebpf_tnum wide = ebpf_tnum_sext(t, bits, 64);

    wide.value = (uint64_t)((int64_t)wide.value >> by);
    wide.mask = (uint64_t)((int64_t)wide.mask >> by);
    return ebpf_tnum_cut(wide, bits);
}

struct ebpf_tnum ebpf_tnum_sext(struct ebpf_tnum t, unsigned from, unsigned bits)
{
    unsigned by = 64 - from;

    t.value = (uint64_t)((int64_t)(t.value << by) >> by);
    t.mask = (uint64_t)((int64_t)(t.mask << by) >> by);
    return ebpf_tnum_cut(t, bits);
}
