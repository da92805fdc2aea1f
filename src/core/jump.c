/* SPDX-License-Identifier: MIT */
/* What a conditional jump does with two known numbers: for those who look at programs before they
 * run. */
#include "src/core/prog.h"

bool ebpf_jump_taken(uint8_t op, bool wide, uint64_t a, uint64_t b)
{
    int64_t x = wide ? (int64_t)a : (int32_t)a, y = wide ? (int64_t)b : (int32_t)b;

    if (!wide) {
        a = (uint32_t)a;
        b = (uint32_t)b;
    }
    switch (op) {
    case BPF_JEQ:
        return a == b;
    case BPF_JNE:
        return a != b;
    case BPF_JSET:
        return a & b;
    case BPF_JGT:
        return a > b;
    case BPF_JGE:
        return a >= b;
    case BPF_JLT:
        return a < b;
    case BPF_JLE:
        return a <= b;
    case BPF_JSGT:
        return x > y;
    case BPF_JSGE:
        return x >= y;
    case BPF_JSLT:
        return x < y;
    default:
        return x <= y;
    }
}
