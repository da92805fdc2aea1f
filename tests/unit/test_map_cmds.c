/* SPDX-License-Identifier: MIT */
/* bpf(2) on maps beyond single elements: freezing, batches, ids, as user mode calls it. */
#include "tests/unit/test.h"

#include <ebpf/ebpf.h>

#include "maps/map.h"

static int create(uint32_t type, uint32_t key, uint32_t value, uint32_t entries)
{
    union bpf_attr attr = {
        .map_type = type, .key_size = key, .value_size = value, .max_entries = entries};

    return (int)mock_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

static long element(int cmd, int fd, uint64_t key, uint64_t value)
{
    union bpf_attr attr = {.map_fd = (uint32_t)fd};

    attr.key = key;
    attr.value = value;
    return mock_bpf(cmd, &attr, sizeof(attr));
}

TEST(frozen_map_is_read_only_for_user_mode_and_not_for_programs)
{
    int fd = create(BPF_MAP_TYPE_HASH, 4, 8, 4);
    uint64_t key = mock_user_alloc(8), value = mock_user_alloc(8), number = 5;
    union bpf_attr attr = {.map_fd = (uint32_t)fd};
    struct ebpf_map *map;

    CHECK_EQ(element(BPF_MAP_UPDATE_ELEM, fd, key, value), 0);
    CHECK_EQ(mock_bpf(BPF_MAP_FREEZE, &attr, sizeof(attr)), 0);
    CHECK_EQ(element(BPF_MAP_UPDATE_ELEM, fd, key, value), -EPERM);
    CHECK_EQ(element(BPF_MAP_DELETE_ELEM, fd, key, 0), -EPERM);
    CHECK_EQ(element(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, key, value), -EPERM);
    CHECK_EQ(element(BPF_MAP_LOOKUP_ELEM, fd, key, value), 0);
    CHECK_EQ(mock_bpf(BPF_MAP_FREEZE, &attr, sizeof(attr)), -EPERM);
    REQUIRE(!ebpf_map_from_fd(fd, &map));
    CHECK_EQ(map->ops->update(map, &number, &number, BPF_ANY), 0);
    ebpf_obj_put(ebpf_map_obj(map));
    attr.map_fd = 99999;
    CHECK_EQ(mock_bpf(BPF_MAP_FREEZE, &attr, sizeof(attr)), -EBADF);
    ebpf_fd_close(fd);
}

TEST(map_that_is_being_changed_is_not_frozen)
{
    int fd = create(BPF_MAP_TYPE_ARRAY, 4, 8, 4);
    union bpf_attr attr = {.map_fd = (uint32_t)fd};
    struct ebpf_map *map;

    REQUIRE(!ebpf_map_from_fd(fd, &map));
    map->use = 1; /* another thread is in the middle of an update */
    CHECK_EQ(mock_bpf(BPF_MAP_FREEZE, &attr, sizeof(attr)), -EBUSY);
    map->use = 0;
    CHECK_EQ(mock_bpf(BPF_MAP_FREEZE, &attr, sizeof(attr)), 0);
    ebpf_obj_put(ebpf_map_obj(map));
    ebpf_fd_close(fd);
}

/* ---- ids ----------------------------------------------------------------------------------- */

static long next_id(uint32_t after, uint32_t *id)
{
    union bpf_attr attr = {.start_id = after};
    long err = mock_bpf(BPF_MAP_GET_NEXT_ID, &attr, sizeof(attr));

    *id = attr.next_id;
    return err;
}

TEST(ids_are_walked_in_order_and_give_fds)
{
    int fds[3], again;
    uint32_t ids[3], id, last = 0;
    union bpf_attr attr;

    for (unsigned i = 0; i < 3; i++) {
        fds[i] = create(BPF_MAP_TYPE_ARRAY, 4, 8, i + 1);
        CHECK_EQ(next_id(last, &ids[i]), 0);
        CHECK(ids[i] > last);
        last = ids[i];
    }
    CHECK_EQ(next_id(last, &id), -ENOENT);
    CHECK_EQ(next_id(INT32_MAX, &id), -EINVAL);
    attr = (union bpf_attr){.map_id = ids[1]};
    again = (int)mock_bpf(BPF_MAP_GET_FD_BY_ID, &attr, sizeof(attr));
    CHECK(again >= 0 && again != fds[1]);
    ebpf_fd_close(fds[1]);
    CHECK_EQ(next_id(ids[0], &id), 0);
    CHECK_EQ(id, ids[1]); /* the new fd keeps it */
    ebpf_fd_close(again);
    CHECK_EQ(next_id(ids[0], &id), 0);
    CHECK_EQ(id, ids[2]);
    attr = (union bpf_attr){.map_id = ids[1]};
    CHECK_EQ(mock_bpf(BPF_MAP_GET_FD_BY_ID, &attr, sizeof(attr)), -ENOENT);
    attr = (union bpf_attr){.map_id = ids[2], .open_flags = BPF_F_RDONLY};
    CHECK_EQ(mock_bpf(BPF_MAP_GET_FD_BY_ID, &attr, sizeof(attr)), -EINVAL);
    ebpf_fd_close(fds[0]);
    ebpf_fd_close(fds[2]);
}

TEST(ids_are_for_who_may_everything)
{
    static const int cmds[] = {BPF_MAP_GET_NEXT_ID,  BPF_PROG_GET_NEXT_ID,  BPF_LINK_GET_NEXT_ID,
                               BPF_MAP_GET_FD_BY_ID, BPF_PROG_GET_FD_BY_ID, BPF_LINK_GET_FD_BY_ID};

    for (unsigned i = 0; i < 6; i++) {
        union bpf_attr attr = {.start_id = 5};

        mock_caps = EBPF_CAP_ALL & ~EBPF_CAP_TRUST;
        CHECK_EQ(mock_bpf(cmds[i], &attr, sizeof(attr)), -EPERM);
        mock_caps = EBPF_CAP_ALL;
        attr = (union bpf_attr){.start_id = 5};
        CHECK_EQ(mock_bpf(cmds[i], &attr, sizeof(attr)), -ENOENT);
    }
}

/* ---- batches ------------------------------------------------------------------------------- */

TEST(batch_faults_and_memory_running_out_change_no_counts)
{
    int fd = create(BPF_MAP_TYPE_HASH, 4, 8, 40);
    uint64_t keys = mock_user_alloc(400), values = mock_user_alloc(800), at = mock_user_alloc(8);
    union bpf_attr attr;
    uint32_t key;
    struct ebpf_map *map;

    REQUIRE(!ebpf_map_from_fd(fd, &map));
    for (key = 0; key < 40; key++)
        memcpy((char *)mock_user(keys) + 4 * key, &key, 4);
    attr = (union bpf_attr){.batch = {.keys = keys, .values = values, .count = 40}};
    attr.batch.map_fd = (uint32_t)fd;
    CHECK_EQ(mock_bpf(BPF_MAP_UPDATE_BATCH, &attr, sizeof(attr)), 0);
    CHECK_EQ(attr.batch.count, 40);
    for (unsigned n = 1;; n++) {
        attr = (union bpf_attr){.batch = {.keys = keys, .values = values, .count = 40}};
        attr.batch.map_fd = (uint32_t)fd;
        attr.batch.out_batch = at;
        mock_fail_alloc(n);
        long err = mock_bpf(BPF_MAP_LOOKUP_BATCH, &attr, sizeof(attr));
        if (!mock_alloc_failed()) {
            mock_fail_alloc(0);
            CHECK(err == 0 || err == -ENOENT);
            CHECK_EQ(attr.batch.count, 40);
            CHECK(n > 2);
            break;
        }
        CHECK_EQ(err, -ENOMEM);
    }
    attr = (union bpf_attr){.batch = {.keys = MOCK_BAD_ADDR, .values = values, .count = 40}};
    attr.batch.map_fd = (uint32_t)fd;
    attr.batch.out_batch = at;
    CHECK_EQ(mock_bpf(BPF_MAP_LOOKUP_BATCH, &attr, sizeof(attr)), -EFAULT);
    CHECK_EQ(attr.batch.count, 0);
    attr = (union bpf_attr){.batch = {.keys = keys, .values = values, .count = 41}};
    attr.batch.map_fd = (uint32_t)fd;
    attr.batch.out_batch = MOCK_BAD_ADDR;
    CHECK_EQ(mock_bpf(BPF_MAP_LOOKUP_BATCH, &attr, sizeof(attr)), -EFAULT);
    key = 0;
    CHECK_EQ(ebpf_map_delete(map, &key), 0); /* all are still there */
    ebpf_obj_put(ebpf_map_obj(map));
    ebpf_fd_close(fd);
}

/* All keys in one bucket: more than the first room, and than the caller's. */
TEST(batch_of_a_long_chain_is_whole_or_enospc)
{
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = 1};
    const struct ebpf_caller kernel = {.caps = EBPF_CAP_ALL, .kernel = true};
    uint32_t keys[64], values[64], at;
    int fd;

    for (spec.max_entries = 1; spec.max_entries <= 64; spec.max_entries++) {
        struct ebpf_map *map;
        uint32_t done = 0, calls = 0;
        long err = 0;

        REQUIRE(!ebpf_map_create(&spec, &map));
        fd = ebpf_os_fd_install(ebpf_map_obj(map));
        for (uint32_t key = 0; key < spec.max_entries; key++)
            CHECK_EQ(ebpf_map_update(map, &key, &key, 0), 0);
        while (!err) {
            union bpf_attr attr = {.batch = {.count = calls % 2 ? 64 : 1}};

            REQUIRE(++calls < 300);
            attr.batch.map_fd = (uint32_t)fd;
            attr.batch.keys = (uintptr_t)keys;
            attr.batch.values = (uintptr_t)values;
            attr.batch.in_batch = calls > 1 ? (uintptr_t)&at : 0;
            attr.batch.out_batch = (uintptr_t)&at;
            err =
                ebpf_bpf(BPF_MAP_LOOKUP_AND_DELETE_BATCH, (uintptr_t)&attr, sizeof(attr), &kernel);
            done += attr.batch.count;
            if (err == -ENOSPC) {
                CHECK_EQ(attr.batch.count, 0);
                err = 0;
            }
        }
        CHECK_EQ(err, -ENOENT);
        CHECK_EQ(done, spec.max_entries);
        CHECK_EQ(ebpf_map_next_key(map, NULL, &at), -ENOENT);
        ebpf_fd_close(fd);
    }
}
