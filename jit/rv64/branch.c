/* SPDX-License-Identifier: MIT */
/*
 * Jumps (RFC 9669, Jump instructions) of any distance. By reach (lower.h), with the
 * instruction that limits it:
 *
 *           conditional                    always
 *     0     c.beqz, c.bnez   256 B         c.j             2 KiB
 *     1     b                4 KiB         c.j             2 KiB
 *     2     !b over jal      1 MiB         jal             1 MiB
 *     3     !b over auipc, jalr            auipc, jalr     2 GiB
 */
#include "jit/rv64/lower.h"

/* A condition as RISC-V has it. */
struct test {
    enum rv_cond cond;
    enum rv_reg rs1, rs2;
};

/* a > b is b < a. [operation >> 4] */
static const struct {
    uint8_t cond;
    bool swapped;
} conditions[16] = {
    [BPF_JEQ >> 4] = {RV_BEQ, false},  [BPF_JNE >> 4] = {RV_BNE, false},
    [BPF_JGT >> 4] = {RV_BLTU, true},  [BPF_JGE >> 4] = {RV_BGEU, false},
    [BPF_JLT >> 4] = {RV_BLTU, false}, [BPF_JLE >> 4] = {RV_BGEU, true},
    [BPF_JSGT >> 4] = {RV_BLT, true},  [BPF_JSGE >> 4] = {RV_BGE, false},
    [BPF_JSLT >> 4] = {RV_BLT, false}, [BPF_JSLE >> 4] = {RV_BGE, true},
};

/* ---- emitting -------------------------------------------------------------------------------- */

static void far_jump(struct rv_jit *j, int64_t distance)
{
    rv_auipc(&j->as, T1, rv_hi(distance));
    ebpf_rv_emit_wide(&j->as, rv_i(0, RV_JALR, ZERO, T1, rv_lo(distance)));
}

static void jump(struct rv_jit *j, uint32_t label)
{
    int64_t distance = ebpf_rv_distance(j, label);
    unsigned needed = ebpf_rv_near(j, distance, 12) ? 0 : ebpf_rv_near(j, distance, 21) ? 2 : 3;

    switch (ebpf_rv_reach(j, needed)) {
    case 0:
    case 1:
        rv_jal(&j->as, ZERO, distance);
        break;
    case 2:
        ebpf_rv_emit_wide(&j->as, rv_j(RV_JAL, ZERO, distance));
        break;
    default:
        far_jump(j, distance);
    }
}

static bool has_short_form(const struct test *test)
{
    return test->cond <= RV_BNE && test->rs2 == ZERO && rvc_reg(test->rs1);
}

static unsigned reach_needed(const struct rv_jit *j, const struct test *test, int64_t distance)
{
    if (has_short_form(test) && ebpf_rv_near(j, distance, 9))
        return 0;
    if (ebpf_rv_near(j, distance, 13))
        return 1;
    return ebpf_rv_near(j, distance - 4, 21) && ebpf_rv_near(j, distance, 21) ? 2 : 3;
}

static void branch_if(struct rv_jit *j, const struct test *test, uint32_t label)
{
    struct rv_asm *a = &j->as;
    int64_t distance = ebpf_rv_distance(j, label);
    unsigned reach = ebpf_rv_reach(j, reach_needed(j, test, distance));
    uint32_t branch = rv_b(test->cond, RV_BRANCH, test->rs1, test->rs2, distance);
    int64_t first = has_short_form(test) ? 2 : 4; /* length of the opposite branch */
    int64_t over = first + (reach == 2 ? 4 : 8);

    if (reach == 0) {
        ebpf_rv_emit(a, branch);
    } else if (reach == 1) {
        ebpf_rv_emit_wide(a, branch);
    } else {
        ebpf_rv_emit(a, rv_b(test->cond ^ 1u, RV_BRANCH, test->rs1, test->rs2, over));
        if (reach == 2)
            ebpf_rv_emit_wide(a, rv_j(RV_JAL, ZERO, distance - first));
        else
            far_jump(j, distance - first);
    }
}

void ebpf_rv_branch_zero(struct rv_jit *j, enum rv_reg rs, uint32_t label)
{
    const struct test test = {RV_BEQ, rs, ZERO};

    branch_if(j, &test, label);
}

/* ---- conditions ------------------------------------------------------------------------------ */

/*
 * JMP32 compares lower halves. Sign-extended to 64 bits they keep their order, signed and unsigned:
 * in the latter case all those with bit 31 set are moved up alike. An immediate is sign-extended
 * anyway. extended: this one is already, or needs not be.
 */
static enum rv_reg operand(struct rv_jit *j, unsigned vreg, bool extended, enum rv_reg tmp)
{
    enum rv_reg rs = ebpf_rv_source(j, vreg, tmp);

    if (extended || rs == ZERO)
        return rs;
    rv_sext_w(&j->as, tmp, rs);
    return tmp;
}

/* Compares with 1 or -1 that are compares with 0: no constant is needed then. True: done. */
static bool against_zero(const struct ebpf_ir_op *op, struct test *test, enum rv_reg rs)
{
    static const struct {
        uint8_t op;
        int8_t imm;
        struct test test; /* A0 stands for the register */
    } rows[] = {
        {BPF_JGT, 0, {RV_BNE, A0, ZERO}},   {BPF_JGE, 1, {RV_BNE, A0, ZERO}},
        {BPF_JLE, 0, {RV_BEQ, A0, ZERO}},   {BPF_JLT, 1, {RV_BEQ, A0, ZERO}},
        {BPF_JSGT, -1, {RV_BGE, A0, ZERO}}, {BPF_JSLE, -1, {RV_BLT, A0, ZERO}},
        {BPF_JSGE, 1, {RV_BLT, ZERO, A0}},  {BPF_JSLT, 1, {RV_BGE, ZERO, A0}},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].op != op->size || rows[i].imm != op->imm)
            continue;
        test->cond = rows[i].test.cond;
        test->rs1 = rows[i].test.rs1 == ZERO ? ZERO : rs;
        test->rs2 = rows[i].test.rs2 == ZERO ? ZERO : rs;
        return true;
    }
    return false;
}

/* One bit that andi does not reach: it goes to the top, where a sign is looked at. */
static bool test_bit(struct rv_jit *j, const struct ebpf_ir_op *op, enum rv_reg rs1,
                     struct test *test)
{
    uint64_t mask = (uint64_t)op->imm & (op->flags & IR_WIDE ? UINT64_MAX : UINT32_MAX);

    if (!mask || mask & (mask - 1) || rv_fits(op->imm, 12))
        return false;
    rv_slli(&j->as, T0, rs1, 64 - rv_bit_length(mask));
    *test = (struct test){op->size == BPF_JSET ? RV_BLT : RV_BGE, T0, ZERO};
    return true;
}

/* a & b: bit by bit on registers as they are; for JMP32 the upper half goes. */
static void test_bits(struct rv_jit *j, const struct ebpf_ir_op *op, struct test *test)
{
    struct rv_asm *a = &j->as;
    enum rv_reg rs1 = ebpf_rv_source(j, op->src1, T0);
    bool imm = op->flags & IR_IMM;

    if (imm && test_bit(j, op, rs1, test))
        return;
    if (!imm)
        rv_and(a, T0, rs1, ebpf_rv_source(j, op->src2, T1));
    else if (rv_fits(op->imm, 12))
        rv_andi(a, T0, rs1, op->imm);
    else
        rv_and(a, T0, rs1, ebpf_rv_constant(j, op->imm, T1));
    if (!(op->flags & (IR_WIDE | IR_DIRECT)) && (!imm || op->imm < 0))
        rv_sext_w(a, T0, T0);
    *test = (struct test){op->size == BPF_JSET ? RV_BNE : RV_BEQ, T0, ZERO};
}

static void compare(struct rv_jit *j, const struct ebpf_ir_op *op, struct test *test)
{
    unsigned cond = op->size >> 4;
    bool direct = op->flags & (IR_WIDE | IR_DIRECT);
    enum rv_reg a = operand(j, op->src1, direct || (op->flags & IR_SEXT1), T0), b;

    if (!(op->flags & IR_IMM))
        b = operand(j, op->src2, direct || (op->flags & IR_SEXT2), T1);
    else if (against_zero(op, test, a))
        return;
    else
        b = ebpf_rv_constant(j, op->imm, T1);
    *test = (struct test){(enum rv_cond)conditions[cond].cond, conditions[cond].swapped ? b : a,
                          conditions[cond].swapped ? a : b};
}

/* ---- operations ------------------------------------------------------------------------------ */

/* Is there nothing but labels between here and the target? */
static bool goes_on(const struct rv_jit *j, uint32_t label)
{
    const struct ebpf_ir_op *target = &j->fn->ir.list.ops[j->fn->labels[label]];

    if (target < j->op)
        return false;
    for (const struct ebpf_ir_op *op = j->op + 1; op < target; op++) {
        if (op->code != IR_LABEL && op->code != IR_NOP)
            return false;
    }
    return true;
}

void ebpf_rv_lower_branch(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    struct test test = {RV_BNE, ZERO, ZERO};

    if (goes_on(j, op->target))
        return;
    if (op->size == BPF_JSET || op->size == IR_JCLEAR)
        test_bits(j, op, &test);
    else
        compare(j, op, &test);
    branch_if(j, &test, op->target);
}

void ebpf_rv_lower_jump(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    if (!goes_on(j, op->target))
        jump(j, op->target);
}
