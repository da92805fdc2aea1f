/* SPDX-License-Identifier: MIT */
/*
 * The verifier as a whole: what it knows before it starts, the functions one after the other, what is left for the engines.
 *
 *     cfg      -> what is reached at all, where ways join
 *     live     -> which registers are still read
 *     explore  -> from the program's start, all paths (step by step; states in state.c)
 *     cfg      -> the stack that the chain of calls needs, now that each frame's depth is known
 *     rewrite  -> facts for interpreter and JIT
 */
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/verifier/engine.h"

/* Issue: one million instructions must do with 64 MiB. */
#define MEMORY_LIMIT (64u << 20)

static uint32_t power_of_two(uint32_t n)
{
    uint32_t p = 16;

    while (p < n)
        p *= 2;
    return p;
}

static int explore_init(struct ebpf_verifier *v)
{
    struct ebpf_vexplore *x = v->explore;

    x->bucket_cnt = power_of_two(v->code->insn_cnt / 8);
    x->insns = ebpf_vmem_zalloc(&v->mem, v->code->insn_cnt * sizeof(*x->insns));
    x->subs = ebpf_vmem_zalloc(&v->mem, v->code->subprog_cnt * sizeof(*x->subs));
    x->buckets = ebpf_vmem_zalloc(&v->mem, x->bucket_cnt * sizeof(*x->buckets));
    return x->insns && x->subs && x->buckets ? 0 : -ENOMEM;
}

static void explore_fini(struct ebpf_verifier *v)
{
    struct ebpf_vexplore *x = v->explore;

    if (x->buckets)
        ebpf_verify_explore_fini(v);
    ebpf_verify_log_fini(v);
    ebpf_vmem_free(&v->mem, v->bases, v->code->insn_cnt);
    ebpf_vmem_free(&v->mem, x->insns, v->code->insn_cnt * sizeof(*x->insns));
    ebpf_vmem_free(&v->mem, x->subs, v->code->subprog_cnt * sizeof(*x->subs));
    ebpf_vmem_free(&v->mem, x->buckets, x->bucket_cnt * sizeof(*x->buckets));
    ebpf_vmem_fini(&v->mem);
}

/* The main function: the context in r1, nothing else. */
static int verify_main(struct ebpf_verifier *v)
{
    int err = ebpf_vstate_push(&v->mem, v->now, 0);

    if (err)
        return err;
    *ebpf_verify_reg(v, BPF_REG_1) = ebpf_vreg_pointer(EBPF_KIND_CTX);
    v->at = 0;
    return ebpf_verify_explore(v);
}

static int verify(struct ebpf_verifier *v)
{
    int err = explore_init(v);

    if (!err)
        err = ebpf_verify_log_init(v);
    if (!err)
        err = ebpf_verify_cfg(v);
    if (!err)
        err = ebpf_verify_live(v);
    if (!err)
        err = verify_main(v);
    if (!err)
        err = ebpf_verify_stack_depth(v);
    ebpf_verify_log_stats(v);
    return err;
}

static void set_rules(struct ebpf_verifier *v)
{
    const struct ebpf_prog *prog = v->prog;

    v->may_leak = (prog->caps & EBPF_CAP_PERFMON) != 0;
    v->rules.read_nothing = v->may_leak;
    v->rules.break_spills = v->may_leak;
    v->strict_align = (prog->load_flags & BPF_F_STRICT_ALIGNMENT) != 0;
    v->test_state_freq = (prog->load_flags & BPF_F_TEST_STATE_FREQ) != 0;
    v->sleepable = (prog->load_flags & BPF_F_SLEEPABLE) != 0;
}

/* What one verification needs besides its states; on the heap, since kernels have small stacks. */
struct whole {
    struct ebpf_verifier v;
    struct ebpf_vexplore x;
    struct ebpf_vstate now;
};

int ebpf_verify(struct ebpf_prog *prog)
{
    struct whole *w = ebpf_zalloc(sizeof(*w));
    int err;

    if (!w)
        return -ENOMEM;
    w->v.prog = prog;
    w->v.type = prog->type;
    w->v.code = &prog->code;
    w->v.log = prog->code.log;
    w->v.mem.limit = MEMORY_LIMIT;
    w->v.now = &w->now;
    w->v.explore = &w->x;
    set_rules(&w->v);
    err = verify(&w->v);
    explore_fini(&w->v);
    ebpf_free(w, sizeof(*w));
    return err;
}
