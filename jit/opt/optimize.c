/* SPDX-License-Identifier: MIT */
/* The passes in their order. */
#include "jit/opt/ir.h"
#include "src/base/bits.h"

/* A function of more operations goes without: time and memory of the passes are linear, but more
 * than decoding takes. */
#define MAX_OPS 65536u

static const struct {
    const char *name;
    uint32_t bit;
    int (*run)(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn);
} order[] = {
    {"jumps", EBPF_PASS(jumps), ebpf_ir_jumps},
    {"copy", EBPF_PASS(copy), ebpf_ir_copy},
    {"lookup", EBPF_PASS(lookup), ebpf_ir_lookup},
    {"slots", EBPF_PASS(slots), ebpf_ir_slots},
    {"forward", EBPF_PASS(forward), ebpf_ir_forward},
    {"dead", EBPF_PASS(dead), ebpf_ir_dead},
    {"jumps", EBPF_PASS(jumps), ebpf_ir_jumps}, /* what dead code was between */
    /* zero-extensions have become moves, lookups arithmetic */
    {"copy", EBPF_PASS(copy), ebpf_ir_copy},
    {"combine", EBPF_PASS(combine), ebpf_ir_combine},
    {"copy", EBPF_PASS(copy), ebpf_ir_copy},
    {"dead", EBPF_PASS(dead), ebpf_ir_dead},
    {"forms", EBPF_PASS(forms), ebpf_ir_forms},
    {"copy", EBPF_PASS(copy), ebpf_ir_copy},
    {"dead", EBPF_PASS(dead), ebpf_ir_dead},
    {"hoist", EBPF_PASS(hoist), ebpf_ir_hoist},
    {"copy", EBPF_PASS(copy), ebpf_ir_copy}, /* moves that were constants */
    {"dead", EBPF_PASS(dead), ebpf_ir_dead},
};

int ebpf_ir_optimize(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn, uint32_t passes,
                     const struct ebpf_ir_trace *trace)
{
    int err = 0;

    for (unsigned i = 0; !err && i < EBPF_ARRAY_SIZE(order) && fn->list.cnt <= MAX_OPS; i++) {
        if (!(passes & order[i].bit))
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
