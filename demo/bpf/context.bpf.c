/* SPDX-License-Identifier: MIT */
/*
 * What a kprobe program sees: on entry to the kernel's openat handler, before its first instruction
 * has run, prints the address and all 32 registers, as the eBPF demo of zCore prints them, and
 * keeps them in a map for the user side to check.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

/* Linux's struct user_regs_struct for riscv64 with the 31 registers as an array: r1 is x[0] */
struct regs {
    __u64 pc;
    __u64 x[31];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct regs);
} seen SEC(".maps");

/* whose calls, set by the user side before it loads */
volatile const __u32 target_tgid = 0xffffffff;

__u64 hits = 0;

SEC("kprobe/sys_openat")
int show_context(struct regs *ctx)
{
    __u32 key = 0;
    struct regs *kept = bpf_map_lookup_elem(&seen, &key);

    if (bpf_get_current_pid_tgid() >> 32 != target_tgid || !kept)
        return 0;
    __sync_fetch_and_add(&hits, 1);
    bpf_printk("kprobe addr = 0x%lx", ctx->pc);
    bpf_printk("r0 = 0x%lx", 0ul); /* x0 is always zero */
    kept->pc = ctx->pc;
#pragma clang loop unroll(full)
    for (int i = 0; i < 31; i++) {
        bpf_printk("r%d = 0x%lx", i + 1, ctx->x[i]);
        kept->x[i] = ctx->x[i];
    }
    return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
