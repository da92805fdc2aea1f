/* SPDX-License-Identifier: MIT */
/*
 * The rings of perf events that programs write to: the same program with the same data on our
 * library and on the machine's own Linux, under PROG_TEST_RUN, with readers that do the same.
 * Results, positions, every record's bytes and what poll(2) says must agree. Nothing is attached:
 * such an event is a ring that a program of ours writes to. Skipped where this is not permitted.
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <ebpf/perf.h>

#include "tests/unit/host/sides.h"
#include "tests/unit/insn.h"

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R4 BPF_REG_4
#define R5 BPF_REG_5
#define R6 BPF_REG_6
#define R7 BPF_REG_7

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define PAGE 4096u
#define PACKET 128u

static uint64_t seed;
static const struct ebpf_caller kernel = {.caps = EBPF_CAP_ALL, .kernel = true};

/* ---- an event and its ring on both sides ---------------------------------------------------- */

struct rings {
    struct world w;
    struct perf_event_attr attr;
    int fd[2]; /* of the event */
    uint64_t id[2];
    struct ebpf_obj *event;
    struct ebpf_mmap mapping;
    uint8_t *linux_ring;
    size_t size; /* of the data */
    bool write;
    uint64_t head; /* everything before is compared */
    uint64_t samples, lost;
};

static int linux_event_open(const struct perf_event_attr *attr, int cpu)
{
    long fd = syscall(SYS_perf_event_open, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

    return fd < 0 ? -errno : (int)fd;
}

static bool usable(void)
{
    const struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_BPF_OUTPUT};
    int cpu, fd;

    seed = 1;
    if (!linux_usable())
        return false;
    cpu = sides_stay_on_a_cpu();
    fd = cpu < 0 ? -ENODEV : linux_event_open(&attr, cpu);
    if (fd >= 0)
        close(fd);
    else
        test_skip("perf_event_open(2), for a CPU this thread may run on, is not to be had");
    return fd >= 0;
}

static bool open_events(struct rings *r, int cpu)
{
    r->fd[0] = (int)ebpf_perf_event_open((uintptr_t)&r->attr, -1, cpu, -1, 0, &kernel);
    r->fd[1] = linux_event_open(&r->attr, cpu);
    return r->fd[0] >= 0 && r->fd[1] >= 0 && !ebpf_os_fd_get(r->fd[0], &r->event) &&
           !ebpf_perf_event_ioctl(r->event, PERF_EVENT_IOC_ID, (uintptr_t)&r->id[0], &kernel) &&
           !ioctl(r->fd[1], PERF_EVENT_IOC_ID, &r->id[1]);
}

static bool map_rings(struct rings *r)
{
    int prot = PROT_READ | (r->write ? PROT_WRITE : 0);
    void *ring = mmap(NULL, r->size + PAGE, prot, MAP_SHARED, r->fd[1], 0);

    if (ring == MAP_FAILED || ebpf_obj_mmap(r->event, 0, r->size + PAGE, r->write, &r->mapping))
        return false;
    r->linux_ring = ring;
    return true;
}

static struct perf_event_mmap_page *page_of(const struct rings *r, unsigned side)
{
    return side ? (void *)r->linux_ring : ebpf_mmap_page(&r->mapping, 0);
}

/* Bytes of a ring in a row. */
static void copy_ring(const struct rings *r, unsigned side, uint64_t at, void *to, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        uint64_t in_ring = (at + i) & (r->size - 1);
        const uint8_t *data = side ? r->linux_ring + PAGE + in_ring / PAGE * PAGE
                                   : ebpf_mmap_page(&r->mapping, 1 + in_ring / PAGE);

        ((uint8_t *)to)[i] = data[in_ring % PAGE];
    }
}

/* perf_event_output(context, the events, arg 0: flags, the memory's data, arg 1: bytes of it) */
static const struct bpf_insn output_insns[] = {
    BPF_MOV64_REG(R6, R1),
    BPF_LD_MAP_VALUE(R7, FD_MEMORY, 0),
    BPF_MOV64_REG(R1, R6),
    BPF_LD_MAP_FD(R2, FD_OTHER),
    BPF_LDX_MEM(BPF_DW, R3, R7, ARG(0)),
    BPF_MOV64_REG(R4, R7),
    BPF_LDX_MEM(BPF_DW, R5, R7, ARG(1)),
    BPF_ALU64_IMM(BPF_AND, R5, 255),
    BPF_EMIT_CALL(25),
    BPF_STX_MEM(BPF_DW, R7, R0, RET(0)),
    BPF_MOV64_IMM(R0, 2),
    BPF_EXIT_INSN(),
};

/* Index 0 is the event, of the CPU we are on; nothing is at index 1. */
static bool rings_init(struct rings *r, const struct perf_event_attr *attr, unsigned pages,
                       bool write)
{
    int array[2];

    *r = (struct rings){.attr = *attr, .size = (size_t)pages * PAGE, .write = write};
    r->attr.type = PERF_TYPE_SOFTWARE;
    r->attr.size = sizeof(r->attr);
    r->attr.config = PERF_COUNT_SW_BPF_OUTPUT;
    r->attr.read_format = PERF_FORMAT_LOST;
    mock_task.pid = (uint32_t)gettid();
    mock_task.tgid = (uint32_t)getpid();
    if (!open_events(r, (int)ebpf_os_cpu_id()))
        return false;
    for (unsigned side = 0; side < 2; side++) {
        array[side] = side_map(side, BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 2, 0);
        CHECK_EQ(side_element(side, BPF_MAP_UPDATE_ELEM, array[side], &r->fd[side]), 0);
    }
    world_init(&r->w, BPF_PROG_TYPE_XDP, "", array, output_insns, COUNT(output_insns));
    return map_rings(r);
}

static void rings_fini(struct rings *r)
{
    world_fini(&r->w);
    munmap(r->linux_ring, r->size + PAGE);
    close(r->fd[1]);
    ebpf_mmap_close(&r->mapping);
    ebpf_fd_close(r->fd[0]);
    ebpf_obj_put(r->event);
}

/* ---- what must agree ------------------------------------------------------------------------ */

static uint32_t fields_size(const struct rings *r)
{
    return 8 * (uint32_t)__builtin_popcountll(r->attr.sample_type & ~(uint64_t)PERF_SAMPLE_RAW);
}

/* What may differ in a record becomes 0: the time, the event's own id, the unused ends of raw data
 * (which Linux leaves as they were). bytes: how many the program wrote. */
static void mask(const struct rings *r, unsigned side, uint8_t *record, uint32_t bytes)
{
    struct perf_event_header header;
    uint32_t at = sizeof(header);

    memcpy(&header, record, sizeof(header));
    if (header.type == PERF_RECORD_LOST) {
        CHECK(!memcmp(record + at, &r->id[side], 8));
        memset(record + at, 0, 8);
        return;
    }
    if (r->attr.sample_type & PERF_SAMPLE_TIME)
        memset(record + at + (r->attr.sample_type & PERF_SAMPLE_TID ? 8 : 0), 0, 8);
    at += fields_size(r) + 4 + bytes;
    if (r->attr.sample_type & PERF_SAMPLE_RAW && at < header.size)
        memset(record + at, 0, header.size - at);
}

static bool same_record(struct rings *r, uint32_t bytes, uint32_t *size)
{
    uint8_t record[2][2048];
    struct perf_event_header header[2];

    for (unsigned side = 0; side < 2; side++)
        copy_ring(r, side, r->head, &header[side], sizeof(header[side]));
    *size = header[1].size;
    if (memcmp(&header[0], &header[1], sizeof(header[0])) || *size > sizeof(record[0])) {
        test_fail(__FILE__, __LINE__, "record: type %u misc 0x%x size %u, Linux %u 0x%x %u",
                  header[0].type, header[0].misc, header[0].size, header[1].type, header[1].misc,
                  header[1].size);
        return false;
    }
    r->lost += header[1].type == PERF_RECORD_LOST;
    r->samples += header[1].type == PERF_RECORD_SAMPLE;
    for (unsigned side = 0; side < 2; side++) {
        copy_ring(r, side, r->head, record[side], *size);
        mask(r, side, record[side], bytes);
    }
    for (uint32_t i = 0; i < *size; i++) {
        if (record[0][i] == record[1][i])
            continue;
        test_fail(__FILE__, __LINE__, "record type %u size %u: byte %u is 0x%x, Linux's 0x%x",
                  header[1].type, *size, i, record[0][i], record[1][i]);
        return false;
    }
    return true;
}

/* What is new since the last time; one program ran, and wrote bytes. */
static bool compare(struct rings *r, uint32_t bytes)
{
    uint64_t head = __atomic_load_n(&page_of(r, 1)->data_head, __ATOMIC_ACQUIRE);
    uint32_t size, ours = ebpf_obj_poll(r->event), theirs = linux_poll(r->fd[1]);

    if (page_of(r, 0)->data_head != head || (ours & 0x1f) != (theirs & 0x1f)) {
        test_fail(__FILE__, __LINE__, "data_head %llu poll 0x%x, Linux %llu 0x%x (from %llu)",
                  (unsigned long long)page_of(r, 0)->data_head, ours, (unsigned long long)head,
                  theirs, (unsigned long long)r->head);
        return false;
    }
    for (; r->head < head; r->head += size) {
        if (!same_record(r, bytes, &size))
            return false;
    }
    return r->head == head;
}

/* ---- what is done --------------------------------------------------------------------------- */

static bool output(struct rings *r)
{
    /* index 0 by number, index 1 where nothing is, beyond; the packet's first bytes; too many */
    static const uint64_t flags[] = {0,
                                     0,
                                     0,
                                     0,
                                     1,
                                     2,
                                     BPF_F_CURRENT_CPU - 1,
                                     1ull << 32,
                                     60ull << 32,
                                     128ull << 32,
                                     129ull << 32,
                                     1ull << 52};
    uint64_t flag = flags[test_random(&seed, COUNT(flags))];
    struct memory *m = &r->w.memory[0];

    for (unsigned i = 0; i < sizeof(m->data); i++)
        m->data[i] = (char)test_random(&seed, 256);
    m->arg[0] = flag;
    m->arg[1] = test_random(&seed, 256);
    m->ret[0] = 1;
    if (!world_run(&r->w, PACKET)) {
        test_fail(__FILE__, __LINE__, "perf_event_output(0x%llx, %llu): %lld, Linux %lld",
                  (unsigned long long)flag, (unsigned long long)m->arg[1],
                  (long long)r->w.memory[0].ret[0], (long long)r->w.memory[1].ret[0]);
        return false;
    }
    return compare(r, (uint32_t)(m->arg[1] + (flag >> 32)));
}

static void both_ioctl(struct rings *r, uint32_t cmd, uint64_t arg)
{
    int ours = (int)ebpf_perf_event_ioctl(r->event, cmd, arg, &kernel);
    int theirs = ioctl(r->fd[1], cmd, arg) ? -errno : 0;

    CHECK_EQ(ours, theirs);
}

/* A reader has come to a place, or says so. */
static void move_tail(struct rings *r)
{
    uint64_t head = page_of(r, 1)->data_head, tail = page_of(r, 1)->data_tail;
    const uint64_t places[] = {head,
                               head,
                               head,
                               tail + (head - tail) / 16 * 8,
                               tail,
                               test_random(&seed, UINT32_MAX),
                               (uint64_t)test_random(&seed, UINT32_MAX) << 32 | 5};
    uint64_t place = places[test_random(&seed, test_random(&seed, 8) ? 5 : 7)];

    for (unsigned side = 0; side < 2; side++)
        __atomic_store_n(&page_of(r, side)->data_tail, place, __ATOMIC_RELEASE);
}

static bool step(struct rings *r)
{
    uint32_t what = test_random(&seed, 100);

    if (what < 88)
        return output(r);
    if (what < 97 && r->write && !test_random(&seed, 4 * (uint32_t)(r->size / PAGE)))
        move_tail(r);
    else if (what == 98)
        both_ioctl(r, test_random(&seed, 3) ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
    else if (what == 99)
        both_ioctl(r, PERF_EVENT_IOC_PAUSE_OUTPUT, test_random(&seed, 3) == 0);
    return true;
}

/* read(2): {counter, records lost} */
static void compare_lost(const struct rings *r)
{
    uint64_t ours[2], theirs[2];

    CHECK_EQ(ebpf_perf_event_read(r->event, (uintptr_t)ours, sizeof(ours), &kernel), 16);
    CHECK_EQ(read(r->fd[1], theirs, sizeof(theirs)), 16);
    CHECK_EQ(ours[0], theirs[0]);
    CHECK_EQ(ours[1], theirs[1]);
}

static void compare_rings(const struct perf_event_attr *attr, unsigned pages, bool write)
{
    struct rings r;
    unsigned i = 0;

    REQUIRE(rings_init(&r, attr, pages, write));
    while (i < 4000 && step(&r))
        i++;
    if (i < 4000)
        test_fail(__FILE__, __LINE__, "sample_type 0x%llx wakeup %u watermark %d %u pages: step %u",
                  (unsigned long long)attr->sample_type, attr->wakeup_events,
                  (attr->bits & PERF_ATTR_WATERMARK) != 0, pages, i);
    compare_lost(&r);
    CHECK(r.samples > 300);
    CHECK(!write || !(attr->sample_type & PERF_SAMPLE_RAW) || r.lost > 3);
    rings_fini(&r);
}

TEST(linux_agrees_on_the_records_of_perf_rings)
{
    static const uint64_t types[] = {
        PERF_SAMPLE_RAW,
        PERF_SAMPLE_CPU | PERF_SAMPLE_RAW,
        PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD | PERF_SAMPLE_RAW,
        PERF_SAMPLE_TID,
        0,
    };

    if (!usable())
        return;
    for (unsigned t = 0; t < COUNT(types); t++) {
        for (unsigned pages = 1; pages <= 4; pages *= 2) {
            const struct perf_event_attr attr = {
                .sample_type = types[t], .sample_period = t, .wakeup_events = 1};

            compare_rings(&attr, pages, true);
        }
    }
    sides_go_anywhere();
}

TEST(linux_agrees_on_when_perf_rings_wake_their_reader)
{
    static const uint32_t counts[] = {0, 1, 2, 7, 100, 1000, 4096, 100000};

    if (!usable())
        return;
    for (unsigned c = 0; c < COUNT(counts); c++) {
        for (unsigned bytes = 0; bytes < 2; bytes++) {
            const struct perf_event_attr attr = {.sample_type = PERF_SAMPLE_RAW,
                                                 .bits = bytes ? PERF_ATTR_WATERMARK : 0,
                                                 .wakeup_events = counts[c]};

            compare_rings(&attr, 1, true);
        }
    }
    sides_go_anywhere();
}

TEST(linux_agrees_on_perf_rings_that_keep_the_newest)
{
    const struct perf_event_attr attr = {.sample_type = PERF_SAMPLE_RAW, .wakeup_events = 1};

    if (!usable())
        return;
    compare_rings(&attr, 1, false);
    compare_rings(&attr, 2, false);
    sides_go_anywhere();
}

/* ---- opening and counting -------------------------------------------------------------------- */

static void compare_open(const struct perf_event_attr *attr, int cpu)
{
    struct perf_event_attr copy[2] = {*attr, *attr}; /* the size may be written back */
    int fd = linux_event_open(&copy[1], cpu), want = fd < 0 ? fd : 0;
    long ours = ebpf_perf_event_open((uintptr_t)&copy[0], -1, cpu, -1, 0, &kernel);

    CHECK(!memcmp(&copy[0], &copy[1], sizeof(copy[0])));
    if ((ours < 0 ? ours : 0) != want)
        test_fail(__FILE__, __LINE__,
                  "size %u config %llu period %llu read_format 0x%llx bits 0x%llx cpu %d: %ld, "
                  "Linux %d",
                  attr->size, (unsigned long long)attr->config,
                  (unsigned long long)attr->sample_period, (unsigned long long)attr->read_format,
                  (unsigned long long)attr->bits, cpu, ours, fd);
    if (fd >= 0)
        close(fd);
    if (ours >= 0)
        ebpf_fd_close((int)ours);
}

/* The software events that there are without hooks. */
static const uint64_t configs[] = {PERF_COUNT_SW_CPU_CLOCK, PERF_COUNT_SW_TASK_CLOCK,
                                   PERF_COUNT_SW_DUMMY, PERF_COUNT_SW_BPF_OUTPUT};

TEST(linux_agrees_on_opening_perf_events)
{
    static const uint32_t sizes[] = {0, 1, 63, 64, 72, 136, 4097, UINT32_MAX};
    static const int cpus[] = {-2, -1, 0, 4096, INT32_MIN, INT32_MAX};
    struct perf_event_attr attr;

    if (!usable())
        return;
    for (unsigned c = 0; c < COUNT(configs); c++) {
        attr = (struct perf_event_attr){
            .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = configs[c]};
        for (unsigned i = 0; i < COUNT(cpus); i++)
            compare_open(&attr, cpus[i]);
        for (attr.read_format = 0; attr.read_format < 70; attr.read_format++)
            compare_open(&attr, 0);
        attr.read_format = 0;
        for (unsigned i = 0; i < COUNT(sizes); i++)
            attr.size = sizes[i], compare_open(&attr, 0);
        attr.size = sizeof(attr);
        for (unsigned bit = 4; bit < 8; bit++)
            attr.bits = 1u << bit, compare_open(&attr, 0);
        attr.bits = 0;
        attr.sample_period = 1ull << 63;
        compare_open(&attr, 0);
        attr.sample_period = 1;
        if (configs[c] >= PERF_COUNT_SW_DUMMY) /* ours take no samples of clocks */
            compare_open(&attr, 0);
    }
    attr.sample_period = 0;
    for (attr.config = 12; attr.config < 70; attr.config++) /* 11: since 5.13 */
        compare_open(&attr, 0);
    sides_go_anywhere();
}

static void compare_read(const struct perf_event_attr *attr)
{
    uint64_t ours[8] = {0}, theirs[8] = {0};
    struct rings r = {.attr = *attr};

    REQUIRE(open_events(&r, (int)ebpf_os_cpu_id()));
    for (size_t size = 0; size <= sizeof(ours); size += 4) {
        long want = read(r.fd[1], theirs, size);

        CHECK_EQ(ebpf_perf_event_read(r.event, (uintptr_t)ours, size, &kernel),
                 want < 0 ? -errno : want);
    }
    for (unsigned i = 0; i < 8; i++) { /* the id is our own */
        if (theirs[i] != ours[i])
            CHECK(attr->read_format & PERF_FORMAT_ID && theirs[i] == r.id[1] && ours[i] == r.id[0]);
    }
    close(r.fd[1]);
    ebpf_fd_close(r.fd[0]);
    ebpf_obj_put(r.event);
}

/* Events that never were enabled: all numbers are known. */
TEST(linux_agrees_on_reading_perf_events)
{

    if (!usable())
        return;
    for (unsigned c = 0; c < COUNT(configs); c++) {
        for (uint64_t format = 0; format < 32; format++) {
            const struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                                 .size = sizeof(attr),
                                                 .config = configs[c],
                                                 .read_format = format,
                                                 .bits = PERF_ATTR_DISABLED};

            compare_read(&attr);
        }
    }
    sides_go_anywhere();
}

/* The counters of clocks, in nanoseconds of the machine on their side and of the mock on ours. */
TEST(linux_agrees_that_clocks_count_the_time_they_are_enabled)
{

    if (!usable())
        return;
    for (unsigned c = 0; c < 2; c++) {
        struct rings r = {.attr = {.type = PERF_TYPE_SOFTWARE,
                                   .size = sizeof(r.attr),
                                   .config = configs[c],
                                   .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED}};
        uint64_t theirs[2][2], ours[2];

        REQUIRE(open_events(&r, (int)ebpf_os_cpu_id()));
        usleep(2000);
        mock_time_ns += 2000000;
        both_ioctl(&r, PERF_EVENT_IOC_DISABLE, 0);
        CHECK_EQ(read(r.fd[1], theirs[0], 16), 16);
        CHECK_EQ(ebpf_perf_event_read(r.event, (uintptr_t)ours, 16, &kernel), 16);
        CHECK(theirs[0][0] >= 2000000 && theirs[0][1] >= 2000000);
        CHECK(ours[0] == 2000000 && ours[1] == 2000000);
        both_ioctl(&r, PERF_EVENT_IOC_RESET, 0);
        CHECK_EQ(read(r.fd[1], theirs[1], 16), 16);
        CHECK_EQ(ebpf_perf_event_read(r.event, (uintptr_t)ours, 16, &kernel), 16);
        CHECK(theirs[1][0] == 0 && theirs[1][1] == theirs[0][1]);
        CHECK(ours[0] == 0 && ours[1] == 2000000);
        close(r.fd[1]);
        ebpf_fd_close(r.fd[0]);
        ebpf_obj_put(r.event);
    }
    sides_go_anywhere();
}
