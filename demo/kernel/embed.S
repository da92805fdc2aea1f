/* SPDX-License-Identifier: MIT */
/* BPF objects as they come from clang, inside the kernel's image. */
    .section .rodata
    .balign 8
    .globl inkernel_bpf_start, inkernel_bpf_end
inkernel_bpf_start:
    .incbin INKERNEL_BPF
inkernel_bpf_end:

    .balign 8
    .globl soak_bpf_start, soak_bpf_end
soak_bpf_start:
    .incbin SOAK_BPF
soak_bpf_end:
