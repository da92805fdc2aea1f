/* SPDX-License-Identifier: MIT */
/* What the parts of the verifier fuzzer's generator share: see fuzz_verifier_gen.c. */
#ifndef TESTS_FUZZ_FUZZ_VERIFIER_GEN_H
#define TESTS_FUZZ_FUZZ_VERIFIER_GEN_H

#include "tests/fuzz/fuzz_verifier.h"

#define MAX_INSNS 400u
#define FUNCTIONS 2u             /* called by instructions */
#define CALLBACK (FUNCTIONS + 1) /* called by bpf_loop() */
#define EACH (FUNCTIONS + 2)     /* by bpf_for_each_map_elem() */
#define DRAIN (FUNCTIONS + 3)    /* by bpf_user_ringbuf_drain() */
#define GLOBALS (FUNCTIONS + 4)  /* VF_GLOBAL_KINDS of them */
#define CTX_REG 6                /* the context stays there in the main function, mostly */

enum kind { NOTHING, NUMBER, CTX, PACKET, END, VALUE, STACK, RECORD };

struct known {
    enum kind kind;
    unsigned map; /* VALUE */
    int32_t off;  /* STACK: from r10; others: from the start */
};

struct gen {
    struct fuzz_prog *prog;
    struct fuzz_random rnd;
    uint32_t type;
    struct known regs[11];
    unsigned depth;                            /* of blocks */
    unsigned function;                         /* 0: the main one */
    bool looping, held;                        /* a record is held: no way out */
    uint32_t calls[64], callees[64], call_cnt; /* to be told where the functions are */
    unsigned carelessness;                     /* of 1000 */
};

/* ---- fuzz_verifier_gen.c ---- */
unsigned vg_below(struct gen *g, unsigned n);
bool vg_chance(struct gen *g, unsigned percent);
bool vg_careless(struct gen *g);
void vg_emit(struct gen *g, struct bpf_insn insn);
void vg_emit_imm64(struct gen *g, unsigned dst, unsigned src, uint32_t low, uint32_t high);
void vg_set(struct gen *g, unsigned reg, enum kind kind, unsigned map, int32_t off);
int32_t vg_edge(struct gen *g);
unsigned vg_size_code(struct gen *g);
int vg_bytes_of(unsigned code);
void vg_call(struct gen *g, int helper);
unsigned vg_find(struct gen *g, enum kind kind);
unsigned vg_spare(struct gen *g);
unsigned vg_unknown(struct gen *g);
unsigned vg_number(struct gen *g);
uint32_t vg_bound(struct gen *g, unsigned r, int32_t most);
void vg_patch(struct gen *g, uint32_t at);
void vg_twist(struct gen *g, unsigned r);
void vg_merge(struct gen *g, const struct known before[11]);
void vg_statement(struct gen *g);

/* ---- fuzz_verifier_items.c: statements that use memory, helpers and functions ---- */
void vg_use_value(struct gen *g);
void vg_lookup(struct gen *g);
void vg_direct_value(struct gen *g);
void vg_use_stack(struct gen *g);
void vg_packet(struct gen *g);
void vg_record(struct gen *g);
void vg_output(struct gen *g);
void vg_update(struct gen *g);
void vg_legacy(struct gen *g);
void vg_loop(struct gen *g);
void vg_call_function(struct gen *g);
void vg_call_back(struct gen *g);

/* ---- fuzz_verifier_more.c ---- */
void vg_lock(struct gen *g);
void vg_dynptr(struct gen *g);
void vg_outer(struct gen *g);
void vg_small_maps(struct gen *g);
void vg_tail_call(struct gen *g);
void vg_move_packet(struct gen *g);
void vg_packet_kept(struct gen *g);
void vg_context(struct gen *g);
void vg_walk(struct gen *g);
void vg_call_global(struct gen *g);
void vg_choice(struct gen *g);
void vg_fill_stack(struct gen *g);
void vg_helper_memory(struct gen *g);
/* The first instructions of functions that helpers call, and of global ones. */
void vg_begin_each(struct gen *g);
void vg_begin_drain(struct gen *g);
void vg_begin_global(struct gen *g, unsigned kind);

#endif /* TESTS_FUZZ_FUZZ_VERIFIER_GEN_H */
