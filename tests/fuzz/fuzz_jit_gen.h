/* SPDX-License-Identifier: MIT */
/*
 * What the two halves of the generator share: _items emits straight-line code, _gen everything with
 * control flow. The generator knows of each register what it holds, so that programs are safe as
 * they are made: data registers hold numbers that are the same on every engine, the others
 * addresses with the bytes around them that may be accessed.
 */
#ifndef TESTS_FUZZ_FUZZ_JIT_GEN_H
#define TESTS_FUZZ_FUZZ_JIT_GEN_H

#include "tests/fuzz/fuzz_jit.h"

enum gen_kind { GEN_UNDEF, GEN_NUM, GEN_PTR };

struct gen_reg {
    uint8_t kind;
    bool keep;      /* must not be written: a loop counts in it, or the loop's body needs it */
    bool same;      /* GEN_PTR: also a number that is the same on every engine */
    bool element;   /* GEN_PTR: into an element that updates and deletes may free */
    uint8_t phase;  /* GEN_PTR: address modulo 8, or GEN_ANY */
    int32_t lo, hi; /* GEN_PTR: bytes [lo, hi) from it may be accessed */
};

#define GEN_SLOTS 4 /* spill slots of a function */
#define GEN_SLOT 11 /* the first in gen_regs */
#define GEN_ANY 8   /* a phase that is not known */

struct gen_regs {
    struct gen_reg r[GEN_SLOT + GEN_SLOTS]; /* and what is spilled */
};

#define GEN_FUNCTIONS 8
#define GEN_BLOCKS 12

struct gen_function {
    unsigned args;
    bool arg_ptr[5]; /* the caller's memory, 16 bytes; otherwise a number */
    uint32_t start, end;
    unsigned cost; /* instructions that a call runs, about */
};

/* A block that is being made, for jumps out of it. */
struct gen_block {
    uint32_t jumps[16]; /* to its end */
    unsigned jump_cnt;
    struct gen_regs state; /* where they come from, merged */
};

struct gen {
    struct fuzz_random rnd;
    struct fuzz_prog *prog;
    struct gen_regs regs;
    struct gen_function functions[GEN_FUNCTIONS];
    unsigned function, function_cnt; /* being made: calls go to greater numbers only */
    int32_t extent;                  /* bytes of initialised frame below r10 */
    unsigned slots;                  /* spill slots below that */
    struct gen_block blocks[GEN_BLOCKS];
    unsigned block_cnt;
    unsigned weight;   /* how often the place runs, about */
    unsigned no_calls; /* > 0: the place must not call the program's functions or change maps */
    bool dead;         /* nothing gets here */
    bool pads;         /* far branches are wanted */
    uint32_t limit;    /* of slots, for the function */
};

static inline unsigned gen_below(struct gen *g, unsigned n)
{
    return fuzz_below(&g->rnd, n);
}

static inline bool gen_chance(struct gen *g, unsigned percent)
{
    return gen_below(g, 100) < percent;
}

void gen_put(struct gen *g, struct bpf_insn insn);
void gen_put_imm64(struct gen *g, unsigned dst, unsigned src, uint64_t imm);

/* Registers. gen_num(): that holds a number, making one if there is none. gen_dst(): that may be
 * written. */
unsigned gen_num(struct gen *g);
unsigned gen_any_num(struct gen *g); /* 11: none */
unsigned gen_dst(struct gen *g);
/* One register of r[first..last] that may be written; 11: none. */
unsigned gen_free(struct gen *g, unsigned first, unsigned last);
void gen_set_num(struct gen *g, unsigned reg);
void gen_set_ptr(struct gen *g, unsigned reg, int32_t lo, int32_t hi, unsigned phase);
void gen_const(struct gen *g, unsigned reg);

/* A register that points at bytes that may be accessed, and where: false: none. */
bool gen_place(struct gen *g, unsigned size, bool aligned, unsigned *base, int16_t *off);

/* One item of straight-line code that never fails. */
void gen_item(struct gen *g);
void gen_alu(struct gen *g);
void gen_memory(struct gen *g);
/* Through base alone. */
void gen_access(struct gen *g, unsigned base);

#endif /* TESTS_FUZZ_FUZZ_JIT_GEN_H */
