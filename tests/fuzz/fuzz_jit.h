/* SPDX-License-Identifier: MIT */
/*
 * The differential fuzzer of the engines, in parts: _gen and _items make programs, _memory holds
 * what they work on, _run runs them on both engines and compares, _ref runs them once more with
 * every access looked at, _min makes a failing one small, _text reads and writes them, _wild makes
 * those that are only compiled, _os is a light set of hooks. All is decided by a program's seed.
 */
#ifndef TESTS_FUZZ_FUZZ_JIT_H
#define TESTS_FUZZ_FUZZ_JIT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebpf/ebpf.h>

#include "jit/jit.h"
#include "src/core/prog.h"
#include "tests/unit/insn.h"

/* ---- random numbers ------------------------------------------------------------------------ */

struct fuzz_random {
    uint64_t state;
};

static inline void fuzz_seed(struct fuzz_random *r, uint64_t seed)
{
    r->state = (seed + 1) * 0x9e3779b97f4a7c15ull;
    r->state += !r->state;
}

static inline uint64_t fuzz_next(struct fuzz_random *r)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state * 0x2545f4914f6cdd1dull;
}

static inline unsigned fuzz_below(struct fuzz_random *r, unsigned n)
{
    return (unsigned)((fuzz_next(r) >> 32) * n >> 32);
}

/* Near the edges, where engines differ. */
uint64_t fuzz_value(struct fuzz_random *r);

/* ---- programs -------------------------------------------------------------------------------- */

#define FUZZ_MAX_INSNS 65536u

/*
 * Addresses are not known yet: LD_IMM64 has one of these as src_reg.
 * fuzz_resolve() puts in what the engines want.
 */
#define FUZZ_SRC_MAP 5     /* map number imm */
#define FUZZ_SRC_VALUE 6   /* the value of FUZZ_GLOBAL, byte imm of the second half */
#define FUZZ_SRC_BUFFER 14 /* the buffer's address plus imm */

struct fuzz_prog {
    struct bpf_insn insns[FUZZ_MAX_INSNS];
    uint32_t cnt;
    uint64_t seed; /* also of what memory holds at first */
};

static inline bool fuzz_is_imm64(const struct bpf_insn *insn)
{
    return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

static inline bool fuzz_is_gotol(const struct bpf_insn *insn)
{
    return insn->code == (BPF_JMP32 | BPF_JA);
}

static inline bool fuzz_is_call(const struct bpf_insn *insn)
{
    return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

/* Has a distance: in off, or in imm (gotol and calls). */
bool fuzz_jumps(const struct bpf_insn *insn);
int64_t fuzz_target(const struct bpf_insn *insn, uint32_t at);
/* False: too far for off. */
bool fuzz_set_target(struct bpf_insn *insn, uint32_t at, int64_t target);

/* What may be in programs besides RFC 9669: what the JIT compiles (fuzz_probe()). */
extern bool fuzz_has_may_goto, fuzz_has_acq_rel;

/* _gen: a program that ends, is safe, and never looks at what is undefined. */
void fuzz_generate(struct fuzz_prog *prog, uint64_t seed);
/* _wild: anything; the structural check may take it or not. */
void fuzz_generate_wild(struct fuzz_prog *prog, uint64_t seed);

/* ---- memory ---------------------------------------------------------------------------------- */

#define FUZZ_BUFFER 1024u
#define FUZZ_CTX 128u
#define FUZZ_GLOBAL_SIZE 64u
enum { FUZZ_ARRAY, FUZZ_PERCPU, FUZZ_HASH, FUZZ_HASH2, FUZZ_GLOBAL, FUZZ_MAPS };

extern uint8_t *fuzz_buffer, *fuzz_ctx; /* 8-aligned; nothing is mapped around them */
extern struct ebpf_map *fuzz_maps[FUZZ_MAPS];
extern const struct ebpf_map_spec fuzz_specs[FUZZ_MAPS];

void fuzz_memory_init(void);
/* Everything as a program with that seed finds it. maps: they, too. */
void fuzz_memory_reset(uint64_t seed, bool maps);

/* What a program leaves. */
struct fuzz_state {
    uint64_t r0;
    uint64_t hash_sum[2], hash_cnt[2]; /* independent of the order of elements */
    uint8_t buffer[FUZZ_BUFFER], ctx[FUZZ_CTX], array[512], percpu[128], global[FUZZ_GLOBAL_SIZE];
};
void fuzz_state_save(struct fuzz_state *state, uint64_t r0, bool maps);
/* Says where they differ, unless quiet. */
bool fuzz_state_equal(const struct fuzz_state *a, const struct fuzz_state *b, bool quiet);

bool fuzz_uses_maps(const struct fuzz_prog *prog);
/* insns as the engines take them, into out[prog->cnt]. */
void fuzz_resolve(const struct fuzz_prog *prog, struct bpf_insn *out);

/* ---- running --------------------------------------------------------------------------------- */

/* Checks and resolves; false: the structural check refuses it. */
bool fuzz_code(const struct fuzz_prog *prog, struct ebpf_code *code);
void fuzz_code_free(struct ebpf_code *code);

/* _ref: NULL: it keeps its promises; otherwise what it does wrong. */
const char *fuzz_ref(const struct ebpf_code *code, uint64_t *r0, uint32_t max_steps);

enum fuzz_verdict {
    FUZZ_AGREE,
    FUZZ_REFUSED, /* by the structural check */
    FUZZ_UNSAFE,  /* the generator has broken its promises */
    FUZZ_DISAGREE,
    FUZZ_NOT_COMPILED,
    FUZZ_LEAK, /* of memory, in the compiler */
    FUZZ_CRASH,
    FUZZ_VERDICTS
};
extern const char *const fuzz_verdicts[];

/* Both engines, and the interpreter against _ref if reference. The JIT's code only runs on RV64:
 * other machines compile, for several addresses. */
enum fuzz_verdict fuzz_run(const struct fuzz_prog *prog, bool reference, bool quiet);
/* Compiles, with failing allocations, too; runs nothing. */
enum fuzz_verdict fuzz_compile_only(const struct fuzz_prog *prog, bool quiet);
/* Either in a process of its own, which may crash. */
enum fuzz_verdict fuzz_apart(const struct fuzz_prog *prog, bool wild);

/* Which extensions and which instructions beyond RFC 9669 can be had here. */
void fuzz_probe(void);
extern uint32_t fuzz_isa; /* EBPF_ISA_*: what the hook says */

/* _os: the extensions of the processor that this runs on (elsewhere than on RV64: all). */
uint32_t fuzz_isa_here(void);
extern bool fuzz_probes_fail; /* probe_read of whatever address */

/* ---- results --------------------------------------------------------------------------------- */

/* _min: the smallest program found that still does as bad. At most tries runs. */
void fuzz_minimise(struct fuzz_prog *prog, enum fuzz_verdict verdict, bool wild, unsigned tries);

/* _text */
void fuzz_print(FILE *out, const struct fuzz_prog *prog);
bool fuzz_read(const char *path, struct fuzz_prog *prog);

/* _os */
size_t fuzz_live_blocks(void);
void fuzz_fail_alloc(unsigned n); /* the n-th from now; 0: none */
bool fuzz_alloc_failed(void);

#endif /* TESTS_FUZZ_FUZZ_JIT_H */
