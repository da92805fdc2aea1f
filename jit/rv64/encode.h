/* SPDX-License-Identifier: MIT */
/*
 * RV64IMAC instruction words, written as the RISC-V Unprivileged ISA (chapters "RV32I", "RV64I",
 * "M", "A", "C" and the instruction set listings) writes them: one row per instruction, one
 * function per format. Nothing here knows BPF.
 *
 * The rows make the emit functions of asm.h and the test against GNU as (tests/suites/encoder.sh):
 * a row that is added is tested. A '_' in a name is a '.' of the mnemonic.
 */
#ifndef EBPF_JIT_RV64_ENCODE_H
#define EBPF_JIT_RV64_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
/* psABI names */
enum rv_reg {
    ZERO, RA, SP, GP, TP, T0, T1, T2, S0, S1, A0, A1, A2, A3, A4, A5,
    A6, A7, S2, S3, S4, S5, S6, S7, S8, S9, S10, S11, T3, T4, T5, T6,
};

/* ---- rows ------------------------------------------------------------------------------------ */

/*  name        funct7  funct3  opcode */
#define RV_R_TYPE(X)                                                                               \
    X(add,      0x00,   0,      0x33)                                                              \
    X(sub,      0x20,   0,      0x33)                                                              \
    X(sll,      0x00,   1,      0x33)                                                              \
    X(slt,      0x00,   2,      0x33)                                                              \
    X(sltu,     0x00,   3,      0x33)                                                              \
    X(xor,      0x00,   4,      0x33)                                                              \
    X(srl,      0x00,   5,      0x33)                                                              \
    X(sra,      0x20,   5,      0x33)                                                              \
    X(or,       0x00,   6,      0x33)                                                              \
    X(and,      0x00,   7,      0x33)                                                              \
    X(addw,     0x00,   0,      0x3b)                                                              \
    X(subw,     0x20,   0,      0x3b)                                                              \
    X(sllw,     0x00,   1,      0x3b)                                                              \
    X(srlw,     0x00,   5,      0x3b)                                                              \
    X(sraw,     0x20,   5,      0x3b)                                                              \
    X(mul,      0x01,   0,      0x33)                                                              \
    X(mulh,     0x01,   1,      0x33)                                                              \
    X(mulhu,    0x01,   3,      0x33)                                                              \
    X(div,      0x01,   4,      0x33)                                                              \
    X(divu,     0x01,   5,      0x33)                                                              \
    X(rem,      0x01,   6,      0x33)                                                              \
    X(remu,     0x01,   7,      0x33)                                                              \
    X(mulw,     0x01,   0,      0x3b)                                                              \
    X(divw,     0x01,   4,      0x3b)                                                              \
    X(divuw,    0x01,   5,      0x3b)                                                              \
    X(remw,     0x01,   6,      0x3b)                                                              \
    X(remuw,    0x01,   7,      0x3b)

/* Chapter "B" (Zba, Zbb, Zbs), for harts that have them.
 *  name        funct7  funct3  opcode */
#define RV_R_TYPE_B(X)                                                                             \
    X(add_uw,   0x04,   0,      0x3b)                                                              \
    X(sh1add,   0x10,   2,      0x33)                                                              \
    X(sh2add,   0x10,   4,      0x33)                                                              \
    X(sh3add,   0x10,   6,      0x33)                                                              \
    X(andn,     0x20,   7,      0x33)                                                              \
    X(ror,      0x30,   5,      0x33)                                                              \
    X(rorw,     0x30,   5,      0x3b)                                                              \
    X(bset,     0x14,   1,      0x33)                                                              \
    X(bclr,     0x24,   1,      0x33)                                                              \
    X(binv,     0x34,   1,      0x33)                                                              \
    X(bext,     0x24,   5,      0x33)

/* Chapter "Zicond".
 *  name        funct7  funct3  opcode */
#define RV_R_TYPE_COND(X)                                                                          \
    X(czero_eqz, 0x07,  5,      0x33)                                                              \
    X(czero_nez, 0x07,  7,      0x33)

/* One operand only.
 *  name        funct12 funct3  opcode */
#define RV_UNARY_B(X)                                                                              \
    X(sext_b,   0x604,  1,      0x13)                                                              \
    X(sext_h,   0x605,  1,      0x13)                                                              \
    X(zext_h,   0x080,  4,      0x3b)                                                              \
    X(rev8,     0x6b8,  5,      0x13)

/*  name        funct3  opcode */
#define RV_I_TYPE(X)                                                                               \
    X(addi,     0,      0x13)                                                                      \
    X(slti,     2,      0x13)                                                                      \
    X(sltiu,    3,      0x13)                                                                      \
    X(xori,     4,      0x13)                                                                      \
    X(ori,      6,      0x13)                                                                      \
    X(andi,     7,      0x13)                                                                      \
    X(addiw,    0,      0x1b)

/* Shifts by an immediate: I-type with a function code in the immediate's upper bits.
 *  name        upper   funct3  opcode  bits of shamt */
#define RV_SHIFT_TYPE(X)                                                                           \
    X(slli,     0x000,  1,      0x13,   6)                                                         \
    X(srli,     0x000,  5,      0x13,   6)                                                         \
    X(srai,     0x400,  5,      0x13,   6)                                                         \
    X(slliw,    0x000,  1,      0x1b,   5)                                                         \
    X(srliw,    0x000,  5,      0x1b,   5)                                                         \
    X(sraiw,    0x400,  5,      0x1b,   5)

#define RV_SHIFT_TYPE_B(X)                                                                         \
    X(rori,     0x600,  5,      0x13,   6)                                                         \
    X(roriw,    0x600,  5,      0x1b,   5)                                                         \
    X(bseti,    0x280,  1,      0x13,   6)                                                         \
    X(bclri,    0x480,  1,      0x13,   6)                                                         \
    X(binvi,    0x680,  1,      0x13,   6)                                                         \
    X(bexti,    0x480,  5,      0x13,   6)

/* I-type whose assembler syntax is rd, imm(rs1).
 *  name        funct3  opcode */
#define RV_LOAD_TYPE(X)                                                                            \
    X(lb,       0,      0x03)                                                                      \
    X(lh,       1,      0x03)                                                                      \
    X(lw,       2,      0x03)                                                                      \
    X(ld,       3,      0x03)                                                                      \
    X(lbu,      4,      0x03)                                                                      \
    X(lhu,      5,      0x03)                                                                      \
    X(lwu,      6,      0x03)                                                                      \
    X(jalr,     0,      0x67)

/*  name        funct3  opcode */
#define RV_S_TYPE(X)                                                                               \
    X(sb,       0,      0x23)                                                                      \
    X(sh,       1,      0x23)                                                                      \
    X(sw,       2,      0x23)                                                                      \
    X(sd,       3,      0x23)

/* funct3 ^ 1 is the opposite condition.
 *  name        funct3  opcode */
#define RV_B_TYPE(X)                                                                               \
    X(beq,      0,      0x63)                                                                      \
    X(bne,      1,      0x63)                                                                      \
    X(blt,      4,      0x63)                                                                      \
    X(bge,      5,      0x63)                                                                      \
    X(bltu,     6,      0x63)                                                                      \
    X(bgeu,     7,      0x63)

/* The immediate is what the assembler writes: bits 31:12, signed.
 *  name        opcode */
#define RV_U_TYPE(X)                                                                               \
    X(lui,      0x37)                                                                              \
    X(auipc,    0x17)

/*  name        opcode */
#define RV_J_TYPE(X)                                                                               \
    X(jal,      0x6f)

/* Zalrsc and Zaamo; bits 26 and 25 are aq and rl. lr has no rs2: it passes ZERO.
 *  name        funct5  funct3 */
#define RV_AMO_TYPE(X)                                                                             \
    X(amoadd_w,  0x00,  2)                                                                         \
    X(amoswap_w, 0x01,  2)                                                                         \
    X(sc_w,      0x03,  2)                                                                         \
    X(amoxor_w,  0x04,  2)                                                                         \
    X(amoor_w,   0x08,  2)                                                                         \
    X(amoand_w,  0x0c,  2)                                                                         \
    X(amoadd_d,  0x00,  3)                                                                         \
    X(amoswap_d, 0x01,  3)                                                                         \
    X(sc_d,      0x03,  3)                                                                         \
    X(amoxor_d,  0x04,  3)                                                                         \
    X(amoor_d,   0x08,  3)                                                                         \
    X(amoand_d,  0x0c,  3)

/* Zacas: rd is compared, and gets what was there.
 *  name        funct5  funct3 */
#define RV_AMO_TYPE_CAS(X)                                                                         \
    X(amocas_w,  0x05,  2)                                                                         \
    X(amocas_d,  0x05,  3)

/*  name        funct5  funct3 */
#define RV_LR_TYPE(X)                                                                              \
    X(lr_w,      0x02,  2)                                                                         \
    X(lr_d,      0x02,  3)

/* clang-format on */

/* Major opcodes that are also used by name. */
enum rv_opcode { RV_OP_IMM = 0x13, RV_BRANCH = 0x63, RV_JALR = 0x67, RV_JAL = 0x6f };

enum rv_order { RV_RELAXED = 0, RV_RL = 1, RV_AQ = 2, RV_AQRL = 3 };

/* The funct3 of every branch, by name: RV_BEQ, ... */
enum rv_cond { RV_BEQ = 0, RV_BNE = 1, RV_BLT = 4, RV_BGE = 5, RV_BLTU = 6, RV_BGEU = 7 };

/* ---- formats --------------------------------------------------------------------------------- */

/* imm[hi:lo] put at bit `at`: how the manual's pictures say where an immediate's bits go. */
static inline uint32_t rv_bits(int64_t imm, unsigned hi, unsigned lo, unsigned at)
{
    return ((uint32_t)((uint64_t)imm >> lo) & ((2u << (hi - lo)) - 1u)) << at;
}

static inline uint32_t rv_r(uint32_t funct7, uint32_t funct3, uint32_t opcode, enum rv_reg rd,
                            enum rv_reg rs1, enum rv_reg rs2)
{
    return funct7 << 25 | (uint32_t)rs2 << 20 | (uint32_t)rs1 << 15 | funct3 << 12 |
           (uint32_t)rd << 7 | opcode;
}

static inline uint32_t rv_i(uint32_t funct3, uint32_t opcode, enum rv_reg rd, enum rv_reg rs1,
                            int64_t imm)
{
    return rv_bits(imm, 11, 0, 20) | (uint32_t)rs1 << 15 | funct3 << 12 | (uint32_t)rd << 7 |
           opcode;
}

static inline uint32_t rv_s(uint32_t funct3, uint32_t opcode, enum rv_reg rs2, int64_t imm,
                            enum rv_reg rs1)
{
    return rv_bits(imm, 11, 5, 25) | (uint32_t)rs2 << 20 | (uint32_t)rs1 << 15 | funct3 << 12 |
           rv_bits(imm, 4, 0, 7) | opcode;
}

static inline uint32_t rv_b(uint32_t funct3, uint32_t opcode, enum rv_reg rs1, enum rv_reg rs2,
                            int64_t imm)
{
    return rv_bits(imm, 12, 12, 31) | rv_bits(imm, 10, 5, 25) | (uint32_t)rs2 << 20 |
           (uint32_t)rs1 << 15 | funct3 << 12 | rv_bits(imm, 4, 1, 8) | rv_bits(imm, 11, 11, 7) |
           opcode;
}

static inline uint32_t rv_u(uint32_t opcode, enum rv_reg rd, int64_t imm20)
{
    return rv_bits(imm20, 19, 0, 12) | (uint32_t)rd << 7 | opcode;
}

static inline uint32_t rv_j(uint32_t opcode, enum rv_reg rd, int64_t imm)
{
    return rv_bits(imm, 20, 20, 31) | rv_bits(imm, 10, 1, 21) | rv_bits(imm, 11, 11, 20) |
           rv_bits(imm, 19, 12, 12) | (uint32_t)rd << 7 | opcode;
}

/* fence rw, rw; fence r, rw; fence rw, w */
#define RV_FENCE_RW_RW 0x0330000fu
#define RV_FENCE_R_RW 0x0230000fu
#define RV_FENCE_RW_W 0x0310000fu

/* Does value fit a signed immediate of so many bits? */
static inline bool rv_fits(int64_t value, unsigned bits)
{
    return value >= -((int64_t)1 << (bits - 1)) && value < (int64_t)1 << (bits - 1);
}

/* ---- the compressed instructions (chapter "C") ----------------------------------------------- */

/* x8 to x15, which the three-bit fields can name */
static inline bool rvc_reg(enum rv_reg reg)
{
    return reg >= S0 && reg <= A5;
}

/* clang-format off */
/* Rows by format; imm_*: the function that spreads the immediate, see below.
 *  name         funct3  op   rd, imm */
#define RVC_CI_TYPE(X)                                                                             \
    X(c_addi,     0,     1,   rvc_imm6)                                                            \
    X(c_addiw,    1,     1,   rvc_imm6)                                                            \
    X(c_li,       2,     1,   rvc_imm6)                                                            \
    X(c_lui,      3,     1,   rvc_imm6)                                                            \
    X(c_addi16sp, 3,     1,   rvc_imm_addi16sp)                                                    \
    X(c_slli,     0,     2,   rvc_imm6)                                                            \
    X(c_lwsp,     2,     2,   rvc_imm_lwsp)                                                        \
    X(c_ldsp,     3,     2,   rvc_imm_ldsp)

/*  name         funct3  op   rs2, imm */
#define RVC_CSS_TYPE(X)                                                                            \
    X(c_swsp,     6,     2,   rvc_imm_swsp)                                                        \
    X(c_sdsp,     7,     2,   rvc_imm_sdsp)

/*  name         funct3  op   rd', imm */
#define RVC_CIW_TYPE(X)                                                                            \
    X(c_addi4spn, 0,     0,   rvc_imm_addi4spn)

/* CL and CS have one layout: the register of rd' or rs2' sits in the same place.
 *  name         funct3  op   reg', imm(rs1') */
#define RVC_CL_TYPE(X)                                                                             \
    X(c_lw,       2,     0,   rvc_imm_lw)                                                          \
    X(c_ld,       3,     0,   rvc_imm_ld)                                                          \
    X(c_sw,       6,     0,   rvc_imm_lw)                                                          \
    X(c_sd,       7,     0,   rvc_imm_ld)

/*  name         funct4  op   rd, rs2 */
#define RVC_CR_TYPE(X)                                                                             \
    X(c_mv,       8,     2)                                                                        \
    X(c_add,      9,     2)

/* CR with rs2 = 0.
 *  name         funct4  op   rs1 */
#define RVC_CR_JUMP(X)                                                                             \
    X(c_jr,       8,     2)                                                                        \
    X(c_jalr,     9,     2)

/*  name         funct6  funct2  op   rd', rs2' */
#define RVC_CA_TYPE(X)                                                                             \
    X(c_sub,      0x23,  0,      1)                                                                \
    X(c_xor,      0x23,  1,      1)                                                                \
    X(c_or,       0x23,  2,      1)                                                                \
    X(c_and,      0x23,  3,      1)                                                                \
    X(c_subw,     0x27,  0,      1)                                                                \
    X(c_addw,     0x27,  1,      1)

/* CB on a register with an immediate.
 *  name         funct3  funct2  op   rd', imm */
#define RVC_CB_ALU(X)                                                                              \
    X(c_srli,     4,     0,      1)                                                                \
    X(c_srai,     4,     1,      1)                                                                \
    X(c_andi,     4,     2,      1)

/*  name         funct3  op   rs1', offset */
#define RVC_CB_TYPE(X)                                                                             \
    X(c_beqz,     6,     1)                                                                        \
    X(c_bnez,     7,     1)

/*  name         funct3  op   offset */
#define RVC_CJ_TYPE(X)                                                                             \
    X(c_j,        5,     1)

/* clang-format on */

/* How immediates are spread, e.g. c.lwsp: offset[5] at bit 12, offset[4:2|7:6] at bits 6:2. */
static inline uint32_t rvc_imm6(int64_t imm)
{
    return rv_bits(imm, 5, 5, 12) | rv_bits(imm, 4, 0, 2);
}

static inline uint32_t rvc_imm_addi16sp(int64_t imm)
{
    return rv_bits(imm, 9, 9, 12) | rv_bits(imm, 4, 4, 6) | rv_bits(imm, 6, 6, 5) |
           rv_bits(imm, 8, 7, 3) | rv_bits(imm, 5, 5, 2);
}

static inline uint32_t rvc_imm_lwsp(int64_t imm)
{
    return rv_bits(imm, 5, 5, 12) | rv_bits(imm, 4, 2, 4) | rv_bits(imm, 7, 6, 2);
}

static inline uint32_t rvc_imm_ldsp(int64_t imm)
{
    return rv_bits(imm, 5, 5, 12) | rv_bits(imm, 4, 3, 5) | rv_bits(imm, 8, 6, 2);
}

static inline uint32_t rvc_imm_swsp(int64_t imm)
{
    return rv_bits(imm, 5, 2, 9) | rv_bits(imm, 7, 6, 7);
}

static inline uint32_t rvc_imm_sdsp(int64_t imm)
{
    return rv_bits(imm, 5, 3, 10) | rv_bits(imm, 8, 6, 7);
}

static inline uint32_t rvc_imm_addi4spn(int64_t imm)
{
    return rv_bits(imm, 5, 4, 11) | rv_bits(imm, 9, 6, 7) | rv_bits(imm, 2, 2, 6) |
           rv_bits(imm, 3, 3, 5);
}

static inline uint32_t rvc_imm_lw(int64_t imm)
{
    return rv_bits(imm, 5, 3, 10) | rv_bits(imm, 2, 2, 6) | rv_bits(imm, 6, 6, 5);
}

static inline uint32_t rvc_imm_ld(int64_t imm)
{
    return rv_bits(imm, 5, 3, 10) | rv_bits(imm, 7, 6, 5);
}

static inline uint32_t rvc_imm_b(int64_t imm)
{
    return rv_bits(imm, 8, 8, 12) | rv_bits(imm, 4, 3, 10) | rv_bits(imm, 7, 6, 5) |
           rv_bits(imm, 2, 1, 3) | rv_bits(imm, 5, 5, 2);
}

static inline uint32_t rvc_imm_j(int64_t imm)
{
    return rv_bits(imm, 11, 11, 12) | rv_bits(imm, 4, 4, 11) | rv_bits(imm, 9, 8, 9) |
           rv_bits(imm, 10, 10, 8) | rv_bits(imm, 6, 6, 7) | rv_bits(imm, 7, 7, 6) |
           rv_bits(imm, 3, 1, 3) | rv_bits(imm, 5, 5, 2);
}

/* rv_c_add(rd, rs2), ...: the words. Three-bit register fields hold the register's number minus
 * 8. */
#define RVC_CI(name, funct3, op, spread)                                          \
    static inline uint32_t rv_##name(enum rv_reg rd, int64_t imm)                 \
    {                                                                             \
        return (uint32_t)(funct3) << 13 | spread(imm) | (uint32_t)rd << 7 | (op); \
    }
RVC_CI_TYPE(RVC_CI)

#define RVC_CSS(name, funct3, op, spread)                                          \
    static inline uint32_t rv_##name(enum rv_reg rs2, int64_t imm)                 \
    {                                                                              \
        return (uint32_t)(funct3) << 13 | spread(imm) | (uint32_t)rs2 << 2 | (op); \
    }
RVC_CSS_TYPE(RVC_CSS)

#define RVC_CIW(name, funct3, op, spread)                                                \
    static inline uint32_t rv_##name(enum rv_reg rd, int64_t imm)                        \
    {                                                                                    \
        return (uint32_t)(funct3) << 13 | spread(imm) | (uint32_t)(rd - S0) << 2 | (op); \
    }
RVC_CIW_TYPE(RVC_CIW)

#define RVC_CL(name, funct3, op, spread)                                            \
    static inline uint32_t rv_##name(enum rv_reg reg, int64_t imm, enum rv_reg rs1) \
    {                                                                               \
        return (uint32_t)(funct3) << 13 | spread(imm) | (uint32_t)(rs1 - S0) << 7 | \
               (uint32_t)(reg - S0) << 2 | (op);                                    \
    }
RVC_CL_TYPE(RVC_CL)

#define RVC_CR(name, funct4, op)                                                         \
    static inline uint32_t rv_##name(enum rv_reg rd, enum rv_reg rs2)                    \
    {                                                                                    \
        return (uint32_t)(funct4) << 12 | (uint32_t)rd << 7 | (uint32_t)rs2 << 2 | (op); \
    }
RVC_CR_TYPE(RVC_CR)

#define RVC_CRJ(name, funct4, op)                                    \
    static inline uint32_t rv_##name(enum rv_reg rs1)                \
    {                                                                \
        return (uint32_t)(funct4) << 12 | (uint32_t)rs1 << 7 | (op); \
    }
RVC_CR_JUMP(RVC_CRJ)

#define RVC_CA(name, funct6, funct2, op)                                                       \
    static inline uint32_t rv_##name(enum rv_reg rd, enum rv_reg rs2)                          \
    {                                                                                          \
        return (uint32_t)(funct6) << 10 | (uint32_t)(rd - S0) << 7 | (uint32_t)(funct2) << 5 | \
               (uint32_t)(rs2 - S0) << 2 | (op);                                               \
    }
RVC_CA_TYPE(RVC_CA)

#define RVC_CBI(name, funct3, funct2, op)                                            \
    static inline uint32_t rv_##name(enum rv_reg rd, int64_t imm)                    \
    {                                                                                \
        return (uint32_t)(funct3) << 13 | rvc_imm6(imm) | (uint32_t)(funct2) << 10 | \
               (uint32_t)(rd - S0) << 7 | (op);                                      \
    }
RVC_CB_ALU(RVC_CBI)

#define RVC_CB(name, funct3, op)                                                             \
    static inline uint32_t rv_##name(enum rv_reg rs1, int64_t imm)                           \
    {                                                                                        \
        return (uint32_t)(funct3) << 13 | rvc_imm_b(imm) | (uint32_t)(rs1 - S0) << 7 | (op); \
    }
RVC_CB_TYPE(RVC_CB)

#define RVC_CJ(name, funct3, op)                                 \
    static inline uint32_t rv_##name(int64_t imm)                \
    {                                                            \
        return (uint32_t)(funct3) << 13 | rvc_imm_j(imm) | (op); \
    }
RVC_CJ_TYPE(RVC_CJ)

#endif /* EBPF_JIT_RV64_ENCODE_H */
