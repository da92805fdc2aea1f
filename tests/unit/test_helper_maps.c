/* SPDX-License-Identifier: MIT */
/* Helpers on top of maps and memory: dynptrs, perf events, stacks, locks, user ring buffers. */
#include "tests/unit/helper_util.h"

#include <ebpf/kprobe.h>

#include "helpers/dynptr.h"
#include "maps/map.h"
#include "tests/unit/tail_util.h"

static struct ebpf_map *make(uint32_t type, uint32_t key_size, uint32_t value_size,
                             uint32_t entries)
{
    const struct ebpf_map_spec spec = {
        .type = type, .key_size = key_size, .value_size = value_size, .max_entries = entries};
    struct ebpf_map *map = NULL;

    CHECK_EQ(ebpf_map_create(&spec, &map), 0);
    return map;
}

/* ---- dynptrs ------------------------------------------------------------------------------- */

TEST(dynptr_has_the_size_of_linux_s)
{
    CHECK_EQ(sizeof(struct ebpf_dynptr), 16);
}

TEST(dynptr_reads_and_writes_inside_only)
{
    char mem[16] = "0123456789abcde", buf[16];
    struct ebpf_dynptr d;

    CHECK_EQ(helper_call(197, reg(mem), 16, 0, reg(&d), 0), 0);
    CHECK_EQ(helper_call(201, reg(buf), 4, reg(&d), 3, 0), 0);
    CHECK(!memcmp(buf, "3456", 4));
    CHECK_EQ(helper_call(201, reg(buf), 4, reg(&d), 13, 0), -E2BIG);
    CHECK_EQ(helper_call(201, reg(buf), 17, reg(&d), 0, 0), -E2BIG);
    CHECK_EQ(helper_call(201, reg(buf), 2, reg(&d), UINT32_MAX, 0), -E2BIG);
    CHECK_EQ(helper_call(201, reg(buf), 4, reg(&d), 3, 1), -EINVAL);
    CHECK_EQ(helper_call(202, reg(&d), 12, reg("WXYZ"), 4, 0), 0);
    CHECK(!memcmp(mem, "0123456789abWXYZ", 16));
    CHECK_EQ(helper_call(202, reg(&d), 13, reg("wxyz"), 4, 0), -E2BIG);
    CHECK_EQ(helper_call(202, reg(&d), 12, reg("wxyz"), 4, 1), -EINVAL);
    CHECK(!memcmp(mem, "0123456789abWXYZ", 16));
    /* onto itself */
    CHECK_EQ(helper_call(202, reg(&d), 1, reg(mem), 8, 0), 0);
    CHECK(!memcmp(mem, "0012345679abWXYZ", 16));
    CHECK_EQ(helper_call(203, reg(&d), 4, 12, 0, 0), (int64_t)reg(mem + 4));
    CHECK_EQ(helper_call(203, reg(&d), 5, 12, 0, 0), 0);
}

TEST(dynptr_of_nothing_gives_nothing)
{
    char mem[16];
    struct ebpf_dynptr d;

    CHECK_EQ(helper_call(197, reg(mem), 16, 1, reg(&d), 0), -EINVAL);
    CHECK_EQ(helper_call(201, reg(mem), 1, reg(&d), 0, 0), -EINVAL);
    CHECK_EQ(helper_call(202, reg(&d), 0, reg(mem), 1, 0), -EINVAL);
    CHECK_EQ(helper_call(203, reg(&d), 0, 1, 0, 0), 0);
    CHECK_EQ(helper_call(197, reg(mem), 1 << 24, 0, reg(&d), 0), -E2BIG);
    CHECK(!d.data);
}

static int last(void *ctx, void *data, size_t size)
{
    CHECK_EQ(size, 8);
    *(uint64_t *)ctx = *(uint64_t *)data;
    return 0;
}

TEST(dynptr_of_a_record_is_submitted_or_discarded_once)
{
    struct ebpf_map *map = make(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096);
    uint64_t value = 0x123456789, got = 0;
    struct ebpf_dynptr d;

    CHECK_EQ(helper_call(198, reg(map), 8, 0, reg(&d), 0), 0);
    CHECK_EQ(helper_call(202, reg(&d), 0, reg(&value), 8, 0), 0);
    CHECK_EQ(helper_call(199, reg(&d), 0, 0, 0, 0), 0);
    CHECK(!d.data);
    CHECK_EQ(helper_call(199, reg(&d), 0, 0, 0, 0), 0); /* of nothing: does nothing */
    CHECK_EQ(helper_call(198, reg(map), 8, 0, reg(&d), 0), 0);
    CHECK_EQ(helper_call(200, reg(&d), 0, 0, 0, 0), 0);
    CHECK_EQ(ebpf_ringbuf_consume(map, last, &got), 1);
    CHECK_EQ(got, value);
    CHECK_EQ(helper_call(198, reg(map), 8, 1, reg(&d), 0), -EINVAL);
    CHECK_EQ(helper_call(198, reg(map), 1 << 24, 0, reg(&d), 0), -E2BIG);
    CHECK_EQ(helper_call(198, reg(map), 8192, 0, reg(&d), 0), -EINVAL); /* no room */
    CHECK(!d.data);
    CHECK_EQ(helper_call(200, reg(&d), 0, 0, 0, 0), 0);
    put_map(map);
}

/* ---- perf events, stacks ------------------------------------------------------------------- */

TEST(perf_event_output_refuses_flags_and_has_no_event)
{
    struct ebpf_map *map = make(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 4);

    CHECK_EQ(helper_call(25, 0, reg(map), 1ull << 32, reg("data"), 4), -EINVAL);
    CHECK_EQ(helper_call(25, 0, reg(map), 0, reg("data"), 4), -ENOENT);
    CHECK_EQ(helper_call(25, 0, reg(map), BPF_F_CURRENT_CPU, reg("data"), 4), -ENOENT);
    CHECK_EQ(helper_call(25, 0, reg(map), 4, reg("data"), 4), -E2BIG);
    put_map(map);
}

TEST(perf_event_read_value_clears_what_it_cannot_fill)
{
    struct ebpf_map *map = make(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 4);
    struct bpf_perf_event_value value;

    memset(&value, 0x55, sizeof(value));
    CHECK_EQ(helper_call(55, reg(map), 0, reg(&value), sizeof(value), 0), -ENOENT);
    CHECK(!value.counter && !value.enabled && !value.running);
    memset(&value, 0x55, sizeof(value));
    CHECK_EQ(helper_call(55, reg(map), 0, reg(&value), 8, 0), -EINVAL);
    CHECK(!value.counter && value.enabled);
    put_map(map);
}

TEST(stacks_are_what_the_hook_walks)
{
    uint64_t buf[4];

    mock_stack_len = 3;
    mock_stack[0] = 0x1000;
    mock_stack[1] = 0x2000;
    mock_stack[2] = 0x3000;
    mock_user_stack_len = 1;
    mock_user_stack[0] = 0x77;
    memset(buf, 0x55, sizeof(buf));
    CHECK_EQ(helper_call(67, 0, reg(buf), sizeof(buf), 0, 0), 24);
    CHECK(buf[0] == 0x1000 && buf[1] == 0x2000 && buf[2] == 0x3000 && !buf[3]);
    CHECK_EQ(helper_call(67, 0, reg(buf), sizeof(buf), 2, 0), 8); /* two left out */
    CHECK(buf[0] == 0x3000 && !buf[1]);
    CHECK_EQ(helper_call(67, 0, reg(buf), sizeof(buf), BPF_F_USER_STACK, 0), 8);
    CHECK_EQ(buf[0], 0x77);
    CHECK_EQ(helper_call(67, 0, reg(buf), sizeof(buf), 1ull << 30, 0), -EINVAL);
    CHECK(!buf[0]);
}

TEST(stack_numbers_name_the_same_stack)
{
    struct ebpf_map *map = make(BPF_MAP_TYPE_STACK_TRACE, 4, 8 * 8, 16);
    int64_t id;

    mock_stack_len = 2;
    mock_stack[0] = 0x1000;
    mock_stack[1] = 0x2000;
    id = helper_call(27, 0, reg(map), 0, 0, 0);
    CHECK(id >= 0 && id < 16);
    CHECK_EQ(helper_call(27, 0, reg(map), 0, 0, 0), id);
    CHECK_EQ(helper_call(27, 0, reg(map), 1ull << 30, 0, 0), -EINVAL);
    put_map(map);
}

/* ---- locks --------------------------------------------------------------------------------- */

TEST(spin_lock_is_taken_and_given_back)
{
    struct bpf_spin_lock lock = {0};

    helper_call(93, reg(&lock), 0, 0, 0, 0);
    CHECK_EQ(lock.val, 1);
    helper_call(94, reg(&lock), 0, 0, 0, 0);
    CHECK_EQ(lock.val, 0);
}

/* ---- task storage -------------------------------------------------------------------------- */

TEST(task_storage_belongs_to_the_task)
{
    const struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_TASK_STORAGE,
                                       .key_size = 4,
                                       .value_size = 8,
                                       .flags = BPF_F_NO_PREALLOC};
    struct ebpf_map *map = NULL;
    uint64_t start = 77, *value;
    unsigned long irq;
    int err = ebpf_map_create(&spec, &map);

    if (err) {
        test_skip("task storage wants more of its creator");
        return;
    }
    irq = ebpf_os_irq_save();
    CHECK_EQ(helper_call(156, reg(map), 5, 0, 0, 0), 0); /* not there, and not to be made */
    value = (uint64_t *)(uintptr_t)helper_call(156, reg(map), 5, reg(&start), 1, 0);
    CHECK(value && *value == 77);
    CHECK_EQ(helper_call(156, reg(map), 5, 0, 0, 0), (int64_t)reg(value));
    CHECK_EQ(helper_call(156, reg(map), 6, 0, 0, 0), 0);
    CHECK_EQ(helper_call(156, reg(map), 0, 0, 1, 0), 0); /* no task */
    CHECK_EQ(helper_call(157, reg(map), 5, 0, 0, 0), 0);
    CHECK_EQ(helper_call(157, reg(map), 5, 0, 0, 0), -ENOENT);
    CHECK_EQ(helper_call(157, reg(map), 0, 0, 0, 0), -EINVAL);
    ebpf_os_irq_restore(irq);
    put_map(map);
}

/* ---- user ring buffers --------------------------------------------------------------------- */

TEST(user_ringbuf_drain_of_an_empty_ring_calls_nobody)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct ebpf_map *map = make(BPF_MAP_TYPE_USER_RINGBUF, 0, 0, 4096);
        struct ebpf_prog *prog = load_on(
            jit, map,
            PROG(MAP_IDX(R1, 0), BPF_LD_IMM64_RAW(R2, BPF_PSEUDO_FUNC, 5), BPF_MOV64_IMM(R3, 0),
                 BPF_MOV64_IMM(R4, 0), BPF_EMIT_CALL(209), BPF_EXIT_INSN(),
                 /* function */
                 BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN()));
        uint64_t ctx = 0;

        CHECK_EQ(run(prog, &ctx), 0);
        put_prog(prog);
        put_map(map);
    }
}
