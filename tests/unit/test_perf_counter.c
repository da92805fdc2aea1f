/* SPDX-License-Identifier: MIT */
/* Perf events that count: what programs, read(2) and the kernel itself see of them. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>

#include <ebpf/perf.h>

#include "helpers/helper.h"
#include "maps/perf_event.h"
#include "maps/perf_event_array.h"
#include "src/base/epoch.h"

#define CYCLES PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES
#define CLOCK PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK
#define ALL_FORMATS 31u

static const struct ebpf_caller kernel = {.caps = EBPF_CAP_ALL, .kernel = true};

static struct ebpf_map *create(struct ebpf_obj *event)
{
    const struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_PERF_EVENT_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 3};
    struct ebpf_map *map;

    if (ebpf_map_create(&spec, &map))
        return NULL;
    CHECK_EQ(ebpf_map_set_perf_event(map, 0, event), 0);
    return map;
}

/* As a program calls a helper. */
static int64_t call(uint32_t helper, struct ebpf_map *map, uint64_t flags, void *to, uint64_t size)
{
    unsigned long irq = ebpf_os_irq_save();
    unsigned cpu = ebpf_os_cpu_id();
    uint64_t ret;

    ebpf_epoch_enter(cpu);
    ret = ebpf_helper_find(helper)->fn((uintptr_t)map, flags, (uintptr_t)to, size, 0);
    ebpf_epoch_exit(cpu);
    ebpf_os_irq_restore(irq);
    return (int64_t)ret;
}

static void set(struct ebpf_obj *event, uint32_t cmd)
{
    CHECK_EQ(ebpf_perf_event_ioctl(event, cmd, 0, &kernel), 0);
}

static void check_count(struct ebpf_obj *event, uint64_t count, uint64_t enabled)
{
    struct bpf_perf_event_value value;

    CHECK_EQ(ebpf_perf_counter_read(event, &value), 0);
    CHECK_EQ(value.counter, count);
    CHECK_EQ(value.enabled, enabled);
    CHECK_EQ(value.running, enabled);
}

TEST(perf_counter_counts_while_it_is_enabled)
{
    struct ebpf_obj *event;

    mock_counters[2][0] = 1000;
    REQUIRE(!ebpf_perf_counter_create(2, CYCLES, &event));
    mock_counters[2][0] += 5, mock_time_ns += 70;
    check_count(event, 5, 70);
    set(event, PERF_EVENT_IOC_ENABLE); /* is enabled */
    check_count(event, 5, 70);
    mock_counters[2][0] += 6, mock_time_ns += 30;
    set(event, PERF_EVENT_IOC_DISABLE);
    mock_counters[2][0] += 1000, mock_time_ns += 1000;
    check_count(event, 11, 100);
    set(event, PERF_EVENT_IOC_ENABLE);
    mock_counters[2][0] += 2, mock_time_ns += 10;
    check_count(event, 13, 110);
    set(event, PERF_EVENT_IOC_RESET); /* the times go on: Linux's rule */
    mock_counters[2][0] += 7, mock_time_ns += 10;
    check_count(event, 7, 120);
    mock_counters[2][0] += UINT64_MAX / 2; /* as many as can be told from going back */
    check_count(event, 7 + UINT64_MAX / 2, 120);
    ebpf_obj_put(event);
}

TEST(perf_counter_never_goes_back_when_a_look_comes_late)
{
    struct ebpf_obj *event;

    mock_counters[1][0] = 1000;
    REQUIRE(!ebpf_perf_counter_create(1, CYCLES, &event));
    mock_counters[1][0] = 1100;
    check_count(event, 100, 0);
    mock_counters[1][0] = 1050; /* what another hart read before */
    check_count(event, 100, 0);
    set(event, PERF_EVENT_IOC_DISABLE);
    check_count(event, 100, 0);
    ebpf_obj_put(event);
}

TEST(perf_counter_of_the_clock_needs_no_hook)
{
    struct ebpf_obj *event;

    mock_no_hooks = true;
    CHECK_EQ(ebpf_perf_counter_create(0, CYCLES, &event), -ENOENT);
    CHECK_EQ(
        ebpf_perf_counter_create(0, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES, &event),
        -ENOENT);
    REQUIRE(!ebpf_perf_counter_create(0, CLOCK, &event));
    mock_time_ns += 123;
    check_count(event, 123, 123);
    ebpf_obj_put(event);
    REQUIRE(!ebpf_perf_counter_create(0, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY, &event));
    mock_time_ns += 5;
    check_count(event, 0, 5);
    ebpf_obj_put(event);
}

TEST(perf_counter_creation_unwinds)
{
    struct ebpf_obj *event;

    CHECK_EQ(ebpf_perf_counter_create(4, CYCLES, &event), -EINVAL);
    CHECK_EQ(ebpf_perf_counter_create(0, PERF_TYPE_HARDWARE, 4, &event), -ENOENT);
    mock_counter_error = -EOPNOTSUPP;
    CHECK_EQ(ebpf_perf_counter_create(1, CYCLES, &event), -EOPNOTSUPP);
    mock_counter_error = 0;
    for (unsigned n = 1;; n++) {
        int err;

        mock_fail_alloc(n);
        err = ebpf_perf_counter_create(0, CYCLES, &event);
        if (!mock_alloc_failed())
            break;
        CHECK_EQ(err, -ENOMEM);
    }
    mock_fail_alloc(0);
    ebpf_obj_put(event);
}

TEST(perf_event_read_value_gives_counter_and_times)
{
    struct bpf_perf_event_value value;
    struct ebpf_obj *event;
    struct ebpf_map *map;

    mock_set_cpu(1);
    REQUIRE(!ebpf_perf_counter_create(1, PERF_TYPE_HARDWARE, 1, &event));
    map = create(event);
    mock_counters[1][1] += 44, mock_time_ns += 9;
    CHECK_EQ(call(55, map, 0, &value, sizeof(value)), 0);
    CHECK_EQ(value.counter, 44);
    CHECK_EQ(value.enabled, 9);
    CHECK_EQ(value.running, 9);
    CHECK_EQ(call(22, map, 0, NULL, 0), 44);
    CHECK_EQ(ebpf_map_set_perf_event(map, 1, event), 0);
    CHECK_EQ(call(22, map, BPF_F_CURRENT_CPU, NULL, 0), 44);
    ebpf_obj_put(event);
    ebpf_obj_put(ebpf_map_obj(map));
}

/* Linux: bpf_perf_event_read_value(), get_map_perf_counter(), perf_event_read_local() */
TEST(perf_event_read_value_errors_are_linux_s)
{
    uint8_t value[32], zeros[32] = {0};
    struct ebpf_obj *event;
    struct ebpf_map *map;

    REQUIRE(!ebpf_perf_counter_create(0, CYCLES, &event));
    map = create(event);
    for (uint64_t size = 1; size <= sizeof(value); size++) {
        memset(value, 0xff, sizeof(value));
        CHECK_EQ(call(55, map, 0, value, size), size == 24 ? 0 : -EINVAL);
        CHECK(!memcmp(value, zeros, size)); /* nothing was counted, or no time passed, either */
        CHECK(size == sizeof(value) || value[size] == 0xff);
    }
    for (uint32_t helper = 22; helper <= 55; helper += 55 - 22) {
        memset(value, 0xff, sizeof(value));
        CHECK_EQ(call(helper, map, 3, value, 24), -E2BIG);
        CHECK_EQ(call(helper, map, 1, value, 24), -ENOENT);
        CHECK_EQ(call(helper, map, 1ull << 32, value, 24), -EINVAL);
        mock_set_cpu(1);
        CHECK_EQ(call(helper, map, 0, value, 24), -EINVAL);
        CHECK_EQ(call(helper, map, BPF_F_CURRENT_CPU, value, 24), -ENOENT);
        mock_set_cpu(0);
        mock_counter_error = -EOPNOTSUPP;
        CHECK_EQ(call(helper, map, 0, value, 24), -EOPNOTSUPP);
        mock_counter_error = 0;
        CHECK_EQ(helper == 22 || !memcmp(value, zeros, 24), 1);
    }
    ebpf_obj_put(event);
    ebpf_obj_put(ebpf_map_obj(map));
}

TEST(perf_counter_is_not_written_to)
{
    struct ebpf_obj *event;
    unsigned long irq;
    struct ebpf_map *map;

    REQUIRE(!ebpf_perf_counter_create(0, CLOCK, &event));
    map = create(event);
    irq = ebpf_os_irq_save();
    CHECK_EQ(ebpf_perf_output(map, 0, "abc", 3, NULL, 0), -EINVAL);
    ebpf_os_irq_restore(irq);
    ebpf_obj_put(event);
    ebpf_obj_put(ebpf_map_obj(map));
}

/* ---- system calls ---------------------------------------------------------------------------- */

static long open_event(const struct perf_event_attr *attr, int32_t cpu)
{
    return ebpf_perf_event_open((uintptr_t)attr, -1, cpu, -1, 0, &kernel);
}

TEST(perf_event_open_says_what_a_counter_cannot_do)
{
    struct perf_event_attr attr = {.size = sizeof(attr), .sample_period = 1};

    CHECK_EQ(open_event(&attr, 0), -EOPNOTSUPP);
    attr.type = PERF_TYPE_SOFTWARE; /* the clock: Linux takes samples by a timer */
    CHECK_EQ(open_event(&attr, 0), -EOPNOTSUPP);
    attr.config = PERF_COUNT_SW_DUMMY; /* never overflows */
    CHECK(open_event(&attr, 0) >= 0);
    attr = (struct perf_event_attr){.size = sizeof(attr), .bits = PERF_ATTR_EXCLUDE_KERNEL};
    CHECK_EQ(open_event(&attr, 0), -EINVAL);
    attr.type = PERF_TYPE_SOFTWARE;
    CHECK(open_event(&attr, 0) >= 0);
    attr.read_format = ALL_FORMATS + 1;
    CHECK_EQ(open_event(&attr, 0), -EINVAL);
}

TEST(perf_event_read_gives_what_read_format_asks_for)
{
    for (uint64_t format = 0; format <= ALL_FORMATS; format++) {
        const struct perf_event_attr attr = {
            .type = PERF_TYPE_HARDWARE, .size = sizeof(attr), .read_format = format};
        uint64_t want[6] = {0}, got[7], id = 0, user = mock_user_alloc(sizeof(got));
        const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL};
        long n = 0, fd = open_event(&attr, 0);
        struct ebpf_obj *event;

        REQUIRE(fd >= 0 && !ebpf_os_fd_get((int)fd, &event));
        mock_counters[0][0] += 77, mock_time_ns += 8;
        CHECK_EQ(ebpf_perf_event_ioctl(event, PERF_EVENT_IOC_ID, (uintptr_t)&id, &kernel), 0);
        CHECK_EQ(id, event->id);
        if (format & PERF_FORMAT_GROUP)
            want[n++] = 1;
        else
            want[n++] = 77;
        if (format & PERF_FORMAT_TOTAL_TIME_ENABLED)
            want[n++] = 8;
        if (format & PERF_FORMAT_TOTAL_TIME_RUNNING)
            want[n++] = 8;
        if (format & PERF_FORMAT_GROUP)
            want[n++] = 77;
        if (format & PERF_FORMAT_ID)
            want[n++] = id;
        n += (format & PERF_FORMAT_LOST) != 0;
        CHECK_EQ(ebpf_perf_event_read(event, user, sizeof(got), &caller), n * 8);
        CHECK(!memcmp(mock_user(user), want, (size_t)n * 8));
        CHECK_EQ(ebpf_perf_event_read(event, user, (size_t)n * 8 - 1, &caller), -ENOSPC);
        CHECK_EQ(ebpf_perf_event_read(event, MOCK_BAD_ADDR, sizeof(got), &caller), -EFAULT);
        ebpf_obj_put(event);
        ebpf_fd_close((int)fd);
    }
}

TEST(perf_event_read_is_for_perf_events)
{
    const struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};
    struct bpf_perf_event_value value;
    struct ebpf_map *map;

    REQUIRE(!ebpf_map_create(&spec, &map));
    CHECK_EQ(ebpf_perf_event_read(ebpf_map_obj(map), 0, 8, &kernel), -EINVAL);
    CHECK_EQ(ebpf_perf_counter_read(ebpf_map_obj(map), &value), -EINVAL);
    ebpf_obj_put(ebpf_map_obj(map));
}

/* ---- harts ----------------------------------------------------------------------------------- */

struct counting {
    struct ebpf_obj *event;
    struct ebpf_map *map;
    bool stop;
};

static void *count_on_hart_1(void *arg)
{
    struct counting *c = arg;
    uint64_t last = 0;

    mock_set_cpu(1);
    while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
        struct bpf_perf_event_value value;

        __atomic_fetch_add(&mock_counters[1][0], 3, __ATOMIC_RELAXED);
        CHECK_EQ(call(55, c->map, 0, &value, sizeof(value)), 0);
        CHECK(value.counter >= last);
        last = value.counter;
    }
    return NULL;
}

TEST(perf_counter_is_read_by_its_hart_while_threads_read_start_and_stop_it)
{
    struct counting c = {0};
    uint64_t last = 0;
    pthread_t thread;

    REQUIRE(!ebpf_perf_counter_create(1, CYCLES, &c.event));
    c.map = create(c.event);
    REQUIRE(!pthread_create(&thread, NULL, count_on_hart_1, &c));
    for (unsigned i = 0; i < 20000; i++) {
        struct bpf_perf_event_value value;

        if (i % 16 == 0)
            set(c.event, i % 32 ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE);
        CHECK_EQ(ebpf_perf_counter_read(c.event, &value), 0);
        CHECK(value.counter >= last &&
              value.counter <= __atomic_load_n(&mock_counters[1][0], __ATOMIC_RELAXED));
        last = value.counter;
    }
    __atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    ebpf_obj_put(c.event);
    ebpf_obj_put(ebpf_map_obj(c.map));
}
