/* SPDX-License-Identifier: MIT */
/*
 * The programs of the soak (demo/kernel/soak.c): one for each map type, called soak_NAME for the
 * map NAME, all on the same kernel function. Each does something at random and counts what it did
 * in the array `counts[SOAK_NAME]`; demo/kernel/soak_rows.c does the same by bpf(2), and adds up in
 * the end.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "soak.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

__u64 counts[SOAK_ROWS][SOAK_COUNTS] = {0};

/* ---- what all programs share --------------------------------------------------------------- */

static __always_inline void count(__u64 *row, int what, __u64 n)
{
    __sync_fetch_and_add(&row[what], n);
}

/* An operation's result; may: an error that is in order, or 0. */
static __always_inline void note(__u64 *row, long err, long may)
{
    if (!err || err == may)
        return;
    if (err == -EBUSY)
        count(row, SOAK_BUSY, 1);
    else if (err == -E2BIG || err == -ENOSPC || err == -ENOMEM || err == -EAGAIN)
        count(row, SOAK_FULL, 1);
    else
        count(row, SOAK_WRONG, 1);
}

/* The value of a random key. The first run for a key inserts; of harts that try at once, one
 * succeeds. */
static __always_inline __u64 *counter(void *map, __u64 *row)
{
    __u64 key = bpf_get_prandom_u32() % SOAK_KEYS, zero = 0;
    __u64 *v = bpf_map_lookup_elem(map, &key);

    count(row, SOAK_HITS, 1);
    if (!v) {
        note(row, bpf_map_update_elem(map, &key, &zero, BPF_NOEXIST), -EEXIST);
        v = bpf_map_lookup_elem(map, &key);
    }
    if (!v)
        count(row, SOAK_WRONG, 1);
    return v;
}

/* Puts a key in, takes one out, or looks, where elements come and go. */
static __always_inline void churn(void *map, __u64 *row)
{
    __u32 random = bpf_get_prandom_u32();
    __u64 key = random % SOAK_KEYS;
    struct soak_value v;
    long err;

    if (random >> 30 == 0) {
        err = bpf_map_delete_elem(map, &key);
        if (!err)
            count(row, SOAK_REMOVED, 1);
        note(row, err, -ENOENT);
    } else if (random >> 30 == 1) {
        bpf_map_lookup_elem(map, &key); /* what is there may go at any time: nothing to check */
    } else {
        soak_fill(&v, key, bpf_get_prandom_u32());
        err = bpf_map_update_elem(map, &key, &v, BPF_NOEXIST);
        if (!err)
            count(row, SOAK_ADDED, 1);
        note(row, err, -EEXIST);
    }
}

/* Replaces what is there as a whole: for types whose readers never see halves. */
static __always_inline void replace(void *map, __u64 *row)
{
    __u64 key = bpf_get_prandom_u32() % SOAK_KEYS;
    struct soak_value v;

    soak_fill(&v, key, bpf_get_prandom_u32());
    note(row, bpf_map_update_elem(map, &key, &v, BPF_EXIST), -ENOENT);
}

/* ---- counters in elements that stay -------------------------------------------------------- */

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, SOAK_KEYS + 1); /* the last one is bpf(2)'s */
    __type(key, __u32);
    __type(value, __u64);
} array SEC(".maps");

SEC("kprobe/soak_hit")
int soak_array(void *ctx)
{
    __u32 key = bpf_get_prandom_u32() % SOAK_KEYS;
    __u64 *v = bpf_map_lookup_elem(&array, &key);

    (void)ctx;
    count(counts[SOAK_array], SOAK_HITS, 1);
    if (v)
        __sync_fetch_and_add(v, 1);
    else
        count(counts[SOAK_array], SOAK_WRONG, 1);
    return 0;
}

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, SOAK_KEYS);
    __type(key, __u32);
    __type(value, __u64);
} percpu_array SEC(".maps");

SEC("kprobe/soak_hit")
int soak_percpu_array(void *ctx)
{
    __u32 key = bpf_get_prandom_u32() % SOAK_KEYS;
    __u64 *v = bpf_map_lookup_elem(&percpu_array, &key);

    (void)ctx;
    count(counts[SOAK_percpu_array], SOAK_HITS, 1);
    if (v)
        ++*v; /* this hart's own */
    else
        count(counts[SOAK_percpu_array], SOAK_WRONG, 1);
    return 0;
}

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, SOAK_KEYS);
    __type(key, __u64);
    __type(value, __u64);
} hash_count SEC(".maps");

SEC("kprobe/soak_hit")
int soak_hash_count(void *ctx)
{
    __u64 *v = counter(&hash_count, counts[SOAK_hash_count]);

    (void)ctx;
    if (v)
        __sync_fetch_and_add(v, 1);
    return 0;
}

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(max_entries, SOAK_KEYS);
    __type(key, __u64);
    __type(value, __u64);
} percpu_count SEC(".maps");

SEC("kprobe/soak_hit")
int soak_percpu_count(void *ctx)
{
    __u64 *v = counter(&percpu_count, counts[SOAK_percpu_count]);

    (void)ctx;
    if (v)
        ++*v; /* this hart's own */
    return 0;
}

/* ---- elements that come and go ------------------------------------------------------------- */

#define CHURN(map_type, name)                     \
    struct {                                      \
        __uint(type, map_type);                   \
        __uint(max_entries, SOAK_ENTRIES);        \
        __type(key, __u64);                       \
        __type(value, struct soak_value);         \
    } name SEC(".maps");                          \
                                                  \
    SEC("kprobe/soak_hit")                        \
    int soak_##name(void *ctx)                    \
    {                                             \
        (void)ctx;                                \
        count(counts[SOAK_##name], SOAK_HITS, 1); \
        churn(&name, counts[SOAK_##name]);        \
        return 0;                                 \
    }

CHURN(BPF_MAP_TYPE_HASH, hash)
CHURN(BPF_MAP_TYPE_PERCPU_HASH, percpu_hash)
CHURN(BPF_MAP_TYPE_LRU_HASH, lru_hash)
CHURN(BPF_MAP_TYPE_LRU_PERCPU_HASH, lru_percpu_hash)

/* A second program on the hashes that replace. */
SEC("kprobe/soak_hit")
int soak_replace(void *ctx)
{
    (void)ctx;
    replace(&hash, counts[SOAK_hash]);
    replace(&lru_hash, counts[SOAK_lru_hash]);
    return 0;
}

struct prefix {
    __u32 len;
    __u32 data;
};

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, SOAK_PREFIXES);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct prefix);
    __type(value, __u64);
} lpm_trie SEC(".maps");

/* The kernel side puts 0/0 in first, and nobody takes it out: every lookup finds something. */
static __always_inline void churn_prefixes(void)
{
    __u32 random = bpf_get_prandom_u32();
    struct prefix key = {1 + random % 8, (random >> 8) & 0xff};
    __u64 value = key.len;
    long err;

    if (random >> 30 == 0) {
        err = bpf_map_delete_elem(&lpm_trie, &key);
        if (!err)
            count(counts[SOAK_lpm_trie], SOAK_REMOVED, 1);
        note(counts[SOAK_lpm_trie], err, -ENOENT);
    } else if (random >> 30 == 1) {
        if (!bpf_map_lookup_elem(&lpm_trie, &key))
            count(counts[SOAK_lpm_trie], SOAK_WRONG, 1);
    } else {
        err = bpf_map_update_elem(&lpm_trie, &key, &value, BPF_NOEXIST);
        if (!err)
            count(counts[SOAK_lpm_trie], SOAK_ADDED, 1);
        note(counts[SOAK_lpm_trie], err, -EEXIST);
    }
}

SEC("kprobe/soak_hit")
int soak_lpm_trie(void *ctx)
{
    (void)ctx;
    count(counts[SOAK_lpm_trie], SOAK_HITS, 1);
    churn_prefixes();
    return 0;
}

/* ---- queues, stacks, bloom filters --------------------------------------------------------- */

static __always_inline void push_or_pop(void *map, __u64 *row)
{
    struct soak_value v;
    long err;

    if (bpf_get_prandom_u32() % 2) {
        soak_fill(&v, bpf_get_prandom_u32(), bpf_get_prandom_u32());
        err = bpf_map_push_elem(map, &v, BPF_ANY);
        if (!err) {
            count(row, SOAK_ADDED, 1);
            count(row, SOAK_IN, v.key);
        }
        note(row, err, 0);
    } else {
        err = bpf_map_pop_elem(map, &v);
        if (!err) {
            count(row, SOAK_REMOVED, 1);
            count(row, SOAK_OUT, v.key);
            if (!soak_whole(&v))
                count(row, SOAK_TORN, 1);
        }
        note(row, err, -ENOENT);
    }
}

#define KEYLESS(map_type, name)                   \
    struct {                                      \
        __uint(type, map_type);                   \
        __uint(max_entries, SOAK_ENTRIES);        \
        __type(value, struct soak_value);         \
    } name SEC(".maps");                          \
                                                  \
    SEC("kprobe/soak_hit")                        \
    int soak_##name(void *ctx)                    \
    {                                             \
        (void)ctx;                                \
        count(counts[SOAK_##name], SOAK_HITS, 1); \
        push_or_pop(&name, counts[SOAK_##name]);  \
        return 0;                                 \
    }

KEYLESS(BPF_MAP_TYPE_QUEUE, queue)
KEYLESS(BPF_MAP_TYPE_STACK, stack)

struct {
    __uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
    __uint(max_entries, 4096);
    __type(value, __u64);
} bloom_filter SEC(".maps");

/* What was pushed is found from then on. */
SEC("kprobe/soak_hit")
int soak_bloom_filter(void *ctx)
{
    __u64 value = bpf_get_prandom_u32() % 1024;

    (void)ctx;
    count(counts[SOAK_bloom_filter], SOAK_HITS, 1);
    note(counts[SOAK_bloom_filter], bpf_map_push_elem(&bloom_filter, &value, BPF_ANY), 0);
    note(counts[SOAK_bloom_filter], bpf_map_peek_elem(&bloom_filter, &value), 0);
    return 0;
}

/* ---- tail calls ---------------------------------------------------------------------------- */

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u32);
} prog_array SEC(".maps");

/* Each run ends in one of three places. */
SEC("kprobe/soak_hit")
int soak_tail_one(void *ctx)
{
    (void)ctx;
    count(counts[SOAK_prog_array], SOAK_ADDED, 1);
    return 1;
}

SEC("kprobe/soak_hit")
int soak_tail_two(void *ctx)
{
    (void)ctx;
    count(counts[SOAK_prog_array], SOAK_REMOVED, 1);
    return 2;
}

SEC("kprobe/soak_hit")
int soak_prog_array(void *ctx)
{
    count(counts[SOAK_prog_array], SOAK_HITS, 1);
    bpf_tail_call(ctx, &prog_array, bpf_get_prandom_u32() % 4);
    count(counts[SOAK_prog_array], SOAK_FULL, 1);
    return 0;
}

/* ---- ring buffers -------------------------------------------------------------------------- */

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 262144);
} ringbuf SEC(".maps");

static __always_inline void send_record(void)
{
    __u32 random = bpf_get_prandom_u32();
    struct soak_value *record;

    record = bpf_ringbuf_reserve(&ringbuf, sizeof(*record), 0);
    if (!record) {
        count(counts[SOAK_ringbuf], SOAK_FULL, 1);
        return;
    }
    soak_fill(record, random, bpf_get_prandom_u32());
    if (random % 8 == 0) {
        bpf_ringbuf_discard(record, 0);
        return;
    }
    count(counts[SOAK_ringbuf], SOAK_ADDED, 1);
    count(counts[SOAK_ringbuf], SOAK_IN, random);
    bpf_ringbuf_submit(record, 0);
}

SEC("kprobe/soak_hit")
int soak_ringbuf(void *ctx)
{
    (void)ctx;
    count(counts[SOAK_ringbuf], SOAK_HITS, 1);
    send_record();
    return 0;
}

/* ---- maps in maps -------------------------------------------------------------------------- */

struct inner {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
};
struct inner inner SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, SOAK_SLOTS);
    __type(key, __u32);
    __array(values, struct inner);
} array_of_maps SEC(".maps") = {.values = {[0] = &inner}};

struct {
    __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
    __uint(max_entries, SOAK_SLOTS);
    __type(key, __u32);
    __array(values, struct inner);
} hash_of_maps SEC(".maps");

/* Counts in the map that is there at the moment; the kernel side adds up those that were. */
static __always_inline void count_inside(void *outer, __u64 *row)
{
    __u32 slot = bpf_get_prandom_u32() % SOAK_SLOTS, zero = 0;
    void *map = bpf_map_lookup_elem(outer, &slot);
    __u64 *v;

    count(row, SOAK_HITS, 1);
    if (!map)
        return;
    v = bpf_map_lookup_elem(map, &zero);
    if (!v)
        return;
    count(row, SOAK_IN, 1);
    __sync_fetch_and_add(v, 1);
}

SEC("kprobe/soak_hit")
int soak_array_of_maps(void *ctx)
{
    (void)ctx;
    count_inside(&array_of_maps, counts[SOAK_array_of_maps]);
    return 0;
}

SEC("kprobe/soak_hit")
int soak_hash_of_maps(void *ctx)
{
    (void)ctx;
    count_inside(&hash_of_maps, counts[SOAK_hash_of_maps]);
    return 0;
}

/* ---- ring buffers of user mode, perf events ------------------------------------------------- */

struct {
    __uint(type, BPF_MAP_TYPE_USER_RINGBUF);
    __uint(max_entries, 16384);
} user_ringbuf SEC(".maps");

static long take_sample(struct bpf_dynptr *sample, void *ctx)
{
    __u64 *row = counts[SOAK_user_ringbuf];
    struct soak_value v;

    (void)ctx;
    if (bpf_dynptr_read(&v, sizeof(v), sample, 0, 0)) {
        count(row, SOAK_WRONG, 1);
        return 1;
    }
    count(row, SOAK_REMOVED, 1);
    count(row, SOAK_OUT, v.key);
    if (!soak_whole(&v))
        count(row, SOAK_TORN, 1);
    return 0;
}

/* Another hart may be draining it. */
SEC("kprobe/soak_hit")
int soak_user_ringbuf(void *ctx)
{
    long samples = bpf_user_ringbuf_drain(&user_ringbuf, take_sample, 0, 0);

    (void)ctx;
    count(counts[SOAK_user_ringbuf], SOAK_HITS, 1);
    note(counts[SOAK_user_ringbuf], samples < 0 ? samples : 0, 0);
    return 0;
}

struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __type(key, int);
    __type(value, int);
} perf_event_array SEC(".maps");

/* The hart's event may be out of the array at the moment. */
static __always_inline void send_event(void *ctx)
{
    __u64 *row = counts[SOAK_perf_event_array];
    struct soak_value v;
    long err;

    soak_fill(&v, bpf_get_prandom_u32(), bpf_get_prandom_u32());
    err = bpf_perf_event_output(ctx, &perf_event_array, BPF_F_CURRENT_CPU, &v, sizeof(v));
    if (!err) {
        count(row, SOAK_ADDED, 1);
        count(row, SOAK_IN, v.key);
    }
    note(row, err, -ENOENT);
}

SEC("kprobe/soak_hit")
int soak_perf_event_array(void *ctx)
{
    count(counts[SOAK_perf_event_array], SOAK_HITS, 1);
    send_event(ctx);
    return 0;
}

/* ---- stacks and tasks ------------------------------------------------------------------------ */

struct {
    __uint(type, BPF_MAP_TYPE_STACK_TRACE);
    __uint(max_entries, SOAK_STACKS);
    __type(key, __u32);
    __uint(value_size, SOAK_DEPTH * sizeof(__u64));
} stack_trace SEC(".maps");

static __always_inline void keep_stack(void *ctx)
{
    __u64 flags = bpf_get_prandom_u32() % 2 ? BPF_F_REUSE_STACKID : 0;
    long id = bpf_get_stackid(ctx, &stack_trace, flags);

    if (id >= 0)
        count(counts[SOAK_stack_trace], SOAK_ADDED, 1);
    note(counts[SOAK_stack_trace], id < 0 ? id : 0, -EEXIST);
}

SEC("kprobe/soak_hit")
int soak_stack_trace(void *ctx)
{
    count(counts[SOAK_stack_trace], SOAK_HITS, 1);
    keep_stack(ctx);
    return 0;
}

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, __u64);
} task_storage SEC(".maps");

/* Counts in the task that made the call, and lets go of the count now and then. */
SEC("kprobe/soak_hit")
int soak_task_storage(void *ctx)
{
    struct task_struct *task = bpf_get_current_task_btf();
    __u64 *row = counts[SOAK_task_storage];
    __u64 *v = bpf_task_storage_get(&task_storage, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

    (void)ctx;
    count(row, SOAK_HITS, 1);
    if (!v) {
        count(row, SOAK_FULL, 1);
        return 0;
    }
    ++*v;
    count(row, SOAK_IN, 1);
    if (bpf_get_prandom_u32() % 64)
        return 0;
    count(row, SOAK_OUT, *v);
    count(row, bpf_task_storage_delete(&task_storage, task) ? SOAK_WRONG : SOAK_REMOVED, 1);
    return 0;
}

/* ---- programs that interrupt bpf(2) -------------------------------------------------------- */

/* At the end of each time slice, in the middle of whatever the thread was doing. */
SEC("kprobe/schedule")
int soak_schedule(void *ctx)
{
    count(counts[SOAK_schedule], SOAK_HITS, 1);
    churn(&hash, counts[SOAK_hash]);
    churn(&percpu_hash, counts[SOAK_percpu_hash]);
    churn(&lru_hash, counts[SOAK_lru_hash]);
    churn_prefixes();
    push_or_pop(&queue, counts[SOAK_queue]);
    send_record();
    send_event(ctx);
    keep_stack(ctx);
    return 0;
}

#include "soak_timers.h"
