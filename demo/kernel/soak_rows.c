/* SPDX-License-Identifier: MIT */
/*
 * The map types of the soak: what bpf(2) does to each while programs (demo/bpf/soak.bpf.c) do the
 * same, and what must add up when all have stopped. A new type is a row of enum soak_row, a map
 * with a program, and a row of the table at the end of this file. Those that move data through
 * rings are in soak_rings.c, stacks and tasks in soak_tasks.c.
 */
#include "soak.h"

/* A value for each hart, where the type has them. */
static unsigned copies(int row)
{
    return soak_rows[row].percpu ? cpu_count : 1;
}

/* ---- counters in elements that stay ---------------------------------------------------------- */

/* The last element is nobody else's: numbers whose halves belong together. */
static void turn_array(struct soak_worker *w, int row)
{
    uint32_t key = SOAK_KEYS, half = soak_draw(w, UINT32_MAX);
    uint64_t value = (uint64_t)half << 32 | (uint32_t)~half;

    soak_note(row, soak_element(w, BPF_MAP_UPDATE_ELEM, row, &key, &value, BPF_ANY), 0);
    soak_note(row, soak_element(w, BPF_MAP_LOOKUP_ELEM, row, &key, &value, 0), 0);
    if ((uint32_t)(value >> 32) != (uint32_t)~value)
        soak_count(row, SOAK_TORN, 1);
}

static void turn_look(struct soak_worker *w, int row)
{
    uint64_t key = soak_draw(w, SOAK_KEYS);

    soak_note(row, soak_element(w, BPF_MAP_LOOKUP_ELEM, row, &key, w->keys, 0), -ENOENT);
    soak_note(row, soak_element(w, BPF_MAP_GET_NEXT_KEY, row, &key, w->keys, 0), -ENOENT);
}

/* Every run counted once, on whatever hart and in whatever element. */
static int settle_counters(struct soak_worker *w, int row)
{
    uint64_t sum = 0;

    for (uint64_t key = 0; key < SOAK_KEYS; key++) {
        CHECK(soak_element(w, BPF_MAP_LOOKUP_ELEM, row, &key, w->keys, 0) == 0);
        for (unsigned i = 0; i < copies(row); i++)
            sum += w->keys[i];
    }
    CHECK(sum == soak_total(row, SOAK_HITS));
    return 0;
}

/* ---- elements that come and go --------------------------------------------------------------- */

/* What a lookup or a removal gave: all harts' values are the key's, or empty. */
static void check_values(struct soak_worker *w, int row, uint64_t key)
{
    static const struct soak_value empty;

    for (unsigned i = 0; i < copies(row); i++) {
        struct soak_value *v = &w->values[i];

        if (copies(row) > 1 && !memcmp(v, &empty, sizeof(*v)))
            continue; /* a program has put the element in, from another hart */
        if (v->key != key || !soak_whole(v))
            soak_count(row, SOAK_TORN, 1);
    }
}

static void put_in(struct soak_worker *w, int row, uint64_t key, uint64_t flags)
{
    for (unsigned i = 0; i < copies(row); i++)
        soak_fill(&w->values[i], key, soak_draw(w, UINT32_MAX));
    if (soak_note(row, soak_element(w, BPF_MAP_UPDATE_ELEM, row, &key, w->values, flags),
                  flags == BPF_NOEXIST ? -EEXIST : -ENOENT) &&
        flags == BPF_NOEXIST)
        soak_count(row, SOAK_ADDED, 1);
}

static void take_out(struct soak_worker *w, int row, uint64_t key, bool look)
{
    int cmd = look ? BPF_MAP_LOOKUP_AND_DELETE_ELEM : BPF_MAP_DELETE_ELEM;

    if (!soak_note(row, soak_element(w, cmd, row, &key, look ? w->values : NULL, 0), -ENOENT))
        return;
    soak_count(row, SOAK_REMOVED, 1);
    if (look)
        check_values(w, row, key);
}

/* All elements of some buckets, one bucket at a time. */
static void take_batch(struct soak_worker *w, int row)
{
    uint32_t at = 0;
    long err;

    memset(&w->attr, 0, sizeof(w->attr));
    w->attr.batch.out_batch = (uint64_t)&at;
    w->attr.batch.keys = (uint64_t)w->keys;
    w->attr.batch.values = (uint64_t)w->values;
    w->attr.batch.count = SOAK_KEYS;
    w->attr.batch.map_fd = (uint32_t)soak.fd[row];
    err = soak_bpf(w, BPF_MAP_LOOKUP_AND_DELETE_BATCH);
    if (!soak_note(row, err, -ENOENT) && err != -ENOENT)
        return;
    soak_count(row, SOAK_REMOVED, w->attr.batch.count);
    for (uint32_t i = 0; i < w->attr.batch.count && copies(row) == 1; i++)
        if (w->values[i].key != w->keys[i] || !soak_whole(&w->values[i]))
            soak_count(row, SOAK_TORN, 1);
}

/* Walking over keys that come and go ends, and makes none up. */
static void walk(struct soak_worker *w, int row)
{
    uint64_t key = 0, next;

    for (unsigned steps = 0; steps < 4; steps++, key = next) {
        if (!soak_note(row, soak_element(w, BPF_MAP_GET_NEXT_KEY, row, &key, &next, 0), -ENOENT))
            return;
        if (next >= SOAK_KEYS)
            soak_count(row, SOAK_TORN, 1);
    }
}

static void turn_churn(struct soak_worker *w, int row)
{
    uint64_t key = soak_draw(w, SOAK_KEYS);
    uint32_t what = soak_draw(w, 100);

    if (what < 30) {
        put_in(w, row, key, BPF_NOEXIST);
    } else if (what < 40) {
        put_in(w, row, key, soak_rows[row].replace ? BPF_EXIST : BPF_NOEXIST);
    } else if (what < 60) {
        take_out(w, row, key, what % 2);
    } else if (what < 90) {
        if (soak_note(row, soak_element(w, BPF_MAP_LOOKUP_ELEM, row, &key, w->values, 0), -ENOENT))
            check_values(w, row, key);
    } else if (what < 98) {
        walk(w, row);
    } else {
        take_batch(w, row);
    }
}

static uint64_t count_keys(struct soak_worker *w, int row, bool remove)
{
    uint64_t count = 0, key[2], next[2];

    while (soak_element(w, BPF_MAP_GET_NEXT_KEY, row, count && !remove ? key : NULL, next, 0) ==
               0 &&
           count < 1000) {
        if (remove && soak_element(w, BPF_MAP_DELETE_ELEM, row, next, NULL, 0))
            break;
        memcpy(key, next, sizeof(key));
        count++;
    }
    return count;
}

/* What went in and did not come out is there; LRU maps may have dropped some. Then the map can be
 * filled: no element is lost. */
static int settle_churn(struct soak_worker *w, int row)
{
    uint64_t left = soak_total(row, SOAK_ADDED) - soak_total(row, SOAK_REMOVED), count = 0;

    count = count_keys(w, row, false);
    CHECK(soak_rows[row].lru ? count <= left : count == left);
    CHECK(count <= SOAK_ENTRIES);
    CHECK(count_keys(w, row, true) == count);
    for (uint64_t key = 0; key <= SOAK_ENTRIES; key++) {
        long err = soak_element(w, BPF_MAP_UPDATE_ELEM, row, &key, w->values, BPF_NOEXIST);
        CHECK(err == (key < SOAK_ENTRIES || soak_rows[row].lru ? 0 : -E2BIG));
    }
    CHECK(count_keys(w, row, true) == SOAK_ENTRIES);
    return 0;
}

/* ---- prefixes -------------------------------------------------------------------------------- */

struct prefix {
    uint32_t len;
    uint32_t data;
};

static int prepare_lpm(struct soak_worker *w, int row)
{
    struct prefix all = {0, 0};
    uint64_t value = 0;

    CHECK(soak_element(w, BPF_MAP_UPDATE_ELEM, row, &all, &value, BPF_NOEXIST) == 0);
    soak_count(row, SOAK_ADDED, 1);
    return 0;
}

static void turn_lpm(struct soak_worker *w, int row)
{
    struct prefix key = {1 + soak_draw(w, 8), soak_draw(w, 256)};
    uint64_t value = key.len;
    uint32_t what = soak_draw(w, 10);

    if (what < 4) {
        if (soak_note(row, soak_element(w, BPF_MAP_UPDATE_ELEM, row, &key, &value, BPF_NOEXIST),
                      -EEXIST))
            soak_count(row, SOAK_ADDED, 1);
    } else if (what < 7) {
        if (soak_note(row, soak_element(w, BPF_MAP_DELETE_ELEM, row, &key, NULL, 0), -ENOENT))
            soak_count(row, SOAK_REMOVED, 1);
    } else if (soak_note(row, soak_element(w, BPF_MAP_LOOKUP_ELEM, row, &key, &value, 0), 0)) {
        if (value > key.len) /* not a prefix of the key */
            soak_count(row, SOAK_TORN, 1);
    }
}

static int settle_lpm(struct soak_worker *w, int row)
{
    uint64_t left = soak_total(row, SOAK_ADDED) - soak_total(row, SOAK_REMOVED);

    CHECK(count_keys(w, row, false) == left);
    CHECK(count_keys(w, row, true) == left);
    return 0;
}

/* ---- queues, stacks, bloom filters ----------------------------------------------------------- */

static bool pop(struct soak_worker *w, int row, long may)
{
    struct soak_value *v = w->values;

    if (!soak_note(row, soak_element(w, BPF_MAP_LOOKUP_AND_DELETE_ELEM, row, NULL, v, 0), may))
        return false;
    soak_count(row, SOAK_REMOVED, 1);
    soak_count(row, SOAK_OUT, v->key);
    if (!soak_whole(v))
        soak_count(row, SOAK_TORN, 1);
    return true;
}

static void turn_keyless(struct soak_worker *w, int row)
{
    struct soak_value *v = w->values;
    uint32_t what = soak_draw(w, 10);

    soak_fill(v, soak_draw(w, UINT32_MAX), soak_draw(w, UINT32_MAX));
    if (what < 4) {
        if (!soak_note(row, soak_element(w, BPF_MAP_UPDATE_ELEM, row, NULL, v, BPF_ANY), 0))
            return;
        soak_count(row, SOAK_ADDED, 1);
        soak_count(row, SOAK_IN, v->key);
    } else if (what < 8) {
        pop(w, row, -ENOENT);
    } else if (soak_note(row, soak_element(w, BPF_MAP_LOOKUP_ELEM, row, NULL, v, 0), -ENOENT) &&
               !soak_whole(v)) {
        soak_count(row, SOAK_TORN, 1);
    }
}

static int settle_keyless(struct soak_worker *w, int row)
{
    while (pop(w, row, -ENOENT))
        ;
    CHECK(soak_total(row, SOAK_ADDED) == soak_total(row, SOAK_REMOVED));
    CHECK(soak_total(row, SOAK_IN) == soak_total(row, SOAK_OUT));
    return 0;
}

static bool pushed[1024];

static void turn_bloom(struct soak_worker *w, int row)
{
    uint64_t value = soak_draw(w, 1024);

    if (soak_note(row, soak_element(w, BPF_MAP_UPDATE_ELEM, row, NULL, &value, BPF_ANY), 0))
        __atomic_store_n(&pushed[value], true, __ATOMIC_RELAXED);
    soak_note(row, soak_element(w, BPF_MAP_LOOKUP_ELEM, row, NULL, &value, 0), 0);
}

/* What was pushed is still there, and little else seems to be. */
static int settle_bloom(struct soak_worker *w, int row)
{
    unsigned others = 0;

    for (uint64_t value = 0; value < 2048; value++) {
        long err = soak_element(w, BPF_MAP_LOOKUP_ELEM, row, NULL, &value, 0);
        CHECK(err == 0 || (err == -ENOENT && (value >= 1024 || !pushed[value])));
        others += !err && value >= 1024;
    }
    CHECK(others < 100);
    memset(pushed, 0, sizeof(pushed));
    return 0;
}

/* ---- tail calls ------------------------------------------------------------------------------ */

static void turn_tails(struct soak_worker *w, int row)
{
    uint32_t index = soak_draw(w, 4), what = soak_draw(w, 4);
    uint32_t value = (uint32_t)soak.tail_fd[what % SOAK_TAILS];

    if (what < 2)
        soak_note(row, soak_element(w, BPF_MAP_UPDATE_ELEM, row, &index, &value, BPF_ANY), 0);
    else if (what < 3)
        soak_note(row, soak_element(w, BPF_MAP_DELETE_ELEM, row, &index, NULL, 0), -ENOENT);
    else
        soak_note(row, soak_element(w, BPF_MAP_LOOKUP_ELEM, row, &index, &value, 0), -ENOENT);
}

/* Each run ended in one program, in the other, or behind the call. */
static int settle_tails(struct soak_worker *w, int row)
{
    (void)w;
    CHECK(soak_total(row, SOAK_HITS) ==
          soak_total(row, SOAK_ADDED) + soak_total(row, SOAK_REMOVED) + soak_total(row, SOAK_FULL));
    return 0;
}

/* ---- maps in maps ---------------------------------------------------------------------------- */

static uint64_t read_inner(struct soak_worker *w, int fd)
{
    uint32_t zero = 0;

    memset(&w->attr, 0, sizeof(w->attr));
    w->attr.map_fd = (uint32_t)fd;
    w->attr.key = (uint64_t)&zero;
    w->attr.value = (uint64_t)w->keys;
    return soak_bpf(w, BPF_MAP_LOOKUP_ELEM) ? 0 : w->keys[0];
}

static long make_inner(struct soak_worker *w)
{
    memset(&w->attr, 0, sizeof(w->attr));
    w->attr.map_type = BPF_MAP_TYPE_ARRAY;
    w->attr.key_size = 4;
    w->attr.value_size = 8;
    w->attr.max_entries = 1;
    return soak_bpf(w, BPF_MAP_CREATE);
}

/* Puts a new map in for a while. It is out again when an update of its slot has returned, whoever
 * took it out, and no program uses it any more, as on Linux: its count is final. */
static void turn_inner(struct soak_worker *w, int row)
{
    uint32_t slot = soak_draw(w, SOAK_SLOTS);
    long fd = make_inner(w);

    if (!soak_note(row, fd < 0 ? fd : 0, 0))
        return;
    if (soak_note(row, soak_element(w, BPF_MAP_UPDATE_ELEM, row, &slot, &fd, BPF_ANY), 0))
        soak_count(row, SOAK_ADDED, 1);
    if (soak_draw(w, 2))
        schedule();
    if (soak_draw(w, 2))
        soak_note(row, soak_element(w, BPF_MAP_DELETE_ELEM, row, &slot, NULL, 0), -ENOENT);
    if (soak_note(row, soak_element(w, BPF_MAP_UPDATE_ELEM, row, &slot, &soak.inner_fd, BPF_ANY),
                  0))
        soak_count(row, SOAK_REMOVED, 1);
    soak_count(row, SOAK_OUT, read_inner(w, (int)fd));
    sys_close((int)fd);
}

/* Each run that found a map counted in one of them: those that came and went, and the one that all
 * slots of both outer maps have otherwise. */
static int settle_inner(struct soak_worker *w, int row)
{
    const int a = SOAK_array_of_maps, h = SOAK_hash_of_maps;
    (void)row;

    CHECK(soak_total(a, SOAK_IN) + soak_total(h, SOAK_IN) ==
          soak_total(a, SOAK_OUT) + soak_total(h, SOAK_OUT) + read_inner(w, soak.inner_fd));
    return 0;
}

/* ---- objects --------------------------------------------------------------------------------- */

static long make_map(struct soak_worker *w)
{
    static const struct {
        uint32_t type, key, value;
    } kinds[] = {
        {BPF_MAP_TYPE_HASH, 8, 8},        {BPF_MAP_TYPE_ARRAY, 4, 8}, {BPF_MAP_TYPE_LRU_HASH, 8, 8},
        {BPF_MAP_TYPE_QUEUE, 0, 8},       {BPF_MAP_TYPE_STACK, 0, 8}, {BPF_MAP_TYPE_RINGBUF, 0, 0},
        {BPF_MAP_TYPE_PERCPU_HASH, 8, 8},
    };
    uint32_t kind = soak_draw(w, ARRAY_SIZE(kinds));

    memset(&w->attr, 0, sizeof(w->attr));
    w->attr.map_type = kinds[kind].type;
    w->attr.key_size = kinds[kind].key;
    w->attr.value_size = kinds[kind].value;
    w->attr.max_entries = 4096;
    return soak_bpf(w, BPF_MAP_CREATE);
}

static long make_prog(struct soak_worker *w)
{
    static const struct bpf_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K},
                                            {.code = BPF_JMP | BPF_EXIT}};

    memset(&w->attr, 0, sizeof(w->attr));
    w->attr.prog_type = BPF_PROG_TYPE_KPROBE;
    w->attr.insns = (uint64_t)insns;
    w->attr.insn_cnt = ARRAY_SIZE(insns);
    w->attr.license = (uint64_t) "GPL";
    return soak_bpf(w, BPF_PROG_LOAD);
}

/* Among the youngest objects, some of which are about to go. */
static void find_by_id(struct soak_worker *w, int row, int next_cmd, int fd_cmd)
{
    static uint32_t newest;
    uint32_t id = __atomic_load_n(&newest, __ATOMIC_RELAXED), back = soak_draw(w, 8);
    long fd;

    memset(&w->attr, 0, sizeof(w->attr));
    w->attr.start_id = id > back ? id - back : 0;
    if (!soak_note(row, soak_bpf(w, next_cmd), -ENOENT))
        return;
    id = w->attr.next_id;
    __atomic_store_n(&newest, id, __ATOMIC_RELAXED);
    memset(&w->attr, 0, sizeof(w->attr));
    w->attr.map_id = id; /* also prog_id */
    fd = soak_bpf(w, fd_cmd);
    if (!soak_note(row, fd < 0 ? fd : 0, -ENOENT))
        return;
    soak_count(row, SOAK_IN, 1);
    sys_close((int)fd);
}

/* Makes an object, finds another one by its id, and lets both go. */
static void turn_objects(struct soak_worker *w, int row)
{
    bool prog = soak_draw(w, 4) == 0;
    long made = prog ? make_prog(w) : make_map(w);

    if (prog)
        find_by_id(w, row, BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID);
    else
        find_by_id(w, row, BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID);
    if (!soak_note(row, made < 0 ? made : 0, 0))
        return;
    soak_count(row, SOAK_ADDED, 1);
    sys_close((int)made);
}

/* ---------------------------------------------------------------------------------------------- */

const struct soak_ops soak_rows[SOAK_ROWS] = {
    /* clang-format off */
    [SOAK_array] = {"array", NULL, turn_array, settle_counters},
    [SOAK_percpu_array] = {"percpu_array", NULL, turn_look, settle_counters, .percpu = true},
    [SOAK_hash_count] = {"hash_count", NULL, turn_look, settle_counters},
    [SOAK_percpu_count] = {"percpu_count", NULL, turn_look, settle_counters, .percpu = true},
    [SOAK_hash] = {"hash", NULL, turn_churn, settle_churn, .replace = true},
    [SOAK_percpu_hash] = {"percpu_hash", NULL, turn_churn, settle_churn, .percpu = true},
    [SOAK_lru_hash] = {"lru_hash", NULL, turn_churn, settle_churn, .replace = true, .lru = true},
    [SOAK_lru_percpu_hash] = {"lru_percpu_hash", NULL, turn_churn, settle_churn, .percpu = true,
                              .lru = true},
    [SOAK_lpm_trie] = {"lpm_trie", prepare_lpm, turn_lpm, settle_lpm},
    [SOAK_queue] = {"queue", NULL, turn_keyless, settle_keyless},
    [SOAK_stack] = {"stack", NULL, turn_keyless, settle_keyless},
    [SOAK_bloom_filter] = {"bloom_filter", NULL, turn_bloom, settle_bloom},
    [SOAK_prog_array] = {"prog_array", NULL, turn_tails, settle_tails},
    [SOAK_ringbuf] = {"ringbuf", NULL, soak_turn_ringbuf, soak_settle_ring},
    [SOAK_array_of_maps] = {"array_of_maps", NULL, turn_inner, settle_inner, .rare = true},
    [SOAK_hash_of_maps] = {"hash_of_maps", NULL, turn_inner, settle_inner, .rare = true},
    [SOAK_user_ringbuf] = {"user_ringbuf", NULL, soak_turn_user_ringbuf, soak_settle_ring},
    [SOAK_perf_event_array] = {"perf_event_array", soak_prepare_perf, soak_turn_perf,
                               soak_settle_perf},
    [SOAK_stack_trace] = {"stack_trace", NULL, soak_turn_stacks, soak_settle_stacks},
    [SOAK_task_storage] = {"task_storage", NULL, soak_turn_tasks, soak_settle_tasks},
    [SOAK_timers] = {"timers", NULL, soak_turn_timers, soak_settle_timers, .run = "soak_timers"},
    [SOAK_timer_hash] = {"timer_hash", NULL, soak_turn_timer_hash, soak_settle_timer_hash,
                         .run = "soak_timer_hash"},
    [SOAK_objects] = {NULL, NULL, turn_objects, NULL, .rare = true},
    /* clang-format on */
};
