/* SPDX-License-Identifier: MIT */
/*
 * Programs as the engines run them: after the verifier has rewritten them, and with the facts that
 * it has left to the compiler. On the same input, an engine must leave what the checking machine
 * leaves: r0, the maps, the packet, the context.
 *
 * Programs of capable callers may look at addresses, and at what nobody has written to their
 * stack. What they make of it is theirs. So the machine runs twice, with other addresses and other
 * bytes on its stack; where the outcomes differ, or something was read that nobody had written,
 * there is nothing to compare. A difference is only believed after more such runs.
 */
#include "tests/fuzz/fuzz_verifier.h"

#define DOUBTS 16u

bool vf_differs(int32_t helper)
{
    switch (helper) {
    case 8:   /* get_smp_processor_id, and others that look at the machine that runs them */
    case 27:  /* get_stackid */
    case 67:  /* get_stack */
    case 173: /* get_func_ip */
    case 174: /* get_attach_cookie */
    case 186: /* get_retval */
    case 187: /* set_retval */
        return true;
    default:
        return false;
    }
}

static struct vf_input input;

/* What the machine makes of it. */
static enum vf_end machine(const struct fuzz_prog *prog, unsigned n, unsigned layout,
                           struct vf_outcome *out)
{
    char why[128];
    uint64_t r0;
    enum vf_end end;

    vf_world_reset(prog, n, &input);
    end = vf_run(prog, &input, (struct vf_how){layout, true}, &r0, why);
    vf_world_save(prog, &input, r0, out);
    return end;
}

static void describe(const struct vf_outcome *a, const struct vf_outcome *b, char why[128])
{
    if (a->r0 != b->r0)
        snprintf(why, 128, "r0 is %#llx, not %#llx", (unsigned long long)b->r0,
                 (unsigned long long)a->r0);
    for (unsigned m = 0; m < VF_ALL_MAPS; m++) {
        if (a->maps[m] != b->maps[m])
            snprintf(why, 128, "map %s differs", vf_specs[m].name);
    }
    if (a->packet != b->packet || a->len != b->len)
        snprintf(why, 128, "the packet differs");
    if (a->ctx != b->ctx)
        snprintf(why, 128, "the context differs");
}

enum vf_engine vf_compare(const struct fuzz_prog *prog, struct ebpf_prog *loaded, unsigned n,
                          char why[128])
{
    struct vf_outcome first, other, engine;
    uint64_t r0;

    for (unsigned layout = 0; layout < 2; layout++) {
        if (machine(prog, n, layout, layout ? &other : &first) != VF_ENDED)
            return VF_UNKNOWN;
    }
    if (memcmp(&first, &other, sizeof(first)))
        return VF_UNKNOWN;
    vf_world_reset(prog, n, &input);
    if (!ebpf_prog_run(loaded, &input.ctx, 0, &r0))
        return VF_UNKNOWN;
    vf_world_save(prog, &input, r0, &engine);
    if (!memcmp(&first, &engine, sizeof(first)))
        return VF_SAME;
    for (unsigned layout = 2; layout < DOUBTS; layout++) {
        if (machine(prog, n, layout, &other) != VF_ENDED || memcmp(&first, &other, sizeof(first)))
            return VF_UNKNOWN;
    }
    describe(&first, &engine, why);
    return VF_DIFFERENT;
}
