/* SPDX-License-Identifier: MIT */
/* User ring buffers: order, samples over the end, discarding, producers that lie, wake-ups. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>

#include <ebpf/ebpf.h>

#include "maps/ringbuf.h"
#include "maps/user_ringbuf.h"

#define PAGE 4096u

static int create(uint32_t size, uint32_t flags, struct ebpf_map **map)
{
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_USER_RINGBUF, .max_entries = size, .flags = flags};

    *map = NULL;
    return ebpf_map_create(&spec, map);
}

static void put(struct ebpf_map *map)
{
    ebpf_obj_put(ebpf_map_obj(map));
}

/* What must come next. */
struct expect {
    uint64_t next, wrong, calls, stop_at;
};

static uint32_t sample_len(uint64_t number)
{
    return (uint32_t)(number * 131 % 1500);
}

static uint64_t check_sample(void *ctx, void *sample, uint32_t size)
{
    struct expect *e = ctx;
    const uint8_t *bytes = sample;

    e->wrong += size != sample_len(e->next);
    for (uint32_t i = 0; i < size; i++)
        e->wrong += bytes[i] != (uint8_t)(e->next + i);
    memset(sample, 0xee, size); /* programs may */
    e->next++;
    return ++e->calls == e->stop_at;
}

static bool post(struct ebpf_map *map, uint64_t number)
{
    uint8_t bytes[1500];

    for (uint32_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(number + i);
    return !ebpf_user_ringbuf_post(map, bytes, sample_len(number));
}

TEST(user_ringbuf_gives_every_sample_in_order_also_over_the_end)
{
    struct ebpf_map *map;
    struct expect e = {0};
    uint64_t posted = 0;

    REQUIRE(!create(PAGE, 0, &map));
    for (unsigned round = 0; round < 20000; round++) {
        while (post(map, posted))
            posted++;
        e.calls = 0;
        e.stop_at = round % 5;
        CHECK_EQ(ebpf_user_ringbuf_drain(map, check_sample, &e, 0), e.calls);
    }
    e.calls = e.stop_at = 0;
    ebpf_user_ringbuf_drain(map, check_sample, &e, 0);
    CHECK_EQ(e.next, posted);
    CHECK_EQ(e.wrong, 0);
    CHECK(posted > 10000);
    put(map);
}

TEST(user_ringbuf_errors_are_linux_s)
{
    struct ebpf_map *map, *other;
    struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_RINGBUF, .max_entries = PAGE};
    struct expect e = {0};
    uint64_t value = 0;

    CHECK_EQ(create(0, 0, &map), -EINVAL);
    CHECK_EQ(create(100, 0, &map), -EINVAL);
    CHECK_EQ(create(3 * PAGE, 0, &map), -EINVAL);
    CHECK_EQ(create(PAGE, BPF_F_RDONLY, &map), -EINVAL);
    for (unsigned n = 1; n < 4; n++) {
        mock_fail_alloc(n);
        CHECK_EQ(create(PAGE, 0, &map), -ENOMEM);
    }
    mock_fail_alloc(0);
    REQUIRE(!create(PAGE, BPF_F_NUMA_NODE, &map) && !ebpf_map_create(&spec, &other));
    CHECK_EQ(ebpf_map_lookup(map, &value, &value), -ENOTSUPP);
    CHECK_EQ(ebpf_map_update(map, &value, &value, 0), -ENOTSUPP);
    CHECK_EQ(ebpf_map_delete(map, &value), -ENOTSUPP);
    CHECK_EQ(ebpf_map_next_key(map, NULL, &value), -ENOTSUPP);
    CHECK_EQ(ebpf_user_ringbuf_drain(map, check_sample, &e, 4), -EINVAL);
    CHECK_EQ(ebpf_user_ringbuf_drain(other, check_sample, &e, 0), -EINVAL);
    CHECK_EQ(ebpf_user_ringbuf_post(other, &value, 8), -EINVAL);
    CHECK_EQ(ebpf_user_ringbuf_post(map, &value, PAGE), -E2BIG);
    ebpf_ringbuf_of(map)->draining = 1;
    CHECK_EQ(ebpf_user_ringbuf_drain(map, check_sample, &e, 0), -EBUSY);
    put(map);
    put(other);
}

/* ---- a producer in user mode, on mapped pages ------------------------------------------------ */

struct producer {
    struct ebpf_map *map;
    struct ebpf_mmap mapping; /* producer's page and the data */
    uint64_t *pos;
};

static bool producer_init(struct producer *p)
{
    if (create(PAGE, 0, &p->map))
        return false;
    if (ebpf_obj_mmap(ebpf_map_obj(p->map), PAGE, 3 * PAGE, true, &p->mapping))
        return false;
    p->pos = ebpf_mmap_page(&p->mapping, 0);
    return true;
}

static void producer_fini(struct producer *p)
{
    ebpf_mmap_close(&p->mapping);
    put(p->map);
}

static void write_header(struct producer *p, uint64_t at, uint32_t word)
{
    memcpy((uint8_t *)ebpf_mmap_page(&p->mapping, 1) + at % PAGE, &word, 4);
}

static int64_t drained(struct producer *p, uint64_t pos, uint32_t word)
{
    struct expect e = {0};

    write_header(p, *(uint64_t *)(void *)ebpf_ringbuf_page(p->map, 0), word);
    *p->pos = pos;
    return ebpf_user_ringbuf_drain(p->map, check_sample, &e, BPF_RB_NO_WAKEUP);
}

TEST(user_ringbuf_mappings_are_refused_like_linux_s)
{
    struct producer p;
    struct ebpf_mmap mapping;

    REQUIRE(producer_init(&p));
    CHECK_EQ(ebpf_obj_mmap(ebpf_map_obj(p.map), 0, PAGE, true, &mapping), -EPERM);
    CHECK_EQ(ebpf_obj_mmap(ebpf_map_obj(p.map), 0, 4 * PAGE, true, &mapping), -EPERM);
    CHECK_EQ(ebpf_obj_mmap(ebpf_map_obj(p.map), PAGE, 4 * PAGE, true, &mapping), -EINVAL);
    CHECK_EQ(ebpf_obj_mmap(ebpf_map_obj(p.map), 0, PAGE, false, &mapping), 0);
    ebpf_mmap_close(&mapping);
    CHECK_EQ(ebpf_obj_mmap(ebpf_map_obj(p.map), 2 * PAGE, 2 * PAGE, true, &mapping), 0);
    CHECK(ebpf_mmap_page(&mapping, 0) == ebpf_mmap_page(&mapping, 1));
    ebpf_mmap_close(&mapping);
    producer_fini(&p);
}

TEST(user_ringbuf_answers_lies_with_linux_s_errors)
{
    struct producer p;

    REQUIRE(producer_init(&p));
    CHECK_EQ(drained(&p, 0, 8), 0);
    CHECK_EQ(drained(&p, 4, 8), -EINVAL); /* no multiple of 8 */
    CHECK_EQ(drained(&p, 8, 8), -EINVAL); /* longer than what is there */
    CHECK_EQ(drained(&p, 1ull << 40, PAGE), -E2BIG);
    CHECK_EQ(drained(&p, 1ull << 40, 0x3fffffff), -E2BIG);
    CHECK_EQ(drained(&p, 16, 8 | BPF_RINGBUF_BUSY_BIT), 0);
    CHECK_EQ(drained(&p, UINT64_MAX - 7, 8 | BPF_RINGBUF_BUSY_BIT), 0);
    /* one to be skipped; busy and discarded is discarded */
    CHECK_EQ(drained(&p, 16, 8 | BPF_RINGBUF_DISCARD_BIT), 0);
    CHECK_EQ(ebpf_ringbuf_of(p.map)->consumed, 16);
    CHECK_EQ(drained(&p, 32, 8 | BPF_RINGBUF_DISCARD_BIT | BPF_RINGBUF_BUSY_BIT), 0);
    CHECK_EQ(ebpf_ringbuf_of(p.map)->consumed, 32);
    CHECK_EQ(drained(&p, 24, 0), 0); /* behind the consumer */
    CHECK_EQ(ebpf_user_ringbuf_post(p.map, &p, 8), -EINVAL);
    producer_fini(&p);
}

static uint64_t touch(void *ctx, void *sample, uint32_t size)
{
    uint8_t *bytes = sample;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < size; i++)
        sum += bytes[i]++;
    *(uint64_t *)ctx += sum;
    return 0;
}

/* AddressSanitizer is the judge: all bytes around the ring are not the library's. */
TEST(user_ringbuf_random_positions_and_lengths_harm_nobody)
{
    struct producer p;
    uint64_t seed = 88172645463325252u, sum = 0, given = 0;

    REQUIRE(producer_init(&p));
    for (unsigned i = 0; i < 300000; i++) {
        uint32_t *data = ebpf_mmap_page(&p.mapping, 1);
        int64_t ret;

        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        data[seed % (PAGE / 4)] = (uint32_t)(seed >> 20) & (seed & 0x100 ? 0xfff : UINT32_MAX);
        if (seed % 7 == 0)
            *p.pos = ebpf_ringbuf_of(p.map)->consumed + (seed >> 32) % (2 * PAGE) / 8 * 8;
        else if (seed % 7 == 1)
            *p.pos = seed;
        ret = ebpf_user_ringbuf_drain(p.map, touch, &sum, 0);
        CHECK(ret >= 0 || ret == -EINVAL || ret == -E2BIG);
        given += ret > 0 ? (uint64_t)ret : 0;
        ebpf_obj_poll(ebpf_map_obj(p.map));
    }
    CHECK(given > 1000);
    producer_fini(&p);
}

/* Samples that a producer makes faster than they are drained end after Linux's number. */
struct flood {
    struct producer p;
    uint64_t calls;
};

static uint64_t make_another(void *ctx, void *sample, uint32_t size)
{
    struct flood *f = ctx;

    (void)sample;
    CHECK_EQ(size, 0);
    *f->p.pos += 8;
    f->calls++;
    return 0;
}

TEST(user_ringbuf_drain_ends)
{
    struct flood f = {0};

    REQUIRE(producer_init(&f.p));
    *f.p.pos = 8;
    CHECK_EQ(ebpf_user_ringbuf_drain(f.p.map, make_another, &f, 0), 128 * 1024);
    CHECK_EQ(f.calls, 128 * 1024);
    producer_fini(&f.p);
}

TEST(user_ringbuf_polls_for_room)
{
    struct ebpf_map *map;
    struct expect e = {0};
    uint8_t bytes[PAGE - 8] = {0};

    REQUIRE(!create(PAGE, 0, &map));
    CHECK_EQ(ebpf_obj_poll(ebpf_map_obj(map)), EBPF_POLLOUT);
    CHECK_EQ(ebpf_user_ringbuf_post(map, bytes, sizeof(bytes)), 0);
    CHECK_EQ(ebpf_user_ringbuf_post(map, bytes, 0), -ENOSPC);
    CHECK_EQ(ebpf_obj_poll(ebpf_map_obj(map)), 0);
    CHECK_EQ(ebpf_user_ringbuf_drain(map, check_sample, &e, 0), 1);
    CHECK_EQ(ebpf_obj_poll(ebpf_map_obj(map)), EBPF_POLLOUT);
    put(map);
}

/* ---- harts --------------------------------------------------------------------------------- */

static void *poster(void *arg)
{
    struct ebpf_map *map = arg;

    mock_set_cpu(1);
    for (uint64_t number = 0; number < 20000;)
        number += post(map, number);
    return NULL;
}

TEST(user_ringbuf_loses_nothing_between_two_harts)
{
    struct ebpf_map *map;
    struct expect e = {0};
    pthread_t thread;

    REQUIRE(!create(PAGE, 0, &map));
    REQUIRE(!pthread_create(&thread, NULL, poster, map));
    while (e.next < 20000) {
        int64_t ret = ebpf_user_ringbuf_drain(map, check_sample, &e, 0);

        REQUIRE(ret >= 0);
    }
    pthread_join(thread, NULL);
    CHECK_EQ(e.wrong, 0);
    put(map);
}
