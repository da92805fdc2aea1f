/* SPDX-License-Identifier: MIT */
/*
 * Instructions that have no operation in jit/opt/ir.h: they are emitted from BPF's form, with all
 * registers at home (lower.h). Most of them are calls of C functions of the library.
 */
#include "helpers/helper.h"
#include "jit/rv64/lower.h"

static uint64_t address_of(void (*fn)(void))
{
    return (uint64_t)(uintptr_t)fn;
}
#define ADDRESS(fn) address_of((void (*)(void))(fn))

/* What emit emits, and in front of it the branch that skips it if rs is in that relation to
 * zero. */
static void unless(struct rv_jit *j, enum rv_cond cond, enum rv_reg rs,
                   void (*emit)(struct rv_jit *j))
{
    struct rv_asm before = j->as;
    int64_t len;

    j->as.buf = NULL; /* only counts */
    emit(j);
    len = j->as.pos - before.pos;
    j->as = before;
    ebpf_rv_emit_wide(&j->as, rv_b(cond, RV_BRANCH, rs, ZERO, 4 + len));
    emit(j);
}

/* ---- tail calls ------------------------------------------------------------------------------ */

/* struct ebpf_tail is in a0 and a1; what the entry wants is an ebpf_prog_entry's. */
static void go_to_target(struct rv_jit *j)
{
    rv_mv(&j->as, A2, A0);
    rv_ld(&j->as, A0, offsetof(struct ebpf_run, ctx), A1);
    rv_ld(&j->as, T1, offsetof(struct ebpf_prog, entry), A2);
    ebpf_rv_restore(j);
    rv_jalr(&j->as, ZERO, 0, T1);
}

/* r1 to r3 are the context, the map, the index. The target returns to this function's caller, its
 * result in a0: see struct rv_frame. */
static void tail_call(struct rv_jit *j)
{
    ebpf_rv_call_c(j, ADDRESS(ebpf_tail_call_native));
    unless(j, RV_BEQ, A0, go_to_target);
}

/* ---- may_goto -------------------------------------------------------------------------------- */

/* The counter is in the frame; the prologue has filled it. */
static void may_goto(struct rv_jit *j)
{
    int32_t off = 0;
    enum rv_reg base = ebpf_rv_base(j, IR_FP, &off, T1);

    rv_ld(&j->as, T0, off, base);
    ebpf_rv_branch_zero(j, T0, j->op->target);
    rv_addi(&j->as, T0, T0, -1);
    rv_sd(&j->as, T0, off, base);
}

/* ---- callx ----------------------------------------------------------------------------------- */

/* The number is the sixth argument, a5: which is r0's register. */
static void call_by_number(struct rv_jit *j, const struct bpf_insn *insn)
{
    rv_mv(&j->as, A5, ebpf_rv_reg(j, insn->dst_reg));
    ebpf_rv_call_c(j, ADDRESS(ebpf_helper_call));
    rv_mv(&j->as, A5, A0);
}

/* ---- packets --------------------------------------------------------------------------------- */

static void exit_with_0(struct rv_jit *j)
{
    const struct ebpf_ir_op op = {.code = IR_EXIT, .flags = IR_IMM};

    ebpf_rv_lower_exit(j, &op);
}

/* The offset first: it may be in a0, where the context of r6 goes. */
static void load_packet(struct rv_jit *j, const struct bpf_insn *insn)
{
    struct rv_asm *a = &j->as;
    unsigned size = BPF_SIZE(insn->code) == BPF_W ? 4 : BPF_SIZE(insn->code) == BPF_H ? 2 : 1;

    if (BPF_MODE(insn->code) == BPF_IND)
        rv_add(a, A1, ebpf_rv_source(j, insn->src_reg, T0), ebpf_rv_constant(j, insn->imm, T1));
    else
        ebpf_rv_li(a, A1, (uint64_t)(int64_t)insn->imm);
    rv_mv(a, A0, ebpf_rv_reg(j, BPF_REG_6));
    ebpf_rv_li(a, A2, size);
    ebpf_rv_call_c(j, ADDRESS(ebpf_packet_load));
    rv_mv(a, A5, A0);
    unless(j, RV_BGE, A0, exit_with_0);
}

/* ---- load-acquire, store-release ------------------------------------------------------------- */

/* The ISA manual's mapping for machines without such instructions (table "Mappings from C/C++
 * primitives"): l; fence r, rw and fence rw, w; s. */
static void load_acquire(struct rv_jit *j, const struct bpf_insn *insn)
{
    static void (*const loads[4])(struct rv_asm *, enum rv_reg, int64_t,
                                  enum rv_reg) = {rv_lwu, rv_lhu, rv_lbu, rv_ld};
    int32_t off = insn->off;
    enum rv_reg base = ebpf_rv_base(j, insn->src_reg, &off, T0);

    loads[BPF_SIZE(insn->code) >> 3](&j->as, ebpf_rv_reg(j, insn->dst_reg), off, base);
    ebpf_rv_emit_wide(&j->as, RV_FENCE_R_RW);
}

static void store_release(struct rv_jit *j, const struct bpf_insn *insn)
{
    static void (*const stores[4])(struct rv_asm *, enum rv_reg, int64_t,
                                   enum rv_reg) = {rv_sw, rv_sh, rv_sb, rv_sd};
    int32_t off = insn->off;
    enum rv_reg base = ebpf_rv_base(j, insn->dst_reg, &off, T0);
    enum rv_reg value = ebpf_rv_source(j, insn->src_reg, T1);

    ebpf_rv_emit_wide(&j->as, RV_FENCE_RW_W);
    stores[BPF_SIZE(insn->code) >> 3](&j->as, value, off, base);
}

/* ---- functions' addresses -------------------------------------------------------------------- */

/* What a helper can call as a C function: see struct rv_frame. */
static void func_address(struct rv_jit *j, const struct bpf_insn *insn)
{
    uint32_t subprog = ebpf_ir_func_address(j->code, insn);
    enum rv_reg rd = ebpf_rv_reg(j, insn->dst_reg);
    int64_t distance;

    if (subprog == j->code->subprog_cnt) {
        ebpf_rv_unknown(j);
        return;
    }
    distance = ebpf_rv_entry_distance(j, subprog);
    rv_auipc(&j->as, rd, rv_hi(distance));
    ebpf_rv_emit_wide(&j->as, rv_i(0, 0x13, rd, rd, rv_lo(distance))); /* addi, of one length */
}

/* ---- all of them ----------------------------------------------------------------------------- */

void ebpf_rv_lower_opaque(struct rv_jit *j, const struct bpf_insn *insn)
{
    bool atomic = BPF_CLASS(insn->code) == BPF_STX && BPF_MODE(insn->code) == BPF_ATOMIC;

    if (insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg && insn->imm == EBPF_HELPER_TAIL_CALL)
        tail_call(j);
    else if (insn->code == (BPF_JMP | BPF_JCOND) && insn->src_reg == BPF_MAY_GOTO)
        may_goto(j);
    else if (insn->code == (BPF_JMP | BPF_CALL | BPF_X))
        call_by_number(j, insn);
    else if (ebpf_ir_is_func_address(insn))
        func_address(j, insn);
    else if (ebpf_insn_loads_packet(insn) && BPF_MODE(insn->code) <= BPF_IND &&
             BPF_SIZE(insn->code) != BPF_DW)
        load_packet(j, insn);
    else if (atomic && insn->imm == BPF_LOAD_ACQ)
        load_acquire(j, insn);
    else if (atomic && insn->imm == BPF_STORE_REL)
        store_release(j, insn);
    else
        ebpf_rv_unknown(j);
}
