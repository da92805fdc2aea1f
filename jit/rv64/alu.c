/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic (RFC 9669, Arithmetic Instructions), as operations on three registers or two and a constant.
 *
 * A 32-bit operation may leave anything in the upper half; zero-extending is one step at the end, and not taken where the
 * upper half is known to be zero.
 */
#include "jit/rv64/lower.h"

typedef void (*reg_form)(struct rv_asm *, enum rv_reg rd, enum rv_reg rs1, enum rv_reg rs2);
typedef void (*imm_form)(struct rv_asm *, enum rv_reg rd, enum rv_reg rs1, int64_t imm);

/* One operation: rd = rs1 op rs2, or rs1 op imm. */
struct operation {
    unsigned op; /* BPF_ADD, ... */
    bool wide;   /* ALU64 */
    bool sign;   /* SDIV, SMOD */
    enum rv_reg rd, rs1;
};

/* The lower half of a sum, product or bitwise result does not depend on upper halves, so that ALU can use the 64-bit
 * instruction where that one has a compressed form more often. [operation >> 4][ALU64] */
static const struct {
    reg_form reg;
    imm_form imm; /* 12 bits, signed; shifts: their width */
} forms[16][2] = {
    [BPF_ADD >> 4] = {{rv_add, rv_addi}, {rv_add, rv_addi}},
    [BPF_SUB >> 4] = {{rv_sub, NULL}, {rv_sub, NULL}},
    [BPF_MUL >> 4] = {{rv_mulw, NULL}, {rv_mul, NULL}},
    [BPF_OR >> 4] = {{rv_or, rv_ori}, {rv_or, rv_ori}},
    [BPF_AND >> 4] = {{rv_and, rv_andi}, {rv_and, rv_andi}},
    [BPF_XOR >> 4] = {{rv_xor, rv_xori}, {rv_xor, rv_xori}},
    [BPF_LSH >> 4] = {{rv_sllw, rv_slliw}, {rv_sll, rv_slli}},
    [BPF_RSH >> 4] = {{rv_srlw, rv_srliw}, {rv_srl, rv_srli}},
    [BPF_ARSH >> 4] = {{rv_sraw, rv_sraiw}, {rv_sra, rv_srai}},
};

/* [MOD][signed][ALU64] */
static const reg_form divisions[2][2][2] = {
    {{rv_divuw, rv_divu}, {rv_divw, rv_div}},
    {{rv_remuw, rv_remu}, {rv_remw, rv_rem}},
};

/* The step at the end of a 32-bit operation. */
static void finish(struct rv_jit *j, const struct operation *o)
{
    if (!o->wide)
        ebpf_rv_zext(&j->as, o->rd, o->rd, 32);
}

static bool is_division(unsigned op)
{
    return op == BPF_DIV || op == BPF_MOD;
}

static bool is_shift(unsigned op)
{
    return op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH;
}

/* ---- rd = rs1 op rs2 ---------------------------------------------------------------------------------------- */

/*
 * RISC-V agrees with BPF on the remainder of a division by zero and on the smallest number divided by -1; the quotient
 * by zero is all ones there and has to become 0.
 */
static void divide(struct rv_jit *j, const struct operation *o, enum rv_reg rs2)
{
    struct rv_asm *a = &j->as;
    bool mod = o->op == BPF_MOD;

    if (!mod && !o->wide) {
        rv_sext_w(a, T0, rs2); /* its lower half alone says whether it is zero */
        rs2 = T0;
    } else if (!mod && o->rd == rs2) {
        rv_mv(a, T0, rs2); /* is looked at again after rd is written */
        rs2 = T0;
    }
    divisions[mod][o->sign][o->wide](a, o->rd, o->rs1, rs2);
    if (!mod) {
        rv_bne(a, rs2, ZERO, rvc_reg(rs2) ? 2 + 2 : 4 + 2);
        rv_addi(a, o->rd, ZERO, 0); /* c.li */
    }
    finish(j, o);
}

static void alu_reg(struct rv_jit *j, const struct operation *o, enum rv_reg rs2)
{
    if (is_division(o->op)) {
        divide(j, o, rs2);
        return;
    }
    forms[o->op >> 4][o->wide].reg(&j->as, o->rd, o->rs1, rs2);
    finish(j, o);
}

/* ---- rd = rs1 op imm ---------------------------------------------------------------------------------------- */

/* A 32-bit shift can do the zero-extension, or needs none: a logical shift to the right leaves bit 31 clear. */
static void shift_imm(struct rv_jit *j, const struct operation *o, int64_t shamt)
{
    struct rv_asm *a = &j->as;

    if (o->wide) {
        if (shamt)
            forms[o->op >> 4][1].imm(a, o->rd, o->rs1, shamt);
        else
            rv_mv(a, o->rd, o->rs1);
    } else if (!shamt) {
        ebpf_rv_zext(a, o->rd, o->rs1, 32);
    } else if (o->op == BPF_RSH) {
        rv_srliw(a, o->rd, o->rs1, shamt);
    } else if (o->op == BPF_LSH) {
        rv_slli(a, o->rd, o->rs1, 32 + shamt);
        rv_srli(a, o->rd, o->rd, 32);
    } else {
        rv_sraiw(a, o->rd, o->rs1, shamt);
        finish(j, o);
    }
}

/* By a constant: nothing to look at afterwards. An unsigned 32-bit result has bit 31 clear if the divisor is 2 or more. */
static void divide_imm(struct rv_jit *j, const struct operation *o, int64_t imm)
{
    struct rv_asm *a = &j->as;

    if (!imm) {
        rv_mv(a, o->rd, o->op == BPF_DIV ? ZERO : o->rs1);
        finish(j, o);
        return;
    }
    ebpf_rv_li(a, T0, (uint64_t)imm);
    divisions[o->op == BPF_MOD][o->sign][o->wide](a, o->rd, o->rs1, T0);
    if (o->sign || imm < 2)
        finish(j, o);
}

/* A constant that is not negative clears the upper half, too; one of ones only is a zero-extension. */
static void and_imm(struct rv_jit *j, const struct operation *o, int64_t imm)
{
    struct rv_asm *a = &j->as;

    if (imm > 2047 && !(imm & (imm + 1))) {
        ebpf_rv_zext(a, o->rd, o->rs1, rv_bit_length((uint64_t)imm));
        return;
    }
    if (rv_fits(imm, 12))
        rv_andi(a, o->rd, o->rs1, imm);
    else
        rv_and(a, o->rd, o->rs1, ebpf_rv_constant(j, imm, T0));
    if (imm < 0)
        finish(j, o);
}

static void alu_imm(struct rv_jit *j, struct operation o, int64_t imm)
{
    imm_form form;

    if (is_shift(o.op)) {
        shift_imm(j, &o, imm & (o.wide ? 63 : 31)); /* RFC 9669: the amount is masked */
        return;
    }
    if (is_division(o.op)) {
        divide_imm(j, &o, imm);
        return;
    }
    if (o.op == BPF_AND) {
        and_imm(j, &o, imm);
        return;
    }
    if (o.op == BPF_SUB) { /* there is no subi */
        o.op = BPF_ADD;
        imm = -imm;
    }
    form = forms[o.op >> 4][o.wide].imm;
    if (o.wide && o.op == BPF_ADD && !imm)
        rv_mv(&j->as, o.rd, o.rs1);
    else if (form && rv_fits(imm, 12))
        form(&j->as, o.rd, o.rs1, imm);
    else
        forms[o.op >> 4][o.wide].reg(&j->as, o.rd, o.rs1, ebpf_rv_constant(j, imm, T0));
    finish(j, &o);
}

/* ---- moves --------------------------------------------------------------------------------------------------- */

static void move(struct rv_jit *j, const struct bpf_insn *insn, enum rv_reg rd, bool wide)
{
    struct rv_asm *a = &j->as;
    bool by_reg = BPF_SRC(insn->code) == BPF_X;
    enum rv_reg rs;

    if (!by_reg && !insn->off) {
        ebpf_rv_li(a, rd, wide ? (uint64_t)(int64_t)insn->imm : (uint32_t)insn->imm);
        return;
    }
    rs = ebpf_rv_source(j, insn->src_reg, rd);
    if (by_reg && !insn->off && wide) {
        rv_mv(a, rd, rs);
    } else if (by_reg && !insn->off) {
        ebpf_rv_zext(a, rd, rs, 32);
    } else if (by_reg && (insn->off == 8 || insn->off == 16 || (insn->off == 32 && wide))) {
        ebpf_rv_sext(a, rd, rs, (unsigned)insn->off);
        if (!wide)
            ebpf_rv_zext(a, rd, rd, 32);
    } else {
        ebpf_rv_unknown(j);
    }
}

void ebpf_rv_lower_alu(struct rv_jit *j, const struct bpf_insn *insn)
{
    enum rv_reg rd = ebpf_rv_reg(j, insn->dst_reg);
    struct operation o = {
        .op = BPF_OP(insn->code),
        .wide = BPF_CLASS(insn->code) == BPF_ALU64,
        .sign = is_division(BPF_OP(insn->code)) && insn->off == 1,
        .rd = rd,
        .rs1 = rd,
    };

    if (o.op == BPF_END) {
        ebpf_rv_lower_swap(j, insn);
    } else if (o.op == BPF_MOV) {
        move(j, insn, rd, o.wide);
    } else if (insn->off != o.sign) {
        ebpf_rv_unknown(j);
    } else if (o.op == BPF_NEG) {
        o.op = BPF_SUB;
        o.rs1 = ZERO;
        alu_reg(j, &o, rd);
    } else if (!forms[o.op >> 4][0].reg && !is_division(o.op)) {
        ebpf_rv_unknown(j);
    } else if (BPF_SRC(insn->code) == BPF_X) {
        alu_reg(j, &o, ebpf_rv_source(j, insn->src_reg, T1));
    } else {
        alu_imm(j, o, insn->imm);
    }
}
