/* SPDX-License-Identifier: MIT */
/* Does what the user program rings asks for in its mapped variables, once for each getppid(). */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "rings.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct rings_shared shared = {0};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, RINGS_SIZE);
} records SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_USER_RINGBUF);
    __uint(max_entries, RINGS_SIZE);
} samples SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __type(key, int);
    __type(value, int);
} events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, __u64);
} tasks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_STACK_TRACE);
    __uint(max_entries, 64);
    __type(key, __u32);
    __uint(value_size, RINGS_DEPTH * sizeof(__u64));
} stacks SEC(".maps");

static __always_inline long send(void *ctx, int perf)
{
    struct rings_record record = {0};
    long err = 0;

    for (__u32 i = 0; i < 200 && i < shared.count; i++) {
        record.value = shared.value + i;
        if (perf)
            err = bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &record, sizeof(record));
        else
            err = bpf_ringbuf_output(&records, &record, sizeof(record), 0);
        if (!err)
            shared.done++;
    }
    return err;
}

static __always_inline long discard(void)
{
    for (__u32 i = 0; i < 200 && i < shared.count; i++) {
        void *record = bpf_ringbuf_reserve(&records, sizeof(struct rings_record), 0);

        if (!record)
            return -EAGAIN;
        bpf_ringbuf_discard(record, 0);
        shared.done++;
    }
    return 0;
}

static long add(struct bpf_dynptr *sample, void *ctx)
{
    __u64 value = 0;

    if (bpf_dynptr_read(&value, sizeof(value), sample, 0, 0))
        return 1;
    shared.value += value;
    return 0;
}

static __always_inline long count_task(void)
{
    __u64 *count =
        bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

    if (!count)
        return -ENOMEM;
    *count += shared.value;
    return 0;
}

static __always_inline long walk(void *ctx)
{
    static const char format[] = "%ps";

    if (bpf_get_stack(ctx, shared.stack, sizeof(shared.stack), 0) < 0)
        return -EFAULT;
    for (int i = 0; i < RINGS_DEPTH; i++) {
        shared.names[i][0] = 0;
        if (shared.stack[i])
            bpf_snprintf(shared.names[i], sizeof(shared.names[i]), format, &shared.stack[i], 8);
    }
    return bpf_get_stackid(ctx, &stacks, BPF_F_REUSE_STACKID);
}

static __always_inline long act(void *ctx)
{
    switch (shared.action) {
    case RINGS_RECORDS:
        return send(ctx, 0);
    case RINGS_DISCARD:
        return discard();
    case RINGS_PERF:
        return send(ctx, 1);
    case RINGS_DRAIN:
        return bpf_user_ringbuf_drain(&samples, add, 0, 0);
    case RINGS_TASK:
        return count_task();
    case RINGS_FORGET:
        return bpf_task_storage_delete(&tasks, bpf_get_current_task_btf());
    case RINGS_STACK:
        return walk(ctx);
    case RINGS_USTACK:
        return bpf_get_stack(ctx, shared.stack, sizeof(shared.stack), BPF_F_USER_STACK);
    case RINGS_WRITE:
        return bpf_probe_write_user((void *)shared.address, &shared.value, sizeof(shared.value));
    case RINGS_SIGNAL:
        return bpf_send_signal(shared.value);
    case RINGS_TAI:
        return bpf_ktime_get_tai_ns();
    }
    return 0;
}

SEC("kprobe/sys_getppid")
int on_getppid(void *ctx)
{
    shared.done = 0;
    shared.result = act(ctx);
    __sync_fetch_and_add(&shared.calls, 1);
    return 0;
}
