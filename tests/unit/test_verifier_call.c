/* SPDX-License-Identifier: MIT */
/* Calls of helpers: for each kind of argument and each effect one call that is fine and one that is
 * not. Prototypes that no helper of this build has are in test_verifier_arg.c. */
#include "tests/unit/verify_middle.h"

#include "src/verifier/access.h"
#include "src/verifier/call.h"

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R4 BPF_REG_4
#define R6 BPF_REG_6
#define R7 BPF_REG_7
#define R10 BPF_REG_10

#define MAP_LOOKUP 1
#define MAP_UPDATE 2
#define PROBE_READ 4
#define KTIME_GET_NS 5
#define TRACE_PRINTK 6
#define GET_CPU 8
#define TAIL_CALL 12
#define GET_COMM 16
#define MAP_PEEK 89
#define PROBE_READ_KERNEL_STR 115
#define RINGBUF_RESERVE 131
#define RINGBUF_SUBMIT 132
#define GET_FUNC_IP 173

static const struct ebpf_map_spec array8 = {
    .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 4};
static const struct ebpf_map_spec hash16 = {
    .type = BPF_MAP_TYPE_HASH, .key_size = 8, .value_size = 16, .max_entries = 4};
static const struct ebpf_map_spec ring = {.type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096};

#define SAYS(m, got, err, text)          \
    do {                                 \
        CHECK_EQ(got, err);              \
        CHECK_STR(middle_said(m), text); \
    } while (0)

static int call(struct middle *m, int id)
{
    return middle_step(m, BPF_EMIT_CALL(id));
}

/* ---- maps ------------------------------------------------------------------------------------ */

TEST(verifier_lookups_give_a_value_or_null)
{
    struct middle m;
    struct ebpf_map *map;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    map = middle_map(&m, 0, &hash16);
    middle_point(&m, R1, EBPF_KIND_MAP, map);
    middle_stack(&m, R2, -8);
    middle_number(&m, R3, 1, 1);
    CHECK_EQ(call(&m, MAP_LOOKUP), 0);
    CHECK_EQ(middle_reg(&m, R0)->kind, EBPF_KIND_MAP_VALUE);
    CHECK_EQ(middle_reg(&m, R0)->flags, EBPF_REG_OR_NULL);
    CHECK(middle_reg(&m, R0)->map == map);
    CHECK(middle_reg(&m, R0)->id != 0);
    for (unsigned reg = R1; reg <= BPF_REG_5; reg++)
        CHECK_EQ(middle_reg(&m, reg)->kind, EBPF_KIND_NOTHING);
    *middle_reg(&m, R6) = *middle_reg(&m, R0);
    ebpf_verify_null_known(&m.v, middle_reg(&m, R0)->id, false);
    CHECK_EQ(middle_reg(&m, R6)->flags, 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R2, R6, 8)), 0);
    middle_end(&m);
}

TEST(verifier_null_is_the_number_zero_in_all_copies)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    middle_point(&m, R0, EBPF_KIND_MAP_VALUE, middle_map(&m, 0, &hash16))->flags = EBPF_REG_OR_NULL;
    middle_reg(&m, R0)->id = 7;
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R10, R0, -8)), 0);
    ebpf_verify_null_known(&m.v, 7, true);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R6, R10, -8)), 0);
    CHECK_EQ(middle_reg(&m, R6)->kind, EBPF_KIND_SCALAR);
    CHECK_EQ(middle_reg(&m, R6)->var.full.umax, 0);
    middle_end(&m);
}

TEST(verifier_keys_and_values_are_as_long_as_the_map_says)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, false);
    middle_point(&m, R1, EBPF_KIND_MAP, middle_map(&m, 0, &hash16));
    middle_stack(&m, R2, -8);
    SAYS(&m, call(&m, MAP_LOOKUP), -EACCES, "invalid read from stack R2 off -8+0 size 8");
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_DW, R10, -8, 0)), 0);
    middle_stack(&m, R2, -4);
    SAYS(&m, call(&m, MAP_LOOKUP), -EINVAL, "invalid read from stack R2 off=-4 size=8");
    middle_point(&m, R2, EBPF_KIND_MEM, NULL)->mem_size = 7;
    SAYS(&m, call(&m, MAP_LOOKUP), -EACCES, "R2 min value is outside of the allowed memory range");
    middle_number(&m, R2, 0, 0);
    SAYS(&m, call(&m, MAP_LOOKUP), -EACCES,
         "R2 type=scalar expected=fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, "
         "trusted_ptr_");
    middle_stack(&m, R2, -8);
    middle_stack(&m, R3, -16);
    middle_number(&m, R4, 0, 0);
    CHECK_EQ(call(&m, MAP_UPDATE), -EACCES); /* 8 of the 16 bytes are not initialised */
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_DW, R10, -16, 0)), 0);
    CHECK_EQ(call(&m, MAP_UPDATE), 0);
    CHECK_EQ(middle_reg(&m, R0)->kind, EBPF_KIND_SCALAR);
    middle_end(&m);
}

TEST(verifier_maps_must_be_maps_and_fit)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    middle_number(&m, R1, 0, UINT64_MAX);
    middle_stack(&m, R2, -8);
    SAYS(&m, call(&m, MAP_LOOKUP), -EACCES, "R1 type=scalar expected=map_ptr");
    middle_point(&m, R1, EBPF_KIND_MAP, middle_map(&m, 0, &ring));
    CHECK_EQ(call(&m, MAP_LOOKUP), -EACCES); /* no key */
    middle_point(&m, R1, EBPF_KIND_MAP, middle_map(&m, 1, &array8));
    middle_number(&m, R2, 8, 8);
    middle_number(&m, R3, 0, 0);
    SAYS(&m, call(&m, RINGBUF_RESERVE), -EINVAL,
         "cannot pass map_type 2 into func bpf_ringbuf_reserve#131");
    middle_reg(&m, R1)->off = 8;
    CHECK_EQ(call(&m, RINGBUF_RESERVE), -EACCES);
    middle_end(&m);
}

TEST(verifier_an_array_element_that_is_surely_there_is_not_null)
{
    struct middle m;
    struct ebpf_map *map;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    map = middle_map(&m, 0, &array8);
    for (int key = 3; key <= 4; key++) {
        CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_W, R10, -8, key)), 0);
        middle_point(&m, R1, EBPF_KIND_MAP, map);
        middle_stack(&m, R2, -8);
        CHECK_EQ(call(&m, MAP_LOOKUP), 0);
        CHECK_EQ(middle_reg(&m, R0)->flags, key == 3 ? 0 : EBPF_REG_OR_NULL);
    }
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_DW, R10, -8, 3)), 0);
    middle_point(&m, R1, EBPF_KIND_MAP, map);
    middle_stack(&m, R2, -8);
    CHECK_EQ(call(&m, MAP_LOOKUP), 0);
    CHECK_EQ(middle_reg(&m, R0)->flags, EBPF_REG_OR_NULL); /* Linux looks for numbers of 4 bytes */
    middle_number(&m, R6, 0, 3);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_W, R10, R6, -8)), 0);
    middle_point(&m, R1, EBPF_KIND_MAP, map);
    middle_stack(&m, R2, -8);
    CHECK_EQ(call(&m, MAP_LOOKUP), 0);
    CHECK_EQ(middle_reg(&m, R0)->flags, EBPF_REG_OR_NULL); /* not one number */
    middle_end(&m);
}

TEST(verifier_inner_maps_are_what_a_lookup_gives)
{
    struct ebpf_map inner = {.type = BPF_MAP_TYPE_ARRAY, .lock_off = -1, .timer_off = -1};
    struct middle m;
    struct ebpf_map *map;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    map = middle_map(&m, 0, &array8);
    map->inner = &inner;
    middle_point(&m, R1, EBPF_KIND_MAP, map);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_W, R10, -8, 0)), 0);
    middle_stack(&m, R2, -8);
    CHECK_EQ(call(&m, MAP_LOOKUP), 0);
    CHECK_EQ(middle_reg(&m, R0)->flags, EBPF_REG_OR_NULL); /* nothing may be in the array there */
    ebpf_verify_null_known(&m.v, middle_reg(&m, R0)->id, false);
    CHECK_EQ(middle_reg(&m, R0)->kind, EBPF_KIND_MAP);
    CHECK(middle_reg(&m, R0)->map == &inner);
    map->inner = NULL;
    middle_end(&m);
}

/* ---- memory with a size ---------------------------------------------------------------------- */

TEST(verifier_sizes_are_bounded_and_memory_is_as_large)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_KPROBE, true);
    middle_stack(&m, R1, -64);
    middle_number(&m, R2, 0, 64);
    middle_number(&m, R3, 0, 0);
    CHECK_EQ(call(&m, PROBE_READ), 0);
    middle_stack(&m, R1, -64);
    middle_number(&m, R2, 0, 65);
    middle_number(&m, R3, 0, 0);
    SAYS(&m, call(&m, PROBE_READ), -EINVAL, "invalid write to stack R1 off=-64 size=65");
    middle_number(&m, R2, 0, UINT64_MAX);
    SAYS(&m, call(&m, PROBE_READ), -EACCES,
         "R2 min value is negative, either use unsigned or 'var &= const'");
    middle_number(&m, R2, 0, 1 << 29);
    SAYS(&m, call(&m, PROBE_READ), -EACCES,
         "R2 unbounded memory access, use 'var &= const' or 'if (var < const)'");
    middle_point(&m, R2, EBPF_KIND_CTX, NULL);
    SAYS(&m, call(&m, PROBE_READ), -EACCES, "R2 type=ctx expected=scalar");
    middle_number(&m, R1, 0, 0);
    middle_number(&m, R2, 0, 0);
    /* NULL, even for no bytes: the argument is not _OR_NULL */
    CHECK_EQ(call(&m, PROBE_READ), -EACCES);
    middle_stack(&m, R1, -16);
    middle_number(&m, R2, 0, 16);
    SAYS(&m, call(&m, GET_COMM), -EACCES, "R2 invalid zero-sized read: u64=[0,16]");
    middle_number(&m, R2, 1, 16);
    CHECK_EQ(call(&m, GET_COMM), 0);
    middle_end(&m);
}

TEST(verifier_buffers_of_a_known_size_are_written)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_KPROBE, false);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R6, R10, -8)), -EACCES);
    middle_stack(&m, R1, -16);
    middle_number(&m, R2, 16, 16);
    CHECK_EQ(call(&m, GET_COMM), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R6, R10, -8)), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R6, R10, -24)), -EACCES);
    middle_stack(&m, R1, -32);
    middle_number(&m, R2, 1, 16);
    CHECK_EQ(call(&m, GET_COMM), -EACCES); /* perhaps it writes less than it could */
    middle_stack(&m, R1, -16);
    middle_number(&m, R2, 1, 16);
    CHECK_EQ(call(&m, GET_COMM), 0);
    middle_end(&m);
}

TEST(verifier_buffers_make_spills_unknown)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_KPROBE, true);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R10, R1, -8)), 0);
    middle_stack(&m, R1, -16);
    middle_number(&m, R2, 1, 16);
    CHECK_EQ(call(&m, GET_COMM), 0);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R6, R10, -8)), 0);
    CHECK_EQ(middle_reg(&m, R6)->kind, EBPF_KIND_SCALAR);
    middle_end(&m);
    middle_begin(&m, BPF_PROG_TYPE_KPROBE, false);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R10, R1, -8)), 0);
    middle_stack(&m, R1, -8);
    middle_number(&m, R2, 8, 8);
    SAYS(&m, call(&m, GET_COMM), -EACCES, "attempt to corrupt spilled pointer on stack");
    middle_end(&m);
}

TEST(verifier_lengths_that_helpers_return_are_bounded)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_KPROBE, true);
    middle_stack(&m, R1, -64);
    middle_number(&m, R2, 0, 64);
    middle_number(&m, R3, 0, 0);
    CHECK_EQ(call(&m, PROBE_READ_KERNEL_STR), 0);
    CHECK_EQ(middle_reg(&m, R0)->var.full.smin, -4095);
    CHECK_EQ(middle_reg(&m, R0)->var.full.smax, 64);
    CHECK_EQ(call(&m, GET_CPU), 0);
    CHECK_EQ(middle_reg(&m, R0)->var.full.umax, ebpf_os_cpu_count() - 1);
    CHECK_EQ(call(&m, KTIME_GET_NS), 0);
    CHECK_EQ(middle_reg(&m, R0)->var.full.umax, UINT64_MAX);
    middle_end(&m);
}

/* ---- formats --------------------------------------------------------------------------------- */

#define SNPRINTF 165
#define FORMAT_SIZE 32u

/* bpf_snprintf(NULL, 0, fmt, r10 - 96, size) with the format in a map as .rodata is one */
static int print(struct middle *m, const char *fmt, uint64_t min, uint64_t max)
{
    char value[FORMAT_SIZE + 4] = "%d%d";
    uint32_t key = 0;

    memcpy(value + 4, fmt, strlen(fmt));
    __atomic_store_n(&m->maps[0]->use, 0, __ATOMIC_RELEASE);
    CHECK_EQ(ebpf_map_update(m->maps[0], &key, value, 0), 0);
    __atomic_store_n(&m->maps[0]->use, EBPF_MAP_FROZEN, __ATOMIC_RELEASE);
    middle_number(m, R1, 0, 0);
    middle_number(m, R2, 0, 0);
    middle_point(m, R3, EBPF_KIND_MAP_VALUE, m->maps[0])->off = 4;
    middle_stack(m, R4, -96);
    middle_number(m, BPF_REG_5, min, max);
    return call(m, SNPRINTF);
}

TEST(verifier_formats_of_snprintf_are_checked_at_load)
{
    static const struct {
        const char *fmt;
        uint64_t size;
        int err;
    } rows[] = {
        {"", 0, 0},
        {"text", 8, 0},
        {"%d", 0, -EINVAL},
        {"%d %llx", 8, -EINVAL},
        {"%d %llx", 16, 0},
        {"%d %llx", 96, 0},
        {"%%", 0, 0},
        {"%", 8, -EINVAL},
        {"%n", 8, -EINVAL},
        {"%f", 8, -EINVAL},
        {"%08lx %pK %pI4 %s.", 32, 0},
        {"%sx", 8, -EINVAL},
        {"%p5", 8, -EINVAL},
        {"\x80", 0, -EINVAL},
        {"a\x01", 0, -EINVAL},
        {"%d", 12, -EINVAL}, /* no array of 64-bit numbers */
    };
    struct ebpf_map_spec spec = array8;
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    spec.max_entries = 1;
    spec.value_size = FORMAT_SIZE + 4;
    spec.flags = BPF_F_RDONLY_PROG;
    middle_map(&m, 0, &spec);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int err = print(&m, rows[i].fmt, rows[i].size, rows[i].size);

        if (err != rows[i].err || (err && strcmp(middle_said(&m), "Invalid format string") != 0))
            test_fail(__FILE__, __LINE__, "\"%s\", %llu: %d, %s", rows[i].fmt,
                      (unsigned long long)rows[i].size, err, middle_said(&m));
    }
    /* how many arguments nobody knows: none that can be counted on, as on Linux */
    CHECK_EQ(print(&m, "text", 0, 8), 0);
    SAYS(&m, print(&m, "%d", 0, 15), -EINVAL, "Invalid format string");
    __atomic_store_n(&m.maps[0]->use, 0, __ATOMIC_RELEASE);
    middle_end(&m);
}

/* ---- who may call ---------------------------------------------------------------------------- */

TEST(verifier_helpers_are_for_those_who_may_call_them)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_KPROBE, true);
    SAYS(&m, call(&m, 100000), -EINVAL, "invalid func unknown#100000");
    SAYS(&m, call(&m, -1), -EINVAL, "invalid func unknown#-1");
    SAYS(&m, call(&m, 0), -EINVAL, "invalid func unknown#0");
    SAYS(&m, call(&m, 9), -EINVAL, "program of this type cannot use helper bpf_skb_store_bytes#9");
    SAYS(&m, call(&m, 212), -EINVAL, "invalid func unknown#212");
    m.prog.gpl = false;
    SAYS(&m, call(&m, PROBE_READ), -EINVAL,
         "cannot call GPL-restricted function from non-GPL compatible program");
    middle_point(&m, R1, EBPF_KIND_CTX, NULL);
    SAYS(&m, call(&m, GET_FUNC_IP), -EINVAL,
         "cannot call GPL-restricted function from non-GPL compatible program");
    m.prog.expected_attach_type = BPF_TRACE_KPROBE_MULTI;
    CHECK_EQ(call(&m, GET_FUNC_IP), 0);
    m.prog.gpl = true;
    m.prog.caps = EBPF_CAP_BPF;
    SAYS(&m, call(&m, PROBE_READ), -EINVAL,
         "program of this type cannot use helper bpf_probe_read#4");
    middle_end(&m);
}

/* What clang builds for kernels of several versions asks first, and calls helpers behind that. */
TEST(verifier_helpers_that_are_not_here_may_be_called_in_dead_code)
{
    static char log[4096];
    struct bpf_insn insns[] = {BPF_MOV64_IMM(R0, 0), BPF_JMP_IMM(BPF_JEQ, R0, 0, 1),
                               BPF_EMIT_CALL(0), BPF_EXIT_INSN()};
    struct ebpf_prog_spec spec = {.type = BPF_PROG_TYPE_KPROBE,
                                  .insns = insns,
                                  .insn_cnt = 4,
                                  .license = "GPL",
                                  .caps = EBPF_CAP_ALL,
                                  .log_level = 1,
                                  .log_buf = log,
                                  .log_size = sizeof(log)};
    static const int32_t absent[] = {9, 34, 37, 211, 212, 0xbad2310, -1};

    for (unsigned i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        struct ebpf_prog *prog = NULL;
        uint64_t ret = 1;

        insns[2].imm = absent[i];
        insns[1].imm = 0;
        CHECK_EQ(ebpf_prog_load(&spec, &prog), 0);
        CHECK(prog && ebpf_prog_run(prog, log, 0, &ret));
        CHECK_EQ(ret, 0);
        if (prog)
            ebpf_obj_put(ebpf_prog_obj(prog));
        insns[1].imm = 1;
        CHECK_EQ(ebpf_prog_load(&spec, &prog), -EINVAL);
        CHECK(strstr(log, i < 4 ? "program of this type cannot use helper bpf_"
                                : "invalid func unknown#"));
    }
    insns[2].imm = 34;
    CHECK_EQ(ebpf_prog_load(&spec, &(struct ebpf_prog *){NULL}), -EINVAL);
    CHECK(strstr(log, "program of this type cannot use helper bpf_get_hash_recalc#34"));
    insns[2].imm = 37;
    CHECK_EQ(ebpf_prog_load(&spec, &(struct ebpf_prog *){NULL}), -EINVAL);
    CHECK(strstr(log, "program of this type cannot use helper bpf_current_task_under_cgroup#37"));
}

TEST(verifier_printk_takes_registers_that_were_never_written)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_KPROBE, true);
    middle_stack(&m, R1, -8);
    middle_number(&m, R2, 8, 8);
    CHECK_EQ(call(&m, TRACE_PRINTK), 0);
    middle_number(&m, R1, 0, 0);
    middle_number(&m, R2, 8, 8);
    CHECK_EQ(call(&m, TRACE_PRINTK), -EACCES);
    middle_end(&m);
}

TEST(verifier_the_strict_mode_gives_helpers_no_addresses)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, false);
    middle_point(&m, R1, EBPF_KIND_MAP, middle_map(&m, 0, &array8));
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_DW, R10, -8, 0)), 0);
    middle_stack(&m, R2, -8);
    middle_stack(&m, R3, -8);
    middle_stack(&m, R4, -8);
    SAYS(&m, call(&m, MAP_UPDATE), -EACCES, "R4 leaks addr into helper function");
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R10, R10, -16)), 0);
    middle_stack(&m, R3, -16);
    middle_number(&m, R4, 0, 0);
    SAYS(&m, call(&m, MAP_UPDATE), -EACCES, "invalid read from stack R3 off -16+0 size 8");
    middle_end(&m);
}

TEST(verifier_packets_are_memory_for_some_helpers_only)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_KPROBE, true);
    middle_point(&m, R1, EBPF_KIND_PACKET, NULL)->range = 64;
    middle_number(&m, R2, 16, 16);
    SAYS(&m, call(&m, GET_COMM), -EACCES, "helper access to the packet is not allowed");
    middle_point(&m, R1, EBPF_KIND_MAP, middle_map(&m, 0, &array8));
    middle_point(&m, R2, EBPF_KIND_PACKET, NULL)->range = 4;
    CHECK_EQ(call(&m, MAP_LOOKUP), 0);
    middle_point(&m, R1, EBPF_KIND_MAP, m.maps[0]);
    middle_point(&m, R2, EBPF_KIND_PACKET, NULL)->range = 3;
    SAYS(&m, call(&m, MAP_LOOKUP), -EACCES, "R2 offset is outside of the packet");
    middle_end(&m);
}

/* ---- references ------------------------------------------------------------------------------ */

static void reserve(struct middle *m)
{
    middle_point(m, R1, EBPF_KIND_MAP, m->maps[0]);
    middle_number(m, R2, 16, 16);
    middle_number(m, R3, 0, 0);
    CHECK_EQ(call(m, RINGBUF_RESERVE), 0);
}

TEST(verifier_records_must_be_given_back)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    middle_map(&m, 0, &ring);
    CHECK_EQ(ebpf_verify_nothing_held(&m.v, "tail_call"), 0);
    reserve(&m);
    CHECK_EQ(m.state.ref_cnt, 1);
    SAYS(&m, ebpf_verify_nothing_held(&m.v, "tail_call"), -EINVAL,
         "tail_call would lead to reference leak");
    middle_stack(&m, R1, -8);
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_W, R2, R0, 0)), -EACCES);
    *middle_reg(&m, R6) = *middle_reg(&m, R0);
    ebpf_verify_null_known(&m.v, middle_reg(&m, R0)->id, false);
    CHECK_EQ(m.state.ref_cnt, 1);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_DW, R6, 8, 1)), 0);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_DW, R6, 9, 1)), -EACCES);
    CHECK_EQ(middle_step(&m, BPF_STX_MEM(BPF_DW, R10, R6, -8)), 0);
    middle_number(&m, R2, 0, 0);
    *middle_reg(&m, R1) = *middle_reg(&m, R6);
    middle_reg(&m, R1)->off = 8;
    SAYS(&m, call(&m, RINGBUF_SUBMIT), -EINVAL,
         "R1 must have zero offset when passed to release func or trusted arg to kfunc");
    middle_reg(&m, R1)->off = 0;
    CHECK_EQ(call(&m, RINGBUF_SUBMIT), 0);
    CHECK_EQ(m.state.ref_cnt, 0);
    CHECK_EQ(middle_reg(&m, R0)->kind, EBPF_KIND_NOTHING);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_DW, R6, 0, 1)), -EACCES); /* gone, in all copies */
    CHECK_EQ(middle_step(&m, BPF_LDX_MEM(BPF_DW, R7, R10, -8)), 0);
    CHECK_EQ(middle_reg(&m, R7)->kind, EBPF_KIND_SCALAR);
    CHECK_EQ(ebpf_verify_nothing_held(&m.v, "tail_call"), 0);
    middle_end(&m);
}

TEST(verifier_a_record_that_is_null_is_no_duty)
{
    struct middle m;
    uint32_t first;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    middle_map(&m, 0, &ring);
    reserve(&m);
    first = middle_reg(&m, R0)->id;
    *middle_reg(&m, R6) = *middle_reg(&m, R0);
    reserve(&m);
    CHECK_EQ(m.state.ref_cnt, 2);
    ebpf_verify_null_known(&m.v, first, true);
    CHECK_EQ(m.state.ref_cnt, 1);
    CHECK_EQ(middle_reg(&m, R6)->kind, EBPF_KIND_SCALAR);
    CHECK_EQ(middle_reg(&m, R0)->kind, EBPF_KIND_MEM);
    ebpf_verify_null_known(&m.v, middle_reg(&m, R0)->id, true);
    CHECK_EQ(m.state.ref_cnt, 0);
    middle_end(&m);
}

TEST(verifier_only_records_are_submitted)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    middle_map(&m, 0, &ring);
    middle_point(&m, R1, EBPF_KIND_MEM, NULL)->mem_size = 16;
    middle_number(&m, R2, 0, 0);
    SAYS(&m, call(&m, RINGBUF_SUBMIT), -EACCES, "R1 type=mem expected=ringbuf_mem");
    middle_number(&m, R1, 0, 0);
    SAYS(&m, call(&m, RINGBUF_SUBMIT), -EACCES, "R1 type=scalar expected=ringbuf_mem");
    middle_point(&m, R1, EBPF_KIND_MEM, NULL)->flags = EBPF_REG_RECORD;
    SAYS(&m, call(&m, RINGBUF_SUBMIT), -EINVAL,
         "R1 must be referenced when passed to release function");
    middle_point(&m, R1, EBPF_KIND_MAP, m.maps[0]);
    middle_number(&m, R2, 8, 16);
    middle_number(&m, R3, 0, 0);
    SAYS(&m, call(&m, RINGBUF_RESERVE), -EACCES, "R2 is not a known constant'");
    middle_end(&m);
}

TEST(verifier_references_need_memory)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    middle_map(&m, 0, &ring);
    middle_point(&m, R1, EBPF_KIND_MAP, m.maps[0]);
    middle_number(&m, R2, 16, 16);
    middle_number(&m, R3, 0, 0);
    mock_fail_alloc(1);
    CHECK_EQ(call(&m, RINGBUF_RESERVE), -ENOMEM);
    CHECK_EQ(m.state.ref_cnt, 0);
    middle_end(&m);
}
