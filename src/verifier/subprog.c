/* SPDX-License-Identifier: MIT */
/*
 * The program's own functions: calls, callbacks, and what happens at an exit.
 *
 * A static function is followed again at every call, in a frame of its own on top of its caller's:
 * r1 to r5 go in, r0 comes back. A function that a helper calls (bpf_loop, bpf_for_each_map_elem)
 * is entered from the helper's call and comes back to it, not behind it, as often as the helper
 * might call; the way behind the call is followed, too, as if the helper were done. A timer's
 * callback runs later and on its own: it starts from nothing.
 */
#include "src/verifier/engine.h"

/* ---- calls ----------------------------------------------------------------------------------- */

static int enter(struct ebpf_verifier *v, uint32_t subprog, enum ebpf_callback callback)
{
    struct ebpf_vframe *frame;
    int err;

    if (v->now->frame_cnt == EBPF_MAX_FRAMES)
        return ebpf_verify_refuse(v, -E2BIG, "the call stack of %u frames is too deep",
                                  v->now->frame_cnt);
    err = ebpf_vstate_push(&v->mem, v->now, v->at);
    if (err)
        return err;
    frame = ebpf_verify_frame(v);
    frame->subprog = subprog;
    frame->callback = (uint8_t)callback;
    return 0;
}

int ebpf_verify_call(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    uint32_t start = (uint32_t)ebpf_verify_target(insn, v->at);
    struct ebpf_vframe *caller = ebpf_verify_frame(v), *callee;
    uint32_t sub = ebpf_code_subprog(v->code, start);
    int err;

    if (ebpf_verify_is_global(v, sub))
        return ebpf_verify_call_global(v, sub);
    err = enter(v, sub, CALLBACK_NONE);
    if (err)
        return err;
    callee = ebpf_verify_frame(v);
    for (unsigned r = BPF_REG_1; r <= BPF_REG_5; r++) {
        callee->regs[r] = caller->regs[r];
        caller->regs[r].kind = EBPF_KIND_NOTHING;
    }
    caller->regs[BPF_REG_0].kind = EBPF_KIND_NOTHING;
    ebpf_verify_frame_pushed(v);
    v->next = start;
    return 0;
}

static int callback_later(struct ebpf_verifier *v, uint32_t subprog,
                          void (*setup)(struct ebpf_verifier *v, struct ebpf_vframe *frame,
                                        const struct ebpf_vframe *caller))
{
    struct ebpf_vstate *now = v->now, *other;
    const struct ebpf_vframe *caller = ebpf_verify_frame(v);
    int err;

    v->explore->subs[subprog].timer = true;
    other = ebpf_verify_push_new(v, v->code->subprogs[subprog].start, &err);
    if (!other)
        return err;
    v->now = other;
    err = enter(v, subprog, CALLBACK_TIMER);
    if (!err) {
        ebpf_verify_frame(v)->call = 0;
        setup(v, ebpf_verify_frame(v), caller);
    }
    v->now = now;
    return err;
}

int ebpf_verify_callback(struct ebpf_verifier *v, uint32_t subprog, enum ebpf_callback kind,
                         void (*setup)(struct ebpf_verifier *v, struct ebpf_vframe *frame,
                                       const struct ebpf_vframe *caller))
{
    struct ebpf_vstate *now = v->now, *other;
    int err;

    if (kind == CALLBACK_TIMER)
        return callback_later(v, subprog, setup);
    other = ebpf_verify_push(v, v->code->subprogs[subprog].start, &err);
    if (!other)
        return err;
    v->now = other;
    err = enter(v, subprog, kind);
    if (!err) {
        struct ebpf_vframe *caller = other->frames[other->frame_cnt - 2];

        caller->callback_depth++;
        setup(v, ebpf_verify_frame(v), caller);
        v->explore->pending->fresh[other->frame_cnt - 1] = ~0ull;
    }
    v->now = now;
    ebpf_verify_frame(v)->callback_depth = 0;
    return err;
}

/* ---- exits ----------------------------------------------------------------------------------- */

/* Linux, verbose_invalid_scalar() */
static int out_of_range(struct ebpf_verifier *v, const struct ebpf_vreg *r0, const char *when,
                        int min, int max)
{
    const struct ebpf_range *r = &r0->var.full;
    bool low = r->smin > INT64_MIN, high = r->smax < INT64_MAX;

    if (low && high)
        return ebpf_verify_refuse(
            v, -EINVAL, "%s the register R0 has smin=%lld smax=%lld should have been in [%d, %d]",
            when, (long long)r->smin, (long long)r->smax, min, max);
    if (low || high)
        return ebpf_verify_refuse(
            v, -EINVAL, "%s the register R0 has %s=%lld should have been in [%d, %d]", when,
            low ? "smin" : "smax", (long long)(low ? r->smin : r->smax), min, max);
    return ebpf_verify_refuse(
        v, -EINVAL, "%s the register R0 has unknown scalar value should have been in [%d, %d]",
        when, min, max);
}

static int check_result(struct ebpf_verifier *v, const char *when, int min, int max)
{
    const struct ebpf_vreg *r0 = ebpf_verify_reg(v, BPF_REG_0);
    int err = ebpf_verify_precise(v, BPF_REG_0);

    if (err)
        return err;
    return r0->var.full.smin < min || r0->var.full.smax > max ? out_of_range(v, r0, when, min, max)
                                                              : 0;
}

/* The end of the program, or of a timer's callback. */
static int exit_program(struct ebpf_verifier *v)
{
    const struct ebpf_vreg *r0 = ebpf_verify_reg(v, BPF_REG_0);
    bool timer = ebpf_verify_frame(v)->callback == CALLBACK_TIMER,
         global = !timer && ebpf_verify_frame(v)->subprog;
    int min = timer ? 0 : v->type->ret_min, max = timer ? 0 : v->type->ret_max;
    const char *when = timer ? "At async callback" : "At program exit";
    int err = ebpf_verify_nothing_held(v, "BPF_EXIT instruction in main prog");

    if (!err)
        err = ebpf_verify_readable(v, BPF_REG_0);
    if (err)
        return err;
    if (ebpf_verify_secret(v, r0))
        return ebpf_verify_refuse(v, -EACCES, "R0 leaks addr as return value");
    if (global && r0->kind != EBPF_KIND_SCALAR)
        return ebpf_verify_refuse(v, -EINVAL,
                                  "At subprogram exit the register R0 is not a scalar value (%s)",
                                  ebpf_verify_type_name(r0));
    if (global || (!timer && !min && !max))
        return 1;
    if (r0->kind != EBPF_KIND_SCALAR)
        return ebpf_verify_refuse(v, -EINVAL, "%s the register R0 is not a known value (%s)", when,
                                  ebpf_verify_type_name(r0));
    err = check_result(v, when, min, max);
    return err ? err : 1;
}

/* The function goes back to the helper that called it, which may call it again. */
static int exit_callback(struct ebpf_verifier *v, const struct ebpf_vframe *callee)
{
    const struct ebpf_vreg *r0 = &callee->regs[BPF_REG_0];
    const struct ebpf_vsaved *previous;
    uint32_t call = callee->call;
    int err;

    if (r0->kind != EBPF_KIND_SCALAR)
        return ebpf_verify_refuse(v, -EACCES, "R0 not a scalar value");
    err = check_result(v, "At callback return", 0, callee->callback == CALLBACK_TIMER ? 0 : 1);
    if (err)
        return err;
    ebpf_vstate_pop(&v->mem, v->now);
    previous = ebpf_verify_previous(v, call);
    if (previous)
        ebpf_verify_widen(v->now, previous);
    v->next = call;
    return 0;
}

/* Linux does the same for packet loads in functions, and since 6.19 for tail calls. */
int ebpf_verify_early_exit(struct ebpf_verifier *v, void (*set_r0)(struct ebpf_vreg *r0))
{
    const struct ebpf_vframe *callee = ebpf_verify_frame(v);
    bool called_back = callee->callback != CALLBACK_NONE;
    struct ebpf_vstate *now = v->now, *other;
    int err;

    if (now->frame_cnt == 1)
        return 0;
    other = ebpf_verify_push(v, called_back ? callee->call : callee->call + 1, &err);
    if (!other)
        return err;
    ebpf_vstate_pop(&v->mem, other);
    v->now = other;
    if (!called_back)
        set_r0(ebpf_verify_reg(v, BPF_REG_0));
    v->now = now;
    return 0;
}

int ebpf_verify_exit(struct ebpf_verifier *v)
{
    struct ebpf_vframe *callee = ebpf_verify_frame(v);
    struct ebpf_vreg r0;

    if (v->now->frame_cnt == 1)
        return exit_program(v);
    r0 = callee->regs[BPF_REG_0]; /* may be NOTHING, if the caller does not read it */
    if (r0.kind == EBPF_KIND_STACK)
        return ebpf_verify_refuse(v, -EINVAL, "cannot return stack pointer to the caller");
    if (callee->callback != CALLBACK_NONE)
        return exit_callback(v, callee);
    v->next = callee->call + 1;
    ebpf_vstate_pop(&v->mem, v->now);
    *ebpf_verify_reg(v, BPF_REG_0) = r0;
    return 0;
}
