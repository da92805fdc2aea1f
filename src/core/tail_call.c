/* SPDX-License-Identifier: MIT */
/*
 * Tail calls (helper 12): the program ends and another of the same type begins in its place, with
 * the same context. From a function of the program, it is the function that is replaced: the new
 * program's exit returns to its caller. Context A, while a program runs on this hart.
 *
 * A run makes at most EBPF_MAX_TAIL_CALLS. That bounds time, not stack: where functions tail-call,
 * frames of callers pile up. So a function's tail call also fails where less stack is left than any
 * program can need: in the interpreter its own (interp.c), for compiled code WORST of the program
 * stack. The main function's needs no such look: its frame is gone when the target begins, so that
 * what was enough for it, whatever it was, is enough for the target.
 *
 * From a function that a helper calls, a tail call fails always: the helper has to be returned to.
 *
 * The array holds its programs, and gives one up only after a grace period (ebpf_obj_put()), which
 * this run is part of.
 *
 * Compiled code jumps to a program's entry, compiled or interpreted; the interpreter interprets
 * every target, since programs keep their instructions.
 */
#include "maps/map.h"
#include "src/core/prog.h"

/* What helpers and traps may need below the last frame; what a compiled function saves around its
 * stack: ra, twelve registers, counters, alignment; and what the interpreter needs, its stack of 8
 * frames, itself, and the helpers that call back between all of the frames. */
#define ROOM 5120u
#define SAVED 128u
#define INTERP_STACK 6912u
#define WORST (ROOM + INTERP_STACK)
_Static_assert(INTERP_STACK >= EBPF_MAX_FRAMES * (EBPF_FRAME_SIZE + SAVED),
               "compiled code needs more");

const struct ebpf_prog *ebpf_tail_call(struct ebpf_map *map, uint64_t index)
{
    struct ebpf_run *run = ebpf_run_current();
    struct ebpf_obj *obj;

    if (!run || map->type != BPF_MAP_TYPE_PROG_ARRAY || !run->tails_left)
        return NULL;
    obj = map->ops->objects->get(map, (uint32_t)index);
    if (!obj || run->callbacks)
        return NULL;
    run->tails_left--;
    return ebpf_prog_of(obj);
}

struct ebpf_tail ebpf_tail_call_native(uint64_t ctx, struct ebpf_map *map, uint64_t index)
{
    struct ebpf_run *run = ebpf_run_current();
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0); /* below all frames of the program */
    struct ebpf_tail tail = {NULL, run};

    if (run && sp - run->stack >= WORST) {
        run->ctx = ctx;
        tail.prog = ebpf_tail_call(map, index);
    }
    return tail;
}
