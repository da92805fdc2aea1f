/* SPDX-License-Identifier: MIT */
/*
 * What watched processes do, told while they do it: opens of files in a ring buffer and in the
 * storage of each task, exits as perf events; and the stacks with which all threads wait.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "live.h"

#define REG_A0 10 /* the context is pc, x1 .. x31 */

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct live_shared shared = {0};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, LIVE_RING);
} records SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __type(key, int);
    __type(value, int);
} exits SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, __u64);
} opens SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_STACK_TRACE);
    __uint(max_entries, 256);
    __type(key, __u32);
    __uint(value_size, LIVE_DEPTH * sizeof(__u64));
} stacks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 256);
    __type(key, __u32);
    __type(value, __u64);
} waits SEC(".maps");

static __always_inline int is_watched(void)
{
    __u32 pid = bpf_get_current_pid_tgid() >> 32;

    for (int i = 0; i < LIVE_WATCHED; i++)
        if (shared.watched[i] == pid)
            return 1;
    return 0;
}

SEC("kprobe/sys_openat")
int on_open(void *ctx)
{
    struct live_record record = {0};
    __u64 *count;

    (void)ctx;
    if (!is_watched())
        return 0;
    __sync_fetch_and_add(&shared.opens, 1);
    count =
        bpf_task_storage_get(&opens, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!count || ++*count % LIVE_EVERY)
        return 0;
    record.pid = bpf_get_current_pid_tgid();
    record.opens = *count;
    bpf_get_current_comm(record.comm, sizeof(record.comm));
    bpf_ringbuf_output(&records, &record, sizeof(record), 0);
    return 0;
}

SEC("kprobe/proc_exit")
int on_exit(__u64 *ctx)
{
    struct live_exit event = {bpf_get_current_pid_tgid(), (__u32)ctx[REG_A0]};

    if (is_watched())
        bpf_perf_event_output(ctx, &exits, BPF_F_CURRENT_CPU, &event, sizeof(event));
    return 0;
}

SEC("kprobe/wait_on")
int on_wait(void *ctx)
{
    __u32 id = bpf_get_stackid(ctx, &stacks, 0);
    __u64 one = 1, *count = bpf_map_lookup_elem(&waits, &id);

    if (count)
        __sync_fetch_and_add(count, 1);
    else if ((int)id >= 0)
        bpf_map_update_elem(&waits, &id, &one, BPF_NOEXIST);
    return 0;
}

/* User mode has no symbol table: it asks here, by BPF_PROG_TEST_RUN. */
SEC("socket")
int name_address(void *ctx)
{
    static const char format[] = "%ps";

    (void)ctx;
    bpf_snprintf(shared.name, sizeof(shared.name), format, &shared.address, 8);
    return 0;
}
