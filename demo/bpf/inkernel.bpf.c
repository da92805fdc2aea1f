/* SPDX-License-Identifier: MIT */
/* Linked into the kernel's image and loaded from inside it (demo/kernel/selftest_bpf.c): no user
 * mode takes part. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

__u64 calls = 0;

/* counts each time that the kernel's function busy() is entered */
SEC("kprobe/busy")
int count_calls(void *ctx)
{
    (void)ctx;
    __sync_fetch_and_add(&calls, 1);
    return 0;
}

/* says who asks */
SEC("kprobe/thread_count")
int hello(void *ctx)
{
    (void)ctx;
    bpf_printk("hello from thread %d", (__u32)bpf_get_current_pid_tgid());
    return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
