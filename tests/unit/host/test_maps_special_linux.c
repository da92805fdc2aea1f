/* SPDX-License-Identifier: MIT */
/* Stack traces, perf event arrays, user ring buffers, task storage: creation and what user mode may
 * do with them, here and in the Linux kernel that this machine runs. */
#include "tests/unit/host/linux_map.h"

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
        compare_specs(&spec, BPF_F_STACK_BUILD_ID);
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
