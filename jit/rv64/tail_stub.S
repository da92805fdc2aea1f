/* SPDX-License-Identifier: MIT */
/*
 * Where a tail call of compiled code jumps when its target is not compiled: uint64_t
 * ebpf_tail_stub(void *ctx) interprets it, and leaves the result in a0, where C expects it, and in a5,
 * where compiled functions of the program do (lower.h: r0).
 */
#if defined(__riscv)
.text
.globl ebpf_tail_stub
.type ebpf_tail_stub, @function
ebpf_tail_stub:
    addi sp, sp, -16
    sd ra, 8(sp)
    call ebpf_tail_interp
    mv a5, a0
    ld ra, 8(sp)
    addi sp, sp, 16
    ret
.size ebpf_tail_stub, . - ebpf_tail_stub
#endif
.section .note.GNU-stack, "", %progbits
