/* SPDX-License-Identifier: MIT */
/*
 * Helpers that call functions of the program which called them: bpf_loop() and its like. Both
 * engines give such a function's address to the program in a register (LD_IMM64 with
 * BPF_PSEUDO_FUNC): the entry of compiled code, which is a C function for that purpose, or a number
 * that the interpreter knows again. Context A.
 *
 * The function runs on the program stack below the helper. src/core/frames.c has counted its frame
 * with those of the function that named it. While it runs, tail calls fail, as if their limit were
 * reached: the helper has to be returned to.
 *
 * A timer calls its function when no program runs, so that this is a run of its own
 * (ebpf_prog_call()), with a program stack from its top.
 */
#include "helpers/helper.h"
#include "src/core/interp.h"
#include "src/core/prog.h"

typedef uint64_t (*native_fn)(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5);

static uint64_t call_native(uint64_t func, const uint64_t args[5])
{
    union {
        uint64_t address;
        native_fn fn;
    } target = {.address = func};

    return target.fn(args[0], args[1], args[2], args[3], args[4]);
}

uint64_t ebpf_call_back(uint64_t func, const uint64_t args[5])
{
    struct ebpf_run *run = ebpf_run_current();
    uint64_t ret;

    if (run)
        run->callbacks++;
    ret = func & EBPF_INTERP_FUNC ? ebpf_interp_callback(func, args) : call_native(func, args);
    if (run)
        run->callbacks--;
    return ret;
}

uint64_t ebpf_enter_func(void *ctx, struct ebpf_run *run, const struct ebpf_prog *prog)
{
    const struct ebpf_later *later = ctx;

    run->callbacks++; /* no tail calls: there is no context for the target */
    return later->func & EBPF_INTERP_FUNC ? ebpf_interp_func(&prog->code, later->func, later->args)
                                          : call_native(later->func, later->args);
}
