/* SPDX-License-Identifier: MIT */
/* Task storage: against a model, its errors, the ends of tasks, memory, harts. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>

#include <ebpf/ebpf.h>

#include "maps/task_storage.h"
#include "src/base/epoch.h"

#define CREATE BPF_LOCAL_STORAGE_GET_F_CREATE

static int try_create(uint32_t key, uint32_t value, uint32_t entries, uint32_t flags,
                      struct ebpf_map **map)
{
    struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_TASK_STORAGE,
                                 .key_size = key,
                                 .value_size = value,
                                 .max_entries = entries,
                                 .flags = flags};

    *map = NULL;
    return ebpf_map_create(&spec, map);
}

static struct ebpf_map *create(uint32_t value)
{
    struct ebpf_map *map;

    return try_create(4, value, 0, BPF_F_NO_PREALLOC, &map) ? NULL : map;
}

static void put(struct ebpf_map *map)
{
    ebpf_obj_put(ebpf_map_obj(map));
}

static void *get(struct ebpf_map *map, uintptr_t task, const void *value, uint64_t flags)
{
    void *found;

    ebpf_epoch_enter(0);
    found = ebpf_task_storage_get(map, task, value, flags);
    ebpf_epoch_exit(0);
    return found;
}

static int32_t pidfd(uintptr_t task)
{
    return MOCK_PIDFD + (int32_t)task - 1;
}

TEST(task_storage_creation_errors_are_linux_s)
{
    struct ebpf_map *map;

    CHECK_EQ(try_create(8, 8, 0, BPF_F_NO_PREALLOC, &map), -EINVAL);
    CHECK_EQ(try_create(4, 0, 0, BPF_F_NO_PREALLOC, &map), -EINVAL);
    CHECK_EQ(try_create(4, 8, 1, BPF_F_NO_PREALLOC, &map), -EINVAL);
    CHECK_EQ(try_create(4, 8, 0, 0, &map), -EINVAL);
    CHECK_EQ(try_create(4, 8, 0, BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE, &map), -EINVAL);
    CHECK_EQ(try_create(4, 8, 0, BPF_F_NO_PREALLOC | BPF_F_RDONLY, &map), -EINVAL);
    CHECK_EQ(try_create(4, 65408, 0, BPF_F_NO_PREALLOC, &map), -E2BIG);
    CHECK_EQ(try_create(4, 65407, 0, BPF_F_NO_PREALLOC, &map), 0);
    put(map);
    CHECK_EQ(try_create(4, 8, 0, BPF_F_NO_PREALLOC | BPF_F_CLONE, &map), 0);
    put(map);
    for (unsigned n = 1; n < 4; n++) {
        mock_fail_alloc(n);
        CHECK_EQ(try_create(4, 8, 0, BPF_F_NO_PREALLOC, &map), -ENOMEM);
    }
    mock_fail_alloc(0);
}

TEST(task_storage_of_user_mode_is_like_linux_s)
{
    struct ebpf_map *map = create(8);
    int32_t key = pidfd(3), bad = 7, ended = pidfd(9);
    uint64_t value = 5, got = 0;

    mock_task_ended = 9;
    CHECK_EQ(ebpf_map_lookup(map, &key, &got), -ENOENT);
    CHECK_EQ(ebpf_map_lookup(map, &bad, &got), -EBADF);
    CHECK_EQ(ebpf_map_lookup(map, &ended, &got), -ENOENT);
    CHECK_EQ(ebpf_map_delete(map, &key), -ENOENT);
    CHECK_EQ(ebpf_map_delete(map, &bad), -EBADF);
    CHECK_EQ(ebpf_map_update(map, &bad, &value, BPF_ANY), -EBADF);
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_EXIST), -ENOENT);
    CHECK_EQ(ebpf_map_update(map, &key, &value, 3), -EINVAL);
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_F_LOCK), -EINVAL);
    CHECK_EQ(ebpf_map_update(map, &key, &value, 8), -EINVAL);
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_NOEXIST), 0);
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_NOEXIST), -EEXIST);
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_EXIST), 0);
    CHECK_EQ(ebpf_map_lookup(map, &key, &got), 0);
    CHECK_EQ(got, 5);
    CHECK_EQ(ebpf_map_next_key(map, &key, &got), -ENOTSUPP);
    CHECK_EQ(ebpf_map_next_key(map, NULL, &got), -ENOTSUPP);
    CHECK_EQ(ebpf_map_lookup_and_delete(map, &key, &got), -ENOTSUPP);
    CHECK_EQ(ebpf_map_delete(map, &key), 0);
    put(map);
}

TEST(task_storage_through_bpf_2_needs_types)
{
    union bpf_attr attr = {.map_type = BPF_MAP_TYPE_TASK_STORAGE,
                           .key_size = 4,
                           .value_size = 8,
                           .map_flags = BPF_F_NO_PREALLOC};

    CHECK_EQ(mock_bpf(BPF_MAP_CREATE, &attr, sizeof(attr)), -EINVAL);
}

TEST(task_storage_of_programs_starts_as_told)
{
    struct ebpf_map *map = create(12), *other;
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 1};
    uint8_t value[12] = "hello world", *own;

    REQUIRE(map && !ebpf_map_create(&spec, &other));
    CHECK(!get(map, 3, value, 0));
    CHECK(!get(map, 0, value, CREATE));
    CHECK(!get(map, 3, value, CREATE | 2));
    CHECK(!get(other, 3, value, CREATE));
    own = get(map, 3, value, CREATE);
    REQUIRE(own);
    CHECK_EQ((uintptr_t)own % 8, 0);
    CHECK(!memcmp(own, value, 12));
    own[0] = 'j';
    CHECK(get(map, 3, value, CREATE) == own);
    CHECK(get(map, 3, NULL, 0) == own);
    CHECK_EQ(own[0], 'j');
    CHECK_EQ(ebpf_task_storage_delete(map, 3), 0);
    CHECK_EQ(ebpf_task_storage_delete(map, 3), -ENOENT);
    CHECK_EQ(ebpf_task_storage_delete(map, 0), -EINVAL);
    CHECK_EQ(ebpf_task_storage_delete(other, 3), -EINVAL);
    own = get(map, 4, NULL, CREATE);
    for (unsigned i = 0; i < 12; i++)
        CHECK_EQ(own[i], 0);
    put(map), put(other);
}

TEST(programs_use_up_the_reserve_and_task_context_refills_it)
{
    struct ebpf_map *map = create(8);
    uintptr_t task = 1;
    size_t blocks;

    while (get(map, task, NULL, CREATE))
        task++;
    CHECK_EQ(task - 1, EBPF_CONFIG_TASK_RESERVE);
    mock_fail_alloc(1);
    ebpf_refill(); /* survives that */
    mock_fail_alloc(0);
    CHECK(!get(map, task, NULL, CREATE));
    ebpf_refill();
    CHECK(get(map, task, NULL, CREATE));
    blocks = mock_live_blocks();
    for (uintptr_t t = 1; t <= task; t++)
        ebpf_task_exit(t);
    for (unsigned round = 0; round < 20; round++) { /* what ended tasks had is used again */
        ebpf_refill();
        for (uintptr_t t = 1; t <= EBPF_CONFIG_TASK_RESERVE; t++)
            CHECK(get(map, t, NULL, CREATE));
        for (uintptr_t t = 1; t <= EBPF_CONFIG_TASK_RESERVE; t++)
            ebpf_task_exit(t);
    }
    CHECK_EQ(mock_live_blocks(), blocks);
    put(map);
}

TEST(task_s_end_ends_its_storage_in_all_maps)
{
    struct ebpf_map *maps[3];
    uint64_t value = 5;

    for (unsigned i = 0; i < 3; i++) {
        maps[i] = create(8);
        CHECK(get(maps[i], 7, &value, CREATE));
        CHECK(get(maps[i], 8, &value, CREATE));
    }
    put(maps[1]);
    ebpf_task_exit(7);
    ebpf_task_exit(7);
    ebpf_task_exit(99);
    CHECK(!get(maps[0], 7, NULL, 0) && !get(maps[2], 7, NULL, 0));
    CHECK(get(maps[0], 8, NULL, 0) && get(maps[2], 8, NULL, 0));
    put(maps[0]), put(maps[2]);
}

TEST(task_storage_f_lock_goes_around_the_lock)
{
    struct ebpf_map *map = create(16);
    uint32_t value[4] = {1, 2, 3, 4}, got[4], *own;
    int32_t key = pidfd(3);

    map->lock_off = 4;
    CHECK_EQ(ebpf_map_update(map, &key, value, BPF_F_LOCK), 0);
    own = get(map, 3, NULL, 0);
    REQUIRE(own);
    CHECK_EQ(own[1], 0);
    value[0] = 9;
    CHECK_EQ(ebpf_map_update(map, &key, value, BPF_F_LOCK), 0);
    CHECK_EQ(own[0], 9); /* in place */
    CHECK_EQ(ebpf_map_update(map, &key, value, BPF_F_LOCK | BPF_NOEXIST), -EEXIST);
    CHECK_EQ(ebpf_map_lookup_flags(map, &key, got, BPF_F_LOCK), 0);
    CHECK(got[0] == 9 && got[1] == 0 && got[3] == 4);
    put(map);
}

/* ---- against a model ----------------------------------------------------------------------- */

#define TASKS 300u

static void step(struct ebpf_map *map, uint64_t *values, uint64_t seed)
{
    uintptr_t task = 1 + (seed >> 8) % TASKS;
    int32_t key = pidfd(task);
    uint64_t *value = &values[task - 1], fresh = seed | 1, got = 0, *own;

    switch (seed % 8) {
    case 0:
        CHECK_EQ(ebpf_map_update(map, &key, &fresh, BPF_ANY), 0);
        *value = fresh;
        break;
    case 1:
        CHECK_EQ(ebpf_map_update(map, &key, &fresh, BPF_NOEXIST), *value ? -EEXIST : 0);
        *value = *value ? *value : fresh;
        break;
    case 2:
        CHECK_EQ(ebpf_map_delete(map, &key), *value ? 0 : -ENOENT);
        *value = 0;
        break;
    case 3:
        CHECK_EQ(ebpf_task_storage_delete(map, task), *value ? 0 : -ENOENT);
        *value = 0;
        break;
    case 4:
        if (seed % 64 == 4)
            ebpf_task_exit(task), *value = 0;
        break;
    case 5:
        ebpf_refill();
        own = get(map, task, &fresh, CREATE);
        REQUIRE(own);
        *value = *value ? *value : fresh;
        CHECK_EQ(*own, *value);
        *own = *value = fresh;
        break;
    default:
        CHECK_EQ(ebpf_map_lookup(map, &key, &got), *value ? 0 : -ENOENT);
        CHECK_EQ(got, *value);
        own = get(map, task, NULL, 0);
        CHECK_EQ(own ? *own : 0, *value);
    }
}

TEST(model_task_storage)
{
    struct ebpf_map *map = create(8);
    uint64_t values[TASKS] = {0}, seed = 88172645463325252u;

    for (unsigned i = 0; i < 300000; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        step(map, values, seed >> 3);
    }
    put(map);
}

/* ---- harts --------------------------------------------------------------------------------- */

struct race {
    struct ebpf_map *map;
    unsigned cpu;
    uint64_t wrong;
};

/* Values hold their task's number, whoever makes them. */
static void *prog(void *arg)
{
    struct race *race = arg;

    mock_set_cpu(race->cpu);
    for (unsigned i = 0; i < 40000; i++) {
        uintptr_t task = 1 + i * 7 % 50;
        uint64_t number = task, *own;
        unsigned long irq = ebpf_os_irq_save();

        ebpf_epoch_enter(race->cpu);
        own = ebpf_task_storage_get(race->map, task, &number, CREATE);
        race->wrong += !own; /* 64 elements for 50 tasks and 4 harts */
        if (i % 16 == 0)
            ebpf_task_storage_delete(race->map, task);
        ebpf_epoch_exit(race->cpu);
        ebpf_os_irq_restore(irq);
    }
    return NULL;
}

static void *user(void *arg)
{
    struct race *race = arg;

    mock_set_cpu(race->cpu);
    for (unsigned i = 0; i < 10000; i++) {
        uintptr_t task = 1 + i * 11 % 50;
        int32_t key = pidfd(task);
        uint64_t number = task;

        if (i % 3 == 0)
            ebpf_map_update(race->map, &key, &number, BPF_ANY);
        else if (i % 3 == 1)
            ebpf_task_exit(task);
        else
            ebpf_map_lookup(race->map, &key, &number);
    }
    return NULL;
}

TEST(task_storage_stands_four_harts)
{
    struct ebpf_map *map = create(8);
    struct race races[4];
    pthread_t threads[4];

    for (unsigned i = 0; i < 4; i++) {
        races[i] = (struct race){map, i, 0};
        REQUIRE(!pthread_create(&threads[i], NULL, i % 2 ? user : prog, &races[i]));
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        CHECK_EQ(races[i].wrong, 0);
    }
    for (uintptr_t task = 1; task <= 50; task++) {
        uint64_t *own = get(map, task, NULL, 0);

        CHECK(!own || *own == task);
    }
    put(map);
}
