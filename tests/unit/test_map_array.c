/* SPDX-License-Identifier: MIT */
/* Array and per-CPU array maps, and what all map types share at creation. */
#include "tests/unit/test.h"

#include <ebpf/ebpf.h>

#include "maps/array.h"
#include "maps/value.h"

static int create(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags,
                  struct ebpf_map **map)
{
    struct ebpf_map_spec spec = {.type = type,
                                 .key_size = key,
                                 .value_size = value,
                                 .max_entries = entries,
                                 .flags = flags,
                                 .name = "m"};

    *map = NULL;
    return ebpf_map_create(&spec, map);
}

static void put(struct ebpf_map *map)
{
    if (map)
        ebpf_obj_put(ebpf_map_obj(map));
}

/* The errno of a creation, which is undone. */
static int try_create(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
    struct ebpf_map *map;
    int err = create(type, key, value, entries, flags, &map);

    put(map);
    return err;
}

static int try_name(const char *name, size_t len)
{
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    struct ebpf_map *map;
    int err;

    memcpy(spec.name, name, len);
    err = ebpf_map_create(&spec, &map);
    if (!err)
        put(map);
    return err;
}

TEST(map_types_that_are_not_there_are_refused)
{
    CHECK_EQ(try_create(BPF_MAP_TYPE_UNSPEC, 4, 4, 1, 0), -EINVAL);
    CHECK_EQ(try_create(200, 4, 4, 1, 0), -EINVAL);
    CHECK_EQ(try_create(UINT32_MAX, 4, 4, 1, 0), -EINVAL);
    CHECK(!ebpf_map_ops(28));
    CHECK_STR(ebpf_map_ops(BPF_MAP_TYPE_PERCPU_ARRAY)->name, "percpu_array");
}

TEST(map_names_follow_linux)
{
    CHECK_EQ(try_name("", 0), 0);
    CHECK_EQ(try_name("a.b_9Z", 6), 0);
    CHECK_EQ(try_name("abcdefghijklmno", 15), 0);
    CHECK_EQ(try_name("abcdefghijklmnop", 16), -EINVAL); /* no NUL */
    CHECK_EQ(try_name("a b", 3), -EINVAL);
    CHECK_EQ(try_name("a-b", 3), -EINVAL);
    CHECK_EQ(try_name("a@", 2), -EINVAL);
    CHECK_EQ(try_name("a[", 2), -EINVAL);
    CHECK_EQ(try_name("a{", 2), -EINVAL);
    CHECK_EQ(try_name("ab\0-\x01", 5), 0); /* behind the NUL anything goes */
    CHECK_EQ(try_name("\xe9", 1), 0);      /* Latin-1 letter */
    CHECK_EQ(try_name("\xd7", 1), -EINVAL);
    CHECK_EQ(try_name("\xa1", 1), -EINVAL);
}

TEST(map_name_is_kept_without_what_stands_behind_it)
{
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    struct ebpf_map_spec back;
    struct ebpf_map *map;

    memcpy(spec.name, "ab\0cd", 5);
    REQUIRE(!ebpf_map_create(&spec, &map));
    ebpf_map_spec(map, &back);
    CHECK_EQ(memcmp(back.name, "ab\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16), 0);
    CHECK_EQ(back.type, BPF_MAP_TYPE_ARRAY);
    CHECK_EQ(back.key_size, 4);
    CHECK_EQ(back.max_entries, 1);
    CHECK_STR(ebpf_obj_kind(ebpf_map_obj(map)), "bpf-map");
    put(map);
}

TEST(map_flags_each_type_takes_its_own)
{
    const uint32_t access = BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;
    const struct {
        uint32_t type, accepted;
    } rows[] = {
        {BPF_MAP_TYPE_HASH, access | BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_ZERO_SEED},
        {BPF_MAP_TYPE_ARRAY, access | BPF_F_NUMA_NODE | BPF_F_MMAPABLE | BPF_F_INNER_MAP},
        {BPF_MAP_TYPE_PERCPU_ARRAY, access},
    };

    for (size_t i = 0; i < 3; i++) {
        for (unsigned bit = 0; bit < 32; bit++)
            CHECK_EQ(try_create(rows[i].type, 4, 8, 1, 1u << bit),
                     rows[i].accepted & 1u << bit ? 0 : -EINVAL);
        CHECK_EQ(try_create(rows[i].type, 4, 8, 1, BPF_F_RDONLY | BPF_F_WRONLY), -EINVAL);
        CHECK_EQ(try_create(rows[i].type, 4, 8, 1, BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG), -EINVAL);
        CHECK_EQ(try_create(rows[i].type, 4, 8, 1, BPF_F_RDONLY | BPF_F_WRONLY_PROG), 0);
    }
}

TEST(array_creation_errors_are_linux_s)
{
    const uint32_t types[] = {BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY};

    for (size_t i = 0; i < 2; i++) {
        CHECK_EQ(try_create(types[i], 8, 8, 1, 0), -EINVAL);
        CHECK_EQ(try_create(types[i], 0, 8, 1, 0), -EINVAL);
        CHECK_EQ(try_create(types[i], 4, 0, 1, 0), -EINVAL);
        CHECK_EQ(try_create(types[i], 4, 8, 0, 0), -EINVAL);
        CHECK_EQ(try_create(types[i], 4, 0x80000000u, 1, 0), -E2BIG);
        CHECK_EQ(try_create(types[i], 4, UINT32_MAX, 1, 0), -E2BIG);
        CHECK_EQ(try_create(types[i], 4, 8, UINT32_MAX, 0), -ENOMEM);
    }
    CHECK_EQ(try_create(BPF_MAP_TYPE_ARRAY, 4, 0x7fffffff, UINT32_MAX, 0), -ENOMEM);
    CHECK_EQ(try_create(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 32768, 1, 0), 0);
    CHECK_EQ(try_create(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 32769, 1, 0), -E2BIG);
    CHECK_EQ(try_create(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 32768, UINT32_MAX, 0), -ENOMEM);
}

TEST(map_creation_survives_every_failing_allocation)
{
    const uint32_t types[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY};

    for (size_t i = 0; i < 3; i++) {
        unsigned n = 1;

        for (;; n++) {
            struct ebpf_map *map;
            size_t blocks = mock_live_blocks();
            int err;

            mock_fail_alloc(n);
            err = create(types[i], 4, 8, 10, 0, &map);
            if (!mock_alloc_failed()) {
                CHECK_EQ(err, 0);
                put(map);
                break;
            }
            CHECK_EQ(err, -ENOMEM);
            CHECK_EQ(mock_live_blocks(), blocks);
        }
        CHECK(n > 1);
        mock_fail_alloc(0);
    }
}

TEST(array_starts_with_zeros_and_keeps_values)
{
    struct ebpf_map *map;
    uint32_t key = 2;
    uint8_t value[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, got[12];

    REQUIRE(!create(BPF_MAP_TYPE_ARRAY, 4, 12, 3, 0, &map));
    CHECK_EQ(ebpf_map_value_size(map), 12);
    memset(got, 0xff, sizeof(got));
    CHECK_EQ(ebpf_map_lookup(map, &key, got), 0);
    CHECK_EQ(memcmp(got, "\0\0\0\0\0\0\0\0\0\0\0\0", 12), 0);
    CHECK_EQ(ebpf_map_update(map, &key, value, BPF_ANY), 0);
    CHECK_EQ(ebpf_map_lookup(map, &key, got), 0);
    CHECK_EQ(memcmp(got, value, 12), 0);
    key = 1; /* the neighbour is untouched */
    CHECK_EQ(ebpf_map_lookup(map, &key, got), 0);
    CHECK_EQ(memcmp(got, "\0\0\0\0\0\0\0\0\0\0\0\0", 12), 0);
    put(map);
}

TEST(array_operation_errors_are_linux_s)
{
    const uint32_t types[] = {BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY};
    uint64_t value[8] = {0};

    for (size_t i = 0; i < 2; i++) {
        struct ebpf_map *map;
        uint32_t key = 3, next;

        REQUIRE(!create(types[i], 4, 8, 3, 0, &map));
        CHECK_EQ(ebpf_map_lookup(map, &key, value), -ENOENT);
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_ANY), -E2BIG);
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_NOEXIST), -E2BIG);
        CHECK_EQ(ebpf_map_delete(map, &key), -EINVAL);
        key = 0;
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_NOEXIST), -EEXIST);
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_EXIST), 0);
        CHECK_EQ(ebpf_map_update(map, &key, value, 3), -EINVAL);
        CHECK_EQ(ebpf_map_update(map, &key, value, 8), -EINVAL);
        CHECK_EQ(ebpf_map_update(map, &key, value, 1ull << 32), -EINVAL);
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_F_LOCK), -EINVAL);
        CHECK_EQ(map->ops->update(map, &key, value, BPF_F_LOCK), -EINVAL);
        CHECK_EQ(map->ops->update(map, &key, value, BPF_F_LOCK | BPF_NOEXIST), -EEXIST);
        CHECK_EQ(ebpf_map_delete(map, &key), -EINVAL);
        CHECK_EQ(ebpf_map_next_key(map, NULL, &next), 0);
        CHECK_EQ(next, 0);
        CHECK_EQ(ebpf_map_next_key(map, &key, &next), 0);
        CHECK_EQ(next, 1);
        key = 2;
        CHECK_EQ(ebpf_map_next_key(map, &key, &next), -ENOENT);
        key = UINT32_MAX;
        CHECK_EQ(ebpf_map_next_key(map, &key, &next), 0);
        CHECK_EQ(next, 0);
        put(map);
    }
}

TEST(array_program_lookup_gives_the_value_in_place)
{
    struct ebpf_map *map;
    uint32_t key = 1;
    uint64_t *in_place, got;

    REQUIRE(!create(BPF_MAP_TYPE_ARRAY, 4, 8, 2, 0, &map));
    in_place = map->ops->lookup(map, &key);
    REQUIRE(in_place);
    CHECK_EQ((uintptr_t)in_place % 8, 0);
    CHECK(in_place == (void *)(((struct ebpf_array *)map)->values + 8)); /* what the JIT computes */
    *in_place = 77;
    CHECK_EQ(ebpf_map_lookup(map, &key, &got), 0);
    CHECK_EQ(got, 77);
    key = 2;
    CHECK(!map->ops->lookup(map, &key));
    put(map);
}

TEST(array_value_address_is_for_single_values_within_their_size)
{
    struct ebpf_map *map;
    uint64_t addr;
    uint32_t key = 0;

    REQUIRE(!create(BPF_MAP_TYPE_ARRAY, 4, 12, 1, 0, &map));
    CHECK_EQ(map->ops->value_addr(map, 11, &addr), 0);
    CHECK_EQ(addr, (uintptr_t)map->ops->lookup(map, &key) + 11);
    CHECK_EQ(map->ops->value_addr(map, 12, &addr), -EINVAL);
    CHECK_EQ(map->ops->value_addr(map, UINT32_MAX, &addr), -EINVAL);
    put(map);
    REQUIRE(!create(BPF_MAP_TYPE_ARRAY, 4, 12, 2, 0, &map));
    CHECK_EQ(map->ops->value_addr(map, 0, &addr), -ENOTSUPP);
    put(map);
}

TEST(percpu_array_programs_see_their_hart_and_users_see_all)
{
    struct ebpf_map *map;
    uint32_t key = 1;
    uint64_t value, all[4];

    REQUIRE(!create(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 5, 2, 0, &map));
    CHECK_EQ(ebpf_map_value_size(map), 4 * 8);
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        value = 0x1111111111 * (cpu + 1);
        mock_set_cpu(cpu);
        CHECK_EQ(map->ops->update(map, &key, &value, BPF_ANY), 0);
    }
    memset(all, 0xff, sizeof(all));
    CHECK_EQ(ebpf_map_lookup(map, &key, all), 0);
    for (unsigned cpu = 0; cpu < 4; cpu++)
        CHECK_EQ(all[cpu], 0x1111111111 * (cpu + 1));
    for (unsigned cpu = 0; cpu < 4; cpu++)
        all[cpu] = 100 + cpu;
    CHECK_EQ(ebpf_map_update(map, &key, all, BPF_EXIST), 0);
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        mock_set_cpu(cpu);
        CHECK_EQ(*(uint8_t *)map->ops->lookup(map, &key), 100 + cpu);
    }
    key = 0;
    CHECK_EQ(ebpf_map_lookup(map, &key, all), 0);
    CHECK_EQ(all[0] | all[1] | all[2] | all[3], 0);
    key = 2;
    CHECK(!map->ops->lookup(map, &key));
    CHECK(!map->ops->value_addr);
    put(map);
}

TEST(percpu_array_harts_share_no_cache_line)
{
    struct ebpf_map *map;
    uint32_t key = 0;
    uintptr_t line[4];

    REQUIRE(!create(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 1, 1, 0, &map));
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        mock_set_cpu(cpu);
        line[cpu] = (uintptr_t)map->ops->lookup(map, &key) / 64;
        for (unsigned other = 0; other < cpu; other++)
            CHECK(line[cpu] != line[other]);
    }
    put(map);
}

/* Every length and every alignment of both sides: the bytes arrive, and not one more. */
TEST(value_copy_copies_exactly)
{
    for (size_t len = 0; len <= 40; len++) {
        for (size_t a = 0; a < 8; a++) {
            for (size_t b = 0; b < 8; b++) {
                uint8_t src[64] __attribute__((aligned(8))), dst[64] __attribute__((aligned(8))),
                    want[64];

                for (size_t i = 0; i < 64; i++)
                    src[i] = (uint8_t)(i * 7 + 1);
                memset(dst, 0xee, 64);
                memset(want, 0xee, 64);
                memcpy(want + b, src + a, len);
                ebpf_value_copy(dst + b, src + a, len);
                CHECK(!memcmp(dst, want, 64));
            }
        }
    }
}
