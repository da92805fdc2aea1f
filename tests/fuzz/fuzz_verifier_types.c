/* SPDX-License-Identifier: MIT */
/* Types of the verifier fuzzer's maps and functions, and how a program says which type a function
 * is of: a global one begins with `r0 = VF_GLOBAL_MARK + its kind`, all others are static. */
#include "tests/fuzz/fuzz_verifier.h"

#define KIND(kind, vlen) ((uint32_t)(kind) << 24 | (vlen))
enum { INT = 1, PTR = 2, STRUCT = 4, FUNC = 12, FUNC_PROTO = 13 };
enum { STATIC, GLOBAL };

/* Where names are in .strings. */
enum { N_INT = 1, N_LOCK = 5, N_VAL = 19, N_DATA = 25, N_F = 30, N_G = 32, N_XDP = 34, N_SKB = 41 };

static const uint32_t types[] = {
    N_INT,  KIND(INT, 0),        4,  0x01000020,        /* 1: int */
    N_LOCK, KIND(STRUCT, 1),     4,  N_DATA,     1,  0, /* 2: struct bpf_spin_lock */
    N_VAL,  KIND(STRUCT, 2),     32, N_LOCK,     2,  0,      N_DATA, 1,
    32,                                                         /* 3: a value with a lock */
    0,      KIND(FUNC_PROTO, 0), 1,                             /* 4: int (void) */
    N_F,    KIND(FUNC, STATIC),  4,                             /* 5 */
    0,      KIND(FUNC_PROTO, 1), 1,  N_DATA,     1,             /* 6: int (int) */
    N_G,    KIND(FUNC, GLOBAL),  6,                             /* 7 */
    N_DATA, KIND(STRUCT, 1),     16, N_DATA,     1,  64,        /* 8: a struct of 16 bytes */
    0,      KIND(PTR, 0),        8,                             /* 9 */
    0,      KIND(FUNC_PROTO, 2), 1,  N_VAL,      9,  N_DATA, 1, /* 10: int (struct *, int) */
    N_G,    KIND(FUNC, GLOBAL),  10,                            /* 11 */
    N_XDP,  KIND(STRUCT, 0),     24,                            /* 12 */
    0,      KIND(PTR, 0),        12,                            /* 13 */
    0,      KIND(FUNC_PROTO, 1), 1,  N_VAL,      13,            /* 14: int (struct xdp_md *) */
    N_G,    KIND(FUNC, GLOBAL),  14,                            /* 15 */
    N_SKB,  KIND(STRUCT, 0),     0,                             /* 16 */
    0,      KIND(PTR, 0),        16,                            /* 17 */
    0,      KIND(FUNC_PROTO, 1), 1,  N_VAL,      17,            /* 18: int (struct __sk_buff *) */
    N_G,    KIND(FUNC, GLOBAL),  18,                            /* 19 */
};
static const char strings[] = "\0int\0bpf_spin_lock\0value\0data\0f\0g\0xdp_md\0__sk_buff";

struct ebpf_btf *vf_types;

const void *vf_btf(size_t *size)
{
    static struct {
        /* magic and version, header's size, types: offset, size, strings: offset, size */
        uint32_t head[6];
        uint8_t body[sizeof(types) + sizeof(strings)];
    } blob = {.head = {0x0001eb9f, 24, 0, sizeof(types), sizeof(types), sizeof(strings)}};

    memcpy(blob.body, types, sizeof(types));
    memcpy(blob.body + sizeof(types), strings, sizeof(strings));
    *size = sizeof(blob.head) + sizeof(types) + sizeof(strings);
    return &blob;
}

static uint32_t type_of(const struct bpf_insn *first)
{
    static const uint32_t global[VF_GLOBAL_KINDS] = {7, 11, 15, 19};
    uint32_t kind = (uint32_t)first->imm - VF_GLOBAL_MARK;

    return first->code == (BPF_ALU64 | BPF_MOV) && kind < VF_GLOBAL_KINDS ? global[kind]
                                                                          : VF_TYPE_STATIC;
}

uint32_t vf_functions(const struct fuzz_prog *prog, struct bpf_func_info out[VF_MAX_FUNCS])
{
    static bool starts[FUZZ_MAX_INSNS];
    uint32_t cnt = 0;

    memset(starts, 0, prog->cnt);
    starts[0] = true;
    for (uint32_t i = 0; i < prog->cnt; i++) {
        const struct bpf_insn *insn = &prog->insns[i];
        int64_t target = (int64_t)i + 1 + insn->imm;

        if ((fuzz_is_call(insn) || (fuzz_is_imm64(insn) && insn->src_reg == BPF_PSEUDO_FUNC)) &&
            target > 0 && target < prog->cnt)
            starts[target] = true;
    }
    for (uint32_t i = 0; i < prog->cnt && cnt < VF_MAX_FUNCS; i++) {
        if (starts[i])
            out[cnt++] = (struct bpf_func_info){i, i ? type_of(&prog->insns[i]) : VF_TYPE_STATIC};
    }
    return cnt;
}
