/* SPDX-License-Identifier: MIT */
/*
 * What engines get from a verification. Instructions that no path reaches become jumps to
 * themselves (Linux: sanitize_dead_code()): whatever they were, an engine need not understand it.
 * Conditional jumps that went one way only become unconditional, or jumps to the next instruction
 * (Linux: opt_hard_wire_dead_code_branches()), which takes the dead code out of the compiler's
 * sight. The rest are facts (struct ebpf_fact), which the compiler alone uses.
 *
 * A fact is what all visits of an instruction have in common. That is not enough: a path also ends
 * where its state lies within a saved one, and there numbers that mattered to nobody are not
 * compared (precise.c), so that on that path they may be others than on the one that was followed:
 *
 *     if r6 > 7 goto A; r7 = 1; goto J;  A: r7 = 2;  J: r0 = r7; exit
 *
 * `r0 = r7` is visited once, with 1, and runs with 2 as well. So a number is told only if all that
 * it was computed from is compared: what it has `from` is empty (constants, memory, what calls
 * return: the other path computes the same in the same way), or marked precise. Marks are never
 * taken back, and no path ends at a state before all ways from it have been followed. So there is
 * time for marks to come: the fact waits for them until the state is closed, as that of `r1 += 1`
 * in a loop does for the comparison at the loop's end.
 *
 * Pointers need no such question: what they point to is always compared, and exactly.
 *
 * Context T.
 */
#include "src/base/bits.h"
#include "src/verifier/engine.h"

/* ---- facts ----------------------------------------------------------------------------------- */

#define OF_VALUE (EBPF_FACT_RESULT | EBPF_FACT_OPERAND | EBPF_FACT_KEY)
#define OF_NUMBERS (OF_VALUE | EBPF_FACT_SMALL | EBPF_FACT_INSIDE)

/* Numbers of a saved state that are not compared, as far as is known by now. */
static uint64_t unmarked(const struct ebpf_vsaved *s, uint64_t numbers)
{
    return s ? numbers & ~(s->precise | s->pinned) : numbers;
}

/* The fact of the current instruction depends on these numbers of the last saved state. false: it
 * has lost. */
EBPF_NOINLINE static bool wait_for(struct ebpf_vexplore *x, uint32_t at, uint64_t from)
{
    struct ebpf_vwait *wait = x->waits ? &x->waits[at] : NULL;

    from = unmarked(x->parent, from);
    if (!wait || (from && !x->parent))
        return !from;
    wait->from = unmarked(wait->state, wait->from);
    if (wait->from && wait->state != x->parent)
        return false;
    wait->from |= from;
    if (!wait->from)
        return true;
    wait->state = x->parent;
    x->parent->awaited = true;
    if (!wait->listed) {
        wait->listed = true;
        wait->next = x->waiting;
        x->waiting = at;
    }
    return true;
}

void ebpf_verify_waits_end(struct ebpf_verifier *v, const struct ebpf_vsaved *closed)
{
    struct ebpf_vexplore *x = v->explore;
    uint32_t *link = &x->waiting;

    while (*link != EBPF_VNOBODY) {
        struct ebpf_vwait *wait = &x->waits[*link];

        if (wait->from && wait->state == closed && unmarked(closed, wait->from))
            v->code->facts[*link].flags &= (uint8_t)~OF_NUMBERS;
        if (!wait->from || wait->state == closed) {
            *link = wait->next;
            *wait = (struct ebpf_vwait){0};
        } else {
            link = &wait->next;
        }
    }
}

/* What this visit of the current instruction showed. from: of the numbers in it. */
static void note(const struct ebpf_verifier *v, struct ebpf_fact *fact, unsigned seen,
                 int64_t value, uint64_t from)
{
    unsigned all = fact->flags ? fact->flags : EBPF_FACT_REACHED | seen;

    if (!fact->flags)
        fact->value = (int32_t)value;
    seen |= EBPF_FACT_REACHED;
    if (fact->value != (int32_t)value)
        seen &= ~OF_VALUE;
    all &= seen;
    if (all & OF_NUMBERS && (from || (v->explore->waits && v->explore->waits[v->at].from)) &&
        !wait_for(v->explore, v->at, from))
        all &= ~OF_NUMBERS;
    fact->flags = (uint8_t)all;
}

/* Is there nothing left that another visit could take away? */
static bool is_settled(const struct ebpf_fact *fact)
{
    return fact->flags == EBPF_FACT_REACHED;
}

/* A constant that has room in value: flag. */
static unsigned of_constant(const struct ebpf_vreg *reg, unsigned flag)
{
    int64_t value = (int64_t)reg->var.known.value;

    return !reg->var.known.mask && reg->kind == EBPF_KIND_SCALAR && value == (int32_t)value ? flag
                                                                                             : 0;
}

static bool has_two_registers(const struct bpf_insn *insn)
{
    return BPF_SRC(insn->code) == BPF_X && insn->src_reg != insn->dst_reg;
}

static bool is_operation(const struct bpf_insn *insn)
{
    return BPF_CLASS(insn->code) != BPF_LDX && BPF_OP(insn->code) != BPF_MOV &&
           BPF_OP(insn->code) != BPF_END;
}

void ebpf_verify_note_operand(const struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    const struct ebpf_vreg *src = ebpf_verify_reg(v, insn->src_reg);
    struct ebpf_fact *fact = &v->code->facts[v->at];

    if (!is_settled(fact) && (BPF_CLASS(insn->code) == BPF_STX || has_two_registers(insn)))
        note(v, fact, of_constant(src, EBPF_FACT_OPERAND), (int64_t)src->var.known.value,
             src->from);
}

void ebpf_verify_note_result(const struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    const struct ebpf_vreg *dst = ebpf_verify_reg(v, insn->dst_reg), *of = dst;
    struct ebpf_fact *fact = &v->code->facts[v->at];
    uint64_t from = dst->from;
    unsigned seen;

    if (is_settled(fact))
        return;
    if (is_operation(insn) && has_two_registers(insn)) {
        of = ebpf_verify_reg(v, insn->src_reg);
        from |= of->from;
    }
    seen = of_constant(of, of == dst ? EBPF_FACT_RESULT : EBPF_FACT_OPERAND);
    if (dst->kind == EBPF_KIND_SCALAR && dst->var.full.umax <= INT32_MAX)
        seen |= EBPF_FACT_SMALL;
    note(v, fact, seen, (int64_t)of->var.known.value, from);
}

void ebpf_verify_note_call(const struct ebpf_verifier *v, const struct ebpf_map *map,
                           const struct ebpf_vreg *key)
{
    struct ebpf_fact *fact = &v->code->facts[v->at];
    unsigned seen = 0;

    if (is_settled(fact))
        return;
    for (uint32_t i = 0; i < v->prog->map_cnt && i <= UINT8_MAX; i++) {
        if (v->prog->maps[i] != map) /* of none: a picture of inner maps */
            continue;
        if (!fact->flags)
            fact->map = (uint8_t)i;
        if (fact->map == i)
            seen = EBPF_FACT_MAP;
    }
    if (seen && key->kind == EBPF_KIND_SCALAR && key->var.full.umax < map->max_entries)
        seen |= EBPF_FACT_INSIDE | of_constant(key, EBPF_FACT_KEY);
    note(v, fact, seen, (int64_t)key->var.known.value, key->from);
}

/* ---- the program ----------------------------------------------------------------------------- */

static bool is_conditional(const struct bpf_insn *insn)
{
    uint8_t cls = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

    return (cls == BPF_JMP || cls == BPF_JMP32) && op != BPF_JA && op != BPF_CALL &&
           op != BPF_EXIT && op != BPF_JCOND;
}

static void hard_wire(struct bpf_insn *insn, uint8_t flags)
{
    bool taken = flags & EBPF_VI_TAKEN;

    if (!is_conditional(insn) || taken == ((flags & EBPF_VI_PASSED) != 0))
        return;
    *insn = (struct bpf_insn){.code = BPF_JMP | BPF_JA, .off = taken ? insn->off : 0};
}

void ebpf_verify_rewrite(struct ebpf_verifier *v)
{
    struct ebpf_code *code = v->code;
    struct ebpf_fact *facts = code->facts;

    for (uint32_t i = 0; i < code->insn_cnt; i++) {
        uint8_t flags = v->explore->insns[i].flags;

        if (flags & EBPF_VI_SEEN) {
            facts[i].flags |= EBPF_FACT_REACHED;
            /* it becomes another instruction */
            if (v->bases && v->bases[i] == EBPF_KIND_CTX)
                facts[i].flags = EBPF_FACT_REACHED | EBPF_FACT_CTX;
            hard_wire(&code->insns[i], flags);
        } else if (!(flags & EBPF_VI_SECOND) || !(facts[i - 1].flags & EBPF_FACT_REACHED)) {
            code->insns[i] = (struct bpf_insn){.code = BPF_JMP | BPF_JA, .off = -1};
        }
    }
}
