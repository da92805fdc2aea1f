/* SPDX-License-Identifier: MIT */
/* Perf event arrays and the events in them: records, lost ones, readers that lie, wake-ups, the two
 * system calls. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>

#include <ebpf/perf.h>

#include "maps/perf_event.h"
#include "maps/perf_event_array.h"
#include "src/base/epoch.h"

#define PAGE 4096u

static const struct ebpf_caller kernel = {.caps = EBPF_CAP_ALL, .kernel = true};

static struct ebpf_map *create(uint32_t entries, uint32_t flags)
{
    struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_PERF_EVENT_ARRAY,
                                 .key_size = 4,
                                 .value_size = 4,
                                 .max_entries = entries,
                                 .flags = flags};
    struct ebpf_map *map;

    return ebpf_map_create(&spec, &map) ? NULL : map;
}

static void put(struct ebpf_map *map)
{
    ebpf_obj_put(ebpf_map_obj(map));
}

static int output(struct ebpf_map *map, uint64_t flags, const void *data, uint64_t size)
{
    unsigned long irq = ebpf_os_irq_save();
    int err;

    ebpf_epoch_enter(0);
    err = ebpf_perf_output(map, flags, data, size, NULL, 0);
    ebpf_epoch_exit(0);
    ebpf_os_irq_restore(irq);
    return err;
}

static long open_event(uint64_t config, uint64_t sample_type, int32_t pid, int32_t cpu)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                   .size = sizeof(attr),
                                   .config = config,
                                   .sample_type = sample_type,
                                   .sample_period = 1,
                                   .wakeup_events = 1};
    const struct ebpf_caller caller = {.caps = mock_caps};

    return ebpf_perf_event_open(mock_user_copy(&attr, sizeof(attr)), pid, cpu, -1,
                                PERF_FLAG_FD_CLOEXEC, &caller);
}

/* ---- records ------------------------------------------------------------------------------- */

struct expect {
    uint64_t next, wrong;
};

static uint32_t record_len(uint64_t number)
{
    return (uint32_t)(number * 131 % 900);
}

static void fill(uint8_t *data, uint64_t number)
{
    for (uint32_t i = 0; i < record_len(number); i++)
        data[i] = (uint8_t)(number + i);
}

static int check_record(void *ctx, void *data, uint32_t size)
{
    struct expect *e = ctx;
    const uint8_t *bytes = data;
    uint32_t len = record_len(e->next);

    e->wrong += size != (len + 4 + 7) / 8 * 8 - 4;
    for (uint32_t i = 0; i < size; i++)
        e->wrong += bytes[i] != (i < len ? (uint8_t)(e->next + i) : 0);
    e->next++;
    return 0;
}

TEST(perf_output_gives_every_record_in_order)
{
    struct ebpf_map *map = create(4, 0);
    struct ebpf_obj *event;
    struct expect e = {0};
    uint64_t made = 0, lost;
    uint8_t data[900];

    REQUIRE(map && !ebpf_perf_event_create(0, 1, &event));
    CHECK_EQ(ebpf_map_set_perf_event(map, 0, event), 0);
    for (unsigned round = 0; round < 20000; round++) {
        for (unsigned i = 0; i < round % 4; i++) { /* these fit */
            fill(data, made);
            CHECK_EQ(output(map, BPF_F_CURRENT_CPU, data, record_len(made)), 0);
            made++;
        }
        CHECK_EQ(ebpf_perf_event_consume(event, check_record, &e, &lost), round % 4);
        CHECK_EQ(lost, 0);
    }
    CHECK_EQ(e.next, made);
    CHECK_EQ(e.wrong, 0);
    put(map);
    ebpf_obj_put(event);
}

static int count_only(void *ctx, void *data, uint32_t size)
{
    (void)data;
    (void)size;
    ++*(uint64_t *)ctx;
    return 0;
}

TEST(perf_output_counts_and_tells_what_was_lost)
{
    struct ebpf_map *map = create(4, 0);
    struct ebpf_obj *event;
    uint64_t got = 0, lost, told = 0, tried = 0, failed = 0, seed = 88172645463325252u;
    uint8_t data[1000] = {0};

    REQUIRE(map && !ebpf_perf_event_create(0, 2, &event));
    CHECK_EQ(ebpf_map_set_perf_event(map, 0, event), 0);
    for (unsigned i = 0; i < 100000; i++) {
        int err;

        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        err = output(map, 0, data, seed % 1000);
        tried++;
        failed += err != 0;
        CHECK(!err || err == -ENOSPC);
        if (seed >> 40 & 1 && seed % 30 == 0) {
            CHECK(ebpf_perf_event_consume(event, count_only, &got, &lost) >= 0);
            told += lost;
        }
    }
    ebpf_perf_event_consume(event, count_only, &got, &lost);
    told += lost;
    CHECK_EQ(output(map, 0, data, 8), 0); /* tells the rest */
    tried++;
    ebpf_perf_event_consume(event, count_only, &got, &lost);
    told += lost;
    CHECK(failed > 100);
    CHECK_EQ(told, failed);
    CHECK_EQ(got + failed, tried);
    put(map);
    ebpf_obj_put(event);
}

TEST(perf_output_errors_are_linux_s)
{
    struct ebpf_map *map = create(3, 0), *hash;
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 1};
    struct bpf_perf_event_value value;
    struct ebpf_obj *event;
    static uint8_t data[70000];

    REQUIRE(map && !ebpf_map_create(&spec, &hash) && !ebpf_perf_event_create(0, 16, &event));
    CHECK_EQ(output(hash, 0, data, 8), -EINVAL);
    CHECK_EQ(output(map, 1ull << 32, data, 8), -EINVAL);
    CHECK_EQ(output(map, 3, data, 8), -E2BIG);
    CHECK_EQ(output(map, 0, data, 8), -ENOENT);
    CHECK_EQ(ebpf_map_set_perf_event(map, 0, event), 0);
    CHECK_EQ(ebpf_map_set_perf_event(map, 3, event), -E2BIG);
    CHECK_EQ(ebpf_map_set_perf_event(hash, 0, event), -EINVAL);
    CHECK_EQ(ebpf_map_set_perf_event(map, 0, ebpf_map_obj(hash)), -EINVAL);
    CHECK_EQ(output(map, 0, data, 65528), -E2BIG);
    CHECK_EQ(output(map, 0, data, 1ull << 32), -E2BIG);
    CHECK_EQ(output(map, 0, data, 65508), 0);
    CHECK_EQ(output(map, 0, data, 65508), -ENOSPC);
    CHECK_EQ(ebpf_perf_read(map, 0, &value), 0);
    CHECK_EQ(value.counter, 0);
    mock_set_cpu(1);
    CHECK_EQ(output(map, 0, data, 8), -EOPNOTSUPP);
    CHECK_EQ(output(map, BPF_F_CURRENT_CPU, data, 8), -ENOENT);
    CHECK_EQ(ebpf_perf_read(map, 0, &value), -EINVAL);
    mock_set_cpu(3);
    CHECK_EQ(output(map, BPF_F_CURRENT_CPU, data, 8), -E2BIG);
    mock_set_cpu(0);
    CHECK_EQ(ebpf_perf_event_ioctl(event, PERF_EVENT_IOC_DISABLE, 0, &kernel), 0);
    CHECK_EQ(output(map, 0, data, 8), -EOPNOTSUPP);
    CHECK_EQ(ebpf_perf_event_ioctl(event, PERF_EVENT_IOC_ENABLE, 0, &kernel), 0);
    CHECK_EQ(ebpf_perf_event_ioctl(event, PERF_EVENT_IOC_PAUSE_OUTPUT, 1, &kernel), 0);
    CHECK_EQ(output(map, 0, data, 8), -ENOSPC);
    CHECK_EQ(ebpf_perf_event_ioctl(event, PERF_EVENT_IOC_SET_BPF, 1, &kernel), -EINVAL);
    CHECK_EQ(ebpf_perf_event_ioctl(event, 0x1234, 1, &kernel), -ENOTTY);
    CHECK_EQ(ebpf_perf_event_ioctl(ebpf_map_obj(map), PERF_EVENT_IOC_ENABLE, 1, &kernel), -ENOTTY);
    put(map), put(hash);
    ebpf_obj_put(event);
}

/* ---- user mode ----------------------------------------------------------------------------- */

TEST(perf_event_open_errors_are_linux_s)
{
    long fd = open_event(PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW, -1, 2);
    uint64_t attr = mock_user_alloc(sizeof(struct perf_event_attr) + 64);
    struct perf_event_attr *a = mock_user(attr);
    const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL};

    CHECK(fd >= 0);
    CHECK_EQ(open_event(8, PERF_SAMPLE_RAW, -1, 0), -EOPNOTSUPP); /* samples of a counter */
    CHECK_EQ(open_event(PERF_COUNT_SW_BPF_OUTPUT, 1u << 5, -1, 0), -EINVAL);
    CHECK_EQ(open_event(PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW, -1, -1), -EINVAL);
    CHECK_EQ(open_event(PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW, -1, 4), -EINVAL);
    CHECK_EQ(open_event(PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW, 0, 0), -EOPNOTSUPP);
    mock_caps = EBPF_CAP_BPF;
    CHECK_EQ(open_event(PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW, -1, 0), -EACCES);
    a->type = PERF_TYPE_SOFTWARE;
    a->config = PERF_COUNT_SW_BPF_OUTPUT;
    a->size = 63;
    CHECK_EQ(ebpf_perf_event_open(attr, -1, 0, -1, 0, &caller), -E2BIG);
    a->size = sizeof(*a) + 8;
    CHECK(ebpf_perf_event_open(attr, -1, 0, -1, 0, &caller) >= 0);
    ((uint8_t *)(a + 1))[3] = 1;
    CHECK_EQ(ebpf_perf_event_open(attr, -1, 0, -1, 0, &caller), -E2BIG);
    a->size = 0;
    CHECK(ebpf_perf_event_open(attr, -1, 0, -1, 0, &caller) >= 0);
    CHECK_EQ(ebpf_perf_event_open(attr, -1, 0, -1, 1ull << 40, &caller), -EINVAL);
    CHECK_EQ(ebpf_perf_event_open(MOCK_BAD_ADDR, -1, 0, -1, 0, &caller), -EFAULT);
    mock_fail_alloc(1);
    CHECK_EQ(ebpf_perf_event_open(attr, -1, 0, -1, 0, &caller), -ENOMEM);
    mock_fail_alloc(2);
    CHECK_EQ(ebpf_perf_event_open(attr, -1, 0, -1, 0, &caller), -ENOMEM);
    mock_fail_alloc(0);
    /* the fds are closed with the process */
}

TEST(perf_event_mappings_are_refused_like_linux_s)
{
    long fd = open_event(PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW, -1, 0);
    struct ebpf_mmap first, second;
    struct ebpf_obj *event;

    REQUIRE(fd >= 0 && !ebpf_os_fd_get((int)fd, &event));
    CHECK_STR(ebpf_obj_kind(event), "[perf_event]");
    CHECK_EQ(ebpf_obj_poll(event), EBPF_POLLHUP);
    CHECK_EQ(ebpf_perf_event_ioctl(event, PERF_EVENT_IOC_PAUSE_OUTPUT, 1, &kernel), -EINVAL);
    CHECK_EQ(ebpf_obj_mmap(event, PAGE, 2 * PAGE, true, &first), -EINVAL);
    CHECK_EQ(ebpf_obj_mmap(event, 0, 4 * PAGE, true, &first), -EINVAL);
    for (unsigned n = 1; n < 3; n++) {
        mock_fail_alloc(n);
        CHECK_EQ(ebpf_obj_mmap(event, 0, 3 * PAGE, true, &first), -ENOMEM);
    }
    mock_fail_alloc(0);
    CHECK_EQ(ebpf_obj_mmap(event, 0, 3 * PAGE, true, &first), 0);
    CHECK_EQ(ebpf_obj_mmap(event, 0, 2 * PAGE, true, &second), -EINVAL);
    CHECK_EQ(ebpf_obj_mmap(event, 0, 3 * PAGE, true, &second), 0);
    CHECK(ebpf_mmap_page(&first, 2) == ebpf_mmap_page(&second, 2));
    ebpf_mmap_close(&first);
    CHECK_EQ(ebpf_obj_poll(event), 0);
    ebpf_mmap_close(&second);
    CHECK_EQ(ebpf_obj_poll(event), EBPF_POLLHUP);
    CHECK_EQ(ebpf_obj_mmap(event, 0, 2 * PAGE, true, &first), 0); /* another size now */
    ebpf_mmap_close(&first);
    ebpf_obj_put(event);
}

/* A reader like libbpf's perf_event_read_simple(), on the mapped pages alone. */
static uint64_t read_mapped(const struct ebpf_mmap *mapping, struct expect *e, uint64_t *lost)
{
    struct perf_event_mmap_page *page = ebpf_mmap_page(mapping, 0);
    uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE), tail = page->data_tail;
    uint64_t count = 0;

    while (tail != head) {
        uint8_t record[1024];
        struct perf_event_header header;

        for (uint64_t i = 0; i < sizeof(header); i++)
            record[i] = ((uint8_t *)ebpf_mmap_page(mapping, 1 + (tail + i) % page->data_size /
                                                                    PAGE))[(tail + i) % PAGE];
        memcpy(&header, record, sizeof(header));
        for (uint64_t i = 8; i < header.size; i++)
            record[i] = ((uint8_t *)ebpf_mmap_page(mapping, 1 + (tail + i) % page->data_size /
                                                                    PAGE))[(tail + i) % PAGE];
        if (header.type == PERF_RECORD_SAMPLE) {
            uint32_t size;

            memcpy(&size, record + 8, 4);
            check_record(e, record + 12, size);
            count++;
        } else {
            uint64_t number;

            CHECK_EQ(header.type, PERF_RECORD_LOST);
            CHECK_EQ(header.size, 24);
            memcpy(&number, record + 16, 8);
            *lost += number;
            e->next += number;
        }
        tail += header.size;
    }
    __atomic_store_n(&page->data_tail, tail, __ATOMIC_RELEASE);
    return count;
}

TEST(perf_reader_on_mapped_pages_gets_every_record_or_hears_of_it)
{
    long fd = open_event(PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW, -1, 0);
    struct ebpf_map *map = create(1, 0);
    struct ebpf_mmap mapping;
    struct ebpf_obj *event;
    struct expect e = {0};
    uint64_t made = 0, got = 0, lost = 0, seed = 88172645463325252u;
    uint32_t key = 0, fd_value = (uint32_t)fd;
    uint8_t data[900];

    REQUIRE(fd >= 0 && !ebpf_os_fd_get((int)fd, &event));
    CHECK_EQ(ebpf_map_update(map, &key, &fd_value, BPF_ANY), 0);
    CHECK_EQ(output(map, 0, data, 8), -ENOSPC); /* not mapped: not even counted */
    REQUIRE(!ebpf_obj_mmap(event, 0, 3 * PAGE, true, &mapping));
    for (unsigned i = 0; i < 100000; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        fill(data, made);
        if (!output(map, 0, data, record_len(made)))
            CHECK_EQ(ebpf_obj_poll(event), 1); /* POLLIN, once */
        CHECK_EQ(ebpf_obj_poll(event), 0);
        made++;
        if (seed % 16 == 0)
            got += read_mapped(&mapping, &e, &lost);
    }
    got += read_mapped(&mapping, &e, &lost);
    CHECK(lost > 100);
    CHECK_EQ(e.wrong, 0);
    CHECK(got + lost <= made && got > 1000);
    ebpf_mmap_close(&mapping);
    ebpf_obj_put(event);
    put(map);
}

/* AddressSanitizer is the judge: all bytes around the ring are not the library's. */
TEST(perf_reader_that_lies_harms_nobody)
{
    static const uint64_t lies[] = {0,    1,          7,          8,          4095,
                                    4096, 1ull << 31, 1ull << 32, 1ull << 63, UINT64_MAX};
    struct ebpf_map *map = create(1, 0);
    struct ebpf_perf_ring *ring;
    struct ebpf_obj *event;
    uint64_t seed = 88172645463325252u, written = 0, got = 0;
    uint8_t data[900] = {0};

    REQUIRE(map && !ebpf_perf_event_create(0, 1, &event));
    ebpf_map_set_perf_event(map, 0, event);
    ring = ebpf_perf_event_of(event)->ring;
    for (unsigned i = 0; i < 300000; i++) {
        int err;

        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        if (seed % 4 == 0)
            ring->page->data_tail = lies[seed / 4 % 10];
        else if (seed % 4 == 1)
            ring->page->data_tail = ring->head + seed % 9000 - 4500;
        if (seed % 5 == 0)
            ring->page->data_head = seed; /* user mode may write this page, too */
        if (seed % 5 == 1)
            ring->data[seed / 5 % PAGE] ^= (uint8_t)seed;
        err = output(map, 0, data, seed % 900);
        written += !err;
        CHECK(!err || err == -ENOSPC);
        if (seed % 3 == 0)
            ebpf_perf_event_consume(event, count_only, &got, NULL);
    }
    CHECK(written > 1000);
    put(map);
    ebpf_obj_put(event);
}

/* ---- fields, wake-ups, life ---------------------------------------------------------------- */

TEST(perf_records_have_the_fields_that_were_asked_for)
{
    long fd = open_event(PERF_COUNT_SW_BPF_OUTPUT,
                         PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD |
                             PERF_SAMPLE_RAW,
                         -1, 0);
    const uint64_t want[] = {9 | 1ull << 32 | 56ull << 48, 100 | 101ull << 32, 1000000, 0, 0,
                             12 | 0x64636261ull << 32,     0x68676665};
    struct ebpf_map *map = create(1, 0);
    struct ebpf_mmap mapping;
    struct ebpf_obj *event;

    REQUIRE(fd >= 0 && !ebpf_os_fd_get((int)fd, &event));
    ebpf_map_set_perf_event(map, 0, event);
    REQUIRE(!ebpf_obj_mmap(event, 0, 2 * PAGE, true, &mapping));
    CHECK_EQ(ebpf_perf_output(map, 0, "abcd", 4, "efgh", 4), 0);
    for (unsigned i = 0; i < 7; i++)
        CHECK_EQ(((uint64_t *)ebpf_mmap_page(&mapping, 1))[i], want[i]);
    ebpf_mmap_close(&mapping);
    ebpf_obj_put(event);
    put(map);
}

TEST(perf_mapping_without_write_keeps_the_newest)
{
    long fd = open_event(PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW, -1, 0);
    struct ebpf_map *map = create(1, 0);
    struct ebpf_mmap mapping;
    struct ebpf_obj *event;
    uint8_t data[100] = {0};

    REQUIRE(fd >= 0 && !ebpf_os_fd_get((int)fd, &event));
    ebpf_map_set_perf_event(map, 0, event);
    REQUIRE(!ebpf_obj_mmap(event, 0, 2 * PAGE, false, &mapping));
    for (unsigned i = 0; i < 1000; i++)
        CHECK_EQ(output(map, 0, data, 100), 0);
    ebpf_mmap_close(&mapping);
    ebpf_obj_put(event);
    put(map);
}

TEST(perf_array_gives_its_events_up_with_its_last_user_unless_told_to_keep_them)
{
    for (unsigned keep = 0; keep < 2; keep++) {
        struct ebpf_map *map = create(4, keep ? BPF_F_PRESERVE_ELEMS : 0);
        uint32_t key = 2, value = 0;
        struct ebpf_obj *event;

        REQUIRE(map && !ebpf_perf_event_create(2, 1, &event));
        CHECK_EQ(ebpf_map_set_perf_event(map, key, event), 0);
        CHECK_EQ(ebpf_map_lookup(map, &key, &value), -ENOTSUPP);
        CHECK_EQ(event->refs, 2);
        ebpf_obj_hold(ebpf_map_obj(map)); /* as a program does */
        put(map);
        CHECK_EQ(event->refs, keep ? 2 : 1);
        ebpf_obj_drop(ebpf_map_obj(map));
        CHECK_EQ(event->refs, 1);
        ebpf_obj_put(event);
    }
}

TEST(perf_array_takes_only_perf_events)
{
    struct ebpf_map *map = create(4, 0);
    long fd = open_event(PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW, -1, 0);
    uint32_t key = 1, value = 99999;

    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), -EBADF);
    ebpf_obj_get(ebpf_map_obj(map));
    value = (uint32_t)ebpf_os_fd_install(ebpf_map_obj(map));
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), -EBADF);
    ebpf_fd_close((int)value);
    value = (uint32_t)fd;
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_NOEXIST), -EINVAL);
    CHECK_EQ(ebpf_map_update(map, &key, &value, BPF_ANY), 0);
    ebpf_fd_close((int)fd);
    CHECK_EQ(ebpf_map_delete(map, &key), 0);
    CHECK_EQ(ebpf_map_delete(map, &key), -ENOENT);
    put(map);
}
