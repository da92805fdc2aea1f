/* SPDX-License-Identifier: MIT */
/*
 * The assembler: one function per RV64IMAC instruction, in the manual's operand order, and the two
 * sequences that every assembler has as pseudo-instructions. What has a compressed form is emitted
 * in it.
 *
 * Errors are sticky: an immediate that does not fit sets err once; whoever runs a pass looks at err
 * at its end. Bytes that are beyond the buffer, or without one, are only counted: pos > cap tells.
 */
#ifndef EBPF_JIT_RV64_ASM_H
#define EBPF_JIT_RV64_ASM_H

#include <stddef.h>

#include <ebpf/errno.h>

#include "jit/rv64/encode.h"

struct rv_asm {
    uint8_t *buf; /* NULL: count only */
    size_t cap;
    uint32_t pos; /* bytes so far */
    int err;      /* first error, -E* */
};

/* The same instruction in 16 bits, 0: there is none. */
uint32_t ebpf_rv_compress(uint32_t word);

void ebpf_rv_emit(struct rv_asm *a, uint32_t word);      /* compressed if it can be */
void ebpf_rv_emit_wide(struct rv_asm *a, uint32_t word); /* 32 bits, whatever it is */
void ebpf_rv_fail(struct rv_asm *a, int err);

/* Sets err where value needs more than so many bits, signed. */
static inline void rv_fit(struct rv_asm *a, int64_t value, unsigned bits)
{
    if (!rv_fits(value, bits))
        ebpf_rv_fail(a, -ERANGE);
}

#define RV_DEFINE_R(name, funct7, funct3, opcode)                                   \
    static inline void rv_##name(struct rv_asm *a, enum rv_reg rd, enum rv_reg rs1, \
                                 enum rv_reg rs2)                                   \
    {                                                                               \
        ebpf_rv_emit(a, rv_r(funct7, funct3, opcode, rd, rs1, rs2));                \
    }
RV_R_TYPE(RV_DEFINE_R)
RV_R_TYPE_B(RV_DEFINE_R)
RV_R_TYPE_COND(RV_DEFINE_R)

#define RV_DEFINE_I(name, funct3, opcode)                                                        \
    static inline void rv_##name(struct rv_asm *a, enum rv_reg rd, enum rv_reg rs1, int64_t imm) \
    {                                                                                            \
        rv_fit(a, imm, 12);                                                                      \
        ebpf_rv_emit(a, rv_i(funct3, opcode, rd, rs1, imm));                                     \
    }
RV_I_TYPE(RV_DEFINE_I)

#define RV_DEFINE_SHIFT(name, upper, funct3, opcode, bits)                                         \
    static inline void rv_##name(struct rv_asm *a, enum rv_reg rd, enum rv_reg rs1, int64_t shamt) \
    {                                                                                              \
        if (shamt < 0 || shamt >= 1 << (bits))                                                     \
            ebpf_rv_fail(a, -ERANGE);                                                              \
        ebpf_rv_emit(a, rv_i(funct3, opcode, rd, rs1, (upper) | shamt));                           \
    }
RV_SHIFT_TYPE(RV_DEFINE_SHIFT)
RV_SHIFT_TYPE_B(RV_DEFINE_SHIFT)

#define RV_DEFINE_UNARY(name, funct12, funct3, opcode)                                             \
    static inline void rv_##name(struct rv_asm *a, enum rv_reg rd, enum rv_reg rs1)                \
    {                                                                                              \
        ebpf_rv_emit(a, rv_i(funct3, opcode, rd, rs1, funct12));                                   \
    }
RV_UNARY_B(RV_DEFINE_UNARY)

#define RV_DEFINE_LOAD(name, funct3, opcode)                                                     \
    static inline void rv_##name(struct rv_asm *a, enum rv_reg rd, int64_t imm, enum rv_reg rs1) \
    {                                                                                            \
        rv_fit(a, imm, 12);                                                                      \
        ebpf_rv_emit(a, rv_i(funct3, opcode, rd, rs1, imm));                                     \
    }
RV_LOAD_TYPE(RV_DEFINE_LOAD)

#define RV_DEFINE_S(name, funct3, opcode)                                                         \
    static inline void rv_##name(struct rv_asm *a, enum rv_reg rs2, int64_t imm, enum rv_reg rs1) \
    {                                                                                             \
        rv_fit(a, imm, 12);                                                                       \
        ebpf_rv_emit(a, rv_s(funct3, opcode, rs2, imm, rs1));                                     \
    }
RV_S_TYPE(RV_DEFINE_S)

#define RV_DEFINE_B(name, funct3, opcode)                                            \
    static inline void rv_##name(struct rv_asm *a, enum rv_reg rs1, enum rv_reg rs2, \
                                 int64_t offset)                                     \
    {                                                                                \
        rv_fit(a, offset, 13);                                                       \
        ebpf_rv_emit(a, rv_b(funct3, opcode, rs1, rs2, offset));                     \
    }
RV_B_TYPE(RV_DEFINE_B)

#define RV_DEFINE_U(name, opcode)                                                 \
    static inline void rv_##name(struct rv_asm *a, enum rv_reg rd, int64_t imm20) \
    {                                                                             \
        rv_fit(a, imm20, 20);                                                     \
        ebpf_rv_emit(a, rv_u(opcode, rd, imm20));                                 \
    }
RV_U_TYPE(RV_DEFINE_U)

#define RV_DEFINE_J(name, opcode)                                                  \
    static inline void rv_##name(struct rv_asm *a, enum rv_reg rd, int64_t offset) \
    {                                                                              \
        rv_fit(a, offset, 21);                                                     \
        ebpf_rv_emit(a, rv_j(opcode, rd, offset));                                 \
    }
RV_J_TYPE(RV_DEFINE_J)

#define RV_DEFINE_AMO(name, funct5, funct3)                                                        \
    static inline void rv_##name(struct rv_asm *a, enum rv_reg rd, enum rv_reg rs2,                \
                                 enum rv_reg rs1, enum rv_order order)                             \
    {                                                                                              \
        ebpf_rv_emit(a,                                                                            \
                     rv_r((uint32_t)(funct5) << 2 | (uint32_t)order, funct3, 0x2f, rd, rs1, rs2)); \
    }
RV_AMO_TYPE(RV_DEFINE_AMO)
RV_AMO_TYPE_CAS(RV_DEFINE_AMO)

#define RV_DEFINE_LR(name, funct5, funct3)                                                    \
    static inline void rv_##name(struct rv_asm *a, enum rv_reg rd, enum rv_reg rs1,           \
                                 enum rv_order order)                                         \
    {                                                                                         \
        ebpf_rv_emit(                                                                         \
            a, rv_r((uint32_t)(funct5) << 2 | (uint32_t)order, funct3, 0x2f, rd, rs1, ZERO)); \
    }
RV_LR_TYPE(RV_DEFINE_LR)

static inline void rv_fence_rw_rw(struct rv_asm *a)
{
    ebpf_rv_emit_wide(a, RV_FENCE_RW_RW);
}

/* Pseudo-instructions ("RISC-V Assembly Programmer's Handbook"). */
static inline void rv_mv(struct rv_asm *a, enum rv_reg rd, enum rv_reg rs)
{
    if (rd != rs)
        rv_addi(a, rd, rs, 0);
}

static inline void rv_sext_w(struct rv_asm *a, enum rv_reg rd, enum rv_reg rs)
{
    rv_addiw(a, rd, rs, 0);
}

/* rd = the lower `bits` bits of rs, zero-extended or sign-extended; without Zba and Zbb that takes
 * two shifts. */
void ebpf_rv_zext(struct rv_asm *a, enum rv_reg rd, enum rv_reg rs, unsigned bits);
void ebpf_rv_sext(struct rv_asm *a, enum rv_reg rd, enum rv_reg rs, unsigned bits);

/* rd = value, in as few instructions as it takes without a second register; and how many that
 * are. */
void ebpf_rv_li(struct rv_asm *a, enum rv_reg rd, uint64_t value);
unsigned ebpf_rv_li_length(uint64_t value);

/* value = %hi(value) << 12 + %lo(value), as lui, auipc and a 12-bit signed immediate add up. */
static inline int64_t rv_lo(int64_t value)
{
    return (int64_t)(((uint64_t)value & 0xfff) ^ 0x800) - 0x800;
}

static inline int64_t rv_hi(int64_t value)
{
    return (int64_t)((uint64_t)value - (uint64_t)rv_lo(value)) >> 12;
}

/* Bits that value has without its leading zeros: 0 for 0. (The builtins for this call libgcc
 * without Zbb.) */
static inline unsigned rv_bit_length(uint64_t value)
{
    unsigned length = 0;

    for (unsigned step = 32; step; step /= 2) {
        if (value >> step) {
            value >>= step;
            length += step;
        }
    }
    return length + (value != 0);
}

#endif /* EBPF_JIT_RV64_ASM_H */
