/* SPDX-License-Identifier: MIT */
/* Random operations on maps, each compared with a plain model of what Linux documents: result,
 * errno, contents. */
#include "tests/unit/test.h"

#include <stdbool.h>

#include <ebpf/ebpf.h>

#include "maps/map.h"

#define KEYS 96 /* how many different keys are used */
#define CPUS 4
#define MAX_SIZE 64

struct model {
    struct ebpf_map_spec spec;
    struct ebpf_map *map;
    uint64_t random;
    uint32_t user_size; /* of a value as user mode sees it */
    uint32_t count;
    bool present[KEYS];
    uint8_t value[KEYS][CPUS * MAX_SIZE];
};

static uint32_t draw(struct model *m, uint32_t below)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (uint32_t)(m->random >> 32) % below;
}

static void draw_value(struct model *m, uint8_t *value)
{
    for (uint32_t i = 0; i < m->user_size; i++)
        value[i] = (uint8_t)draw(m, 256);
}

static bool is_hash(const struct model *m)
{
    return m->spec.type == BPF_MAP_TYPE_HASH || m->spec.type == BPF_MAP_TYPE_PERCPU_HASH ||
           m->spec.type == BPF_MAP_TYPE_LRU_HASH || m->spec.type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

/* Key number k: a number for arrays; for hashes all bytes depend on it. */
static void make_key(const struct model *m, uint32_t k, uint8_t *key)
{
    memset(key, (int)k, m->spec.key_size);
    if (!is_hash(m))
        memcpy(key, &k, 4);
}

static bool is_percpu(const struct model *m)
{
    return m->map->ops->per_cpu;
}

static int expected_update(const struct model *m, uint32_t k, uint64_t flags)
{
    if (flags > BPF_EXIST)
        return -EINVAL;
    if (!is_hash(m))
        return k >= m->spec.max_entries ? -E2BIG : flags == BPF_NOEXIST ? -EEXIST : 0;
    if (m->present[k])
        return flags == BPF_NOEXIST ? -EEXIST : 0;
    if (flags == BPF_EXIST)
        return -ENOENT;
    return m->count == m->spec.max_entries ? -E2BIG : 0;
}

static void step_update(struct model *m, uint32_t k, const uint8_t *key)
{
    static const uint64_t flags[] = {BPF_ANY, BPF_ANY, BPF_NOEXIST, BPF_EXIST, 3, 8};
    uint64_t flag = flags[draw(m, 4 + draw(m, 3))];
    int want = expected_update(m, k, flag);
    bool by_program = draw(m, 2);
    uint32_t cpu = draw(m, CPUS), stride = (m->spec.value_size + 7) / 8 * 8;
    uint8_t value[CPUS * MAX_SIZE];

    draw_value(m, value);
    mock_set_cpu(cpu);
    if (by_program)
        CHECK_EQ(m->map->ops->update(m->map, key, value, flag), want);
    else
        CHECK_EQ(ebpf_map_update(m->map, key, value, flag), want);
    if (want)
        return;
    if (by_program && is_percpu(m) && !m->present[k])
        memset(m->value[k], 0, m->user_size);
    if (by_program && is_percpu(m))
        memcpy(m->value[k] + cpu * stride, value, m->spec.value_size);
    else
        memcpy(m->value[k], value, m->user_size);
    m->count += !m->present[k];
    m->present[k] = true;
}

static void step_delete(struct model *m, uint32_t k, const uint8_t *key)
{
    int want = !is_hash(m) ? -EINVAL : m->present[k] ? 0 : -ENOENT;

    uint8_t value[CPUS * MAX_SIZE];

    if (is_hash(m) && draw(m, 3) == 0) {
        CHECK_EQ(ebpf_map_lookup_and_delete(m->map, key, value), want);
        CHECK(want || !memcmp(value, m->value[k], m->user_size));
    } else {
        CHECK_EQ(draw(m, 2) ? ebpf_map_delete(m->map, key) : m->map->ops->remove(m->map, key),
                 want);
    }
    if (!want) {
        m->present[k] = false;
        m->count--;
    }
}

static void step_lookup(struct model *m, uint32_t k, const uint8_t *key)
{
    uint8_t value[CPUS * MAX_SIZE];
    const uint8_t *in_place;
    uint32_t cpu = draw(m, CPUS), stride = (m->spec.value_size + 7) / 8 * 8;

    CHECK_EQ(ebpf_map_lookup(m->map, key, value), m->present[k] ? 0 : -ENOENT);
    if (m->present[k])
        CHECK(!memcmp(value, m->value[k], m->user_size));
    mock_set_cpu(cpu);
    in_place = m->map->ops->lookup(m->map, key);
    CHECK(!in_place == !m->present[k]);
    if (in_place)
        CHECK(
            !memcmp(in_place, m->value[k] + (is_percpu(m) ? cpu * stride : 0), m->spec.value_size));
    if (m->map->ops->lookup_cpu) {
        uint32_t other = draw(m, CPUS + 1);

        in_place = m->map->ops->lookup_cpu(m->map, key, other);
        CHECK(!in_place == (!m->present[k] || other == CPUS));
        CHECK(!in_place || !memcmp(in_place, m->value[k] + other * stride, m->spec.value_size));
    }
}

/* The whole map by next_key: each present key once, no other. */
static void check_keys(struct model *m)
{
    uint8_t key[MAX_SIZE], want[MAX_SIZE];
    bool seen[KEYS] = {false};
    uint32_t count = 0;

    for (int err = ebpf_map_next_key(m->map, NULL, key); !err;
         err = ebpf_map_next_key(m->map, key, key)) {
        uint32_t k = key[0];

        REQUIRE(k < KEYS && !seen[k] && m->present[k]);
        make_key(m, k, want);
        CHECK(!memcmp(key, want, m->spec.key_size));
        seen[k] = true;
        count++;
    }
    CHECK_EQ(count, m->count);
}

static void run_model(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t entries,
                      unsigned steps)
{
    static struct model m;
    uint8_t key[MAX_SIZE];

    memset(&m, 0, sizeof(m));
    m.spec = (struct ebpf_map_spec){
        .type = type, .key_size = key_size, .value_size = value_size, .max_entries = entries};
    m.random = 88172645463325252ull + type + key_size;
    REQUIRE(!ebpf_map_create(&m.spec, &m.map));
    m.user_size = ebpf_map_value_size(m.map);
    REQUIRE(m.user_size <= CPUS * MAX_SIZE);
    if (!is_hash(&m)) {
        m.count = entries;
        for (uint32_t k = 0; k < entries; k++)
            m.present[k] = true;
    }
    for (unsigned i = 0; i < steps; i++) {
        uint32_t k = draw(&m, KEYS), what = draw(&m, 1000);

        make_key(&m, k, key);
        if (what < 400)
            step_update(&m, k, key);
        else if (what < 600)
            step_delete(&m, k, key);
        else if (what < 998)
            step_lookup(&m, k, key);
        else
            check_keys(&m);
    }
    check_keys(&m);
    mock_set_cpu(0);
    ebpf_obj_put(ebpf_map_obj(m.map));
}

TEST(model_hash_with_room)
{
    run_model(BPF_MAP_TYPE_HASH, 4, 8, KEYS, 300000);
}
TEST(model_hash_mostly_full)
{
    run_model(BPF_MAP_TYPE_HASH, 8, 12, 40, 300000);
}
TEST(model_hash_of_one)
{
    run_model(BPF_MAP_TYPE_HASH, 4, 1, 1, 150000);
}
TEST(model_hash_with_odd_sizes)
{
    run_model(BPF_MAP_TYPE_HASH, 13, 37, 50, 300000);
}
TEST(model_hash_byte_keys)
{
    run_model(BPF_MAP_TYPE_HASH, 1, 5, 64, 150000);
}
TEST(model_array)
{
    run_model(BPF_MAP_TYPE_ARRAY, 4, 12, 64, 200000);
}
TEST(model_percpu_array)
{
    run_model(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 24, 64, 200000);
}
TEST(model_percpu_hash_with_room)
{
    run_model(BPF_MAP_TYPE_PERCPU_HASH, 4, 8, KEYS, 200000);
}
TEST(model_percpu_hash_mostly_full)
{
    run_model(BPF_MAP_TYPE_PERCPU_HASH, 13, 21, 40, 200000);
}
TEST(model_lru_hash_with_room)
{
    run_model(BPF_MAP_TYPE_LRU_HASH, 8, 12, KEYS, 200000);
}
TEST(model_lru_percpu_hash_with_room)
{
    run_model(BPF_MAP_TYPE_LRU_PERCPU_HASH, 5, 21, KEYS, 200000);
}
