/* SPDX-License-Identifier: MIT */
/* Hash maps on one hart: flags, limits, iteration, memory. */
#include "tests/unit/test.h"

#include <ebpf/ebpf.h>

#include "maps/hash.h"

static int create(uint32_t key, uint32_t value, uint32_t entries, uint32_t flags,
                  struct ebpf_map **map)
{
    struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_HASH,
                                 .key_size = key,
                                 .value_size = value,
                                 .max_entries = entries,
                                 .flags = flags};

    *map = NULL;
    return ebpf_map_create(&spec, map);
}

static void put(struct ebpf_map *map)
{
    if (map)
        ebpf_obj_put(ebpf_map_obj(map));
}

static int try_create(uint32_t key, uint32_t value, uint32_t entries)
{
    struct ebpf_map *map;
    int err = create(key, value, entries, 0, &map);

    put(map);
    return err;
}

TEST(hash_creation_errors_are_linux_s)
{
    CHECK_EQ(try_create(0, 8, 1), -EINVAL);
    CHECK_EQ(try_create(4, 0, 1), -EINVAL);
    CHECK_EQ(try_create(4, 8, 0), -EINVAL);
    CHECK_EQ(try_create(512, 8, 1), 0);
    CHECK_EQ(try_create(4096, 8, 1), 0); /* Linux 6.x has no limit of its own for keys */
    CHECK_EQ(try_create(4, (4u << 20) - 52, 1), -E2BIG);
    CHECK_EQ(try_create(4, (4u << 20) - 56, 1), 0);
    CHECK_EQ(try_create(UINT32_MAX, UINT32_MAX, 1), -E2BIG);
    CHECK_EQ(try_create(4, UINT32_MAX, UINT32_MAX), -E2BIG);
    CHECK_EQ(try_create(4, 8, UINT32_MAX), -E2BIG);
    CHECK_EQ(try_create(4, 8, (1u << 27) + 1), -E2BIG);
    CHECK_EQ(try_create(4, 1u << 20, 1u << 27), -ENOMEM);
    CHECK_EQ(try_create(4, 8, 1u << 27), -ENOMEM); /* the mock OS has 2 GiB */
}

TEST(hash_update_flags_say_what_may_exist)
{
    struct ebpf_map *map;
    uint64_t key = 5, value = 1, got = 0;

    REQUIRE(!create(8, 8, 4, 0, &map));
    CHECK_EQ(ebpf_map_lookup(map, &key, &got), -ENOENT);
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_EXIST), -ENOENT);
    CHECK_EQ(ebpf_map_lookup(map, &key, &got), -ENOENT);
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_NOEXIST), 0);
    value = 2;
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_NOEXIST), -EEXIST);
    CHECK_EQ(ebpf_map_lookup(map, &key, &got), 0);
    CHECK_EQ(got, 1);
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_EXIST), 0);
    CHECK_EQ(ebpf_map_lookup(map, &key, &got), 0);
    CHECK_EQ(got, 2);
    value = 3;
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), 0);
    CHECK_EQ(ebpf_map_lookup(map, &key, &got), 0);
    CHECK_EQ(got, 3);
    CHECK_EQ(ebpf_map_update(map, &key, &value, 3), -EINVAL);
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_F_LOCK), -EINVAL);
    CHECK_EQ(map->ops->update(map, &key, &value, BPF_F_LOCK | BPF_EXIST), -EINVAL);
    CHECK_EQ(ebpf_map_update(map, &key, &value, 1ull << 63), -EINVAL);
    CHECK_EQ(ebpf_map_delete(map, &key), 0);
    CHECK_EQ(ebpf_map_delete(map, &key), -ENOENT);
    CHECK_EQ(ebpf_map_lookup(map, &key, &got), -ENOENT);
    CHECK(!map->ops->value_addr);
    put(map);
}

TEST(hash_holds_max_entries_and_not_one_more)
{
    for (uint32_t entries = 1; entries < 40; entries++) {
        struct ebpf_map *map;
        uint32_t key, value = 0;

        REQUIRE(!create(4, 4, entries, 0, &map));
        for (unsigned round = 0; round < 3; round++) {
            for (key = 0; key < entries; key++)
                CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), 0);
            CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), -E2BIG);
            CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_NOEXIST), -E2BIG);
            CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_EXIST), -ENOENT);
            for (key = 0; key < entries; key++) { /* a full map still takes new values */
                CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), 0);
                CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_EXIST), 0);
            }
            for (key = 0; key < entries; key++)
                CHECK_EQ(ebpf_map_delete(map, &key), 0);
        }
        put(map);
    }
}

TEST(hash_old_value_stays_for_who_holds_it)
{
    struct ebpf_map *map;
    uint32_t key = 1;
    uint64_t value = 10, *held;

    REQUIRE(!create(4, 8, 8, 0, &map));
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), 0);
    held = map->ops->lookup(map, &key);
    REQUIRE(held);
    CHECK_EQ((uintptr_t)held % 8, 0);
    value = 11;
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), 0);
    CHECK_EQ(*held, 10); /* replaced, not overwritten */
    CHECK(map->ops->lookup(map, &key) != held);
    CHECK_EQ(ebpf_map_delete(map, &key), 0);
    CHECK_EQ(*held, 10);
    for (value = 0; value < 8; value++) /* memory that was freed is reused last */
        CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), 0);
    CHECK_EQ(*held, 10);
    put(map);
}

TEST(hash_program_writes_reach_user_mode)
{
    struct ebpf_map *map;
    uint32_t key = 1;
    uint64_t value = 10;

    REQUIRE(!create(4, 8, 8, 0, &map));
    CHECK_EQ(map->ops->update(map, &key, &value, BPF_ANY), 0);
    *(uint64_t *)map->ops->lookup(map, &key) = 12;
    CHECK_EQ(ebpf_map_lookup(map, &key, &value), 0);
    CHECK_EQ(value, 12);
    CHECK_EQ(map->ops->remove(map, &key), 0);
    CHECK(!map->ops->lookup(map, &key));
    put(map);
}

/* Key sizes around the words that keys are compared in: every byte counts, and nothing behind the
 * key does. */
TEST(hash_keys_differ_in_every_byte)
{
    for (uint32_t size = 1; size <= 40; size++) {
        struct ebpf_map *map;
        uint8_t key[48], unaligned[56];
        uint32_t value;

        REQUIRE(!create(size, 4, 64, 0, &map));
        memset(key, 0x5a, sizeof(key));
        for (uint32_t i = 0; i < size; i++) {
            key[i] ^= 0x80;
            CHECK_EQ(ebpf_map_update(map, key, &i, BPF_NOEXIST), 0);
            key[i] ^= 0x80;
        }
        CHECK_EQ(ebpf_map_lookup(map, key, &value), -ENOENT);
        for (uint32_t i = 0; i < size; i++) {
            key[i] ^= 0x80;
            key[size] = (uint8_t)i; /* not part of it */
            for (unsigned shift = 0; shift < 8; shift++) {
                memcpy(unaligned + shift, key, sizeof(key));
                value = UINT32_MAX;
                CHECK_EQ(ebpf_map_lookup(map, unaligned + shift, &value), 0);
                CHECK_EQ(value, i);
            }
            key[i] ^= 0x80;
        }
        put(map);
    }
}

TEST(hash_next_key_visits_each_key_once)
{
    struct ebpf_map *map;
    uint16_t key, next;
    uint8_t seen[500] = {0}, value = 0;
    unsigned count = 0;

    REQUIRE(!create(2, 1, 500, 0, &map));
    CHECK_EQ(ebpf_map_next_key(map, NULL, &next), -ENOENT);
    key = 7;
    CHECK_EQ(ebpf_map_next_key(map, &key, &next), -ENOENT);
    for (key = 0; key < 500; key++)
        CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), 0);
    for (int err = ebpf_map_next_key(map, NULL, &key); !err;
         err = ebpf_map_next_key(map, &key, &key)) {
        REQUIRE(key < 500 && count < 500);
        CHECK_EQ(seen[key]++, 0);
        CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_EXIST), 0); /* does not disturb the walk */
        count++;
    }
    CHECK_EQ(count, 500);
    put(map);
}

TEST(hash_next_key_starts_again_behind_a_deleted_key)
{
    struct ebpf_map *map;
    uint32_t key, next, first;
    unsigned count = 0;

    REQUIRE(!create(4, 4, 100, 0, &map));
    for (key = 0; key < 100; key++)
        CHECK_EQ(ebpf_map_update(map, &key, &key, BPF_ANY), 0);
    CHECK_EQ(ebpf_map_next_key(map, NULL, &first), 0);
    key = 12345;
    CHECK_EQ(ebpf_map_next_key(map, &key, &next), 0);
    CHECK_EQ(next, first);
    /* the way to empty a map: the next key, then delete the one before */
    key = first;
    while (!ebpf_map_next_key(map, &key, &next)) {
        CHECK_EQ(ebpf_map_delete(map, &key), 0);
        REQUIRE(++count < 100);
        key = next;
    }
    CHECK_EQ(ebpf_map_delete(map, &key), 0);
    CHECK_EQ(count, 99);
    CHECK_EQ(ebpf_map_next_key(map, NULL, &next), -ENOENT);
    put(map);
}

/* A later requirement: at most key + value + 24 bytes an element, rounded up to 8. */
TEST(hash_memory_per_element_is_bounded)
{
    const uint32_t sizes[][2] = {{1, 1},  {4, 4},  {4, 8},   {5, 1},   {8, 8},
                                 {8, 64}, {13, 7}, {16, 16}, {64, 256}};
    const uint32_t entries[] = {1024, 1025, 1365, 1366, 10000, 65536, 65537};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t j = 0; j < sizeof(entries) / sizeof(entries[0]); j++) {
            size_t before = mock_live_bytes(), used;
            size_t limit = (sizes[i][0] + sizes[i][1] + 24u + 7) / 8 * 8 * entries[j];
            struct ebpf_map *map;

            REQUIRE(!create(sizes[i][0], sizes[i][1], entries[j], 0, &map));
            used = mock_live_bytes() - before;
            if (used > limit)
                test_fail(__FILE__, __LINE__, "key %u value %u entries %u: %zu bytes, limit %zu",
                          sizes[i][0], sizes[i][1], entries[j], used, limit);
            put(map);
        }
    }
}

/* Sum of the squares of the chains' lengths: grows with the steps that finding every key takes. */
static uint64_t chain_cost(const struct ebpf_hash *hash)
{
    uint64_t sum = 0;

    for (size_t i = 0; i <= hash->bucket_mask; i++) {
        uint64_t len = 0;

        for (uint32_t link = hash->buckets[i]; link; link = ebpf_hash_element(hash, link)->next)
            len++;
        sum += len * len;
    }
    return sum;
}

/* n keys thrown at random into m buckets cost n + n * (n - 1) / m; real keys are rather regular. */
static void check_spread(uint32_t key_size, uint32_t flags, unsigned shift)
{
    const uint64_t n = 3072;
    struct ebpf_map *map;
    uint64_t expected, cost;

    REQUIRE(!create(key_size, 1, (uint32_t)n, flags, &map));
    for (uint64_t i = 0; i < n; i++) {
        uint64_t key[2] = {i << shift, 0};

        CHECK_EQ(ebpf_map_update(map, key, &key, BPF_NOEXIST), 0);
    }
    expected = n + n * (n - 1) / (ebpf_hash_of(map)->bucket_mask + 1);
    cost = chain_cost(ebpf_hash_of(map));
    if (cost > expected * 5 / 4)
        test_fail(__FILE__, __LINE__, "%u-byte keys i << %u: cost %llu, random keys %llu", key_size,
                  shift, (unsigned long long)cost, (unsigned long long)expected);
    put(map);
}

TEST(hash_spreads_regular_keys)
{
    for (unsigned shift = 0; shift <= 20; shift++)
        check_spread(4, shift % 2 ? BPF_F_ZERO_SEED : 0, shift);
    for (unsigned shift = 0; shift <= 52; shift++) {
        check_spread(8, BPF_F_ZERO_SEED, shift);
        check_spread(16, shift % 2 ? BPF_F_ZERO_SEED : 0, shift);
    }
}

TEST(hash_seed_is_zero_only_if_asked_for)
{
    uint32_t order[3][64];

    for (unsigned round = 0; round < 3; round++) {
        struct ebpf_map *map;
        uint32_t key, n = 0;

        mock_random = 1000 + round;
        REQUIRE(!create(4, 4, 64, round < 2 ? BPF_F_ZERO_SEED : 0, &map));
        for (key = 0; key < 64; key++)
            CHECK_EQ(ebpf_map_update(map, &key, &key, BPF_ANY), 0);
        for (int err = ebpf_map_next_key(map, NULL, &key); !err && n < 64;
             err = ebpf_map_next_key(map, &key, &key))
            order[round][n++] = key;
        CHECK_EQ(n, 64);
        put(map);
    }
    CHECK(!memcmp(order[0], order[1], sizeof(order[0])));
    CHECK(memcmp(order[0], order[2], sizeof(order[0])));
}
