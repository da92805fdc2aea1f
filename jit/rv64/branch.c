/* SPDX-License-Identifier: MIT */
/*
 * Jumps (RFC 9669, Jump instructions) of any distance. By reach (struct rv_place), with the instruction that
 * limits it:
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
    bool swapped, known;
} conditions[16] = {
    [BPF_JEQ >> 4] = {RV_BEQ, false, true},  [BPF_JNE >> 4] = {RV_BNE, false, true},
    [BPF_JGT >> 4] = {RV_BLTU, true, true},  [BPF_JGE >> 4] = {RV_BGEU, false, true},
    [BPF_JLT >> 4] = {RV_BLTU, false, true}, [BPF_JLE >> 4] = {RV_BGEU, true, true},
    [BPF_JSGT >> 4] = {RV_BLT, true, true},  [BPF_JSGE >> 4] = {RV_BGE, false, true},
    [BPF_JSLT >> 4] = {RV_BLT, false, true}, [BPF_JSLE >> 4] = {RV_BGE, true, true},
    [BPF_JSET >> 4] = {RV_BNE, false, true},
};

/* ---- emitting --------------------------------------------------------------------------------------------------- */

static void far_jump(struct rv_jit *j, int64_t distance)
{
    rv_auipc(&j->as, T1, rv_hi(distance));
    ebpf_rv_emit_wide(&j->as, rv_i(0, 0x67, ZERO, T1, rv_lo(distance))); /* jalr, never shorter */
}

static void jump(struct rv_jit *j, uint32_t target)
{
    int64_t distance = ebpf_rv_distance(j, target);
    unsigned needed = ebpf_rv_near(j, distance, 12) ? 0 : ebpf_rv_near(j, distance, 21) ? 2 : 3;

    switch (ebpf_rv_reach(j, needed)) {
    case 0:
    case 1:
        rv_jal(&j->as, ZERO, distance);
        break;
    case 2:
        ebpf_rv_emit_wide(&j->as, rv_j(0x6f, ZERO, distance));
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

static void branch_if(struct rv_jit *j, const struct test *test, uint32_t target)
{
    struct rv_asm *a = &j->as;
    int64_t distance = ebpf_rv_distance(j, target);
    unsigned reach = ebpf_rv_reach(j, reach_needed(j, test, distance));
    uint32_t branch = rv_b(test->cond, 0x63, test->rs1, test->rs2, distance);
    int64_t first = has_short_form(test) ? 2 : 4; /* length of the branch that jumps over the jump */

    if (reach == 0) {
        ebpf_rv_emit(a, branch);
    } else if (reach == 1) {
        ebpf_rv_emit_wide(a, branch);
    } else {
        ebpf_rv_emit(a, rv_b(test->cond ^ 1u, 0x63, test->rs1, test->rs2, first + (reach == 2 ? 4 : 8)));
        if (reach == 2)
            ebpf_rv_emit_wide(a, rv_j(0x6f, ZERO, distance - first));
        else
            far_jump(j, distance - first);
    }
}

/* ---- conditions -------------------------------------------------------------------------------------------------- */

/*
 * JMP32 compares lower halves. Sign-extended to 64 bits they keep their order, signed and unsigned: in the latter case all
 * those with bit 31 set are moved up alike. An immediate is sign-extended anyway.
 */
static enum rv_reg operand(struct rv_jit *j, unsigned reg, bool wide, enum rv_reg tmp)
{
    enum rv_reg rs = ebpf_rv_source(j, reg, tmp);

    if (wide)
        return rs;
    rv_sext_w(&j->as, tmp, rs);
    return tmp;
}

/* Compares with 1 or -1 that are compares with 0: no constant is needed then. True: done. */
static bool against_zero(const struct bpf_insn *insn, struct test *test, enum rv_reg rs)
{
    static const struct {
        uint8_t op;
        int8_t imm;
        struct test test; /* A0 stands for the register */
    } rows[] = {
        {BPF_JGT, 0, {RV_BNE, A0, ZERO}},  {BPF_JGE, 1, {RV_BNE, A0, ZERO}},  {BPF_JLE, 0, {RV_BEQ, A0, ZERO}},
        {BPF_JLT, 1, {RV_BEQ, A0, ZERO}},  {BPF_JSGT, -1, {RV_BGE, A0, ZERO}}, {BPF_JSLE, -1, {RV_BLT, A0, ZERO}},
        {BPF_JSGE, 1, {RV_BLT, ZERO, A0}}, {BPF_JSLT, 1, {RV_BGE, ZERO, A0}},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].op != BPF_OP(insn->code) || rows[i].imm != insn->imm)
            continue;
        test->cond = rows[i].test.cond;
        test->rs1 = rows[i].test.rs1 == ZERO ? ZERO : rs;
        test->rs2 = rows[i].test.rs2 == ZERO ? ZERO : rs;
        return true;
    }
    return false;
}

/* a & b: bit by bit on registers as they are; for JMP32 the upper half goes. */
static void test_bits(struct rv_jit *j, const struct bpf_insn *insn, bool wide, struct test *test)
{
    struct rv_asm *a = &j->as;
    enum rv_reg rs1 = ebpf_rv_source(j, insn->dst_reg, T0);

    if (BPF_SRC(insn->code) == BPF_X)
        rv_and(a, T0, rs1, ebpf_rv_source(j, insn->src_reg, T1));
    else if (rv_fits(insn->imm, 12))
        rv_andi(a, T0, rs1, insn->imm);
    else
        rv_and(a, T0, rs1, ebpf_rv_constant(j, insn->imm, T1));
    if (!wide && (BPF_SRC(insn->code) == BPF_X || insn->imm < 0))
        rv_sext_w(a, T0, T0);
    *test = (struct test){RV_BNE, T0, ZERO};
}

static void compare(struct rv_jit *j, const struct bpf_insn *insn, bool wide, struct test *test)
{
    unsigned op = BPF_OP(insn->code) >> 4;
    enum rv_reg a = operand(j, insn->dst_reg, wide, T0), b;

    if (BPF_SRC(insn->code) == BPF_X)
        b = operand(j, insn->src_reg, wide, T1);
    else if (against_zero(insn, test, a))
        return;
    else
        b = ebpf_rv_constant(j, insn->imm, T1);
    *test = (struct test){(enum rv_cond)conditions[op].cond, conditions[op].swapped ? b : a,
                          conditions[op].swapped ? a : b};
}

/* ---- instructions ------------------------------------------------------------------------------------------------- */

static void lower_branch(struct rv_jit *j, const struct bpf_insn *insn, uint32_t target)
{
    bool wide = BPF_CLASS(insn->code) == BPF_JMP;
    struct test test = {RV_BNE, ZERO, ZERO};

    if (BPF_OP(insn->code) == BPF_JSET)
        test_bits(j, insn, wide, &test);
    else
        compare(j, insn, wide, &test);
    branch_if(j, &test, target);
}

void ebpf_rv_lower_jump(struct rv_jit *j, const struct bpf_insn *insn)
{
    const struct ebpf_subprog *sub = &j->code->subprogs[j->subprog];
    bool gotol = insn->code == (BPF_JMP32 | BPF_JA), always = gotol || insn->code == (BPF_JMP | BPF_JA);
    int64_t target = (int64_t)j->index + 1 + (gotol ? insn->imm : insn->off);

    if (insn->code == (BPF_JMP | BPF_EXIT)) {
        ebpf_rv_epilogue(j);
    } else if (insn->code == (BPF_JMP | BPF_CALL)) {
        ebpf_rv_lower_call(j, insn);
    } else if ((!always && !conditions[BPF_OP(insn->code) >> 4].known) || target < sub->start || target >= sub->end) {
        ebpf_rv_unknown(j);
    } else if (target == (int64_t)j->index + 1) {
        return; /* wherever it goes, it goes there */
    } else if (always) {
        jump(j, (uint32_t)target);
    } else {
        lower_branch(j, insn, (uint32_t)target);
    }
}
