/* SPDX-License-Identifier: MIT */
/* LRU and per-CPU hashes: who is evicted, what values new keys start with, memory. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>

#include <ebpf/ebpf.h>

#include "maps/hash.h"
#include "src/base/epoch.h"

#define HARTS 4u

static int create(uint32_t type, uint32_t value, uint32_t entries, uint32_t flags,
                  struct ebpf_map **map)
{
    struct ebpf_map_spec spec = {
        .type = type, .key_size = 4, .value_size = value, .max_entries = entries, .flags = flags};

    *map = NULL;
    return ebpf_map_create(&spec, map);
}

static void put(struct ebpf_map *map)
{
    if (map)
        ebpf_obj_put(ebpf_map_obj(map));
}

static uint32_t count_keys(struct ebpf_map *map)
{
    uint32_t key, count = 0;

    for (int err = ebpf_map_next_key(map, NULL, &key); !err && count < 1000000;
         err = ebpf_map_next_key(map, &key, &key))
        count++;
    return count;
}

static bool has(struct ebpf_map *map, uint32_t key)
{
    uint64_t value[HARTS];

    return !ebpf_map_lookup(map, &key, value);
}

static void check_never_full(uint32_t type, uint32_t entries)
{
    struct ebpf_map *map;
    uint64_t value[HARTS] = {0}, got[HARTS];

    REQUIRE(!create(type, 8, entries, 0, &map));
    for (uint32_t key = 0; key < 5 * entries; key++) {
        value[0] = key;
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_NOEXIST), 0);
        CHECK_EQ(ebpf_map_lookup(map, &key, got), 0);
        CHECK_EQ(got[0], key);
        CHECK_EQ(ebpf_hash_of(map)->queue.count, key < entries ? key + 1 : entries);
    }
    CHECK_EQ(count_keys(map), entries);
    put(map);
}

TEST(lru_full_map_takes_new_keys_and_stays_full)
{
    for (uint32_t entries = 1; entries < 30; entries++) {
        check_never_full(BPF_MAP_TYPE_LRU_HASH, entries);
        check_never_full(BPF_MAP_TYPE_LRU_PERCPU_HASH, entries);
    }
}

static void check_used_keys_stay(uint32_t type, bool by_update)
{
    struct ebpf_map *map;
    uint64_t value[HARTS] = {0};
    uint32_t hot = 1000000;

    REQUIRE(!create(type, 8, 64, 0, &map));
    CHECK_EQ(ebpf_map_update(map, &hot, value, BPF_ANY), 0);
    for (uint32_t key = 0; key < 1000; key++) {
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_ANY), 0);
        if (by_update)
            CHECK_EQ(ebpf_map_update(map, &hot, value, BPF_EXIST), 0);
        else
            CHECK(map->ops->lookup(map, &hot));
    }
    CHECK(has(map, hot));
    put(map);
}

TEST(lru_keys_that_programs_use_are_not_evicted)
{
    check_used_keys_stay(BPF_MAP_TYPE_LRU_HASH, false);
    check_used_keys_stay(BPF_MAP_TYPE_LRU_HASH, true);
    check_used_keys_stay(BPF_MAP_TYPE_LRU_PERCPU_HASH, false);
    check_used_keys_stay(BPF_MAP_TYPE_LRU_PERCPU_HASH, true);
}

/* As on Linux: who only looks from outside does not keep anything. */
TEST(lru_lookups_of_user_mode_do_not_count)
{
    struct ebpf_map *map;
    uint64_t value = 0;
    uint32_t key = 0;

    REQUIRE(!create(BPF_MAP_TYPE_LRU_HASH, 8, 16, 0, &map));
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), 0);
    for (key = 1; key < 200; key++) {
        has(map, 0);
        CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), 0);
    }
    CHECK(!has(map, 0));
    put(map);
}

TEST(lru_all_keys_used_still_makes_room)
{
    struct ebpf_map *map;
    uint64_t value = 0;

    REQUIRE(!create(BPF_MAP_TYPE_LRU_HASH, 8, 500, 0, &map));
    for (uint32_t key = 0; key < 2000; key++) {
        CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), 0);
        CHECK(map->ops->lookup(map, &key));
    }
    CHECK_EQ(count_keys(map), 500);
    put(map);
}

TEST(lru_flags_are_linux_s)
{
    struct ebpf_map *map;
    struct ebpf_map_spec spec;

    CHECK_EQ(create(BPF_MAP_TYPE_LRU_HASH, 8, 10, BPF_F_NO_PREALLOC, &map), -ENOTSUPP);
    CHECK_EQ(create(BPF_MAP_TYPE_LRU_PERCPU_HASH, 8, 10, BPF_F_NO_PREALLOC, &map), -ENOTSUPP);
    CHECK_EQ(create(BPF_MAP_TYPE_HASH, 8, 10, BPF_F_NO_COMMON_LRU, &map), -EINVAL);
    CHECK_EQ(create(BPF_MAP_TYPE_PERCPU_HASH, 8, 10, BPF_F_NO_COMMON_LRU, &map), -EINVAL);
    CHECK_EQ(create(BPF_MAP_TYPE_PERCPU_HASH, 32769, 10, 0, &map), -E2BIG);
    CHECK_EQ(create(BPF_MAP_TYPE_LRU_PERCPU_HASH, 32769, 10, 0, &map), -E2BIG);
    REQUIRE(!create(BPF_MAP_TYPE_LRU_HASH, 8, 10, BPF_F_NO_COMMON_LRU, &map));
    ebpf_map_spec(map, &spec);
    CHECK_EQ(spec.max_entries, 12); /* a multiple of the harts */
    put(map);
}

TEST(percpu_hash_new_key_of_a_program_is_zero_elsewhere)
{
    struct ebpf_map *map;
    uint64_t all[HARTS] = {1, 2, 3, 4}, one = 9;
    uint32_t key = 5;

    REQUIRE(!create(BPF_MAP_TYPE_PERCPU_HASH, 8, 1, 0, &map));
    for (unsigned round = 0; round < 8; round++) { /* until memory is reused */
        CHECK_EQ(ebpf_map_update(map, &key, all, BPF_NOEXIST), 0);
        CHECK_EQ(ebpf_map_delete(map, &key), 0);
    }
    mock_set_cpu(2);
    CHECK_EQ(map->ops->update(map, &key, &one, BPF_NOEXIST), 0);
    CHECK_EQ(ebpf_map_lookup(map, &key, all), 0);
    CHECK(all[0] == 0 && all[1] == 0 && all[2] == 9 && all[3] == 0);
    mock_set_cpu(1);
    one = 7;
    CHECK_EQ(map->ops->update(map, &key, &one, BPF_EXIST), 0);
    CHECK_EQ(ebpf_map_lookup(map, &key, all), 0);
    CHECK(all[0] == 0 && all[1] == 7 && all[2] == 9 && all[3] == 0);
    mock_set_cpu(0);
    put(map);
}

TEST(lru_creation_gives_everything_back_when_memory_runs_out)
{
    static const uint32_t types[] = {BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_LRU_HASH,
                                     BPF_MAP_TYPE_LRU_PERCPU_HASH};

    for (unsigned t = 0; t < 3; t++) {
        for (unsigned n = 1;; n++) {
            struct ebpf_map *map;
            size_t before = mock_live_bytes();
            int err;

            mock_fail_alloc(n);
            err = create(types[t], 8, 10, 0, &map);
            CHECK_EQ(err, mock_alloc_failed() ? -ENOMEM : 0);
            put(map);
            CHECK(err == 0 || mock_live_bytes() == before);
            if (!mock_alloc_failed()) {
                CHECK(n >= 2);
                mock_fail_alloc(0);
                break;
            }
        }
    }
}

/* As in the middle of a change, wherever it is. */
static void hold_all(struct ebpf_hash *hash, uint64_t held)
{
    for (uint32_t i = 0; i <= hash->stripe_mask; i++)
        ebpf_hash_stripes(hash)[i].state = (ebpf_hash_stripes(hash)[i].state & ~1ull) | held;
}

TEST(lru_nested_change_on_one_hart_is_busy)
{
    static const uint32_t types[] = {BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_LRU_HASH,
                                     BPF_MAP_TYPE_LRU_PERCPU_HASH};

    for (unsigned t = 0; t < 3; t++) {
        struct ebpf_map *map;
        uint64_t value[HARTS] = {0};
        uint32_t key = 1;

        REQUIRE(!create(types[t], 8, 10, 0, &map));
        CHECK_EQ(map->ops->update(map, &key, value, BPF_ANY), 0);
        hold_all(ebpf_hash_of(map), 1);
        CHECK_EQ(map->ops->update(map, &key, value, BPF_ANY), -EBUSY);
        CHECK_EQ(map->ops->remove(map, &key), -EBUSY);
        CHECK_EQ(ebpf_map_lookup_and_delete(map, &key, value), -EBUSY);
        CHECK(map->ops->lookup(map, &key));
        hold_all(ebpf_hash_of(map), 0);
        put(map);
    }
}

/* ---- harts --------------------------------------------------------------------------------- */

struct hart {
    pthread_t thread;
    struct ebpf_map *map;
    unsigned cpu, steps;
    uint64_t random, wrong;
};

static uint32_t draw(struct hart *h, uint32_t below)
{
    h->random ^= h->random << 13;
    h->random ^= h->random >> 7;
    h->random ^= h->random << 17;
    return (uint32_t)(h->random >> 32) % below;
}

/* Values belong to their keys: word i of key k is k << 8 | anything. */
static void *churn(void *arg)
{
    struct hart *h = arg;

    mock_set_cpu(h->cpu);
    for (unsigned i = 0; i < h->steps; i++) {
        uint32_t key = draw(h, 96), what = draw(h, 10);
        uint64_t value[2 * HARTS];
        unsigned long irq = ebpf_os_irq_save();
        int err = 0;

        for (unsigned w = 0; w < 2 * HARTS; w++)
            value[w] = (uint64_t)key << 8 | (i & 0xff);
        ebpf_epoch_enter(h->cpu);
        if (what < 5)
            err = h->map->ops->update(h->map, &key, value, BPF_ANY);
        else if (what < 6)
            h->map->ops->remove(h->map, &key);
        else
            h->map->ops->lookup(h->map, &key);
        ebpf_epoch_exit(h->cpu);
        ebpf_os_irq_restore(irq);
        h->wrong += err != 0;
        if (!ebpf_map_lookup(h->map, &key, value) && value[0] && value[0] >> 8 != key)
            h->wrong++;
    }
    return NULL;
}

static void check_churn(uint32_t type, uint32_t entries)
{
    struct hart harts[HARTS];
    struct ebpf_map *map;

    REQUIRE(!create(type, 16, entries, 0, &map));
    for (unsigned cpu = 0; cpu < HARTS; cpu++) {
        harts[cpu] = (struct hart){
            .map = map, .cpu = cpu, .steps = 60000, .random = 0x9e3779b97f4a7c15u * (cpu + 1)};
        REQUIRE(!pthread_create(&harts[cpu].thread, NULL, churn, &harts[cpu]));
    }
    for (unsigned cpu = 0; cpu < HARTS; cpu++) {
        pthread_join(harts[cpu].thread, NULL);
        CHECK_EQ(harts[cpu].wrong, 0);
    }
    CHECK_EQ(count_keys(map), ebpf_hash_of(map)->queue.count);
    CHECK(count_keys(map) <= entries);
    for (uint32_t key = 0; key < 96; key++)
        ebpf_map_delete(map, &key);
    for (uint32_t key = 0; key < entries; key++) { /* no element was lost */
        uint64_t value[2 * HARTS] = {0};

        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_ANY), 0);
    }
    CHECK_EQ(count_keys(map), entries);
    put(map);
}

TEST(threads_lru_counts_add_up_under_eviction)
{
    check_churn(BPF_MAP_TYPE_LRU_HASH, 32);
    check_churn(BPF_MAP_TYPE_LRU_HASH, 5);
    check_churn(BPF_MAP_TYPE_LRU_PERCPU_HASH, 32);
}

TEST(threads_percpu_hash_values_belong_to_their_keys)
{
    check_churn(BPF_MAP_TYPE_PERCPU_HASH, 96);
}
