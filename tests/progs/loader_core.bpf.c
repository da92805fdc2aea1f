/* SPDX-License-Identifier: MIT */
/* A function that needs CO-RE, called by one of two programs. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct task {
    int pid, tgid;
} __attribute__((preserve_access_index));

static __attribute__((noinline)) int tgid_of(struct task *task)
{
    return task->tgid;
}

SEC("socket")
int needs_core(void *ctx)
{
    return tgid_of(ctx);
}

SEC("socket")
int needs_none(void *ctx)
{
    return 3;
}

char LICENSE[] SEC("license") = "GPL";
