/* SPDX-License-Identifier: MIT */
/* Tries of prefixes against a plain list of them; errors, memory, harts. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>

#include <ebpf/ebpf.h>

#include "maps/map.h"
#include "src/base/epoch.h"

#define MAX_DATA 5
#define MAX_KEYS 64

struct key {
    uint32_t len;
    uint8_t data[MAX_DATA];
};

struct model {
    struct ebpf_map *map;
    uint64_t random;
    uint32_t bytes, count, room;
    struct key keys[MAX_KEYS];
    uint64_t values[MAX_KEYS];
};

static int create(uint32_t key, uint32_t value, uint32_t entries, uint32_t flags,
                  struct ebpf_map **map)
{
    struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_LPM_TRIE,
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

static uint32_t draw(struct model *m, uint32_t below)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (uint32_t)(m->random >> 32) % below;
}

/* Few different bits, so that prefixes nest. */
static struct key draw_key(struct model *m)
{
    struct key key = {.len = draw(m, 8 * m->bytes + 1)};

    for (uint32_t i = 0; i < m->bytes; i++)
        key.data[i] = (uint8_t)(draw(m, 2) ? draw(m, 4) << 6 : draw(m, 2) * 255);
    if (draw(m, 50) == 0)
        key.len += 8 * m->bytes;
    return key;
}

static bool bits_equal(const struct key *a, const struct key *b, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        if ((a->data[i / 8] ^ b->data[i / 8]) >> (7 - i % 8) & 1)
            return false;
    }
    return true;
}

/* Index of that very prefix, -1: none. */
static int exact(const struct model *m, const struct key *key)
{
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->keys[i].len == key->len && bits_equal(&m->keys[i], key, key->len))
            return (int)i;
    }
    return -1;
}

static int longest(const struct model *m, const struct key *key)
{
    int best = -1;

    for (uint32_t i = 0; i < m->count; i++) {
        if (m->keys[i].len <= key->len && bits_equal(&m->keys[i], key, m->keys[i].len) &&
            (best < 0 || m->keys[i].len > m->keys[best].len))
            best = (int)i;
    }
    return best;
}

static void step_update(struct model *m)
{
    struct key key = draw_key(m);
    uint64_t value = draw(m, UINT32_MAX), flags = draw(m, 40) ? draw(m, 3) : 3 + draw(m, 9);
    int i = key.len <= 8 * m->bytes ? exact(m, &key) : -1, want = 0;

    if (flags > BPF_EXIST || key.len > 8 * m->bytes)
        want = -EINVAL;
    else if (i >= 0)
        want = flags == BPF_NOEXIST ? -EEXIST : 0;
    else
        want = flags == BPF_EXIST ? -ENOENT : m->count == m->room ? -ENOSPC : 0;
    CHECK_EQ(m->map->ops->update(m->map, &key, &value, flags), want);
    if (want)
        return;
    if (i < 0)
        i = (int)m->count++;
    m->keys[i] = key;
    m->values[i] = value;
}

static void step_remove(struct model *m)
{
    struct key key = draw(m, 2) && m->count ? m->keys[draw(m, m->count)] : draw_key(m);
    int i = key.len <= 8 * m->bytes ? exact(m, &key) : -1;

    CHECK_EQ(ebpf_map_delete(m->map, &key), key.len > 8 * m->bytes ? -EINVAL : i < 0 ? -ENOENT : 0);
    if (i < 0)
        return;
    m->count--;
    m->keys[i] = m->keys[m->count];
    m->values[i] = m->values[m->count];
}

static void step_lookup(struct model *m)
{
    struct key key = draw_key(m);
    int i = key.len <= 8 * m->bytes ? longest(m, &key) : -1;
    const uint64_t *in_place = m->map->ops->lookup(m->map, &key);
    uint64_t value = 0;

    CHECK_EQ(ebpf_map_lookup(m->map, &key, &value), i < 0 ? -ENOENT : 0);
    CHECK(!in_place == (i < 0));
    if (i >= 0 && in_place) {
        CHECK_EQ(value, m->values[i]);
        CHECK_EQ(*in_place, m->values[i]);
    }
}

/* Each prefix once, what is below another before it. */
static void check_keys(struct model *m)
{
    bool seen[MAX_KEYS] = {false};
    struct key key = {0};
    uint32_t count = 0;

    for (int err = ebpf_map_next_key(m->map, NULL, &key); !err;
         err = ebpf_map_next_key(m->map, &key, &key)) {
        int i = exact(m, &key);

        REQUIRE(i >= 0 && !seen[i]);
        for (uint32_t j = 0; j < m->count; j++) {
            if (seen[j] && m->keys[j].len < key.len)
                CHECK(!bits_equal(&m->keys[j], &key, m->keys[j].len));
        }
        seen[i] = true;
        count++;
    }
    CHECK_EQ(count, m->count);
}

static void run_model(uint32_t bytes, uint32_t entries)
{
    static struct model m;

    memset(&m, 0, sizeof(m));
    m.random = 88172645463325252ull + bytes;
    m.bytes = bytes;
    m.room = entries;
    REQUIRE(!create(4 + bytes, 8, entries, BPF_F_NO_PREALLOC, &m.map));
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t what = draw(&m, 1000), lean = i / 1000 % 2 * 200;

        mock_set_cpu(i % 4);
        if (what < 250 + lean)
            step_update(&m);
        else if (what < 600)
            step_remove(&m);
        else if (what < 990)
            step_lookup(&m);
        else
            check_keys(&m);
    }
    mock_set_cpu(0);
    put(m.map);
}

TEST(model_lpm_trie)
{
    run_model(1, 64);
    run_model(2, 30);
    run_model(5, 50);
    run_model(3, 1);
}

static int try_create(uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
    struct ebpf_map *map;
    int err = create(key, value, entries, flags, &map);

    put(map);
    return err;
}

TEST(lpm_creation_errors_are_linux_s)
{
    const uint32_t np = BPF_F_NO_PREALLOC;

    CHECK_EQ(try_create(8, 8, 4, 0), -EINVAL);
    CHECK_EQ(try_create(4, 8, 4, np), -EINVAL);
    CHECK_EQ(try_create(5, 8, 4, np), 0);
    CHECK_EQ(try_create(260, 8, 4, np), 0);
    CHECK_EQ(try_create(261, 8, 4, np), -EINVAL);
    CHECK_EQ(try_create(8, 0, 4, np), -EINVAL);
    CHECK_EQ(try_create(8, 8, 0, np), -EINVAL);
    CHECK_EQ(try_create(8, UINT32_MAX, 4, np), -EINVAL);
    CHECK_EQ(try_create(8, 8, UINT32_MAX, np), -ENOMEM);
}

TEST(lpm_creation_gives_everything_back_when_memory_runs_out)
{
    for (unsigned n = 1;; n++) {
        size_t before = mock_live_bytes();
        int err;

        mock_fail_alloc(n);
        err = try_create(8, 8, 10, BPF_F_NO_PREALLOC);
        CHECK_EQ(err, mock_alloc_failed() ? -ENOMEM : 0);
        CHECK(err == 0 || mock_live_bytes() == before);
        if (!mock_alloc_failed()) {
            CHECK(n >= 2);
            mock_fail_alloc(0);
            return;
        }
    }
}

TEST(lpm_old_value_stays_for_who_holds_it)
{
    struct ebpf_map *map;
    struct key key = {.len = 8, .data = {10}};
    uint64_t value = 10, *held;

    REQUIRE(!create(8, 8, 4, BPF_F_NO_PREALLOC, &map));
    CHECK_EQ(ebpf_map_update(map, &key, &value, 0), 0);
    held = map->ops->lookup(map, &key);
    REQUIRE(held);
    for (value = 11; value < 15; value++)
        CHECK_EQ(ebpf_map_update(map, &key, &value, 0), 0);
    CHECK_EQ(*held, 10);
    CHECK_EQ(ebpf_map_delete(map, &key), 0);
    CHECK_EQ(*held, 10);
    put(map);
}

struct hart {
    pthread_t thread;
    struct ebpf_map *map;
    unsigned cpu;
    uint64_t wrong;
};

/* 0/0 is always there, so every lookup finds something; values say which prefix they belong to. */
static void *churn(void *arg)
{
    struct hart *h = arg;
    struct model m = {.random = 0x9e3779b97f4a7c15u * (h->cpu + 1), .bytes = 2};

    mock_set_cpu(h->cpu);
    for (unsigned i = 0; i < 60000; i++) {
        struct key key = draw_key(&m);
        uint64_t value;
        int err = 0;

        key.len = 1 + key.len % 16;
        value = key.len;
        if (h->cpu < 2)
            err = draw(&m, 2) ? ebpf_map_update(h->map, &key, &value, 0)
                              : ebpf_map_delete(h->map, &key);
        else if (ebpf_map_lookup(h->map, &key, &value) || value > key.len)
            h->wrong++;
        h->wrong += err && err != -ENOENT && err != -ENOSPC;
    }
    return NULL;
}

TEST(threads_lpm_lookups_find_a_prefix_of_their_key)
{
    struct hart harts[4];
    struct ebpf_map *map;
    struct key key = {0};
    uint64_t value = 0;

    REQUIRE(!create(6, 8, 40, BPF_F_NO_PREALLOC, &map));
    CHECK_EQ(ebpf_map_update(map, &key, &value, 0), 0);
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        harts[cpu] = (struct hart){.map = map, .cpu = cpu};
        REQUIRE(!pthread_create(&harts[cpu].thread, NULL, churn, &harts[cpu]));
    }
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        pthread_join(harts[cpu].thread, NULL);
        CHECK_EQ(harts[cpu].wrong, 0);
    }
    put(map);
}
