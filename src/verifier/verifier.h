/* SPDX-License-Identifier: MIT */
/*
 * The verifier: one verification, and who does what in it.
 *
 *     verify.c    the whole, in order          cfg.c      functions, jumps, reachability, stack
 *     depth
 *     explore.c   which path next, pruning     live.c     registers and slots that nobody reads any
 *     more
 *     precise.c   which numbers mattered       step.c     one instruction: who of the following
 *     deals with it
 *     alu.c       arithmetic on numbers        pointer.c  and on pointers
 *     branch.c    both ways of a jump          subprog.c  calls of the program's own functions,
 *     callbacks, exit
 *     mem.c       loads, stores, atomics       stack.c    the stack's bytes
 *     ctx.c map_value.c packet.c               what of a region may be touched
 *     call.c      helpers, by prototype        ref.c      references, locks
 *     dynptr.c                                 report.c   the log
 *     rewrite.c   what engines get from it
 *
 * All of it is context T. Functions that refuse a program return what ebpf_verify_refuse() gave
 * them; -ENOMEM and -E2BIG come without a line from wherever memory ends.
 */
#ifndef EBPF_VERIFIER_VERIFIER_H
#define EBPF_VERIFIER_VERIFIER_H

#include "helpers/helper.h"
#include "maps/map.h"
#include "src/core/load_log.h"
#include "src/core/prog.h"
#include "src/verifier/state.h"

/* Linux: BPF_COMPLEXITY_LIMIT_INSNS */
#define EBPF_MAX_PROCESSED 1000000u

struct ebpf_vexplore; /* explore.c's own */

/* What is asked most comes first: compressed instructions reach it. */
struct ebpf_verifier {
    struct ebpf_vstate *now; /* the path that is followed */
    struct ebpf_vexplore *explore;
    struct ebpf_code *code;
    struct ebpf_prog *prog;
    const struct ebpf_prog_type *type;
    struct ebpf_load_log *log; /* may be NULL */
    uint32_t at;               /* now's instruction */
    /* the one to go on with: step.c and its helpers set it where it is not the one behind */
    uint32_t next;
    uint32_t next_id;   /* the last id given */
    uint64_t processed; /* instructions, over all paths */
    struct ebpf_vstack_rules rules;
    /* What the loader may do (EBPF_CAP_PERFMON): addresses in numbers, pointer arithmetic beyond
     * the strict mode's. */
    bool may_leak;
    bool strict_align;    /* misaligned accesses are refused, wherever they are */
    bool test_state_freq; /* BPF_F_TEST_STATE_FREQ: a state is saved at every join */
    bool sleepable;

    /* [code->insn_cnt]: the kind of the pointer that each load, store and atomic goes through, as
     * far as it was looked at; of kinds that the engines must tell apart (contexts) it is the only
     * one. Made by mem.c, freed by verify.c; NULL: none. */
    uint8_t *bases;
    /* What the current instruction loads, and the immediate that it stores; here, since kernels have
     * small stacks. */
    struct ebpf_vreg loaded, stored;
    struct ebpf_vmem mem;
};

/*
 * Checks a program whose instructions are structurally sound (ebpf_code_check()) and whose map
 * references are resolved; leaves facts for the engines in prog->code. 0; -EACCES, -EINVAL, -EPERM,
 * -E2BIG, -ENOMEM, ... as Linux, with the reason in prog's log. T
 */
int ebpf_verify(struct ebpf_prog *prog);

/* ---- engine: explore, precise, report, subprog ----------------------------------------------- */

/* Says why in the log (the instruction is in it already) and returns err. */
__attribute__((format(printf, 3, 4))) int ebpf_verify_refuse(struct ebpf_verifier *v, int err,
                                                             const char *format, ...);

static inline struct ebpf_vframe *ebpf_verify_frame(const struct ebpf_verifier *v)
{
    return v->now->top;
}

static inline struct ebpf_vreg *ebpf_verify_reg(const struct ebpf_verifier *v, unsigned n)
{
    return &ebpf_verify_frame(v)->regs[n];
}

static inline uint32_t ebpf_verify_new_id(struct ebpf_verifier *v)
{
    return ++v->next_id;
}

/* 0, or -EACCES "R%d !read_ok". */
int ebpf_verify_readable(struct ebpf_verifier *v, unsigned reg);

/* Refuses writes to r10. 0, -EACCES "frame pointer is read only". */
int ebpf_verify_writable(struct ebpf_verifier *v, unsigned reg);

/* The number in this register of the current frame, here and now, was used to decide that something
 * is safe: pruning must compare it. Follows it back to where it came from. 0, -ENOMEM, -EFAULT (a
 * bug of ours). */
int ebpf_verify_precise(struct ebpf_verifier *v, unsigned reg);

/* The current instruction reads or writes [off, off + size) of that frame, in whatever way and
 * through whatever pointer: to be called for every access to a stack. write: all of these bytes for
 * certain; what is perhaps written is neither, but for the depth of the stack: size 0. Liveness
 * (precise.c) and the depth of frames (cfg.c) need to know. A plain byte that becomes ZERO because
 * a register is known to be 0 depends on that register: ebpf_verify_precise(). */
int ebpf_verify_note_stack(struct ebpf_verifier *v, unsigned frame, int off, unsigned size,
                           bool write);

/* Calls fn for each register of each frame and each spilled one. slot NULL: a register. */
void ebpf_verify_each_reg(struct ebpf_verifier *v,
                          void (*fn)(struct ebpf_verifier *v, struct ebpf_vreg *reg,
                                     struct ebpf_vslot *slot, void *arg),
                          void *arg);

/* A helper (the current instruction, its arguments checked) will call that function: adds the way
 * through it to what is to be explored, as Linux's push_callback_call() does. setup fills r1 to r5
 * of the new frame. */
int ebpf_verify_callback(struct ebpf_verifier *v, uint32_t subprog, enum ebpf_callback kind,
                         void (*setup)(struct ebpf_verifier *v, struct ebpf_vframe *frame,
                                       const struct ebpf_vframe *caller));

/* ---- access: one instruction each; they change v->now, and refuse ---------------------------- */

/* BPF_LDX: MEM, MEMSX */
int ebpf_verify_load(struct ebpf_verifier *v, const struct bpf_insn *insn);
/* BPF_ST, BPF_STX MEM */
int ebpf_verify_store(struct ebpf_verifier *v, const struct bpf_insn *insn);
/* BPF_STX ATOMIC, all of them */
int ebpf_verify_atomic(struct ebpf_verifier *v, const struct bpf_insn *insn);
/* BPF_ABS, BPF_IND */
int ebpf_verify_packet_load(struct ebpf_verifier *v, const struct bpf_insn *insn);

/* May a program of this type use that map at all? To be asked for every map that an instruction
 * names. 0, -EINVAL. */
int ebpf_verify_map_use(struct ebpf_verifier *v, const struct ebpf_map *map);

/* What Linux calls the kind of value in a register: "map_value_or_null". */
const char *ebpf_verify_type_name(const struct ebpf_vreg *reg);

/* A helper call: its arguments by the prototype, its effects on memory, references, locks and
 * packets; r0, and r1 to r5 are NOTHING afterwards. */
int ebpf_verify_helper(struct ebpf_verifier *v, const struct bpf_insn *insn);

/* May size bytes at that register be read (and written: writes) as plain memory? For memory
 * arguments of global functions. Whether the pointer may be NULL is the caller's to ask. */
int ebpf_verify_region(struct ebpf_verifier *v, unsigned reg, uint32_t size, bool writes);

/* Nothing may be held at that point: the end of the program, a tail call, a legacy packet load.
 * what names it in the message, e.g. "BPF_EXIT instruction in main prog". */
int ebpf_verify_nothing_held(struct ebpf_verifier *v, const char *what);

/* The pointer in this register is not NULL (sure), or is: all registers with its id learn it; a
 * reference that is NULL is none. Of ref.c, called by branch.c. */
void ebpf_verify_null_known(struct ebpf_verifier *v, uint32_t id, bool null);

#endif /* EBPF_VERIFIER_VERIFIER_H */
