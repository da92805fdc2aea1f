/* SPDX-License-Identifier: MIT */
/* What both kprobe runners measure: batches of a system call, and the cheapest counts. They define
 * now() and call(). */
#ifndef TESTS_BENCH_BATCH_H
#define TESTS_BENCH_BATCH_H

#define BATCHES 20
#define BATCH 500

static long long now(void); /* nanoseconds */
static void call(void);     /* getppid(2) */

/* Cost of one call. */
static long long call_cost(void)
{
    long long best = 1ll << 60;

    for (int i = 0; i < BATCHES; i++) {
        long long start = now(), cost;
        for (int k = 0; k < BATCH; k++)
            call();
        cost = now() - start;
        if (cost < best)
            best = cost;
    }
    return best / BATCH;
}

#endif /* TESTS_BENCH_BATCH_H */
