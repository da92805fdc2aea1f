/* SPDX-License-Identifier: MIT */
/*
 * uint64_t ebpf_stack_call(entry, ctx, run, prog, top): calls entry(ctx, run, prog) on the stack that ends at top (aligned
 * to 16), and comes back to the caller's. The caller's sp is kept in s0, which the callee preserves (psABI, Integer
 * Register Convention), and s0 and ra on the new stack.
 */
#if defined(__riscv)
.text
.globl ebpf_stack_call
.type ebpf_stack_call, @function
ebpf_stack_call:
    addi a4, a4, -16
    sd ra, 8(a4)
    sd s0, 0(a4)
    mv s0, sp
    mv sp, a4
    mv t0, a0
    mv a0, a1
    mv a1, a2
    mv a2, a3
    jalr t0
    mv t1, s0
    ld s0, 0(sp)
    ld ra, 8(sp)
    mv sp, t1
    ret
.size ebpf_stack_call, . - ebpf_stack_call
#endif
.section .note.GNU-stack, "", %progbits
