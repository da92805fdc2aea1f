/* SPDX-License-Identifier: MIT */
/* mmap(2) and poll(2) of maps: what may be mapped, that the pages are the map's own memory, a
 * consumer like libbpf's on mapped pages alone, also one that lies. */
#include "tests/unit/test.h"

#include <ebpf/ebpf.h>

#include "maps/array.h"
#include "maps/ringbuf.h"
#include "src/base/epoch.h"

#define PAGE 4096u

static struct ebpf_map *create(uint32_t type, uint32_t value_size, uint32_t entries, uint32_t flags)
{
    struct ebpf_map_spec spec = {.type = type,
                                 .key_size = type == BPF_MAP_TYPE_RINGBUF ? 0 : 4,
                                 .value_size = value_size,
                                 .max_entries = entries,
                                 .flags = flags};
    struct ebpf_map *map;

    return ebpf_map_create(&spec, &map) ? NULL : map;
}

static void put(struct ebpf_map *map)
{
    ebpf_obj_put(ebpf_map_obj(map));
}

/* Whether a mapping is to be had; it is closed again. */
static int try_map(struct ebpf_map *map, uint64_t offset, size_t size, bool write)
{
    struct ebpf_mmap mapping;
    int err = ebpf_obj_mmap(ebpf_map_obj(map), offset, size, write, &mapping);

    if (!err)
        ebpf_mmap_close(&mapping);
    return err;
}

TEST(mapped_array_is_the_live_values_both_ways)
{
    struct ebpf_map *map = create(BPF_MAP_TYPE_ARRAY, 12, 1000, BPF_F_MMAPABLE);
    struct ebpf_mmap mapping;
    uint32_t key = 700;
    uint8_t value[12] = "hello world", *page, got[12];

    REQUIRE(map && !ebpf_obj_mmap(ebpf_map_obj(map), 0, 4 * PAGE, true, &mapping));
    for (uint32_t i = 0; i < 4; i++)
        CHECK_EQ((uintptr_t)ebpf_mmap_page(&mapping, i) % PAGE, 0);
    CHECK_EQ(ebpf_map_update(map, &key, value, BPF_ANY), 0);
    page = ebpf_mmap_page(&mapping, 700 * 16 / PAGE);
    CHECK(!memcmp(page + 700 * 16 % PAGE, value, 12));
    page[700 * 16 % PAGE] = 'j';
    CHECK_EQ(ebpf_map_lookup(map, &key, got), 0);
    CHECK(!memcmp(got, "jello world", 12));
    CHECK_EQ(map->max_entries * map->value_stride, 16000);
    page = ebpf_mmap_page(&mapping, 3);
    for (uint32_t i = 16000 - 3 * PAGE; i < PAGE; i++) /* nothing leaks behind the values */
        CHECK_EQ(page[i], 0);
    put(map); /* the mapping keeps the map */
    page[5] = 1;
    ebpf_mmap_close(&mapping);
}

TEST(array_mappings_are_refused_like_linux_s)
{
    struct ebpf_map *map = create(BPF_MAP_TYPE_ARRAY, 8, 513, BPF_F_MMAPABLE); /* two pages */
    struct ebpf_map *plain = create(BPF_MAP_TYPE_ARRAY, 8, 513, 0);
    struct ebpf_map *hash = create(BPF_MAP_TYPE_HASH, 8, 513, 0);
    struct ebpf_map *prog_rd = create(BPF_MAP_TYPE_ARRAY, 8, 1, BPF_F_MMAPABLE | BPF_F_RDONLY_PROG);
    struct ebpf_map *rd = create(BPF_MAP_TYPE_ARRAY, 8, 1, BPF_F_MMAPABLE | BPF_F_RDONLY);
    struct ebpf_map *wr = create(BPF_MAP_TYPE_ARRAY, 8, 1, BPF_F_MMAPABLE | BPF_F_WRONLY);

    REQUIRE(map && plain && hash && prog_rd && rd && wr);
    CHECK_EQ(try_map(map, 0, 2 * PAGE, true), 0);
    CHECK_EQ(try_map(map, PAGE, PAGE, true), 0);
    CHECK_EQ(try_map(map, 0, 3 * PAGE, true), -EINVAL);
    CHECK_EQ(try_map(map, 2 * PAGE, PAGE, false), -EINVAL);
    CHECK_EQ(try_map(map, 0, 0, false), -EINVAL);
    CHECK_EQ(try_map(map, 0, 100, false), -EINVAL);
    CHECK_EQ(try_map(map, 100, PAGE, false), -EINVAL);
    CHECK_EQ(try_map(map, 0 - (uint64_t)PAGE, PAGE, false), -EINVAL);
    CHECK_EQ(try_map(map, 0 - (uint64_t)PAGE, 2 * PAGE, false), -EINVAL);
    CHECK_EQ(try_map(plain, 0, PAGE, false), -EINVAL);
    CHECK_EQ(try_map(hash, 0, PAGE, false), -ENOTSUPP);
    CHECK_EQ(try_map(prog_rd, 0, PAGE, false), 0);
    CHECK_EQ(try_map(prog_rd, 0, PAGE, true), -EACCES);
    CHECK_EQ(try_map(rd, 0, PAGE, false), -EINVAL);
    CHECK_EQ(try_map(rd, 0, PAGE, true), -EACCES);
    CHECK_EQ(try_map(wr, 0, PAGE, false), -EACCES);
    map->lock_off = 0; /* user mode must not write locks */
    CHECK_EQ(try_map(map, 0, PAGE, false), -ENOTSUPP);
    put(map), put(plain), put(hash), put(prog_rd), put(rd), put(wr);
}

TEST(writable_mapping_and_frozen_map_exclude_each_other)
{
    struct ebpf_map *map = create(BPF_MAP_TYPE_ARRAY, 8, 1, BPF_F_MMAPABLE);
    union bpf_attr attr = {0};
    struct ebpf_mmap first, second;

    REQUIRE(map);
    ebpf_obj_get(ebpf_map_obj(map));
    attr.map_fd = (uint32_t)ebpf_os_fd_install(ebpf_map_obj(map));
    CHECK_EQ(ebpf_obj_mmap(ebpf_map_obj(map), 0, PAGE, true, &first), 0);
    CHECK_EQ(ebpf_obj_mmap(ebpf_map_obj(map), 0, PAGE, true, &second), 0);
    CHECK_EQ(try_map(map, 0, 2 * PAGE, true), -EINVAL); /* counts for nothing */
    CHECK_EQ(mock_bpf(BPF_MAP_FREEZE, &attr, sizeof(attr)), -EBUSY);
    ebpf_mmap_close(&first);
    CHECK_EQ(mock_bpf(BPF_MAP_FREEZE, &attr, sizeof(attr)), -EBUSY);
    ebpf_mmap_close(&second);
    CHECK_EQ(ebpf_obj_mmap(ebpf_map_obj(map), 0, PAGE, false, &first), 0);
    CHECK_EQ(mock_bpf(BPF_MAP_FREEZE, &attr, sizeof(attr)), 0);
    ebpf_mmap_close(&first);
    CHECK_EQ(try_map(map, 0, PAGE, true), -EPERM);
    CHECK_EQ(try_map(map, 0, PAGE, false), 0);
    ebpf_fd_close((int)attr.map_fd);
    put(map);
}

TEST(mmapable_array_survives_every_failing_allocation)
{
    struct ebpf_map *map = NULL;
    unsigned n = 1;

    for (; n < 10 && !map; n++) {
        mock_fail_alloc(n);
        map = create(BPF_MAP_TYPE_ARRAY, 8, 1, BPF_F_MMAPABLE);
        mock_fail_alloc(0);
    }
    CHECK(n > 2 && n < 10);
    put(map);
}

TEST(ring_buffer_mappings_are_refused_like_linux_s)
{
    struct ebpf_map *map = create(BPF_MAP_TYPE_RINGBUF, 0, 2 * PAGE, 0);

    REQUIRE(map);
    CHECK_EQ(try_map(map, 0, PAGE, true), 0);
    CHECK_EQ(try_map(map, 0, 2 * PAGE, true), -EPERM);
    CHECK_EQ(try_map(map, PAGE, PAGE, true), -EPERM);
    CHECK_EQ(try_map(map, 2 * PAGE, PAGE, true), -EPERM);
    CHECK_EQ(try_map(map, PAGE, PAGE + 4 * PAGE, false), 0);
    CHECK_EQ(try_map(map, 0, 6 * PAGE, false), 0);
    CHECK_EQ(try_map(map, PAGE, 6 * PAGE, false), -EINVAL);
    CHECK_EQ(try_map(map, 6 * PAGE, PAGE, false), -EINVAL);
    put(map);
}

/* ---- a consumer like libbpf's: ringbuf_process_ring(), on mapped pages alone ----------------- */

struct consumer {
    struct ebpf_mmap write, read;
    uint64_t *consumer_pos, *producer_pos;
    uint32_t size;
    uint64_t next, wrong; /* what the next record must be */
};

/* Byte i of the data, which is mapped twice in a row. */
static uint8_t data_byte(const struct consumer *c, uint64_t i)
{
    return ((uint8_t *)ebpf_mmap_page(&c->read, 1 + (size_t)(i / PAGE)))[i % PAGE];
}

static int consumer_init(struct consumer *c, struct ebpf_map *map)
{
    *c = (struct consumer){.size = map->max_entries};
    if (ebpf_obj_mmap(ebpf_map_obj(map), 0, PAGE, true, &c->write))
        return -1;
    if (ebpf_obj_mmap(ebpf_map_obj(map), PAGE, PAGE + 2 * (size_t)c->size, false, &c->read)) {
        ebpf_mmap_close(&c->write);
        return -1;
    }
    c->consumer_pos = ebpf_mmap_page(&c->write, 0);
    c->producer_pos = ebpf_mmap_page(&c->read, 0);
    return 0;
}

static void consumer_fini(struct consumer *c)
{
    ebpf_mmap_close(&c->write);
    ebpf_mmap_close(&c->read);
}

/* A record's bytes all are its number; its length follows from that. */
static uint32_t record_len(uint64_t number)
{
    return 8 + (uint32_t)(number * 97 % 700);
}

static void consume(struct consumer *c)
{
    uint64_t at = __atomic_load_n(c->consumer_pos, __ATOMIC_ACQUIRE);

    while (at < __atomic_load_n(c->producer_pos, __ATOMIC_ACQUIRE)) {
        uint64_t in_ring = at & (c->size - 1);
        uint32_t len = 0;

        for (uint32_t i = 0; i < 4; i++)
            len |= (uint32_t)data_byte(c, in_ring + i) << 8 * i;
        if (len & BPF_RINGBUF_BUSY_BIT)
            return;
        if (!(len & BPF_RINGBUF_DISCARD_BIT)) {
            c->wrong += len != record_len(c->next);
            for (uint32_t i = 0; i < len; i++)
                c->wrong += data_byte(c, in_ring + 8 + i) != (uint8_t)c->next;
            c->next++;
        }
        len &= ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
        at += (len + 8 + 7) / 8 * 8;
        __atomic_store_n(c->consumer_pos, at, __ATOMIC_RELEASE);
    }
}

static bool produce(struct ebpf_map *map, uint64_t number)
{
    uint8_t *record = ebpf_ringbuf_reserve(map, record_len(number), 0);

    if (!record)
        return false;
    memset(record, (int)(uint8_t)number, record_len(number));
    ebpf_ringbuf_commit(record, 0, 0);
    return true;
}

TEST(consumer_on_mapped_pages_gets_every_record)
{
    struct ebpf_map *map = create(BPF_MAP_TYPE_RINGBUF, 0, PAGE, 0);
    struct consumer c;
    uint64_t made = 0;

    REQUIRE(map && !consumer_init(&c, map));
    CHECK_EQ(ebpf_obj_poll(ebpf_map_obj(map)), 0);
    for (unsigned round = 0; round < 20000; round++) {
        while (produce(map, made))
            made++;
        CHECK_EQ(ebpf_obj_poll(ebpf_map_obj(map)), EBPF_POLLIN);
        consume(&c);
        CHECK_EQ(ebpf_obj_poll(ebpf_map_obj(map)), 0);
        CHECK_EQ(c.next, made);
    }
    CHECK_EQ(c.wrong, 0);
    CHECK(made > 100000);
    consumer_fini(&c);
    put(map);
}

/* AddressSanitizer is the judge: all bytes around the ring are not the library's. */
TEST(consumer_on_mapped_pages_that_lies_harms_nobody)
{
    static const uint64_t lies[] = {0,          1,          7,          8,
                                    4095,       4096,       4104,       1ull << 31,
                                    1ull << 32, 1ull << 63, UINT64_MAX, UINT64_MAX - 7};
    struct ebpf_map *map = create(BPF_MAP_TYPE_RINGBUF, 0, PAGE, 0);
    struct consumer c;
    uint64_t made = 0, seed = 88172645463325252u;
    void *held[64];
    unsigned count = 0;

    REQUIRE(map && !consumer_init(&c, map));
    for (unsigned i = 0; i < 200000; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        if (seed % 4 == 0)
            *c.consumer_pos = lies[seed / 4 % 12];
        else if (seed % 4 == 1)
            *c.consumer_pos = *c.producer_pos + seed % 9000 - 4500;
        if (seed % 3 == 0 && count < 64 && (held[count] = ebpf_ringbuf_reserve(map, seed % 900, 0)))
            count++;
        if (seed % 3 == 1 && count)
            ebpf_ringbuf_commit(held[--count], 0, seed % 2 ? BPF_RINGBUF_DISCARD_BIT : 0);
        made += produce(map, made);
        ebpf_obj_poll(ebpf_map_obj(map));
    }
    while (count)
        ebpf_ringbuf_commit(held[--count], 0, 0);
    CHECK(made > 0);
    consumer_fini(&c);
    put(map);
}

TEST(objects_without_anything_to_poll_say_so)
{
    struct ebpf_map *map = create(BPF_MAP_TYPE_HASH, 8, 4, 0);

    CHECK_EQ(ebpf_obj_poll(ebpf_map_obj(map)), EBPF_POLLERR);
    put(map);
}
