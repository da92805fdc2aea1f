/* SPDX-License-Identifier: MIT */
/*
 * struct bpf_timer: what programs have in maps' values (helpers 169 to 172), and the harts' queues
 * of those that wait. See timer.c. The functions return Linux's errno values. A, with interrupts
 * off and in an epoch section, unless they say otherwise.
 */
#ifndef EBPF_MAPS_TIMER_H
#define EBPF_MAPS_TIMER_H

#include "maps/map.h"

/* ---- of a map ---- */

/* Can this kernel's hooks serve timers? T */
bool ebpf_timers_available(void);
/* The states of all timers of a map whose values have one, and which is complete but for its
 * users: 0, -ENOMEM, -E2BIG. Nothing to do without the hook. T */
int ebpf_timers_create(struct ebpf_map *map);
void ebpf_timers_destroy(struct ebpf_map *map); /* T, none is in use any more */
/* The last user has gone: all end, and those who run are waited for. T */
void ebpf_timers_end(struct ebpf_map *map);

/* ---- of programs ---- */

/* clock: CLOCK_* of Linux. -EBUSY: is a timer already; -EPERM: the map has no users any more. */
int ebpf_timer_init(struct ebpf_map *map, struct bpf_timer *field, unsigned clock);
/* -EINVAL: not initialised; -EPERM: as above; -ENOENT: the program is going. */
int ebpf_timer_set_callback(struct bpf_timer *field, struct ebpf_obj *prog, uint64_t func);
/* -EINVAL: not initialised, or no callback; -EBUSY: called from a probe inside
 * ebpf_os_timer_arm(). */
int ebpf_timer_start(struct bpf_timer *field, uint64_t ns, bool absolute);
/* 1: it was waiting; 0: it was not; waits for the end of its callback on another hart. -EINVAL: not
 * initialised; -EDEADLK: that callback is this one, or one that waits for this one. */
int ebpf_timer_cancel(struct bpf_timer *field);

/* ---- of who runs them ---- */

/* What a timer calls. */
struct ebpf_timer_call {
    struct ebpf_map *map;
    const void *key;
    void *value;
    struct ebpf_obj *prog; /* lives until the section ends */
    uint64_t func;
    uint32_t index; /* what key points to, in arrays */
};

/* Calls run for those of this hart's timers whose time has come, some of them, and arms the hook
 * for the next one. A */
void ebpf_timers_run(void (*run)(const struct ebpf_timer_call *call));

#endif /* EBPF_MAPS_TIMER_H */
