/* SPDX-License-Identifier: MIT */
/* The passes in their order, but for facts and inline, which come before. */
#include "jit/opt/ir.h"
#include "src/base/bits.h"

/* A function of more operations goes without: time and memory of the passes are linear, but more
 * than decoding takes. */
#define MAX_OPS 65536u

/* Is there anything for a pass, after what the others have done? Most find that out for
 * themselves. */
static bool always(const struct ebpf_ir_fn *fn)
{
    (void)fn;
    return true;
}

static bool if_branches(const struct ebpf_ir_fn *fn)
{
    return fn->branches;
}

static bool if_moves(const struct ebpf_ir_fn *fn)
{
    return fn->moves;
}

static bool if_unread(const struct ebpf_ir_fn *fn)
{
    return fn->unread;
}

static const struct {
    const char *name;
    uint32_t bit;
    int (*run)(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn);
    bool (*wanted)(const struct ebpf_ir_fn *fn);
} order[] = {
    {"jumps", EBPF_PASS(jumps), ebpf_ir_jumps, if_branches},
    {"copy", EBPF_PASS(copy), ebpf_ir_copy, if_moves},
    {"lookup", EBPF_PASS(lookup), ebpf_ir_lookup, always},
    {"slots", EBPF_PASS(slots), ebpf_ir_slots, always},
    {"forward", EBPF_PASS(forward), ebpf_ir_forward, always},
    {"dead", EBPF_PASS(dead), ebpf_ir_dead, if_unread},
    {"jumps", EBPF_PASS(jumps), ebpf_ir_jumps, if_branches}, /* what dead code was between */
    /* zero-extensions have become moves, lookups arithmetic */
    {"copy", EBPF_PASS(copy), ebpf_ir_copy, if_moves},
    {"combine", EBPF_PASS(combine), ebpf_ir_combine, always},
    {"copy", EBPF_PASS(copy), ebpf_ir_copy, if_moves},
    {"dead", EBPF_PASS(dead), ebpf_ir_dead, if_unread},
    {"forms", EBPF_PASS(forms), ebpf_ir_forms, always},
    {"copy", EBPF_PASS(copy), ebpf_ir_copy, if_moves},
    {"dead", EBPF_PASS(dead), ebpf_ir_dead, if_unread},
    {"hoist", EBPF_PASS(hoist), ebpf_ir_hoist, always},
    {"copy", EBPF_PASS(copy), ebpf_ir_copy, if_moves}, /* moves that were constants */
    {"dead", EBPF_PASS(dead), ebpf_ir_dead, if_unread},
};

int ebpf_ir_optimize(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn, uint32_t passes,
                     const struct ebpf_ir_trace *trace)
{
    int err = 0;

    for (unsigned i = 0; !err && i < EBPF_ARRAY_SIZE(order) && fn->list.cnt <= MAX_OPS; i++) {
        if (!(passes & order[i].bit) || !order[i].wanted(fn))
            continue;
        err = order[i].run(env, fn);
        if (err)
            break;
        ebpf_ir_compact(fn);
        if (trace)
            trace->show(trace, order[i].name, fn);
    }
    return err;
}
