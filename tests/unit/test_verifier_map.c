/* SPDX-License-Identifier: MIT */
/* Whole programs over maps, packets and callbacks: each rule with a program that keeps it and one
 * that does not. */
#include "tests/unit/verify_middle.h"

#define MAP_LOOKUP 1
#define KTIME_GET_NS 5
#define RINGBUF_RESERVE 131
#define RINGBUF_SUBMIT 132
#define RINGBUF_DISCARD 133
#define FOR_EACH_MAP_ELEM 164
#define LOOP 181

static const struct ebpf_map_spec hash48 = {
    .type = BPF_MAP_TYPE_HASH, .key_size = 8, .value_size = 48, .max_entries = 4};
static const struct ebpf_map_spec ring = {.type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096};

/* 0, or the errno; the log is checked for text where it is not NULL. */
static int run(const char *file, int line, uint32_t type, const struct ebpf_map_spec *spec,
               const char *text, const struct bpf_insn *insns, uint32_t count)
{
    static char log[65536];
    int err = middle_program(type, spec, insns, count, log, sizeof(log));

    if (text ? !strstr(log, text) : err != 0)
        test_fail(file, line, "%d, \"%s\" expected:\n%s", err, text ? text : "nothing", log);
    return err;
}

#define FINE(type, spec, ...)                                                                      \
    do {                                                                                           \
        const struct bpf_insn insns_[] = {__VA_ARGS__};                                            \
        CHECK_EQ(                                                                                  \
            run(__FILE__, __LINE__, type, spec, NULL, insns_, sizeof(insns_) / sizeof(insns_[0])), \
            0);                                                                                    \
    } while (0)
#define WRONG(type, spec, err, text, ...)                                                          \
    do {                                                                                           \
        const struct bpf_insn insns_[] = {__VA_ARGS__};                                            \
        CHECK_EQ(                                                                                  \
            run(__FILE__, __LINE__, type, spec, text, insns_, sizeof(insns_) / sizeof(insns_[0])), \
            err);                                                                                  \
    } while (0)

#define XDP BPF_PROG_TYPE_XDP
/* r0 = the value of key 0, or NULL */
#define LOOKUP                                                                          \
    BPF_ST_MEM(BPF_DW, 10, -8, 0), BPF_MOV64_REG(2, 10), BPF_ALU64_IMM(BPF_ADD, 2, -8), \
        BPF_LD_MAP_FD(1, 0), BPF_EMIT_CALL(MAP_LOOKUP)
#define RETURN_0 BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN()

TEST(verifier_lookups_are_compared_with_null)
{
    FINE(XDP, &hash48, LOOKUP, BPF_JMP_IMM(BPF_JEQ, 0, 0, 1), BPF_ST_MEM(BPF_DW, 0, 40, 7),
         RETURN_0);
    FINE(XDP, &hash48, LOOKUP, BPF_MOV64_REG(6, 0), BPF_JMP_IMM(BPF_JEQ, 0, 0, 1),
         BPF_ST_MEM(BPF_DW, 6, 40, 7), RETURN_0);
    WRONG(XDP, &hash48, -EACCES, "R0 invalid mem access 'map_value_or_null'", LOOKUP,
          BPF_ST_MEM(BPF_DW, 0, 40, 7), RETURN_0);
    WRONG(XDP, &hash48, -EACCES, "R0 invalid mem access 'scalar'", LOOKUP,
          BPF_JMP_IMM(BPF_JNE, 0, 0, 1), BPF_ST_MEM(BPF_DW, 0, 40, 7), RETURN_0);
    WRONG(XDP, &hash48, -EACCES,
          "invalid access to map value, value_size=48 off=41 size=8\nR0 min value is outside of "
          "the allowed memory range",
          LOOKUP, BPF_JMP_IMM(BPF_JEQ, 0, 0, 1), BPF_ST_MEM(BPF_DW, 0, 41, 7), RETURN_0);
}

TEST(verifier_indices_into_values_are_bounded_by_branches)
{
#define INDEXED(limit)                                                                        \
    LOOKUP, BPF_JMP_IMM(BPF_JEQ, 0, 0, 6), BPF_MOV64_REG(6, 0), BPF_LDX_MEM(BPF_DW, 1, 6, 0), \
        BPF_JMP_IMM(BPF_JGT, 1, limit, 3), BPF_ALU64_REG(BPF_ADD, 6, 1),                      \
        BPF_LDX_MEM(BPF_DW, 0, 6, 0), BPF_ST_MEM(BPF_B, 6, 7, 1), RETURN_0
    FINE(XDP, &hash48, INDEXED(40));
    WRONG(XDP, &hash48, -EACCES, "R6 max value is outside of the allowed memory range",
          INDEXED(41));
    WRONG(XDP, &hash48, -EACCES, "R6 unbounded memory access", INDEXED(0x7fffffff));
}

TEST(verifier_packets_are_compared_with_their_end)
{
    /* r2 = data, r3 = data_end; r0 = byte `off` if `len` bytes are there */
#define PACKET(op, len, off)                                                           \
    BPF_LDX_MEM(BPF_W, 2, 1, 0), BPF_LDX_MEM(BPF_W, 3, 1, 4), BPF_MOV64_IMM(0, 0),     \
        BPF_MOV64_REG(4, 2), BPF_ALU64_IMM(BPF_ADD, 4, len), BPF_JMP_REG(op, 4, 3, 1), \
        BPF_LDX_MEM(BPF_B, 0, 2, off), BPF_EXIT_INSN()
    FINE(XDP, &hash48, PACKET(BPF_JGT, 14, 13));
    FINE(XDP, &hash48, PACKET(BPF_JGE, 14, 14)); /* data + 14 < data_end: one byte more is there */
    WRONG(XDP, &hash48, -EACCES, "R2 offset is outside of the packet", PACKET(BPF_JGT, 14, 14));
    WRONG(XDP, &hash48, -EACCES, "R2 offset is outside of the packet", PACKET(BPF_JGE, 14, 15));
    WRONG(XDP, &hash48, -EACCES, "R2 offset is outside of the packet", PACKET(BPF_JLE, 14, 0));
}

TEST(verifier_records_are_given_back_on_every_path)
{
#define RESERVE \
    BPF_MOV64_IMM(2, 16), BPF_MOV64_IMM(3, 0), BPF_LD_MAP_FD(1, 0), BPF_EMIT_CALL(RINGBUF_RESERVE)
    FINE(XDP, &ring, RESERVE, BPF_JMP_IMM(BPF_JEQ, 0, 0, 4), BPF_ST_MEM(BPF_DW, 0, 8, 1),
         BPF_MOV64_REG(1, 0), BPF_MOV64_IMM(2, 0), BPF_EMIT_CALL(RINGBUF_SUBMIT), RETURN_0);
    WRONG(XDP, &ring, -EINVAL, "Unreleased reference id=", RESERVE, BPF_JMP_IMM(BPF_JEQ, 0, 0, 1),
          BPF_ST_MEM(BPF_DW, 0, 8, 1), RETURN_0);
    WRONG(XDP, &ring, -EINVAL, "BPF_EXIT instruction in main prog would lead to reference leak",
          RESERVE, RETURN_0);
    WRONG(XDP, &ring, -EACCES, "R1 type=scalar expected=ringbuf_mem", RESERVE,
          BPF_JMP_IMM(BPF_JEQ, 0, 0, 7), BPF_MOV64_REG(6, 0), BPF_MOV64_REG(1, 6),
          BPF_MOV64_IMM(2, 0), BPF_EMIT_CALL(RINGBUF_SUBMIT), BPF_MOV64_REG(1, 6),
          BPF_MOV64_IMM(2, 0), BPF_EMIT_CALL(RINGBUF_DISCARD), RETURN_0);
    WRONG(XDP, &ring, -EACCES, "R1 type=ringbuf_mem_or_null expected=ringbuf_mem", RESERVE,
          BPF_MOV64_REG(1, 0), BPF_MOV64_IMM(2, 0), BPF_EMIT_CALL(RINGBUF_SUBMIT), RETURN_0);
}

/* r2 = the function that begins `to` slots behind the first of this one */
#define FUNC(reg, to)                                                     \
    BPF_RAW_INSN(BPF_LD | BPF_DW | BPF_IMM, reg, BPF_PSEUDO_FUNC, 0, to), \
        BPF_RAW_INSN(0, 0, 0, 0, 0)

TEST(verifier_loops_call_back_with_their_context)
{
    /* the callback adds its index to a number on the caller's stack */
#define LOOP_PROGRAM(size, result)                                                            \
    BPF_ST_MEM(BPF_DW, 10, -8, 0), BPF_MOV64_IMM(1, 10), FUNC(2, 8), BPF_MOV64_REG(3, 10),    \
        BPF_ALU64_IMM(BPF_ADD, 3, -8), BPF_MOV64_IMM(4, 0), BPF_EMIT_CALL(LOOP),              \
        BPF_LDX_MEM(BPF_DW, 0, 10, -8), RETURN_0, /* the callback: */                         \
        BPF_LDX_MEM(size, 3, 2, 0), BPF_ALU64_REG(BPF_ADD, 3, 1), BPF_STX_MEM(size, 2, 3, 0), \
        BPF_MOV64_IMM(0, result), BPF_EXIT_INSN()
    FINE(XDP, &hash48, LOOP_PROGRAM(BPF_DW, 0));
    FINE(XDP, &hash48, LOOP_PROGRAM(BPF_DW, 1));
    WRONG(XDP, &hash48, -EINVAL, "should have been in [0, 1]", LOOP_PROGRAM(BPF_DW, 2));
    WRONG(XDP, &hash48, -EACCES, "R2 type=scalar expected=func", BPF_MOV64_IMM(1, 10),
          BPF_MOV64_IMM(2, 0), BPF_MOV64_IMM(3, 0), BPF_MOV64_IMM(4, 0), BPF_EMIT_CALL(LOOP),
          RETURN_0);
}

TEST(verifier_walks_over_maps_call_back_with_key_and_value)
{
#define WALK(access)                                                           \
    BPF_LD_MAP_FD(1, 0), FUNC(2, 6), BPF_MOV64_IMM(3, 0), BPF_MOV64_IMM(4, 0), \
        BPF_EMIT_CALL(FOR_EACH_MAP_ELEM), RETURN_0, /* the callback: */        \
        access, BPF_MOV64_IMM(0, 0), BPF_EXIT_INSN()
    FINE(XDP, &hash48, WALK(BPF_ST_MEM(BPF_DW, 3, 40, 1)));
    FINE(XDP, &hash48, WALK(BPF_LDX_MEM(BPF_DW, 0, 2, 0)));
    WRONG(XDP, &hash48, -EACCES, "invalid access to map value, value_size=48 off=48 size=8",
          WALK(BPF_ST_MEM(BPF_DW, 3, 48, 1)));
    WRONG(XDP, &hash48, -EACCES, "write to change key R2 not allowed",
          WALK(BPF_ST_MEM(BPF_DW, 2, 0, 1)));
    WRONG(XDP, &hash48, -EACCES, "invalid access to map key, key_size=8 off=1 size=8",
          WALK(BPF_LDX_MEM(BPF_DW, 0, 2, 1)));
    WRONG(XDP, &hash48, -EACCES, "R5 !read_ok", WALK(BPF_MOV64_REG(0, 5)));
}

TEST(verifier_gives_up_cleanly_wherever_memory_ends)
{
    static char log[4096];
    const struct bpf_insn insns[] = {RESERVE,
                                     BPF_MOV64_REG(6, 0),
                                     RESERVE,
                                     BPF_JMP_IMM(BPF_JEQ, 6, 0, 3),
                                     BPF_MOV64_REG(1, 6),
                                     BPF_MOV64_IMM(2, 0),
                                     BPF_EMIT_CALL(RINGBUF_SUBMIT),
                                     BPF_ST_MEM(BPF_DW, 10, -8, 0),
                                     RETURN_0};
    const struct bpf_insn good[] = {LOOKUP, BPF_JMP_IMM(BPF_JEQ, 0, 0, 2),
                                    BPF_STX_MEM(BPF_DW, 10, 0, -16), BPF_LDX_MEM(BPF_DW, 1, 0, 0),
                                    RETURN_0};
    int err;

    for (middle_fail_alloc = 1; middle_fail_alloc < 40; middle_fail_alloc++) {
        err = middle_program(XDP, &hash48, good, sizeof(good) / sizeof(good[0]), log, sizeof(log));
        CHECK(err == -ENOMEM || !err);
        CHECK(middle_fail_alloc > 1 || err == -ENOMEM);
    }
    for (middle_fail_alloc = 1; middle_fail_alloc < 40; middle_fail_alloc++) {
        err = middle_program(XDP, &ring, insns, sizeof(insns) / sizeof(insns[0]), log, sizeof(log));
        CHECK(err == -ENOMEM || err == -EINVAL); /* refused in any case: the second record stays */
    }
    middle_fail_alloc = 0;
}

TEST(verifier_dead_code_that_writes_r10_leaves_maps_alone)
{
    const struct bpf_insn insns[] = {BPF_LD_IMM64_RAW(1, BPF_PSEUDO_MAP_IDX, 0),
                                     BPF_MOV64_IMM(0, 0), BPF_JMP_IMM(BPF_JEQ, 0, 0, 1),
                                     BPF_ALU64_IMM(BPF_ADD, 10, 1), BPF_EXIT_INSN()};
    struct ebpf_prog_spec spec = {.type = XDP,
                                  .insns = insns,
                                  .insn_cnt = 6,
                                  .license = "GPL",
                                  .map_cnt = 1,
                                  .caps = EBPF_CAP_ALL};
    struct ebpf_prog *prog;
    struct ebpf_map *map;

    REQUIRE(!ebpf_map_create(&hash48, &map));
    spec.maps = &map;
    CHECK_EQ(ebpf_prog_load(&spec, &prog), 0);
    ebpf_obj_put(ebpf_prog_obj(prog));
    ebpf_obj_put(ebpf_map_obj(map));
}
