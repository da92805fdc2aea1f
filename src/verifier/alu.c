/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic: moves, and operations on numbers. What a result can be is computed in bounds.c; here
 * is what else an instruction means: which operands it may have, and which registers hold the same
 * number afterwards.
 *
 * Copies are linked: `r2 = r1` gives both the same id, so that what a comparison teaches about one
 * is true of the other (branch.c). `r2 += 8` after that keeps the link and notes the difference,
 * for constants up to 2^31 - 1 and once (Linux, adjust_reg_min_max_vals(), BPF_ADD_CONST). Every
 * other operation ends the link.
 */
#include "src/verifier/engine.h"

/* ---- moves ----------------------------------------------------------------------------------- */

/* Makes a number ready to be copied: both copies will have its id. Linux,
 * assign_scalar_id_before_mov() */
static void name_number(struct ebpf_verifier *v, struct ebpf_vreg *reg)
{
    if (reg->kind != EBPF_KIND_SCALAR)
        return;
    if (reg->link) {
        reg->id = 0;
        reg->link = 0;
    }
    if (!reg->id && !ebpf_scalar_is_const(&reg->var))
        reg->id = ebpf_verify_new_id(v);
}

static void unlink_number(struct ebpf_vreg *reg)
{
    reg->id = 0;
    reg->link = 0;
}

static int mov_imm(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    uint64_t value =
        BPF_CLASS(insn->code) == BPF_ALU64 ? (uint64_t)(int64_t)insn->imm : (uint32_t)insn->imm;

    ebpf_vreg_set_number(ebpf_verify_reg(v, insn->dst_reg), value);
    return 0;
}

/* dst = the lowest bits of src, sign-extended (movsx) to the whole or to 32 bits, or zero-extended.
 * */
static void mov_part(struct ebpf_verifier *v, struct ebpf_vreg *dst, struct ebpf_vreg *src,
                     const struct bpf_insn *insn)
{
    bool wide = BPF_CLASS(insn->code) == BPF_ALU64;
    unsigned bits = insn->off ? (unsigned)insn->off : 32;
    /* nothing is cut off, and no sign copied: it stays the same number */
    bool same = src->var.full.umax <= ebpf_low_bits(insn->off ? bits - 1 : bits);

    if (same)
        name_number(v, src);
    *dst = *src;
    if (!same)
        unlink_number(dst);
    if (insn->off)
        ebpf_scalar_movsx(&dst->var, bits, 64);
    if (!wide)
        ebpf_scalar_zext(&dst->var, 32, 64);
}

static int mov_reg(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    struct ebpf_vreg *dst = ebpf_verify_reg(v, insn->dst_reg),
                     *src = ebpf_verify_reg(v, insn->src_reg);
    bool wide = BPF_CLASS(insn->code) == BPF_ALU64;

    if (wide && !insn->off) {
        name_number(v, src);
        *dst = *src;
        return 0;
    }
    if (ebpf_verify_secret(v, src))
        return ebpf_verify_refuse(
            v, -EACCES, wide ? "R%u sign-extension part of pointer" : "R%u partial copy of pointer",
            insn->src_reg);
    if (src->kind == EBPF_KIND_SCALAR) {
        mov_part(v, dst, src, insn);
    } else {
        ebpf_vreg_set_unknown(dst);
        if (!wide)
            ebpf_scalar_zext(&dst->var, 32, 64);
    }
    return 0;
}

/* ---- operations ------------------------------------------------------------------------------ */

/* Both are known: the value, as RFC 9669 has it. false: bounds.c does not follow the operation. */
static bool known_result(uint8_t op, bool wide, uint64_t a, uint64_t b, uint64_t *out)
{
    unsigned bits = wide ? 64 : 32;

    if (!wide) {
        a = (uint32_t)a;
        b = (uint32_t)b;
    }
    switch (op) {
    case BPF_ADD:
        *out = a + b;
        break;
    case BPF_SUB:
        *out = a - b;
        break;
    case BPF_MUL:
        *out = a * b;
        break;
    case BPF_AND:
        *out = a & b;
        break;
    case BPF_OR:
        *out = a | b;
        break;
    case BPF_XOR:
        *out = a ^ b;
        break;
    case BPF_NEG:
        *out = 0 - a;
        break;
    case BPF_LSH:
        *out = b < bits ? a << b : 0;
        break;
    case BPF_RSH:
        *out = b < bits ? a >> b : 0;
        break;
    case BPF_ARSH:
        *out = b < bits ? (uint64_t)(ebpf_sext(a, bits) >> b) : 0;
        break;
    default:
        return false;
    }
    if (!wide)
        *out = (uint32_t)*out;
    return b < bits || (op != BPF_LSH && op != BPF_RSH && op != BPF_ARSH);
}

/* The link of dst after `dst op src`: see above. */
static void relink(struct ebpf_vreg *dst, uint8_t op, bool wide, const struct ebpf_vreg *src)
{
    uint64_t value = src->var.known.value;

    if (op == BPF_ADD && wide && dst->id && !dst->link && ebpf_scalar_is_const(&src->var) &&
        value <= INT32_MAX)
        dst->link = (int32_t)value;
    else
        unlink_number(dst);
}

static void operate(struct ebpf_vreg *dst, const struct bpf_insn *insn, const struct ebpf_vreg *src)
{
    uint8_t op = BPF_OP(insn->code);
    bool wide = BPF_CLASS(insn->code) == BPF_ALU64;
    uint64_t value;

    relink(dst, op, wide, src);
    dst->from |= src->from;
    if (ebpf_scalar_is_const(&dst->var) && ebpf_scalar_is_const(&src->var) &&
        known_result(op, wide, dst->var.known.value, src->var.known.value, &value))
        ebpf_scalar_set(&dst->var, value, 64);
    else
        ebpf_scalar_alu(op, wide, &dst->var, &src->var, 64);
}

void ebpf_verify_imm(struct ebpf_vreg *reg, const struct bpf_insn *insn)
{
    ebpf_vreg_set_number(reg, (uint64_t)(int64_t)insn->imm);
}

static int pointer_and_pointer(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    if (BPF_OP(insn->code) != BPF_SUB || !v->may_leak)
        return ebpf_verify_refuse(v, -EACCES, "R%u pointer %s pointer prohibited", insn->dst_reg,
                                  ebpf_insn_operator(insn->code));
    ebpf_vreg_set_unknown(ebpf_verify_reg(v, insn->dst_reg));
    return 0;
}

/* A pointer is one of the operands of an operation with a register. */
static int with_pointer(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    const struct ebpf_vreg *dst = ebpf_verify_reg(v, insn->dst_reg),
                           *src = ebpf_verify_reg(v, insn->src_reg);
    bool swapped = !ebpf_vreg_is_pointer(dst);
    int err;

    if (!swapped && ebpf_vreg_is_pointer(src))
        return pointer_and_pointer(v, insn);
    err = ebpf_verify_precise(v, swapped ? insn->dst_reg : insn->src_reg);
    if (err)
        return err;
    return ebpf_verify_pointer_alu(v, insn, swapped ? src : dst, swapped ? dst : src);
}

static int binary(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    struct ebpf_vreg *dst = ebpf_verify_reg(v, insn->dst_reg), *imm = &v->explore->imm;

    if (BPF_SRC(insn->code) == BPF_X) {
        const struct ebpf_vreg *src = ebpf_verify_reg(v, insn->src_reg);

        if (ebpf_vreg_is_pointer(dst) || ebpf_vreg_is_pointer(src))
            return with_pointer(v, insn);
        operate(dst, insn, src);
        return 0;
    }
    ebpf_verify_imm(imm, insn);
    if (ebpf_vreg_is_pointer(dst))
        return ebpf_verify_pointer_alu(v, insn, dst, imm);
    operate(dst, insn, imm);
    return 0;
}

/* NEG, byte swaps: one operand. The order of bytes is not followed. */
static int unary(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    struct ebpf_vreg *dst = ebpf_verify_reg(v, insn->dst_reg);

    if (ebpf_verify_secret(v, dst))
        return ebpf_verify_refuse(v, -EACCES, "R%u pointer arithmetic prohibited", insn->dst_reg);
    if (BPF_OP(insn->code) == BPF_NEG && dst->kind == EBPF_KIND_SCALAR) {
        ebpf_vreg_set_number(&v->explore->imm, 0);
        operate(dst, insn, &v->explore->imm);
    } else {
        ebpf_vreg_set_unknown(dst);
    }
    return 0;
}

/* Linux, check_alu_op(): what an immediate may not be. */
static int check_imm(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    int32_t bits = BPF_CLASS(insn->code) == BPF_ALU64 ? 64 : 32;

    switch (BPF_OP(insn->code)) {
    case BPF_DIV:
    case BPF_MOD:
        return insn->imm ? 0 : ebpf_verify_refuse(v, -EINVAL, "div by zero");
    case BPF_LSH:
    case BPF_RSH:
    case BPF_ARSH:
        if (insn->imm < 0 || insn->imm >= bits)
            return ebpf_verify_refuse(v, -EINVAL, "invalid shift %d", insn->imm);
        return 0;
    default:
        return 0;
    }
}

int ebpf_verify_alu(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    uint8_t op = BPF_OP(insn->code);
    bool by_reg = BPF_SRC(insn->code) == BPF_X && op != BPF_END && op != BPF_NEG;
    int err = 0;

    if (by_reg)
        err = ebpf_verify_readable(v, insn->src_reg);
    if (!err && op != BPF_MOV)
        err = ebpf_verify_readable(v, insn->dst_reg);
    if (!err && !by_reg)
        err = check_imm(v, insn);
    if (!err)
        err = ebpf_verify_writable(v, insn->dst_reg);
    if (err)
        return err;
    if (op == BPF_MOV)
        return by_reg ? mov_reg(v, insn) : mov_imm(v, insn);
    if (op == BPF_NEG || op == BPF_END)
        return unary(v, insn);
    return binary(v, insn);
}
