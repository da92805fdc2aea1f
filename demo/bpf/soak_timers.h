/* SPDX-License-Identifier: MIT */
/* The soak's timers: the part of soak.bpf.c that demo/kernel/soak_timers.c runs by bpf(2). */
#ifndef DEMO_BPF_SOAK_TIMERS_H
#define DEMO_BPF_SOAK_TIMERS_H

struct alarm {
    __u64 key, armed;
    struct bpf_timer timer;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, SOAK_KEYS);
    __type(key, __u32);
    __type(value, struct alarm);
} timers SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, SOAK_ENTRIES);
    __type(key, __u64);
    __type(value, struct alarm);
} timer_hash SEC(".maps");

#define MONOTONIC 1

/* Who makes armed 1 may start the timer; whatever ends that start makes it 0 again. */
static __always_inline void disarm(struct alarm *v, int why)
{
    if (__sync_val_compare_and_swap(&v->armed, 1, 0) != 1)
        count(counts[SOAK_timers], SOAK_TORN, 1);
    count(counts[SOAK_timers], why, 1);
}

/* -EINVAL: cancelled by another hart meanwhile, so that there is no callback any more. */
static __always_inline void start(struct alarm *v)
{
    long err = bpf_timer_start(&v->timer, bpf_get_prandom_u32() % 1048576, 0);

    if (!err)
        count(counts[SOAK_timers], SOAK_ADDED, 1);
    else
        disarm(v, err == -EINVAL ? SOAK_FULL : SOAK_WRONG);
}

static int on_timer(void *map, __u32 *key, struct alarm *v)
{
    disarm(v, SOAK_REMOVED);
    if (bpf_get_prandom_u32() % 4 == 0 && !__sync_val_compare_and_swap(&v->armed, 0, 1))
        start(v);
    return 0;
}

/* Each start is either cancelled or fires: settle_timers(). */
SEC("xdp")
int soak_timers(struct xdp_md *xdp)
{
    __u32 random = bpf_get_prandom_u32(), key = random % SOAK_KEYS;
    struct alarm *v = bpf_map_lookup_elem(&timers, &key);
    __u64 *row = counts[SOAK_timers];
    long err;

    count(row, SOAK_HITS, 1);
    if (!v)
        return 0;
    if (random >> 30 == 0) {
        err = bpf_timer_cancel(&v->timer);
        if (err == 1)
            disarm(v, SOAK_OUT);
        else
            note(row, err, -EINVAL);
    } else if (!__sync_val_compare_and_swap(&v->armed, 0, 1)) {
        note(row, bpf_timer_init(&v->timer, &timers, MONOTONIC), -EBUSY);
        note(row, bpf_timer_set_callback(&v->timer, on_timer), 0);
        start(v);
    }
    return 0;
}

/* Who takes the value out of the map waits for the end of this; so the key stays. Some take
 * themselves out. */
static int on_hashed(void *map, __u64 *key, struct alarm *v)
{
    __u64 k = *key, before = v->key;

    count(counts[SOAK_timer_hash], SOAK_IN, 1);
    for (int i = 0; i < 16; i++)
        bpf_get_prandom_u32();
    if (before != k || v->key != k || *key != k)
        count(counts[SOAK_timer_hash], SOAK_TORN, 1);
    if (bpf_get_prandom_u32() % 4 == 0 && !bpf_map_delete_elem(map, key))
        count(counts[SOAK_timer_hash], SOAK_REMOVED, 1);
    return 0;
}

/* An eighth waits for longer than the soak goes on. */
SEC("xdp")
int soak_timer_hash(struct xdp_md *xdp)
{
    __u64 random = bpf_get_prandom_u32(), key = random % SOAK_KEYS, *row = counts[SOAK_timer_hash];
    struct alarm fresh = {.key = key}, *v;
    long err;

    count(row, SOAK_HITS, 1);
    if (random >> 29 == 0) {
        err = bpf_map_delete_elem(&timer_hash, &key);
        if (!err)
            count(row, SOAK_REMOVED, 1);
        note(row, err, -ENOENT);
        return 0;
    }
    err = bpf_map_update_elem(&timer_hash, &key, &fresh, BPF_NOEXIST);
    if (!err)
        count(row, SOAK_ADDED, 1);
    note(row, err, -EEXIST);
    v = bpf_map_lookup_elem(&timer_hash, &key);
    if (!v)
        return 0;
    note(row, bpf_timer_init(&v->timer, &timer_hash, MONOTONIC), -EBUSY);
    note(row, bpf_timer_set_callback(&v->timer, on_hashed), -EINVAL);
    key = random >> 29 == 1 ? 1000000000000 : random % 1048576;
    note(row, bpf_timer_start(&v->timer, key, 0), -EINVAL);
    return 0;
}

#endif /* DEMO_BPF_SOAK_TIMERS_H */
