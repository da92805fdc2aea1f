/* SPDX-License-Identifier: MIT */
/*
 * The verifier as a whole: what it knows before it starts, the functions one after the other, what
 * is left for the engines.
 *
 *     cfg      -> what is reached at all, where ways join
 *     live     -> which registers are still read
 *     explore  -> from the program's start, all paths (step by step; states in state.c)
 *     global   -> the same from the start of each global function that is called
 *     cfg      -> the stack that the chain of calls needs, now that each frame's depth is known
 *     rewrite  -> facts for interpreter and JIT
 *
 * Programs that sort or search compare data with data, and what is known of the data decides some
 * of these comparisons: then the data counts as precise, no two paths are alike any more, and their
 * number explodes. So a program that takes very long is tried once more with both ways of each
 * comparison of two registers, whatever is known of them. Nothing depends on the data then, and
 * paths end where they meet. To follow a way that no run can take is sound; it can find a fault
 * that is none, though, and so that attempt may only accept: otherwise the first way of doing it
 * goes on to its own end.
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

/* The compiler does not improve larger functions anyway (jit/opt/optimize.c). */
#define MAX_WAITS 65536u

static int explore_init(struct ebpf_verifier *v, uint32_t budget, bool relaxed)
{
    struct ebpf_vexplore *x = v->explore;

    *x = (struct ebpf_vexplore){.budget = budget, .relaxed = relaxed};
    x->bucket_cnt = power_of_two(v->code->insn_cnt / 8);
    x->insns = ebpf_vmem_zalloc(&v->mem, v->code->insn_cnt * sizeof(*x->insns));
    x->subs = ebpf_vmem_zalloc(&v->mem, v->code->subprog_cnt * sizeof(*x->subs));
    x->safe = ebpf_vmem_zalloc(&v->mem, x->bucket_cnt * sizeof(*x->safe));
    x->open = ebpf_vmem_zalloc(&v->mem, x->bucket_cnt * sizeof(*x->open));
    if (v->code->insn_cnt <= MAX_WAITS)
        x->waits = ebpf_vmem_zalloc(&v->mem, v->code->insn_cnt * sizeof(*x->waits));
    x->waiting = EBPF_VNOBODY;
    v->processed = 0;
    if (!v->code->facts) /* the owner of code frees them */
        v->code->facts = ebpf_calloc(v->code->insn_cnt, sizeof(*v->code->facts));
    if (!v->code->facts)
        return -ENOMEM;
    memset(v->code->facts, 0, v->code->insn_cnt * sizeof(*v->code->facts));
    return x->insns && x->subs && x->safe && x->open ? 0 : -ENOMEM;
}

static void explore_fini(struct ebpf_verifier *v)
{
    struct ebpf_vexplore *x = v->explore;

    if (x->safe && x->open)
        ebpf_verify_explore_fini(v);
    ebpf_verify_log_fini(v);
    ebpf_vmem_free(&v->mem, v->bases, v->code->insn_cnt);
    v->bases = NULL;
    ebpf_vmem_free(&v->mem, x->insns, v->code->insn_cnt * sizeof(*x->insns));
    ebpf_vmem_free(&v->mem, x->waits, v->code->insn_cnt * sizeof(*x->waits));
    ebpf_vmem_free(&v->mem, x->subs, v->code->subprog_cnt * sizeof(*x->subs));
    ebpf_vmem_free(&v->mem, x->safe, x->bucket_cnt * sizeof(*x->safe));
    ebpf_vmem_free(&v->mem, x->open, x->bucket_cnt * sizeof(*x->open));
    ebpf_vmem_fini(&v->mem);
}

/* The main function: the context in r1, nothing else. */
static int verify_main(struct ebpf_verifier *v)
{
    int err = ebpf_vstate_push(&v->mem, v->now, 0);

    if (err)
        return err;
    ebpf_vreg_set_pointer(ebpf_verify_reg(v, BPF_REG_1), EBPF_KIND_CTX);
    v->at = 0;
    return ebpf_verify_explore(v);
}

static int verify(struct ebpf_verifier *v, uint32_t budget, bool relaxed)
{
    int err = explore_init(v, budget, relaxed);

    if (!err)
        err = ebpf_verify_log_init(v);
    if (!err)
        err = ebpf_verify_cfg(v);
    if (!err)
        err = ebpf_verify_live(v);
    if (!err)
        err = verify_main(v);
    if (!err)
        err = ebpf_verify_globals(v);
    if (!err)
        err = ebpf_verify_stack_depth(v);
    if (!err)
        ebpf_verify_rewrite(v);
    ebpf_verify_log_stats(v);
    explore_fini(v);
    return err;
}

/* Each instruction is looked at so often on average before the other way is tried. */
#define PATIENCE 16u
#define FIRST_BUDGET 16384u
#define RELAXED_BUDGET 65536u

static int verify_patiently(struct ebpf_verifier *v)
{
    uint64_t mark = ebpf_load_log_mark(v->log), budget = (uint64_t)v->code->insn_cnt * PATIENCE;
    int err;

    if (budget < FIRST_BUDGET)
        budget = FIRST_BUDGET;
    if (budget < EBPF_MAX_PROCESSED / 2) {
        err = verify(v, (uint32_t)budget, false);
        if (err != -EAGAIN)
            return err;
        ebpf_load_log_reset(v->log, mark);
        err = verify(v, RELAXED_BUDGET, true);
        if (!err || err == -ENOMEM)
            return err;
        ebpf_load_log_reset(v->log, mark);
    }
    return verify(v, EBPF_MAX_PROCESSED, false);
}

static void set_rules(struct ebpf_verifier *v)
{
    const struct ebpf_prog *prog = v->prog;

    v->may_leak = (prog->caps & EBPF_CAP_PERFMON) != 0;
    v->rules.read_nothing = v->may_leak;
    v->rules.break_spills = v->may_leak;
    /* ANY_ALIGNMENT is the stronger one, as on Linux; who may say so: check_spec() */
    v->strict_align =
        !(prog->load_flags & BPF_F_ANY_ALIGNMENT) &&
        (prog->load_flags & BPF_F_STRICT_ALIGNMENT || !(ebpf_os_isa() & EBPF_ISA_ZICCLSM));
    v->test_state_freq = (prog->load_flags & BPF_F_TEST_STATE_FREQ) != 0;
    v->sleepable = (prog->load_flags & BPF_F_SLEEPABLE) != 0;
}

/* What one verification needs besides its states; on the heap, since kernels have small stacks. */
struct whole {
    struct ebpf_verifier v;
    struct ebpf_vexplore x;
    struct ebpf_vstate now;
};

/* All that instructions name, reached or not, as on Linux. */
static int check_maps(struct ebpf_verifier *v)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < v->prog->map_cnt; i++)
        err = ebpf_verify_map_use(v, v->prog->maps[i]);
    return err;
}

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
    err = check_maps(&w->v);
    if (!err)
        err = verify_patiently(&w->v);
    ebpf_free(w, sizeof(*w));
    return err;
}
