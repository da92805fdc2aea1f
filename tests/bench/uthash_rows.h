/* SPDX-License-Identifier: MIT */
/*
 * The baseline for the hash rows: what the benchmark's programs hash_count and hash_churn do, with
 * the same keys, on a table of uthash in C: no program, no helper, no lock. For guest_run.c.
 */
#ifndef TESTS_BENCH_UTHASH_ROWS_H
#define TESTS_BENCH_UTHASH_ROWS_H

#include "lib.h"
#include "packet.h"

#include <uthash.h>

/* ---- hash_count.bpf.c: a counter for each flow; in all runs but the first, the key exists ---- */

struct flow {
    uint32_t saddr, daddr;
    uint16_t sport, dport;
    uint32_t proto;
};

struct flow_count {
    struct flow key;
    uint64_t value;
    UT_hash_handle hh;
};
static struct flow_count *flows;

static __attribute__((noinline)) void uthash_count(uint32_t length)
{
    struct flow key = {0x0a000001, 0x0a000002, 1234, 80, length};
    struct flow_count *found;

    HASH_FIND(hh, flows, &key, sizeof(key), found);
    if (!found) {
        found = calloc(1, sizeof(*found));
        found->key = key;
        HASH_ADD(hh, flows, key, sizeof(key), found);
    }
    __atomic_fetch_add(&found->value, 1, __ATOMIC_RELAXED);
}

/* ---- hash_churn.bpf.c: sixteen keys go in, sixteen go out ------------------------------------ */

#define CHURNED 16u

struct number {
    uint32_t key;
    uint64_t value;
    UT_hash_handle hh;
};
static struct number *numbers;

/* Elements are there already, as in a map. */
static __attribute__((noinline)) void uthash_churn(uint32_t length)
{
    static struct number pool[CHURNED];
    (void)length;

    for (uint32_t i = 0; i < CHURNED; i++) {
        uint32_t key = i * 7;
        struct number *found;
        HASH_FIND(hh, numbers, &key, sizeof(key), found);
        if (!found) {
            found = &pool[i];
            found->key = key;
            HASH_ADD(hh, numbers, key, sizeof(key), found);
        }
        found->value = i;
    }
    for (uint32_t i = 0; i < CHURNED; i++) {
        uint32_t key = i * 7;
        struct number *found;
        HASH_FIND(hh, numbers, &key, sizeof(key), found);
        if (found)
            HASH_DEL(numbers, found);
    }
}

static __attribute__((noinline)) void uthash_nothing(uint32_t length)
{
    __asm__ volatile("" ::"r"(length));
}

/* ---------------------------------------------------------------------------------------------- */

static uint64_t uthash_cost(void (*fn)(uint32_t))
{
    uint64_t start;

    fn(BENCH_PACKET_SIZE); /* allocates the table */
    start = time_ns();
    for (unsigned i = 0; i < BENCH_REPEAT; i++)
        fn(BENCH_PACKET_SIZE);
    return (time_ns() - start) / BENCH_REPEAT;
}

/* Prints `UTHASH ROW ns=`, without what the loop costs. */
static void uthash_rows(void)
{
    static struct number resident = {.key = UINT32_MAX}; /* uthash frees an empty table */
    uint64_t nothing = uthash_cost(uthash_nothing);

    if (!numbers)
        HASH_ADD(hh, numbers, key, sizeof(resident.key), &resident);
    printf("UTHASH hash_count ns=%lu\n", uthash_cost(uthash_count) - nothing);
    printf("UTHASH hash_churn ns=%lu\n", uthash_cost(uthash_churn) - nothing);
}

#endif /* TESTS_BENCH_UTHASH_ROWS_H */
