/* SPDX-License-Identifier: MIT */
/* What the soak's BPF programs (soak.bpf.c) and its kernel side (demo/kernel/soak*.c) agree on. */
#ifndef DEMO_BPF_SOAK_H
#define DEMO_BPF_SOAK_H

/* What is counted for each row, that is, for each map under test. */
enum soak_count {
    SOAK_HITS,    /* runs of the row's program */
    SOAK_ADDED,   /* elements that went in */
    SOAK_REMOVED, /* and that came out */
    SOAK_IN,      /* the sums of their values */
    SOAK_OUT,
    SOAK_FULL,  /* refused, because the map is full */
    SOAK_BUSY,  /* refused with -EBUSY */
    SOAK_TORN,  /* values that are not what anybody put in */
    SOAK_WRONG, /* other results that must not be */
    SOAK_COUNTS
};

/* The rows, by the names of the maps. */
enum soak_row {
    SOAK_array,
    SOAK_percpu_array,
    SOAK_hash_count,
    SOAK_percpu_count,
    SOAK_hash,
    SOAK_percpu_hash,
    SOAK_lru_hash,
    SOAK_lru_percpu_hash,
    SOAK_lpm_trie,
    SOAK_queue,
    SOAK_stack,
    SOAK_bloom_filter,
    SOAK_prog_array,
    SOAK_ringbuf,
    SOAK_array_of_maps,
    SOAK_hash_of_maps,
    SOAK_user_ringbuf,
    SOAK_perf_event_array,
    SOAK_stack_trace,
    SOAK_task_storage,
    SOAK_timers,     /* their programs are run by bpf(2): there are no timers for those on probes */
    SOAK_timer_hash, /* timers whose elements come and go */
    SOAK_objects,  /* no map: what the kernel side makes and lets go */
    SOAK_schedule, /* nor here: programs that interrupt all the others */
    SOAK_ROWS
};

#define SOAK_KEYS 64      /* keys are below this */
#define SOAK_ENTRIES 48   /* and maps are full before that */
#define SOAK_PREFIXES 256 /* of 510 */

#define SOAK_SLOTS 4 /* of a map in maps */

#define SOAK_STACKS 4 /* as many buckets as elements: none is ever missing but while one is freed */
#define SOAK_DEPTH 16

/* What timers are in. Its key once more; in the array: a start that has not come to its end yet. */
struct soak_alarm {
    unsigned long long key, armed, timer[2];
};

/* The element of most maps: it belongs to its key and says whether it is whole. Large, so that
 * copying it takes a while. */
#define SOAK_STAMPS 14
struct soak_value {
    unsigned long long key, stamp[SOAK_STAMPS], check;
};

#define SOAK_CHECK(key, stamp) (((key) ^ (stamp) << 8) * 0x9e3779b97f4a7c15ull)

static inline void soak_fill(struct soak_value *v, unsigned long long key, unsigned long long stamp)
{
    v->key = key;
    for (int i = 0; i < SOAK_STAMPS; i++)
        v->stamp[i] = stamp;
    v->check = SOAK_CHECK(key, stamp);
}

static inline int soak_whole(const struct soak_value *v)
{
    for (int i = 1; i < SOAK_STAMPS; i++)
        if (v->stamp[i] != v->stamp[0])
            return 0;
    return v->check == SOAK_CHECK(v->key, v->stamp[0]);
}

#endif /* DEMO_BPF_SOAK_H */
