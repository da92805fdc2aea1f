/* SPDX-License-Identifier: MIT */
/*
 * What is known at one point of one path: registers and stack of each live frame. See state.c.
 * Context T.
 */
#ifndef EBPF_VERIFIER_STATE_H
#define EBPF_VERIFIER_STATE_H

#include <stddef.h>

#include "src/core/prog.h"
#include "src/verifier/bounds.h"

struct ebpf_map;

/* What a register holds. NOTHING may not be read at all. */
enum ebpf_kind {
    EBPF_KIND_NOTHING = 0,
    EBPF_KIND_SCALAR,
    EBPF_KIND_CTX,
    EBPF_KIND_STACK,
    EBPF_KIND_MAP,       /* a struct ebpf_map */
    EBPF_KIND_MAP_VALUE, /* into one value of map */
    EBPF_KIND_MAP_KEY,   /* into a key of map: callbacks of for_each_map_elem */
    EBPF_KIND_PACKET,
    EBPF_KIND_PACKET_META,
    EBPF_KIND_PACKET_END,
    EBPF_KIND_MEM,  /* mem_size bytes: records, memory arguments of global functions, dynptr data */
    EBPF_KIND_FUNC, /* a function of the program: subprog */
    EBPF_KIND_DYNPTR, /* a dynptr that the caller of this function keeps */
    EBPF_KIND_TASK,
    EBPF_KIND_BTF, /* a kernel struct of Linux's */
    EBPF_KIND_FLOW_KEYS,
    EBPF_KIND_SOCK,
    EBPF_KIND_SOCK_COMMON,
    EBPF_KIND_TCP_SOCK,
    EBPF_KIND_XDP_SOCK,
    EBPF_KINDS
};

#define EBPF_REG_OR_NULL 1u /* may be NULL instead, until a comparison has told */
#define EBPF_REG_RDONLY 2u  /* MEM, MAP_VALUE: stores are refused */
#define EBPF_REG_RECORD 4u  /* MEM: a record of a ring buffer, what submit and discard take */
/* SCALAR, in saved states only: its value decided something on a path that was followed
 * (precise.c) */
#define EBPF_REG_PRECISE 8u
#define EBPF_REG_PINNED 16u /* the same for a path that ended at a loop which was still open */

/*
 * A number: var. A pointer: its region's start + off + var, with var a number of 64 bits.
 *
 * 128 bytes, and whole words for what is asked most: it is found by a shift, and its parts are
 * loaded by compressed instructions.
 */
struct ebpf_vreg {
    uint32_t kind;  /* enum ebpf_kind */
    uint32_t flags; /* EBPF_REG_* */
    int32_t off;
    /* 0: none. Numbers and packet pointers with one id have one and the same var (numbers: but for
     * link); pointers that may be NULL with one id are NULL together; map values and locks: which
     * lookup gave it. */
    uint32_t id;
    uint32_t ref; /* the reference that it is, or was made from; 0: none */
    int32_t link; /* SCALAR with an id: its var is that of the others plus this constant */
    union {
        /* PACKET, PACKET_META: bytes behind start + var that a comparison has shown to be there */
        uint32_t range;
        uint32_t mem_size; /* MEM */
        uint32_t subprog;  /* FUNC */
        uint32_t btf_id;   /* BTF */
        /* MAP, MAP_VALUE: which lookup gave the map that it is, or is in; 0: none, or no matter */
        uint32_t map_uid;
    };
    uint32_t frame; /* STACK: whose */
    const struct ebpf_map *map;
    /* SCALAR: which registers and slots of the last saved state it was computed from (precise.c).
     * Who makes one number from others must keep it: out.from = a.from | b.from. Constants, and
     * what comes from outside, have none: 0. */
    uint64_t from;
    struct ebpf_scalar var;
};

/* What a byte of the stack holds. */
enum ebpf_byte {
    EBPF_BYTE_NOTHING = 0, /* never written on this path */
    EBPF_BYTE_SPILL,       /* of the register that the slot keeps, from its lowest byte on */
    EBPF_BYTE_ANY,
    EBPF_BYTE_ZERO,
    EBPF_BYTE_DYNPTR, /* of a dynptr, which two slots keep: reg.kind is DYNPTR, reg.id which one */
};

struct ebpf_vslot {
    struct ebpf_vreg reg; /* NOTHING where no byte is SPILL or DYNPTR */
    uint8_t bytes[8];     /* enum ebpf_byte, from the lowest address */
};

struct ebpf_vframe {
    struct ebpf_vreg regs[11];
    uint32_t call;    /* the instruction that called; of the main function: 0 */
    uint32_t subprog; /* which function this is */
    /* enum ebpf_callback: a helper called it; CALLBACK_NONE: an instruction did */
    uint8_t callback;
    /* how often in a row a helper that this function calls has called back */
    uint32_t callback_depth;
    uint32_t slot_cnt;
    struct ebpf_vslot
        *slots; /* slots[n]: the 8 bytes at r10 - 8 * (n + 1); below slot_cnt: NOTHING */
};

/* Something that must be given back on every path. */
struct ebpf_vref {
    uint32_t id;
    uint32_t insn; /* that got it */
};

struct ebpf_vstate {
    uint32_t frame_cnt;
    struct ebpf_vframe *frames[EBPF_MAX_FRAMES];
    struct ebpf_vframe *top; /* the last of them, of the function that runs; NULL: none */
    uint32_t ref_cnt;
    struct ebpf_vref *refs;          /* [ref_cnt] */
    const struct ebpf_map *lock_map; /* whose value's spin lock is held; NULL: none */
    uint32_t lock_id;                /* the id of that value */
    uint32_t may_goto_depth;
};

/* All memory of one verification, with its bound. */
struct ebpf_vmem {
    size_t used, limit, peak;
    /* Blocks that nobody uses at the moment, by size: frames, states and stacks come and go with
     * every path. */
    struct {
        size_t size;
        struct ebpf_vspare *first;
    } spare[16];
};
struct ebpf_vspare {
    struct ebpf_vspare *next;
};

/* NULL: no memory, or the bound is reached */
void *ebpf_vmem_alloc(struct ebpf_vmem *mem, size_t size);
void *ebpf_vmem_zalloc(struct ebpf_vmem *mem, size_t size);         /* zero-filled */
void ebpf_vmem_free(struct ebpf_vmem *mem, void *ptr, size_t size); /* NULL is fine */
void ebpf_vmem_fini(struct ebpf_vmem *mem);                         /* frees what is spare */

/* ---- registers ------------------------------------------------------------------------------- */

static inline bool ebpf_vreg_is_pointer(const struct ebpf_vreg *reg)
{
    return reg->kind > EBPF_KIND_SCALAR;
}

/* All of it anew: */
void ebpf_vreg_set_nothing(struct ebpf_vreg *reg);
void ebpf_vreg_set_unknown(struct ebpf_vreg *reg); /* a number that can be anything */
void ebpf_vreg_set_number(struct ebpf_vreg *reg, uint64_t value);
void ebpf_vreg_set_pointer(struct ebpf_vreg *reg, enum ebpf_kind kind); /* to the region's start */

/* Is it the number 0, which is NULL? */
bool ebpf_vreg_is_null(const struct ebpf_vreg *reg);

/* ---- states ---------------------------------------------------------------------------------- */

/* A frame more, all of it NOTHING but r10. -ENOMEM, -E2BIG: there are EBPF_MAX_FRAMES. */
int ebpf_vstate_push(struct ebpf_vmem *mem, struct ebpf_vstate *s, uint32_t call);
void ebpf_vstate_pop(struct ebpf_vmem *mem, struct ebpf_vstate *s);
int ebpf_vstate_copy(struct ebpf_vmem *mem, const struct ebpf_vstate *from,
                     struct ebpf_vstate *to); /* -ENOMEM */
void ebpf_vstate_fini(struct ebpf_vmem *mem, struct ebpf_vstate *s);

/* How states are compared: see state.c. */
enum ebpf_vhow {
    EBPF_VSAME,  /* they are the same */
    EBPF_VRANGE, /* every number of now lies within what it was in old */
    /* the same for the numbers of old that mattered (EBPF_REG_PRECISE, EBPF_REG_PINNED) */
    EBPF_VPRECISE,
};

struct ebpf_vstack_rules;

/*
 * Does everything that can be true in now lie in what was allowed for in old, so that what was
 * shown for old holds for now? Exact about kinds; ids must link the same registers and slots,
 * whatever their numbers. false may also mean that there are more ids than it keeps book of.
 */
bool ebpf_vstate_within(const struct ebpf_vstate *now, const struct ebpf_vstate *old,
                        enum ebpf_vhow how, const struct ebpf_vstack_rules *rules);

/* ---- the stack: [off, off + size) with -EBPF_FRAME_SIZE <= off and off + size <= 0, which the caller has checked --- */

/* What the program's loader may do. */
struct ebpf_vstack_rules {
    bool read_nothing; /* may bytes be read that were never written? Linux: with CAP_PERFMON */
    bool break_spills; /* may a part of a spilled pointer be overwritten? The same */
};

/* Stores the lowest size bytes (1, 2, 4, 8) of value. 0, -ENOMEM, -EACCES: *why is Linux's words
 * for it, here and below. */
int ebpf_vstack_store(struct ebpf_vmem *mem, struct ebpf_vframe *frame, int off, unsigned size,
                      const struct ebpf_vreg *value, const struct ebpf_vstack_rules *rules,
                      const char **why);

/* Loads size bytes, zero-extended. 0, -EACCES with *why. */
int ebpf_vstack_load(const struct ebpf_vframe *frame, int off, unsigned size,
                     const struct ebpf_vstack_rules *rules, struct ebpf_vreg *out,
                     const char **why);

/* Someone may write anything to any of these bytes, and need not: a store at an offset that is not
 * known, a helper's output buffer (sure: it writes all of them). Spills there are gone. 0, -ENOMEM,
 * -EACCES with *why. */
int ebpf_vstack_clobber(struct ebpf_vmem *mem, struct ebpf_vframe *frame, int off, unsigned size,
                        bool sure, const struct ebpf_vstack_rules *rules, const char **why);

/* A zero may be stored to any of these bytes, and need not: zeros stay what they are. *used: there
 * are such, so that it mattered that it is a zero. 0, -EACCES with *why. */
int ebpf_vstack_maybe_zero(const struct ebpf_vframe *frame, int off, unsigned size,
                           const struct ebpf_vstack_rules *rules, bool *used, const char **why);

/* Will a store of value leave bytes ZERO, rather than spill it? */
bool ebpf_vstack_plain_zero(int off, unsigned size, const struct ebpf_vreg *value);

/* Is there a number that was stored with just that size, or zeros? *out. */
bool ebpf_vstack_number(const struct ebpf_vframe *frame, int off, unsigned size,
                        struct ebpf_vreg *out);

/* Are all of these bytes ZERO? */
bool ebpf_vstack_zeros(const struct ebpf_vframe *frame, int off, unsigned size);

/* The first of these bytes that may not be read, counted from off. */
int ebpf_vstack_unread(const struct ebpf_vframe *frame, int off, unsigned size,
                       const struct ebpf_vstack_rules *rules);

/* May a helper read all of these bytes as plain memory? 0, -EACCES with *why. */
int ebpf_vstack_readable(const struct ebpf_vframe *frame, int off, unsigned size,
                         const struct ebpf_vstack_rules *rules, const char **why);

#endif /* EBPF_VERIFIER_STATE_H */
