/* SPDX-License-Identifier: MIT */
/*
 * Which way next. The program is followed along one path with one state (v->now). A jump that may
 * go both ways leaves a copy behind on a stack of pending ways; where the path ends, the last of
 * them is taken up: depth first.
 *
 * Where ways join, the state is saved now and then. A later path that arrives there with a state
 * that lies within a saved one ends at once, if all ways from the saved one have been followed to
 * their ends (branches is 0): nothing new can happen.
 *
 *       r1 = unknown           1. the left way reaches J, saved as S, and goes on to the exit: S is
 *       if r1 > 7 ----.           shown to be safe.
 *         |           |        2. the right way is taken up and reaches J. Its r1 is another one,
 *         |           |           but nobody needed r1's value behind J: it lies within S, done.
 *         '---> J <---'
 *
 * How often to save decides about time and memory. Linux saves when at least 2 jumps and 8
 * instructions have passed, and hardly ever inside of loops. Here, a path that has left a way
 * behind since the last state was saved saves at the next join, since that is where the two will
 * meet again: a chain of n diamonds takes 2n paths to follow, not 2^n. A path that has not (a loop
 * that counts to a known number) will not be met by another, and saves seldom. Saved states that
 * were compared in vain more than three times as often as they helped are dropped (Linux has the
 * same).
 *
 * Loops. States on the path itself are still open, so that a path never ends at one of them, and a
 * loop is followed round by round until it ends. Two exceptions, whose loops end for another reason
 * (Linux, is_state_visited()): may_goto and the callbacks of helpers. There a path ends at an open
 * state if all of its numbers lie within (EBPF_VRANGE), and numbers that do not matter are widened
 * on the way, so that this happens soon; precise.c says what that means for marks. A path that
 * comes back with the very same state would never end: an infinite loop.
 *
 * What is dead does not count: registers that nobody reads any more (live.c) are taken out of saved
 * states at once; slots of the stack that nobody read before writing them (EBPF_VSAVED.read) when a
 * state is closed.
 */
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/verifier/engine.h"

/* Linux: BPF_COMPLEXITY_LIMIT_JMP_SEQ */
#define MAX_PENDING 8192u

/* ---- memory ---------------------------------------------------------------------------------- */

static void list_add(struct ebpf_vsaved **list, struct ebpf_vsaved *s)
{
    s->next = *list;
    s->link = list;
    if (s->next)
        s->next->link = &s->next;
    *list = s;
}

static void list_remove(struct ebpf_vsaved *s)
{
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
}

static void saved_free(struct ebpf_verifier *v, struct ebpf_vsaved *s)
{
    list_remove(s);
    ebpf_vstate_fini(&v->mem, &s->state);
    ebpf_vmem_free(&v->mem, s, sizeof(*s));
    v->explore->saved_cnt--;
}

/* States that are shown to be safe only save time: where memory ends, they go. false: there are
 * none. */
static bool forget_safe(struct ebpf_verifier *v)
{
    struct ebpf_vexplore *x = v->explore;
    bool any = false;

    for (uint32_t b = 0; b < x->bucket_cnt; b++) {
        while (x->safe[b]) {
            saved_free(v, x->safe[b]);
            any = true;
        }
    }
    return any;
}

static void *state_alloc(struct ebpf_verifier *v, size_t size)
{
    void *ptr = ebpf_vmem_zalloc(&v->mem, size);

    return ptr || !forget_safe(v) ? ptr : ebpf_vmem_zalloc(&v->mem, size);
}

static int state_copy(struct ebpf_verifier *v, struct ebpf_vstate *to)
{
    int err = ebpf_vstate_copy(&v->mem, v->now, to);

    return err && forget_safe(v) ? ebpf_vstate_copy(&v->mem, v->now, to) : err;
}

/* ---- ways left behind ------------------------------------------------------------------------ */

static struct ebpf_vpending *pending_new(struct ebpf_verifier *v, uint32_t at, int *err)
{
    struct ebpf_vexplore *x = v->explore;
    struct ebpf_vpending *p;

    *err = -E2BIG;
    if (x->pending_cnt >= MAX_PENDING) {
        ebpf_verify_refuse(v, *err, "The sequence of %u jumps is too complex.", x->pending_cnt + 1);
        return NULL;
    }
    *err = -ENOMEM;
    p = state_alloc(v, sizeof(*p));
    if (!p)
        return NULL;
    *err = 0;
    p->at = at;
    p->from = v->at;
    p->log_mark = ebpf_load_log_mark(v->log);
    return p;
}

static struct ebpf_vstate *pending_add(struct ebpf_vexplore *x, struct ebpf_vpending *p)
{
    p->next = x->pending;
    x->pending = p;
    x->pending_cnt++;
    if (p->parent)
        p->parent->branches++;
    x->forked = true;
    return &p->state;
}

struct ebpf_vstate *ebpf_verify_push(struct ebpf_verifier *v, uint32_t at, int *err)
{
    struct ebpf_vexplore *x = v->explore;
    struct ebpf_vpending *p = pending_new(v, at, err);

    if (!p)
        return NULL;
    *err = state_copy(v, &p->state);
    if (*err) {
        ebpf_vmem_free(&v->mem, p, sizeof(*p));
        return NULL;
    }
    p->parent = x->parent;
    memcpy(p->fresh, x->fresh, sizeof(p->fresh));
    return pending_add(x, p);
}

struct ebpf_vstate *ebpf_verify_push_new(struct ebpf_verifier *v, uint32_t at, int *err)
{
    struct ebpf_vpending *p = pending_new(v, at, err);

    return p ? pending_add(v->explore, p) : NULL;
}

/* Takes up the last way that was left behind; false: there is none. */
static bool pending_take(struct ebpf_verifier *v)
{
    struct ebpf_vexplore *x = v->explore;
    struct ebpf_vpending *p = x->pending;

    ebpf_vstate_fini(&v->mem, v->now);
    if (!p)
        return false;
    *v->now = p->state;
    v->at = p->at;
    x->parent = p->parent;
    memcpy(x->fresh, p->fresh, sizeof(x->fresh));
    x->came_from = p->from;
    x->fresh_path = true;
    if (!ebpf_load_log_on(v->log, EBPF_LOG_LEVEL2))
        ebpf_load_log_reset(v->log, p->log_mark);
    x->pending = p->next;
    x->pending_cnt--;
    ebpf_vmem_free(&v->mem, p, sizeof(*p));
    x->jumps = x->steps = 0;
    x->forked = true;
    return true;
}

/* ---- saved states ---------------------------------------------------------------------------- */

/* Where states of that instruction, called from there, are found that are shown to be safe. */
static struct ebpf_vsaved **safe_at(const struct ebpf_vexplore *x, uint32_t at,
                                    const struct ebpf_vstate *s)
{
    return &x->safe[(at ^ s->top->call * 31u) & (x->bucket_cnt - 1)];
}

/* And those that are open: by all that is in them, but where loops end in other ways than by being
 * different. */
static struct ebpf_vsaved **open_at(const struct ebpf_vexplore *x, uint32_t at, uint32_t sum)
{
    return &x->open[(x->insns[at].flags & EBPF_VI_FORCE ? at : at ^ sum) & (x->bucket_cnt - 1)];
}

/* Slots that nobody read below a state that is shown to be safe may hold anything. */
static void forget_unread(struct ebpf_verifier *v, struct ebpf_vsaved *s)
{
    for (uint32_t f = 0; f < s->state.frame_cnt; f++) {
        struct ebpf_vframe *frame = s->state.frames[f];
        uint32_t used = 0;

        for (uint32_t n = 0; n < frame->slot_cnt; n++) {
            if (s->read[f] >> n & 1)
                used = n + 1;
            else
                memset(&frame->slots[n], 0, sizeof(frame->slots[n]));
        }
        if (!used) {
            ebpf_vmem_free(&v->mem, frame->slots, frame->slot_cnt * sizeof(*frame->slots));
            frame->slots = NULL;
            frame->slot_cnt = 0;
        }
    }
}

/* A path is at its end: states from which all ways are followed are shown to be safe. */
static void path_ends(struct ebpf_verifier *v)
{
    struct ebpf_vexplore *x = v->explore;
    struct ebpf_vsaved *parent;

    for (struct ebpf_vsaved *s = x->parent; s && --s->branches == 0; s = parent) {
        parent = s->parent;
        s->misses = 0;
        if (s->awaited)
            ebpf_verify_waits_end(v, s);
        forget_unread(v, s);
        list_remove(s);
        list_add(safe_at(x, s->at, &s->state), s);
        x->insns[s->at].open--;
    }
    x->parent = NULL;
}

const struct ebpf_vsaved *ebpf_verify_previous(const struct ebpf_verifier *v, uint32_t at)
{
    const struct ebpf_vstate *now = v->now;
    const struct ebpf_vsaved *s = v->explore->parent;

    if (s && s->at == v->at) /* saved just now, of this very state */
        s = s->parent;
    for (; s; s = s->parent) {
        bool same = s->at == at && s->state.frame_cnt == now->frame_cnt;

        for (uint32_t f = 0; same && f < now->frame_cnt; f++)
            same = s->state.frames[f]->call == now->frames[f]->call;
        if (same)
            return s;
    }
    return NULL;
}

/* Registers of dead value are NOTHING in a saved state. Callers go on behind their calls, or, where
 * a helper called back, at the call. */
static void forget_dead(const struct ebpf_verifier *v, struct ebpf_vstate *s, uint32_t at)
{
    for (uint32_t f = s->frame_cnt; f-- > 0;) {
        uint16_t live = v->explore->insns[at].live;

        for (unsigned r = 0; r < BPF_REG_10; r++) {
            if (!(live >> r & 1))
                ebpf_vreg_set_nothing(&s->frames[f]->regs[r]);
        }
        at = s->frames[f]->call;
    }
}

/* A number of a saved state whose copies are all dead is linked to nothing (Linux,
 * clear_singular_ids()). */
static void forget_single(struct ebpf_vstate *s)
{
    struct ebpf_vreg *reg;
    struct ebpf_vnumbers all = {.s = s};

    while ((reg = ebpf_verify_next_number(&all))) {
        struct ebpf_vnumbers others = {.s = s};
        const struct ebpf_vreg *other;
        bool single = reg->id != 0;

        while (single && (other = ebpf_verify_next_number(&others)))
            single = other == reg || other->id != reg->id;
        if (single) {
            reg->id = 0;
            reg->link = 0;
        }
    }
}

static uint64_t range_sum(uint64_t umin, uint64_t umax, uint64_t smin, uint64_t smax)
{
    return umin * 7 + umax * 3 + smin * 5 + smax * 11;
}

static uint64_t frame_sum(const struct ebpf_vframe *frame, uint16_t live)
{
    uint64_t sum = frame->call;

    for (unsigned r = 0; r < BPF_REG_10; r++) {
        const struct ebpf_vreg *reg = &frame->regs[r];

        if (live >> r & 1)
            sum = sum * 31 + reg->kind + (uint32_t)reg->off + reg->var.known.mask +
                  range_sum(reg->var.full.umin, reg->var.full.umax, (uint64_t)reg->var.full.smin,
                            (uint64_t)reg->var.full.smax) +
                  range_sum(reg->var.half.umin, reg->var.half.umax, (uint32_t)reg->var.half.smin,
                            (uint32_t)reg->var.half.smax);
    }
    for (uint32_t n = 0; n < frame->slot_cnt; n++)
        sum = sum * 31 + frame->slots[n].reg.var.full.umin + (uint32_t)frame->slots[n].reg.off;
    return sum;
}

/* Of what is live, so that equal states have equal sums; of all frames: a function that is called
 * from a loop is entered with the same numbers of its own over and over. */
static uint32_t sum_of(const struct ebpf_verifier *v, uint32_t at)
{
    const struct ebpf_vstate *s = v->now;
    uint64_t sum = s->frame_cnt + s->may_goto_depth;

    for (uint32_t f = s->frame_cnt; f-- > 0;) {
        sum = sum * 31 + frame_sum(s->frames[f], v->explore->insns[at].live);
        at = s->frames[f]->call;
    }
    return (uint32_t)(sum ^ sum >> 32);
}

/* As many states as that in a list make it slow: eight times as many lists. Without memory for them
 * it stays slow. */
#define CROWDED 8u

static void move_all(struct ebpf_vexplore *x, struct ebpf_vsaved **from, bool open)
{
    while (*from) {
        struct ebpf_vsaved *s = *from;

        list_remove(s);
        list_add(open ? open_at(x, s->at, s->hash) : safe_at(x, s->at, &s->state), s);
    }
}

static void spread(struct ebpf_verifier *v)
{
    struct ebpf_vexplore *x = v->explore;
    struct ebpf_vsaved **safe = x->safe, **open = x->open;
    uint32_t cnt = x->bucket_cnt;
    struct ebpf_vsaved **more_safe = ebpf_vmem_zalloc(&v->mem, cnt * 8 * sizeof(*safe));
    struct ebpf_vsaved **more_open = ebpf_vmem_zalloc(&v->mem, cnt * 8 * sizeof(*open));

    if (!more_safe || !more_open) {
        ebpf_vmem_free(&v->mem, more_safe, cnt * 8 * sizeof(*safe));
        ebpf_vmem_free(&v->mem, more_open, cnt * 8 * sizeof(*open));
        return;
    }
    x->safe = more_safe;
    x->open = more_open;
    x->bucket_cnt = cnt * 8;
    for (uint32_t b = 0; b < cnt; b++) {
        move_all(x, &safe[b], false);
        move_all(x, &open[b], true);
    }
    ebpf_vmem_free(&v->mem, safe, cnt * sizeof(*safe));
    ebpf_vmem_free(&v->mem, open, cnt * sizeof(*open));
}

static int save(struct ebpf_verifier *v, uint32_t sum)
{
    struct ebpf_vexplore *x = v->explore;
    struct ebpf_vsaved *s = state_alloc(v, sizeof(*s));
    int err;

    if (!s)
        return -ENOMEM;
    err = state_copy(v, &s->state);
    if (err) {
        ebpf_vmem_free(&v->mem, s, sizeof(*s));
        return err;
    }
    s->at = v->at;
    s->hash = sum;
    s->parent = x->parent;
    s->branches = 1;
    memcpy(s->fresh, x->fresh, sizeof(s->fresh));
    memset(x->fresh, 0, sizeof(x->fresh));
    forget_dead(v, &s->state, v->at);
    forget_single(&s->state);
    ebpf_verify_number(v, s);
    list_add(open_at(x, v->at, sum), s);
    x->insns[v->at].open++;
    x->parent = s;
    x->jumps = x->steps = 0;
    x->forked = false;
    x->total_states++;
    if (++x->saved_cnt > x->saved_peak)
        x->saved_peak = x->saved_cnt;
    if (x->saved_cnt > x->bucket_cnt * CROWDED)
        spread(v);
    return 0;
}

/* ---- joins ----------------------------------------------------------------------------------- */

static uint32_t rounds(const struct ebpf_vstate *s)
{
    uint32_t sum = 0;

    for (uint32_t f = 0; f < s->frame_cnt; f++)
        sum += s->frames[f]->callback_depth;
    return sum;
}

/* A state of this very path. 1: the path ends here. */
static int meet_open(struct ebpf_verifier *v, struct ebpf_vsaved *s, uint32_t sum)
{
    uint8_t flags = v->explore->insns[v->at].flags;
    bool comes_back =
        (flags & EBPF_VI_CALLS) ||
        ((flags & EBPF_VI_FORCE) && s->state.may_goto_depth != v->now->may_goto_depth);

    if (comes_back && ebpf_vstate_within(v->now, &s->state, EBPF_VRANGE, &v->rules)) {
        ebpf_verify_pin(v, s);
        return 1;
    }
    if ((flags & EBPF_VI_CALLS) || s->hash != sum || rounds(&s->state) != rounds(v->now) ||
        !ebpf_vstate_within(v->now, &s->state, EBPF_VSAME, &v->rules))
        return 0;
    return ebpf_verify_refuse(v, -EINVAL, "infinite loop detected at insn %u", v->at);
}

static bool worth_saving(const struct ebpf_verifier *v)
{
    const struct ebpf_vexplore *x = v->explore;

    if (v->test_state_freq || (x->insns[v->at].flags & EBPF_VI_FORCE) || x->forked)
        return true;
    return x->insns[v->at].open ? x->jumps >= 20 || x->steps >= 100
                                : x->jumps >= 2 && x->steps >= 8;
}

/* Compared in vain so often, an open state of a loop that may end in other ways than by being
 * different is not looked at any more (Linux has the same): such a loop may have a pointer that is
 * another one in every round. */
#define TRIES 64u

/* The states of this very path. 1: the path ends here. */
static int meet_all_open(struct ebpf_verifier *v, uint32_t sum)
{
    struct ebpf_vexplore *x = v->explore;
    bool forced = x->insns[v->at].flags & EBPF_VI_FORCE;
    struct ebpf_vsaved *next;

    if (!x->insns[v->at].open)
        return 0;
    for (struct ebpf_vsaved *s = *open_at(x, v->at, sum); s; s = next) {
        int ends = s->at == v->at ? meet_open(v, s, sum) : 0;

        if (ends)
            return ends;
        next = s->next;
        if (forced && s->at == v->at && ++s->misses > TRIES) {
            list_remove(s);
            list_add(&x->passed, s);
        }
    }
    return 0;
}

/* The states that are shown to be safe. 1: the path ends here. */
static int meet_all_safe(struct ebpf_verifier *v)
{
    struct ebpf_vexplore *x = v->explore;
    struct ebpf_vsaved *next;
    uint32_t count = x->insns[v->at].open;

    for (struct ebpf_vsaved *s = *safe_at(x, v->at, v->now); s; s = next) {
        next = s->next;
        if (s->at != v->at)
            continue;
        count++;
        if (ebpf_vstate_within(v->now, &s->state, EBPF_VPRECISE, &v->rules)) {
            s->hits++;
            ebpf_verify_inherit(v, s);
            return 1;
        }
        if (++s->misses > s->hits * 3 + 3)
            saved_free(v, s);
    }
    if (count > x->max_per_insn)
        x->max_per_insn = count;
    return 0;
}

/* 0: on; 1: the path ends here. */
static int join(struct ebpf_verifier *v)
{
    uint32_t sum = sum_of(v, v->at);
    int ends = meet_all_open(v, sum);

    if (!ends)
        ends = meet_all_safe(v);
    if (ends)
        return ends;
    return worth_saving(v) ? save(v, sum) : 0;
}

/* ---- the way --------------------------------------------------------------------------------- */

/* One instruction. 1: the path ends. */
static int follow(struct ebpf_verifier *v)
{
    struct ebpf_vexplore *x = v->explore;
    struct ebpf_vinsn *info = &x->insns[v->at];

    if (++v->processed > x->budget && x->budget < EBPF_MAX_PROCESSED)
        return -EAGAIN;
    if (v->processed > EBPF_MAX_PROCESSED)
        return ebpf_verify_refuse(v, -E2BIG, "BPF program is too large. Processed %u insn",
                                  (unsigned)v->processed);
    if (info->flags & (EBPF_VI_JOIN | EBPF_VI_FORCE)) {
        int ends = join(v);

        if (ends > 0 && v->log)
            ebpf_verify_log_pruned(v);
        if (ends)
            return ends;
    }
    if (v->log)
        ebpf_verify_log_insn(v);
    info->flags |= EBPF_VI_SEEN;
    x->steps++;
    v->next = v->at + 1;
    return ebpf_verify_step(v);
}

int ebpf_verify_explore(struct ebpf_verifier *v)
{
    struct ebpf_vexplore *x = v->explore;

    x->parent = NULL;
    x->jumps = x->steps = 0;
    x->forked = true;
    x->fresh_path = true;
    x->came_from = v->at;
    memset(x->fresh, 0xff, sizeof(x->fresh));
    for (;;) {
        int ends = follow(v);

        if (ends < 0)
            return ends;
        if (!ends) {
            v->at = v->next;
            continue;
        }
        path_ends(v);
        if (!pending_take(v))
            return 0;
    }
}

void ebpf_verify_frame_pushed(struct ebpf_verifier *v)
{
    v->explore->fresh[v->now->frame_cnt - 1] = ~0ull;
}

void ebpf_verify_explore_fini(struct ebpf_verifier *v)
{
    struct ebpf_vexplore *x = v->explore;

    while (x->pending) {
        struct ebpf_vpending *p = x->pending;

        x->pending = p->next;
        ebpf_vstate_fini(&v->mem, &p->state);
        ebpf_vmem_free(&v->mem, p, sizeof(*p));
    }
    ebpf_vstate_fini(&v->mem, v->now);
    for (uint32_t b = 0; b < x->bucket_cnt; b++) {
        while (x->safe[b])
            saved_free(v, x->safe[b]);
        while (x->open[b])
            saved_free(v, x->open[b]);
    }
    while (x->passed)
        saved_free(v, x->passed);
}
