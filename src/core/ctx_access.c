/* SPDX-License-Identifier: MIT */
/*
 * Context accesses. A program of a type like XDP sees a context of Linux's layout (struct xdp_md),
 * whose pointers are 32 bits wide; the kernel passes a struct of its own. Loads and stores through
 * the context pointer are therefore rewritten, one instruction for one, by the type's table of
 * fields.
 *
 * Which instructions go through the context pointer is known from the verifier (EBPF_FACT_CTX).
 * Without one, which register holds it is found by a small dataflow analysis over each function:
 * for each instruction, the set of registers and stack slots that may hold it, and the set that
 * must (on every path). r1 holds it at the program's start; moves, spills and fills of whole
 * registers carry it, and so do arguments of bpf-to-bpf calls. Where the sets differ at an access,
 * or where the pointer would go out of sight (stored elsewhere, changed, returned), the program is
 * refused, as Linux's verifier would.
 *
 * Sets only grow (may) or shrink (must), so every instruction is visited a bounded number of times.
 */
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/core/prog.h"

#define SLOTS (EBPF_FRAME_SIZE / 8) /* 64: one bit each */

struct where {
    uint64_t slots; /* bit n: the 8 bytes at r10 - 8 * (n + 1) */
    uint16_t regs;  /* bit n: register rn */
};

struct state {
    struct where may, must;
    bool seen, queued;
};

struct analysis {
    struct ebpf_code *code;
    const struct ebpf_prog_type *type;
    struct state *states; /* [insn_cnt] before the instruction */
    uint32_t *queue;      /* [insn_cnt] of instructions to visit: each is in it once at most */
    uint32_t queued;
};

static uint32_t index_of(const struct analysis *a, const struct bpf_insn *insn)
{
    return (uint32_t)(insn - a->code->insns);
}

static int refuse(const struct analysis *a, const struct bpf_insn *insn, const char *why)
{
    return ebpf_code_reject(a->code, -EACCES, "insn %u: %s", index_of(a, insn), why);
}

/* ---- the sets -------------------------------------------------------------------------------- */

/* Joins `from` into the state before instruction i, and queues i if that changed anything. */
static void flow_to(struct analysis *a, uint32_t i, const struct state *from)
{
    struct state *to = &a->states[i];
    struct state old = *to;

    if (!to->seen) {
        to->may = from->may;
        to->must = from->must;
        to->seen = true;
    } else {
        to->may.regs |= from->may.regs;
        to->may.slots |= from->may.slots;
        to->must.regs &= from->must.regs;
        to->must.slots &= from->must.slots;
        if (old.may.regs == to->may.regs && old.may.slots == to->may.slots &&
            old.must.regs == to->must.regs && old.must.slots == to->must.slots)
            return;
    }
    if (!to->queued) {
        to->queued = true;
        a->queue[a->queued++] = i;
    }
}

static void set_reg(struct state *s, unsigned reg, bool may, bool must)
{
    uint16_t bit = (uint16_t)(1u << reg);

    s->may.regs = may ? s->may.regs | bit : s->may.regs & (uint16_t)~bit;
    s->must.regs = must ? s->must.regs | bit : s->must.regs & (uint16_t)~bit;
}

static bool may_reg(const struct state *s, unsigned reg)
{
    return s->may.regs >> reg & 1;
}

static bool must_reg(const struct state *s, unsigned reg)
{
    return s->must.regs >> reg & 1;
}

/* The slot bit of an aligned 8-byte access at r10 + off; 0: not such an access. */
static uint64_t slot_bit(const struct bpf_insn *insn)
{
    if (BPF_SIZE(insn->code) != BPF_DW || BPF_MODE(insn->code) != BPF_MEM || insn->off % 8 ||
        insn->off >= 0 || insn->off < -(int)EBPF_FRAME_SIZE)
        return 0;
    return 1ull << (-insn->off / 8 - 1);
}

/* All slots that an access of up to 8 bytes at r10 + off touches. */
static uint64_t touched_slots(const struct bpf_insn *insn)
{
    int first = (-insn->off - 1) / 8; /* slot of the lowest byte */
    uint64_t bit = first >= 0 && first < (int)SLOTS ? 1ull << first : 0;

    return bit | bit >> 1;
}

/* ---- one instruction's effect ---------------------------------------------------------------- */

static int step_alu(struct analysis *a, const struct bpf_insn *insn, struct state *s)
{
    bool by_reg = BPF_SRC(insn->code) == BPF_X;
    bool copy =
        BPF_CLASS(insn->code) == BPF_ALU64 && BPF_OP(insn->code) == BPF_MOV && by_reg && !insn->off;

    if (copy) {
        set_reg(s, insn->dst_reg, may_reg(s, insn->src_reg), must_reg(s, insn->src_reg));
        return 0;
    }
    if (BPF_OP(insn->code) != BPF_MOV && may_reg(s, insn->dst_reg))
        return refuse(a, insn, "arithmetic on the context pointer");
    if (by_reg && BPF_OP(insn->code) != BPF_END && may_reg(s, insn->src_reg))
        return refuse(a, insn, "arithmetic with the context pointer");
    set_reg(s, insn->dst_reg, false, false);
    return 0;
}

static bool is_load_acquire(const struct bpf_insn *insn)
{
    return BPF_CLASS(insn->code) == BPF_STX && BPF_MODE(insn->code) == BPF_ATOMIC &&
           insn->imm == BPF_LOAD_ACQ;
}

static int step_load(struct analysis *a, const struct bpf_insn *insn, struct state *s)
{
    uint64_t bit = insn->src_reg == BPF_REG_10 ? slot_bit(insn) : 0;

    if (is_load_acquire(insn) && may_reg(s, insn->src_reg))
        return refuse(a, insn, "BPF_ATOMIC loads from the context are not allowed");
    if (may_reg(s, insn->src_reg) && !must_reg(s, insn->src_reg))
        return refuse(a, insn, "same insn cannot be used with different pointers");
    set_reg(s, insn->dst_reg, (s->may.slots & bit) != 0, (s->must.slots & bit) != 0);
    return 0;
}

/* BPF_ABS and BPF_IND: r6 must be the context; r0 is the result, r1 to r5 are as after a call. */
static int step_packet(struct analysis *a, const struct bpf_insn *insn, struct state *s)
{
    if (!must_reg(s, BPF_REG_6))
        return ebpf_code_reject(a->code, -EINVAL,
                                "insn %u: at the time of BPF_LD_ABS|IND R6 != pointer to skb",
                                index_of(a, insn));
    if (BPF_MODE(insn->code) == BPF_IND && may_reg(s, insn->src_reg))
        return refuse(a, insn, "arithmetic with the context pointer");
    for (unsigned reg = BPF_REG_0; reg <= BPF_REG_5; reg++)
        set_reg(s, reg, false, false);
    return 0;
}

static int step_store(struct analysis *a, const struct bpf_insn *insn, struct state *s)
{
    bool ctx = BPF_CLASS(insn->code) == BPF_STX && may_reg(s, insn->src_reg);
    bool must = BPF_CLASS(insn->code) == BPF_STX && must_reg(s, insn->src_reg);
    uint64_t bit = insn->dst_reg == BPF_REG_10 ? slot_bit(insn) : 0;

    if (may_reg(s, insn->dst_reg) && !must_reg(s, insn->dst_reg))
        return refuse(a, insn, "same insn cannot be used with different pointers");
    if (ctx && !bit)
        return refuse(a, insn, "the context pointer may be stored to an aligned stack slot only");
    if (insn->dst_reg == BPF_REG_10) {
        uint64_t gone = touched_slots(insn);

        s->may.slots = (s->may.slots & ~gone) | (ctx ? bit : 0);
        s->must.slots = (s->must.slots & ~gone) | (must ? bit : 0);
    }
    if (BPF_MODE(insn->code) == BPF_ATOMIC && (insn->imm & BPF_FETCH))
        set_reg(s, insn->imm == BPF_CMPXCHG ? BPF_REG_0 : insn->src_reg, false, false);
    return 0;
}

static void step_call(struct analysis *a, const struct bpf_insn *insn, struct state *s)
{
    const uint16_t args = 0x3e; /* r1 to r5 */

    if (insn->src_reg == BPF_PSEUDO_CALL) {
        struct state callee = {.may.regs = s->may.regs & args, .must.regs = s->must.regs & args};

        flow_to(a, index_of(a, insn) + 1 + (uint32_t)insn->imm, &callee);
    }
    for (unsigned reg = BPF_REG_0; reg <= BPF_REG_5; reg++)
        set_reg(s, reg, false, false);
}

static int step_jump(struct analysis *a, const struct bpf_insn *insn, struct state *s)
{
    uint32_t next = index_of(a, insn) + 1;

    if (insn->code == (BPF_JMP | BPF_EXIT)) {
        if (may_reg(s, BPF_REG_0))
            return refuse(a, insn, "the context pointer is returned");
        return 0;
    }
    if (insn->code == (BPF_JMP | BPF_CALL)) {
        step_call(a, insn, s);
        flow_to(a, next, s);
        return 0;
    }
    if (BPF_OP(insn->code) == BPF_JA) {
        flow_to(a, next + (uint32_t)(BPF_CLASS(insn->code) == BPF_JMP ? insn->off : insn->imm), s);
        return 0;
    }
    flow_to(a, next + (uint32_t)insn->off, s);
    flow_to(a, next, s);
    return 0;
}

static int visit(struct analysis *a, uint32_t i)
{
    const struct bpf_insn *insn = &a->code->insns[i];
    struct state s = a->states[i];
    uint32_t next = i + 1;
    int err = 0;

    switch (BPF_CLASS(insn->code)) {
    case BPF_ALU:
    case BPF_ALU64:
        err = step_alu(a, insn, &s);
        break;
    case BPF_LDX:
        err = step_load(a, insn, &s);
        break;
    case BPF_ST:
    case BPF_STX:
        err = is_load_acquire(insn) ? step_load(a, insn, &s) : step_store(a, insn, &s);
        break;
    case BPF_LD:
        if (ebpf_insn_loads_packet(insn)) {
            err = step_packet(a, insn, &s);
            break;
        }
        set_reg(&s, insn->dst_reg, false, false);
        next = i + 2;
        break;
    default:
        return step_jump(a, insn, &s);
    }
    if (!err)
        flow_to(a, next, &s);
    return err;
}

/* ---- the rewriting --------------------------------------------------------------------------- */

static unsigned size_code(unsigned size)
{
    return size == 1 ? BPF_B : size == 2 ? BPF_H : size == 4 ? BPF_W : BPF_DW;
}

static const struct ebpf_ctx_field *field_at(const struct ebpf_prog_type *type, int off,
                                             unsigned size)
{
    for (uint32_t i = 0; i < type->field_cnt; i++) {
        const struct ebpf_ctx_field *f = &type->fields[i];

        if (off >= f->off && off + (int)size <= f->off + f->size)
            return f;
    }
    return NULL;
}

/* A whole field takes the kernel's width; a part of one (a narrow load) is possible where both have
 * the same width, since both are little-endian. */
static int rewrite(struct ebpf_code *code, const struct ebpf_prog_type *type, struct bpf_insn *insn,
                   bool store)
{
    unsigned size = ebpf_insn_size(insn);
    const struct ebpf_ctx_field *f = field_at(type, insn->off, size);
    bool whole = f && size == f->size;

    if (!f || (!whole && f->size != f->kernel_size) || (store && (!f->writable || !whole)) ||
        BPF_MODE(insn->code) != BPF_MEM)
        return ebpf_code_reject(code, -EACCES, "insn %u: invalid bpf_context access off=%d size=%u",
                                (unsigned)(insn - code->insns), insn->off, size);
    insn->off = (int16_t)(f->kernel_off + (whole ? 0 : insn->off - f->off));
    if (whole)
        insn->code = (uint8_t)((insn->code & ~0x18u) | size_code(f->kernel_size));
    return 0;
}

/* Does this load or store go through the context pointer? */
static bool is_ctx_access(const struct analysis *a, uint32_t i)
{
    const struct bpf_insn *insn = &a->code->insns[i];
    unsigned cls = BPF_CLASS(insn->code);

    if (a->code->facts)
        return a->code->facts[i].flags & EBPF_FACT_CTX;
    if (!a->states[i].seen || is_load_acquire(insn))
        return false;
    return (cls == BPF_LDX && must_reg(&a->states[i], insn->src_reg)) ||
           ((cls == BPF_ST || cls == BPF_STX) && must_reg(&a->states[i], insn->dst_reg));
}

static int rewrite_all(const struct analysis *a)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < a->code->insn_cnt; i++) {
        struct bpf_insn *insn = &a->code->insns[i];

        if (is_ctx_access(a, i))
            err = rewrite(a->code, a->type, insn, BPF_CLASS(insn->code) != BPF_LDX);
    }
    return err;
}

static int analyse(struct analysis *a)
{
    const struct state start = {.may.regs = 1 << BPF_REG_1, .must.regs = 1 << BPF_REG_1};
    int err = 0;

    flow_to(a, 0, &start);
    while (!err && a->queued) {
        uint32_t i = a->queue[--a->queued];

        a->states[i].queued = false;
        err = visit(a, i);
    }
    return err;
}

static int find_by_dataflow(struct analysis *a)
{
    uint32_t cnt = a->code->insn_cnt;
    int err = -ENOMEM;

    a->states = ebpf_calloc(cnt, sizeof(*a->states));
    a->queue = ebpf_calloc(cnt, sizeof(*a->queue));
    if (a->states && a->queue)
        err = analyse(a);
    if (!err)
        err = rewrite_all(a);
    ebpf_free(a->queue, cnt * sizeof(*a->queue));
    ebpf_free(a->states, cnt * sizeof(*a->states));
    return err;
}

int ebpf_code_rewrite_ctx(struct ebpf_code *code, const struct ebpf_prog_type *type)
{
    struct analysis a = {.code = code, .type = type};

    if (!type->fields)
        return 0;
    return code->facts ? rewrite_all(&a) : find_by_dataflow(&a);
}
