/* SPDX-License-Identifier: MIT */
/* Maps in maps here and in the Linux kernel that this machine runs: what may be created and put
 * into each other, and the same random operations on both. */
#include "tests/unit/host/linux_map.h"

/* A map here and there. */
struct twin {
    struct ebpf_map *ours;
    int fd; /* ours */
    int linux_fd;
};

static int create(struct twin *twin, struct ebpf_map_spec spec, const struct twin *inner)
{
    int err, want;

    *twin = (struct twin){.fd = -1, .linux_fd = -1};
    spec.inner = inner ? inner->ours : NULL;
    err = ebpf_map_create(&spec, &twin->ours);
    want = linux_create(&spec, inner ? inner->linux_fd : 0);
    if (want >= 0)
        twin->linux_fd = want;
    if (err != (want < 0 ? want : 0))
        test_fail(__FILE__, __LINE__, "type %u in %u, flags 0x%x: %d, Linux %d",
                  inner ? inner->ours->type : 0, spec.type, spec.flags, err, want);
    if (err)
        twin->ours = NULL;
    else
        twin->fd = ebpf_os_fd_install(ebpf_map_obj(twin->ours));
    return err;
}

static void destroy(struct twin *twin)
{
    if (twin->fd >= 0)
        ebpf_fd_close(twin->fd);
    if (twin->linux_fd >= 0)
        close(twin->linux_fd);
}

static struct ebpf_map_spec spec_of(uint32_t type, uint32_t key, uint32_t value, uint32_t entries,
                                    uint32_t flags)
{
    return (struct ebpf_map_spec){
        .type = type, .key_size = key, .value_size = value, .max_entries = entries, .flags = flags};
}

/* All that can be in a map, one of each type, and what differs from the first. */
static struct ebpf_map_spec inner_spec(unsigned i)
{
    const struct ebpf_map_spec specs[] = {
        spec_of(BPF_MAP_TYPE_HASH, 4, 8, 4, 0),
        spec_of(BPF_MAP_TYPE_HASH, 4, 8, 5, 0),
        spec_of(BPF_MAP_TYPE_HASH, 8, 8, 4, 0),
        spec_of(BPF_MAP_TYPE_HASH, 4, 4, 4, 0),
        spec_of(BPF_MAP_TYPE_HASH, 4, 8, 4, BPF_F_NO_PREALLOC),
        spec_of(BPF_MAP_TYPE_HASH, 4, 8, 4, BPF_F_RDONLY_PROG),
        spec_of(BPF_MAP_TYPE_HASH, 4, 8, 4, BPF_F_NUMA_NODE),
        spec_of(BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0),
        spec_of(BPF_MAP_TYPE_ARRAY, 4, 8, 5, 0),
        spec_of(BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_INNER_MAP),
        spec_of(BPF_MAP_TYPE_ARRAY, 4, 8, 5, BPF_F_INNER_MAP),
        spec_of(BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_MMAPABLE),
        spec_of(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 4, 0),
        spec_of(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 5, 0),
        spec_of(BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 4, 0),
        spec_of(BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 5, 0),
        spec_of(BPF_MAP_TYPE_LRU_HASH, 4, 8, 4, 0),
        spec_of(BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 8, 4, 0),
        spec_of(BPF_MAP_TYPE_LPM_TRIE, 8, 8, 4, BPF_F_NO_PREALLOC),
        spec_of(BPF_MAP_TYPE_QUEUE, 0, 8, 4, 0),
        spec_of(BPF_MAP_TYPE_QUEUE, 0, 8, 5, 0),
        spec_of(BPF_MAP_TYPE_STACK, 0, 8, 4, 0),
        spec_of(BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 4, 0),
        spec_of(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0),
        spec_of(BPF_MAP_TYPE_RINGBUF, 0, 0, 8192, 0),
        spec_of(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4, 0),
        spec_of(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 4, 0),
        spec_of(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 5, 0),
        spec_of(BPF_MAP_TYPE_USER_RINGBUF, 0, 0, 4096, 0),
        spec_of(BPF_MAP_TYPE_STACK_TRACE, 4, 8, 4, 0),
    };

    return i < sizeof(specs) / sizeof(specs[0]) ? specs[i] : (struct ebpf_map_spec){0};
}

static void compare_put(const struct twin *outer, const struct twin *inner)
{
    uint32_t key = 1;
    int fd = inner->fd, linux_fd = inner->linux_fd, err, want;

    err = ebpf_map_update(outer->ours, &key, &fd, BPF_ANY);
    want = linux_element(outer->linux_fd, BPF_MAP_UPDATE_ELEM, &key, &linux_fd, BPF_ANY);
    if (err != want)
        test_fail(__FILE__, __LINE__,
                  "type %u entries %u flags 0x%x into one of %u 0x%x: %d, "
                  "Linux %d",
                  inner->ours->type, inner->ours->max_entries, inner->ours->flags,
                  outer->ours->inner->type, outer->ours->inner->flags, err, want);
}

static void compare_all_pairs(uint32_t type)
{
    struct twin inners[64], outer;
    unsigned count = 0;

    for (; inner_spec(count).type; count++)
        create(&inners[count], inner_spec(count), NULL);
    for (unsigned i = 0; i < count; i++) {
        if (!inners[i].ours || create(&outer, spec_of(type, 4, 4, 4, 0), &inners[i]))
            continue;
        for (unsigned k = 0; k < count; k++) {
            if (inners[k].ours)
                compare_put(&outer, &inners[k]);
        }
        destroy(&outer);
    }
    while (count--)
        destroy(&inners[count]);
}

TEST(linux_agrees_on_which_maps_may_be_in_arrays_of_maps)
{
    if (linux_usable())
        compare_all_pairs(BPF_MAP_TYPE_ARRAY_OF_MAPS);
}

TEST(linux_agrees_on_which_maps_may_be_in_hashes_of_maps)
{
    if (linux_usable())
        compare_all_pairs(BPF_MAP_TYPE_HASH_OF_MAPS);
}

TEST(linux_agrees_on_creating_maps_of_maps)
{
    static const uint32_t types[] = {BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_HASH_OF_MAPS};
    struct twin inner, outer, outermost;

    if (!linux_usable())
        return;
    create(&inner, spec_of(BPF_MAP_TYPE_HASH, 4, 8, 4, 0), NULL);
    for (unsigned t = 0; t < 2; t++) {
        for (unsigned bit = 0; bit < 32; bit++) {
            if (1u << bit == 1u << 16) /* BPF_F_TOKEN_FD */
                continue;
            create(&outer, spec_of(types[t], 4, 4, 4, 1u << bit), &inner);
            destroy(&outer);
        }
        for (uint32_t size = 0; size < 10; size++) {
            create(&outer, spec_of(types[t], size, 4, 4, 0), &inner);
            destroy(&outer);
            create(&outer, spec_of(types[t], 4, size, 4, 0), &inner);
            destroy(&outer);
            create(&outer, spec_of(types[t], 4, 4, 4 - size % 5, 0), &inner);
            destroy(&outer);
        }
        REQUIRE(!create(&outer, spec_of(types[t], 4, 4, 4, 0), &inner));
        create(&outermost, spec_of(types[0], 4, 4, 4, 0), &outer);
        destroy(&outermost);
        create(&outermost, spec_of(types[1], 4, 4, 4, 0), &outer);
        destroy(&outermost);
        destroy(&outer);
    }
    destroy(&inner);
}

/* ---- operations ---------------------------------------------------------------------------- */

#define INNERS 6u

struct pair {
    struct twin outer, inner[INNERS];
    uint32_t ids[INNERS]; /* Linux's */
    uint64_t random;
};

static uint32_t draw(struct pair *p, uint32_t below)
{
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return (uint32_t)(p->random >> 32) % below;
}

static void compare_update(struct pair *p, uint32_t key)
{
    static const uint64_t flags[] = {0, 0, 0, 1, 2, 3, 4, 5, 8, UINT64_MAX};
    uint64_t flag = flags[draw(p, 10)];
    uint32_t which = draw(p, INNERS + 1);
    int fd = which < INNERS ? p->inner[which].fd : 99999;
    int linux_fd = which < INNERS ? p->inner[which].linux_fd : 99999;

    CHECK_EQ(ebpf_map_update(p->outer.ours, &key, &fd, flag),
             linux_element(p->outer.linux_fd, BPF_MAP_UPDATE_ELEM, &key, &linux_fd, flag));
}

static void compare_lookup(struct pair *p, uint32_t key)
{
    uint32_t id = 0, linux_id = 0, ours = INNERS, theirs = INNERS;
    int err = ebpf_map_lookup(p->outer.ours, &key, &id);

    CHECK_EQ(err, linux_element(p->outer.linux_fd, BPF_MAP_LOOKUP_ELEM, &key, &linux_id, 0));
    for (uint32_t i = 0; i < INNERS; i++) {
        if (id == p->inner[i].ours->obj.id)
            ours = i;
        if (linux_id == p->ids[i])
            theirs = i;
    }
    CHECK_EQ(ours, theirs);
}

static void compare_step(struct pair *p)
{
    uint32_t key = draw(p, 14), what = draw(p, 100), next = 0, linux_next = 0;
    bool is_array = p->outer.ours->type == BPF_MAP_TYPE_ARRAY_OF_MAPS;

    if (what < 45) {
        compare_update(p, key);
    } else if (what < 60) {
        CHECK_EQ(ebpf_map_delete(p->outer.ours, &key),
                 linux_element(p->outer.linux_fd, BPF_MAP_DELETE_ELEM, &key, NULL, 0));
    } else if (what < 62) {
        CHECK_EQ(
            ebpf_map_lookup_and_delete(p->outer.ours, &key, &next),
            linux_element(p->outer.linux_fd, BPF_MAP_LOOKUP_AND_DELETE_ELEM, &key, &linux_next, 0));
    } else if (what < 90 || !is_array) {
        compare_lookup(p, key);
    } else {
        CHECK_EQ(ebpf_map_next_key(p->outer.ours, &key, &next),
                 linux_element(p->outer.linux_fd, BPF_MAP_GET_NEXT_KEY, &key, &linux_next, 0));
        CHECK_EQ(next, linux_next);
    }
}

static uint32_t linux_id(int fd)
{
    uint32_t info[8] = {0};
    union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)fd, .info_len = sizeof(info)}};

    attr.info.info = (uintptr_t)info;
    CHECK_EQ(linux_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, 16), 0);
    return info[1];
}

static void compare_operations(uint32_t type)
{
    struct pair p = {.random = 0x243f6a8885a308d3u};

    for (uint32_t i = 0; i < INNERS; i++) {
        create(&p.inner[i],
               spec_of(i < 5 ? BPF_MAP_TYPE_HASH : BPF_MAP_TYPE_QUEUE, i < 5 ? 4 : 0, 8, 1 + i, 0),
               NULL);
        p.ids[i] = linux_id(p.inner[i].linux_fd);
    }
    REQUIRE(!create(&p.outer, spec_of(type, 4, 4, 8, 0), &p.inner[0]));
    /* Linux takes a grace period for every change of an array of maps */
    for (unsigned i = 0; i < 1500; i++)
        compare_step(&p);
    destroy(&p.outer);
    for (uint32_t i = 0; i < INNERS; i++)
        destroy(&p.inner[i]);
}

TEST(linux_agrees_on_array_of_maps_operations)
{
    if (linux_usable())
        compare_operations(BPF_MAP_TYPE_ARRAY_OF_MAPS);
}

TEST(linux_agrees_on_hash_of_maps_operations)
{
    if (linux_usable())
        compare_operations(BPF_MAP_TYPE_HASH_OF_MAPS);
}
