/* SPDX-License-Identifier: MIT */
/*
 * The verifier's fuzzer, in parts: _gen makes programs that are nearly right, _world holds the maps
 * and packets that they work on, _run executes them with every access looked at, _linux asks the
 * kernel of this machine. A program that our verifier accepts must keep its promises on every
 * input, and must not be one that Linux refuses for memory safety. All is decided by a program's
 * seed. Programs are struct fuzz_prog (fuzz_jit.h): LD_IMM64 names maps by their index here, which
 * both kernels understand (BPF_PSEUDO_MAP_IDX, BPF_PSEUDO_MAP_IDX_VALUE).
 */
#ifndef TESTS_FUZZ_FUZZ_VERIFIER_H
#define TESTS_FUZZ_FUZZ_VERIFIER_H

#include "tests/fuzz/fuzz_jit.h"

enum { VF_ARRAY, VF_HASH, VF_RING, VF_RODATA, VF_GLOBAL, VF_LRU, VF_MAPS };
#define VF_RING_SIZE 4096u

extern const struct ebpf_map_spec vf_specs[VF_MAPS];
extern struct ebpf_map *vf_maps[VF_MAPS];

/* ---- _world ---------------------------------------------------------------------------------- */

void vf_world_init(void);
struct vf_packet {
    uint8_t *data; /* of exactly len bytes, nothing mapped is promised around it */
    uint32_t len;
};
/* Packet, and the maps that prog uses, as its n-th input. */
void vf_world_reset(const struct fuzz_prog *prog, unsigned n, struct vf_packet *packet);

/* ---- counting: fuzz_verifier.c --------------------------------------------------------------- */

enum {
    VF_PROGRAMS,
    VF_ACCEPTED,
    VF_RUNS,     /* of accepted programs, on one input each */
    VF_CUT,      /* of those: too many steps, so that they say nothing */
    VF_UNSAFE,   /* accepted, and broke a promise */
    VF_CRASHED,  /* the process died, or took too long */
    VF_ASKED,    /* shown to Linux */
    VF_LINUX,    /* of those: only Linux refuses them; safe on many more inputs */
    VF_GIVEN_UP, /* the same, for reasons that have nothing to do with safety */
    VF_STRICTER, /* only we refuse them; counted where that is asked for */
    VF_COUNTS
};
#define VF_CLASSES 40u

struct vf_counts {
    uint64_t n[VF_COUNTS];
    /* what Linux says of the programs that only it refuses, without the numbers */
    struct {
        char text[96];
        uint64_t n;
    } classes[VF_CLASSES];
};
extern struct vf_counts *vf_counts; /* where this process counts */

void vf_count_class(struct vf_counts *counts, const char *text, uint64_t n);
/* One line; classes: one more for each. */
void vf_counts_print(const struct vf_counts *counts, bool classes);

/* ---- _campaign ------------------------------------------------------------------------------- */

struct vf_campaign {
    uint64_t programs, seed, jobs;
    const char *directory; /* what is before it tells campaigns apart */
    void (*one)(uint64_t seed);
};
#define VF_SECONDS 20 /* of a processor, that a program may take */
/* False: it was interrupted, or there is no memory. */
bool vf_campaign_run(const struct vf_campaign *what, struct vf_counts *sum);

/* ---- _gen ------------------------------------------------------------------------------------ */

/* BPF_PROG_TYPE_XDP or BPF_PROG_TYPE_SOCKET_FILTER */
uint32_t vf_type(uint64_t seed);
void vf_generate(struct fuzz_prog *prog, uint64_t seed);
/* A few instructions changed at random. */
void vf_mutate(struct fuzz_prog *prog, struct fuzz_random *rnd);

/* ---- _run ------------------------------------------------------------------------------------ */

enum vf_end {
    VF_ENDED,   /* by itself, and all is as it should be */
    VF_TIRED,   /* too many steps: says nothing */
    VF_VIOLATED /* it did what no verified program may do */
};
/* Runs the program; why: what it did wrong, at which instruction. */
enum vf_end vf_run(const struct fuzz_prog *prog, const struct vf_packet *packet, uint64_t *r0,
                   char why[128]);

/* _alu: what instructions of the classes ALU, ALU64, JMP and JMP32 make of two numbers. */
uint64_t vf_sign_extend(uint64_t value, unsigned bits);
uint64_t vf_alu(const struct bpf_insn *insn, uint64_t a, uint64_t b);
bool vf_taken(const struct bpf_insn *insn, uint64_t a, uint64_t b);

/* ---- _facts ---------------------------------------------------------------------------------- */

/* What the verifier said of the instruction at that place of the program that was loaded last, and
 * what is not so, before it is executed and behind it; NULL: all is. */
const char *vf_wrong_before(const struct bpf_insn *insn, uint32_t at, const uint64_t *regs);
const char *vf_wrong_after(const struct bpf_insn *insn, uint32_t at, const uint64_t *regs);

/* ---- _linux ---------------------------------------------------------------------------------- */

bool vf_linux_init(const char **why); /* false: this machine's bpf(2) is not to be had, and why */
/* 0 or -errno of BPF_PROG_LOAD; message: the log's line that says why. */
int vf_linux_load(const struct fuzz_prog *prog, uint32_t type, char message[160]);

#endif /* TESTS_FUZZ_FUZZ_VERIFIER_H */
