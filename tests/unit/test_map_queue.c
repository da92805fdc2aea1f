/* SPDX-License-Identifier: MIT */
/* Queues, stacks and bloom filters: against plain models, their errors, memory, harts. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>

#include <ebpf/ebpf.h>

#include "helpers/helper.h"
#include "maps/map.h"

static int create(uint32_t type, uint32_t value, uint32_t entries, uint64_t extra,
                  struct ebpf_map **map)
{
    struct ebpf_map_spec spec = {
        .type = type, .value_size = value, .max_entries = entries, .map_extra = extra};

    *map = NULL;
    return ebpf_map_create(&spec, map);
}

static void put(struct ebpf_map *map)
{
    if (map)
        ebpf_obj_put(ebpf_map_obj(map));
}

static uint64_t call(uint32_t id, struct ebpf_map *map, void *value, uint64_t flags)
{
    return ebpf_helper_find(id)->fn((uintptr_t)map, (uintptr_t)value, flags, 0, 0);
}

static uint32_t draw(uint64_t *random, uint32_t below)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (uint32_t)(*random >> 32) % below;
}

/* ---- queue and stack ----------------------------------------------------------------------- */

struct model {
    struct ebpf_map *map;
    uint64_t values[64]; /* oldest first */
    uint32_t count, room;
    bool stack;
    uint64_t random;
};

static void model_push(struct model *m, bool by_program)
{
    static const uint64_t flags[] = {BPF_ANY, BPF_ANY, BPF_EXIST, BPF_NOEXIST, 3, 4, 1ull << 40};
    uint64_t flag = flags[draw(&m->random, draw(&m->random, 4) ? 3 : 7)];
    uint64_t value = draw(&m->random, UINT32_MAX);
    int want = flag != BPF_ANY && flag != BPF_EXIST       ? -EINVAL
               : m->count == m->room && flag != BPF_EXIST ? -E2BIG
                                                          : 0;

    if (by_program)
        CHECK_EQ(call(87, m->map, &value, flag), want);
    else
        CHECK_EQ(ebpf_map_update(m->map, NULL, &value, flag), want);
    if (want)
        return;
    if (m->count == m->room)
        memmove(m->values, m->values + 1, --m->count * sizeof(value));
    m->values[m->count++] = value;
}

static void model_get(struct model *m, bool by_program, bool take)
{
    uint64_t value = 99, want = 0;
    int err = m->count ? 0 : -ENOENT;

    if (m->count)
        want = m->values[m->stack ? m->count - 1 : 0];
    if (by_program)
        CHECK_EQ(call(take ? 88 : 89, m->map, &value, 0), err);
    else
        CHECK_EQ(take ? ebpf_map_lookup_and_delete(m->map, NULL, &value)
                      : ebpf_map_lookup(m->map, NULL, &value),
                 err);
    CHECK_EQ(value, want); /* zero where there is none */
    if (!take || !m->count)
        return;
    m->count--;
    if (!m->stack)
        memmove(m->values, m->values + 1, m->count * sizeof(value));
}

static void run_model(uint32_t type, uint32_t entries)
{
    struct model m = {.room = entries, .stack = type == BPF_MAP_TYPE_STACK, .random = 88172645463};

    REQUIRE(!create(type, 8, entries, 0, &m.map));
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t what = draw(&m.random, 10), lean = i / 500 % 2;

        mock_set_cpu(i % 4);
        if (what < 4 + lean)
            model_push(&m, what % 2);
        else
            model_get(&m, what % 2, what < 8);
    }
    mock_set_cpu(0);
    put(m.map);
}

TEST(model_queue)
{
    run_model(BPF_MAP_TYPE_QUEUE, 1);
    run_model(BPF_MAP_TYPE_QUEUE, 2);
    run_model(BPF_MAP_TYPE_QUEUE, 33);
}
TEST(model_stack)
{
    run_model(BPF_MAP_TYPE_STACK, 1);
    run_model(BPF_MAP_TYPE_STACK, 2);
    run_model(BPF_MAP_TYPE_STACK, 33);
}

TEST(queue_errors_are_linux_s)
{
    struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_QUEUE, .value_size = 8, .max_entries = 4};
    struct ebpf_map *map;
    uint64_t value = 1;

    spec.key_size = 4;
    CHECK_EQ(ebpf_map_create(&spec, &map), -EINVAL);
    CHECK_EQ(create(BPF_MAP_TYPE_QUEUE, 0, 4, 0, &map), -EINVAL);
    CHECK_EQ(create(BPF_MAP_TYPE_STACK, 8, 0, 0, &map), -EINVAL);
    CHECK_EQ(create(BPF_MAP_TYPE_STACK, 8, 4, 1, &map), -EINVAL); /* map_extra */
    CHECK_EQ(create(BPF_MAP_TYPE_STACK, (4u << 20) + 1, 4, 0, &map), -E2BIG);
    CHECK_EQ(create(BPF_MAP_TYPE_QUEUE, 4u << 20, UINT32_MAX, 0, &map), -ENOMEM);
    REQUIRE(!create(BPF_MAP_TYPE_QUEUE, 8, 4, 0, &map));
    CHECK_EQ(ebpf_map_delete(map, NULL), -EINVAL);
    CHECK_EQ(ebpf_map_next_key(map, NULL, &value), -EINVAL);
    CHECK(!map->ops->lookup(map, &value)); /* what programs with no verifier may try */
    CHECK_EQ(map->ops->update(map, &value, &value, 0), -EINVAL);
    CHECK_EQ(map->ops->remove(map, &value), -EINVAL);
    put(map);
}

TEST(queue_helpers_refuse_maps_with_keys)
{
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 4};
    struct ebpf_map *map;
    uint64_t value = 1;

    REQUIRE(!ebpf_map_create(&spec, &map));
    for (uint32_t id = 87; id <= 89; id++)
        CHECK_EQ(call(id, map, &value, 0), -EINVAL);
    CHECK_EQ(ebpf_helper_find(195)->fn((uintptr_t)map, (uintptr_t)&value, 0, 0, 0), 0);
    put(map);
}

TEST(percpu_lookup_helper_finds_each_harts_value)
{
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_PERCPU_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 2};
    const struct ebpf_helper *helper = ebpf_helper_find(195);
    uint64_t all[4] = {5, 6, 7, 8}, *got;
    uint32_t key = 1, none = 2;
    struct ebpf_map *map;

    REQUIRE(!ebpf_map_create(&spec, &map));
    CHECK_EQ(ebpf_map_update(map, &key, all, 0), 0);
    for (uint64_t cpu = 0; cpu < 4; cpu++) {
        got = ebpf_reg_ptr(helper->fn((uintptr_t)map, (uintptr_t)&key, cpu, 0, 0));
        REQUIRE(got);
        CHECK_EQ(*got, 5 + cpu);
    }
    CHECK_EQ(helper->fn((uintptr_t)map, (uintptr_t)&key, 4, 0, 0), 0);
    CHECK_EQ(helper->fn((uintptr_t)map, (uintptr_t)&key, UINT32_MAX, 0, 0), 0);
    CHECK_EQ(helper->fn((uintptr_t)map, (uintptr_t)&none, 0, 0, 0), 0);
    put(map);
}

static void check_alloc_failures(uint32_t type)
{
    for (unsigned n = 1;; n++) {
        struct ebpf_map *map;
        size_t before = mock_live_bytes();
        int err;

        mock_fail_alloc(n);
        err = create(type, 8, 10, 0, &map);
        CHECK_EQ(err, mock_alloc_failed() ? -ENOMEM : 0);
        put(map);
        CHECK(err == 0 || mock_live_bytes() == before);
        if (!mock_alloc_failed()) {
            CHECK(n >= 2);
            mock_fail_alloc(0);
            return;
        }
    }
}

TEST(queue_creation_gives_everything_back_when_memory_runs_out)
{
    check_alloc_failures(BPF_MAP_TYPE_QUEUE);
    check_alloc_failures(BPF_MAP_TYPE_STACK);
    check_alloc_failures(BPF_MAP_TYPE_BLOOM_FILTER);
}

struct hart {
    pthread_t thread;
    struct ebpf_map *map;
    unsigned cpu;
    uint64_t pushed, popped, sum_in, sum_out, wrong;
};

static void *push_and_pop(void *arg)
{
    struct hart *h = arg;

    mock_set_cpu(h->cpu);
    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t value[2] = {i << 2 | h->cpu, ~(i << 2 | h->cpu)};
        int err;

        if (i % 2) {
            err = h->map->ops->push(h->map, value, BPF_ANY);
            h->pushed += !err;
            h->sum_in += err ? 0 : value[0];
            h->wrong += err && err != -E2BIG;
        } else {
            err = h->map->ops->pop(h->map, value);
            h->popped += !err;
            h->sum_out += err ? 0 : value[0];
            h->wrong += (err && err != -ENOENT) || (!err && value[0] != ~value[1]);
        }
    }
    return NULL;
}

static void check_harts(uint32_t type)
{
    struct hart harts[4];
    struct hart all = {0};
    struct ebpf_map *map;
    uint64_t value[2];

    REQUIRE(!create(type, 16, 50, 0, &map));
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        harts[cpu] = (struct hart){.map = map, .cpu = cpu};
        REQUIRE(!pthread_create(&harts[cpu].thread, NULL, push_and_pop, &harts[cpu]));
    }
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        pthread_join(harts[cpu].thread, NULL);
        all.pushed += harts[cpu].pushed;
        all.popped += harts[cpu].popped;
        all.sum_in += harts[cpu].sum_in;
        all.sum_out += harts[cpu].sum_out;
        all.wrong += harts[cpu].wrong;
    }
    while (!ebpf_map_lookup_and_delete(map, NULL, value)) {
        all.popped++;
        all.sum_out += value[0];
    }
    CHECK_EQ(all.wrong, 0);
    CHECK_EQ(all.pushed, all.popped);
    CHECK_EQ(all.sum_in, all.sum_out);
    put(map);
}

TEST(threads_queue_and_stack_lose_and_invent_nothing)
{
    check_harts(BPF_MAP_TYPE_QUEUE);
    check_harts(BPF_MAP_TYPE_STACK);
}

/* ---- bloom filter -------------------------------------------------------------------------- */

static void check_bloom(uint32_t value_size, uint32_t entries, uint64_t hashes, unsigned percent)
{
    struct ebpf_map *map;
    uint8_t value[64] = {0};
    unsigned wrong = 0;

    REQUIRE(!create(BPF_MAP_TYPE_BLOOM_FILTER, value_size, entries, hashes, &map));
    for (uint32_t i = 0; i < entries; i++) {
        memcpy(value, &i, 3);
        CHECK_EQ(i % 2 ? (int)call(87, map, value, 0) : ebpf_map_update(map, NULL, value, 0), 0);
    }
    for (uint32_t i = 0; i < entries; i++) {
        memcpy(value, &i, 3);
        CHECK_EQ(i % 2 ? (int)call(89, map, value, 0) : ebpf_map_lookup(map, NULL, value), 0);
    }
    for (uint32_t i = entries; i < entries + 10000; i++) {
        int err;

        memcpy(value, &i, 3);
        err = ebpf_map_lookup(map, NULL, value);
        CHECK(!err || err == -ENOENT);
        wrong += !err;
    }
    if (wrong > 100 * percent)
        test_fail(__FILE__, __LINE__, "%u of 10000 false positives, value %u entries %u hashes %u",
                  wrong, value_size, entries, (unsigned)hashes);
    put(map);
}

TEST(bloom_knows_all_that_was_pushed_and_little_else)
{
    check_bloom(3, 1000, 0, 5);
    check_bloom(8, 1000, 1, 55);
    check_bloom(37, 5000, 7, 3);
    check_bloom(64, 3000, 15, 2);
}

TEST(bloom_errors_are_linux_s)
{
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_BLOOM_FILTER, .key_size = 4, .value_size = 8, .max_entries = 4};
    struct ebpf_map *map;
    uint64_t value = 1;

    CHECK_EQ(ebpf_map_create(&spec, &map), -EINVAL);
    CHECK_EQ(create(BPF_MAP_TYPE_BLOOM_FILTER, 8, 4, 16, &map), -EINVAL);
    CHECK_EQ(create(BPF_MAP_TYPE_BLOOM_FILTER, 0, 4, 0, &map), -EINVAL);
    REQUIRE(!create(BPF_MAP_TYPE_BLOOM_FILTER, 8, 4, 3, &map));
    spec = (struct ebpf_map_spec){0};
    ebpf_map_spec(map, &spec);
    CHECK_EQ(spec.map_extra, 3);
    CHECK_EQ(ebpf_map_lookup(map, NULL, &value), -ENOENT);
    CHECK_EQ(ebpf_map_update(map, NULL, &value, BPF_EXIST), -EINVAL);
    CHECK_EQ(ebpf_map_delete(map, NULL), -EOPNOTSUPP);
    CHECK_EQ(ebpf_map_next_key(map, NULL, &value), -EOPNOTSUPP);
    CHECK_EQ(ebpf_map_lookup_and_delete(map, NULL, &value), -ENOTSUPP);
    CHECK_EQ(call(88, map, &value, 0), -EOPNOTSUPP);
    put(map);
}
