/* SPDX-License-Identifier: MIT */
/*
 * Which 32-bit instruction is also one of 16 bits: Unprivileged ISA, chapter "C", read backwards.
 * The emit functions need not know; GNU as makes the same choices, which the encoder test compares.
 */
#include "jit/rv64/asm.h"

/* The fields of a 32-bit instruction; imm: I-type, the others are decoded where they are needed. */
struct fields {
    enum rv_reg rd, rs1, rs2;
    uint32_t funct3, funct7;
    int32_t imm;
};

/* An offset that the instruction scales: a multiple of `scale`, below `limit`. */
static bool scaled(int32_t imm, int32_t scale, int32_t limit)
{
    return imm >= 0 && imm < limit && imm % scale == 0;
}

static uint32_t compress_addi(const struct fields *f)
{
    if (f->rd == ZERO)
        return f->rs1 == ZERO && f->imm == 0 ? rv_c_addi(ZERO, 0) : 0; /* c.nop */
    if (f->rs1 == ZERO && rv_fits(f->imm, 6))
        return rv_c_li(f->rd, f->imm);
    if (f->imm == 0)
        return rv_c_mv(f->rd, f->rs1);
    if (f->rd == f->rs1 && rv_fits(f->imm, 6))
        return rv_c_addi(f->rd, f->imm);
    if (f->rs1 != SP)
        return 0;
    if (f->rd == SP && rv_fits(f->imm, 10) && f->imm % 16 == 0)
        return rv_c_addi16sp(SP, f->imm);
    return rvc_reg(f->rd) && scaled(f->imm, 4, 1024) ? rv_c_addi4spn(f->rd, f->imm) : 0;
}

static uint32_t compress_op_imm(const struct fields *f)
{
    uint32_t shamt = (uint32_t)f->imm & 0x3f, upper = (uint32_t)f->imm & 0xfc0;

    if (f->funct3 == 0)
        return compress_addi(f);
    if (f->rd != f->rs1 || f->rd == ZERO)
        return 0;
    if (f->funct3 == 1)
        return shamt && !upper ? rv_c_slli(f->rd, shamt) : 0;
    if (!rvc_reg(f->rd))
        return 0;
    if (f->funct3 == 5) /* what else has upper bits is of Zbb or Zbs */
        return !shamt           ? 0
               : upper == 0x400 ? rv_c_srai(f->rd, shamt)
               : upper == 0     ? rv_c_srli(f->rd, shamt)
                                : 0;
    return f->funct3 == 7 && rv_fits(f->imm, 6) ? rv_c_andi(f->rd, f->imm) : 0;
}

static uint32_t compress_op_imm_32(const struct fields *f)
{
    if (f->funct3 == 0 && f->rd == f->rs1 && f->rd != ZERO && rv_fits(f->imm, 6))
        return rv_c_addiw(f->rd, f->imm);
    return 0;
}

static uint32_t compress_add(const struct fields *f)
{
    if (f->rd == ZERO || (f->rs1 == ZERO && f->rs2 == ZERO))
        return 0;
    if (f->rs1 == ZERO)
        return rv_c_mv(f->rd, f->rs2);
    if (f->rs2 == ZERO)
        return rv_c_mv(f->rd, f->rs1);
    if (f->rd == f->rs1)
        return rv_c_add(f->rd, f->rs2);
    return f->rd == f->rs2 ? rv_c_add(f->rd, f->rs1) : 0;
}

/* op, op-32: the forms c.op rd', rs2', where both must be x8 to x15 */
static uint32_t compress_op(const struct fields *f, bool word)
{
    enum rv_reg other = f->rd == f->rs1 ? f->rs2 : f->rs1;
    bool swapped = f->rd != f->rs1;

    if (!word && f->funct3 == 0 && f->funct7 == 0)
        return compress_add(f);
    if ((f->rd != f->rs1 && f->rd != f->rs2) || !rvc_reg(f->rd) || !rvc_reg(other))
        return 0;
    if (word)
        return f->funct3                       ? 0
               : f->funct7 == 0                ? rv_c_addw(f->rd, other)
               : f->funct7 == 0x20 && !swapped ? rv_c_subw(f->rd, other)
                                               : 0;
    if (f->funct7 == 0x20)
        return f->funct3 == 0 && !swapped ? rv_c_sub(f->rd, other) : 0;
    if (f->funct7)
        return 0;
    return f->funct3 == 4   ? rv_c_xor(f->rd, other)
           : f->funct3 == 6 ? rv_c_or(f->rd, other)
           : f->funct3 == 7 ? rv_c_and(f->rd, other)
                            : 0;
}

static uint32_t compress_load(const struct fields *f)
{
    bool both = rvc_reg(f->rd) && rvc_reg(f->rs1);

    if (f->funct3 == 2) {
        if (f->rs1 == SP && f->rd != ZERO && scaled(f->imm, 4, 256))
            return rv_c_lwsp(f->rd, f->imm);
        return both && scaled(f->imm, 4, 128) ? rv_c_lw(f->rd, f->imm, f->rs1) : 0;
    }
    if (f->funct3 == 3) {
        if (f->rs1 == SP && f->rd != ZERO && scaled(f->imm, 8, 512))
            return rv_c_ldsp(f->rd, f->imm);
        return both && scaled(f->imm, 8, 256) ? rv_c_ld(f->rd, f->imm, f->rs1) : 0;
    }
    return 0;
}

static uint32_t compress_store(const struct fields *f)
{
    int32_t imm = (f->imm & ~0x1f) | (int32_t)f->rd; /* S-type: imm[4:0] is where rd would be */
    bool both = rvc_reg(f->rs2) && rvc_reg(f->rs1);

    if (f->funct3 == 2) {
        if (f->rs1 == SP && scaled(imm, 4, 256))
            return rv_c_swsp(f->rs2, imm);
        return both && scaled(imm, 4, 128) ? rv_c_sw(f->rs2, imm, f->rs1) : 0;
    }
    if (f->funct3 == 3) {
        if (f->rs1 == SP && scaled(imm, 8, 512))
            return rv_c_sdsp(f->rs2, imm);
        return both && scaled(imm, 8, 256) ? rv_c_sd(f->rs2, imm, f->rs1) : 0;
    }
    return 0;
}

static uint32_t compress_branch(const struct fields *f, uint32_t word)
{
    int32_t offset =
        (int32_t)(word & 0x80000000u) >> 19 |
        (int32_t)(rv_bits(word, 7, 7, 11) | rv_bits(word, 30, 25, 5) | rv_bits(word, 11, 8, 1));

    if (f->funct3 > RV_BNE || f->rs2 != ZERO || !rvc_reg(f->rs1) || !rv_fits(offset, 9))
        return 0;
    return f->funct3 == RV_BEQ ? rv_c_beqz(f->rs1, offset) : rv_c_bnez(f->rs1, offset);
}

static uint32_t compress_jal(const struct fields *f, uint32_t word)
{
    int32_t offset =
        (int32_t)(word & 0x80000000u) >> 11 |
        (int32_t)(rv_bits(word, 19, 12, 12) | rv_bits(word, 20, 20, 11) | rv_bits(word, 30, 21, 1));

    return f->rd == ZERO && rv_fits(offset, 12) ? rv_c_j(offset) : 0;
}

static uint32_t compress_jalr(const struct fields *f)
{
    if (f->imm || f->rs1 == ZERO || f->rd > RA)
        return 0;
    return f->rd == ZERO ? rv_c_jr(f->rs1) : rv_c_jalr(f->rs1);
}

static uint32_t compress_lui(const struct fields *f, uint32_t word)
{
    int32_t imm = (int32_t)word >> 12;

    return f->rd != ZERO && f->rd != SP && imm && rv_fits(imm, 6) ? rv_c_lui(f->rd, imm) : 0;
}

uint32_t ebpf_rv_compress(uint32_t word)
{
    const struct fields f = {
        .rd = (enum rv_reg)(word >> 7 & 31),
        .rs1 = (enum rv_reg)(word >> 15 & 31),
        .rs2 = (enum rv_reg)(word >> 20 & 31),
        .funct3 = word >> 12 & 7,
        .funct7 = word >> 25,
        .imm = (int32_t)word >> 20,
    };

    switch (word & 0x7f) {
    case 0x03:
        return compress_load(&f);
    case RV_OP_IMM:
        return compress_op_imm(&f);
    case 0x1b:
        return compress_op_imm_32(&f);
    case 0x23:
        return compress_store(&f);
    case 0x33:
        return compress_op(&f, false);
    case 0x37:
        return compress_lui(&f, word);
    case 0x3b:
        return compress_op(&f, true);
    case RV_BRANCH:
        return compress_branch(&f, word);
    case RV_JALR:
        return compress_jalr(&f);
    case RV_JAL:
        return compress_jal(&f, word);
    default:
        return 0;
    }
}
