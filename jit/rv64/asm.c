/* SPDX-License-Identifier: MIT */
/* Emitting bytes, and the sequences that build constants. */
#include "jit/rv64/asm.h"

void ebpf_rv_fail(struct rv_asm *a, int err)
{
    if (!a->err)
        a->err = err;
}

/* Instructions are little-endian parcels of 16 bits whatever the host is. */
static void put(struct rv_asm *a, uint32_t word, uint32_t len)
{
    if (a->buf && a->pos < a->cap && a->cap - a->pos >= len) {
        uint8_t *at = a->buf + a->pos;

        at[0] = (uint8_t)word;
        at[1] = (uint8_t)(word >> 8);
        if (len == 4) {
            at[2] = (uint8_t)(word >> 16);
            at[3] = (uint8_t)(word >> 24);
        }
    }
    a->pos += len;
}

void ebpf_rv_emit_wide(struct rv_asm *a, uint32_t word)
{
    put(a, word, 4);
}

void ebpf_rv_emit(struct rv_asm *a, uint32_t word)
{
    uint32_t parcel = ebpf_rv_compress(word);

    if (parcel)
        put(a, parcel, 2);
    else
        put(a, word, 4);
}

void ebpf_rv_zext(struct rv_asm *a, enum rv_reg rd, enum rv_reg rs, unsigned bits)
{
    if (bits < 12) {
        rv_andi(a, rd, rs, (1 << bits) - 1);
        return;
    }
    rv_slli(a, rd, rs, 64 - bits);
    rv_srli(a, rd, rd, 64 - bits);
}

void ebpf_rv_sext(struct rv_asm *a, enum rv_reg rd, enum rv_reg rs, unsigned bits)
{
    if (bits == 32) {
        rv_sext_w(a, rd, rs);
        return;
    }
    rv_slli(a, rd, rs, 64 - bits);
    rv_srai(a, rd, rd, 64 - bits);
}

/* ---- constants ------------------------------------------------------------------------------- */

/*
 * A constant is made from its upper 32 bits or fewer (lui, addiw), which are shifted left and get
 * another 12 bits added up to three times. A positive one may be shorter as one with all its
 * leading zeros gone, shifted right at the end; the bits that fall out there may be ones or zeros.
 */
struct li_plan {
    int32_t start;
    unsigned levels;
    uint8_t shift[4];
    int16_t add[4];
    uint8_t srli;
    unsigned length; /* instructions */
};

static void plan_left(struct li_plan *plan, uint64_t value, unsigned srli)
{
    int64_t rest = (int64_t)value;

    plan->levels = 0;
    plan->length = srli ? 1 : 0;
    plan->srli = (uint8_t)srli;
    while (!rv_fits(rest, 32)) {
        int64_t add = rv_lo(rest);
        uint64_t upper = (uint64_t)rest - (uint64_t)add;
        unsigned shift = rv_bit_length(upper & (0 - upper)) - 1; /* trailing zeros */

        plan->add[plan->levels] = (int16_t)add;
        plan->shift[plan->levels++] = (uint8_t)shift;
        plan->length += add ? 2 : 1;
        rest = (int64_t)upper >> shift;
    }
    plan->start = (int32_t)rest;
    plan->length += rv_hi(rest) && rv_lo(rest) ? 2 : 1;
}

static void make_plan(struct li_plan *best, uint64_t value)
{
    struct li_plan other;
    unsigned zeros;

    plan_left(best, value, 0);
    if (best->length <= 2 || (int64_t)value <= 0)
        return;
    zeros = 64 - rv_bit_length(value);
    for (unsigned ones = 0; ones < 2; ones++) {
        plan_left(&other, value << zeros | (ones ? ((uint64_t)1 << zeros) - 1 : 0), zeros);
        if (other.length < best->length)
            *best = other;
    }
}

/* lui sign-extends from 32 bits and addiw wraps there, so that each 32-bit value takes at most
 * these two. */
static void emit_start(struct rv_asm *a, enum rv_reg rd, int32_t value)
{
    int64_t hi = rv_hi(value), lo = rv_lo(value);

    if (!hi) {
        rv_addi(a, rd, ZERO, lo);
        return;
    }
    rv_lui(a, rd, hi >= 1 << 19 ? hi - (1 << 20) : hi);
    if (lo)
        rv_addiw(a, rd, rd, lo);
}

void ebpf_rv_li(struct rv_asm *a, enum rv_reg rd, uint64_t value)
{
    struct li_plan plan;

    if (rv_fits((int64_t)value, 32)) {
        emit_start(a, rd, (int32_t)value);
        return;
    }
    make_plan(&plan, value);
    emit_start(a, rd, plan.start);
    for (unsigned i = plan.levels; i-- > 0;) {
        rv_slli(a, rd, rd, plan.shift[i]);
        if (plan.add[i])
            rv_addi(a, rd, rd, plan.add[i]);
    }
    if (plan.srli)
        rv_srli(a, rd, rd, plan.srli);
}

unsigned ebpf_rv_li_length(uint64_t value)
{
    struct li_plan plan;

    if (rv_fits((int64_t)value, 32))
        return rv_hi((int64_t)value) && rv_lo((int64_t)value) ? 2 : 1;
    make_plan(&plan, value);
    return plan.length;
}
