/* SPDX-License-Identifier: MIT */
/*
 * What the files of the engine (verifier.h: explore to rewrite) share with each other and with
 * nobody else. Context T.
 */
#ifndef EBPF_VERIFIER_ENGINE_H
#define EBPF_VERIFIER_ENGINE_H

#include "src/verifier/verifier.h"

/* ---- what is known of the program before it is followed (cfg.c, live.c) ---------------------- */

#define EBPF_VI_SECOND 1u  /* the second half of an LD_IMM64 */
#define EBPF_VI_JOIN 2u    /* more than one way leads here: states are compared and saved */
#define EBPF_VI_FORCE 4u   /* a state is always saved: may_goto, calls of helpers that call back */
#define EBPF_VI_CALLS 8u   /* of the latter, the calls */
#define EBPF_VI_SEEN 16u   /* on some path */
#define EBPF_VI_TAKEN 32u  /* a jump that was taken on some path, */
#define EBPF_VI_PASSED 64u /* and was not on some path */
#define EBPF_VI_REACHED 128u /* cfg.c's own: by any jump, whatever it compares */

struct ebpf_vinsn {
    uint16_t
        live; /* registers that may be read before they are written, from here on: bits 0 to 9 */
    uint8_t flags; /* EBPF_VI_* */
    uint32_t open; /* states of the path itself that were saved here */
};

/* A function. */
struct ebpf_vsub {
    uint32_t depth; /* bytes of its stack, as far down as any path went */
    bool tail_calls;
    bool timer;            /* called by a timer, on its own */
    bool moves_packet;     /* it, or what it calls, may move the packet */
    bool called, verified; /* of global functions: global.c */
};

/* ---- states (explore.c, precise.c) ----------------------------------------------------------- */

/*
 * A state that was saved where ways join. Saved states are a tree: parent is the one before on the
 * same path. What happens between two of them is a segment, and belongs to the lower end.
 */
struct ebpf_vsaved {
    struct ebpf_vsaved *next, **link; /* in its bucket, of open ones or of those that are safe */
    struct ebpf_vsaved *parent;
    uint32_t at;       /* instruction */
    uint32_t branches; /* ways from here not yet followed to their end; 0: shown to be safe */
    uint32_t hits, misses;
    uint32_t hash; /* equal where states are the same */
    bool loop;     /* a path ended here while it was open */
    bool awaited;  /* facts wait for marks in it: struct ebpf_vwait */
    /* Slots of each frame: read below this state before they were written, and written whole in the
     * segment above. */
    uint64_t read[EBPF_MAX_FRAMES], fresh[EBPF_MAX_FRAMES];
    uint64_t precise,
        pinned; /* numbers that are marked EBPF_REG_PRECISE, _PINNED, numbered as in precise.c */
    struct ebpf_vstate state;
};

/* The fact of an instruction holds if these numbers of an open state will be marked (rewrite.c). */
struct ebpf_vwait {
    struct ebpf_vsaved *state;
    uint64_t from;
    uint32_t next; /* listed: the instruction behind it in the list of those that wait */
    bool listed;
};
#define EBPF_VNOBODY UINT32_MAX

/* A way that is yet to be followed. */
struct ebpf_vpending {
    struct ebpf_vpending *next;
    struct ebpf_vsaved *parent;
    uint32_t at, from; /* where it goes on, and the instruction that branched */
    uint64_t log_mark;
    uint64_t fresh[EBPF_MAX_FRAMES];
    struct ebpf_vstate state;
};

/* The operands of a comparison as one way of the jump leaves them. */
struct ebpf_vway {
    struct ebpf_scalar dst, src;
};

struct ebpf_vexplore {
    struct ebpf_vinsn *insns;          /* [insn_cnt] */
    struct ebpf_vsub *subs;            /* [subprog_cnt] */
    struct ebpf_vwait *waits;          /* [insn_cnt] NULL: nobody waits, so large is the program */
    uint32_t waiting;                  /* the first that waits, or EBPF_VNOBODY */
    struct ebpf_vsaved **safe, **open; /* saved states with no branches, and with some */
    uint32_t bucket_cnt;               /* of each; a power of two */
    struct ebpf_vsaved *passed;        /* open ones that no path is compared with any more */
    struct ebpf_vsaved *parent;        /* of the path that is followed */
    struct ebpf_vpending *pending;
    uint32_t pending_cnt;
    uint32_t jumps, steps; /* since the last state was saved on this path */
    bool forked;           /* a way was left behind, or taken up, since then */
    uint32_t saved_cnt, saved_peak, total_states, max_per_insn;
    uint32_t budget; /* of instructions, in this attempt: verify.c */
    bool relaxed;    /* comparisons of two registers go both ways, whatever is known of them */
    bool fresh_path; /* the log shows the whole state next */
    uint32_t came_from;
    struct ebpf_vshown *shown; /* report.c's; NULL: there is no log */
    uint64_t fresh[EBPF_MAX_FRAMES];
    /* Of the current instruction; here, since kernels have small stacks: */
    struct ebpf_vway ways[2];
    struct ebpf_vreg imm;   /* an immediate */
    struct ebpf_vreg known; /* what copies of a number learn */
};

/* A copy of v->now to be followed later, from instruction at; it is changed by setting v->now for a
 * while. NULL: *err. */
struct ebpf_vstate *ebpf_verify_push(struct ebpf_verifier *v, uint32_t at, int *err);

/* The same for an empty state: nothing on this path matters to it. */
struct ebpf_vstate *ebpf_verify_push_new(struct ebpf_verifier *v, uint32_t at, int *err);

/* Follows all ways from v->now at v->at to their ends. 0, -E*. */
int ebpf_verify_explore(struct ebpf_verifier *v);

/* The state that was saved last at that instruction on this path, or NULL. */
const struct ebpf_vsaved *ebpf_verify_previous(const struct ebpf_verifier *v, uint32_t at);

/* A new frame is on top of v->now: its slots are nobody's but the path's. */
void ebpf_verify_frame_pushed(struct ebpf_verifier *v);

/* Frees all states. */
void ebpf_verify_explore_fini(struct ebpf_verifier *v);

/* precise.c: goes through all numbers of a state, registers and spilled ones. */
struct ebpf_vnumbers {
    struct ebpf_vstate *s;
    uint32_t frame, at; /* at: 10 registers, then the slots */
    bool skip_top;      /* without the registers of the running function */
};
struct ebpf_vreg *ebpf_verify_next_number(struct ebpf_vnumbers *n);

/* Gives each number of now its own bit, relative to saved, which has just been made from now;
 * numbers for which there is no bit are marked. */
void ebpf_verify_number(struct ebpf_verifier *v, struct ebpf_vsaved *saved);
/* Marks what the numbers in from were computed from, from saved upwards; flag: EBPF_REG_PRECISE,
 * EBPF_REG_PINNED. */
void ebpf_verify_mark(struct ebpf_vsaved *saved, uint64_t from, uint32_t flag);
/* v->now lies within saved, which is shown to be safe: what mattered there matters here. */
void ebpf_verify_inherit(struct ebpf_verifier *v, const struct ebpf_vsaved *saved);
/* v->now lies within saved, which is still open: all matters in both. */
void ebpf_verify_pin(struct ebpf_verifier *v, struct ebpf_vsaved *saved);
/* Linux: widen_imprecise_scalars() */
void ebpf_verify_widen(struct ebpf_vstate *now, const struct ebpf_vsaved *old);
/* Slots of that frame are read. */
void ebpf_verify_read(struct ebpf_vsaved *parent, uint64_t slots, const uint64_t *fresh,
                      unsigned frame);

/* ---- before, and after ----------------------------------------------------------------------- */

int ebpf_verify_cfg(struct ebpf_verifier *v);         /* cfg.c */
int ebpf_verify_stack_depth(struct ebpf_verifier *v); /* cfg.c: after the exploration */
int ebpf_verify_live(struct ebpf_verifier *v);        /* live.c */
void ebpf_verify_rewrite(struct ebpf_verifier *v);    /* rewrite.c: all is well */
int64_t ebpf_verify_target(const struct bpf_insn *insn,
                           uint32_t at); /* of a jump or call at that slot */

/* rewrite.c: that state is shown to be safe: it has all marks. */
void ebpf_verify_waits_end(struct ebpf_verifier *v, const struct ebpf_vsaved *closed);

/* rewrite.c: facts of the current instruction. Stores, jumps: before they are checked. */
void ebpf_verify_note_operand(const struct ebpf_verifier *v, const struct bpf_insn *insn);
/* Loads, arithmetic: when they are checked. */
void ebpf_verify_note_result(const struct ebpf_verifier *v, const struct bpf_insn *insn);
/* A call with that map; key: the number that a lookup takes, NOTHING where there is none. */
void ebpf_verify_note_call(const struct ebpf_verifier *v, const struct ebpf_map *map,
                           const struct ebpf_vreg *key);

/* ---- one instruction; 1: the path ends here -------------------------------------------------- */

int ebpf_verify_step(struct ebpf_verifier *v);
int ebpf_verify_alu(struct ebpf_verifier *v, const struct bpf_insn *insn);
void ebpf_verify_imm(struct ebpf_vreg *reg,
                     const struct bpf_insn *insn); /* a number: its immediate */
int ebpf_verify_pointer_alu(struct ebpf_verifier *v, const struct bpf_insn *insn,
                            const struct ebpf_vreg *ptr, const struct ebpf_vreg *off);
int ebpf_verify_jump(struct ebpf_verifier *v, const struct bpf_insn *insn);
int ebpf_verify_call(struct ebpf_verifier *v,
                     const struct bpf_insn *insn); /* of the program's own */
int ebpf_verify_exit(struct ebpf_verifier *v);
/* The function may end at this instruction, with the result that set_r0 makes: a tail call, a packet
 * load that fails. */
int ebpf_verify_early_exit(struct ebpf_verifier *v, void (*set_r0)(struct ebpf_vreg *r0));

/* ---- global.c -------------------------------------------------------------------------------- */

bool ebpf_verify_is_global(const struct ebpf_verifier *v, uint32_t sub);
const char *ebpf_verify_sub_name(const struct ebpf_verifier *v, uint32_t sub);
int ebpf_verify_call_global(struct ebpf_verifier *v, uint32_t sub);
int ebpf_verify_globals(struct ebpf_verifier *v); /* after the main function */

/* Is it an address, to a loader that may not see addresses? */
static inline bool ebpf_verify_secret(const struct ebpf_verifier *v, const struct ebpf_vreg *reg)
{
    return ebpf_vreg_is_pointer(reg) && !v->may_leak;
}

/* ---- report.c, insn_text.c ------------------------------------------------------------------- */

int ebpf_verify_log_init(struct ebpf_verifier *v); /* -ENOMEM */
void ebpf_verify_log_fini(struct ebpf_verifier *v);
void ebpf_verify_log_insn(struct ebpf_verifier *v);
void ebpf_verify_log_pruned(struct ebpf_verifier *v);
void ebpf_verify_log_stats(struct ebpf_verifier *v);
/* "+=" of an instruction of class BPF_ALU or BPF_ALU64 */
const char *ebpf_insn_operator(uint8_t code);
/* The text of an instruction, as Linux's disassembler has it. */
void ebpf_insn_text(char *out, size_t size, const struct bpf_insn *insn);

#endif /* EBPF_VERIFIER_ENGINE_H */
