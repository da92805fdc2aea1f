/* SPDX-License-Identifier: MIT */
/*
 * The same operations on our maps and on those of the Linux kernel that this machine runs,
 * through its bpf(2): results, errno and contents must agree. Skipped where bpf(2) is not ours to
 * use.
 */
#include "tests/unit/host/linux_map.h"

#define MAX_CPUS 8u
#define MAX_VALUE 64u

struct pair {
    struct ebpf_map *ours;
    int linux_fd;
    struct ebpf_map_spec spec;
    uint64_t random;
    uint32_t user_size;
    uint32_t keys; /* different ones that are used */
};

static bool is_hash(const struct pair *p)
{
    return p->spec.type != BPF_MAP_TYPE_ARRAY && p->spec.type != BPF_MAP_TYPE_PERCPU_ARRAY;
}

static bool usable(void)
{
    unsigned cpus = linux_cpus();

    if (!linux_usable())
        return false;
    if (cpus == 0 || cpus > MAX_CPUS) {
        test_skip("the comparison wants at most 8 CPUs");
        return false;
    }
    mock_cpu_count = cpus;
    return true;
}

/* ---- creation ------------------------------------------------------------------------------ */

static void compare_creation(const struct ebpf_map_spec *spec)
{
    struct ebpf_map *map;
    int fd = linux_create(spec, 0), err = ebpf_map_create(spec, &map);

    if (err != (fd < 0 ? fd : 0))
        test_fail(__FILE__, __LINE__,
                  "type %u key %u value %u entries %u flags 0x%x name \"%.16s\": %d, Linux %d",
                  spec->type, spec->key_size, spec->value_size, spec->max_entries, spec->flags,
                  spec->name, err, fd);
    if (fd >= 0)
        close(fd);
    if (!err)
        ebpf_obj_put(ebpf_map_obj(map));
}

TEST(linux_agrees_on_creation_errors)
{
    static const uint32_t types[] = {0,
                                     BPF_MAP_TYPE_HASH,
                                     BPF_MAP_TYPE_ARRAY,
                                     BPF_MAP_TYPE_PERCPU_ARRAY,
                                     BPF_MAP_TYPE_PERCPU_HASH,
                                     BPF_MAP_TYPE_LRU_HASH,
                                     BPF_MAP_TYPE_LRU_PERCPU_HASH,
                                     200,
                                     UINT32_MAX};
    static const uint32_t keys[] = {0, 1, 3, 4, 5, 8, 512, 513, 4096, 4u << 20, UINT32_MAX};
    static const uint32_t values[] = {0,
                                      1,
                                      8,
                                      32761,
                                      32768,
                                      32769,
                                      (4u << 20) - 56,
                                      (4u << 20) - 52,
                                      (4u << 20) - 48,
                                      4u << 20,
                                      0x80000000u,
                                      UINT32_MAX};
    struct ebpf_map_spec spec = {0};

    if (!usable())
        return;
    for (size_t t = 0; t < sizeof(types) / 4; t++) {
        for (size_t k = 0; k < sizeof(keys) / 4; k++) {
            for (size_t v = 0; v < sizeof(values) / 4; v++) {
                spec.type = types[t];
                spec.key_size = keys[k];
                spec.value_size = values[v];
                spec.max_entries = 0;
                compare_creation(&spec);
                spec.max_entries = 1;
                compare_creation(&spec);
                spec.flags = 1u << 30;
                compare_creation(&spec);
                spec.flags = 0;
            }
        }
    }
}

TEST(linux_agrees_on_absurd_sizes)
{
    static const struct ebpf_map_spec specs[] = {
        {.type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = UINT32_MAX},
        {.type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = 1u << 31},
        {.type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = (1u << 27) + 1},
        {.type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 1u << 20, .max_entries = 1u << 27},
        {.type = BPF_MAP_TYPE_ARRAY,
         .key_size = 4,
         .value_size = 0x7fffffff,
         .max_entries = UINT32_MAX},
        {.type = BPF_MAP_TYPE_ARRAY,
         .key_size = 4,
         .value_size = 1u << 20,
         .max_entries = UINT32_MAX},
        {.type = BPF_MAP_TYPE_PERCPU_ARRAY,
         .key_size = 4,
         .value_size = 32768,
         .max_entries = UINT32_MAX},
        {.type = BPF_MAP_TYPE_PERCPU_ARRAY,
         .key_size = 4,
         .value_size = 8,
         .max_entries = UINT32_MAX},
        {.type = BPF_MAP_TYPE_PERCPU_ARRAY,
         .key_size = 4,
         .value_size = 32769,
         .max_entries = UINT32_MAX},
    };

    if (!usable())
        return;
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
        compare_creation(&specs[i]);
}

TEST(linux_agrees_on_flags)
{
    static const uint32_t types[] = {BPF_MAP_TYPE_HASH,         BPF_MAP_TYPE_ARRAY,
                                     BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_HASH,
                                     BPF_MAP_TYPE_LRU_HASH,     BPF_MAP_TYPE_LRU_PERCPU_HASH};
    /* 1 << 16 is BPF_F_TOKEN_FD */
    const uint32_t not_ours = 1u << 16;

    if (!usable())
        return;
    for (size_t t = 0; t < sizeof(types) / 4; t++) {
        for (unsigned a = 0; a < 32; a++) {
            for (unsigned b = 0; b <= a; b++) {
                struct ebpf_map_spec spec = {
                    .type = types[t], .key_size = 4, .value_size = 8, .max_entries = 1};

                spec.flags = 1u << a | 1u << b;
                if (!(spec.flags & not_ours))
                    compare_creation(&spec);
            }
        }
    }
}

TEST(linux_agrees_on_names)
{
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};

    if (!usable())
        return;
    for (unsigned c = 0; c < 256; c++) {
        memset(spec.name, 0, sizeof(spec.name));
        memcpy(spec.name, "ab", 2);
        spec.name[1] = (char)c;
        compare_creation(&spec);
        memcpy(spec.name, "ab\0d", 4);
        spec.name[3] = (char)c; /* behind the end */
        compare_creation(&spec);
    }
    memset(spec.name, 'a', sizeof(spec.name));
    compare_creation(&spec);
    spec.name[15] = 0;
    compare_creation(&spec);
}

/* ---- elements ------------------------------------------------------------------------------ */

static uint32_t draw(struct pair *p, uint32_t below)
{
    return test_random(&p->random, below);
}

static void draw_key(struct pair *p, uint8_t *key)
{
    uint32_t k = draw(p, p->keys);

    memset(key, 0, p->spec.key_size);
    memcpy(key, &k, p->spec.key_size < 4 ? p->spec.key_size : 4);
}

static void compare_update(struct pair *p, const uint8_t *key)
{
    static const uint64_t flags[] = {0, 0, 0, 1, 2, 3, 4, 5, 6, 8, 1ull << 32, UINT64_MAX};
    uint64_t flag = flags[draw(p, 5 + 7 * (draw(p, 4) == 0))];
    uint8_t value[MAX_CPUS * MAX_VALUE];

    for (uint32_t i = 0; i < p->user_size; i++)
        value[i] = (uint8_t)draw(p, 256);
    /* kernels after 6.18 give per-CPU maps the flags 8 and 16 and use the upper half for a CPU
     * number */
    if (p->user_size != p->spec.value_size && flag >= 8)
        flag = 3;
    CHECK_EQ(ebpf_map_update(p->ours, key, value, flag),
             linux_element(p->linux_fd, BPF_MAP_UPDATE_ELEM, key, value, flag));
}

static void compare_lookup(struct pair *p, const uint8_t *key)
{
    uint8_t ours[MAX_CPUS * MAX_VALUE] = {0}, theirs[MAX_CPUS * MAX_VALUE] = {0};

    CHECK_EQ(ebpf_map_lookup(p->ours, key, ours),
             linux_element(p->linux_fd, BPF_MAP_LOOKUP_ELEM, key, theirs, 0));
    CHECK(!memcmp(ours, theirs, sizeof(ours)));
}

/* Arrays: the same key. Hashes: Linux's order is another, the errno is not. */
static void compare_next(struct pair *p, const uint8_t *key)
{
    uint8_t ours[MAX_VALUE] = {0}, theirs[MAX_VALUE] = {0};
    int err = ebpf_map_next_key(p->ours, key, ours);
    int want = linux_element(p->linux_fd, BPF_MAP_GET_NEXT_KEY, key, theirs, 0);

    if (!is_hash(p)) {
        CHECK_EQ(err, want);
        CHECK(!memcmp(ours, theirs, sizeof(ours)));
    } else if (!key || linux_element(p->linux_fd, BPF_MAP_LOOKUP_ELEM, key, theirs, 0) == -ENOENT) {
        CHECK_EQ(err, want);
    }
}

static void compare_contents(struct pair *p)
{
    uint8_t key[MAX_VALUE];
    uint32_t ours = 0, theirs = 0;

    for (int err = ebpf_map_next_key(p->ours, NULL, key); !err;
         err = ebpf_map_next_key(p->ours, key, key)) {
        compare_lookup(p, key);
        REQUIRE(++ours <= p->spec.max_entries);
    }
    for (int err = linux_element(p->linux_fd, BPF_MAP_GET_NEXT_KEY, NULL, key, 0); !err;
         err = linux_element(p->linux_fd, BPF_MAP_GET_NEXT_KEY, key, key, 0))
        theirs++;
    CHECK_EQ(ours, theirs);
}

static void compare_take(struct pair *p, const uint8_t *key)
{
    uint8_t ours[MAX_CPUS * MAX_VALUE] = {0}, theirs[MAX_CPUS * MAX_VALUE] = {0};

    CHECK_EQ(ebpf_map_lookup_and_delete(p->ours, key, ours),
             linux_element(p->linux_fd, BPF_MAP_LOOKUP_AND_DELETE_ELEM, key, theirs, 0));
    CHECK(!memcmp(ours, theirs, sizeof(ours)));
}

static void compare_step(struct pair *p)
{
    uint32_t what = draw(p, 100);
    uint8_t key[MAX_VALUE];

    draw_key(p, key);
    if (what < 45)
        compare_update(p, key);
    else if (what < 50)
        compare_take(p, key);
    else if (what < 65)
        CHECK_EQ(ebpf_map_delete(p->ours, key),
                 linux_element(p->linux_fd, BPF_MAP_DELETE_ELEM, key, NULL, 0));
    else if (what < 85)
        compare_lookup(p, key);
    else
        compare_next(p, what < 98 ? key : NULL);
}

static void compare_maps(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t entries,
                         uint32_t flags)
{
    struct pair p = {.spec = {.type = type,
                              .key_size = key_size,
                              .value_size = value_size,
                              .max_entries = entries,
                              .flags = flags},
                     .random = 0x243f6a8885a308d3u};

    REQUIRE(!ebpf_map_create(&p.spec, &p.ours));
    p.linux_fd = linux_create(&p.spec, 0);
    CHECK(p.linux_fd >= 0);
    p.user_size = ebpf_map_value_size(p.ours);
    /* Linux's LRU maps may evict before they are full */
    p.keys = type == BPF_MAP_TYPE_LRU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH
                 ? 60
                 : entries + entries / 2 + 2;
    for (unsigned i = 0; i < 40000; i++)
        compare_step(&p);
    compare_contents(&p);
    close(p.linux_fd);
    ebpf_obj_put(ebpf_map_obj(p.ours));
}

TEST(linux_agrees_on_array_operations)
{
    if (!usable())
        return;
    compare_maps(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
    compare_maps(BPF_MAP_TYPE_ARRAY, 4, 13, 20, 0);
}

TEST(linux_agrees_on_percpu_array_operations)
{
    if (!usable())
        return;
    compare_maps(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 7, 0);
    compare_maps(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 13, 20, 0);
}

TEST(linux_agrees_on_hash_operations)
{
    if (!usable())
        return;
    compare_maps(BPF_MAP_TYPE_HASH, 4, 8, 1, 0);
    compare_maps(BPF_MAP_TYPE_HASH, 8, 8, 60, 0);
    compare_maps(BPF_MAP_TYPE_HASH, 1, 3, 33, 0);
    compare_maps(BPF_MAP_TYPE_HASH, 13, 37, 20, BPF_F_NO_PREALLOC);
    compare_maps(BPF_MAP_TYPE_HASH, 64, 64, 20, BPF_F_ZERO_SEED);
}

TEST(linux_agrees_on_percpu_hash_operations)
{
    if (!usable())
        return;
    compare_maps(BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 7, 0);
    compare_maps(BPF_MAP_TYPE_PERCPU_HASH, 13, 21, 20, 0);
}

TEST(linux_agrees_on_lru_operations_with_room)
{
    if (!usable())
        return;
    compare_maps(BPF_MAP_TYPE_LRU_HASH, 4, 8, 4096, 0);
    compare_maps(BPF_MAP_TYPE_LRU_PERCPU_HASH, 13, 21, 4096, 0);
}
