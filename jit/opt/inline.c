/* SPDX-License-Identifier: MIT */
/*
 * Pass "inline": small functions are put where they are called, those that they call first.
 *
 *     function 0:                       v6 = mov v1
 *     v6 = mov v1                       v11 = mov v1            (the callee's r6)
 *     call function 1             ->    store64 [v10-24], v11   (its frame is below the caller's)
 *     v0 = add v0, v6                   v0 = load64 [v10-24]
 *     exit v0                           v0 = add v0, v6
 *                                       exit v0
 *
 * r0 to r5 need no other names: a call leaves r1 to r5 undefined, r0 is the result. r6 to r9
 * that the callee mentions get those names which the caller does not use, or new ones. A frame
 * of caller and callees is no larger than one of a single function may be, so that engines
 * reserve enough (src/core/frames.c). What is IR_OPAQUE sits in a function of its own: it may
 * end it (tail calls), and may_goto counts by function.
 */
#include "jit/opt/ir.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"

#define SMALL_OPS 14u  /* a function of so many operations is worth it wherever it is called */
#define SINGLE_OPS 96u /* ... where nobody else calls it */
#define GROWTH 256u    /* operations that a function may get, besides once more what it has */
#define MAX_FN_OPS 4096u
/* Callee-saved registers that no BPF register has: there always are as many (rv64/assign.c). */
#define MAX_VREGS 8u

#define CALLEE_SAVED 0x3c0ull /* r6 to r9 */

/* What is known of a function. */
struct info {
    uint32_t calls;  /* in how many places it is called */
    uint32_t height; /* 1: calls nothing; more than what it calls */
    /* bytes below r10 that it uses, what is inlined included; a multiple of 8 */
    int32_t stack;
    uint64_t mentioned; /* registers */
    bool leaf, fit;     /* calls nothing at all; may be inlined */
};

struct inliner {
    struct ebpf_ir_fn **fns;
    struct info *infos; /* [cnt] */
    uint32_t cnt;
};

/* One call that is being replaced. */
struct site {
    struct ebpf_ir_fn *fn;
    const struct ebpf_ir_fn *callee;
    uint8_t names[IR_VREGS]; /* [callee's vreg]: the caller's */
    int32_t below;           /* r10 of the callee is r10 - below */
    uint32_t labels;         /* the first of the callee's; the last is the end */
};

/* ---- what functions are like ----------------------------------------------------------------- */

/* Height of what calls: one round; recursion, which the structural check refuses, never ends. */
static bool climb(struct inliner *in)
{
    bool more = false;

    for (uint32_t f = 0; f < in->cnt; f++) {
        const struct ebpf_ir_list *list = &in->fns[f]->list;

        for (uint32_t i = 0; i < list->cnt; i++) {
            uint32_t callee;

            if (list->ops[i].code != IR_CALL_FUNC)
                continue;
            callee = in->infos[list->ops[i].target].height;
            if (callee >= in->infos[f].height) {
                in->infos[f].height = callee + 1;
                more = true;
            }
        }
    }
    return more;
}

static bool find_heights(struct inliner *in)
{
    for (uint32_t f = 0; f < in->cnt; f++) {
        const struct ebpf_ir_list *list = &in->fns[f]->list;

        in->infos[f].height = 1;
        for (uint32_t i = 0; i < list->cnt; i++) {
            if (list->ops[i].code == IR_CALL_FUNC)
                in->infos[list->ops[i].target].calls++;
        }
    }
    for (unsigned round = 0; round <= EBPF_MAX_FRAMES; round++) {
        if (!climb(in))
            return true;
    }
    return false;
}

/* Does it use r10 only as what can be moved to another place in a larger frame? */
static bool moves_frame(const struct ebpf_ir_op *op)
{
    if (!(ebpf_ir_reads(op) & IR_BIT(IR_FP)))
        return true;
    if (op->code == IR_LOAD || op->code == IR_MOV)
        return true;
    if (op->code == IR_STORE || op->code == IR_ATOMIC)
        return op->flags & IR_IMM || op->src2 != IR_FP;
    return op->code == IR_ADD && op->flags & IR_WIDE && op->flags & IR_IMM;
}

static int look_at(struct inliner *in, uint32_t f)
{
    struct ebpf_ir_fn *fn = in->fns[f];
    struct info *info = &in->infos[f];
    struct ebpf_ir_stack stack;
    int err = ebpf_ir_flow(fn);

    if (err)
        return err;
    ebpf_ir_stack_use(fn, &stack);
    info->stack = (int32_t)EBPF_ROUND_UP((uint32_t)-stack.low, 8u);
    info->leaf = true;
    info->fit = f > 0 && !fn->opaque && fn->list.cnt <= (info->calls == 1 ? SINGLE_OPS : SMALL_OPS);
    for (uint32_t i = 0; i < fn->list.cnt; i++) {
        const struct ebpf_ir_op *op = &fn->list.ops[i];

        info->mentioned |= ebpf_ir_reads(op);
        if (!ebpf_ir_is_call(op))
            info->mentioned |= ebpf_ir_writes(op);
        info->leaf &= !ebpf_ir_is_call(op);
        info->fit &= moves_frame(op);
    }
    return 0;
}

/* ---- one call -------------------------------------------------------------------------------- */

/* Names for what the callee has in registers that a call does not touch. False: there are too
 * few. */
static bool choose_names(const struct inliner *in, struct site *s, uint32_t f, uint32_t g)
{
    uint64_t used = in->infos[f].mentioned, theirs = in->infos[g].mentioned;
    unsigned home = BPF_REG_6, vreg = IR_EXTRA;
    uint64_t survive = 0;

    for (unsigned v = 0; v < IR_VREGS; v++)
        s->names[v] = (uint8_t)v;
    for (unsigned v = BPF_REG_6; v < s->callee->vreg_cnt; v++) {
        if (v == IR_FP || (v <= BPF_REG_9 && !(theirs >> v & 1)))
            continue;
        while (home <= BPF_REG_9 && used >> home & 1)
            home++;
        if (home <= BPF_REG_9) {
            s->names[v] = (uint8_t)home++;
            continue;
        }
        if (v <= BPF_REG_9 ? !in->infos[g].leaf : s->callee->survive >> v & 1)
            survive |= IR_BIT(vreg);
        s->names[v] = (uint8_t)vreg++;
    }
    if (vreg > IR_EXTRA + MAX_VREGS)
        return false;
    s->fn->vreg_cnt = (uint8_t)(vreg > s->fn->vreg_cnt ? vreg : s->fn->vreg_cnt);
    s->fn->survive |= survive;
    return true;
}

static uint8_t rename(const struct site *s, uint8_t vreg)
{
    return vreg < IR_VREGS ? s->names[vreg] : vreg;
}

/* r10 of the callee. */
static void move_frame(const struct site *s, struct ebpf_ir_op *op)
{
    if (op->src1 != IR_FP || !s->below)
        return;
    if (op->code >= IR_LOAD && op->code <= IR_ATOMIC) {
        op->off -= s->below;
    } else if (op->code == IR_ADD) {
        op->imm -= s->below;
    } else {
        op->code = IR_ADD;
        op->flags = IR_WIDE | IR_IMM;
        op->imm = -s->below;
    }
}

/* The result gets into r0, and the function goes on behind the call. */
static void leave(const struct site *s, const struct ebpf_ir_op *exit, bool last,
                  struct ebpf_ir_list *out)
{
    struct ebpf_ir_op result = {.code = exit->flags & IR_IMM ? IR_LI : IR_MOV,
                                .flags = IR_WIDE,
                                .dst = BPF_REG_0,
                                .src1 = rename(s, exit->src1),
                                .src2 = IR_NONE,
                                .slot = exit->slot,
                                .imm = exit->imm};
    const struct ebpf_ir_op jump = {.code = IR_JUMP,
                                    .dst = IR_NONE,
                                    .src1 = IR_NONE,
                                    .src2 = IR_NONE,
                                    .target = s->labels + s->callee->label_cnt,
                                    .slot = exit->slot};

    if (result.code != IR_MOV || result.src1 != BPF_REG_0)
        ebpf_ir_append(out, &result);
    if (!last)
        ebpf_ir_append(out, &jump);
}

static void put(const struct site *s, struct ebpf_ir_list *out)
{
    const struct ebpf_ir_list *list = &s->callee->list;
    struct ebpf_ir_op end = {.code = IR_LABEL,
                             .dst = IR_NONE,
                             .src1 = IR_NONE,
                             .src2 = IR_NONE,
                             .target = s->labels + s->callee->label_cnt};

    for (uint32_t i = 0; i < list->cnt; i++) {
        struct ebpf_ir_op op = list->ops[i];

        end.slot = op.slot;
        if (op.code == IR_EXIT) {
            leave(s, &op, i + 1 == list->cnt, out);
            continue;
        }
        move_frame(s, &op);
        op.dst = rename(s, op.dst);
        op.src1 = rename(s, op.src1);
        op.src2 = rename(s, op.src2);
        if (op.code == IR_LABEL || op.code == IR_JUMP || op.code == IR_BRANCH)
            op.target += s->labels;
        ebpf_ir_append(out, &op);
    }
    ebpf_ir_append(out, &end);
}

/* ---- one function ---------------------------------------------------------------------------- */

/* room: operations that out may still get. */
static bool try_site(struct inliner *in, uint32_t f, const struct ebpf_ir_op *op, uint32_t room,
                     struct ebpf_ir_list *out)
{
    const struct info *caller = &in->infos[f], *callee = &in->infos[op->target];
    struct site s = {.fn = in->fns[f], .callee = in->fns[op->target]};

    s.below = callee->stack ? caller->stack : 0;
    if (!callee->fit || s.below + callee->stack > (int32_t)EBPF_FRAME_SIZE ||
        s.callee->list.cnt > room || !choose_names(in, &s, f, op->target))
        return false;
    s.labels = s.fn->label_cnt;
    s.fn->label_cnt += s.callee->label_cnt + 1;
    put(&s, out);
    return true;
}

static int inline_into(struct inliner *in, uint32_t f, bool *done)
{
    struct ebpf_ir_fn *fn = in->fns[f];
    uint32_t room = fn->list.cnt + GROWTH;
    struct ebpf_ir_list out = {0};

    *done = false;
    for (uint32_t i = 0; i < fn->list.cnt; i++) {
        const struct ebpf_ir_op *op = &fn->list.ops[i];

        if (op->code == IR_CALL_FUNC && try_site(in, f, op, room, &out)) {
            room -= in->fns[op->target]->list.cnt;
            *done = true;
        } else {
            ebpf_ir_append(&out, op);
        }
    }
    if (*done)
        return ebpf_ir_replace(fn, &out);
    ebpf_ir_list_fini(&out);
    return 0;
}

/* What f calls is as it will be already. */
static int step(struct inliner *in, uint32_t f, const struct ebpf_ir_trace *trace)
{
    bool done = false;
    int err = look_at(in, f);

    if (!err && in->infos[f].height > 1)
        err = inline_into(in, f, &done);
    if (err || !done)
        return err;
    if (trace)
        trace->show(trace, "inline", in->fns[f]);
    return look_at(in, f);
}

/* ---- the pass -------------------------------------------------------------------------------- */

/* Moves of addresses become displacements, and functions as short as they are. */
static int tidy(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn, uint32_t passes)
{
    int err = passes & EBPF_PASS(copy) ? ebpf_ir_copy(env, fn) : 0;

    if (!err && passes & EBPF_PASS(dead))
        err = ebpf_ir_dead(env, fn);
    ebpf_ir_compact(fn);
    return err;
}

static bool is_any_small(const struct inliner *in)
{
    for (uint32_t f = 1; f < in->cnt; f++) {
        if (!in->fns[f]->opaque && in->fns[f]->list.cnt <= 2 * SINGLE_OPS)
            return true;
    }
    return false;
}

int ebpf_ir_inline(const struct ebpf_ir_env *env, struct ebpf_ir_fn **fns, uint32_t cnt,
                   uint32_t passes, const struct ebpf_ir_trace *trace)
{
    struct inliner in = {.fns = fns, .cnt = cnt};
    int err = 0;

    if (!(passes & EBPF_PASS(inline)) || !is_any_small(&in))
        return 0;
    in.infos = ebpf_calloc(cnt, sizeof(*in.infos));
    if (!in.infos)
        return -ENOMEM;
    for (uint32_t f = 0; !err && f < cnt; f++)
        err = fns[f]->list.cnt <= MAX_FN_OPS ? tidy(env, fns[f], passes) : 0;
    if (!err && find_heights(&in)) {
        for (uint32_t height = 1; !err && height <= EBPF_MAX_FRAMES; height++) {
            for (uint32_t f = 0; !err && f < cnt; f++) {
                if (in.infos[f].height == height && fns[f]->list.cnt <= MAX_FN_OPS)
                    err = step(&in, f, trace);
            }
        }
    }
    ebpf_free(in.infos, cnt * sizeof(*in.infos));
    return err;
}
