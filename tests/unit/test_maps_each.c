/* SPDX-License-Identifier: MIT */
/* Walks over maps (bpf_for_each_map_elem()): each element once, functions that change the map. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>

#include <ebpf/ebpf.h>

#include "maps/hash.h"
#include "src/base/epoch.h"

#define KEYS 200u

static struct ebpf_map *create(uint32_t type, uint32_t entries)
{
    struct ebpf_map_spec spec = {
        .type = type, .key_size = 4, .value_size = 8, .max_entries = entries};
    struct ebpf_map *map;

    return ebpf_map_create(&spec, &map) ? NULL : map;
}

static void put(struct ebpf_map *map)
{
    ebpf_obj_put(ebpf_map_obj(map));
}

struct walk {
    uint32_t seen[KEYS];
    uint64_t wrong;
    uint32_t calls, stop_at;
    /* what is done with each element */
    bool delete_it, delete_next, update_it, insert;
};

static uint64_t step(void *ctx, struct ebpf_map *map, const void *key, void *value)
{
    struct walk *w = ctx;
    uint32_t k, other;
    uint64_t number;

    memcpy(&k, key, 4);
    memcpy(&number, value, 8);
    w->wrong += k >= KEYS || number != k * 3ull;
    w->seen[k % KEYS]++;
    w->calls++;
    other = (k + 1) % KEYS;
    if (w->delete_it)
        w->wrong += map->ops->remove(map, key) != 0;
    if (w->delete_next)
        map->ops->remove(map, &other);
    if (w->update_it)
        w->wrong += map->ops->update(map, &k, &number, BPF_EXIST) != 0;
    if (w->insert) {
        number = other * 3ull;
        map->ops->update(map, &other, &number, BPF_ANY);
    }
    return w->calls == w->stop_at;
}

static int64_t run(struct ebpf_map *map, struct walk *w)
{
    int64_t count;

    ebpf_epoch_enter(0);
    count = map->ops->for_each(map, step, w);
    ebpf_epoch_exit(0);
    CHECK_EQ(count, w->calls);
    CHECK_EQ(w->wrong, 0);
    return count;
}

static void fill(struct ebpf_map *map, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        uint64_t number = k * 3ull;

        CHECK_EQ(map->ops->update(map, &k, &number, BPF_ANY), 0);
    }
}

static const uint32_t hash_types[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_PERCPU_HASH,
                                      BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH};

TEST(for_each_visits_every_element_once)
{
    static const uint32_t types[] = {BPF_MAP_TYPE_HASH,     BPF_MAP_TYPE_PERCPU_HASH,
                                     BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH,
                                     BPF_MAP_TYPE_ARRAY,    BPF_MAP_TYPE_PERCPU_ARRAY};

    for (unsigned t = 0; t < 6; t++) {
        struct ebpf_map *map = create(types[t], KEYS);
        struct walk w = {0};

        REQUIRE(map);
        fill(map, KEYS);
        CHECK_EQ(run(map, &w), KEYS);
        for (uint32_t k = 0; k < KEYS; k++)
            CHECK_EQ(w.seen[k], 1);
        w = (struct walk){.stop_at = 7};
        CHECK_EQ(run(map, &w), 7);
        put(map);
    }
}

TEST(for_each_over_an_empty_hash_calls_nobody)
{
    struct ebpf_map *map = create(BPF_MAP_TYPE_HASH, KEYS);
    struct walk w = {0};

    CHECK_EQ(run(map, &w), 0);
    put(map);
}

TEST(for_each_types_that_cannot_have_no_such_operation)
{
    struct ebpf_map *map = create(BPF_MAP_TYPE_HASH, 1);

    CHECK(!ebpf_map_ops(BPF_MAP_TYPE_QUEUE)->for_each);
    CHECK(!ebpf_map_ops(BPF_MAP_TYPE_LPM_TRIE)->for_each);
    CHECK(!ebpf_map_ops(BPF_MAP_TYPE_HASH_OF_MAPS)->for_each);
    put(map);
}

TEST(for_each_may_delete_what_it_visits)
{
    for (unsigned t = 0; t < 4; t++) {
        struct ebpf_map *map = create(hash_types[t], KEYS);
        struct walk w = {.delete_it = true};
        uint32_t key;

        fill(map, KEYS);
        CHECK_EQ(run(map, &w), KEYS);
        CHECK_EQ(ebpf_map_next_key(map, NULL, &key), -ENOENT);
        put(map);
    }
}

TEST(for_each_skips_what_was_deleted_before_it_came_there)
{
    for (unsigned t = 0; t < 4; t++) {
        struct ebpf_map *map = create(hash_types[t], KEYS);
        struct walk w = {.delete_next = true};

        fill(map, KEYS);
        run(map, &w);
        CHECK(w.calls < KEYS);
        for (uint32_t k = 0; k < KEYS; k++) /* visited, or deleted by the one before it */
            CHECK_EQ(w.seen[k] + w.seen[(k + KEYS - 1) % KEYS] > 0, 1);
        put(map);
    }
}

/* One bucket, so that all elements are in one chain, longer than what is read at once. */
TEST(for_each_walks_long_chains)
{
    for (unsigned t = 0; t < 4; t++) {
        struct ebpf_map *map = create(hash_types[t], KEYS);
        struct ebpf_hash *hash = ebpf_hash_of(map);
        struct walk w = {0};

        hash->bucket_mask = hash->stripe_mask = 0;
        fill(map, KEYS);
        CHECK_EQ(run(map, &w), KEYS);
        for (uint32_t k = 0; k < KEYS; k++)
            CHECK_EQ(w.seen[k], 1);
        w = (struct walk){.update_it = true};
        CHECK(run(map, &w) >= KEYS);
        for (uint32_t k = 0; k < KEYS; k++)
            CHECK(w.seen[k]);
        w = (struct walk){.delete_it = true};
        CHECK_EQ(run(map, &w), KEYS);
        fill(map, 1);
        w = (struct walk){.insert = true, .delete_it = true}; /* always one left, never an end */
        CHECK(run(map, &w) <= hash->elements);
        put(map);
    }
}

/* ---- harts --------------------------------------------------------------------------------- */

struct race {
    struct ebpf_map *map;
    bool stop;
};

/* Changes the odd keys all the time. */
static void *changer(void *arg)
{
    struct race *race = arg;
    uint64_t seed = 88172645463325252u;

    mock_set_cpu(1);
    while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED)) {
        uint32_t k;
        uint64_t number;

        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        k = (uint32_t)(seed % KEYS) | 1;
        number = k * 3ull;
        if (seed >> 40 & 1)
            ebpf_map_update(race->map, &k, &number, BPF_ANY);
        else
            ebpf_map_delete(race->map, &k);
    }
    return NULL;
}

static uint64_t count_even(void *ctx, struct ebpf_map *map, const void *key, void *value)
{
    uint32_t k = __atomic_load_n((const uint32_t *)key, __ATOMIC_RELAXED); /* an odd one may go */

    (void)map;
    (void)value;
    if (k < KEYS)
        ((uint32_t *)ctx)[k]++;
    return 0;
}

TEST(for_each_finds_what_stays_while_other_harts_change_the_rest)
{
    struct race race = {.map = create(BPF_MAP_TYPE_HASH, KEYS)};
    pthread_t thread;
    uint64_t wrong = 0;

    fill(race.map, KEYS);
    REQUIRE(!pthread_create(&thread, NULL, changer, &race));
    for (unsigned i = 0; i < 3000; i++) {
        uint32_t seen[KEYS] = {0};
        unsigned long irq = ebpf_os_irq_save();

        ebpf_epoch_enter(0);
        race.map->ops->for_each(race.map, count_even, seen);
        ebpf_epoch_exit(0);
        ebpf_os_irq_restore(irq);
        for (uint32_t k = 0; k < KEYS; k += 2)
            wrong += seen[k] != 1;
    }
    __atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    CHECK_EQ(wrong, 0);
    put(race.map);
}
