/* SPDX-License-Identifier: MIT */
/* Stack traces: numbers that follow from addresses, collisions, a full map, what user mode sees. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>

#include <ebpf/ebpf.h>
#include <ebpf/kprobe.h>

#include "maps/stack_trace.h"

#define DEPTH 10u

static const struct ebpf_regs regs;

static struct ebpf_map *create_of(uint32_t value_size, uint32_t entries, uint32_t flags)
{
    struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_STACK_TRACE,
                                 .key_size = 4,
                                 .value_size = value_size,
                                 .max_entries = entries,
                                 .flags = flags};
    struct ebpf_map *map;

    return ebpf_map_create(&spec, &map) ? NULL : map;
}

static struct ebpf_map *create(uint32_t depth, uint32_t entries)
{
    return create_of(8 * depth, entries, 0);
}

static void put(struct ebpf_map *map)
{
    ebpf_obj_put(ebpf_map_obj(map));
}

/* Stack number n: n + 1 frames, or as many as there may be. */
static void set_stack(uint64_t n)
{
    mock_stack_len = (unsigned)(n % 200) + 1;
    for (unsigned i = 0; i < mock_stack_len; i++)
        mock_stack[i] = 0x80000000u + n * 1000 + i;
}

static void check_value(const uint64_t *value, uint32_t depth, uint32_t skip)
{
    for (uint32_t i = 0; i < depth; i++) {
        bool there = skip + i < mock_stack_len && skip + i < EBPF_MAX_STACK;

        CHECK_EQ(value[i], there ? mock_stack[skip + i] : 0);
    }
}

TEST(stack_has_the_same_number_whoever_meets_it)
{
    struct ebpf_map *map = create(DEPTH, 64);
    int64_t first, second;
    uint64_t value[DEPTH];
    uint32_t key;

    set_stack(4);
    first = ebpf_stack_trace_id(map, &regs, 0);
    REQUIRE(first >= 0 && first < 64);
    mock_set_cpu(3);
    CHECK_EQ(ebpf_stack_trace_id(map, &regs, 0), first);
    CHECK_EQ(ebpf_stack_trace_id(map, &regs, BPF_F_FAST_STACK_CMP | BPF_F_REUSE_STACKID), first);
    key = (uint32_t)first;
    CHECK_EQ(ebpf_map_lookup(map, &key, value), 0);
    check_value(value, DEPTH, 0);
    second = ebpf_stack_trace_id(map, &regs, 2);
    CHECK(second >= 0 && second != first);
    key = (uint32_t)second;
    CHECK_EQ(ebpf_map_lookup(map, &key, value), 0);
    check_value(value, DEPTH, 2);
    put(map);
}

TEST(stack_ids_errors_are_linux_s)
{
    struct ebpf_map *map = create(DEPTH, 64);
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 1};
    struct ebpf_map *hash;

    REQUIRE(map && !ebpf_map_create(&spec, &hash));
    CHECK_EQ(ebpf_stack_trace_id(map, &regs, 0), -EFAULT);
    set_stack(4);
    CHECK_EQ(ebpf_stack_trace_id(hash, &regs, 0), -EINVAL);
    CHECK_EQ(ebpf_stack_trace_id(map, &regs, BPF_F_USER_BUILD_ID), -EINVAL);
    CHECK_EQ(ebpf_stack_trace_id(map, &regs, 1ull << 32), -EINVAL);
    CHECK_EQ(ebpf_stack_trace_id(map, &regs, BPF_F_USER_STACK), -EFAULT);
    CHECK(ebpf_stack_trace_id(map, &regs, 4) >= 0);
    CHECK_EQ(ebpf_stack_trace_id(map, &regs, 5), -EFAULT);
    CHECK_EQ(ebpf_stack_trace_id(map, &regs, 255), -EFAULT);
    mock_user_stack[0] = 0x1234;
    mock_user_stack_len = 1;
    CHECK(ebpf_stack_trace_id(map, &regs, BPF_F_USER_STACK) >= 0);
    put(map);
    put(hash);
}

/* At most 127 frames are walked, those that are skipped included, as on Linux. */
TEST(stack_skips_and_limits_are_linux_s)
{
    struct ebpf_map *map = create(EBPF_MAX_STACK, 512);
    uint64_t value[EBPF_MAX_STACK];

    set_stack(199);
    for (uint32_t skip = 0; skip < EBPF_MAX_STACK; skip++) {
        int64_t id = ebpf_stack_trace_id(map, &regs, skip | BPF_F_REUSE_STACKID);
        uint32_t key = (uint32_t)id;

        REQUIRE(id >= 0);
        CHECK_EQ(ebpf_map_lookup(map, &key, value), 0);
        check_value(value, EBPF_MAX_STACK, skip);
    }
    CHECK_EQ(ebpf_stack_trace_id(map, &regs, EBPF_MAX_STACK), -EFAULT);
    put(map);
}

TEST(stacks_of_one_number_exclude_each_other_unless_reused)
{
    struct ebpf_map *map = create(DEPTH, 1); /* all stacks have number 0 */
    uint64_t value[DEPTH];
    uint32_t key = 0;

    set_stack(4);
    CHECK_EQ(ebpf_stack_trace_id(map, &regs, 0), 0);
    set_stack(5);
    CHECK_EQ(ebpf_stack_trace_id(map, &regs, 0), -EEXIST);
    CHECK_EQ(ebpf_stack_trace_id(map, &regs, BPF_F_FAST_STACK_CMP), -EEXIST);
    CHECK_EQ(ebpf_stack_trace_id(map, &regs, BPF_F_REUSE_STACKID), 0);
    CHECK_EQ(ebpf_map_lookup(map, &key, value), 0);
    check_value(value, DEPTH, 0);
    put(map);
}

TEST(full_stack_map_has_no_memory_until_something_is_deleted)
{
    struct ebpf_map *map = create(DEPTH, 5); /* 8 numbers, 5 stacks */
    unsigned stored = 0, full = 0;
    uint32_t key;

    for (uint64_t n = 0; n < 100; n++) {
        int64_t id;

        set_stack(n * 7);
        id = ebpf_stack_trace_id(map, &regs, 0);
        stored += id >= 0;
        full += id == -ENOMEM;
    }
    CHECK_EQ(stored, 5);
    CHECK(full);
    CHECK_EQ(ebpf_map_next_key(map, NULL, &key), 0);
    CHECK_EQ(ebpf_map_delete(map, &key), 0);
    CHECK_EQ(ebpf_map_delete(map, &key), -ENOENT);
    key = 8;
    CHECK_EQ(ebpf_map_delete(map, &key), -E2BIG);
    for (uint64_t n = 0; n < 100 && stored < 6; n++) {
        set_stack(n * 7 + 1);
        stored += ebpf_stack_trace_id(map, &regs, 0) >= 0;
    }
    CHECK_EQ(stored, 6);
    put(map);
}

TEST(stack_map_survives_every_failing_allocation)
{
    struct ebpf_map *map = NULL;
    unsigned n = 1;

    for (; n < 10 && !map; n++) {
        mock_fail_alloc(n);
        map = create(DEPTH, 5);
        mock_fail_alloc(0);
    }
    CHECK(n > 2 && n < 10);
    put(map);
}

TEST(get_stack_fills_the_buffer_and_zeroes_the_rest)
{
    uint64_t buf[EBPF_MAX_STACK];

    set_stack(4);
    memset(buf, 0xff, sizeof(buf));
    CHECK_EQ(ebpf_stack_trace_get(&regs, buf, 64, 0), 40);
    check_value(buf, 8, 0);
    CHECK_EQ(buf[8], -1);
    CHECK_EQ(ebpf_stack_trace_get(&regs, buf, 16, 3), 16);
    check_value(buf, 2, 3);
    CHECK_EQ(ebpf_stack_trace_get(&regs, buf, 0, 0), 0);
    memset(buf, 0xff, sizeof(buf));
    CHECK_EQ(ebpf_stack_trace_get(&regs, buf, 12, 0), -EINVAL);
    CHECK_EQ(buf[0], 0);
    buf[0] = 1;
    CHECK_EQ(ebpf_stack_trace_get(&regs, buf, 64, BPF_F_USER_BUILD_ID), -EINVAL);
    CHECK_EQ(buf[0], 0);
    buf[0] = 1;
    CHECK_EQ(ebpf_stack_trace_get(&regs, buf, 64, BPF_F_USER_STACK), 0); /* there is none */
    CHECK_EQ(buf[0], 0);
    CHECK_EQ(ebpf_stack_trace_get(&regs, buf, 64, BPF_F_USER_STACK | 1), -EFAULT);
}

/* ---- build ids ------------------------------------------------------------------------------- */

/* Two frames of user mode: one in the file, one elsewhere. */
static void set_user_stack(uint64_t file)
{
    mock_file = file;
    mock_user_stack[0] = file + 0x123;
    mock_user_stack[1] = 0x7000;
    mock_user_stack_len = 2;
}

static void check_frames(const struct bpf_stack_build_id *frame)
{
    static const unsigned char none[BPF_BUILD_ID_SIZE];

    CHECK_EQ(frame[0].status, BPF_STACK_BUILD_ID_VALID);
    CHECK(frame[0].build_id[0] == 1 && frame[0].build_id[19] == 20);
    CHECK_EQ(frame[0].offset, 0x123);
    CHECK_EQ(frame[1].status, BPF_STACK_BUILD_ID_IP);
    CHECK(!memcmp(frame[1].build_id, none, sizeof(none)));
    CHECK_EQ(frame[1].ip, 0x7000);
    CHECK_EQ(frame[2].status, BPF_STACK_BUILD_ID_EMPTY);
    CHECK_EQ(frame[2].ip, 0);
}

TEST(stack_build_ids_say_which_file_s_code_it_is)
{
    struct ebpf_map *map = create_of(3 * 32, 64, BPF_F_STACK_BUILD_ID);
    struct bpf_stack_build_id frames[3];
    uint32_t key;
    int64_t id;

    REQUIRE(map);
    set_user_stack(0x100000);
    id = ebpf_stack_trace_id(map, &regs, BPF_F_USER_STACK);
    REQUIRE(id >= 0);
    key = (uint32_t)id;
    memset(frames, 0xff, sizeof(frames));
    CHECK_EQ(ebpf_map_lookup(map, &key, frames), 0);
    check_frames(frames);
    set_user_stack(0x3f0000); /* the same program, elsewhere */
    CHECK_EQ(ebpf_stack_trace_id(map, &regs, BPF_F_USER_STACK), id);
    mock_file = 0; /* no file any more: another stack */
    CHECK(ebpf_stack_trace_id(map, &regs, BPF_F_USER_STACK | BPF_F_REUSE_STACKID) >= 0);
    put(map);
}

TEST(stack_build_ids_are_not_for_the_kernel_s_own_frames)
{
    struct ebpf_map *map = create_of(DEPTH * 32, 64, BPF_F_STACK_BUILD_ID);
    struct bpf_stack_build_id frames[DEPTH];
    uint32_t key;
    int64_t id;

    REQUIRE(map);
    set_stack(4);
    mock_file = mock_stack[0];
    id = ebpf_stack_trace_id(map, &regs, 0);
    REQUIRE(id >= 0);
    key = (uint32_t)id;
    CHECK_EQ(ebpf_map_lookup(map, &key, frames), 0);
    for (unsigned i = 0; i < DEPTH; i++) {
        CHECK_EQ(frames[i].status, i < 5 ? BPF_STACK_BUILD_ID_IP : BPF_STACK_BUILD_ID_EMPTY);
        CHECK_EQ(frames[i].ip, i < 5 ? mock_stack[i] : 0);
        CHECK_EQ(frames[i].build_id[3], 0);
    }
    put(map);
}

TEST(stack_maps_with_build_ids_have_linux_s_sizes)
{
    static const uint32_t good[] = {32, 64, 127 * 32}, bad[] = {0, 8, 31, 40, 128 * 32};

    for (unsigned i = 0; i < 3; i++) {
        struct ebpf_map *map = create_of(good[i], 1, BPF_F_STACK_BUILD_ID);

        REQUIRE(map);
        put(map);
    }
    for (unsigned i = 0; i < 5; i++)
        CHECK(!create_of(bad[i], 1, BPF_F_STACK_BUILD_ID));
}

TEST(get_stack_gives_build_ids_of_user_frames_only)
{
    struct bpf_stack_build_id frames[3];
    uint8_t zeros[sizeof(frames)] = {0};

    set_user_stack(0x100000);
    set_stack(4);
    memset(frames, 0xff, sizeof(frames));
    CHECK_EQ(
        ebpf_stack_trace_get(&regs, frames, sizeof(frames), BPF_F_USER_STACK | BPF_F_USER_BUILD_ID),
        64);
    check_frames(frames);
    CHECK_EQ(ebpf_stack_trace_get(&regs, frames, 32, BPF_F_USER_STACK | BPF_F_USER_BUILD_ID | 1),
             32);
    CHECK_EQ(frames[0].ip, 0x7000);
    CHECK_EQ(ebpf_stack_trace_get(&regs, frames, 72, BPF_F_USER_STACK | BPF_F_USER_BUILD_ID),
             -EINVAL);
    memset(frames, 0xff, sizeof(frames));
    CHECK_EQ(ebpf_stack_trace_get(&regs, frames, sizeof(frames), BPF_F_USER_BUILD_ID), -EINVAL);
    CHECK(!memcmp(frames, zeros, sizeof(frames)));
}

/* A program's buffer lies anywhere on its stack. UBSan is the judge. */
TEST(get_stack_fills_a_buffer_at_any_address)
{
    uint8_t buf[8 * 150 + 8];

    set_stack(199);
    for (unsigned at = 0; at < 8; at++) {
        memset(buf, 0xff, sizeof(buf));
        CHECK_EQ(ebpf_stack_trace_get(&regs, buf + at, 8 * 150, 0), 8 * EBPF_MAX_STACK);
        for (unsigned i = 0; i < 150; i++) {
            uint64_t pc;

            memcpy(&pc, buf + at + 8 * i, 8);
            CHECK_EQ(pc, i < EBPF_MAX_STACK ? mock_stack[i] : 0);
        }
    }
}

/* ---- against a model: which stack has which number ------------------------------------------- */

#define STACKS 40u

static void step(struct ebpf_map *map, int64_t *ids, uint64_t seed)
{
    uint32_t n = (uint32_t)(seed >> 8) % STACKS, key;
    uint64_t flags = seed & 1 ? BPF_F_REUSE_STACKID : 0, value[DEPTH];
    int64_t id;

    set_stack(n);
    if (seed % 5 < 3) {
        id = ebpf_stack_trace_id(map, &regs, flags);
        CHECK(ids[n] < 0 || id == ids[n]);
        for (uint32_t i = 0; i < STACKS; i++) { /* whose place was taken */
            if (i != n && id >= 0 && ids[i] == id) {
                CHECK(flags);
                ids[i] = -1;
            }
        }
        CHECK(id >= 0 || id == (flags ? -ENOMEM : id) || id == -EEXIST);
        if (id >= 0)
            ids[n] = id;
    } else if (ids[n] >= 0) {
        key = (uint32_t)ids[n];
        if (seed % 5 == 3) {
            CHECK_EQ(ebpf_map_lookup(map, &key, value), 0);
            check_value(value, DEPTH, 0);
        } else {
            CHECK_EQ(seed & 2 ? ebpf_map_delete(map, &key)
                              : ebpf_map_lookup_and_delete(map, &key, value),
                     0);
            ids[n] = -1;
            CHECK_EQ(ebpf_map_lookup(map, &key, value), -ENOENT);
        }
    }
}

static void check_keys(struct ebpf_map *map, const int64_t *ids)
{
    uint32_t key, count = 0, want = 0;
    int64_t last = -1;

    for (int err = ebpf_map_next_key(map, NULL, &key); !err;
         err = ebpf_map_next_key(map, &key, &key)) {
        CHECK(key > last);
        last = key;
        count++;
    }
    for (uint32_t i = 0; i < STACKS; i++)
        want += ids[i] >= 0;
    CHECK_EQ(count, want);
}

TEST(model_stack_trace)
{
    struct ebpf_map *map = create(DEPTH, 20);
    uint64_t seed = 88172645463325252u;
    int64_t ids[STACKS];

    memset(ids, 0xff, sizeof(ids));
    for (unsigned i = 0; i < 300000; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        step(map, ids, seed);
        if (i % 1009 == 0)
            check_keys(map, ids);
    }
    put(map);
}

/* ---- harts --------------------------------------------------------------------------------- */

struct race {
    struct ebpf_map *map;
    unsigned cpu;
};

static void *user(void *arg)
{
    struct race *race = arg;
    uint64_t value[DEPTH];

    mock_set_cpu(race->cpu);
    for (unsigned i = 0; i < 30000; i++) {
        uint32_t key = i % 32;

        if (!ebpf_map_lookup(race->map, &key, value)) {
            for (uint32_t k = 1; k < DEPTH && value[k]; k++)
                CHECK_EQ(value[k], value[0] + k); /* one stack, whole */
        }
        if (i % 3 == 0)
            ebpf_map_delete(race->map, &key);
    }
    return NULL;
}

static void *prog(void *arg)
{
    struct race *race = arg;

    mock_set_cpu(race->cpu);
    for (unsigned i = 0; i < 30000; i++) {
        unsigned long irq = ebpf_os_irq_save();

        ebpf_stack_trace_id(race->map, &regs, i % 50 | BPF_F_REUSE_STACKID);
        ebpf_os_irq_restore(irq);
    }
    return NULL;
}

TEST(stack_map_stands_four_harts)
{
    struct ebpf_map *map = create(DEPTH, 32);
    struct race races[4];
    pthread_t threads[4];

    set_stack(100);
    for (unsigned i = 0; i < 4; i++) {
        races[i] = (struct race){map, i};
        REQUIRE(!pthread_create(&threads[i], NULL, i % 2 ? user : prog, &races[i]));
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    put(map);
}
