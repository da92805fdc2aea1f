/* SPDX-License-Identifier: MIT */
/* Stack traces, perf event arrays, user ring buffers, task storage: creation and what user mode may
 * do with them, here and in the Linux kernel that this machine runs. */
#include "tests/unit/host/linux_map.h"

#include "maps/stack_trace.h"
#include "tests/unit/insn.h"

static void compare_creation(const struct ebpf_map_spec *spec)
{
    struct ebpf_map *map;
    int fd = linux_create(spec, 0), err = ebpf_map_create(spec, &map);

    if (err != (fd < 0 ? fd : 0))
        test_fail(__FILE__, __LINE__, "type %u key %u value %u entries %u flags 0x%x: %d, Linux %d",
                  spec->type, spec->key_size, spec->value_size, spec->max_entries, spec->flags, err,
                  fd);
    if (fd >= 0)
        close(fd);
    if (!err)
        ebpf_obj_put(ebpf_map_obj(map));
}

/* base is a spec that is fine */
static void compare_specs(const struct ebpf_map_spec *base, uint32_t not_ours)
{
    static const uint32_t numbers[] = {0,  1,    2,    3,    4,    7,    8,     9,     12,      16,
                                       24, 1008, 1016, 1017, 1024, 4096, 12288, 65536, 1u << 20};
    struct ebpf_map_spec spec = *base;

    for (size_t i = 0; i < sizeof(numbers) / 4; i++) {
        spec = *base, spec.key_size = numbers[i];
        compare_creation(&spec);
        spec = *base, spec.value_size = numbers[i];
        compare_creation(&spec);
        spec = *base, spec.max_entries = numbers[i];
        compare_creation(&spec);
    }
    for (unsigned a = 0; a < 32; a++) {
        for (unsigned b = 0; b <= a; b++) {
            spec = *base, spec.flags = 1u << a | 1u << b;
            if (!(spec.flags & (not_ours | 1u << 16))) /* BPF_F_TOKEN_FD */
                compare_creation(&spec);
        }
    }
}

TEST(linux_agrees_on_creating_stack_traces)
{
    const struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_STACK_TRACE, .key_size = 4, .value_size = 80, .max_entries = 10};

    if (linux_usable())
        compare_specs(&spec, 0);
}

TEST(linux_agrees_on_creating_stack_traces_with_build_ids)
{
    const struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_STACK_TRACE,
                                       .key_size = 4,
                                       .value_size = 96,
                                       .max_entries = 10,
                                       .flags = BPF_F_STACK_BUILD_ID};

    if (linux_usable())
        compare_specs(&spec, 0);
}

/* ---- bpf_get_stack() ------------------------------------------------------------------------- */

/* get_stack(context, the map's only value, r3, r4), on a raw tracepoint's context, which nobody
 * attaches: what it returns. */
static int64_t linux_get_stack(int map, uint32_t size, uint64_t flags)
{
    const struct bpf_insn insns[] = {
        BPF_LD_MAP_VALUE(BPF_REG_2, map, 0), BPF_MOV64_IMM(BPF_REG_3, size),
        BPF_LD_IMM64(BPF_REG_4, flags),      BPF_EMIT_CALL(67),
        BPF_LD_MAP_VALUE(BPF_REG_1, map, 0), BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_0, 0),
        BPF_MOV64_IMM(BPF_REG_0, 0),         BPF_EXIT_INSN(),
    };
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT,
                           .insns = (uintptr_t)insns,
                           .insn_cnt = sizeof(insns) / sizeof(insns[0]),
                           .license = (uintptr_t) "GPL"};
    union bpf_attr run = {.test = {.prog_fd = 0}};
    uint64_t value[1024 / 8] = {1};
    uint32_t key = 0;
    int fd = linux_bpf(BPF_PROG_LOAD, &load, 72);

    CHECK(fd >= 0);
    run.test.prog_fd = (uint32_t)fd;
    CHECK_EQ(linux_bpf(BPF_PROG_TEST_RUN, &run, sizeof(run.test)), 0);
    CHECK_EQ(linux_element(map, BPF_MAP_LOOKUP_ELEM, &key, value, 0), 0);
    close(fd);
    return (int64_t)value[0];
}

/* Which flags and sizes are refused; of stacks, that both have one. */
TEST(linux_agrees_on_the_flags_of_get_stack)
{
    const struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 1024, .max_entries = 1};
    static const uint64_t flags[] = {0,
                                     1,
                                     255,
                                     BPF_F_USER_STACK,
                                     BPF_F_USER_BUILD_ID,
                                     BPF_F_USER_STACK | BPF_F_USER_BUILD_ID,
                                     BPF_F_FAST_STACK_CMP,
                                     BPF_F_REUSE_STACKID,
                                     1u << 12,
                                     1ull << 32};
    static const uint32_t sizes[] = {0, 4, 8, 12, 24, 32, 40, 64, 1024};
    uint64_t buf[1024 / 8];
    int map;

    if (!linux_usable())
        return;
    map = linux_create(&spec, 0);
    mock_stack_len = mock_user_stack_len = 3;
    for (size_t f = 0; f < sizeof(flags) / 8; f++) {
        for (size_t i = 0; i < sizeof(sizes) / 4; i++) {
            int64_t want = linux_get_stack(map, sizes[i], flags[f]);
            int64_t got = ebpf_stack_trace_get(NULL, buf, sizes[i], flags[f]);

            if ((got < 0 || want < 0 || !sizes[i]) && got != want)
                test_fail(__FILE__, __LINE__, "size %u flags 0x%llx: %lld, Linux %lld", sizes[i],
                          (unsigned long long)flags[f], (long long)got, (long long)want);
            CHECK(want < 0 || want % (flags[f] & BPF_F_USER_BUILD_ID ? 32 : 8) == 0);
        }
    }
    close(map);
}

/* How many frames are left, for as many frames as Linux finds here. */
TEST(linux_agrees_on_skipping_frames)
{
    const struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 1024, .max_entries = 1};
    uint64_t buf[1024 / 8];
    int map;

    if (!linux_usable())
        return;
    map = linux_create(&spec, 0);
    for (uint64_t user = 0; user <= BPF_F_USER_STACK; user += BPF_F_USER_STACK) {
        int64_t all = linux_get_stack(map, 1024, user);

        CHECK(all > 0 && all < 1016);
        mock_stack_len = mock_user_stack_len = (unsigned)all / 8;
        for (uint64_t skip = 0; skip < 256; skip++) {
            CHECK_EQ(ebpf_stack_trace_get(NULL, buf, 1024, user | skip),
                     linux_get_stack(map, 1024, user | skip));
            CHECK_EQ(ebpf_stack_trace_get(NULL, buf, 8, user | skip),
                     linux_get_stack(map, 8, user | skip));
        }
    }
    close(map);
}

TEST(linux_agrees_on_creating_user_ring_buffers)
{
    const struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_USER_RINGBUF, .max_entries = 4096};

    if (linux_usable())
        compare_specs(&spec, 0);
}

TEST(linux_agrees_on_creating_ring_buffers)
{
    const struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096};

    if (linux_usable())
        compare_specs(&spec, 0);
}

TEST(linux_agrees_on_creating_perf_event_arrays)
{
    const struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_PERF_EVENT_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 10};

    if (linux_usable())
        compare_specs(&spec, 0);
}

/* ---- what user mode may do ----------------------------------------------------------------- */

static void compare_element(struct ebpf_map *ours, int linux_fd, uint32_t key, uint64_t flags)
{
    uint8_t value[4096] = {0}, linux_value[4096] = {0};
    uint32_t next = 0, linux_next = 0;

    CHECK_EQ(ebpf_map_lookup(ours, &key, value),
             linux_element(linux_fd, BPF_MAP_LOOKUP_ELEM, &key, linux_value, 0));
    CHECK_EQ(ebpf_map_update(ours, &key, value, flags),
             linux_element(linux_fd, BPF_MAP_UPDATE_ELEM, &key, linux_value, flags));
    CHECK_EQ(ebpf_map_delete(ours, &key),
             linux_element(linux_fd, BPF_MAP_DELETE_ELEM, &key, NULL, 0));
    CHECK_EQ(ebpf_map_lookup_and_delete(ours, &key, value),
             linux_element(linux_fd, BPF_MAP_LOOKUP_AND_DELETE_ELEM, &key, linux_value, 0));
    CHECK_EQ(ebpf_map_next_key(ours, &key, &next),
             linux_element(linux_fd, BPF_MAP_GET_NEXT_KEY, &key, &linux_next, 0));
    CHECK_EQ(ebpf_map_next_key(ours, NULL, &next),
             linux_element(linux_fd, BPF_MAP_GET_NEXT_KEY, NULL, &linux_next, 0));
    CHECK_EQ(next, linux_next);
}

static void compare_elements(const struct ebpf_map_spec *spec)
{
    static const uint64_t flags[] = {0, 1, 2, 3, 4, 8, UINT64_MAX};
    static const uint32_t keys[] = {0, 1, 9, 10, 15, 16, 17, UINT32_MAX};
    struct ebpf_map *ours;
    int linux_fd = linux_create(spec, 0);

    REQUIRE(linux_fd >= 0 && !ebpf_map_create(spec, &ours));
    for (size_t k = 0; k < sizeof(keys) / 4; k++) {
        for (size_t f = 0; f < sizeof(flags) / 8; f++)
            compare_element(ours, linux_fd, keys[k], flags[f]);
    }
    close(linux_fd);
    ebpf_obj_put(ebpf_map_obj(ours));
}

TEST(linux_agrees_on_empty_stack_traces)
{
    const struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_STACK_TRACE, .key_size = 4, .value_size = 80, .max_entries = 10};

    if (linux_usable())
        compare_elements(&spec);
}

TEST(linux_agrees_on_empty_perf_event_arrays)
{
    const struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_PERF_EVENT_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 10};

    if (linux_usable())
        compare_elements(&spec);
}
