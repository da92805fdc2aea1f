/* SPDX-License-Identifier: MIT */
/* Values with a struct bpf_spin_lock or a struct bpf_timer: copies go around them, BPF_F_LOCK takes
 * the lock, timers end with their values. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>

#include <ebpf/ebpf.h>

#include "maps/fields.h"
#include "maps/spin_lock.h"
#include "src/base/epoch.h"

#define LOCK_OFF 8
#define TIMER_OFF 24
#define SIZE 48

static struct ebpf_map *create(uint32_t type, uint32_t entries, int32_t lock_off, int32_t timer_off)
{
    struct ebpf_map_spec spec = {
        .type = type, .key_size = 4, .value_size = SIZE, .max_entries = entries};
    struct ebpf_map *map;

    if (ebpf_map_create(&spec, &map))
        return NULL;
    map->lock_off = lock_off; /* as the value's type would say */
    map->timer_off = timer_off;
    return map;
}

static void put(struct ebpf_map *map)
{
    map->timer_off = -1; /* unused was chosen without it */
    ebpf_obj_put(ebpf_map_obj(map));
}

static uint8_t *in_place(struct ebpf_map *map, uint32_t key)
{
    return map->ops->lookup(map, &key);
}

/* Which bytes of a value are special. */
static bool special(int32_t lock_off, int32_t timer_off, int32_t i)
{
    return (lock_off >= 0 && i >= lock_off && i < lock_off + 4) ||
           (timer_off >= 0 && i >= timer_off && i < timer_off + 16);
}

TEST(copies_go_around_locks_and_timers)
{
    static const int32_t offs[][2] = {{0, -1},  {44, -1}, {-1, 0}, {-1, 32}, {8, 24},
                                      {44, 16}, {0, 8},   {16, 0}, {20, 24}, {-1, -1}};

    for (unsigned i = 0; i < 10; i++) {
        struct ebpf_map map = {.value_size = SIZE, .lock_off = offs[i][0], .timer_off = offs[i][1]};
        uint64_t src[SIZE / 8], dst[SIZE / 8];

        for (unsigned how = 0; how < 3; how++) {
            memset(src, 0xaa, SIZE);
            memset(dst, 0x55, SIZE);
            if (how == 0)
                ebpf_fields_copy_in(&map, dst, src);
            else if (how == 1)
                ebpf_fields_copy_out(&map, dst, src, false);
            else
                ebpf_fields_copy_new(&map, dst, src);
            for (int32_t k = 0; k < SIZE; k++) {
                uint8_t want = special(offs[i][0], offs[i][1], k) ? (how ? 0 : 0x55) : 0xaa;

                CHECK_EQ(((uint8_t *)dst)[k], want);
            }
        }
    }
}

static const uint32_t types[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY};

TEST(update_and_lookup_leave_the_lock_alone_and_show_zeros)
{
    for (unsigned t = 0; t < 2; t++) {
        struct ebpf_map *map = create(types[t], 4, LOCK_OFF, -1);
        uint8_t value[SIZE], got[SIZE], *own;
        uint32_t key = 1;

        memset(value, 0xaa, SIZE);
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_ANY), 0);
        own = in_place(map, key);
        CHECK_EQ(*(uint32_t *)(void *)(own + LOCK_OFF), 0);
        CHECK_EQ(own[0], 0xaa);
        own[LOCK_OFF + 1] = 0x77; /* what a lock looks like is the kernel's business */
        memset(got, 0x11, SIZE);
        CHECK_EQ(ebpf_map_lookup(map, &key, got), 0);
        for (int32_t i = 0; i < SIZE; i++)
            CHECK_EQ(got[i], special(LOCK_OFF, -1, i) ? 0 : 0xaa);
        own[LOCK_OFF + 1] = 0;
        put(map);
    }
}

TEST(f_lock_errors_are_linux_s)
{
    for (unsigned t = 0; t < 2; t++) {
        struct ebpf_map *map = create(types[t], 2, LOCK_OFF, -1);
        struct ebpf_map *plain = create(types[t], 2, -1, -1);
        uint8_t value[SIZE] = {1}, got[SIZE];
        uint32_t key = 1, none = 9;
        bool hash = types[t] == BPF_MAP_TYPE_HASH;

        CHECK_EQ(ebpf_map_update(plain, &key, value, BPF_F_LOCK), -EINVAL);
        CHECK_EQ(plain->ops->update(plain, &key, value, BPF_F_LOCK), -EINVAL);
        CHECK_EQ(ebpf_map_lookup_flags(plain, &key, got, BPF_F_LOCK), -EINVAL);
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_F_LOCK | BPF_EXIST), hash ? -ENOENT : 0);
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_F_LOCK), 0);
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_F_LOCK | BPF_NOEXIST), -EEXIST);
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_F_LOCK | 3), hash ? -EINVAL : -EINVAL);
        CHECK_EQ(ebpf_map_update(map, &key, value, 8), -EINVAL);
        CHECK_EQ(ebpf_map_lookup_flags(map, &key, got, BPF_F_LOCK), 0);
        CHECK(!memcmp(got, value, SIZE));
        CHECK_EQ(ebpf_map_lookup_flags(map, &none, got, BPF_F_LOCK), -ENOENT);
        CHECK_EQ(ebpf_map_take_flags(map, &key, got, BPF_F_LOCK), hash ? 0 : -ENOTSUPP);
        CHECK_EQ(ebpf_map_lookup(map, &key, got), hash ? -ENOENT : 0);
        put(map), put(plain);
    }
}

/* BPF_F_LOCK writes in place: a program that holds the value sees it; the lock is free again. */
TEST(f_lock_update_writes_in_place)
{
    for (unsigned t = 0; t < 2; t++) {
        struct ebpf_map *map = create(types[t], 2, LOCK_OFF, -1);
        uint8_t value[SIZE] = {1}, *own;
        uint32_t key = 1;

        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_F_LOCK), 0);
        own = in_place(map, key);
        value[0] = 2;
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_F_LOCK), 0);
        CHECK_EQ(own[0], 2);
        CHECK(own == in_place(map, key));
        CHECK_EQ(*(uint32_t *)(void *)(own + LOCK_OFF), 0);
        put(map);
    }
}

TEST(batches_take_f_lock_where_there_are_locks)
{
    for (unsigned t = 0; t < 2; t++) {
        struct ebpf_map *map = create(types[t], 2, LOCK_OFF, -1);
        uint8_t values[2][SIZE] = {{1}, {2}};
        uint32_t keys[2] = {0, 1};
        union bpf_attr attr = {0};
        long err;

        ebpf_obj_get(ebpf_map_obj(map));
        attr.batch.map_fd = (uint32_t)ebpf_os_fd_install(ebpf_map_obj(map));
        attr.batch.keys = mock_user_copy(keys, sizeof(keys));
        attr.batch.values = mock_user_copy(values, sizeof(values));
        attr.batch.count = 2;
        attr.batch.elem_flags = BPF_F_LOCK;
        CHECK_EQ(mock_bpf(BPF_MAP_UPDATE_BATCH, &attr, sizeof(attr)), 0);
        CHECK_EQ(in_place(map, 1)[0], 2);
        attr.batch.out_batch = mock_user_alloc(8);
        attr.batch.count = 2;
        in_place(map, 0)[LOCK_OFF + 3] = 0; /* free */
        err = mock_bpf(BPF_MAP_LOOKUP_BATCH, &attr, sizeof(attr));
        CHECK(!err || err == -ENOENT);
        CHECK_EQ(attr.batch.count, 2);
        attr.batch.elem_flags = BPF_F_LOCK | BPF_EXIST;
        CHECK_EQ(mock_bpf(BPF_MAP_UPDATE_BATCH, &attr, sizeof(attr)), -EINVAL);
        map->lock_off = -1;
        attr.batch.elem_flags = BPF_F_LOCK;
        CHECK_EQ(mock_bpf(BPF_MAP_UPDATE_BATCH, &attr, sizeof(attr)), -EINVAL);
        CHECK_EQ(mock_bpf(BPF_MAP_LOOKUP_BATCH, &attr, sizeof(attr)), -EINVAL);
        ebpf_fd_close((int)attr.batch.map_fd);
        put(map);
    }
}

/* ---- timers -------------------------------------------------------------------------------- */

static unsigned released;
static void *last_released;

static void count_release(struct ebpf_map *map, void *value)
{
    (void)map;
    released++;
    last_released = value;
}

TEST(timers_end_when_their_value_leaves_the_map)
{
    static const uint32_t all[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_LRU_HASH};

    for (unsigned t = 0; t < 3; t++) {
        struct ebpf_map *map = create(all[t], 2, -1, TIMER_OFF);
        uint8_t value[SIZE] = {1}, got[SIZE], *own;
        uint32_t key = 1;

        map->release = count_release;
        released = 0;
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_ANY), 0);
        CHECK_EQ(released, all[t] == BPF_MAP_TYPE_ARRAY);
        own = in_place(map, key);
        own[TIMER_OFF] = 0x77;
        released = 0;
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_ANY), 0);
        CHECK_EQ(released, 1);
        CHECK(last_released == own);
        own = in_place(map, key);
        CHECK_EQ(own[TIMER_OFF], all[t] == BPF_MAP_TYPE_ARRAY ? 0x77 : 0);
        if (all[t] != BPF_MAP_TYPE_ARRAY) {
            CHECK_EQ(map->ops->remove(map, &key), 0);
            CHECK_EQ(released, 2);
            CHECK_EQ(ebpf_map_update(map, &key, value, BPF_ANY), 0);
            CHECK_EQ(ebpf_map_lookup_and_delete(map, &key, got), 0);
            CHECK_EQ(released, 3);
        }
        put(map);
    }
}

TEST(timers_of_evicted_and_batched_values_end)
{
    struct ebpf_map *map = create(BPF_MAP_TYPE_LRU_HASH, 2, -1, TIMER_OFF);
    uint8_t value[SIZE] = {1};
    union bpf_attr attr = {0};
    uint32_t key;

    map->release = count_release;
    released = 0;
    for (key = 0; key < 10; key++)
        CHECK_EQ(ebpf_map_update(map, &key, value, BPF_ANY), 0);
    CHECK_EQ(released, 8);
    ebpf_obj_get(ebpf_map_obj(map));
    attr.batch.map_fd = (uint32_t)ebpf_os_fd_install(ebpf_map_obj(map));
    attr.batch.keys = mock_user_alloc(100);
    attr.batch.values = mock_user_alloc(4 * SIZE);
    attr.batch.out_batch = mock_user_alloc(8);
    attr.batch.count = 4;
    CHECK_EQ(mock_bpf(BPF_MAP_LOOKUP_AND_DELETE_BATCH, &attr, sizeof(attr)), -ENOENT);
    CHECK_EQ(released, 10);
    ebpf_fd_close((int)attr.batch.map_fd);
    put(map);
}

/* ---- harts --------------------------------------------------------------------------------- */

struct race {
    struct ebpf_map *map;
    bool stop;
};

static bool whole(const uint8_t *value)
{
    for (int32_t i = 0; i < SIZE; i++) {
        if (!special(LOCK_OFF, -1, i) && value[i] != value[0])
            return false;
    }
    return true;
}

/* Programs: take the lock, write byte by byte. */
static void *writer(void *arg)
{
    struct race *race = arg;
    uint8_t byte = 0;

    mock_set_cpu(1);
    while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED)) {
        unsigned long irq = ebpf_os_irq_save();
        uint8_t *own;

        ebpf_epoch_enter(1);
        own = in_place(race->map, 1);
        ebpf_spin_lock((uint32_t *)(void *)(own + LOCK_OFF));
        byte++;
        for (int32_t i = 0; i < SIZE; i++) {
            if (!special(LOCK_OFF, -1, i))
                __atomic_store_n(own + i, byte, __ATOMIC_RELAXED);
        }
        ebpf_spin_unlock((uint32_t *)(void *)(own + LOCK_OFF));
        ebpf_epoch_exit(1);
        ebpf_os_irq_restore(irq);
    }
    return NULL;
}

TEST(f_lock_never_shows_threads_half_of_a_locked_write)
{
    for (unsigned t = 0; t < 2; t++) {
        struct race race = {.map = create(types[t], 4, LOCK_OFF, -1)};
        uint8_t value[SIZE] = {0}, got[SIZE];
        unsigned torn = 0;
        pthread_t thread;
        uint32_t key = 1;

        CHECK_EQ(ebpf_map_update(race.map, &key, value, BPF_ANY), 0);
        REQUIRE(!pthread_create(&thread, NULL, writer, &race));
        for (unsigned i = 0; i < 30000; i++) {
            CHECK_EQ(ebpf_map_lookup_flags(race.map, &key, got, BPF_F_LOCK), 0);
            torn += !whole(got);
            memset(value, (int)i, SIZE);
            CHECK_EQ(ebpf_map_update(race.map, &key, value, BPF_F_LOCK), 0);
        }
        __atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
        CHECK_EQ(torn, 0);
        put(race.map);
    }
}
