/* SPDX-License-Identifier: MIT */
/*
 * Which numbers mattered. Two paths that reach an instruction mostly differ in numbers only, and
 * most numbers decide nothing that safety depends on: whatever a counter is that is only printed,
 * the rest of the program is as safe. A path that was followed to its end therefore marks the
 * numbers that were needed: those added to pointers, given as sizes, or compared where only one way
 * was followed. The marks belong into saved states, since that is what later paths are compared
 * with.
 *
 * Linux finds them by walking back over the instructions (mark_chain_precision()). Here every
 * number knows where it comes from: `from` is a set of registers and slots of the last state that
 * was saved on this path. Saving a state gives each number a name of its own, {itself}; arithmetic
 * unites the sets; a comparison of two registers makes each depend on the other, since what is
 * learnt about one comes from the other. Needing a number is then:
 *
 *     mark all of `from` in the last saved state; those that were not marked yet have sets, too,
 *     relative to the state saved before that one: unite these, and go on there.
 *
 *     saved A: r1 = {}         r1 unknown       r2 += 8   {A.r2}        is r3 needed?
 *        |     r2 = {}         r3 = r1 + r2     {A.r1, A.r2}            B.r3 is marked,
 *     saved B: r1 {A.r1}, r2 {A.r2}, r3 {A.r1, A.r2}                  then A.r1 and A.r2
 *        |     from here on: r1 {B.r1} ...
 *
 * Why that is enough. Let N be a state that differs from a saved state S only in numbers that are
 * not marked, and follow both along the same instructions. A marked number of N lies within S's.
 * Whatever is computed from marked numbers only lies within what was computed in S, because all
 * operations are monotone; and everything that decided about safety was computed from marked
 * numbers only. A comparison that could go both ways was followed both ways.
 *
 * A set is 64 bits: bits 0 to 9 are the registers of the running function, the others the spilled
 * numbers and the callers' registers, in the order of ebpf_verify_next_number(). What there is no
 * bit for is marked at once: that costs comparisons, not safety.
 */
#include "src/verifier/engine.h"

#define TOP_REGS 10u

/* The numbers of a state, one after the other; NULL: no more. */
struct ebpf_vreg *ebpf_verify_next_number(struct ebpf_vnumbers *n)
{
    for (; n->frame < n->s->frame_cnt; n->frame++, n->at = 0) {
        struct ebpf_vframe *frame = n->s->frames[n->frame];

        if (n->skip_top && n->frame == n->s->frame_cnt - 1 && n->at < TOP_REGS)
            n->at = TOP_REGS;
        while (n->at < TOP_REGS + frame->slot_cnt) {
            uint32_t at = n->at++;
            struct ebpf_vreg *reg =
                at < TOP_REGS ? &frame->regs[at] : &frame->slots[at - TOP_REGS].reg;

            if (reg->kind == EBPF_KIND_SCALAR)
                return reg;
        }
    }
    return NULL;
}

/* The register of s at the same place as the one that n has just found. */
static struct ebpf_vreg *counterpart(const struct ebpf_vnumbers *n, const struct ebpf_vstate *s)
{
    static struct ebpf_vreg nothing;
    struct ebpf_vframe *frame = s->frames[n->frame];
    uint32_t at = n->at - 1;

    if (at < TOP_REGS)
        return &frame->regs[at];
    return at - TOP_REGS < frame->slot_cnt ? &frame->slots[at - TOP_REGS].reg : &nothing;
}

void ebpf_verify_number(struct ebpf_verifier *v, struct ebpf_vsaved *saved)
{
    struct ebpf_vnumbers n = {.s = &saved->state, .skip_top = true};
    unsigned bit = TOP_REGS;
    struct ebpf_vreg *reg;

    for (unsigned r = 0; r < TOP_REGS; r++)
        v->now->top->regs[r].from = 1ull << r;
    while ((reg = ebpf_verify_next_number(&n))) {
        struct ebpf_vreg *mine = counterpart(&n, v->now);

        mine->from = bit < 64 ? 1ull << bit : 0;
        if (bit >= 64) {
            reg->flags |= EBPF_REG_PRECISE;
            ebpf_verify_mark(saved->parent, reg->from, EBPF_REG_PRECISE);
        }
        bit++;
    }
}

/* Marks the numbers of saved that are in set, and returns what they come from. */
static uint64_t mark_in(struct ebpf_vsaved *saved, uint64_t set, uint32_t flag)
{
    struct ebpf_vnumbers n = {.s = &saved->state, .skip_top = true};
    struct ebpf_vframe *top = saved->state.top;
    uint64_t from = 0;
    struct ebpf_vreg *reg;

    for (unsigned r = 0; r < TOP_REGS; r++) {
        if (set >> r & 1 && top->regs[r].kind == EBPF_KIND_SCALAR) {
            top->regs[r].flags |= flag;
            from |= top->regs[r].from;
        }
    }
    set >>= TOP_REGS;
    for (; set && (reg = ebpf_verify_next_number(&n)); set >>= 1) {
        if (set & 1) {
            reg->flags |= flag;
            from |= reg->from;
        }
    }
    return from;
}

void ebpf_verify_mark(struct ebpf_vsaved *saved, uint64_t from, uint32_t flag)
{
    for (; saved && from; saved = saved->parent) {
        uint64_t *marked = flag == EBPF_REG_PRECISE ? &saved->precise : &saved->pinned;

        from &= ~*marked;
        *marked |= from;
        if (from)
            from = mark_in(saved, from, flag);
    }
}

int ebpf_verify_precise(struct ebpf_verifier *v, unsigned reg)
{
    const struct ebpf_vreg *r = ebpf_verify_reg(v, reg);

    if (r->kind == EBPF_KIND_SCALAR)
        ebpf_verify_mark(v->explore->parent, r->from, EBPF_REG_PRECISE);
    return 0;
}

/* ---- where a path ends at a saved state ------------------------------------------------------ */

void ebpf_verify_read(struct ebpf_vsaved *parent, uint64_t slots, const uint64_t *fresh,
                      unsigned frame)
{
    slots &= ~fresh[frame];
    for (; parent && slots; parent = parent->parent) {
        slots &= ~parent->read[frame];
        parent->read[frame] |= slots;
        slots &= ~parent->fresh[frame];
    }
}

int ebpf_verify_note_stack(struct ebpf_verifier *v, unsigned frame, int off, unsigned size,
                           bool write)
{
    struct ebpf_vsub *sub = &v->explore->subs[v->now->frames[frame]->subprog];
    uint32_t first, last;
    uint64_t slots;

    if (off < 0 && (uint32_t)-off > sub->depth)
        sub->depth = (uint32_t)-off;
    if (!size || off >= 0 || off < -(int)EBPF_FRAME_SIZE || off + (int)size > 0)
        return 0;
    first = (uint32_t)(-off - (int)size) / 8; /* of the highest byte */
    last = (uint32_t)(-off - 1) / 8;
    slots = ~0ull >> (63 - last) & ~0ull << first;
    /* without the right to break spills, writing a part of a slot asks what is in it */
    if (!write || !v->rules.break_spills)
        ebpf_verify_read(v->explore->parent, slots, v->explore->fresh, frame);
    if (!write)
        return 0;
    if ((uint32_t)(-off - (int)size) % 8)
        slots &= ~(1ull << first);
    if ((uint32_t)-off % 8)
        slots &= ~(1ull << last);
    v->explore->fresh[frame] |= slots;
    return 0;
}

/* What of now corresponds to the numbers of saved that have any of the flags was needed. all: the
 * same for every number. */
static uint64_t needed(const struct ebpf_vsaved *saved, const struct ebpf_vstate *now,
                       uint32_t flags, bool all)
{
    struct ebpf_vsaved *s = (struct ebpf_vsaved *)saved; /* only looked at */
    const struct ebpf_vframe *top = saved->state.top, *mine = now->top;
    struct ebpf_vnumbers n = {.s = &s->state, .skip_top = true};
    const struct ebpf_vreg *reg;
    uint64_t from = 0;

    for (unsigned r = 0; r < TOP_REGS; r++) {
        if (top->regs[r].kind == EBPF_KIND_SCALAR && (all || top->regs[r].flags & flags))
            from |= mine->regs[r].from;
    }
    while ((reg = ebpf_verify_next_number(&n))) {
        if (all || reg->flags & flags)
            from |= counterpart(&n, now)->from;
    }
    return from;
}

void ebpf_verify_inherit(struct ebpf_verifier *v, const struct ebpf_vsaved *saved)
{
    struct ebpf_vexplore *x = v->explore;

    for (unsigned f = 0; f < saved->state.frame_cnt; f++)
        ebpf_verify_read(x->parent, saved->read[f], x->fresh, f);
    ebpf_verify_mark(x->parent, needed(saved, v->now, EBPF_REG_PRECISE, false), EBPF_REG_PRECISE);
    ebpf_verify_mark(x->parent, needed(saved, v->now, EBPF_REG_PINNED, false), EBPF_REG_PINNED);
}

/*
 * The path closes a loop: what is safe from saved on is not known yet, and neither is what will
 * matter there. It counts as if all of saved mattered: to the states between saved and here, which
 * are safe for what lies within them only if they end up within saved again, and to those above
 * saved, since saved's own marks may come too late for them.
 */
void ebpf_verify_pin(struct ebpf_verifier *v, struct ebpf_vsaved *saved)
{
    struct ebpf_vexplore *x = v->explore;

    if (!saved->loop) {
        saved->loop = true;
        ebpf_verify_mark(saved, ~0ull, EBPF_REG_PINNED);
        for (unsigned f = 0; f < saved->state.frame_cnt; f++) {
            static const uint64_t none[EBPF_MAX_FRAMES];

            ebpf_verify_read(saved, ~0ull, none, f);
        }
    }
    for (unsigned f = 0; f < saved->state.frame_cnt; f++)
        ebpf_verify_read(x->parent, ~0ull, x->fresh, f);
    ebpf_verify_mark(x->parent, needed(saved, v->now, 0, true), EBPF_REG_PINNED);
}

/* ---- loops without a known end --------------------------------------------------------------- */

static void widen(struct ebpf_vreg *now, const struct ebpf_vreg *old)
{
    if (now->kind != EBPF_KIND_SCALAR || old->kind != EBPF_KIND_SCALAR ||
        (old->flags & EBPF_REG_PRECISE) ||
        (ebpf_scalar_within(&now->var, &old->var) && ebpf_scalar_within(&old->var, &now->var)))
        return;
    ebpf_vreg_set_unknown(now);
}

void ebpf_verify_widen(struct ebpf_vstate *now, const struct ebpf_vsaved *old)
{
    for (uint32_t f = 0; f < now->frame_cnt && f < old->state.frame_cnt; f++) {
        struct ebpf_vframe *mine = now->frames[f];
        const struct ebpf_vframe *other = old->state.frames[f];

        for (unsigned r = 0; r < TOP_REGS; r++)
            widen(&mine->regs[r], &other->regs[r]);
        for (uint32_t n = 0; n < mine->slot_cnt && n < other->slot_cnt; n++) {
            if (mine->slots[n].bytes[0] == EBPF_BYTE_SPILL &&
                mine->slots[n].bytes[7] == EBPF_BYTE_SPILL)
                widen(&mine->slots[n].reg, &other->slots[n].reg);
        }
    }
}
