/* SPDX-License-Identifier: MIT */
/*
 * Byte swaps (RFC 9669, Byte swap instructions) with base instructions: neighbouring bytes change
 * places under a mask, then neighbouring 16-bit units, then the halves.
 */
#include "jit/rv64/lower.h"

/* The mask of every second byte or 16-bit unit, from its lower 32 bits: lui, addi, and for 64 bits
 * slli, add. */
static void load_mask(struct rv_asm *a, enum rv_reg rd, uint32_t mask, bool wide, enum rv_reg tmp)
{
    ebpf_rv_li(a, rd, mask);
    if (wide) {
        rv_slli(a, tmp, rd, 32);
        rv_add(a, rd, rd, tmp);
    }
}

/* rd = (rd >> shift & mask) | (rd & mask) << shift */
static void swap_units(struct rv_asm *a, enum rv_reg rd, enum rv_reg mask, unsigned shift,
                       enum rv_reg tmp)
{
    rv_srli(a, tmp, rd, shift);
    rv_and(a, tmp, tmp, mask);
    rv_and(a, rd, rd, mask);
    rv_slli(a, rd, rd, shift);
    rv_or(a, rd, rd, tmp);
}

static void swap16(struct rv_asm *a, enum rv_reg rd)
{
    rv_slli(a, T0, rd, 56);
    rv_srli(a, T0, T0, 48);
    rv_slli(a, rd, rd, 48);
    rv_srli(a, rd, rd, 56);
    rv_or(a, rd, rd, T0);
}

/* The mask drops what is above bit 31. */
static void swap32(struct rv_asm *a, enum rv_reg rd)
{
    load_mask(a, T0, 0x00ff00ff, false, T1);
    swap_units(a, rd, T0, 8, T1);
    rv_srli(a, T1, rd, 16);
    rv_slli(a, rd, rd, 48);
    rv_srli(a, rd, rd, 32);
    rv_or(a, rd, rd, T1);
}

static void swap64(struct rv_asm *a, enum rv_reg rd)
{
    load_mask(a, T0, 0x00ff00ff, true, T1);
    swap_units(a, rd, T0, 8, T1);
    load_mask(a, T0, 0x0000ffff, true, T1);
    swap_units(a, rd, T0, 16, T1);
    rv_srli(a, T1, rd, 32);
    rv_slli(a, rd, rd, 32);
    rv_or(a, rd, rd, T1);
}

void ebpf_rv_lower_swap(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    struct rv_asm *a = &j->as;
    enum rv_reg rd = ebpf_rv_reg(j, op->dst), rs = ebpf_rv_source(j, op->src1, rd);

    if (j->isa & EBPF_ISA_ZBB) {
        rv_rev8(a, rd, rs);
        if (op->imm < 64)
            rv_srli(a, rd, rd, 64 - op->imm);
        return;
    }
    rv_mv(a, rd, rs);
    if (op->imm == 16)
        swap16(a, rd);
    else if (op->imm == 32)
        swap32(a, rd);
    else
        swap64(a, rd);
}
