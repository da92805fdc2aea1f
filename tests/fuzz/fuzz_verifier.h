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

#include <ebpf/kprobe.h>

#include "src/core/skb.h"
#include "src/core/xdp.h"
#include "tests/fuzz/fuzz_jit.h"

enum {
    VF_ARRAY,
    VF_HASH,
    VF_RING,
    VF_RODATA,
    VF_GLOBAL,
    VF_LRU,
    VF_PERCPU,
    VF_QUEUE,
    VF_OUTER, /* of maps like VF_ARRAY */
    VF_LOCKED,
    VF_PROGS, /* of XDP programs */
    VF_FILTERS,
    VF_USER_RING,
    VF_MAPS,
    VF_INNER = VF_MAPS, /* in VF_OUTER: no program names it */
    VF_ALL_MAPS
};
#define VF_RING_SIZE 4096u

extern const struct ebpf_map_spec vf_specs[VF_ALL_MAPS];
extern struct ebpf_map *vf_maps[VF_ALL_MAPS];

/* ---- _world ---------------------------------------------------------------------------------- */

/* What a program is called with: the kernel's own context, and its packet. */
struct vf_input {
    union {
        struct ebpf_xdp xdp;
        struct ebpf_skb skb;
        struct ebpf_regs regs;
        uint8_t bytes[sizeof(struct ebpf_regs)];
    } ctx;
    uint8_t *mem; /* that the packet lies in */
    uint32_t mem_size;
    uint8_t *old; /* where it was before a helper moved it; NULL: nowhere */
};

void vf_world_init(void);
/* The n-th input of prog: context, packet, and the maps that it uses. */
void vf_world_reset(const struct fuzz_prog *prog, unsigned n, struct vf_input *input);

/* What a run leaves. */
struct vf_outcome {
    uint64_t r0, maps[VF_ALL_MAPS], ctx, packet;
    uint32_t len;
};
void vf_world_save(const struct fuzz_prog *prog, const struct vf_input *input, uint64_t r0,
                   struct vf_outcome *out);
/* Is that the start of a value of map? */
bool vf_is_value(const struct ebpf_map *map, const void *value);
/* What the program array of that program type has at index. */
const struct fuzz_prog *vf_target(uint32_t type, uint32_t index);
/* Types for maps and functions, which the fuzzer makes up, as bytes. */
const void *vf_btf(size_t *size);
extern struct ebpf_btf *vf_types;
#define VF_TYPE_KEY 1u /* its types: int, the value with a lock, a static function */
#define VF_TYPE_LOCKED 3u
#define VF_TYPE_STATIC 5u
/* Global functions: int (int), int (struct of 16 bytes *, int), int (struct xdp_md *), int (struct
 * __sk_buff *) */
#define VF_GLOBAL_MARK 0x67100000u
#define VF_GLOBAL_KINDS 4u
/* Where prog's functions begin, and of what type they are; returns how many. */
#define VF_MAX_FUNCS 16u
uint32_t vf_functions(const struct fuzz_prog *prog, struct bpf_func_info out[VF_MAX_FUNCS]);

/* ---- counting: fuzz_verifier.c --------------------------------------------------------------- */

enum {
    VF_PROGRAMS,
    VF_ACCEPTED,
    VF_RUNS,     /* of accepted programs, on one input each */
    VF_CUT,      /* of those: too many steps, so that they say nothing */
    VF_COMPARED, /* runs whose outcome an engine has, too */
    VF_JITED,    /* accepted programs that were compiled */
    VF_DIFFERS,  /* an engine does something else */
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

/* BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_SOCKET_FILTER or BPF_PROG_TYPE_KPROBE */
uint32_t vf_type(uint64_t seed);
void vf_generate(struct fuzz_prog *prog, uint64_t seed);
/* A few instructions changed at random. */
void vf_mutate(struct fuzz_prog *prog, struct fuzz_random *rnd);

/* ---- _run ------------------------------------------------------------------------------------ */

enum vf_end {
    VF_ENDED,   /* by itself, and all is as it should be */
    VF_VAGUE,   /* the same, but what it did depends on what no engine promises */
    VF_TIRED,   /* too many steps: says nothing */
    VF_VIOLATED /* it did what no verified program may do */
};
struct vf_how {
    unsigned layout; /* of memory, and what stacks hold at first */
    bool patient;    /* may_goto never leaves, as that of engines, which have more time */
};
/* Runs the program; why: what it did wrong, at which instruction. */
enum vf_end vf_run(const struct fuzz_prog *prog, struct vf_input *input, struct vf_how how,
                   uint64_t *r0, char why[128]);

/* Do results of that helper differ from run to run, or between the machine and the engines? */
bool vf_differs(int32_t helper);

/* ---- _engine --------------------------------------------------------------------------------- */

enum vf_engine { VF_SAME, VF_UNKNOWN, VF_DIFFERENT };
/* Does the program as loaded do what the machine does, on its n-th input? VF_UNKNOWN: it has no
 * defined outcome. */
enum vf_engine vf_compare(const struct fuzz_prog *prog, struct ebpf_prog *loaded, unsigned n,
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
