/* SPDX-License-Identifier: MIT */
/*
 * Ring buffers as their consumer sees them in mapped pages: the same program with the same data on
 * our library and on the machine's own Linux, under PROG_TEST_RUN, with consumers that do the same.
 * Positions, headers, data, results, what a query and poll(2) say must agree, where no record runs
 * over the end of the data; where some do (ours begin at the start then), what a consumer gets.
 */
#include <sys/mman.h>

#include "tests/unit/host/sides.h"
#include "tests/unit/insn.h"

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R4 BPF_REG_4
#define R7 BPF_REG_7
#define R8 BPF_REG_8

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define PAGE 4096u
#define RESERVED 56

enum { OUTPUT, SUBMIT, DISCARD };

static uint64_t seed;

#define QUERY(WHAT, RESULT)                                                   \
    BPF_LD_MAP_FD(R1, FD_OTHER), BPF_MOV64_IMM(R2, WHAT), BPF_EMIT_CALL(134), \
        BPF_STX_MEM(BPF_DW, R7, R0, RET(RESULT))

/* arg 0: what to do; arg 1: bytes of the memory's data; arg 2: flags. The reserved record has its
 * last word only, the rest is what was there. */
static const struct bpf_insn insns[] = {
    BPF_LD_MAP_VALUE(R7, FD_MEMORY, 0),
    BPF_LDX_MEM(BPF_DW, R8, R7, ARG(0)),
    BPF_LD_MAP_FD(R1, FD_OTHER),
    BPF_JMP_IMM(BPF_JNE, R8, OUTPUT, 7),
    BPF_MOV64_REG(R2, R7),
    BPF_LDX_MEM(BPF_DW, R3, R7, ARG(1)),
    BPF_ALU64_IMM(BPF_AND, R3, 255),
    BPF_LDX_MEM(BPF_DW, R4, R7, ARG(2)),
    BPF_EMIT_CALL(130),
    BPF_STX_MEM(BPF_DW, R7, R0, RET(0)),
    BPF_JMP_A(14),
    BPF_MOV64_IMM(R2, RESERVED),
    BPF_MOV64_IMM(R3, 0),
    BPF_EMIT_CALL(131),
    BPF_JMP_IMM(BPF_JEQ, R0, 0, 10),
    BPF_LDX_MEM(BPF_DW, R1, R7, 0),
    BPF_STX_MEM(BPF_DW, R0, R1, RESERVED - 8),
    BPF_MOV64_REG(R1, R0),
    BPF_LDX_MEM(BPF_DW, R2, R7, ARG(2)),
    BPF_ST_MEM(BPF_DW, R7, RET(0), 7),
    BPF_JMP_IMM(BPF_JNE, R8, SUBMIT, 2),
    BPF_EMIT_CALL(132),
    BPF_JMP_A(1),
    BPF_EMIT_CALL(133),
    BPF_JMP_A(0),
    QUERY(BPF_RB_AVAIL_DATA, 1),
    QUERY(BPF_RB_CONS_POS, 2),
    QUERY(BPF_RB_PROD_POS, 3),
    BPF_MOV64_IMM(R0, 2),
    BPF_EXIT_INSN(),
};

/* ---- both rings ----------------------------------------------------------------------------- */

struct rings {
    struct world w;
    struct ebpf_map *ours;
    struct ebpf_mmap consumer, rest; /* what may be written is a mapping of its own */
    uint64_t *linux_consumer;
    uint8_t *linux_rest;
    size_t size;
    uint64_t seen; /* everything before is compared */
    unsigned records, full;
};

static bool rings_init(struct rings *r, size_t size)
{
    int ring[2];
    void *consumer, *rest;

    *r = (struct rings){.size = size};
    for (unsigned side = 0; side < 2; side++)
        ring[side] = side_map(side, BPF_MAP_TYPE_RINGBUF, 0, (uint32_t)size, 0);
    world_init(&r->w, BPF_PROG_TYPE_XDP, "", ring, insns, COUNT(insns));
    consumer = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring[1], 0);
    rest = mmap(NULL, PAGE + 2 * size, PROT_READ, MAP_SHARED, ring[1], PAGE);
    r->linux_consumer = consumer;
    r->linux_rest = rest;
    return consumer != MAP_FAILED && rest != MAP_FAILED && !ebpf_map_from_fd(ring[0], &r->ours) &&
           !ebpf_obj_mmap(ebpf_map_obj(r->ours), 0, PAGE, true, &r->consumer) &&
           !ebpf_obj_mmap(ebpf_map_obj(r->ours), PAGE, PAGE + 2 * size, false, &r->rest);
}

static void rings_fini(struct rings *r)
{
    munmap(r->linux_consumer, PAGE);
    munmap(r->linux_rest, PAGE + 2 * r->size);
    ebpf_mmap_close(&r->consumer);
    ebpf_mmap_close(&r->rest);
    ebpf_obj_put(ebpf_map_obj(r->ours));
    world_fini(&r->w);
}

static uint64_t *consumer_pos(const struct rings *r, unsigned side)
{
    return side ? r->linux_consumer : ebpf_mmap_page(&r->consumer, 0);
}

static uint64_t producer_pos(const struct rings *r, unsigned side)
{
    const uint64_t *pos = side ? (uint64_t *)(void *)r->linux_rest : ebpf_mmap_page(&r->rest, 0);

    return __atomic_load_n(pos, __ATOMIC_ACQUIRE);
}

/* Of the first of the two mappings of the data, or where a record runs on, of the second. */
static void copy_data(const struct rings *r, unsigned side, uint64_t at, void *to, size_t size)
{
    at &= r->size - 1;
    for (size_t i = 0; i < size; i++, at++) {
        const uint8_t *page = side ? r->linux_rest + PAGE + at / PAGE * PAGE
                                   : ebpf_mmap_page(&r->rest, 1 + at / PAGE);

        ((uint8_t *)to)[i] = page[at % PAGE];
    }
}

/* Runs the program, which does what with len bytes (OUTPUT), on both. */
static bool run(struct rings *r, uint64_t what, uint32_t len, uint64_t flags, bool same_positions)
{
    struct memory *m = &r->w.memory[0];
    bool same;

    for (unsigned i = 0; i < sizeof(m->data); i++)
        m->data[i] = (char)test_random(&seed, 256);
    memset(m->ret, 0, sizeof(m->ret));
    m->arg[0] = what, m->arg[1] = len, m->arg[2] = flags;
    same = world_run(&r->w, 64);
    if (!same && !same_positions)
        same = r->w.memory[0].ret[0] == r->w.memory[1].ret[0];
    if (!same)
        test_fail(__FILE__, __LINE__,
                  "what %llu len %u flags 0x%llx: %lld available %lld from %lld to %lld, "
                  "Linux %lld %lld %lld %lld",
                  (unsigned long long)what, len, (unsigned long long)flags,
                  (long long)r->w.memory[0].ret[0], (long long)r->w.memory[0].ret[1],
                  (long long)r->w.memory[0].ret[2], (long long)r->w.memory[0].ret[3],
                  (long long)r->w.memory[1].ret[0], (long long)r->w.memory[1].ret[1],
                  (long long)r->w.memory[1].ret[2], (long long)r->w.memory[1].ret[3]);
    r->full += r->w.memory[1].ret[0] == -EAGAIN || (what != OUTPUT && !r->w.memory[1].ret[0]);
    return same;
}

/* ---- the layout ------------------------------------------------------------------------------ */

/* From where it was compared to the producer's position: header and data of each record. What a
 * reserved record was not filled with is not compared. */
static bool same_layout(struct rings *r)
{
    uint64_t end = producer_pos(r, 1);
    uint32_t ours = ebpf_obj_poll(ebpf_map_obj(r->ours)) & 0xf;

    if (producer_pos(r, 0) != end || ours != linux_poll(r->w.other[1])) {
        test_fail(__FILE__, __LINE__, "producer %llu poll 0x%x, Linux %llu 0x%x",
                  (unsigned long long)producer_pos(r, 0), ours, (unsigned long long)end,
                  linux_poll(r->w.other[1]));
        return false;
    }
    while (r->seen < end) {
        uint32_t len[2], from = 0, size;
        uint8_t data[2][256];

        for (unsigned side = 0; side < 2; side++)
            copy_data(r, side, r->seen, &len[side], sizeof(len[side]));
        size = len[1] & ~BPF_RINGBUF_DISCARD_BIT;
        if (len[0] != len[1] || size > sizeof(data[0])) {
            test_fail(__FILE__, __LINE__, "length 0x%x, Linux 0x%x", len[0], len[1]);
            return false;
        }
        if (r->w.memory[1].arg[0] != OUTPUT)
            from = RESERVED - 8;
        for (unsigned side = 0; side < 2; side++)
            copy_data(r, side, r->seen + 8 + from, data[side], size - from);
        CHECK(!memcmp(data[0], data[1], size - from));
        r->seen += (size + 8 + 7) / 8 * 8;
        r->records++;
    }
    return true;
}

static void move_consumer(struct rings *r, uint32_t record)
{
    uint64_t end = producer_pos(r, 1), pos = *consumer_pos(r, 1);

    switch (test_random(&seed, 8)) {
    case 0: /* lies; not for long */
        pos = (uint64_t)test_random(&seed, UINT32_MAX) << test_random(&seed, 33);
        break;
    case 1:
    case 2:
        pos = end;
        break;
    default:
        pos = end - end % record; /* a lie ends here */
        if (pos >= 2 * record)
            pos -= test_random(&seed, 2) * record;
    }
    for (unsigned side = 0; side < 2; side++)
        __atomic_store_n(consumer_pos(r, side), pos, __ATOMIC_RELEASE);
}

/* Records that take record bytes with their header, so that none runs over the end. */
static void compare_layout(size_t size, uint32_t record)
{
    static const uint64_t flags[] = {0, 0, 0,         0, BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP,
                                     3, 4, 1ull << 32};
    struct rings r;
    unsigned i;

    REQUIRE(rings_init(&r, size));
    for (i = 0; i < 3000; i++) {
        uint32_t what = record == 8 + RESERVED ? test_random(&seed, 3) : OUTPUT;
        uint32_t len = record - 8 - test_random(&seed, 8);

        if (!run(&r, what, len,
                 what == OUTPUT ? flags[test_random(&seed, COUNT(flags))] : test_random(&seed, 3),
                 true) ||
            !same_layout(&r))
            break;
        if (!test_random(&seed, (uint32_t)size / record / 2))
            move_consumer(&r, record);
    }
    if (i < 3000)
        test_fail(__FILE__, __LINE__, "%zu bytes, records of %u: step %u", size, record, i);
    CHECK(r.records > 300 && r.full > 20);
    rings_fini(&r);
}

TEST(linux_agrees_on_what_ring_buffers_look_like)
{
    seed = 1;
    if (!linux_usable())
        return;
    compare_layout(PAGE, 16);
    compare_layout(PAGE, 256);
    compare_layout(2 * PAGE, 64);
    compare_layout(4 * PAGE, 128);
}

/* ---- what a consumer gets -------------------------------------------------------------------- */

/* The next record that was not discarded: its length, or UINT32_MAX: none. As libbpf reads. */
static uint32_t consume(struct rings *r, unsigned side, uint8_t *data)
{
    uint64_t pos = *consumer_pos(r, side);
    uint32_t len = UINT32_MAX;

    while (pos < producer_pos(r, side)) {
        copy_data(r, side, pos, &len, sizeof(len));
        if (!(len & BPF_RINGBUF_DISCARD_BIT) && len <= 256)
            copy_data(r, side, pos + 8, data, len);
        pos += ((uint64_t)(len & ~BPF_RINGBUF_DISCARD_BIT) + 8 + 7) / 8 * 8;
        __atomic_store_n(consumer_pos(r, side), pos, __ATOMIC_RELEASE);
        if (!(len & BPF_RINGBUF_DISCARD_BIT))
            return len;
    }
    return UINT32_MAX;
}

TEST(linux_agrees_on_what_consumers_of_ring_buffers_get)
{
    struct rings r;
    unsigned got = 0;

    seed = 1;
    if (!linux_usable())
        return;
    REQUIRE(rings_init(&r, PAGE));
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t data[2][256] = {0};
        uint32_t len[2];

        /* 6 at most are not read yet: they fit, wherever they begin */
        for (uint32_t n = test_random(&seed, 7); n; n--)
            REQUIRE(run(&r, OUTPUT, test_random(&seed, 256), 0, false));
        do {
            for (unsigned side = 0; side < 2; side++)
                len[side] = consume(&r, side, data[side]);
            CHECK_EQ(len[0], len[1]);
            CHECK(!memcmp(data[0], data[1], sizeof(data[0])));
            got += len[1] != UINT32_MAX;
        } while (len[0] == len[1] && len[0] != UINT32_MAX);
    }
    CHECK(got > 5000 && !r.full);
    rings_fini(&r);
}
