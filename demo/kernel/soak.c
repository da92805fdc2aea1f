/* SPDX-License-Identifier: MIT */
/*
 * The soak: `test=soak seconds=60`. Threads call soak_hit(), on which a program for each map type
 * runs; other threads do to the same maps what bpf(2) can do; programs on schedule() interrupt
 * both. Then all stop, and everything must add up: runs and calls, what went into each map, what
 * came out and what is left; and no memory and no object may be left behind.
 */
#include "soak.h"

#define WORKERS 4

extern const char soak_bpf_start[], soak_bpf_end[];

struct soak soak;

struct hitter {
    struct thread *thread;
    uint64_t made;
} __attribute__((aligned(64)));

static struct hitter hitters[SOAK_HITTERS];
static struct soak_worker workers[WORKERS + 1]; /* the last one prepares and settles */

/* ---- for the rows ---------------------------------------------------------------------------- */

uint32_t soak_draw(struct soak_worker *w, uint32_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)(w->random >> 32) % below;
}

long soak_bpf(struct soak_worker *w, int cmd)
{
    static const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL, .kernel = true};

    w->commands++;
    return ebpf_bpf(cmd, (uint64_t)&w->attr, sizeof(w->attr), &caller);
}

long soak_element(struct soak_worker *w, int cmd, int row, const void *key, void *value,
                  uint64_t flags)
{
    memset(&w->attr, 0, sizeof(w->attr));
    w->attr.map_fd = (uint32_t)soak.fd[row];
    w->attr.key = (uint64_t)key;
    w->attr.value = (uint64_t)value;
    w->attr.flags = flags;
    return soak_bpf(w, cmd);
}

bool soak_note(int row, long err, long may)
{
    if (!err)
        return true;
    if (err == may)
        return false;
    if (err == -EBUSY) {
        soak_count(row, SOAK_BUSY, 1);
    } else if (err == -E2BIG || err == -ENOSPC || err == -ENOMEM) {
        soak_count(row, SOAK_FULL, 1);
    } else {
        if (!soak_total(row, SOAK_WRONG))
            printk("soak: row %d: error %ld\n", row, err);
        soak_count(row, SOAK_WRONG, 1);
    }
    return false;
}

/* The programs' counters: read before they are gone. */
static uint64_t prog_counts[SOAK_ROWS][SOAK_COUNTS];

uint64_t soak_total(int row, enum soak_count what)
{
    return __atomic_load_n(&soak.counts[row][what], __ATOMIC_RELAXED) + prog_counts[row][what];
}

/* ---- threads --------------------------------------------------------------------------------- */

noinline uint64_t soak_hit(uint64_t x)
{
    __asm__ volatile(""); /* or calls whose result nobody wants would be left out */
    return x * 3 + 1;
}

static void run_hitter(void *arg)
{
    struct hitter *h = arg;

    while (!__atomic_load_n(&soak.hitters_stop, __ATOMIC_RELAXED)) {
        if (soak_hit(h->made) != h->made * 3 + 1)
            panic("soak_hit() returned nonsense");
        h->made++;
    }
}

static void run_worker(void *arg)
{
    struct soak_worker *w = arg;

    current->proc = &w->proc;
    while (!__atomic_load_n(&soak.stop, __ATOMIC_RELAXED)) {
        int row = (int)soak_draw(w, SOAK_ROWS);
        if (soak_rows[row].turn && (!soak_rows[row].rare || soak_draw(w, 32) == 0))
            soak_rows[row].turn(w, row);
    }
    fds_close(&w->proc.fds, ~0ul);
    current->proc = NULL;
}

static int start_threads(struct soak_worker *settler)
{
    for (int i = 0; i < SOAK_HITTERS; i++) {
        CHECK(hitters[i].thread = thread_create("hitter", run_hitter, &hitters[i]));
        soak.hitter_tid[i] = hitters[i].thread->tid;
    }
    for (int i = 0; i < WORKERS; i++) {
        struct soak_worker *w = &workers[i];
        memset(w, 0, sizeof(*w));
        w->random = 0x9e3779b97f4a7c15u * (uint64_t)(i + 1) + time_ns();
        fds_copy(&w->proc.fds, &settler->proc.fds);
        CHECK(w->thread = thread_create("soak", run_worker, w));
    }
    return 0;
}

/* How often soak_hit() was called. The workers end first, and then there is one call more, so that
 * the programs can take what they have brought. */
static uint64_t stop_threads(void)
{
    uint64_t made = 1;

    __atomic_store_n(&soak.stop, true, __ATOMIC_RELAXED);
    for (int i = 0; i < WORKERS; i++) {
        thread_join(workers[i].thread);
        soak.commands += workers[i].commands;
        made += workers[i].made;
    }
    __atomic_store_n(&soak.hitters_stop, true, __ATOMIC_RELAXED);
    for (int i = 0; i < SOAK_HITTERS; i++) {
        thread_wait(hitters[i].thread);
        made += hitters[i].made;
    }
    soak_hit(0);
    return made;
}

/* ---- programs and maps ----------------------------------------------------------------------- */

static int open_fd(struct ebpf_obj *obj)
{
    int fd;

    ebpf_obj_get(obj);
    fd = ebpf_os_fd_install(obj);
    if (fd < 0)
        ebpf_obj_put(obj);
    return fd;
}

struct ebpf_object_prog *soak_find_prog(const char *name)
{
    return ebpf_object_find_prog(soak.obj, name);
}

static struct ebpf_obj *map_obj(const char *name)
{
    struct ebpf_object_map *map = ebpf_object_find_map(soak.obj, name);

    return map ? ebpf_map_obj(ebpf_object_map_map(map)) : NULL;
}

static int load(void)
{
    static const char *const tails[SOAK_TAILS] = {"soak_tail_one", "soak_tail_two"};

    CHECK(ebpf_object_open_mem(soak_bpf_start, (size_t)(soak_bpf_end - soak_bpf_start),
                               &soak.obj) == 0);
    CHECK(ebpf_object_load(soak.obj, EBPF_CAP_ALL) == 0);
    for (int row = 0; row < SOAK_ROWS; row++) {
        if (!soak_rows[row].name)
            continue;
        CHECK(map_obj(soak_rows[row].name));
        CHECK((soak.fd[row] = open_fd(map_obj(soak_rows[row].name))) >= 0);
    }
    for (int row = 0; row < SOAK_ROWS; row++) {
        if (!soak_rows[row].run)
            continue;
        soak.run_fd[row] =
            open_fd(ebpf_prog_obj(ebpf_object_prog_prog(soak_find_prog(soak_rows[row].run))));
        CHECK(soak.run_fd[row] >= 0);
    }
    CHECK((soak.inner_fd = open_fd(map_obj("inner"))) >= 0);
    for (int i = 0; i < SOAK_TAILS; i++) {
        soak.tail_fd[i] = open_fd(ebpf_prog_obj(ebpf_object_prog_prog(soak_find_prog(tails[i]))));
        CHECK(soak.tail_fd[i] >= 0);
    }
    return 0;
}

static bool is_on_probe(const struct ebpf_object_prog *prog)
{
    return ebpf_object_prog_type(prog) == BPF_PROG_TYPE_KPROBE &&
           strncmp(ebpf_object_prog_name(prog), "soak_tail", 9);
}

static int attach(bool on)
{
    struct ebpf_object_prog *prog = NULL;

    while ((prog = ebpf_object_next_prog(soak.obj, prog)) != NULL) {
        if (!is_on_probe(prog))
            continue;
        CHECK((on ? ebpf_object_prog_attach(prog) : ebpf_object_prog_detach(prog)) == 0);
        CHECK(ebpf_prog_is_jited(ebpf_object_prog_prog(prog)));
    }
    return 0;
}

static int read_prog_counts(void)
{
    uint32_t key = 0;

    return ebpf_map_lookup(ebpf_object_map_map(ebpf_object_find_map(soak.obj, ".bss")), &key,
                           prog_counts);
}

/* ---- what must hold -------------------------------------------------------------------------- */

static void show(int row)
{
    printk("    %s: %lu hits, %lu in, %lu out, %lu full, %lu busy, %lu torn, %lu wrong\n",
           soak_rows[row].name   ? soak_rows[row].name
           : row == SOAK_objects ? "objects"
                                 : "schedule",
           soak_total(row, SOAK_HITS), soak_total(row, SOAK_ADDED), soak_total(row, SOAK_REMOVED),
           soak_total(row, SOAK_FULL), soak_total(row, SOAK_BUSY), soak_total(row, SOAK_TORN),
           soak_total(row, SOAK_WRONG));
}

/* missed: hits that were counted instead of run, since boot. */
static int settle(struct soak_worker *w, uint64_t made, uint64_t missed)
{
    for (int row = 0; row < SOAK_ROWS; row++) {
        const struct soak_ops *ops = &soak_rows[row];
        uint64_t hits = soak_total(row, SOAK_HITS);
        show(row);
        if (ops->name)
            CHECK(hits > 0);
        if (ops->name && !ops->run)
            CHECK(hits <= made && hits + missed >= made);
        if (ops->settle)
            CHECK(ops->settle(w, row) == 0);
        CHECK(soak_total(row, SOAK_TORN) == 0);
        CHECK(soak_total(row, SOAK_WRONG) == 0);
    }
    return 0;
}

static int check_nothing_is_left(struct soak_worker *w)
{
    static const int next[] = {BPF_MAP_GET_NEXT_ID, BPF_PROG_GET_NEXT_ID, BPF_LINK_GET_NEXT_ID};

    for (unsigned i = 0; i < ARRAY_SIZE(next); i++) {
        memset(&w->attr, 0, sizeof(w->attr));
        CHECK(soak_bpf(w, next[i]) == -ENOENT);
    }
    return 0;
}

static int run(uint64_t seconds)
{
    struct soak_worker *w = &workers[WORKERS];
    struct ebpf_kprobe_stats before, after;
    uint64_t made;

    memset(&soak, 0, sizeof(soak));
    memset(prog_counts, 0, sizeof(prog_counts));
    memset(hitters, 0, sizeof(hitters));
    memset(w, 0, sizeof(*w));
    w->random = 1;
    current->proc = &w->proc;
    CHECK(load() == 0);
    for (int row = 0; row < SOAK_ROWS; row++)
        CHECK(!soak_rows[row].prepare || soak_rows[row].prepare(w, row) == 0);
    ebpf_kprobe_stats(&before);
    CHECK(attach(true) == 0);
    CHECK(start_threads(w) == 0);
    sleep_until(time_ns() + seconds * NSEC_PER_SEC);
    made = stop_threads();
    sleep_until(time_ns() + NSEC_PER_SEC / 10); /* timers of a millisecond fire */
    ebpf_kprobe_stats(&after);
    CHECK(attach(false) == 0);
    CHECK(read_prog_counts() == 0);
    CHECK(settle(w, made, after.missed - before.missed) == 0);
    for (int i = 0; i < SOAK_HITTERS; i++)
        thread_free(hitters[i].thread);
    fds_close(&w->proc.fds, ~0ul);
    ebpf_object_close(soak.obj);
    CHECK(check_nothing_is_left(w) == 0);
    current->proc = NULL;
    printk("soak: %lu seconds, %lu calls of a probed function, %lu traps, %lu missed, %lu bpf(2) "
           "commands: adds up\n",
           seconds, made, after.hits - before.hits, after.missed - before.missed, soak.commands);
    return 0;
}

/* The first round makes what stays: slots of probes, the pages of kmalloc()'s lists. */
int test_soak(void)
{
    uint64_t seconds = boot_number("seconds", 10);
    size_t pages, bytes;

    CHECK(run(1) == 0);
    pages = pages_available();
    bytes = kmalloc_used();
    CHECK(run(seconds) == 0);
    printk("soak: memory in use %lu bytes, was %lu; free pages %lu, were %lu\n", kmalloc_used(),
           bytes, pages_available(), pages);
    CHECK(kmalloc_used() == bytes);
    return 0;
}
