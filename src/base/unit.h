/* SPDX-License-Identifier: MIT */
/*
 * Included in front of every unit of the library (-include, with -DEBPF_UNIT=name): two symbols
 * mark where the unit's .text begins and ends, for src/base/text.h. Subsection 8000 of .text comes
 * behind everything that the compiler puts into subsection 0.
 */
#ifndef EBPF_BASE_UNIT_H
#define EBPF_BASE_UNIT_H

#define EBPF_PASTE_(a, b) a##b
#define EBPF_PASTE(a, b) EBPF_PASTE_(a, b)
#define EBPF_STRING_(x) #x
#define EBPF_STRING(x) EBPF_STRING_(x)

/* clang-format off */
#ifdef __ASSEMBLER__
.text
.globl EBPF_PASTE(ebpf_text_start_, EBPF_UNIT)
EBPF_PASTE(ebpf_text_start_, EBPF_UNIT):
.text 8000
.globl EBPF_PASTE(ebpf_text_end_, EBPF_UNIT)
EBPF_PASTE(ebpf_text_end_, EBPF_UNIT):
.text
#else
__asm__(".text\n"
        ".globl ebpf_text_start_" EBPF_STRING(EBPF_UNIT) "\n"
        "ebpf_text_start_" EBPF_STRING(EBPF_UNIT) ":\n"
        ".text 8000\n"
        ".globl ebpf_text_end_" EBPF_STRING(EBPF_UNIT) "\n"
        "ebpf_text_end_" EBPF_STRING(EBPF_UNIT) ":\n"
        ".text\n");
#endif
/* clang-format on */

#endif /* EBPF_BASE_UNIT_H */
