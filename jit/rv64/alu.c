/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic (RFC 9669, Arithmetic Instructions), as operations on three registers or two and a
 * constant.
 *
 * A 32-bit operation may leave anything in the upper half; zero-extending is one step at the end,
 * and not taken where the upper half is known to be zero or nobody reads it (op->ext).
 */
#include "jit/rv64/lower.h"

#include <ebpf/os.h>

#include "jit/opt/eval.h"

typedef void (*reg_form)(struct rv_asm *, enum rv_reg rd, enum rv_reg rs1, enum rv_reg rs2);
typedef void (*imm_form)(struct rv_asm *, enum rv_reg rd, enum rv_reg rs1, int64_t imm);

/* The lower half of a sum, product or bitwise result does not depend on upper halves, so that a
 * 32-bit operation can use the 64-bit instruction, which has a compressed form more often.
 * [code][wide]; [0]: leaves its result sign-extended. */
static const struct {
    reg_form reg;
    imm_form imm; /* 12 bits, signed; shifts: their width */
} forms[IR_CODES][2] = {
    [IR_ADD] = {{rv_addw, rv_addiw}, {rv_add, rv_addi}},
    [IR_SUB] = {{rv_subw, NULL}, {rv_sub, NULL}},
    [IR_MUL] = {{rv_mulw, NULL}, {rv_mul, NULL}},
    [IR_OR] = {{rv_or, rv_ori}, {rv_or, rv_ori}},
    [IR_AND] = {{rv_and, rv_andi}, {rv_and, rv_andi}},
    [IR_XOR] = {{rv_xor, rv_xori}, {rv_xor, rv_xori}},
    [IR_LSH] = {{rv_sllw, rv_slliw}, {rv_sll, rv_slli}},
    [IR_RSH] = {{rv_srlw, rv_srliw}, {rv_srl, rv_srli}},
    [IR_ARSH] = {{rv_sraw, rv_sraiw}, {rv_sra, rv_srai}},
    [IR_ROR] = {{rv_rorw, rv_roriw}, {rv_ror, rv_rori}},
    [IR_BSET] = {{NULL, NULL}, {rv_bset, rv_bseti}},
    [IR_BINV] = {{NULL, NULL}, {rv_binv, rv_binvi}},
    [IR_BEXT] = {{NULL, NULL}, {rv_bext, rv_bexti}},
    [IR_CZEQ] = {{NULL, NULL}, {rv_czero_eqz, NULL}},
    [IR_CZNE] = {{NULL, NULL}, {rv_czero_nez, NULL}},
};

/* [MOD][signed][wide] */
static const reg_form divisions[2][2][2] = {
    {{rv_divuw, rv_divu}, {rv_divw, rv_div}},
    {{rv_remuw, rv_remu}, {rv_remw, rv_rem}},
};

/* ---- extensions ------------------------------------------------------------------------------ */

/* andi and sext.w are one instruction already. */
void ebpf_rv_extend(struct rv_jit *j, enum rv_reg rd, enum rv_reg rs, unsigned bits, bool sign)
{
    struct rv_asm *a = &j->as;

    if (!sign && bits == 32 && j->isa & EBPF_ISA_ZBA)
        rv_add_uw(a, rd, rs, ZERO);
    else if (!sign && bits == 16 && j->isa & EBPF_ISA_ZBB)
        rv_zext_h(a, rd, rs);
    else if (sign && bits == 16 && j->isa & EBPF_ISA_ZBB)
        rv_sext_h(a, rd, rs);
    else if (sign && bits == 8 && j->isa & EBPF_ISA_ZBB)
        rv_sext_b(a, rd, rs);
    else
        (sign ? ebpf_rv_sext : ebpf_rv_zext)(a, rd, rs, bits);
}

/* The step at the end of a 32-bit operation. */
static void finish(struct rv_jit *j, const struct ebpf_ir_op *op, enum rv_reg rd)
{
    if (!(op->flags & IR_WIDE) && op->ext == IR_EXT_ZERO)
        ebpf_rv_extend(j, rd, rd, 32, false);
}

/* Which row of forms: a shift or rotation to the right must not see the upper half. */
static bool full_form(const struct ebpf_ir_op *op)
{
    if (op->flags & IR_WIDE)
        return true;
    return op->ext != IR_EXT_SIGN && op->code <= IR_XOR;
}

/* ---- two registers --------------------------------------------------------------------------- */

static void shift_add(struct rv_jit *j, const struct ebpf_ir_op *op, enum rv_reg rd,
                      enum rv_reg rs1, enum rv_reg rs2)
{
    static const reg_form shadds[4] = {NULL, rv_sh1add, rv_sh2add, rv_sh3add};

    shadds[op->size](&j->as, rd, rs1, rs2);
}

static void alu_reg(struct rv_jit *j, const struct ebpf_ir_op *op, enum rv_reg rd, enum rv_reg rs1)
{
    enum rv_reg rs2 = ebpf_rv_source(j, op->src2, T1);

    if (op->code == IR_SHADD) {
        shift_add(j, op, rd, rs1, rs2);
        return;
    }
    forms[op->code][full_form(op)].reg(&j->as, rd, rs1, rs2);
    finish(j, op, rd);
}

/* ---- a register and a constant --------------------------------------------------------------- */

/* A 32-bit shift can do the zero-extension, or needs none: a logical shift to the right leaves bit
 * 31 clear. */
static void shift_imm(struct rv_jit *j, const struct ebpf_ir_op *op, enum rv_reg rd,
                      enum rv_reg rs1)
{
    struct rv_asm *a = &j->as;
    bool wide = op->flags & IR_WIDE;

    if (!op->imm) {
        if (wide || op->ext == IR_EXT_ANY)
            rv_mv(a, rd, rs1);
        else
            ebpf_rv_extend(j, rd, rs1, 32, op->ext == IR_EXT_SIGN);
    } else if (op->code == IR_LSH && !wide && op->ext == IR_EXT_ZERO) {
        rv_slli(a, rd, rs1, 32 + op->imm);
        rv_srli(a, rd, rd, 32);
    } else if (op->code == IR_LSH && op->ext == IR_EXT_ANY) {
        rv_slli(a, rd, rs1, op->imm);
    } else {
        forms[op->code][wide].imm(a, rd, rs1, op->imm);
        if (op->code != IR_RSH)
            finish(j, op, rd);
    }
}

/* A constant that is not negative clears the upper half, too; one of ones only is a
 * zero-extension. */
static void and_imm(struct rv_jit *j, const struct ebpf_ir_op *op, enum rv_reg rd, enum rv_reg rs1)
{
    struct rv_asm *a = &j->as;

    if (op->imm > 2047 && !(op->imm & (op->imm + 1))) {
        ebpf_rv_extend(j, rd, rs1, rv_bit_length((uint64_t)op->imm), false);
        return;
    }
    if (rv_fits(op->imm, 12))
        rv_andi(a, rd, rs1, op->imm);
    else
        rv_and(a, rd, rs1, ebpf_rv_constant(j, op->imm, T1));
    if (op->imm < 0)
        finish(j, op, rd);
}

/* A bit that a 12-bit immediate does not reach; the upper half is as the operation has it. */
static bool single_bit(struct rv_jit *j, const struct ebpf_ir_op *op, enum rv_reg rd,
                       enum rv_reg rs1)
{
    unsigned bit = ebpf_ir_single_bit(op);

    if (!(j->isa & EBPF_ISA_ZBS) || bit == 64 || rv_fits(op->imm, 12))
        return false;
    (op->code == IR_OR ? rv_bseti : op->code == IR_XOR ? rv_binvi : rv_bclri)(&j->as, rd, rs1, bit);
    if (op->code != IR_AND || op->imm < 0)
        finish(j, op, rd);
    return true;
}

static void alu_imm(struct rv_jit *j, const struct ebpf_ir_op *op, enum rv_reg rd, enum rv_reg rs1)
{
    unsigned code = op->code;
    int64_t imm = op->imm;
    bool full = full_form(op);

    if (ebpf_ir_is_shift(op)) {
        shift_imm(j, op, rd, rs1);
        return;
    }
    if (single_bit(j, op, rd, rs1))
        return;
    if (code == IR_AND) {
        and_imm(j, op, rd, rs1);
        return;
    }
    if (code == IR_SUB && imm != INT64_MIN) { /* there is no subi */
        code = IR_ADD;
        imm = -imm;
    }
    if (code == IR_ADD && !imm && full)
        rv_mv(&j->as, rd, rs1);
    else if (forms[code][full].imm && rv_fits(imm, 12))
        forms[code][full].imm(&j->as, rd, rs1, imm);
    else
        forms[code][full].reg(&j->as, rd, rs1, ebpf_rv_constant(j, imm, T1));
    finish(j, op, rd);
}

/* r10 plus a constant is sp plus another. */
static void frame_address(struct rv_jit *j, const struct ebpf_ir_op *op, enum rv_reg rd)
{
    int64_t imm = j->fn->frame.fp + op->imm;

    if (rv_fits(imm, 12))
        rv_addi(&j->as, rd, SP, imm);
    else
        rv_add(&j->as, rd, SP, ebpf_rv_constant(j, imm, T1));
}

void ebpf_rv_lower_alu(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    enum rv_reg rd = ebpf_rv_reg(j, op->dst), rs1;

    if (op->code == IR_ADD && op->src1 == IR_FP && (op->flags & IR_WIDE) && (op->flags & IR_IMM)) {
        frame_address(j, op, rd);
        return;
    }
    rs1 = ebpf_rv_source(j, op->src1, T0);
    (op->flags & IR_IMM ? alu_imm : alu_reg)(j, op, rd, rs1);
}

/* ---- division -------------------------------------------------------------------------------- */

/* By a constant: nothing to look at afterwards. An unsigned 32-bit result has bit 31 clear if the
 * divisor is 2 or more. */
static void divide_imm(struct rv_jit *j, const struct ebpf_ir_op *op, enum rv_reg rd,
                       enum rv_reg rs1, reg_form form)
{
    bool mod = op->code == IR_MOD || op->code == IR_SMOD, sign = op->code >= IR_SDIV;

    if (!op->imm) {
        if (!mod || op->flags & IR_WIDE || op->ext == IR_EXT_ANY)
            rv_mv(&j->as, rd, mod ? rs1 : ZERO);
        else
            ebpf_rv_extend(j, rd, rs1, 32, op->ext == IR_EXT_SIGN);
        return;
    }
    form(&j->as, rd, rs1, ebpf_rv_constant(j, op->imm, T1));
    if (sign || op->imm < 2)
        finish(j, op, rd);
}

/*
 * RISC-V agrees with BPF on the remainder of a division by zero and on the smallest number divided
 * by -1; the quotient by zero is all ones there and has to become 0.
 */
static void divide_reg(struct rv_jit *j, const struct ebpf_ir_op *op, enum rv_reg rd,
                       enum rv_reg rs1, reg_form form)
{
    struct rv_asm *a = &j->as;
    bool mod = op->code == IR_MOD || op->code == IR_SMOD, wide = op->flags & IR_WIDE;
    enum rv_reg rs2 = ebpf_rv_source(j, op->src2, T1);

    if (op->flags & IR_DIRECT) {
        form(a, rd, rs1, rs2);
        finish(j, op, rd);
        return;
    }
    if (!mod && !wide && !(op->flags & IR_SEXT2) && rs2 != ZERO) {
        rv_sext_w(a, T1, rs2); /* its lower half alone says whether it is zero */
        rs2 = T1;
    } else if (!mod && rd == rs2) {
        rv_mv(a, T1, rs2); /* is looked at again after rd is written */
        rs2 = T1;
    }
    form(a, rd, rs1, rs2);
    if (!mod) {
        rv_bne(a, rs2, ZERO, rvc_reg(rs2) ? 2 + 2 : 4 + 2);
        rv_addi(a, rd, ZERO, 0); /* c.li */
    }
    finish(j, op, rd);
}

void ebpf_rv_lower_div(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    bool mod = op->code == IR_MOD || op->code == IR_SMOD;
    reg_form form = divisions[mod][op->code >= IR_SDIV][(op->flags & IR_WIDE) != 0];
    enum rv_reg rd = ebpf_rv_reg(j, op->dst), rs1 = ebpf_rv_source(j, op->src1, T0);

    (op->flags & IR_IMM ? divide_imm : divide_reg)(j, op, rd, rs1, form);
}

/* ---- moves ----------------------------------------------------------------------------------- */

void ebpf_rv_lower_move(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    enum rv_reg rd = ebpf_rv_reg(j, op->dst), rs;

    if (op->code == IR_LI) {
        ebpf_rv_address(j, rd, (uint64_t)op->imm);
        return;
    }
    rs = ebpf_rv_source(j, op->src1, rd);
    if (op->code == IR_MOV || (op->code == IR_ZEXT && op->imm == 32 && op->ext == IR_EXT_ANY)) {
        rv_mv(&j->as, rd, rs);
    } else if (op->code == IR_ZEXT) {
        ebpf_rv_extend(j, rd, rs, (unsigned)op->imm, op->imm == 32 && op->ext == IR_EXT_SIGN);
    } else {
        ebpf_rv_extend(j, rd, rs, (unsigned)op->imm, true);
        finish(j, op, rd);
    }
}
