/* SPDX-License-Identifier: MIT */
/* The passes over a program, and what all instructions need: registers, constants, distances. See lower.h. */
#include "jit/rv64/lower.h"

#include "src/base/bits.h"

void ebpf_rv_unknown(struct rv_jit *j)
{
    ebpf_rv_fail(&j->as, -EOPNOTSUPP);
}

/* ---- registers and constants ------------------------------------------------------------------------------ */

enum rv_reg ebpf_rv_reg(struct rv_jit *j, unsigned reg)
{
    static const uint8_t map[] = {A5, A0, A1, A2, A3, A4, S0, S1, S2, S3}; /* r0 to r9 */

    if (reg < EBPF_ARRAY_SIZE(map))
        return (enum rv_reg)map[reg];
    ebpf_rv_unknown(j);
    return ZERO;
}

enum rv_reg ebpf_rv_source(struct rv_jit *j, unsigned reg, enum rv_reg tmp)
{
    if (reg != BPF_REG_10)
        return ebpf_rv_reg(j, reg);
    rv_addi(&j->as, tmp, SP, j->frames[j->subprog].fp);
    return tmp;
}

enum rv_reg ebpf_rv_constant(struct rv_jit *j, int64_t imm, enum rv_reg tmp)
{
    if (!imm)
        return ZERO;
    ebpf_rv_li(&j->as, tmp, (uint64_t)imm);
    return tmp;
}

/* ---- reach ------------------------------------------------------------------------------------------------ */

unsigned ebpf_rv_reach(struct rv_jit *j, unsigned needed)
{
    struct rv_place *place = &j->places[j->index];

    if (needed > place->reach) {
        place->reach = needed & RV_REACH_MAX;
        j->changed = true;
    }
    return place->reach;
}

bool ebpf_rv_near(const struct rv_jit *j, int64_t distance, unsigned bits)
{
    return rv_fits(j->margin ? distance * RV_GROWTH : distance, bits);
}

/* auipc adds a signed 20-bit number of pages, the 12-bit immediate is signed too. */
bool ebpf_rv_auipc_reaches(int64_t distance)
{
    return rv_fits(distance, 33) && rv_fits(rv_hi(distance), 20);
}

/* Few instructions may be more bytes: what is measured for any base must not be less than what comes out for one. */
void ebpf_rv_leave_room(struct rv_jit *j, uint32_t start)
{
    if (j->anywhere && j->as.pos < start + 8)
        j->as.pos = start + 8;
}

/* Positions behind the current one are those of the last pass, and will be later by at least what this one is. */
int64_t ebpf_rv_distance(const struct rv_jit *j, uint32_t target)
{
    int64_t at = 2 * (int64_t)j->places[target].half;

    return at + (target > j->index ? j->moved : 0) - (int64_t)j->as.pos;
}

int64_t ebpf_rv_entry_distance(const struct rv_jit *j, uint32_t subprog)
{
    return (int64_t)j->frames[subprog].entry + (subprog > j->subprog ? j->moved : 0) - (int64_t)j->as.pos;
}

/* Reach 0: auipc gets there. 3: it does not. */
void ebpf_rv_address(struct rv_jit *j, enum rv_reg rd, uint64_t value)
{
    int64_t distance = (int64_t)(value - j->base - j->as.pos);
    bool far = j->anywhere || !ebpf_rv_auipc_reaches(distance), is_short = ebpf_rv_li_length(value) <= 2;
    uint32_t start = j->as.pos;

    if (is_short || ebpf_rv_reach(j, far ? RV_REACH_MAX : 0)) {
        ebpf_rv_li(&j->as, rd, value);
        if (!is_short)
            ebpf_rv_leave_room(j, start);
        return;
    }
    rv_auipc(&j->as, rd, rv_hi(distance));
    ebpf_rv_emit_wide(&j->as, rv_i(0, 0x13, rd, rd, rv_lo(distance))); /* addi, of one length for any distance */
}

/* ---- instructions ------------------------------------------------------------------------------------------ */

/* RFC 9669, 64-bit immediate instructions: what src_reg 1 and 2 mean is an address by now, see prog.h. Others
 * (4: address of a function of the program) are unknown. */
static void lower_ld(struct rv_jit *j, const struct bpf_insn *insn)
{
    enum rv_reg rd = ebpf_rv_reg(j, insn->dst_reg);

    if (insn->code != (BPF_LD | BPF_IMM | BPF_DW) || insn->src_reg > BPF_PSEUDO_MAP_VALUE ||
        j->index + 1 >= j->code->subprogs[j->subprog].end) {
        ebpf_rv_unknown(j);
        return;
    }
    ebpf_rv_address(j, rd, ebpf_insn_imm64(insn));
}

static void (*const classes[8])(struct rv_jit *, const struct bpf_insn *) = {
    [BPF_LD] = lower_ld,
    [BPF_LDX] = ebpf_rv_lower_load,
    [BPF_ST] = ebpf_rv_lower_store,
    [BPF_STX] = ebpf_rv_lower_store,
    [BPF_ALU] = ebpf_rv_lower_alu,
    [BPF_JMP] = ebpf_rv_lower_jump,
    [BPF_JMP32] = ebpf_rv_lower_jump,
    [BPF_ALU64] = ebpf_rv_lower_alu,
};

/* ---- passes ------------------------------------------------------------------------------------------------- */

/* The instruction at j->index begins here. */
static void place(struct rv_jit *j)
{
    struct rv_place *p = &j->places[j->index];

    if (j->as.pos / 2 >= 1u << 30)
        ebpf_rv_fail(&j->as, -E2BIG);
    j->moved = (int64_t)j->as.pos - 2 * (int64_t)p->half;
    if (j->moved)
        j->changed = true;
    p->half = (j->as.pos / 2) & ((1u << 30) - 1);
}

static void lower_subprog(struct rv_jit *j)
{
    const struct ebpf_subprog *sub = &j->code->subprogs[j->subprog];
    struct rv_frame *frame = &j->frames[j->subprog];

    if (frame->entry != j->as.pos)
        j->changed = true;
    frame->entry = j->as.pos;
    ebpf_rv_prologue(j);
    for (j->index = sub->start; j->index < sub->end && !j->as.err; j->index++) {
        const struct bpf_insn *insn = &j->code->insns[j->index];

        place(j);
        classes[BPF_CLASS(insn->code)](j, insn);
        if (BPF_CLASS(insn->code) == BPF_LD)
            j->index++; /* the second slot has no code */
    }
}

void ebpf_rv_pass(struct rv_jit *j)
{
    j->as.pos = 0;
    j->changed = false;
    for (j->subprog = 0; j->subprog < j->code->subprog_cnt; j->subprog++)
        lower_subprog(j);
}

/*
 * Most programs settle in three passes. A hostile one can make every pass lengthen one more branch; after some
 * passes the rest is therefore decided at once, each distance being taken as long as it can ever get, after which
 * no branch needs to grow any more. So the time is linear in the length of the program.
 */
int ebpf_rv_relax(struct rv_jit *j)
{
    for (unsigned pass = 0; !j->as.err; pass++) {
        j->margin = pass == 8;
        ebpf_rv_pass(j);
        if (!j->changed)
            break;
    }
    j->margin = false;
    return j->as.err;
}
