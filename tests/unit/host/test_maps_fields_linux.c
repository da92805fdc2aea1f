/* SPDX-License-Identifier: MIT */
/* Maps whose values have a struct bpf_spin_lock, said by BTF, and task storage: creation and random
 * operations, BPF_F_LOCK too, here and in the Linux kernel that this machine runs. */
#include "tests/unit/host/linux_map.h"

#include <unistd.h>

#define KIND(kind, vlen) ((uint32_t)(kind) << 24 | (vlen))
#define KEYS 14u

/* "", "int" 1, "val" 5, "bpf_spin_lock" 9, "lock" 23, "a" 28, "b" 30, "c" 32, "v" 34 */
static const char strings[] = "\0int\0val\0bpf_spin_lock\0lock\0a\0b\0c\0v";

/* 1: int; 2: struct bpf_spin_lock; 3: struct v { int a; struct bpf_spin_lock lock; int b, c; };
 * 4: struct v without the lock, of the same size */
static const uint32_t types[] = {
    1,  KIND(1, 0), 4,  1u << 24 | 32, /* 1 */
    9,  KIND(4, 1), 4,  5,
    1,  0, /* 2 */
    34, KIND(4, 4), 16, 28,
    1,  0,          23, 2,
    32, 30,         1,  64,
    32, 1,          96, /* 3 */
    34, KIND(4, 4), 16, 28,
    1,  0,          23, 1,
    32, 30,         1,  64,
    32, 1,          96, /* 4 */
};

static uint32_t make_btf(uint8_t *blob)
{
    const uint32_t header[6] = {0xeb9f | 1u << 16, 24, 0, sizeof(types), sizeof(types),
                                sizeof(strings)};

    memcpy(blob, header, 24);
    memcpy(blob + 24, types, sizeof(types));
    memcpy(blob + 24 + sizeof(types), strings, sizeof(strings));
    return (uint32_t)(24 + sizeof(types) + sizeof(strings));
}

static int load_btf(bool ours)
{
    static uint8_t blob[512];
    union bpf_attr attr = {0};
    uint32_t size = make_btf(blob);

    attr.btf = ours ? mock_user_copy(blob, size) : (uintptr_t)blob;
    attr.btf_size = size;
    return ours ? (int)mock_bpf(BPF_BTF_LOAD, &attr, sizeof(attr))
                : linux_bpf(BPF_BTF_LOAD, &attr, 24);
}

struct twin {
    int btf, linux_btf; /* fds */
    int fd, linux_fd;
    struct ebpf_map *ours;
    uint64_t random;
};

static int create(struct twin *t, const struct ebpf_map_spec *spec, uint32_t key, uint32_t value)
{
    union bpf_attr attr = {.map_type = spec->type,
                           .key_size = spec->key_size,
                           .value_size = spec->value_size,
                           .max_entries = spec->max_entries,
                           .map_flags = spec->flags,
                           .btf_key_type_id = key,
                           .btf_value_type_id = value};
    int want;

    attr.btf_fd = (uint32_t)t->linux_btf;
    want = t->linux_fd = linux_bpf(BPF_MAP_CREATE, &attr, 72);
    attr.btf_fd = (uint32_t)t->btf;
    t->fd = (int)mock_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
    if ((t->fd < 0 ? t->fd : 0) != (want < 0 ? want : 0))
        test_fail(__FILE__, __LINE__,
                  "type %u value %u entries %u flags 0x%x types %u %u: %d, "
                  "Linux %d",
                  spec->type, spec->value_size, spec->max_entries, spec->flags, key, value, t->fd,
                  want);
    if (t->fd >= 0)
        CHECK_EQ(ebpf_map_from_fd(t->fd, &t->ours), 0);
    return t->fd < 0 || want < 0 ? -1 : 0;
}

static void destroy(struct twin *t)
{
    if (t->fd >= 0) {
        ebpf_obj_put(ebpf_map_obj(t->ours));
        ebpf_fd_close(t->fd);
    }
    if (t->linux_fd >= 0)
        close(t->linux_fd);
}

static bool begin(struct twin *t)
{
    *t = (struct twin){.random = 0x243f6a8885a308d3u};
    if (!linux_usable())
        return false;
    t->btf = load_btf(true);
    t->linux_btf = load_btf(false);
    CHECK(t->btf >= 0 && t->linux_btf >= 0);
    return t->btf >= 0 && t->linux_btf >= 0;
}

static void end(struct twin *t)
{
    ebpf_fd_close(t->btf);
    close(t->linux_btf);
}

TEST(linux_agrees_on_which_maps_may_have_locks)
{
    static const uint32_t kinds[] = {BPF_MAP_TYPE_HASH,         BPF_MAP_TYPE_ARRAY,
                                     BPF_MAP_TYPE_PERCPU_HASH,  BPF_MAP_TYPE_PERCPU_ARRAY,
                                     BPF_MAP_TYPE_LRU_HASH,     BPF_MAP_TYPE_LRU_PERCPU_HASH,
                                     BPF_MAP_TYPE_STACK_TRACE,  BPF_MAP_TYPE_QUEUE,
                                     BPF_MAP_TYPE_TASK_STORAGE, BPF_MAP_TYPE_BLOOM_FILTER};
    static const uint32_t flags[] = {0, BPF_F_RDONLY_PROG, BPF_F_NO_PREALLOC, BPF_F_MMAPABLE};
    struct twin t;

    if (!begin(&t))
        return;
    for (unsigned k = 0; k < 10; k++) {
        for (unsigned f = 0; f < 4; f++) {
            for (uint32_t value = 2; value < 6; value++) {
                struct ebpf_map_spec spec = {.type = kinds[k],
                                             .key_size = 4,
                                             .value_size = 16,
                                             .max_entries = 4,
                                             .flags = flags[f]};

                if (kinds[k] == BPF_MAP_TYPE_TASK_STORAGE)
                    spec.max_entries = 0;
                if (kinds[k] == BPF_MAP_TYPE_QUEUE || kinds[k] == BPF_MAP_TYPE_BLOOM_FILTER)
                    spec.key_size = 0;
                create(&t, &spec, spec.key_size ? 1 : 0, value);
                destroy(&t);
            }
        }
    }
    end(&t);
}

/* ---- operations ---------------------------------------------------------------------------- */

static uint32_t draw(struct twin *t, uint32_t below)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return (uint32_t)(t->random >> 32) % below;
}

static void compare_lookup(struct twin *t, uint32_t key, int cmd)
{
    uint32_t ours[4] = {0}, theirs[4] = {0};
    uint64_t flags = draw(t, 2) ? BPF_F_LOCK : 0;
    int err = cmd == BPF_MAP_LOOKUP_ELEM ? ebpf_map_lookup_flags(t->ours, &key, ours, flags)
                                         : ebpf_map_take_flags(t->ours, &key, ours, flags);

    CHECK_EQ(err, linux_element(t->linux_fd, cmd, &key, theirs, flags));
    CHECK(!memcmp(ours, theirs, sizeof(ours)));
}

static void compare_step(struct twin *t)
{
    static const uint64_t flags[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12};
    uint32_t key = draw(t, KEYS), what = draw(t, 100), value[4];
    uint64_t flag = flags[draw(t, 10)];

    for (unsigned i = 0; i < 4; i++)
        value[i] = draw(t, UINT32_MAX); /* where the lock is, too: it does not get there */
    if (what < 50)
        CHECK_EQ(ebpf_map_update(t->ours, &key, value, flag),
                 linux_element(t->linux_fd, BPF_MAP_UPDATE_ELEM, &key, value, flag));
    else if (what < 60)
        CHECK_EQ(ebpf_map_delete(t->ours, &key),
                 linux_element(t->linux_fd, BPF_MAP_DELETE_ELEM, &key, NULL, 0));
    else
        compare_lookup(t, key, what < 70 ? BPF_MAP_LOOKUP_AND_DELETE_ELEM : BPF_MAP_LOOKUP_ELEM);
}

static void compare_operations(uint32_t type, uint32_t value_type)
{
    struct ebpf_map_spec spec = {.type = type, .key_size = 4, .value_size = 16, .max_entries = 10};
    struct twin t;

    if (!begin(&t))
        return;
    if (!create(&t, &spec, 1, value_type)) {
        CHECK_EQ(t.ours->lock_off, value_type == 3 ? 4 : -1);
        for (unsigned i = 0; i < 40000; i++)
            compare_step(&t);
    }
    destroy(&t);
    end(&t);
}

TEST(linux_agrees_on_f_lock_in_hashes)
{
    compare_operations(BPF_MAP_TYPE_HASH, 3);
    compare_operations(BPF_MAP_TYPE_HASH, 4);
}

TEST(linux_agrees_on_f_lock_in_arrays)
{
    compare_operations(BPF_MAP_TYPE_ARRAY, 3);
    compare_operations(BPF_MAP_TYPE_ARRAY, 4);
}

/* ---- task storage: this process here and there --------------------------------------------- */

static void compare_task_step(struct twin *t, int pidfd)
{
    static const uint64_t flags[] = {0, 1, 2, 3, 4, 5, 6, 8};
    bool good = draw(t, 8) != 0;
    int32_t key = good ? MOCK_PIDFD : 9999, linux_key = good ? pidfd : 9999;
    uint32_t what = draw(t, 100), value[4], ours[4] = {0}, theirs[4] = {0};
    uint64_t flag = flags[draw(t, 8)];

    for (unsigned i = 0; i < 4; i++)
        value[i] = draw(t, UINT32_MAX);
    if (what < 50) {
        CHECK_EQ(ebpf_map_update(t->ours, &key, value, flag),
                 linux_element(t->linux_fd, BPF_MAP_UPDATE_ELEM, &linux_key, value, flag));
    } else if (what < 65) {
        CHECK_EQ(ebpf_map_delete(t->ours, &key),
                 linux_element(t->linux_fd, BPF_MAP_DELETE_ELEM, &linux_key, NULL, 0));
    } else if (what < 70) {
        CHECK_EQ(ebpf_map_next_key(t->ours, &key, ours),
                 linux_element(t->linux_fd, BPF_MAP_GET_NEXT_KEY, &linux_key, theirs, 0));
    } else {
        flag = draw(t, 2) ? BPF_F_LOCK : 0;
        CHECK_EQ(ebpf_map_lookup_flags(t->ours, &key, ours, flag),
                 linux_element(t->linux_fd, BPF_MAP_LOOKUP_ELEM, &linux_key, theirs, flag));
        CHECK(!memcmp(ours, theirs, sizeof(ours)));
    }
}

static void compare_task_storage(uint32_t value_type)
{
    struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_TASK_STORAGE,
                                 .key_size = 4,
                                 .value_size = 16,
                                 .flags = BPF_F_NO_PREALLOC};
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    struct twin t;

    if (!begin(&t))
        return;
    if (pidfd < 0) {
        test_skip("no pidfd to be had");
    } else if (!create(&t, &spec, 1, value_type)) {
        for (unsigned i = 0; i < 5000; i++)
            compare_task_step(&t, pidfd);
    }
    destroy(&t);
    end(&t);
    close(pidfd);
}

TEST(linux_agrees_on_task_storage_operations)
{
    compare_task_storage(3);
    compare_task_storage(4);
}
