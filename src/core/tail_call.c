/* SPDX-License-Identifier: MIT */
/*
 * Tail calls (helper 12): the program ends and another of the same type begins in its place, with the same context. From a
 * function of the program, it is the function that is replaced: the new program's exit returns to its caller.
 * Context A, while a program runs on this hart.
 *
 * A run makes at most EBPF_MAX_TAIL_CALLS. That bounds time, not stack: where functions tail-call, frames of callers pile
 * up. So the call also fails where the stack could become too small for all that the target may need of it: in the
 * interpreter its own (interp.c), for compiled code the program stack, of which ROOM stays for helpers and traps.
 *
 * The array holds its programs, and gives one up only after a grace period (ebpf_obj_put()), which this run is part of.
 *
 * Compiled code jumps to compiled code. Where the JIT gave up on the target, it jumps to a function that interprets it; the
 * interpreter interprets every target, since programs keep their instructions.
 */
#include "maps/map.h"
#include "src/core/prog.h"

/* What helpers and traps may need below the last frame; and what the interpreter needs, its stack of 8 frames and
 * itself. */
#define ROOM 6144u
#define INTERP_STACK 5376u
/* What a compiled function saves around its stack: ra, twelve registers, a counter, alignment. */
#define SAVED 128u

const struct ebpf_prog *ebpf_tail_call(struct ebpf_map *map, uint64_t index)
{
    struct ebpf_run *run = ebpf_run_current();
    struct ebpf_obj *obj;

    if (!run || !map->ops->objects || run->tail_calls >= EBPF_MAX_TAIL_CALLS)
        return NULL;
    obj = map->ops->objects->get(map, (uint32_t)index);
    if (!obj)
        return NULL;
    run->tail_calls++;
    run->target = ebpf_prog_of(obj);
    return run->target;
}

/* Entered as a compiled program is. */
static uint64_t interpret(void *ctx)
{
    return ebpf_interp(&ebpf_run_current()->target->code, ctx);
}

static uint64_t entry_of(const struct ebpf_prog *prog)
{
    return (uint64_t)(uintptr_t)(prog->jit.mem ? prog->jit.mem : (void *)(uintptr_t)&interpret);
}

static uintptr_t stack_needed(const struct ebpf_prog *prog)
{
    if (!prog->jit.mem)
        return INTERP_STACK + ROOM;
    return prog->code.frames * (prog->code.stack + SAVED) + ROOM;
}

struct ebpf_tail ebpf_tail_call_native(uint64_t ctx, struct ebpf_map *map, uint64_t index)
{
    const struct ebpf_run *run = ebpf_run_current();
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0); /* below all frames of the program */
    struct ebpf_tail tail = {0, ctx};
    const struct ebpf_prog *target;

    target = ebpf_tail_call(map, index);
    if (target && sp - run->stack >= stack_needed(target))
        tail.entry = entry_of(target);
    return tail;
}
