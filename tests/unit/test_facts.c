/* SPDX-License-Identifier: MIT */
/*
 * What the verifier tells the compiler (struct ebpf_fact), and what that makes of it. Each program
 * is verified, its facts are looked at, and both engines run it: the interpreter knows of no facts.
 */
#include "tests/unit/opt_util.h"

#include "maps/map.h"
#include "src/base/alloc.h"
#include "src/core/load_log.h"
#include "src/verifier/verifier.h"

#define MAP_LOOKUP 1
#define MAP_DELETE 3
#define LOOP 181

/* A verified program, between verification and compilation. Its context is WORDS numbers. */
#define WORDS 8
struct facted {
    struct ebpf_prog prog;
    struct bpf_func_info types; /* callbacks want that there are some: all functions are static */
    struct ebpf_map *maps[3];
    struct ebpf_load_log load_log;
    char log[16384];
    uint64_t ctx[WORDS];
};

/* LD_IMM64 name maps by their number, as in a load by index. */
static void resolve(struct facted *f, struct bpf_insn *insn)
{
    bool value = insn->src_reg == BPF_PSEUDO_MAP_VALUE;
    struct ebpf_map *map = f->maps[insn->imm];
    uint64_t addr = (uint64_t)(uintptr_t)map;

    if (value)
        CHECK_EQ(map->ops->value_addr(map, (uint32_t)insn[1].imm, &addr), 0);
    ebpf_insn_set_imm64(insn, addr);
}

static void verify(struct facted *f, const struct bpf_insn *insns, uint32_t cnt)
{
    const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL, .kernel = true};
    struct ebpf_code *code = &f->prog.code;
    uint32_t size;
    int err;

    f->prog.type = ebpf_prog_type_find(BPF_PROG_TYPE_KPROBE); /* the context stays what it is */
    f->prog.caps = EBPF_CAP_ALL;
    f->prog.func_info = &f->types;
    f->prog.maps = f->maps;
    f->prog.map_cnt = code->map_cnt;
    code->maps = f->maps;
    code->insns = ebpf_memdup(insns, cnt * sizeof(*insns));
    code->insn_cnt = cnt;
    CHECK_EQ(ebpf_load_log_init(&f->load_log, &caller, EBPF_LOG_LEVEL2,
                                (uint64_t)(uintptr_t)f->log, sizeof(f->log)),
             0);
    code->log = f->prog.load_log = &f->load_log;
    err = ebpf_code_check(code, f->prog.type, true, EBPF_CAP_ALL);
    for (uint32_t i = 0; i < cnt; i++) {
        if (insns[i].code == (BPF_LD | BPF_IMM | BPF_DW) && insns[i].src_reg != BPF_PSEUDO_FUNC)
            resolve(f, &code->insns[i]);
    }
    err = err ? err : ebpf_verify(&f->prog);
    CHECK_EQ(ebpf_load_log_fini(&f->load_log, &size), 0);
    code->log = f->prog.load_log = NULL;
    if (err)
        test_fail(__FILE__, __LINE__, "refused with %d:\n%s", err, f->log);
}

static void begin(struct facted *f, const struct bpf_insn *insns, uint32_t cnt)
{
    memset(f, 0, sizeof(*f));
    verify(f, insns, cnt);
}

/* The map is number n of the program that comes next; f is zeroed. */
static struct ebpf_map *add_map(struct facted *f, uint32_t type, uint32_t entries, uint32_t flags)
{
    struct ebpf_map_spec spec = {
        .type = type, .key_size = 4, .value_size = 8, .max_entries = entries, .flags = flags};
    uint32_t n = f->prog.code.map_cnt++;

    CHECK_EQ(ebpf_map_create(&spec, &f->maps[n]), 0);
    return f->maps[n];
}

static void end(struct facted *f)
{
    struct ebpf_code *code = &f->prog.code;

    ebpf_free(code->facts, code->insn_cnt * sizeof(*code->facts));
    ebpf_code_fini(code);
    for (uint32_t i = 0; i < code->map_cnt; i++)
        ebpf_obj_put(ebpf_map_obj(f->maps[i]));
}

/* r0, which must be the same on both engines. */
static uint64_t result(struct facted *f)
{
    uint64_t ctx[WORDS], r0 = 0, jit;

    memcpy(ctx, f->ctx, sizeof(ctx));
    engine_run_code(ENGINE_INTERP, &f->prog.code, ctx, &r0);
    memcpy(ctx, f->ctx, sizeof(ctx));
    if (engine_run_code(ENGINE_JIT, &f->prog.code, ctx, &jit))
        CHECK_EQ(jit, r0);
    return r0;
}

static unsigned flags(const struct facted *f, uint32_t at)
{
    return f->prog.code.facts[at].flags;
}

static bool is(const struct facted *f, uint32_t at, unsigned flag, int32_t value)
{
    return flags(f, at) & flag && f->prog.code.facts[at].value == value;
}

/* The operations after some passes. */
static const char *after(struct facted *f, uint32_t passes)
{
    return opt_after_code(passes, &f->prog.code);
}

#define CTX(reg, word) BPF_LDX_MEM(BPF_DW, reg, R1, 8 * (word))

/* ---- when it is used ------------------------------------------------------------------------- */

/* The inliner tidies all functions of a program up: copy makes r0 + r3 of 100 and an unknown number
 * r3 + 100, whose second operand is not the 5 that the verifier knows. */
TEST(facts_of_operands_are_used_before_operands_are_exchanged)
{
    static struct facted f;

    begin(&f, PROG(BPF_CALL_REL(6), BPF_MOV64_IMM(R2, 5), BPF_STX_MEM(BPF_DW, R10, R2, -8),
                   BPF_LDX_MEM(BPF_DW, R3, R10, -8), BPF_MOV64_IMM(R0, 100),
                   BPF_ALU64_REG(BPF_ADD, R0, R3), BPF_EXIT_INSN(), BPF_MOV64_IMM(R0, 1),
                   BPF_EXIT_INSN()));
    CHECK(is(&f, 5, EBPF_FACT_OPERAND, 5));
    CHECK_EQ(result(&f), 105);
    end(&f);
}

/* ---- what may be told at all ----------------------------------------------------------------- */

/* r7 is 1 or 2, and the second way ends at insn 5, where 1 is not compared with 2. */
TEST(facts_a_number_that_pruning_does_not_compare_is_not_told)
{
    static struct facted f;

    begin(&f, PROG(CTX(R6, 0), BPF_JMP_IMM(BPF_JGT, R6, 7, 2), BPF_MOV64_IMM(R7, 1), BPF_JMP_A(1),
                   BPF_MOV64_IMM(R7, 2), BPF_MOV64_REG(R0, R7), BPF_ALU64_IMM(BPF_ADD, R0, 40),
                   BPF_ALU32_REG(BPF_ADD, R0, R7), BPF_EXIT_INSN()));
    CHECK(strstr(f.log, "safe") != NULL); /* it did end there */
    CHECK_EQ(flags(&f, 5), EBPF_FACT_REACHED);
    CHECK_EQ(flags(&f, 6), EBPF_FACT_REACHED);
    CHECK_EQ(flags(&f, 7), EBPF_FACT_REACHED);
    CHECK(is(&f, 2, EBPF_FACT_RESULT, 1));
    CHECK(is(&f, 4, EBPF_FACT_RESULT, 2));
    CHECK_EQ(result(&f), 42);
    f.ctx[0] = 8;
    CHECK_EQ(result(&f), 44);
    end(&f);
}

/* The same through the stack: a spilled number, and a function's argument. */
TEST(facts_uncompared_numbers_are_not_told_through_spills_and_calls)
{
    static struct facted f;

    begin(&f, PROG(CTX(R6, 0), BPF_MOV64_IMM(R7, 1), BPF_JMP_IMM(BPF_JLE, R6, 7, 1),
                   BPF_MOV64_IMM(R7, 2), BPF_STX_MEM(BPF_DW, R10, R7, -8),
                   BPF_LDX_MEM(BPF_DW, R1, R10, -8), BPF_CALL_REL(1), BPF_EXIT_INSN(),
                   BPF_MOV64_REG(R0, R1), BPF_EXIT_INSN()));
    CHECK(strstr(f.log, "safe") != NULL);
    CHECK_EQ(flags(&f, 4), EBPF_FACT_REACHED);
    CHECK_EQ(flags(&f, 5), EBPF_FACT_REACHED);
    CHECK_EQ(flags(&f, 8), EBPF_FACT_REACHED);
    CHECK_EQ(result(&f), 1);
    f.ctx[0] = 8;
    CHECK_EQ(result(&f), 2);
    end(&f);
}

/* r7 is small on the way that is followed first, and not on the one that ends at insn 5. */
TEST(facts_uncompared_numbers_are_not_told_to_be_small)
{
    static struct facted f;

    begin(&f, PROG(CTX(R6, 0), BPF_JMP_IMM(BPF_JGT, R6, 7, 2), BPF_MOV32_IMM(R7, 7), BPF_JMP_A(1),
                   BPF_MOV32_IMM(R7, -7), BPF_MOV32_REG(R0, R7), BPF_ALU32_IMM(BPF_ADD, R0, 1),
                   BPF_EXIT_INSN()));
    CHECK(strstr(f.log, "safe") != NULL);
    CHECK_EQ(flags(&f, 5), EBPF_FACT_REACHED);
    CHECK_EQ(flags(&f, 6), EBPF_FACT_REACHED);
    CHECK_EQ(result(&f), 8);
    f.ctx[0] = 8;
    CHECK_EQ(result(&f), 0xfffffffa);
    end(&f);
}

/* Both ways are followed from insn 5, since r7 is needed: what they have in common is told. */
TEST(facts_are_what_all_visits_have_in_common)
{
    static struct facted f;

    begin(&f, PROG(CTX(R6, 0), BPF_JMP_IMM(BPF_JGT, R6, 7, 2), BPF_MOV64_IMM(R7, -8), BPF_JMP_A(1),
                   BPF_MOV64_IMM(R7, -16), BPF_MOV64_REG(R2, R7), BPF_ALU64_REG(BPF_ADD, R2, R10),
                   BPF_ST_MEM(BPF_DW, R2, 0, 5), BPF_MOV64_REG(R0, R7),
                   BPF_ALU32_IMM(BPF_AND, R0, 15), BPF_EXIT_INSN()));
    CHECK_EQ(flags(&f, 5), EBPF_FACT_REACHED);
    CHECK_EQ(flags(&f, 9), EBPF_FACT_REACHED | EBPF_FACT_SMALL);
    CHECK_EQ(result(&f), 8);
    f.ctx[0] = 8;
    CHECK_EQ(result(&f), 0);
    end(&f);
}

/* w1 is marked when insn 3 is first followed: the fact of insn 2 has waited for that. */
TEST(facts_wait_for_the_comparison_at_the_loop_s_end)
{
    static struct facted f;

    begin(&f, PROG(BPF_MOV32_IMM(R0, 0), BPF_MOV32_IMM(R1, 0), BPF_ALU32_IMM(BPF_ADD, R1, 3),
                   BPF_ALU32_REG(BPF_ADD, R0, R1), BPF_JMP32_IMM(BPF_JNE, R1, 300, -3),
                   BPF_EXIT_INSN()));
    CHECK_EQ(flags(&f, 2), EBPF_FACT_REACHED | EBPF_FACT_SMALL);
    CHECK_EQ(flags(&f, 3), EBPF_FACT_REACHED); /* nobody compares the sum */
    CHECK_EQ(result(&f), 15150);
    end(&f);
}

/* The function of bpf_loop() ends its second round within the first one's state: nothing is known
 * of the number that it counts up. */
TEST(facts_of_callbacks_hold_in_every_round)
{
    static struct facted f;

    begin(&f, PROG(BPF_ST_MEM(BPF_DW, R10, -8, 0), BPF_MOV64_IMM(R1, 10),
                   BPF_RAW_INSN(BPF_LD | BPF_DW | BPF_IMM, R2, BPF_PSEUDO_FUNC, 0, 7),
                   BPF_RAW_INSN(0, 0, 0, 0, 0), BPF_MOV64_REG(R3, R10),
                   BPF_ALU64_IMM(BPF_ADD, R3, -8), BPF_MOV64_IMM(R4, 0), BPF_EMIT_CALL(LOOP),
                   BPF_LDX_MEM(BPF_DW, R0, R10, -8), BPF_EXIT_INSN(),
                   /* the callback: */
                   BPF_LDX_MEM(BPF_DW, R3, R2, 0),
                   BPF_ALU64_IMM(BPF_ADD, R3, 5), BPF_STX_MEM(BPF_DW, R2, R3, 0),
                   BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()));
    CHECK_EQ(flags(&f, 8), EBPF_FACT_REACHED);
    CHECK_EQ(flags(&f, 10), EBPF_FACT_REACHED);
    CHECK_EQ(flags(&f, 11), EBPF_FACT_REACHED);
    CHECK_EQ(result(&f), 50);
    end(&f);
}

/* ---- constants ------------------------------------------------------------------------------- */

static const uint64_t rodata = 0x500000007;

static void freeze(struct ebpf_map *map)
{
    uint32_t key = 0;

    CHECK_EQ(map->ops->update(map, &key, &rodata, 0), 0);
    __atomic_store_n(&map->use, EBPF_MAP_FROZEN, __ATOMIC_RELEASE);
}

TEST(facts_tell_what_a_load_from_frozen_data_gives)
{
    static struct facted f;
    const char *text;

    memset(&f, 0, sizeof(f));
    freeze(add_map(&f, BPF_MAP_TYPE_ARRAY, 1, BPF_F_RDONLY_PROG));
    verify(&f, PROG(CTX(R6, 0), BPF_LD_MAP_VALUE(R2, 0, 4), BPF_LDX_MEM(BPF_W, R3, R2, 0),
                    BPF_MOV64_REG(R0, R6), BPF_ALU64_REG(BPF_ADD, R0, R3), BPF_EXIT_INSN()));
    CHECK(is(&f, 3, EBPF_FACT_RESULT, 5));
    CHECK(is(&f, 5, EBPF_FACT_OPERAND, 5));
    text = after(&f, EBPF_PASS(facts) | EBPF_PASS(copy) | EBPF_PASS(dead));
    CHECK_STR(text, "v6 = load64 [v1+0]\nv0 = add v6, 5\nexit v0\n");
    text = after(&f, EBPF_PASS(copy) | EBPF_PASS(dead)); /* the switch */
    CHECK(strstr(text, "load32") != NULL);
    f.ctx[0] = 37;
    CHECK_EQ(result(&f), 42);
    end(&f);
}

TEST(facts_leave_data_alone_that_is_not_frozen)
{
    static struct facted f;

    memset(&f, 0, sizeof(f));
    add_map(&f, BPF_MAP_TYPE_ARRAY, 1, BPF_F_RDONLY_PROG);
    verify(&f, PROG(BPF_LD_MAP_VALUE(R2, 0, 4), BPF_LDX_MEM(BPF_W, R0, R2, 0), BPF_EXIT_INSN()));
    CHECK_EQ(flags(&f, 2), EBPF_FACT_REACHED);
    end(&f);
}

/* An argument that is the same in both calls. */
TEST(facts_tell_constant_operands_of_functions)
{
    static struct facted f;
    const char *text;

    begin(&f, PROG(CTX(R6, 0), BPF_MOV64_REG(R1, R6), BPF_MOV64_IMM(R2, 3), BPF_CALL_REL(1),
                   BPF_EXIT_INSN(), BPF_MOV64_REG(R0, R1), BPF_ALU64_REG(BPF_LSH, R0, R2),
                   BPF_ALU64_REG(BPF_ADD, R0, R2), BPF_EXIT_INSN()));
    CHECK(is(&f, 6, EBPF_FACT_OPERAND, 3));
    CHECK(is(&f, 7, EBPF_FACT_OPERAND, 3));
    text = after(&f, EBPF_PASS(facts) | EBPF_PASS(inline) | EBPF_PASS(copy) | EBPF_PASS(dead));
    CHECK(strstr(text, "lsh v6, 3") != NULL);
    CHECK(strstr(text, "add v0, 3") != NULL);
    f.ctx[0] = 2;
    CHECK_EQ(result(&f), 19);
    end(&f);
}

TEST(facts_of_loops_tell_a_step_and_no_sum)
{
    static struct facted f;

    begin(&f, PROG(BPF_MOV64_IMM(R0, 0), BPF_MOV64_IMM(R2, 4), BPF_MOV64_IMM(R3, 0),
                   BPF_ALU64_REG(BPF_ADD, R0, R2), BPF_ALU64_REG(BPF_SUB, R2, R3),
                   BPF_JMP_IMM(BPF_JLT, R0, 40, -3), BPF_EXIT_INSN()));
    CHECK(is(&f, 3, EBPF_FACT_OPERAND, 4) && flags(&f, 3) & EBPF_FACT_SMALL);
    CHECK(!(flags(&f, 3) & EBPF_FACT_RESULT));
    CHECK_EQ(result(&f), 40);
    end(&f);
}

/* ---- extensions ------------------------------------------------------------------------------ */

/* r6 is at most 99 behind the comparison: of its square, bit 31 is 0. */
TEST(facts_of_small_results_save_the_extension)
{
    static struct facted f;
    const uint32_t passes = EBPF_PASS(copy) | EBPF_PASS(forms) | EBPF_PASS(dead);
    const char *text;

    begin(&f, PROG(CTX(R6, 0), BPF_MOV64_IMM(R0, 0), BPF_JMP_IMM(BPF_JGT, R6, 99, 3),
                   BPF_MOV64_REG(R0, R6), BPF_ALU32_REG(BPF_MUL, R0, R6),
                   BPF_ALU64_REG(BPF_XOR, R0, R6), BPF_EXIT_INSN()));
    CHECK_EQ(flags(&f, 4), EBPF_FACT_REACHED | EBPF_FACT_SMALL);
    text = after(&f, passes);
    CHECK(strstr(text, "mul.w v6, v6") != NULL);
    text = after(&f, passes | EBPF_PASS(facts));
    CHECK(strstr(text, "mul.w.sx.small v6, v6") != NULL);
    f.ctx[0] = 99;
    CHECK_EQ(result(&f), (99 * 99) ^ 99);
    end(&f);
}

/* 2^31 is one too many. */
TEST(facts_of_results_with_bit_31_are_not_small)
{
    static struct facted f;

    begin(&f, PROG(CTX(R6, 0), BPF_MOV64_IMM(R0, 0), BPF_JMP_IMM(BPF_JGT, R6, 1, 3),
                   BPF_MOV64_REG(R0, R6), BPF_ALU32_IMM(BPF_ADD, R0, 0x7fffffff),
                   BPF_ALU32_IMM(BPF_ADD, R6, 0x7ffffffe), BPF_EXIT_INSN()));
    CHECK_EQ(flags(&f, 4), EBPF_FACT_REACHED);
    CHECK_EQ(flags(&f, 5), EBPF_FACT_REACHED | EBPF_FACT_SMALL);
    f.ctx[0] = 1;
    CHECK_EQ(result(&f), 0x80000000);
    end(&f);
}

/* ---- maps ------------------------------------------------------------------------------------ */

#define KEY(off, value) \
    BPF_ST_MEM(BPF_W, R10, off, value), BPF_MOV64_REG(R2, R10), BPF_ALU64_IMM(BPF_ADD, R2, off)
#define LOOKUPS (EBPF_PASS(facts) | EBPF_PASS(lookup) | EBPF_PASS(copy) | EBPF_PASS(dead))

/* The map goes over the stack, so that no LD_IMM64 is near the call. */
TEST(facts_tell_which_map_a_call_is_for)
{
    static struct facted f;

    memset(&f, 0, sizeof(f));
    add_map(&f, BPF_MAP_TYPE_ARRAY, 4, 0);
    add_map(&f, BPF_MAP_TYPE_HASH, 4, 0);
    verify(&f, PROG(CTX(R6, 0), BPF_LD_MAP_FD(R3, 1), BPF_STX_MEM(BPF_DW, R10, R3, -16),
                    BPF_JMP_IMM(BPF_JEQ, R6, 0, 1), BPF_MOV64_IMM(R6, 1), KEY(-8, 7),
                    BPF_LDX_MEM(BPF_DW, R1, R10, -16), BPF_EMIT_CALL(MAP_DELETE), BPF_EXIT_INSN()));
    CHECK(flags(&f, 10) & EBPF_FACT_MAP && f.prog.code.facts[10].map == 1);
    CHECK(strstr(after(&f, EBPF_PASS(lookup)), "call helper 3") != NULL);
    CHECK(strstr(after(&f, EBPF_PASS(lookup) | EBPF_PASS(facts)), "call helper 3") == NULL);
    CHECK_EQ((int64_t)result(&f), -ENOENT);
    end(&f);
}

TEST(facts_tell_no_map_where_there_are_two)
{
    static struct facted f;

    memset(&f, 0, sizeof(f));
    add_map(&f, BPF_MAP_TYPE_HASH, 4, 0);
    add_map(&f, BPF_MAP_TYPE_HASH, 4, 0);
    verify(&f, PROG(CTX(R6, 0), BPF_LD_MAP_FD(R1, 0), BPF_JMP_IMM(BPF_JEQ, R6, 0, 2),
                    BPF_LD_MAP_FD(R1, 1), KEY(-8, 7), BPF_EMIT_CALL(MAP_DELETE), BPF_EXIT_INSN()));
    CHECK_EQ(flags(&f, 9), EBPF_FACT_REACHED);
    CHECK(strstr(after(&f, LOOKUPS), "call helper 3") != NULL);
    end(&f);
}

/* As an argument of a function, which the pass "inline" leaves alone here. */
TEST(facts_tell_maps_that_are_arguments)
{
    static struct facted f;

    memset(&f, 0, sizeof(f));
    add_map(&f, BPF_MAP_TYPE_HASH, 4, 0);
    verify(&f, PROG(BPF_LD_MAP_FD(R1, 0), BPF_CALL_REL(1), BPF_EXIT_INSN(), KEY(-8, 7),
                    BPF_EMIT_CALL(MAP_DELETE), BPF_EXIT_INSN()));
    CHECK(flags(&f, 7) & EBPF_FACT_MAP && f.prog.code.facts[7].map == 0);
    CHECK_EQ((int64_t)result(&f), -ENOENT);
    end(&f);
}

/* Stores before the branch, looks up behind it: r0 = the value, or 9 if there is none. */
#define LOOKUP_BEHIND_BRANCH(store)                                                               \
    CTX(R6, 0), store, BPF_JMP_IMM(BPF_JEQ, R6, 0, 1), BPF_MOV64_IMM(R6, 1),                      \
        BPF_MOV64_REG(R2, R10), BPF_ALU64_IMM(BPF_ADD, R2, -8), BPF_LD_MAP_FD(R1, 0),             \
        BPF_EMIT_CALL(MAP_LOOKUP), BPF_JMP_IMM(BPF_JEQ, R0, 0, 2), BPF_LDX_MEM(BPF_DW, R0, R0, 0), \
        BPF_EXIT_INSN(), BPF_MOV64_IMM(R0, 9), BPF_EXIT_INSN()

static void number_elements(struct ebpf_map *map)
{
    for (uint32_t key = 0; key < map->max_entries; key++) {
        uint64_t value = 100 + key;

        CHECK_EQ(map->ops->update(map, &key, &value, 0), 0);
    }
}

TEST(facts_of_constant_keys_leave_an_address)
{
    static struct facted f;
    const char *text;

    memset(&f, 0, sizeof(f));
    number_elements(add_map(&f, BPF_MAP_TYPE_ARRAY, 4, 0));
    verify(&f, PROG(LOOKUP_BEHIND_BRANCH(BPF_ST_MEM(BPF_W, R10, -8, 3))));
    CHECK(is(&f, 8, EBPF_FACT_KEY, 3) && flags(&f, 8) & EBPF_FACT_INSIDE);
    /* it is never NULL: the check went one way */
    CHECK_EQ(f.prog.code.insns[9].code, BPF_JMP | BPF_JA);
    CHECK_EQ(f.prog.code.insns[9].off, 0);
    text = after(&f, LOOKUPS);
    CHECK(strstr(text, "call") == NULL && strstr(text, "br v0") == NULL);
    CHECK(strstr(text, ">=") == NULL && strstr(text, "store") == NULL);
    CHECK_EQ(result(&f), 103);
    end(&f);
}

TEST(facts_of_keys_behind_the_end_are_none)
{
    static struct facted f;

    memset(&f, 0, sizeof(f));
    number_elements(add_map(&f, BPF_MAP_TYPE_ARRAY, 4, 0));
    verify(&f, PROG(LOOKUP_BEHIND_BRANCH(BPF_ST_MEM(BPF_W, R10, -8, 4))));
    CHECK(!(flags(&f, 8) & (EBPF_FACT_KEY | EBPF_FACT_INSIDE)));
    CHECK_EQ(result(&f), 9);
    end(&f);
}

TEST(facts_of_keys_in_per_cpu_arrays_leave_the_harts_number)
{
    static struct facted f;
    const char *text;

    memset(&f, 0, sizeof(f));
    number_elements(add_map(&f, BPF_MAP_TYPE_PERCPU_ARRAY, 4, 0));
    verify(&f, PROG(LOOKUP_BEHIND_BRANCH(BPF_ST_MEM(BPF_W, R10, -8, 2))));
    CHECK(is(&f, 8, EBPF_FACT_KEY, 2));
    text = after(&f, LOOKUPS);
    CHECK(strstr(text, "call helper") == NULL && strstr(text, "v10") == NULL);
    CHECK_EQ(result(&f), 102);
    end(&f);
}

/* Not constant, but with a mask: no comparison, and no NULL. */
#define MASKED(mask)                                                                            \
    CTX(R6, 0), BPF_MOV64_REG(R3, R6), BPF_ALU32_IMM(BPF_AND, R3, mask),                        \
        BPF_STX_MEM(BPF_W, R10, R3, -8), BPF_MOV64_REG(R2, R10), BPF_ALU64_IMM(BPF_ADD, R2, -8), \
        BPF_LD_MAP_FD(R1, 0), BPF_EMIT_CALL(MAP_LOOKUP), BPF_JMP_IMM(BPF_JEQ, R0, 0, 2),        \
        BPF_LDX_MEM(BPF_DW, R0, R0, 0), BPF_EXIT_INSN(), BPF_MOV64_IMM(R0, 9), BPF_EXIT_INSN()

TEST(facts_of_masked_keys_leave_no_comparison)
{
    static struct facted f;
    const uint32_t types[] = {BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY};
    const char *text;

    for (unsigned t = 0; t < 2; t++) {
        memset(&f, 0, sizeof(f));
        number_elements(add_map(&f, types[t], 4, 0));
        verify(&f, PROG(MASKED(3)));
        CHECK(flags(&f, 8) & EBPF_FACT_INSIDE && !(flags(&f, 8) & EBPF_FACT_KEY));
        text = after(&f, LOOKUPS);
        CHECK(strstr(text, ">= 4") == NULL && strstr(text, "br v0") == NULL);
        for (f.ctx[0] = 0; f.ctx[0] < 9; f.ctx[0]++)
            CHECK_EQ(result(&f), 100 + f.ctx[0] % 4);
        end(&f);
    }
}

TEST(facts_of_masks_that_are_too_wide_keep_the_comparison)
{
    static struct facted f;

    memset(&f, 0, sizeof(f));
    number_elements(add_map(&f, BPF_MAP_TYPE_ARRAY, 4, 0));
    verify(&f, PROG(MASKED(7)));
    CHECK(!(flags(&f, 8) & (EBPF_FACT_KEY | EBPF_FACT_INSIDE)));
    CHECK(strstr(after(&f, LOOKUPS), ">= 4") != NULL);
    for (f.ctx[0] = 0; f.ctx[0] < 9; f.ctx[0]++)
        CHECK_EQ(result(&f), f.ctx[0] % 8 < 4 ? 100 + f.ctx[0] % 4 : 9);
    end(&f);
}

/* The key is small on the first way only, and the second ends where they meet. */
TEST(facts_of_uncompared_keys_keep_the_comparison)
{
    static struct facted f;

    memset(&f, 0, sizeof(f));
    number_elements(add_map(&f, BPF_MAP_TYPE_ARRAY, 4, 0));
    verify(&f, PROG(CTX(R6, 0), BPF_MOV64_REG(R3, R6), BPF_JMP_IMM(BPF_JGT, R6, 90, 2),
                    BPF_ALU64_IMM(BPF_AND, R3, 3), BPF_JMP_A(1), BPF_MOV64_IMM(R4, 0),
                    BPF_STX_MEM(BPF_W, R10, R3, -8), BPF_MOV64_REG(R2, R10),
                    BPF_ALU64_IMM(BPF_ADD, R2, -8), BPF_LD_MAP_FD(R1, 0), BPF_EMIT_CALL(MAP_LOOKUP),
                    BPF_JMP_IMM(BPF_JEQ, R0, 0, 2), BPF_LDX_MEM(BPF_DW, R0, R0, 0), BPF_EXIT_INSN(),
                    BPF_MOV64_IMM(R0, 9), BPF_EXIT_INSN()));
    CHECK(strstr(f.log, "safe") != NULL);
    CHECK(!(flags(&f, 11) & EBPF_FACT_INSIDE));
    f.ctx[0] = 6;
    CHECK_EQ(result(&f), 102);
    f.ctx[0] = 91;
    CHECK_EQ(result(&f), 9);
    end(&f);
}

/* ---- pointers -------------------------------------------------------------------------------- */

/* The second comparison of a value with NULL goes one way only. */
TEST(facts_known_pointers_are_not_compared_again)
{
    static struct facted f;

    memset(&f, 0, sizeof(f));
    add_map(&f, BPF_MAP_TYPE_HASH, 4, 0);
    verify(&f, PROG(KEY(-8, 1), BPF_LD_MAP_FD(R1, 0), BPF_EMIT_CALL(MAP_LOOKUP),
                    BPF_JMP_IMM(BPF_JEQ, R0, 0, 3), BPF_JMP_IMM(BPF_JEQ, R0, 0, 2),
                    BPF_LDX_MEM(BPF_DW, R0, R0, 0), BPF_EXIT_INSN(), BPF_MOV64_IMM(R0, 9),
                    BPF_EXIT_INSN()));
    CHECK_EQ(f.prog.code.insns[6].code, BPF_JMP | BPF_JEQ);
    CHECK_EQ(f.prog.code.insns[7].code, BPF_JMP | BPF_JA);
    CHECK_EQ(result(&f), 9);
    end(&f);
}

TEST(facts_are_given_up_cleanly_wherever_memory_ends)
{
    static struct facted f;
    const struct bpf_insn insns[] = {MASKED(3)};

    for (unsigned n = 1; n < 30; n++) {
        struct ebpf_code *code = &f.prog.code;
        int err;

        memset(&f, 0, sizeof(f));
        add_map(&f, BPF_MAP_TYPE_ARRAY, 4, 0);
        verify(&f, insns, sizeof(insns) / sizeof(insns[0]));
        memcpy(code->insns, insns, sizeof(insns));
        resolve(&f, &code->insns[6]);
        ebpf_free(code->facts, code->insn_cnt * sizeof(*code->facts));
        code->facts = NULL;
        mock_fail_alloc(n);
        err = ebpf_verify(&f.prog);
        mock_fail_alloc(0);
        CHECK(!err || err == -ENOMEM);
        if (!err)
            CHECK_EQ(result(&f), 0);
        end(&f);
    }
}
