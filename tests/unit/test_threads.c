/* SPDX-License-Identifier: MIT */
/* What the tests of single map types leave: objects that come and go, batches, freezing, bloom
 * filters and program arrays, used by four harts at once. `make tsan` looks for data races in
 * it. */
#include <pthread.h>
#include <unistd.h>

#include "maps/map.h"
#include "src/base/epoch.h"
#include "tests/unit/tail_util.h"

#define HARTS 4u

struct shared {
    struct ebpf_map *map;
    struct ebpf_prog *progs[3];
    unsigned steps, working; /* harts that still change something */
    uint64_t in, out;        /* sums of what went in and came out */
    int fd, frozen;
    uint64_t wrong;
};

struct hart {
    pthread_t thread;
    struct shared *shared;
    unsigned cpu;
    uint64_t random;
};

static uint32_t draw(struct hart *h, uint32_t below)
{
    h->random ^= h->random << 13;
    h->random ^= h->random >> 7;
    h->random ^= h->random << 17;
    return (uint32_t)(h->random >> 32) % below;
}

static void check(struct shared *s, bool ok)
{
    if (!ok)
        __atomic_fetch_add(&s->wrong, 1, __ATOMIC_RELAXED);
}

static void run_harts(struct shared *s, void *(*fn)(void *))
{
    struct hart harts[HARTS];

    for (unsigned cpu = 0; cpu < HARTS; cpu++) {
        harts[cpu] =
            (struct hart){.shared = s, .cpu = cpu, .random = 0x9e3779b97f4a7c15u * (cpu + 1)};
        REQUIRE(!pthread_create(&harts[cpu].thread, NULL, fn, &harts[cpu]));
    }
    for (unsigned cpu = 0; cpu < HARTS; cpu++)
        pthread_join(harts[cpu].thread, NULL);
    CHECK_EQ(s->wrong, 0);
}

/* bpf(2) of a thread in the kernel: the mock's user memory is one thread's. */
static long command(int cmd, union bpf_attr *attr)
{
    const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL, .kernel = true};

    return ebpf_bpf(cmd, (uintptr_t)attr, sizeof(*attr), &caller);
}

static long create(uint32_t type, uint32_t key, uint32_t value, uint32_t entries)
{
    union bpf_attr attr = {
        .map_type = type, .key_size = key, .value_size = value, .max_entries = entries};

    return command(BPF_MAP_CREATE, &attr);
}

static struct ebpf_map *create_map(uint32_t type, uint32_t key, uint32_t value, uint32_t entries)
{
    const struct ebpf_map_spec spec = {
        .type = type, .key_size = key, .value_size = value, .max_entries = entries};
    struct ebpf_map *map = NULL;

    CHECK_EQ(ebpf_map_create(&spec, &map), 0);
    return map;
}

/* ---- objects ------------------------------------------------------------------------------- */

/* Half of the harts make maps and let them go, the others find them by id and use them. */
static void *come_and_go(void *arg)
{
    struct hart *h = arg;
    struct shared *s = h->shared;

    mock_set_cpu(h->cpu);
    for (unsigned i = 0; i < s->steps; i++) {
        uint64_t key = 0, value = 7;
        long fd = create(i % 2 ? BPF_MAP_TYPE_HASH : BPF_MAP_TYPE_ARRAY, 4, 8, 2);
        union bpf_attr attr = {.map_fd = (uint32_t)fd};

        check(s, fd >= 0);
        attr.key = (uintptr_t)&key;
        attr.value = (uintptr_t)&value;
        check(s, command(BPF_MAP_UPDATE_ELEM, &attr) == 0);
        check(s, ebpf_fd_close((int)fd) == 0);
    }
    __atomic_fetch_sub(&s->working, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void use_by_id(struct shared *s, uint32_t id)
{
    union bpf_attr by_id = {.map_id = id}, attr;
    uint64_t key = 0, value = 7;
    long fd = command(BPF_MAP_GET_FD_BY_ID, &by_id), err;

    check(s, fd >= 0 || fd == -ENOENT);
    if (fd < 0)
        return;
    attr = (union bpf_attr){.map_fd = (uint32_t)fd};
    attr.key = (uintptr_t)&key;
    attr.value = (uintptr_t)&value;
    err = command(BPF_MAP_LOOKUP_ELEM, &attr);
    check(s, err == -ENOENT || (!err && (value == 7 || value == 0)));
    check(s, ebpf_fd_close((int)fd) == 0);
}

static void *make_or_find(void *arg)
{
    struct hart *h = arg;
    struct shared *s = h->shared;
    uint32_t id = 0;

    if (h->cpu % 2)
        return come_and_go(arg);
    mock_set_cpu(h->cpu);
    while (__atomic_load_n(&s->working, __ATOMIC_ACQUIRE)) {
        union bpf_attr attr = {.start_id = id};
        long err = command(BPF_MAP_GET_NEXT_ID, &attr);

        check(s, !err || err == -ENOENT);
        id = err ? 0 : attr.next_id;
        if (!err)
            use_by_id(s, id);
    }
    return NULL;
}

TEST(threads_objects_found_by_id_are_whole_or_gone)
{
    struct shared s = {.steps = 3000, .working = 2};

    run_harts(&s, make_or_find);
    CHECK_EQ(ebpf_obj_count(), 0);
}

/* ---- batches ------------------------------------------------------------------------------- */

#define BATCH 64u

/* Takes buckets until the map has no more: what comes out adds up. */
static void take_all(struct shared *s)
{
    uint64_t keys[BATCH], values[BATCH];
    uint32_t at = 0;
    bool first = true;
    long err;

    do {
        union bpf_attr attr = {.batch = {.in_batch = first ? 0 : (uintptr_t)&at,
                                         .out_batch = (uintptr_t)&at,
                                         .keys = (uintptr_t)keys,
                                         .values = (uintptr_t)values,
                                         .count = BATCH,
                                         .map_fd = (uint32_t)s->fd}};

        err = command(BPF_MAP_LOOKUP_AND_DELETE_BATCH, &attr);
        check(s, !err || err == -ENOENT);
        for (uint32_t i = 0; i < attr.batch.count && (!err || err == -ENOENT); i++) {
            check(s, values[i] == ~keys[i]);
            __atomic_fetch_add(&s->out, keys[i], __ATOMIC_RELAXED);
        }
        first = false;
    } while (!err);
}

static int insert_as_program(struct hart *h, uint64_t key)
{
    struct ebpf_map *map = h->shared->map;
    unsigned long irq = ebpf_os_irq_save();
    uint64_t value = ~key;
    int err;

    ebpf_epoch_enter(h->cpu);
    err = map->ops->update(map, &key, &value, BPF_NOEXIST);
    ebpf_epoch_exit(h->cpu);
    ebpf_os_irq_restore(irq);
    return err;
}

static void *insert_or_take(void *arg)
{
    struct hart *h = arg;
    struct shared *s = h->shared;

    mock_set_cpu(h->cpu);
    if (h->cpu == 0) {
        while (__atomic_load_n(&s->working, __ATOMIC_ACQUIRE))
            take_all(s);
        return NULL;
    }
    for (uint64_t i = 0; i < s->steps; i++) {
        uint64_t key = i * HARTS + h->cpu;
        int err = insert_as_program(h, key);

        check(s, !err || err == -E2BIG);
        if (!err)
            __atomic_fetch_add(&s->in, key, __ATOMIC_RELAXED);
    }
    __atomic_fetch_sub(&s->working, 1, __ATOMIC_RELEASE);
    return NULL;
}

TEST(threads_every_key_that_went_in_comes_out_of_one_batch)
{
    static const uint32_t types[] = {BPF_MAP_TYPE_HASH};

    for (unsigned t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
        struct shared s = {.steps = 40000, .working = HARTS - 1};

        s.fd = (int)create(types[t], 8, 8, 256);
        REQUIRE(!ebpf_map_from_fd(s.fd, &s.map));
        run_harts(&s, insert_or_take);
        take_all(&s);
        CHECK_EQ(s.in, s.out);
        CHECK(s.in > 0);
        put_map(s.map);
        ebpf_fd_close(s.fd);
    }
}

/* ---- freezing ------------------------------------------------------------------------------ */

/* One hart freezes; from then on no update succeeds, and the value stays. */
static void *change_or_freeze(void *arg)
{
    struct hart *h = arg;
    struct shared *s = h->shared;

    mock_set_cpu(h->cpu);
    for (uint64_t i = 0; i < s->steps; i++) {
        int frozen = __atomic_load_n(&s->frozen, __ATOMIC_ACQUIRE);
        uint32_t key = 0;
        union bpf_attr attr = {.map_fd = (uint32_t)s->fd};
        long err;

        if (h->cpu == 0) {
            err = command(BPF_MAP_FREEZE, &attr);
            check(s, frozen ? err == -EPERM : !err || err == -EBUSY);
            if (!err)
                __atomic_store_n(&s->frozen, 1, __ATOMIC_RELEASE);
            continue;
        }
        attr.key = (uintptr_t)&key;
        attr.value = (uintptr_t)&i;
        err = command(BPF_MAP_UPDATE_ELEM, &attr);
        check(s, err == -EPERM || (!err && !frozen));
    }
    return NULL;
}

TEST(threads_frozen_map_takes_no_update_that_began_later)
{
    for (unsigned round = 0; round < 20; round++) {
        struct shared s = {.steps = 300};
        union bpf_attr attr;

        s.fd = (int)create(BPF_MAP_TYPE_ARRAY, 4, 8, 1);
        run_harts(&s, change_or_freeze);
        attr = (union bpf_attr){.map_fd = (uint32_t)s.fd};
        CHECK_EQ(command(BPF_MAP_FREEZE, &attr), s.frozen ? -EPERM : 0);
        ebpf_fd_close(s.fd);
    }
}

/* ---- bloom filters ------------------------------------------------------------------------- */

static void *push_and_look(void *arg)
{
    struct hart *h = arg;
    struct shared *s = h->shared;

    mock_set_cpu(h->cpu);
    for (uint64_t i = 0; i < s->steps; i++) {
        uint64_t value = i << 2 | h->cpu;
        uint64_t other = draw(h, UINT32_MAX);

        check(s, ebpf_map_update(s->map, NULL, &value, BPF_ANY) == 0);
        check(s, ebpf_map_lookup(s->map, NULL, &value) == 0);
        ebpf_map_lookup(s->map, NULL, &other); /* yes or no */
    }
    return NULL;
}

TEST(threads_bloom_filter_forgets_nothing)
{
    struct shared s = {.steps = 20000};

    s.map = create_map(BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 80000);
    run_harts(&s, push_and_look);
    for (uint64_t value = 0; value < s.steps << 2; value++)
        CHECK_EQ(ebpf_map_lookup(s.map, NULL, &value), 0);
    put_map(s.map);
}

/* ---- program arrays ------------------------------------------------------------------------ */

/* Two harts run, one changes the array, one asks for ids. */
static void *run_or_change(void *arg)
{
    struct hart *h = arg;
    struct shared *s = h->shared;
    uint64_t ctx = 0;

    mock_set_cpu(h->cpu);
    for (unsigned i = 0; i < s->steps; i++) {
        uint32_t key = 0, id;
        int err;

        if (h->cpu < 2) {
            check(s, run(s->progs[0], &ctx) < 3);
        } else if (h->cpu == 2) {
            err = ebpf_map_set_prog(s->map, 0, draw(h, 4) ? s->progs[1 + i % 2] : NULL);
            check(s, !err || err == -ENOENT);
        } else {
            err = ebpf_map_lookup(s->map, &key, &id);
            check(s, err == -ENOENT || (!err && (id == ebpf_prog_obj(s->progs[1])->id ||
                                                 id == ebpf_prog_obj(s->progs[2])->id)));
        }
    }
    return NULL;
}

TEST(threads_tail_calls_enter_what_is_or_was_in_the_array)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct shared s = {.steps = 20000};

        s.map = prog_array(1);
        s.progs[0] = load_on(jit, s.map, PROG(TAIL_CALL(0), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()));
        s.progs[1] = load_on(jit, NULL, PROG(BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN()));
        s.progs[2] = load_on(jit, NULL, PROG(BPF_MOV64_IMM(R0, 2), BPF_EXIT_INSN()));
        run_harts(&s, run_or_change);
        for (unsigned i = 0; i < 3; i++)
            put_prog(s.progs[i]);
        put_map(s.map);
    }
}

/* ---- maps in maps -------------------------------------------------------------------------- */

struct swap {
    struct ebpf_map *outer, *inner;
    bool done;
};

static void *swap_inner(void *arg)
{
    struct swap *s = arg;
    uint32_t key = 0;

    mock_set_cpu(1);
    CHECK_EQ(ebpf_map_set_map(s->outer, &key, s->inner, BPF_ANY), 0);
    __atomic_store_n(&s->done, true, __ATOMIC_RELEASE);
    return NULL;
}

/* As on Linux: when user mode has put another map in, no program uses the old one any more. */
TEST(threads_map_in_map_change_waits_for_programs_that_run)
{
    struct ebpf_map *first = create_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1);
    struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_ARRAY_OF_MAPS,
                                 .key_size = 4,
                                 .value_size = 4,
                                 .max_entries = 1,
                                 .inner = first};
    struct swap s = {.inner = create_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1)};
    uint32_t key = 0;
    pthread_t thread;
    unsigned long irq;

    REQUIRE(!ebpf_map_create(&spec, &s.outer));
    CHECK_EQ(ebpf_map_set_map(s.outer, &key, first, BPF_ANY), 0);
    irq = ebpf_os_irq_save();
    ebpf_epoch_enter(0); /* a program */
    CHECK(s.outer->ops->lookup(s.outer, &key) == first);
    REQUIRE(!pthread_create(&thread, NULL, swap_inner, &s));
    while (s.outer->ops->lookup(s.outer, &key) != s.inner)
        ;
    usleep(20000);
    CHECK(!__atomic_load_n(&s.done, __ATOMIC_ACQUIRE));
    ebpf_epoch_exit(0);
    ebpf_os_irq_restore(irq);
    pthread_join(thread, NULL);
    CHECK(s.done);
    put_map(s.outer);
    put_map(s.inner);
    put_map(first);
}
