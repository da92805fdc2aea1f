/* SPDX-License-Identifier: MIT */
/*
 * LRU maps here and in the Linux kernel that this machine runs. Whom they evict differs: Linux has
 * lists by CPU and evicts in batches before a map is full, we have a clock. What must agree: the
 * answers where a key is there on both or on neither, how many keys there can be, that new keys and
 * those that programs look up stay; and ours must not hit less.
 */
#include "tests/unit/host/sides.h"
#include "tests/unit/insn.h"

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R4 BPF_REG_4
#define R7 BPF_REG_7
#define R8 BPF_REG_8
#define R9 BPF_REG_9
#define R10 BPF_REG_10

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define KEYS_A_RUN 64u

static uint64_t seed;

static const struct ebpf_caller kernel = {.caps = EBPF_CAP_ALL, .kernel = true};

static bool usable(void)
{
    seed = 1;
    if (!linux_usable())
        return false;
    mock_cpu_count = linux_cpus();
    if (mock_cpu_count && mock_cpu_count <= 8 && sides_stay_on_a_cpu() >= 0)
        return true;
    test_skip("LRU maps: a CPU to stay on, of at most 8, is not to be had");
    return false;
}

static int element(unsigned side, int fd, int cmd, uint32_t key, uint32_t *value, uint64_t flags)
{
    union bpf_attr attr = {.map_fd = (uint32_t)fd};

    attr.key = (uintptr_t)&key;
    attr.value = (uintptr_t)value;
    attr.flags = flags;
    return side ? linux_bpf(cmd, &attr, 32) : (int)ebpf_bpf(cmd, (uintptr_t)&attr, 32, &kernel);
}

static bool is_there(unsigned side, int fd, uint32_t key)
{
    uint32_t value;

    return element(side, fd, BPF_MAP_LOOKUP_ELEM, key, &value, 0) == 0;
}

static uint32_t count_keys(unsigned side, int fd)
{
    uint32_t next, count = 0;
    union bpf_attr attr = {.map_fd = (uint32_t)fd};
    int err;

    attr.value = (uintptr_t)&next;
    err = side_bpf(side, BPF_MAP_GET_NEXT_KEY, &attr, 32); /* the first one */
    for (; !err; count++)
        err = element(side, fd, BPF_MAP_GET_NEXT_KEY, next, &next, 0);
    CHECK_EQ(err, -ENOENT);
    return count;
}

/* ---- operations from user mode --------------------------------------------------------------- */

/* What the operation must answer, from whether the key was there. */
static int rule(int cmd, uint64_t flags, bool there)
{
    if (cmd != BPF_MAP_UPDATE_ELEM)
        return there ? 0 : -ENOENT;
    if (flags > BPF_EXIST)
        return -EINVAL;
    return flags == BPF_NOEXIST && there ? -EEXIST : flags == BPF_EXIST && !there ? -ENOENT : 0;
}

static void random_operation(const int *fd, uint32_t keys)
{
    static const int cmds[] = {BPF_MAP_UPDATE_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_UPDATE_ELEM,
                               BPF_MAP_DELETE_ELEM, BPF_MAP_LOOKUP_AND_DELETE_ELEM};
    int cmd = cmds[test_random(&seed, COUNT(cmds))];
    uint64_t flags = cmd == BPF_MAP_UPDATE_ELEM ? test_random(&seed, 4) : 0;
    uint32_t key = test_random(&seed, keys), value[2] = {key, key};

    for (unsigned side = 0; side < 2; side++) {
        bool there = is_there(side, fd[side], key);
        int got = element(side, fd[side], cmd, key,
                          cmd == BPF_MAP_DELETE_ELEM ? NULL : &value[side], flags);

        /* Linux makes room first, and may take this key */
        if (side && there && got == rule(cmd, flags, false))
            there = false;
        CHECK_EQ(got, rule(cmd, flags, there));
        CHECK_EQ(value[side], key); /* what it was made with */
        if (cmd == BPF_MAP_UPDATE_ELEM && !rule(cmd, flags, there))
            CHECK(is_there(side, fd[side], key)); /* the newest key is there */
    }
}

static void compare_operations(uint32_t type, uint32_t entries, uint32_t flags)
{
    const uint32_t limit = (entries + mock_cpu_count - 1) / mock_cpu_count * mock_cpu_count;
    int fd[2];

    for (unsigned side = 0; side < 2; side++)
        fd[side] = side_map(side, type, 4, entries, flags);
    REQUIRE(fd[0] >= 0 && fd[1] >= 0);
    for (unsigned i = 0; i < 20000; i++) {
        random_operation(fd, 3 * entries);
        if (i % 1000 == 0) {
            for (unsigned side = 0; side < 2; side++)
                CHECK(count_keys(side, fd[side]) <= limit);
        }
    }
    for (unsigned side = 0; side < 2; side++)
        side_close(side, fd[side]);
}

TEST(linux_agrees_on_operations_of_full_lru_maps)
{
    if (!usable())
        return;
    compare_operations(BPF_MAP_TYPE_LRU_HASH, 1, 0);
    compare_operations(BPF_MAP_TYPE_LRU_HASH, 100, 0);
    compare_operations(BPF_MAP_TYPE_LRU_HASH, 1000, 0);
    compare_operations(BPF_MAP_TYPE_LRU_HASH, 1000, BPF_F_NO_COMMON_LRU);
    sides_go_anywhere();
}

/* Without lookups, the oldest go: Linux keeps all but what its CPUs hold ready. Lookups of user
 * mode count for nothing, on both. */
TEST(linux_agrees_that_new_keys_stay_and_old_ones_go)
{
    const uint32_t entries = 1024;

    if (!usable())
        return;
    for (unsigned side = 0; side < 2; side++) {
        int fd = side_map(side, BPF_MAP_TYPE_LRU_HASH, 4, entries, 0);
        uint32_t last = 4 * entries;

        for (uint32_t key = 0; key <= last; key++) {
            CHECK_EQ(element(side, fd, BPF_MAP_UPDATE_ELEM, key, &key, 0), 0);
            if (key < entries / 2)
                CHECK(is_there(side, fd, 0));
            else
                (void)is_there(side, fd, 0);
        }
        for (uint32_t key = 0; key < last - entries; key++)
            CHECK(!is_there(side, fd, key));
        for (uint32_t key = last - entries / 2; key <= last; key++)
            CHECK(is_there(side, fd, key));
        CHECK(side ? count_keys(side, fd) <= entries : count_keys(side, fd) == entries);
        side_close(side, fd);
    }
    sides_go_anywhere();
}

/* ---- a cache that a program keeps ------------------------------------------------------------ */

/* For each of the 64 keys in the memory's data: looks it up, makes it where it is not. ret 0: how
 * many were there. */
static const struct bpf_insn cache_insns[] = {
    BPF_LD_MAP_VALUE(R7, FD_MEMORY, 0),
    BPF_MOV64_IMM(R8, 0),
    BPF_MOV64_IMM(R9, 0),
    BPF_MOV64_REG(R1, R7),
    BPF_ALU64_REG(BPF_ADD, R1, R8),
    BPF_LDX_MEM(BPF_W, R2, R1, 0),
    BPF_STX_MEM(BPF_W, R10, R2, -4),
    BPF_LD_MAP_FD(R1, FD_OTHER),
    BPF_MOV64_REG(R2, R10),
    BPF_ALU64_IMM(BPF_ADD, R2, -4),
    BPF_EMIT_CALL(1),
    BPF_JMP_IMM(BPF_JEQ, R0, 0, 2),
    BPF_ALU64_IMM(BPF_ADD, R9, 1),
    BPF_JMP_A(7),
    BPF_LD_MAP_FD(R1, FD_OTHER),
    BPF_MOV64_REG(R2, R10),
    BPF_ALU64_IMM(BPF_ADD, R2, -4),
    BPF_MOV64_REG(R3, R2),
    BPF_MOV64_IMM(R4, 0),
    BPF_EMIT_CALL(2),
    BPF_ALU64_IMM(BPF_ADD, R8, 4),
    BPF_JMP_IMM(BPF_JLT, R8, 4 * KEYS_A_RUN, -21),
    BPF_STX_MEM(BPF_DW, R7, R9, RET(0)),
    BPF_MOV64_IMM(R0, 2),
    BPF_EXIT_INSN(),
};

struct cache {
    struct world w;
    uint64_t hits[2], all;
    uint32_t waiting[KEYS_A_RUN], count;
};

static void cache_init(struct cache *c, uint32_t type, uint32_t entries, uint32_t flags)
{
    int map[2];

    *c = (struct cache){.count = 0};
    for (unsigned side = 0; side < 2; side++)
        map[side] = side_map(side, type, 4, entries, flags);
    world_init(&c->w, BPF_PROG_TYPE_XDP, "", map, cache_insns, COUNT(cache_insns));
}

static void use(struct cache *c, uint32_t key)
{
    c->waiting[c->count++] = key;
    if (c->count < KEYS_A_RUN)
        return;
    memcpy(c->w.memory[0].data, c->waiting, sizeof(c->waiting));
    c->w.memory[0].ret[0] = 0;
    (void)world_run(&c->w, 64); /* who hits how often may differ */
    for (unsigned side = 0; side < 2; side++)
        c->hits[side] += (uint64_t)c->w.memory[side].ret[0];
    c->all += KEYS_A_RUN;
    c->count = 0;
}

/* Numbers with Zipf's distribution: n is drawn 1 / n as often as 1. */
static uint64_t sums[1u << 16];
static uint32_t ranks;

static void zipf_init(uint32_t n)
{
    uint64_t sum = 0;

    ranks = n;
    for (uint32_t i = 0; i < n; i++)
        sums[i] = sum += (1ull << 40) / (i + 1);
}

static uint32_t zipf(void)
{
    uint64_t at = test_random64(&seed) % sums[ranks - 1];
    uint32_t first = 0, last = ranks - 1;

    while (first < last) {
        uint32_t middle = (first + last) / 2;

        if (sums[middle] > at)
            last = middle;
        else
            first = middle + 1;
    }
    return first * 0x9e3779b1u; /* keys are no ranks */
}

/* An eighth of the keys that are drawn has room. scan: now and then a row of keys that never come
 * again. */
static void compare_hits(uint32_t type, uint32_t entries, uint32_t flags, bool scan)
{
    static struct cache c;
    uint32_t fresh = 0x80000000u;
    double ours, theirs;

    cache_init(&c, type, entries, flags);
    zipf_init(entries * 8);
    for (unsigned i = 0; i < 150000; i++) {
        use(&c, zipf());
        if (scan && i % 20000 == 0) {
            for (uint32_t k = 0; k < entries / 2; k++)
                use(&c, fresh++);
        }
    }
    ours = 100.0 * (double)c.hits[0] / (double)c.all;
    theirs = 100.0 * (double)c.hits[1] / (double)c.all;
    if (ours < theirs - 2 || theirs < 20)
        test_fail(__FILE__, __LINE__, "type %u, %u entries, flags %u: %.1f%% hits, Linux %.1f%%",
                  type, entries, flags, ours, theirs);
    world_fini(&c.w);
}

TEST(lru_maps_hit_no_less_than_linux_s)
{
    if (!usable())
        return;
    for (uint32_t entries = 64; entries <= 4096; entries *= 8) {
        compare_hits(BPF_MAP_TYPE_LRU_HASH, entries, 0, false);
        compare_hits(BPF_MAP_TYPE_LRU_HASH, entries, 0, true);
    }
    compare_hits(BPF_MAP_TYPE_LRU_HASH, 512, BPF_F_NO_COMMON_LRU, true);
    compare_hits(BPF_MAP_TYPE_LRU_PERCPU_HASH, 512, 0, false);
    sides_go_anywhere();
}

/* A key that a program looks up again and again stays, however many come and go. */
TEST(linux_agrees_that_keys_in_use_stay)
{
    static struct cache c;

    if (!usable())
        return;
    cache_init(&c, BPF_MAP_TYPE_LRU_HASH, 1024, 0);
    for (uint32_t key = 1; key < 40000; key++) {
        use(&c, key);
        if (key % 64 == 0)
            use(&c, 0);
    }
    CHECK_EQ(c.hits[0], c.hits[1]);
    CHECK(c.hits[1] > 600);
    world_fini(&c.w);
    sides_go_anywhere();
}
