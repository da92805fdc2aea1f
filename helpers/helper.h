/* SPDX-License-Identifier: MIT */
/*
 * Helper functions: what programs may call. One row in helpers/helpers.def binds Linux's number
 * to a struct ebpf_helper, which says everything about it: the structural check and the verifier
 * read the prototype, the interpreter and the JIT call .fn.
 */
#ifndef EBPF_HELPERS_HELPER_H
#define EBPF_HELPERS_HELPER_H

#include <ebpf/ebpf.h>

/* Arguments arrive as the program's 64-bit registers; the RV64 C ABI passes them in a0-a4, where
 * the JIT has them. A. */
typedef uint64_t (*ebpf_helper_fn)(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5);

enum ebpf_arg {
    ARG_NONE = 0,
    ARG_ANYTHING,     /* a number, whatever it is */
    ARG_MAP,          /* struct ebpf_map * from LD_IMM64 */
    ARG_MAP_KEY,      /* key_size readable bytes */
    ARG_MAP_VALUE,    /* value_size readable bytes */
    ARG_MAP_VALUE_WR, /* value_size writable bytes, may be uninitialised before */
    ARG_MEM_RD,       /* readable memory, its size in the next argument */
    ARG_MEM_WR,       /* writable, may be uninitialised before */
    ARG_SIZE,         /* of the memory in the argument before; > 0 */
    ARG_SIZE_OR_ZERO,
    ARG_RESERVE_SIZE, /* of the record that is returned: a constant */
    ARG_RECORD,       /* what ringbuf_reserve returned */
    ARG_CTX, /* the program's context */
};

enum ebpf_ret {
    RET_SCALAR = 0,
    RET_VOID,
    RET_MAP_VALUE_OR_NULL,
    RET_RECORD_OR_NULL, /* as many bytes as ARG_RESERVE_SIZE said */
};

struct ebpf_helper {
    const char *name; /* without bpf_ */
    ebpf_helper_fn fn;
    enum ebpf_arg arg[5];
    enum ebpf_ret ret;
    bool gpl_only;
    uint32_t caps; /* EBPF_CAP_* that the loader of the program must hold, as on Linux; 0: none */
};

/* The helper of that number, NULL: this build has not got it. A */
const struct ebpf_helper *ebpf_helper_find(uint32_t id);

/* Calls the helper of that number, for callx; -EINVAL: there is none. A */
uint64_t ebpf_helper_call(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
                          uint64_t id);

/* Head of a helper function: the five registers as r1 to r5, of which most helpers use fewer. */
#define EBPF_HELPER_ARG(reg) uint64_t reg __attribute__((unused))
#define EBPF_HELPER_FN(name)                                                            \
    static uint64_t name(EBPF_HELPER_ARG(r1), EBPF_HELPER_ARG(r2), EBPF_HELPER_ARG(r3), \
                         EBPF_HELPER_ARG(r4), EBPF_HELPER_ARG(r5))

/* A register as what it holds, and an error as what r0 gets. */
static inline void *ebpf_reg_ptr(uint64_t reg)
{
    return (void *)(uintptr_t)reg;
}

static inline uint64_t ebpf_reg_int(int64_t value)
{
    return (uint64_t)value;
}

#endif /* EBPF_HELPERS_HELPER_H */
