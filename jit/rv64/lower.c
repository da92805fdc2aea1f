/* SPDX-License-Identifier: MIT */
/* The passes over a program, and what all operations need: registers, constants, distances. See
 * lower.h. */
#include "jit/rv64/lower.h"

#include "src/base/bits.h"

void ebpf_rv_unknown(struct rv_jit *j)
{
    ebpf_rv_fail(&j->as, -EOPNOTSUPP);
}

/* ---- registers and constants ----------------------------------------------------------------- */

enum rv_reg ebpf_rv_reg(struct rv_jit *j, unsigned vreg)
{
    if (vreg != IR_FP && vreg < IR_NONE)
        return (enum rv_reg)j->fn->regs[vreg];
    ebpf_rv_unknown(j);
    return ZERO;
}

enum rv_reg ebpf_rv_source(struct rv_jit *j, unsigned vreg, enum rv_reg tmp)
{
    if (vreg == IR_ZERO)
        return ZERO;
    if (vreg != IR_FP)
        return ebpf_rv_reg(j, vreg);
    rv_addi(&j->as, tmp, SP, j->fn->frame.fp);
    return tmp;
}

enum rv_reg ebpf_rv_constant(struct rv_jit *j, int64_t imm, enum rv_reg tmp)
{
    if (!imm)
        return ZERO;
    ebpf_rv_li(&j->as, tmp, (uint64_t)imm);
    return tmp;
}

enum rv_reg ebpf_rv_base(struct rv_jit *j, unsigned base, int32_t *off, enum rv_reg tmp)
{
    enum rv_reg reg = SP;
    int64_t hi;

    if (base == IR_FP)
        *off += j->fn->frame.fp;
    else
        reg = ebpf_rv_source(j, base, tmp);
    if (rv_fits(*off, 12))
        return reg;
    hi = rv_hi(*off);
    *off = (int32_t)rv_lo(*off);
    rv_lui(&j->as, tmp, hi >= 1 << 19 ? hi - (1 << 20) : hi);
    rv_add(&j->as, tmp, tmp, reg);
    return tmp;
}

/* ---- reach ----------------------------------------------------------------------------------- */

unsigned ebpf_rv_reach(struct rv_jit *j, unsigned needed)
{
    if (needed > j->op->reach) {
        j->op->reach = needed & RV_REACH_MAX;
        j->changed = true;
    }
    j->shorter |= needed < j->op->reach && j->op->code != IR_BRANCH && j->op->code != IR_JUMP;
    return j->op->reach;
}

bool ebpf_rv_near(const struct rv_jit *j, int64_t distance, unsigned bits)
{
    return !j->longest && rv_fits(j->margin ? distance * RV_GROWTH : distance, bits);
}

/* auipc adds a signed 20-bit number of pages, the 12-bit immediate is signed too. */
bool ebpf_rv_auipc_reaches(int64_t distance)
{
    return rv_fits(distance, 33) && rv_fits(rv_hi(distance), 20);
}

/* Few instructions may be more bytes: what is measured for any base must not be less than what
 * comes out for one. */
void ebpf_rv_leave_room(struct rv_jit *j, uint32_t start)
{
    if (j->anywhere && j->as.pos < start + 8)
        j->as.pos = start + 8;
}

/* Positions behind the current one are those of the last pass, and will be later by at least what
 * this one is. */
int64_t ebpf_rv_distance(const struct rv_jit *j, uint32_t label)
{
    uint32_t index = j->fn->labels[label];
    bool ahead = index > (uint32_t)(j->op - j->fn->ir.list.ops);

    return j->fn->places[index] + (ahead ? j->moved : 0) - (int64_t)j->as.pos;
}

int64_t ebpf_rv_entry_distance(const struct rv_jit *j, uint32_t subprog)
{
    const struct rv_fn *fn = &j->fns[subprog];

    return (int64_t)fn->frame.entry + (fn > j->fn ? j->moved : 0) - (int64_t)j->as.pos;
}

/* Reach 0: auipc gets there. 3: it does not. */
void ebpf_rv_address(struct rv_jit *j, enum rv_reg rd, uint64_t value)
{
    int64_t distance = (int64_t)(value - j->base - j->as.pos);
    bool far = j->anywhere || j->longest || !ebpf_rv_auipc_reaches(distance),
         is_short = ebpf_rv_li_length(value) <= 2;
    uint32_t start = j->as.pos;

    if (is_short || ebpf_rv_reach(j, far ? RV_REACH_MAX : 0)) {
        ebpf_rv_li(&j->as, rd, value);
        if (!is_short)
            ebpf_rv_leave_room(j, start);
        return;
    }
    rv_auipc(&j->as, rd, rv_hi(distance));
    /* addi, of one length for any distance */
    ebpf_rv_emit_wide(&j->as, rv_i(0, 0x13, rd, rd, rv_lo(distance)));
}

/* ---- operations ------------------------------------------------------------------------------ */

static void lower_nothing(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    (void)j;
    (void)op;
}

static void lower_opaque(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    ebpf_rv_lower_opaque(j, &j->code->insns[op->slot]);
}

static void (*const lower[IR_CODES])(struct rv_jit *, const struct ebpf_ir_op *) = {
    [IR_NOP] = lower_nothing,
    [IR_LABEL] = lower_nothing,
    [IR_ADD] = ebpf_rv_lower_alu,
    [IR_SUB] = ebpf_rv_lower_alu,
    [IR_MUL] = ebpf_rv_lower_alu,
    [IR_OR] = ebpf_rv_lower_alu,
    [IR_AND] = ebpf_rv_lower_alu,
    [IR_XOR] = ebpf_rv_lower_alu,
    [IR_LSH] = ebpf_rv_lower_alu,
    [IR_RSH] = ebpf_rv_lower_alu,
    [IR_ARSH] = ebpf_rv_lower_alu,
    [IR_ROR] = ebpf_rv_lower_alu,
    [IR_SHADD] = ebpf_rv_lower_alu,
    [IR_BSET] = ebpf_rv_lower_alu,
    [IR_BINV] = ebpf_rv_lower_alu,
    [IR_BEXT] = ebpf_rv_lower_alu,
    [IR_CZEQ] = ebpf_rv_lower_alu,
    [IR_CZNE] = ebpf_rv_lower_alu,
    [IR_DIV] = ebpf_rv_lower_div,
    [IR_MOD] = ebpf_rv_lower_div,
    [IR_SDIV] = ebpf_rv_lower_div,
    [IR_SMOD] = ebpf_rv_lower_div,
    [IR_MOV] = ebpf_rv_lower_move,
    [IR_LI] = ebpf_rv_lower_move,
    [IR_ZEXT] = ebpf_rv_lower_move,
    [IR_SEXT] = ebpf_rv_lower_move,
    [IR_SWAP] = ebpf_rv_lower_swap,
    [IR_LOAD] = ebpf_rv_lower_load,
    [IR_STORE] = ebpf_rv_lower_store,
    [IR_ATOMIC] = ebpf_rv_lower_atomic,
    [IR_BRANCH] = ebpf_rv_lower_branch,
    [IR_JUMP] = ebpf_rv_lower_jump,
    [IR_CALL] = ebpf_rv_lower_call,
    [IR_CALL_FUNC] = ebpf_rv_lower_call,
    [IR_TAIL_CALL] = ebpf_rv_lower_tail_call,
    [IR_EXIT] = ebpf_rv_lower_exit,
    [IR_OPAQUE] = lower_opaque,
};

/* ---- passes ---------------------------------------------------------------------------------- */

/* The operation begins here. */
static void place(struct rv_jit *j)
{
    uint32_t *at = &j->fn->places[j->op - j->fn->ir.list.ops];

    if (j->as.pos >= 1u << 31)
        ebpf_rv_fail(&j->as, -E2BIG);
    j->moved = (int64_t)j->as.pos - *at;
    if (j->moved)
        j->changed = true;
    *at = j->as.pos;
}

static void lower_fn(struct rv_jit *j)
{
    struct ebpf_ir_list *list = &j->fn->ir.list;

    if (j->fn->frame.entry != j->as.pos)
        j->changed = true;
    j->fn->frame.entry = j->as.pos;
    ebpf_rv_prologue(j);
    for (uint32_t i = 0; i < list->cnt && !j->as.err; i++) {
        j->op = &list->ops[i];
        place(j);
        lower[j->op->code](j, j->op);
    }
}

void ebpf_rv_pass(struct rv_jit *j)
{
    j->as.pos = 0;
    j->changed = j->shorter = false;
    for (uint32_t f = 0; f < j->code->subprog_cnt; f++) {
        j->fn = &j->fns[f];
        if (j->fn->used)
            lower_fn(j);
    }
}

/*
 * A hostile program can make every pass lengthen one more branch. After some passes the rest is
 * therefore decided at once, each distance being taken as long as it can ever get, after which no
 * branch should need to grow any more; and if anything still does, all of it is made as long as it
 * can be. So the time is linear in the length of the program.
 */
int ebpf_rv_relax(struct rv_jit *j)
{
    bool relax = ebpf_jit_passes & EBPF_PASS(relax);

    for (unsigned pass = 0; !j->as.err; pass++) {
        j->margin = pass == 8;
        j->longest = !relax || pass >= RV_MAX_PASSES;
        ebpf_rv_pass(j);
        if (!j->changed)
            break;
    }
    j->margin = j->longest = false;
    return j->as.err;
}

void ebpf_rv_forget(struct rv_jit *j)
{
    for (uint32_t f = 0; f < j->code->subprog_cnt; f++) {
        for (uint32_t i = 0; i < j->fns[f].ir.list.cnt; i++)
            j->fns[f].ir.list.ops[i].reach = 0;
    }
}

/* ---- one pass is enough, mostly -------------------------------------------------------------- */

/* Bits of distance that each reach of a branch and of a jump has: branch.c */
static const uint8_t branch_bits[RV_REACH_MAX + 1] = {9, 13, 21, 33};
static const uint8_t jump_bits[RV_REACH_MAX + 1] = {12, 12, 21, 33};

/* The instruction itself is somewhere between start and end of the operation's code. */
static bool reaches(const struct rv_fn *fn, uint32_t i, uint32_t end)
{
    const struct ebpf_ir_op *op = &fn->ir.list.ops[i];
    unsigned bits = (op->code == IR_JUMP ? jump_bits : branch_bits)[op->reach & RV_REACH_MAX];
    int64_t to;

    if (!ebpf_ir_ends_block(op) || op->code == IR_EXIT)
        return true;
    to = fn->places[fn->labels[op->target]];
    return rv_fits(to - fn->places[i], bits) && rv_fits(to - end, bits);
}

bool ebpf_rv_settles(struct rv_jit *j)
{
    ebpf_rv_pass(j);
    for (uint32_t f = 0; f < j->code->subprog_cnt; f++) {
        const struct rv_fn *fn = &j->fns[f];

        for (uint32_t i = 0; fn->used && i < fn->ir.list.cnt; i++) {
            if (!reaches(fn, i, i + 1 < fn->ir.list.cnt ? fn->places[i + 1] : j->as.pos))
                return false;
        }
    }
    return !j->as.err;
}
