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

/*
 * What an argument must be, and what the helper does with it: all that the verifier knows of a
 * helper. ARG_MAP comes before the arguments that mean its keys and values.
 */
enum ebpf_arg {
    ARG_NONE = 0,
    ARG_ANYTHING,     /* whatever may be read: a number, or a pointer where the loader may leak */
    ARG_UNCHECKED,    /* passed on as it is, even if it was never written (Linux: ARG_DONTCARE) */
    ARG_MAP,          /* struct ebpf_map * from LD_IMM64, or an inner map that a lookup gave */
    ARG_MAP_KEY,      /* key_size readable bytes */
    ARG_MAP_VALUE,    /* value_size readable bytes */
    ARG_MAP_VALUE_WR, /* value_size writable bytes, may be uninitialised before */
    ARG_MEM_RD,       /* readable memory, its size in the next argument */
    ARG_MEM_RD_OR_NULL,
    ARG_MEM_WR, /* writable, may be uninitialised before */
    ARG_MEM_WR_OR_NULL,
    ARG_MEM_RDWR, /* as ARG_MEM_WR, but read too: must be initialised */
    ARG_SIZE,     /* of the memory in the argument before; > 0 */
    ARG_SIZE_OR_ZERO,
    ARG_RESERVE_SIZE, /* of the record that is returned: a constant */
    ARG_RECORD,       /* what ringbuf_reserve returned; the reference ends here */
    ARG_CTX,          /* the program's context */
    ARG_CTX_OR_NULL,
    ARG_CONST_STR,             /* NUL-terminated, in a frozen read-only map value */
    ARG_INT_OUT,               /* 4 writable bytes, aligned; may be uninitialised before */
    ARG_LONG_OUT,              /* 8 */
    ARG_FUNC,                  /* a function of the program that the helper calls: see .callback */
    ARG_STACK_OR_NULL,         /* the callback's own context: a stack address, or 0 */
    ARG_SPIN_LOCK,             /* the struct bpf_spin_lock of a map value */
    ARG_TIMER,                 /* the struct bpf_timer of a map value */
    ARG_DYNPTR_UNINIT_MEM,     /* 16 bytes of stack: becomes a dynptr over the memory arg */
    ARG_DYNPTR_UNINIT_RINGBUF, /* the same over a reserved record, to be submitted or discarded */
    ARG_DYNPTR,                /* an initialised dynptr, whatever it is over */
    ARG_DYNPTR_RINGBUF,        /* of a record; the reference ends here */
    ARG_TASK,                  /* struct task_struct *, from get_current_task_btf */
    ARG_SOCK_COMMON,           /* any socket; Linux's, as those below */
    ARG_SOCK_RELEASE,          /* a socket with a reference, which ends here */
    ARG_MAP_VALUE_OR_NULL,     /* value_size readable bytes, or 0 */
    ARG_MEM_20,                /* 20 readable bytes: Linux's struct iphdr, struct tcphdr */
    ARG_MEM_40,                /* 40: struct ipv6hdr */
    ARG_INT_INOUT,             /* 4 writable bytes, aligned, that must be initialised */
    ARG_TASK_OR_NULL,
    ARG_SOCK_OR_NULL,    /* a full socket (RET_SOCK_OR_NULL), or 0 */
    ARG_SOCK_COMMON_BTF, /* as ARG_SOCK_COMMON, or what skc_to_*() gave (RET_BTF_OR_NULL) */
    ARG_BTF,             /* another kernel struct, which nothing here gives programs */
    ARG_SCALAR,          /* a number, never a pointer */
};

enum ebpf_ret {
    RET_SCALAR = 0,
    RET_VOID,
    RET_MAP_VALUE_OR_NULL, /* maps in maps: the inner map or NULL */
    RET_MAP_VALUE,
    RET_RECORD_OR_NULL, /* as many bytes as ARG_RESERVE_SIZE said, a reference */
    RET_MEM_OR_NULL,    /* as many bytes as the constant in ARG_RESERVE_SIZE said, no reference */
    RET_DYNPTR_MEM_OR_NULL, /* the same, and gone with the dynptr */
    RET_TASK,
    RET_SOCK_OR_NULL, /* with a reference where .acquires */
    RET_SOCK_COMMON_OR_NULL,
    RET_TCP_SOCK_OR_NULL,
    RET_BTF_OR_NULL, /* a kernel struct that programs only read through probe_read or BTF */
    RET_BTF,         /* the same, never NULL */
};

/* What the function in ARG_FUNC is called with. */
enum ebpf_callback {
    CALLBACK_NONE = 0,
    CALLBACK_LOOP,         /* (u64 index, ctx); returns 0 or 1 */
    CALLBACK_MAP_ELEM,     /* (map, key, value, ctx); returns 0 or 1 */
    /* (map, key, value), later and on its own; returns 0. Whose function it is must be known: the
     * engines pass their struct ebpf_code in r3. */
    CALLBACK_TIMER,
    CALLBACK_USER_RINGBUF, /* (dynptr, ctx); returns 0 or 1 */
    CALLBACK_TASK_VMA,     /* (task, vma, ctx); Linux's */
};

struct ebpf_helper {
    const char *name; /* without bpf_ */
    ebpf_helper_fn fn;
    enum ebpf_arg arg[5];
    enum ebpf_ret ret;
    bool gpl_only;
    uint64_t free_attach; /* gpl_only, but for programs of these attach types: 1 << BPF_TRACE_* */
    uint32_t caps;  /* EBPF_CAP_* that the loader of the program must hold, as on Linux; 0: none */
    uint64_t types; /* 1 << BPF_PROG_TYPE_* that may call it; 0: all */
    /* 1 << BPF_MAP_TYPE_* that ARG_MAP may be; 0: every type that is not for certain helpers only
     * (ebpf_map_ops.own_helpers) */
    uint64_t maps;
    enum ebpf_callback callback;
    bool packet; /* may move or resize the packet: pointers into it end here */
    /* its memory arguments may lie in the packet; without it a packet pointer is no memory for a
     * helper (Linux: pkt_access) */
    bool packet_args;
    /* r0 is the argument in r1, seen as another type: a reference on the one is one on the other */
    bool casts;
    /* RET_BTF: Linux's name of the struct, for messages: "tcp_sock" */
    const char *ret_struct;
    bool acquires; /* the returned pointer is a reference that the program must give back */
    bool sleeps;   /* for sleepable programs only */
    /* r3 (ARG_CONST_STR) is a format for the r5 / 8 arguments at r4: would it be taken? NULL: it is
     * none. 0, -EINVAL. T */
    int (*check_format)(const char *fmt, unsigned arg_count);
    /* Can this kernel's hooks serve it? NULL: always. A helper that they cannot is as one that the
     * build has not got. T */
    bool (*available)(void);
};

/* The helper of that number, NULL: this build has not got it. A */
const struct ebpf_helper *ebpf_helper_find(uint32_t id);

/* Its name without bpf_; of helpers that this build has not got what Linux calls them. NULL: there is
 * no such on Linux either. T */
const char *ebpf_helper_name(uint32_t id);

/* Calls the helper of that number, for callx; -EINVAL: there is none. A */
uint64_t ebpf_helper_call(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
                          uint64_t id);

/*
 * Calls a function of the program from the helper that it called: func is the value of ARG_FUNC.
 * Returns the function's r0. Of src/core/callback.c. A, inside a helper whose .callback is not
 * CALLBACK_NONE.
 */
uint64_t ebpf_call_back(uint64_t func, const uint64_t args[5]);

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
