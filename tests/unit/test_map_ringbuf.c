/* SPDX-License-Identifier: MIT */
/* Ring buffers: order, wrapping, discarding, wake-ups, consumers that lie, harts. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>

#include <ebpf/ebpf.h>

#include "helpers/helper.h"
#include "maps/ringbuf.h"

static unsigned wakes;

void ebpf_os_wake(struct ebpf_obj *obj)
{
    (void)obj;
    __atomic_fetch_add(&wakes, 1, __ATOMIC_RELAXED);
}

static int create(uint32_t key, uint32_t value, uint32_t size, uint32_t flags,
                  struct ebpf_map **map)
{
    struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_RINGBUF,
                                 .key_size = key,
                                 .value_size = value,
                                 .max_entries = size,
                                 .flags = flags};

    *map = NULL;
    return ebpf_map_create(&spec, map);
}

static void put(struct ebpf_map *map)
{
    if (map)
        ebpf_obj_put(ebpf_map_obj(map));
}

static struct ebpf_ringbuf *ring_of(struct ebpf_map *map)
{
    return (struct ebpf_ringbuf *)map;
}

static uint64_t call(uint32_t id, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4)
{
    return ebpf_helper_find(id)->fn(r1, r2, r3, r4, 0);
}

static uint8_t *reserve(struct ebpf_map *map, uint64_t size)
{
    return ebpf_reg_ptr(call(131, (uintptr_t)map, size, 0, 0));
}

static uint64_t query(struct ebpf_map *map, uint64_t what)
{
    return call(134, (uintptr_t)map, what, 0, 0);
}

/* What must come next: sizes, and bytes that follow from a counter. */
struct expect {
    uint32_t sizes[4096];
    uint64_t first, end; /* of sizes */
    uint64_t wrong;
};

static void fill(uint8_t *data, uint32_t size, uint64_t number)
{
    memset(data, (int)(uint8_t)(number * 7 + size), size);
}

static int check_record(void *ctx, void *data, size_t size)
{
    struct expect *e = ctx;
    uint8_t want[2048];

    if (e->first == e->end || e->sizes[e->first % 4096] != size) {
        e->wrong++;
        return 0;
    }
    fill(want, (uint32_t)size, e->first);
    e->wrong += memcmp(want, data, size) != 0;
    e->first++;
    return 0;
}

TEST(model_ringbuf)
{
    static struct expect e;
    uint64_t random = 88172645463325252ull, dropped = 0;
    struct ebpf_map *map;

    memset(&e, 0, sizeof(e));
    REQUIRE(!create(0, 0, 4096, 0, &map));
    for (unsigned i = 0; i < 200000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint32_t size = (uint32_t)(random >> 40) % ((random >> 33) % 8 ? 40 : 1500);
        uint32_t what = (uint32_t)(random >> 60);
        uint8_t data[2048], *record;

        mock_set_cpu(i % 4);
        if (what < 6) {
            fill(data, size, e.end);
            uint64_t err = call(130, (uintptr_t)map, (uintptr_t)data, size, 0);

            CHECK(!err || err == ebpf_reg_int(-EAGAIN));
            dropped += err != 0;
            if (!err)
                e.sizes[e.end++ % 4096] = size;
        } else if (what < 13) {
            record = reserve(map, size);
            dropped += !record;
            if (!record)
                continue;
            CHECK_EQ((uintptr_t)record % 8, 0);
            fill(record, size, e.end);
            call(what < 11 ? 132 : 133, (uintptr_t)record, 0, 0, 0);
            if (what < 11)
                e.sizes[e.end++ % 4096] = size;
        } else {
            CHECK(ebpf_ringbuf_consume(map, check_record, &e) >= 0);
            CHECK_EQ(e.first, e.end);
            CHECK_EQ(query(map, BPF_RB_AVAIL_DATA), 0);
        }
    }
    CHECK_EQ(e.wrong, 0);
    CHECK(dropped > 0);
    CHECK_EQ(query(map, BPF_RB_RING_SIZE), 4096);
    CHECK(query(map, BPF_RB_PROD_POS) > 1000000);
    mock_set_cpu(0);
    put(map);
}

static int count_record(void *ctx, void *data, size_t size)
{
    (void)data;
    (void)size;
    ++*(unsigned *)ctx;
    return 0;
}

TEST(ringbuf_stops_at_a_busy_record)
{
    struct ebpf_map *map;
    unsigned count = 0;
    uint8_t *a, *b;

    REQUIRE(!create(0, 0, 4096, 0, &map));
    a = reserve(map, 10);
    b = reserve(map, 20);
    REQUIRE(a && b);
    call(132, (uintptr_t)b, 0, 0, 0);
    CHECK_EQ(ebpf_ringbuf_consume(map, count_record, &count), 0);
    call(133, (uintptr_t)a, 0, 0, 0);
    CHECK_EQ(ebpf_ringbuf_consume(map, count_record, &count), 1);
    CHECK_EQ(count, 1);
    put(map);
}

TEST(ringbuf_wakes_a_consumer_that_has_read_all)
{
    struct ebpf_map *map;
    uint64_t data = 0;
    unsigned count = 0;

    REQUIRE(!create(0, 0, 4096, 0, &map));
    wakes = 0;
    call(130, (uintptr_t)map, (uintptr_t)&data, 8, 0);
    CHECK_EQ(wakes, 1);
    call(130, (uintptr_t)map, (uintptr_t)&data, 8, 0); /* it knows already */
    CHECK_EQ(wakes, 1);
    call(130, (uintptr_t)map, (uintptr_t)&data, 8, BPF_RB_FORCE_WAKEUP);
    CHECK_EQ(wakes, 2);
    CHECK_EQ(ebpf_ringbuf_consume(map, count_record, &count), 3);
    call(130, (uintptr_t)map, (uintptr_t)&data, 8, BPF_RB_NO_WAKEUP);
    CHECK_EQ(wakes, 2);
    CHECK_EQ(call(130, (uintptr_t)map, (uintptr_t)&data, 8, 4), ebpf_reg_int(-EINVAL));
    CHECK(!ebpf_reg_ptr(call(131, (uintptr_t)map, 8, 1, 0)));
    CHECK(!reserve(map, 4096));
    CHECK(!reserve(map, UINT64_MAX));
    CHECK(!reserve(map, UINT64_MAX - 7));
    put(map);
}

/* Whatever number user mode writes: nothing outside the ring is touched (ASan), and a record that
 * is not committed stays as it is. */
TEST(ringbuf_consumer_that_lies_harms_only_itself)
{
    uint64_t random = 1;
    struct ebpf_map *map;
    unsigned count = 0;

    REQUIRE(!create(0, 0, 4096, 0, &map));
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t *held = reserve(map, 64), *other;

        if (held)
            memset(held, 0x5a, 64);
        for (unsigned j = 0; j < 4; j++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            *ring_of(map)->consumer_pos =
                random % 3 ? ring_of(map)->produced - (random >> 40) % 9000 + 4500 : random;
            other = reserve(map, (random >> 20) % 2000);
            if (other) {
                CHECK(other >= ring_of(map)->data &&
                      other + (random >> 20) % 2000 <= ring_of(map)->data + 4096);
                memset(other, 0xff, (random >> 20) % 2000);
                call(132, (uintptr_t)other, 0, 0, 0);
            }
            ebpf_ringbuf_consume(map, count_record, &count);
        }
        for (unsigned k = 0; held && k < 64; k++)
            CHECK_EQ(held[k], 0x5a);
        if (held)
            call(132, (uintptr_t)held, 0, 0, 0);
        *ring_of(map)->consumer_pos = ring_of(map)->produced;
    }
    put(map);
}

static int try_create(uint32_t key, uint32_t value, uint32_t size, uint32_t flags)
{
    struct ebpf_map *map;
    int err = create(key, value, size, flags, &map);

    put(map);
    return err;
}

TEST(ringbuf_errors_are_linux_s)
{
    struct ebpf_map *map;
    uint64_t value = 0;

    CHECK_EQ(try_create(4, 0, 4096, 0), -EINVAL);
    CHECK_EQ(try_create(0, 4, 4096, 0), -EINVAL);
    CHECK_EQ(try_create(0, 0, 0, 0), -EINVAL);
    CHECK_EQ(try_create(0, 0, 2048, 0), -EINVAL);
    CHECK_EQ(try_create(0, 0, 12288, 0), -EINVAL);
    CHECK_EQ(try_create(0, 0, 1u << 31, 0), -ENOMEM); /* the mock OS has 2 GiB */
    for (unsigned bit = 0; bit < 16; bit++)
        CHECK_EQ(try_create(0, 0, 4096, 1u << bit), 1u << bit == BPF_F_NUMA_NODE ? 0 : -EINVAL);
    REQUIRE(!create(0, 0, 4096, 0, &map));
    CHECK_EQ(ebpf_map_lookup(map, NULL, &value), -ENOTSUPP);
    CHECK_EQ(ebpf_map_update(map, NULL, &value, 0), -ENOTSUPP);
    CHECK_EQ(ebpf_map_delete(map, NULL), -ENOTSUPP);
    CHECK_EQ(ebpf_map_next_key(map, NULL, &value), -ENOTSUPP);
    CHECK(!map->ops->lookup(map, &value));
    put(map);
    mock_fail_alloc(1);
    CHECK_EQ(try_create(0, 0, 4096, 0), -ENOMEM);
    mock_fail_alloc(2);
    CHECK_EQ(try_create(0, 0, 4096, 0), -ENOMEM);
    mock_fail_alloc(0);
}

TEST(ringbuf_nested_reserve_on_one_hart_gets_nothing)
{
    struct ebpf_map *map;

    REQUIRE(!create(0, 0, 4096, 0, &map));
    ring_of(map)->lock = 1; /* as in the middle of a reservation */
    CHECK(!reserve(map, 8));
    ring_of(map)->lock = 0;
    CHECK(reserve(map, 8));
    put(map);
}

struct hart {
    pthread_t thread;
    struct ebpf_map *map;
    uint64_t sent, sum;
    unsigned cpu;
};

static void *produce(void *arg)
{
    struct hart *h = arg;

    mock_set_cpu(h->cpu);
    for (uint64_t i = 0; i < 60000; i++) {
        uint64_t *record = (uint64_t *)(void *)reserve(h->map, 16 + i % 5 * 8);

        if (!record)
            continue;
        record[0] = i << 2 | h->cpu;
        record[1] = ~record[0];
        call(i % 7 ? 132 : 133, (uintptr_t)record, 0, 0, 0);
        h->sent += i % 7 != 0;
        h->sum += i % 7 ? i << 2 | h->cpu : 0;
    }
    return NULL;
}

static int sum_record(void *ctx, void *data, size_t size)
{
    uint64_t *record = data, *total = ctx;

    (void)size;
    total[0]++;
    total[1] += record[0];
    total[2] += record[0] != ~record[1];
    return 0;
}

TEST(threads_ringbuf_loses_and_invents_nothing)
{
    struct hart harts[3];
    uint64_t total[3] = {0}, sent = 0, sum = 0;
    struct ebpf_map *map;

    REQUIRE(!create(0, 0, 4096, 0, &map));
    for (unsigned cpu = 0; cpu < 3; cpu++) {
        harts[cpu] = (struct hart){.map = map, .cpu = cpu + 1};
        REQUIRE(!pthread_create(&harts[cpu].thread, NULL, produce, &harts[cpu]));
    }
    for (unsigned i = 0; i < 3000; i++)
        CHECK(ebpf_ringbuf_consume(map, sum_record, total) >= 0);
    for (unsigned cpu = 0; cpu < 3; cpu++) {
        pthread_join(harts[cpu].thread, NULL);
        sent += harts[cpu].sent;
        sum += harts[cpu].sum;
    }
    CHECK(ebpf_ringbuf_consume(map, sum_record, total) >= 0);
    CHECK_EQ(total[0], sent);
    CHECK_EQ(total[1], sum);
    CHECK_EQ(total[2], 0);
    put(map);
}
