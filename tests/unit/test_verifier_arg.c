/* SPDX-License-Identifier: MIT */
/* Arguments of helpers, one by one: locks, timers, strings, outputs, dynptrs; each rule with one
 * that keeps it and one that does not. The prototypes are the tests' own. */
#include "tests/unit/verify_middle.h"

#include "src/verifier/access.h"
#include "src/verifier/call.h"
#include "src/verifier/dynptr.h"

#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R6 BPF_REG_6
#define R10 BPF_REG_10

#define KTIME_GET_NS 5
#define GET_COMM 16

static const struct ebpf_map_spec array8 = {
    .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 4};

#define SAYS(m, got, err, text)          \
    do {                                 \
        CHECK_EQ(got, err);              \
        CHECK_STR(middle_said(m), text); \
    } while (0)

static int call(struct middle *m, int id)
{
    return middle_step(m, BPF_EMIT_CALL(id));
}

static int argument(struct middle *m, enum ebpf_arg arg, struct ebpf_vcall *c)
{
    struct ebpf_helper helper = {.name = "test", .arg = {arg}};

    c->helper = &helper;
    m->log.line[0] = 0;
    return ebpf_verify_arg(&m->v, c, R1);
}

/* A map with a lock at 8 and a timer at 16. */
static struct ebpf_map *special_map(struct middle *m)
{
    struct ebpf_map_spec spec = array8;
    struct ebpf_map *map;

    spec.value_size = 32;
    map = middle_map(m, 0, &spec);
    map->lock_off = 8;
    map->timer_off = 16;
    return map;
}

static void special_end(struct middle *m)
{
    m->maps[0]->lock_off = m->maps[0]->timer_off = -1;
    middle_end(m);
}

TEST(verifier_one_lock_at_a_time_and_the_same_is_unlocked)
{
    struct ebpf_vcall lock = {.id = EBPF_FUNC_spin_lock}, unlock = {.id = EBPF_FUNC_spin_unlock};
    struct middle m;
    struct ebpf_map *map;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    map = special_map(&m);
    middle_point(&m, R1, EBPF_KIND_MAP_VALUE, map)->id = 5;
    SAYS(&m, argument(&m, ARG_SPIN_LOCK, &lock), -EINVAL,
         "off 0 doesn't point to 'struct bpf_spin_lock' that is at 8");
    middle_reg(&m, R1)->off = 8;
    SAYS(&m, argument(&m, ARG_SPIN_LOCK, &unlock), -EINVAL,
         "bpf_spin_unlock without taking a lock");
    CHECK_EQ(argument(&m, ARG_SPIN_LOCK, &lock), 0);
    SAYS(&m, argument(&m, ARG_SPIN_LOCK, &lock), -EINVAL,
         "Locking two bpf_spin_locks are not allowed");
    SAYS(&m, call(&m, KTIME_GET_NS), -EINVAL,
         "function calls are not allowed while holding a lock");
    SAYS(&m, ebpf_verify_nothing_held(&m.v, "tail_call"), -EINVAL,
         "tail_call cannot be used inside bpf_spin_lock-ed region");
    middle_reg(&m, R1)->id = 6;
    SAYS(&m, argument(&m, ARG_SPIN_LOCK, &unlock), -EINVAL, "bpf_spin_unlock of different lock");
    middle_reg(&m, R1)->id = 5;
    CHECK_EQ(argument(&m, ARG_SPIN_LOCK, &unlock), 0);
    CHECK_EQ(ebpf_verify_nothing_held(&m.v, "tail_call"), 0);
    middle_reg(&m, R1)->var = any_scalar(64);
    SAYS(&m, argument(&m, ARG_SPIN_LOCK, &lock), -EINVAL,
         "R1 doesn't have constant offset. bpf_spin_lock has to be at the constant offset");
    special_end(&m);
}

/* As Linux does it: what dead code names, or nobody uses, counts too. */
TEST(verifier_every_map_that_a_program_names_must_be_for_its_type)
{
    const struct bpf_insn insns[] = {
        BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, R1, BPF_PSEUDO_MAP_IDX, 0, 0),
        BPF_RAW_INSN(0, 0, 0, 0, 0), BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN()};
    char log[512] = "";
    struct ebpf_map *map;
    struct ebpf_prog_spec spec = {.type = BPF_PROG_TYPE_SOCKET_FILTER,
                                  .insns = insns,
                                  .insn_cnt = 4,
                                  .license = "GPL",
                                  .maps = &map,
                                  .map_cnt = 1,
                                  .caps = EBPF_CAP_ALL,
                                  .log_level = 1,
                                  .log_buf = log,
                                  .log_size = sizeof(log)};
    struct ebpf_prog *prog;

    CHECK_EQ(ebpf_map_create(&array8, &map), 0);
    map->lock_off = 0;
    CHECK_EQ(ebpf_prog_load(&spec, &prog), -EINVAL);
    CHECK(strstr(log, "socket filter progs cannot use bpf_spin_lock yet") != NULL);
    map->lock_off = -1;
    CHECK_EQ(ebpf_prog_load(&spec, &prog), 0);
    ebpf_obj_put(ebpf_prog_obj(prog));
    ebpf_obj_put(ebpf_map_obj(map));
}

TEST(verifier_tracing_programs_take_no_locks)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_KPROBE, true);
    special_map(&m);
    SAYS(&m, ebpf_verify_map_use(&m.v, m.maps[0]), -EINVAL,
         "tracing progs cannot use bpf_spin_lock yet");
    m.maps[0]->lock_off = -1;
    SAYS(&m, ebpf_verify_map_use(&m.v, m.maps[0]), -EINVAL,
         "tracing progs cannot use bpf_timer yet");
    special_end(&m);
    middle_begin(&m, BPF_PROG_TYPE_SOCKET_FILTER, true);
    special_map(&m);
    SAYS(&m, ebpf_verify_map_use(&m.v, m.maps[0]), -EINVAL,
         "socket filter progs cannot use bpf_spin_lock yet");
    m.maps[0]->lock_off = -1;
    CHECK_EQ(ebpf_verify_map_use(&m.v, m.maps[0]), 0);
    special_end(&m);
}

TEST(verifier_timers_belong_to_their_own_map)
{
    struct ebpf_helper init = {.name = "timer_init", .arg = {ARG_TIMER, ARG_MAP, ARG_ANYTHING}};
    struct ebpf_vcall c = {.helper = &init};
    struct middle m;
    struct ebpf_map *map;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    map = special_map(&m);
    middle_point(&m, R1, EBPF_KIND_MAP_VALUE, map)->off = 16;
    middle_point(&m, R2, EBPF_KIND_MAP, map);
    CHECK_EQ(ebpf_verify_arg(&m.v, &c, R1), 0);
    CHECK_EQ(ebpf_verify_arg(&m.v, &c, R2), 0);
    middle_map(&m, 1, &array8);
    middle_point(&m, R2, EBPF_KIND_MAP, m.maps[1]);
    SAYS(&m, ebpf_verify_arg(&m.v, &c, R2), -EINVAL,
         "timer pointer in R1 map_uid=0 doesn't match map pointer in R2 map_uid=0");
    c.map = NULL;
    middle_reg(&m, R1)->off = 8;
    SAYS(&m, ebpf_verify_arg(&m.v, &c, R1), -EINVAL,
         "off 8 doesn't point to 'struct bpf_timer' that is at 16");
    special_end(&m);
}

TEST(verifier_outputs_of_one_number_are_aligned)
{
    struct ebpf_vcall c = {.id = 1};
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, false);
    middle_stack(&m, R1, -8);
    CHECK_EQ(argument(&m, ARG_LONG_OUT, &c), 0);
    CHECK_EQ(c.raw[R1], 8);
    middle_stack(&m, R1, -12);
    SAYS(&m, argument(&m, ARG_LONG_OUT, &c), -EACCES, "misaligned stack access off 0+-12+0 size 8");
    CHECK_EQ(argument(&m, ARG_INT_OUT, &c), 0);
    SAYS(&m, argument(&m, ARG_INT_INOUT, &c), -EACCES,
         "invalid write to stack R1 off -12+0 size 4");
    middle_stack(&m, R1, -40);
    SAYS(&m, argument(&m, ARG_MEM_40, &c), -EACCES, "invalid read from stack R1 off -40+0 size 40");
    middle_point(&m, R1, EBPF_KIND_MEM, NULL)->mem_size = 20;
    CHECK_EQ(argument(&m, ARG_MEM_20, &c), 0);
    CHECK_EQ(argument(&m, ARG_MEM_40, &c), -EACCES);
    middle_end(&m);
}

TEST(verifier_strings_are_constant_and_end)
{
    struct ebpf_map_spec spec = array8;
    struct ebpf_vcall c = {.id = 1};
    uint32_t key = 0;
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    spec.max_entries = 1;
    spec.flags = BPF_F_RDONLY_PROG;
    middle_map(&m, 0, &spec);
    CHECK_EQ(ebpf_map_update(m.maps[0], &key, "abc\0defg", 0), 0);
    middle_point(&m, R1, EBPF_KIND_MAP_VALUE, m.maps[0]);
    SAYS(&m, argument(&m, ARG_CONST_STR, &c), -EACCES, "R1 does not point to a readonly map'");
    __atomic_store_n(&m.maps[0]->use, EBPF_MAP_FROZEN, __ATOMIC_RELEASE);
    CHECK_EQ(argument(&m, ARG_CONST_STR, &c), 0);
    middle_reg(&m, R1)->off = 4;
    SAYS(&m, argument(&m, ARG_CONST_STR, &c), -EINVAL, "string is not zero-terminated");
    middle_reg(&m, R1)->off = 8;
    CHECK_EQ(argument(&m, ARG_CONST_STR, &c), -EACCES);
    middle_reg(&m, R1)->off = -1;
    CHECK_EQ(argument(&m, ARG_CONST_STR, &c), -EACCES);
    middle_reg(&m, R1)->var = any_scalar(64);
    SAYS(&m, argument(&m, ARG_CONST_STR, &c), -EACCES, "R1 is not a constant address'");
    __atomic_store_n(&m.maps[0]->use, 0, __ATOMIC_RELEASE);
    middle_end(&m);
}

TEST(verifier_contexts_are_passed_as_they_are)
{
    struct ebpf_vcall c = {.id = 1};
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    CHECK_EQ(argument(&m, ARG_CTX, &c), 0);
    middle_reg(&m, R1)->off = 8;
    SAYS(&m, argument(&m, ARG_CTX, &c), -EACCES,
         "dereference of modified ctx ptr R1 off=8 disallowed");
    middle_number(&m, R1, 0, 0);
    SAYS(&m, argument(&m, ARG_CTX, &c), -EACCES, "R1 type=scalar expected=ctx");
    CHECK_EQ(argument(&m, ARG_CTX_OR_NULL, &c), 0);
    CHECK_EQ(argument(&m, ARG_STACK_OR_NULL, &c), 0);
    middle_number(&m, R1, 0, 1);
    SAYS(&m, argument(&m, ARG_STACK_OR_NULL, &c), -EACCES, "R1 type=scalar expected=fp");
    SAYS(&m, argument(&m, ARG_FUNC, &c), -EACCES, "R1 type=scalar expected=func");
    SAYS(&m, argument(&m, ARG_TASK, &c), -EACCES,
         "R1 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_");
    SAYS(&m, argument(&m, ARG_SOCK_COMMON, &c), -EACCES,
         "R1 type=scalar expected=sock_common, sock, tcp_sock, xdp_sock");
    middle_point(&m, R1, EBPF_KIND_SOCK, NULL);
    CHECK_EQ(argument(&m, ARG_SOCK_COMMON, &c), 0);
    SAYS(&m, argument(&m, ARG_SOCK_RELEASE, &c), -EINVAL,
         "R1 must be referenced when passed to release function");
    middle_point(&m, R1, EBPF_KIND_BTF, NULL);
    CHECK_EQ(argument(&m, ARG_SOCK_COMMON_BTF, &c), -EACCES); /* a struct, but no socket */
    middle_end(&m);
}

/* ---- dynptrs --------------------------------------------------------------------------------- */

TEST(verifier_dynptrs_are_made_used_and_overwritten)
{
    struct ebpf_vcall c = {.id = 1};
    struct middle m;
    struct ebpf_vreg *slice;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    middle_stack(&m, R1, -16);
    SAYS(&m, argument(&m, ARG_DYNPTR, &c), -EINVAL, "Expected an initialized dynptr as arg #0");
    SAYS(&m, argument(&m, ARG_DYNPTR_UNINIT_MEM, &c), -EACCES,
         "Unsupported reg type fp for bpf_dynptr_from_mem data");
    CHECK_EQ(ebpf_verify_dynptr_make(&m.v, R1, false), 0);
    CHECK_EQ(argument(&m, ARG_DYNPTR, &c), 0);
    CHECK(c.dynptr != 0);
    SAYS(&m, argument(&m, ARG_DYNPTR_RINGBUF, &c), -EINVAL,
         "Expected a dynptr of type ringbuf as arg #0");
    slice = middle_point(&m, R6, EBPF_KIND_MEM, NULL);
    slice->mem_size = 8;
    slice->ref = c.dynptr;
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_DW, R6, 0, 0)), 0);
    SAYS(&m, middle_step(&m, BPF_LDX_MEM(BPF_DW, R2, R10, -16)), -EACCES,
         "invalid read from stack off -16+0 size 8");
    middle_stack(&m, R1, -8);
    CHECK_EQ(argument(&m, ARG_DYNPTR, &c), -EINVAL);
    middle_stack(&m, R1, -24);
    CHECK_EQ(argument(&m, ARG_DYNPTR, &c), -EINVAL); /* its start is further up */
    middle_stack(&m, R1, -20);
    SAYS(&m, argument(&m, ARG_DYNPTR, &c), -EINVAL, "cannot pass in dynptr at an offset=-20");
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_B, R10, -9, 0)), 0);
    CHECK_EQ(middle_step(&m, BPF_ST_MEM(BPF_DW, R6, 0, 0)), -EACCES); /* the slice went with it */
    middle_stack(&m, R1, -16);
    CHECK_EQ(argument(&m, ARG_DYNPTR, &c), -EINVAL);
    middle_end(&m);
}

TEST(verifier_dynptrs_over_records_are_duties)
{
    struct ebpf_vcall c = {.id = 1};
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_XDP, true);
    middle_stack(&m, R1, -16);
    CHECK_EQ(argument(&m, ARG_DYNPTR_UNINIT_RINGBUF, &c), 0);
    CHECK_EQ(m.state.ref_cnt, 1);
    SAYS(&m, middle_step(&m, BPF_ST_MEM(BPF_B, R10, -1, 0)), -EINVAL,
         "cannot overwrite referenced dynptr");
    CHECK_EQ(argument(&m, ARG_DYNPTR_UNINIT_RINGBUF, &c), -EINVAL);
    CHECK_EQ(argument(&m, ARG_DYNPTR_RINGBUF, &c), 0);
    CHECK_EQ(m.state.ref_cnt, 0);
    CHECK_EQ(argument(&m, ARG_DYNPTR_RINGBUF, &c), -EINVAL); /* once */
    middle_end(&m);
}

TEST(verifier_buffers_and_dynptrs_do_not_overlap)
{
    struct middle m;

    middle_begin(&m, BPF_PROG_TYPE_KPROBE, true);
    middle_stack(&m, R1, -16);
    CHECK_EQ(ebpf_verify_dynptr_make(&m.v, R1, false), 0);
    middle_stack(&m, R1, -32);
    middle_number(&m, R2, 32, 32);
    SAYS(&m, call(&m, GET_COMM), -EACCES, "potential write to dynptr at off=-16 disallowed");
    middle_number(&m, R2, 1, 32);
    SAYS(&m, call(&m, GET_COMM), -EACCES, "invalid write to stack R1 off -32+16 size 32");
    middle_end(&m);
}
