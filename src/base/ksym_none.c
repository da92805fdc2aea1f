/* SPDX-License-Identifier: MIT */
/*
 * The symbol table of a kernel that has none: empty, and weak, so that the one that tools/ksymgen
 * wrote takes its place. In a file of its own: where a weak constant's value can be seen, gcc 12
 * puts it into the code that reads it.
 */
#include "src/base/ksym_table.h"

__attribute__((weak, aligned(8))) const uint8_t ebpf_ksym_table[8] = {0};
__attribute__((weak)) const uint32_t ebpf_ksym_size = 0;
