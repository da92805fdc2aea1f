/* SPDX-License-Identifier: MIT */
/* For the tests of timers: tests/progs/timer.bpf.c, loaded for one engine or the other, and what
 * the kernel does at the time that the hook was told. */
#ifndef TESTS_UNIT_TIMER_UTIL_H
#define TESTS_UNIT_TIMER_UTIL_H

#include <ebpf/ebpf.h>
#include <ebpf/object.h>

#include "tests/progs/timer.h"

#if defined(__riscv)
#define TIMER_ENGINES 2
#else
#define TIMER_ENGINES 1
#endif

struct timers {
    struct ebpf_object *obj;
    struct ebpf_map *map[TIMER_MAPS]; /* no references of their own */
    struct timer_shared *shared;      /* the program's .bss, in place */
};

/* False, and a failure, if that does not work. */
bool timers_open(struct timers *t, bool jit);
void timers_close(struct timers *t);

/* r0 of one of the programs, with whatever the request says. */
long timers_run(struct timers *t, const char *prog);
/* What timer_op returns. flags: of init and start. */
long timers_op(struct timers *t, int op, int map, uint32_t key, uint64_t flags);
long timers_start(struct timers *t, int map, uint32_t key, uint64_t ns);
/* init, set_callback and start, which must all return 0. */
void timers_make(struct timers *t, int map, uint32_t key, int callback, uint64_t ns);
/* Puts an element with zeros there. */
void timers_put(struct timers *t, int map, uint32_t key);

/* The clock goes on, and the hart runs its timers whenever the hook was told to. */
void timers_pass(uint64_t ns);

#endif /* TESTS_UNIT_TIMER_UTIL_H */
