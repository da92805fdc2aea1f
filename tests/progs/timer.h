/* SPDX-License-Identifier: MIT */
/* What timer.bpf.c shares with its tests. */
#ifndef TESTS_PROGS_TIMER_H
#define TESTS_PROGS_TIMER_H

#include <linux/types.h>

#define TIMER_KEYS 8
#define TIMER_LOG 64
#define TIMER_NO_VALUE -2000
#define TIMER_MONOTONIC 1

enum { TIMER_ARRAY, TIMER_HASH, TIMER_LRU, TIMER_MAPS };
enum {
    TIMER_OP_INIT,
    TIMER_OP_SET,
    TIMER_OP_START,
    TIMER_OP_CANCEL,
    TIMER_OP_UPDATE,
    TIMER_OP_DELETE,
    TIMER_OPS
};
enum { TIMER_NOTE, TIMER_AGAIN, TIMER_CANCEL_SELF, TIMER_DELETE_SELF, TIMER_CALLBACKS };

struct timer_request {
    __u32 op, map, key, callback;
    __u64 ns, flags;
};

/* Written by callbacks; period: for those that start again. */
struct timer_log {
    __u64 count, period;
    __s64 result, again;
    __u64 keys[TIMER_LOG], times[TIMER_LOG];
};

struct timer_shared {
    struct timer_request request;
    struct timer_log log;
};

struct timer_value {
    __u64 fired, timer[2], last;
};

#endif /* TESTS_PROGS_TIMER_H */
