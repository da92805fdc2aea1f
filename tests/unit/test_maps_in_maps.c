/* SPDX-License-Identifier: MIT */
/* Arrays of maps and hashes of maps: which maps may be in them, against a model, references, what
 * programs find. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>

#include <ebpf/ebpf.h>

#include "maps/hash.h"
#include "src/base/epoch.h"

static struct ebpf_map *create(uint32_t type, uint32_t value_size, uint32_t entries, uint32_t flags)
{
    struct ebpf_map_spec spec = {.type = type,
                                 .key_size = 4,
                                 .value_size = value_size,
                                 .max_entries = entries,
                                 .flags = flags};
    struct ebpf_map *map;

    return ebpf_map_create(&spec, &map) ? NULL : map;
}

static int create_outer(uint32_t type, struct ebpf_map *inner, uint32_t entries,
                        struct ebpf_map **out)
{
    struct ebpf_map_spec spec = {
        .type = type, .key_size = 4, .value_size = 4, .max_entries = entries, .inner = inner};

    *out = NULL;
    return ebpf_map_create(&spec, out);
}

static void put(struct ebpf_map *map)
{
    if (map)
        ebpf_obj_put(ebpf_map_obj(map));
}

static const uint32_t outer_types[] = {BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_HASH_OF_MAPS};

TEST(maps_in_maps_are_created_like_linux_s)
{
    struct ebpf_map *inner = create(BPF_MAP_TYPE_HASH, 8, 4, 0), *outer, *outermost;
    struct ebpf_map *progs = create(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 0);

    REQUIRE(inner && progs);
    for (unsigned t = 0; t < 2; t++) {
        struct ebpf_map_spec spec = {.type = outer_types[t],
                                     .key_size = 4,
                                     .value_size = 8,
                                     .max_entries = 1,
                                     .inner = inner};

        CHECK_EQ(create_outer(outer_types[t], NULL, 3, &outer), -EINVAL);
        CHECK_EQ(create_outer(outer_types[t], progs, 3, &outer), -ENOTSUPP);
        CHECK_EQ(create_outer(outer_types[t], inner, 0, &outer), -EINVAL);
        CHECK_EQ(ebpf_map_create(&spec, &outer), -EINVAL); /* values are fds */
        REQUIRE(!create_outer(outer_types[t], inner, 3, &outer));
        CHECK_EQ(create_outer(BPF_MAP_TYPE_ARRAY_OF_MAPS, outer, 3, &outermost), -EINVAL);
        CHECK_EQ(create_outer(BPF_MAP_TYPE_HASH_OF_MAPS, outer, 3, &outermost), -EINVAL);
        put(outer);
    }
    put(inner);
    put(progs);
}

TEST(maps_in_maps_tell_the_verifier_what_is_in_them)
{
    struct ebpf_map *inner = create(BPF_MAP_TYPE_HASH, 12, 4, BPF_F_RDONLY_PROG), *outer;

    for (unsigned t = 0; t < 2; t++) {
        REQUIRE(inner && !create_outer(outer_types[t], inner, 3, &outer));
        REQUIRE(outer->inner);
        CHECK_EQ(outer->inner->type, BPF_MAP_TYPE_HASH);
        CHECK_EQ(outer->inner->key_size, 4);
        CHECK_EQ(outer->inner->value_size, 12);
        CHECK_EQ(outer->inner->value_stride, 16);
        CHECK_EQ(outer->inner->max_entries, 4);
        CHECK_EQ(outer->inner->flags, BPF_F_RDONLY_PROG);
        CHECK_EQ(outer->inner->lock_off, -1);
        CHECK(outer->inner->ops == inner->ops);
        put(outer);
    }
    put(inner);
}

static int try_put(struct ebpf_map *outer, struct ebpf_map *inner)
{
    uint32_t key = 0;
    int err = inner ? ebpf_map_set_map(outer, &key, inner, BPF_ANY) : -ENOMEM;

    put(inner);
    return err;
}

TEST(only_maps_alike_may_be_in_one_map)
{
    for (unsigned t = 0; t < 2; t++) {
        struct ebpf_map *like = create(BPF_MAP_TYPE_HASH, 8, 4, 0), *outer;

        REQUIRE(like && !create_outer(outer_types[t], like, 3, &outer));
        put(like);
        CHECK_EQ(try_put(outer, create(BPF_MAP_TYPE_HASH, 8, 4, 0)), 0);
        CHECK_EQ(try_put(outer, create(BPF_MAP_TYPE_HASH, 8, 99, 0)), 0);
        CHECK_EQ(try_put(outer, create(BPF_MAP_TYPE_HASH, 12, 4, 0)), -EINVAL);
        CHECK_EQ(try_put(outer, create(BPF_MAP_TYPE_HASH, 8, 4, BPF_F_ZERO_SEED)), -EINVAL);
        CHECK_EQ(try_put(outer, create(BPF_MAP_TYPE_ARRAY, 8, 4, 0)), -EINVAL);
        put(outer);
    }
}

TEST(arrays_in_maps_are_of_one_length_unless_they_say_otherwise)
{
    for (unsigned t = 0; t < 2; t++) {
        struct ebpf_map *fixed = create(BPF_MAP_TYPE_ARRAY, 8, 4, 0), *outer;
        struct ebpf_map *any = create(BPF_MAP_TYPE_ARRAY, 8, 4, BPF_F_INNER_MAP);

        REQUIRE(fixed && any && !create_outer(outer_types[t], fixed, 3, &outer));
        CHECK_EQ(try_put(outer, create(BPF_MAP_TYPE_ARRAY, 8, 4, 0)), 0);
        CHECK_EQ(try_put(outer, create(BPF_MAP_TYPE_ARRAY, 8, 5, 0)), -EINVAL);
        CHECK_EQ(try_put(outer, create(BPF_MAP_TYPE_ARRAY, 8, 4, BPF_F_INNER_MAP)), -EINVAL);
        put(outer);
        REQUIRE(!create_outer(outer_types[t], any, 3, &outer));
        CHECK_EQ(try_put(outer, create(BPF_MAP_TYPE_ARRAY, 8, 5, BPF_F_INNER_MAP)), 0);
        put(outer);
        put(fixed);
        put(any);
    }
}

TEST(maps_in_maps_survive_every_failing_allocation)
{
    struct ebpf_map *inner = create(BPF_MAP_TYPE_HASH, 8, 4, 0), *outer;

    for (unsigned t = 0; t < 2; t++) {
        unsigned n = 1;

        for (; n < 10; n++) {
            size_t bytes = mock_live_bytes();
            int err;

            mock_fail_alloc(n);
            err = create_outer(outer_types[t], inner, 3, &outer);
            mock_fail_alloc(0);
            if (!err)
                break;
            CHECK_EQ(err, -ENOMEM);
            CHECK_EQ(mock_live_bytes(), bytes);
        }
        CHECK(n > 1 && n < 10);
        put(outer);
    }
    put(inner);
}

/* ---- against a model ----------------------------------------------------------------------- */

#define INNERS 12u
#define KEYS 20u
#define ROOM 10u

struct model {
    struct ebpf_map *outer, *inner[INNERS];
    int at[KEYS]; /* which map; -1: none */
    uint32_t count;
    bool is_array;
    uint64_t random;
};

static uint32_t draw(struct model *m, uint32_t below)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (uint32_t)(m->random >> 32) % below;
}

static int expected_update(const struct model *m, uint32_t k, uint64_t flags)
{
    if (m->is_array)
        return flags ? -EINVAL : k >= ROOM ? -E2BIG : 0;
    if (flags > BPF_EXIST)
        return -EINVAL;
    if (m->at[k] >= 0)
        return flags == BPF_NOEXIST ? -EEXIST : 0;
    if (flags == BPF_EXIST)
        return -ENOENT;
    return m->count == ROOM ? -E2BIG : 0;
}

static void step_update(struct model *m, uint32_t k)
{
    uint32_t which = draw(m, INNERS);
    uint64_t flags = draw(m, 3) ? BPF_ANY : draw(m, 5);
    int want = flags & BPF_F_LOCK ? -EINVAL : expected_update(m, k, flags), fd, err;

    if (draw(m, 2) || flags & BPF_F_LOCK) { /* through bpf(2)'s way */
        ebpf_obj_get(ebpf_map_obj(m->inner[which]));
        fd = ebpf_os_fd_install(ebpf_map_obj(m->inner[which]));
        err = ebpf_map_update(m->outer, &k, &fd, flags);
        ebpf_fd_close(fd);
    } else {
        err = ebpf_map_set_map(m->outer, &k, m->inner[which], flags);
    }
    CHECK_EQ(err, want);
    if (want)
        return;
    m->count += m->at[k] < 0;
    m->at[k] = (int)which;
}

static void step_delete(struct model *m, uint32_t k)
{
    int want = m->is_array && k >= ROOM ? -E2BIG : m->at[k] < 0 ? -ENOENT : 0;

    if (draw(m, 2))
        CHECK_EQ(ebpf_map_delete(m->outer, &k), want);
    else
        CHECK_EQ(ebpf_map_set_map(m->outer, &k, NULL, BPF_ANY), want);
    m->count -= m->at[k] >= 0;
    m->at[k] = -1;
}

static void step_lookup(struct model *m, uint32_t k)
{
    const struct ebpf_map *want = m->at[k] < 0 ? NULL : m->inner[m->at[k]];
    uint32_t id = 0;

    CHECK_EQ(ebpf_map_lookup(m->outer, &k, &id), want ? 0 : -ENOENT);
    CHECK(!want || id == want->obj.id);
    ebpf_epoch_enter(0);
    CHECK(m->outer->ops->lookup(m->outer, &k) == want);
    ebpf_epoch_exit(0);
}

static void step_replace_inner(struct model *m)
{
    uint32_t which = draw(m, INNERS);

    for (uint32_t k = 0; k < KEYS; k++) { /* the outer map alone keeps it */
        if (m->at[k] == (int)which)
            return;
    }
    put(m->inner[which]);
    m->inner[which] = create(BPF_MAP_TYPE_HASH, 8, 1 + draw(m, 9), 0);
}

static void check_refs(const struct model *m)
{
    for (uint32_t i = 0; i < INNERS; i++) {
        uint32_t refs = 1;

        for (uint32_t k = 0; k < KEYS; k++)
            refs += m->at[k] == (int)i;
        CHECK_EQ(m->inner[i]->obj.refs, refs);
    }
}

static void run_model(uint32_t type, unsigned steps)
{
    struct model m = {.is_array = type == BPF_MAP_TYPE_ARRAY_OF_MAPS,
                      .random = 88172645463325252u + type};

    for (uint32_t i = 0; i < INNERS; i++)
        m.inner[i] = create(BPF_MAP_TYPE_HASH, 8, 1 + i, 0);
    for (uint32_t k = 0; k < KEYS; k++)
        m.at[k] = -1;
    REQUIRE(!create_outer(type, m.inner[0], ROOM, &m.outer));
    for (unsigned i = 0; i < steps; i++) {
        uint32_t k = draw(&m, KEYS), what = draw(&m, 100);

        if (what < 40)
            step_update(&m, k);
        else if (what < 60)
            step_delete(&m, k);
        else if (what < 99)
            step_lookup(&m, k);
        else
            step_replace_inner(&m);
        if (i % 997 == 0)
            check_refs(&m);
    }
    check_refs(&m);
    put(m.outer);
    memset(m.at, 0xff, sizeof(m.at));
    check_refs(&m);
    for (uint32_t i = 0; i < INNERS; i++)
        put(m.inner[i]);
}

TEST(model_array_of_maps)
{
    run_model(BPF_MAP_TYPE_ARRAY_OF_MAPS, 300000);
}
TEST(model_hash_of_maps)
{
    run_model(BPF_MAP_TYPE_HASH_OF_MAPS, 300000);
}

/* ---- life ---------------------------------------------------------------------------------- */

TEST(map_in_a_map_lives_on_without_its_fd_and_goes_with_the_outer_one)
{
    for (unsigned t = 0; t < 2; t++) {
        struct ebpf_map *inner = create(BPF_MAP_TYPE_HASH, 8, 4, 0), *outer, *found;
        uint32_t key = 1, before = ebpf_obj_count() - 1;
        uint64_t value = 77;

        REQUIRE(inner && !create_outer(outer_types[t], inner, 4, &outer));
        CHECK_EQ(ebpf_map_set_map(outer, &key, inner, BPF_ANY), 0);
        put(inner);
        CHECK_EQ(ebpf_obj_count(), before + 2);
        ebpf_epoch_enter(0);
        found = outer->ops->lookup(outer, &key);
        REQUIRE(found);
        CHECK_EQ(found->ops->update(found, &key, &value, BPF_ANY), 0);
        ebpf_epoch_exit(0);
        put(outer);
        CHECK_EQ(ebpf_obj_count(), before);
    }
}

TEST(programs_cannot_change_maps_in_maps)
{
    for (unsigned t = 0; t < 2; t++) {
        struct ebpf_map *inner = create(BPF_MAP_TYPE_HASH, 8, 4, 0), *outer;
        uint32_t key = 1, value = 1;

        REQUIRE(inner && !create_outer(outer_types[t], inner, 4, &outer));
        CHECK_EQ(outer->ops->update(outer, &key, &value, BPF_ANY), -EINVAL);
        CHECK_EQ(outer->ops->remove(outer, &key), -EINVAL);
        put(outer);
        put(inner);
    }
}

TEST(batches_of_maps_in_maps_give_ids)
{
    struct ebpf_map *inner[3], *outer;
    uint32_t keys[8], ids[8], key, fd, count = 8, seen = 0;
    union bpf_attr attr = {0};

    for (key = 0; key < 3; key++)
        inner[key] = create(BPF_MAP_TYPE_HASH, 8, 1 + key, 0);
    REQUIRE(!create_outer(BPF_MAP_TYPE_HASH_OF_MAPS, inner[0], 4, &outer));
    for (key = 0; key < 3; key++)
        CHECK_EQ(ebpf_map_set_map(outer, &key, inner[key], BPF_ANY), 0);
    fd = (uint32_t)ebpf_os_fd_install(ebpf_map_obj(outer));
    attr.batch.map_fd = fd;
    attr.batch.count = count;
    attr.batch.keys = mock_user_alloc(sizeof(keys));
    attr.batch.values = mock_user_alloc(sizeof(ids));
    attr.batch.out_batch = mock_user_alloc(4);
    CHECK_EQ(mock_bpf(BPF_MAP_LOOKUP_AND_DELETE_BATCH, &attr, sizeof(attr)), -ENOENT);
    CHECK_EQ(attr.batch.count, 3);
    memcpy(keys, mock_user(attr.batch.keys), sizeof(keys));
    memcpy(ids, mock_user(attr.batch.values), sizeof(ids));
    for (uint32_t i = 0; i < 3; i++) {
        REQUIRE(keys[i] < 3);
        CHECK_EQ(ids[i], inner[keys[i]]->obj.id);
        CHECK_EQ(inner[keys[i]]->obj.refs, 1);
        seen |= 1u << keys[i];
    }
    CHECK_EQ(seen, 7);
    CHECK_EQ(ebpf_map_next_key(outer, NULL, &key), -ENOENT);
    ebpf_fd_close((int)fd);
    for (key = 0; key < 3; key++)
        put(inner[key]);
}

/* ---- harts --------------------------------------------------------------------------------- */

struct race {
    struct ebpf_map *outer, *inner[2];
    bool stop;
    uint64_t found, wrong;
    unsigned cpu;
};

/* What a lookup gives is one of the two maps, whose first element says which. */
static void *reader(void *arg)
{
    struct race *race = arg;
    uint32_t key = 1;

    mock_set_cpu(race->cpu);
    while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED)) {
        unsigned long irq = ebpf_os_irq_save();
        struct ebpf_map *map;
        uint64_t *value;

        ebpf_epoch_enter(race->cpu);
        map = race->outer->ops->lookup(race->outer, &key);
        value = map ? map->ops->lookup(map, &key) : NULL;
        if (map) {
            __atomic_fetch_add(&race->found, 1, __ATOMIC_RELAXED);
            if (!value || *value != 4711)
                __atomic_fetch_add(&race->wrong, 1, __ATOMIC_RELAXED);
        }
        ebpf_epoch_exit(race->cpu);
        ebpf_os_irq_restore(irq);
    }
    return NULL;
}

static void race_of(uint32_t type)
{
    struct ebpf_map *like = create(BPF_MAP_TYPE_HASH, 8, 4, 0);
    struct race race = {.cpu = 1};
    uint32_t key = 1, other = 2;
    uint64_t value = 4711;
    pthread_t thread;

    REQUIRE(like && !create_outer(type, like, 4, &race.outer));
    put(like);
    REQUIRE(!pthread_create(&thread, NULL, reader, &race));
    for (unsigned i = 0; i < 10000; i++) {
        struct ebpf_map *inner = create(BPF_MAP_TYPE_HASH, 8, 4, 0);

        ebpf_map_update(inner, &key, &value, BPF_ANY);
        ebpf_map_set_map(race.outer, &key, inner, BPF_ANY);
        ebpf_map_set_map(race.outer, &other, inner, BPF_ANY);
        put(inner); /* the one before is freed here or just above */
        if (i % 3 == 0)
            ebpf_map_set_map(race.outer, &key, NULL, BPF_ANY);
    }
    for (unsigned i = 0; i < 100000 && !__atomic_load_n(&race.found, __ATOMIC_RELAXED); i++)
        ebpf_map_set_map(race.outer, &other, NULL, BPF_ANY);
    __atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    CHECK_EQ(race.wrong, 0);
    put(race.outer);
}

TEST(map_that_a_program_found_stays_while_others_replace_and_free_it)
{
    race_of(BPF_MAP_TYPE_ARRAY_OF_MAPS);
    race_of(BPF_MAP_TYPE_HASH_OF_MAPS);
}
