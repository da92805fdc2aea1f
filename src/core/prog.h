/* SPDX-License-Identifier: MIT */
/*
 * A loaded program, and running it.
 *
 * The instructions are checked (src/core/check.c), context accesses and map references are
 * resolved, and from then on they never change: LD_IMM64 keeps its BPF_PSEUDO_* in src_reg (1:
 * address of a struct ebpf_map, 2: address inside a map's value) and holds the final 64-bit address
 * in its two imm fields; 4, a function of the program, keeps its distance, since each engine has
 * another address for it (ebpf_call_back()). Calls to helpers keep Linux's number.
 */
#ifndef EBPF_CORE_PROG_H
#define EBPF_CORE_PROG_H

#include <ebpf/ebpf.h>

#include <stdarg.h>

#include "src/base/obj.h"

struct ebpf_btf;      /* src/btf/btf.h */
struct ebpf_load_log; /* src/core/load_log.h */

#define EBPF_MAX_FRAMES 8u       /* Linux: MAX_CALL_FRAMES */
#define EBPF_FRAME_SIZE 512u     /* Linux: MAX_BPF_STACK */
#define EBPF_MAX_TAIL_CALLS 33u  /* Linux: MAX_TAIL_CALL_CNT */
#define EBPF_MAX_LOOPS 8388608u  /* Linux: BPF_MAX_LOOPS, see may_goto in interp.c */
#define EBPF_HELPER_TAIL_CALL 12 /* BPF_FUNC_tail_call: not a call, the engines do it */
#define EBPF_HELPER_TIMER_SET_CALLBACK 170

/* A function of the program: the main one is subprogs[0], starting at 0. */
struct ebpf_subprog {
    uint32_t start; /* instruction slot */
    uint32_t end;   /* first slot behind it */
};

/*
 * What the verifier knows of one instruction, for who compiles it. It holds each time that the
 * instruction runs, on whatever path, and not only on the paths that were followed
 * (docs/VERIFIER.md, section 13). 8 bytes for an instruction, from verification to compilation.
 */
struct ebpf_fact {
    uint8_t flags; /* EBPF_FACT_* */
    uint8_t map;   /* EBPF_FACT_MAP: maps[map] of the program */
    int32_t value; /* EBPF_FACT_RESULT, _OPERAND, _KEY */
};

#define EBPF_FACT_REACHED 1u /* on some path; all others are taken out: each jumps to itself */
#define EBPF_FACT_CTX 2u     /* a load or store through the context pointer, on every path */
/* Moves, loads, operations with an immediate: what they leave in dst_reg is value, sign-extended.
 * Operations, stores and jumps with two registers: what is in src_reg before is. */
#define EBPF_FACT_RESULT 4u
#define EBPF_FACT_OPERAND 8u
/* Loads and arithmetic: what they leave in dst_reg is at most INT32_MAX, as a number of 64 bits */
#define EBPF_FACT_SMALL 16u
/* Calls of helpers: the argument that is a map is maps[map] */
#define EBPF_FACT_MAP 32u
/* Lookups and tail calls: the key or index is value; below max_entries, whatever it is */
#define EBPF_FACT_KEY 64u
#define EBPF_FACT_INSIDE 128u

/* What interpreter, verifier and JIT work on. */
struct ebpf_code {
    struct bpf_insn *insns;
    uint32_t insn_cnt;
    struct ebpf_subprog *subprogs; /* sorted by start */
    uint32_t subprog_cnt;
    uint32_t frames; /* live at once at most: 1 to EBPF_MAX_FRAMES */
    uint32_t stack;  /* bytes below r10 that any function can use at most, a multiple of 16 */
    /* that the program holds: the only addresses that the JIT takes for maps */
    struct ebpf_map *const *maps;
    uint32_t map_cnt;
    struct ebpf_load_log *log; /* only during load, and NULL for bare programs of tools */
    struct ebpf_fact *facts; /* [insn_cnt], only during load; NULL: there was no verifier */
    /* For ebpf_code_check(): a verifier comes next, which refuses some of what must not be reached.
     * Set by it: there is such an instruction. */
    bool verifier_next, deferred;
};


struct ebpf_jit_image {
    void *mem;   /* of ebpf_os_code_alloc(); NULL: not compiled */
    size_t size; /* as allocated */
    size_t len;  /* bytes of code */
};

/* Counters, one set per hart so that no hart writes another's line. */
struct ebpf_prog_stats {
    uint64_t runs, misses;
};

struct ebpf_run;
struct ebpf_prog;
typedef uint64_t (*ebpf_prog_entry)(void *ctx, struct ebpf_run *run, const struct ebpf_prog *prog);

struct ebpf_prog {
    struct ebpf_obj obj; /* first */
    const struct ebpf_prog_type *type;
    /* compiled code, which needs prog for nothing, or ebpf_prog_interpret() */
    ebpf_prog_entry entry;
    struct ebpf_code code;
    struct ebpf_jit_image jit;
    struct ebpf_map **maps; /* references that this program holds, each once */
    uint32_t map_cnt;
    bool gpl;
    uint32_t expected_attach_type;
    uint32_t caps;                  /* EBPF_CAP_* on whose behalf it is loaded */
    uint32_t load_flags;            /* BPF_F_* of BPF_PROG_LOAD */
    struct ebpf_load_log *load_log; /* while it is loaded; may be NULL */
    /* What the compiler says about it (src/core/prog_btf.c has checked it): one func_info for each
     * of code.subprogs, in their order, or none; line_info by rising insn_off, with one record at
     * each function's start, or none. btf NULL: neither */
    struct ebpf_btf *btf;
    struct bpf_func_info *func_info;
    uint32_t func_info_cnt;
    struct bpf_line_info *line_info;
    uint32_t line_info_cnt;
    uint32_t uid;
    uint64_t load_time_ns;
    uint8_t tag[BPF_TAG_SIZE];
    char name[BPF_OBJ_NAME_LEN];
    struct ebpf_prog_stats *stats; /* [cpu count] */
};

/* ---- program types: one file each, one row in src/core/prog_types.def ------------------------ */

/* What a field of the context holds. */
enum ebpf_ctx_kind {
    EBPF_CTX_NUMBER = 0,
    EBPF_CTX_PACKET, /* pointers: 4 bytes in the program's view, the whole register when loaded */
    EBPF_CTX_PACKET_META,
    EBPF_CTX_PACKET_END,
    EBPF_CTX_SOCK_COMMON_OR_NULL, /* Linux's: for programs that are only checked */
    EBPF_CTX_SOCK,
    EBPF_CTX_FLOW_KEYS,
    EBPF_CTX_SOCK_OR_NULL,
    /* of a writable raw tracepoint: bytes of any constant offset, its user checks */
    EBPF_CTX_BUFFER,
};

/* One field of the context that programs may read (and write): loads of [off, off + size) in the
 * program's view are rewritten to the kernel's own struct, where the field has kernel_size bytes at
 * kernel_off. */
struct ebpf_ctx_field {
    uint16_t off;
    uint8_t size;
    uint8_t kernel_size;
    uint16_t kernel_off;
    bool writable;
    uint8_t kind;   /* enum ebpf_ctx_kind */
    bool whole;     /* may not be loaded in parts (Linux: narrow loads) */
    uint8_t attach; /* only for programs with that expected_attach_type; 0: for all */
};

struct ebpf_prog_type {
    uint32_t id; /* BPF_PROG_TYPE_* */
    const char *name;
    uint32_t caps; /* EBPF_CAP_* needed besides EBPF_CAP_BPF */
    /* NULL: the context is passed as it is, ctx_size readable bytes */
    const struct ebpf_ctx_field *fields;
    uint32_t field_cnt;
    uint32_t ctx_size;
    /* the context is a packet (src/core/skb.h): BPF_ABS and BPF_IND are allowed */
    bool packet_loads;
    bool packet_writes; /* programs may store into the packet */
    /* what the program may return; both 0: anything */
    int32_t ret_min, ret_max;
    /* Beyond the table: may this access be made, and what does it give? NULL: the table alone says
     * it. Linux's is_valid_access(); used for types whose rules are no table. A, pure */
    bool (*ctx_access)(uint32_t expected_attach_type, int off, unsigned size, bool write,
                       enum ebpf_ctx_kind *kind);
    /* BPF_PROG_TEST_RUN; attr's pointers belong to caller. NULL: -EOPNOTSUPP. T */
    int (*test_run)(struct ebpf_prog *prog, union bpf_attr *attr, const struct ebpf_caller *caller);
};

const struct ebpf_prog_type *ebpf_prog_type_find(uint32_t id);

/* ---- running --------------------------------------------------------------------------------- */

/* What a hart knows about the program that it runs. */
struct ebpf_run {
    const struct ebpf_prog *prog;
    uint64_t cookie;     /* of the link, for bpf_get_attach_cookie() */
    uint32_t tails_left; /* tail calls that this run may still make */
    int32_t retval;      /* what bpf_set_retval() set */
    uint32_t cpu;        /* this hart's number: ebpf_os_cpu_id() */
    uint32_t callbacks;  /* helpers on the stack that are calling functions of the program */
    uint64_t ctx;        /* of the last tail call from a function: struct ebpf_tail */
    uintptr_t stack;     /* lowest address of the program stack; 0: not on one */
};

/* The run on this hart, for helpers and tail calls; NULL: none. A, interrupts off */
struct ebpf_run *ebpf_run_current(void);

/*
 * Runs prog on this hart's program stack with interrupts off, in an epoch section. Context A.
 * Returns false, and counts a miss, when this hart is inside a program already: *ret is untouched
 * then.
 */
bool ebpf_prog_run(struct ebpf_prog *prog, void *ctx, uint64_t cookie, uint64_t *ret);

/* A function of a program, to be called when that does not run: as ARG_FUNC gave it. */
struct ebpf_later {
    uint64_t func;
    uint64_t args[5];
};

/* Calls it, as ebpf_prog_run() runs a program; it does not count as a run. False: this hart is
 * inside a program. A */
bool ebpf_prog_call(const struct ebpf_prog *prog, const struct ebpf_later *later);

/* The entry of that run; ctx: struct ebpf_later (src/core/callback.c). */
uint64_t ebpf_enter_func(void *ctx, struct ebpf_run *run, const struct ebpf_prog *prog);

/* The interpreter: runs code from slot 0 with r1 = ctx; every frame gets EBPF_FRAME_SIZE bytes. A,
 * called by ebpf_prog_run() on the program stack and by tests. */
uint64_t ebpf_interp(const struct ebpf_code *code, void *ctx);

/*
 * Tail calls (src/core/tail_call.c). The program that a tail call goes on with, and the call is
 * counted: NULL where it fails and the program goes on behind it (map is no program array, nothing
 * at index, more than EBPF_MAX_TAIL_CALLS in this run). A, while a program runs.
 */
const struct ebpf_prog *ebpf_tail_call(struct ebpf_map *map, uint64_t index);

/* The same for a function of compiled code, with what the target's entry wants, as C returns two
 * words in registers; prog NULL: failed. Also fails where the program stack could become too small
 * for what comes. ctx is in run->ctx. The main function of a compiled program does all this by
 * itself where it knows the array. */
struct ebpf_tail {
    const struct ebpf_prog *prog;
    struct ebpf_run *run;
};
struct ebpf_tail ebpf_tail_call_native(uint64_t ctx, struct ebpf_map *map, uint64_t index);

/* The entry of a program that was not compiled. */
uint64_t ebpf_prog_interpret(void *ctx, struct ebpf_run *run, const struct ebpf_prog *prog);

/* Legacy packet access (src/core/packet.c): size bytes at offset of the packet that skb describes,
 * as a number in host order, or a negative number where there are none. A */
int64_t ebpf_packet_load(const void *skb, uint64_t offset, uint32_t size);

/*
 * Refuses what neither interpreter nor JIT can run safely (src/core/check.c), and finds the
 * subprograms: fills code->subprogs (freed by the owner of code). type NULL: a bare program of a
 * tool or test; only the engines' own needs are checked then, not what Linux refuses beyond them
 * (immediate shifts out of range, division by immediate 0). 0, -EINVAL, -E2BIG, -ENOMEM; one log
 * line on refusal. T
 */
int ebpf_code_check(struct ebpf_code *code, const struct ebpf_prog_type *type, bool gpl,
                    uint32_t caps);

/* Fills frames and stack of code whose instructions and subprogs are checked
 * (src/core/frames.c). 0, -E2BIG, -ENOMEM. T; called by ebpf_code_check() */
int ebpf_code_frames(struct ebpf_code *code);

/* Which of code's functions the instruction slot lies in (src/core/frames.c). T */
uint32_t ebpf_code_subprog(const struct ebpf_code *code, uint32_t slot);

/* Rewrites the loads and stores whose base is the context pointer (src/core/ctx_access.c). 0,
 * -EACCES, -ENOMEM. T */
int ebpf_code_rewrite_ctx(struct ebpf_code *code, const struct ebpf_prog_type *type);

/* Frees insns and subprogs. T */
void ebpf_code_fini(struct ebpf_code *code);

/* The one line, without its newline, that says why a program is refused: to the log, and to the
 * console where there is no buffer for it. Returns err. */
__attribute__((format(printf, 3, 4))) int ebpf_code_reject(const struct ebpf_code *code, int err,
                                                           const char *format, ...);
int ebpf_code_vreject(const struct ebpf_code *code, int err, const char *format, va_list args);

int ebpf_prog_from_fd(int fd, struct ebpf_prog **out);

/* The 64-bit constant of the LD_IMM64 at insn[0], insn[1]. */
static inline uint64_t ebpf_insn_imm64(const struct bpf_insn *insn)
{
    return (uint32_t)insn[0].imm | (uint64_t)(uint32_t)insn[1].imm << 32;
}

static inline void ebpf_insn_set_imm64(struct bpf_insn *insn, uint64_t value)
{
    insn[0].imm = (int32_t)(uint32_t)value;
    insn[1].imm = (int32_t)(uint32_t)(value >> 32);
}

/* Bytes that a load, store or atomic accesses. */
static inline unsigned ebpf_insn_size(const struct bpf_insn *insn)
{
    static const uint8_t sizes[4] = {4, 2, 1, 8}; /* BPF_W, BPF_H, BPF_B, BPF_DW */

    return sizes[BPF_SIZE(insn->code) >> 3];
}

/* Is the jump taken (src/core/jump.c)? op: BPF_JEQ to BPF_JSLE; wide: BPF_JMP, else BPF_JMP32.
 * Pure, A */
bool ebpf_jump_taken(uint8_t op, bool wide, uint64_t a, uint64_t b);

/* BPF_ABS or BPF_IND? */
static inline bool ebpf_insn_loads_packet(const struct bpf_insn *insn)
{
    return BPF_CLASS(insn->code) == BPF_LD && BPF_MODE(insn->code) != BPF_IMM;
}

static inline struct ebpf_prog *ebpf_prog_of(struct ebpf_obj *obj)
{
    return (struct ebpf_prog *)obj;
}

#endif /* EBPF_CORE_PROG_H */
