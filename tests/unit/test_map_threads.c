/* SPDX-License-Identifier: MIT */
/* Maps used by several harts at once: four threads, each a hart of its own, as programs and as
 * user mode. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>

#include <ebpf/ebpf.h>

#include "maps/hash.h"
#include "src/base/epoch.h"

#define HARTS 4u
#define KEYS 64u
#define WORDS 6u

/* A value that belongs to its key and has one stamp in all places: a mix of two values shows. */
struct value {
    uint64_t key;
    uint64_t stamp[WORDS];
};

struct shared {
    struct ebpf_map *map;
    unsigned steps;
    int64_t inserted[HARTS]; /* minus deleted */
    uint64_t wrong, failures;
};

struct hart {
    pthread_t thread;
    struct shared *shared;
    unsigned cpu;
    uint64_t random;
};

static uint32_t draw(struct hart *h, uint32_t below)
{
    h->random ^= h->random << 13;
    h->random ^= h->random >> 7;
    h->random ^= h->random << 17;
    return (uint32_t)(h->random >> 32) % below;
}

static void complain(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static struct value make_value(struct hart *h, uint64_t key)
{
    struct value v = {.key = key};

    for (unsigned i = 0; i < WORDS; i++)
        v.stamp[i] = i ? v.stamp[0] : (uint64_t)draw(h, UINT32_MAX) << 8 | h->cpu;
    return v;
}

static bool value_is_whole(const struct value *v, uint64_t key)
{
    for (unsigned i = 1; i < WORDS; i++) {
        if (v->stamp[i] != v->stamp[0])
            return false;
    }
    return v->key == key;
}

/* An operation as a program does it: interrupts off, in an epoch section. */
static int as_program(struct hart *h, int what, const uint64_t *key, const struct value *v,
                      uint64_t flags)
{
    struct ebpf_map *map = h->shared->map;
    unsigned long irq = ebpf_os_irq_save();
    int err;

    ebpf_epoch_enter(h->cpu);
    err = what == 0 ? map->ops->update(map, key, v, flags) : map->ops->remove(map, key);
    ebpf_epoch_exit(h->cpu);
    ebpf_os_irq_restore(irq);
    return err;
}

static void step(struct hart *h)
{
    struct shared *s = h->shared;
    uint64_t key = draw(h, KEYS), next;
    struct value v = make_value(h, key);
    uint32_t what = draw(h, 100);
    int err = 0;

    if (what < 30) {
        err = as_program(h, 0, &key, &v, BPF_NOEXIST);
        s->inserted[h->cpu] += !err;
        err = err == -EEXIST || err == -E2BIG ? 0 : err;
    } else if (what < 45) {
        err = ebpf_map_update(s->map, &key, &v, BPF_EXIST);
        err = err == -ENOENT ? 0 : err;
    } else if (what < 65) {
        err = what % 2 ? ebpf_map_delete(s->map, &key) : as_program(h, 1, &key, NULL, 0);
        s->inserted[h->cpu] -= !err;
        err = err == -ENOENT ? 0 : err;
    } else if (what < 98) {
        err = ebpf_map_lookup(s->map, &key, &v);
        if (!err && !value_is_whole(&v, key))
            complain(&s->wrong);
        err = err == -ENOENT ? 0 : err;
    } else {
        err = ebpf_map_next_key(s->map, &key, &next);
        if (!err && next >= KEYS)
            complain(&s->wrong);
        err = err == -ENOENT ? 0 : err;
    }
    if (err)
        complain(&s->failures);
}

static void *run_hart(void *arg)
{
    struct hart *h = arg;

    mock_set_cpu(h->cpu);
    for (unsigned i = 0; i < h->shared->steps; i++)
        step(h);
    return NULL;
}

static void run_harts(struct shared *s, void *(*fn)(void *))
{
    struct hart harts[HARTS];

    for (unsigned cpu = 0; cpu < HARTS; cpu++) {
        harts[cpu] =
            (struct hart){.shared = s, .cpu = cpu, .random = 0x9e3779b97f4a7c15u * (cpu + 1)};
        REQUIRE(!pthread_create(&harts[cpu].thread, NULL, fn, &harts[cpu]));
    }
    for (unsigned cpu = 0; cpu < HARTS; cpu++)
        pthread_join(harts[cpu].thread, NULL);
}

static bool create(struct shared *s, uint32_t type, uint32_t key_size, uint32_t value_size,
                   uint32_t entries)
{
    struct ebpf_map_spec spec = {
        .type = type, .key_size = key_size, .value_size = value_size, .max_entries = entries};

    memset(s, 0, sizeof(*s));
    return !ebpf_map_create(&spec, &s->map);
}

static void check_hash_under_harts(uint32_t entries, unsigned steps)
{
    struct shared s;
    int64_t want = 0, count = 0;
    uint64_t key;

    REQUIRE(create(&s, BPF_MAP_TYPE_HASH, 8, sizeof(struct value), entries));
    s.steps = steps;
    run_harts(&s, run_hart);
    CHECK_EQ(s.wrong, 0);
    CHECK_EQ(s.failures, 0);
    for (unsigned cpu = 0; cpu < HARTS; cpu++)
        want += s.inserted[cpu];
    for (int err = ebpf_map_next_key(s.map, NULL, &key); !err;
         err = ebpf_map_next_key(s.map, &key, &key))
        REQUIRE(++count <= (int64_t)KEYS);
    CHECK_EQ(count, want);
    CHECK_EQ(ebpf_hash_of(s.map)->queue.count, want);
    /* no element was lost: the map can be filled to the brim */
    for (key = 0; key < KEYS; key++)
        ebpf_map_delete(s.map, &key);
    for (key = 0; key <= entries; key++) {
        struct value v = {.key = key};

        CHECK_EQ(ebpf_map_update(s.map, &key, &v, BPF_NOEXIST), key < entries ? 0 : -E2BIG);
    }
    ebpf_obj_put(ebpf_map_obj(s.map));
}

TEST(threads_hash_values_belong_to_their_keys_and_counts_add_up)
{
    check_hash_under_harts(256, 150000);
}

TEST(threads_hash_stays_right_when_it_is_full)
{
    check_hash_under_harts(16, 150000);
}

/* A key that is only ever replaced must be found by every lookup. */
static void *replace_or_find(void *arg)
{
    struct hart *h = arg;
    struct shared *s = h->shared;

    mock_set_cpu(h->cpu);
    for (unsigned i = 0; i < s->steps; i++) {
        uint64_t key = draw(h, 4);
        struct value v = make_value(h, key);

        if (h->cpu < 2) {
            if (ebpf_map_update(s->map, &key, &v, BPF_EXIST))
                complain(&s->failures);
        } else if (ebpf_map_lookup(s->map, &key, &v)) {
            complain(&s->failures);
        } else if (!value_is_whole(&v, key)) {
            complain(&s->wrong);
        }
    }
    return NULL;
}

TEST(threads_hash_replacing_a_key_never_hides_it)
{
    struct shared s;

    REQUIRE(create(&s, BPF_MAP_TYPE_HASH, 8, sizeof(struct value), 4));
    for (uint64_t key = 0; key < 4; key++) {
        struct value v = {.key = key};

        CHECK_EQ(ebpf_map_update(s.map, &key, &v, BPF_NOEXIST), 0);
    }
    s.steps = 200000;
    run_harts(&s, replace_or_find);
    CHECK_EQ(s.failures, 0);
    CHECK_EQ(s.wrong, 0);
    ebpf_obj_put(ebpf_map_obj(s.map));
}

/* Walking over the keys while they come and go yields keys that somebody put in, not halves of
 * two. Long keys, so that copying one takes as long as reusing its element. */
#define KEY_WORDS 256u

static void make_long_key(uint64_t key[KEY_WORDS], uint64_t k)
{
    for (unsigned i = 0; i < KEY_WORDS; i++)
        key[i] = k;
}

static void *change_or_walk(void *arg)
{
    struct hart *h = arg;
    struct shared *s = h->shared;
    uint64_t key[KEY_WORDS], next[KEY_WORDS];

    mock_set_cpu(h->cpu);
    for (unsigned i = 0; i < s->steps; i++) {
        make_long_key(key, draw(h, 8));
        if (h->cpu < 2) {
            ebpf_map_update(s->map, key, key, BPF_ANY);
            make_long_key(key, draw(h, 8));
            ebpf_map_delete(s->map, key);
        } else if (!ebpf_map_next_key(s->map, draw(h, 8) ? key : NULL, next)) {
            make_long_key(key, next[0]);
            if (next[0] >= 8 || memcmp(key, next, sizeof(key)))
                complain(&s->wrong);
        }
    }
    return NULL;
}

TEST(threads_hash_walk_makes_up_no_keys)
{
    struct shared s;

    REQUIRE(create(&s, BPF_MAP_TYPE_HASH, 8 * KEY_WORDS, 8, 3));
    s.steps = 100000;
    run_harts(&s, change_or_walk);
    CHECK_EQ(s.wrong, 0);
    ebpf_obj_put(ebpf_map_obj(s.map));
}

/* Numbers in an array are never seen half written. */
static void *write_or_read_numbers(void *arg)
{
    struct hart *h = arg;
    struct shared *s = h->shared;
    uint32_t key = 0;

    mock_set_cpu(h->cpu);
    for (unsigned i = 0; i < s->steps; i++) {
        uint64_t value = draw(h, 2) ? 0 : UINT64_MAX;

        if (h->cpu < 2)
            ebpf_map_update(s->map, &key, &value, BPF_ANY);
        else if (ebpf_map_lookup(s->map, &key, &value) || (value != 0 && value != UINT64_MAX))
            complain(&s->wrong);
    }
    return NULL;
}

TEST(threads_array_numbers_are_whole)
{
    struct shared s;

    REQUIRE(create(&s, BPF_MAP_TYPE_ARRAY, 4, 8, 1));
    s.steps = 300000;
    run_harts(&s, write_or_read_numbers);
    CHECK_EQ(s.wrong, 0);
    ebpf_obj_put(ebpf_map_obj(s.map));
}

/* Each hart counts in its own copy; nothing gets lost although nobody uses an atomic. */
static void *count_per_cpu(void *arg)
{
    struct hart *h = arg;
    struct shared *s = h->shared;
    uint32_t key = 1;

    mock_set_cpu(h->cpu);
    for (unsigned i = 0; i < s->steps; i++)
        ++*(uint64_t *)s->map->ops->lookup(s->map, &key);
    return NULL;
}

TEST(threads_percpu_array_counts_per_hart)
{
    struct shared s;
    uint32_t key = 1;
    uint64_t all[HARTS];

    REQUIRE(create(&s, BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 2));
    s.steps = 200000;
    run_harts(&s, count_per_cpu);
    CHECK_EQ(ebpf_map_lookup(s.map, &key, all), 0);
    for (unsigned cpu = 0; cpu < HARTS; cpu++)
        CHECK_EQ(all[cpu], 200000);
    ebpf_obj_put(ebpf_map_obj(s.map));
}

/* A program that interrupts its own hart in the middle of a change is turned away, not
 * deadlocked; it may look. */
TEST(hash_nested_change_on_one_hart_is_busy)
{
    struct shared s;
    struct ebpf_hash *hash;
    uint64_t key = 1, value[WORDS + 1] = {1};

    REQUIRE(create(&s, BPF_MAP_TYPE_HASH, 8, sizeof(struct value), 8));
    hash = ebpf_hash_of(s.map);
    CHECK_EQ(ebpf_map_update(s.map, &key, value, BPF_ANY), 0);
    for (uint32_t i = 0; i <= hash->stripe_mask; i++) /* as in the middle of a change */
        ebpf_hash_stripes(hash)[i].state |= 1;
    CHECK_EQ(ebpf_map_update(s.map, &key, value, BPF_ANY), -EBUSY);
    hash->queue.lock = 1; /* and of one to the queue */
    CHECK_EQ(ebpf_map_update(s.map, &key, value, BPF_ANY), -EBUSY);
    CHECK_EQ(ebpf_map_delete(s.map, &key), -EBUSY);
    CHECK(s.map->ops->lookup(s.map, &key));
    CHECK_EQ(ebpf_map_lookup(s.map, &key, value), 0);
    CHECK_EQ(value[0], 1);
    CHECK_EQ(ebpf_map_next_key(s.map, NULL, &key), 0);
    hash->queue.lock = 0;
    for (uint32_t i = 0; i <= hash->stripe_mask; i++)
        ebpf_hash_stripes(hash)[i].state &= ~1ull;
    CHECK_EQ(ebpf_map_update(s.map, &key, value, BPF_ANY), 0);
    CHECK_EQ(ebpf_map_delete(s.map, &key), 0);
    ebpf_obj_put(ebpf_map_obj(s.map));
}
