/* SPDX-License-Identifier: MIT */
/* Timers: one program that does what `request` says to the timer of one element, and the functions
 * that timers call. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "timer.h"

char LICENSE[] SEC("license") = "GPL";

struct value {
    __u64 fired;
    struct bpf_timer timer;
    __u64 last;
};
_Static_assert(sizeof(struct value) == sizeof(struct timer_value), "timer.h");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, TIMER_KEYS);
    __type(key, __u32);
    __type(value, struct value);
} array SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, TIMER_KEYS);
    __type(key, __u32);
    __type(value, struct value);
} hash SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, TIMER_KEYS);
    __type(key, __u32);
    __type(value, struct value);
} lru SEC(".maps");

struct inner {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct value);
} inner_one SEC(".maps"), inner_two SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, 2);
    __type(key, __u32);
    __array(values, struct inner);
} outer SEC(".maps") = {.values = {&inner_one, &inner_two}};

struct timer_shared shared; /* all of .bss */
#define request shared.request
#define events shared.log

static void note(struct value *value, const __u32 *key)
{
    __u32 n = events.count & (TIMER_LOG - 1);

    value->fired++;
    value->last = bpf_ktime_get_ns();
    events.keys[n] = *key;
    events.times[n] = value->last;
    events.count++;
}

static int on_note(void *map, __u32 *key, struct value *value)
{
    note(value, key);
    return 0;
}

static int on_again(void *map, __u32 *key, struct value *value)
{
    note(value, key);
    events.result = bpf_timer_start(&value->timer, events.period, 0);
    return 0;
}

static int on_cancel(void *map, __u32 *key, struct value *value)
{
    note(value, key);
    events.result = bpf_timer_cancel(&value->timer);
    return 0;
}

/* Its own element; in an array that cannot be. */
static int on_delete(void *map, __u32 *key, struct value *value)
{
    note(value, key);
    events.result = bpf_map_delete_elem(map, key);
    return 0;
}

/* Takes itself out of the array by an update, which ends the timer, and begins a new one. */
static int on_renew(void *map, __u32 *key, struct value *value)
{
    struct value zero = {};

    note(value, key);
    events.result = bpf_map_update_elem(map, key, &zero, BPF_ANY);
    events.result |= bpf_timer_init(&value->timer, &array, TIMER_MONOTONIC);
    events.result |= bpf_timer_set_callback(&value->timer, on_note);
    events.result |= bpf_timer_start(&value->timer, events.period, 0);
    events.again = bpf_timer_cancel(&value->timer);
    return 0;
}

static long set_callback(struct value *value, __u32 which)
{
    switch (which) {
    case TIMER_NOTE:
        return bpf_timer_set_callback(&value->timer, on_note);
    case TIMER_AGAIN:
        return bpf_timer_set_callback(&value->timer, on_again);
    case TIMER_CANCEL_SELF:
        return bpf_timer_set_callback(&value->timer, on_cancel);
    case TIMER_DELETE_SELF:
        return bpf_timer_set_callback(&value->timer, on_delete);
    default:
        return -1000;
    }
}

static __always_inline long operate(void *map, struct value *value)
{
    switch (request.op) {
    case TIMER_OP_INIT:
        return bpf_timer_init(&value->timer, map, request.flags);
    case TIMER_OP_SET:
        return set_callback(value, request.callback);
    case TIMER_OP_START:
        return bpf_timer_start(&value->timer, request.ns, request.flags);
    case TIMER_OP_CANCEL:
        return bpf_timer_cancel(&value->timer);
    default:
        return -1000;
    }
}

#define ON(MAP)                                                             \
    do {                                                                    \
        struct value *value = bpf_map_lookup_elem(&MAP, (void *)&key);      \
                                                                            \
        if (request.op == TIMER_OP_UPDATE)                                  \
            return bpf_map_update_elem(&MAP, (void *)&key, &zero, BPF_ANY); \
        if (request.op == TIMER_OP_DELETE)                                  \
            return bpf_map_delete_elem(&MAP, (void *)&key);                 \
        return value ? operate(&MAP, value) : TIMER_NO_VALUE;               \
    } while (0)

SEC("socket")
int timer_op(struct __sk_buff *skb)
{
    struct value zero = {};
    __u32 key = request.key;

    if (request.map == TIMER_ARRAY)
        ON(array);
    if (request.map == TIMER_HASH)
        ON(hash);
    ON(lru);
}

SEC("socket")
int timer_renew(struct __sk_buff *skb)
{
    __u32 key = request.key;
    struct value *value = bpf_map_lookup_elem(&array, &key);

    return value ? bpf_timer_set_callback(&value->timer, on_renew) : TIMER_NO_VALUE;
}

/* All in one, through two lookups. */
SEC("xdp")
int timer_inner(struct xdp_md *xdp)
{
    __u32 key = request.key, zero = 0;
    void *map = bpf_map_lookup_elem(&outer, &key);
    struct value *value;
    long err;

    if (!map)
        return -1000;
    value = bpf_map_lookup_elem(map, &zero);
    if (!value)
        return -1001;
    err = bpf_timer_init(&value->timer, map, TIMER_MONOTONIC);
    if (!err)
        err = bpf_timer_set_callback(&value->timer, on_note);
    if (!err)
        err = bpf_timer_start(&value->timer, request.ns, 0);
    return err;
}
