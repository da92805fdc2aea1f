/* SPDX-License-Identifier: MIT */
/* BTF objects: commands of bpf(2), looking types up, special members, types of maps. Which blobs
 * are refused, and by what, is compared with Linux in host/test_btf_linux.c. */
#include "tests/unit/btf_build.h"
#include "tests/unit/test.h"

#include "maps/map.h"
#include "src/btf/btf.h"

static uint8_t blob[BTF_BLOB_MAX];

static struct ebpf_btf *load(const struct btf_blob *b)
{
    struct ebpf_btf *btf = NULL;

    CHECK_EQ(ebpf_btf_load(blob, bb_end(b, blob), &btf), 0);
    return btf;
}

static void put(struct ebpf_btf *btf)
{
    ebpf_obj_put(ebpf_btf_obj(btf));
}

static long load_user(const struct btf_blob *b, union bpf_attr *attr)
{
    uint32_t size = bb_end(b, blob);

    attr->btf = mock_user_copy(blob, size);
    attr->btf_size = size;
    return mock_bpf(BPF_BTF_LOAD, attr, sizeof(*attr));
}

TEST(btf_load_frees_all_when_any_allocation_fails)
{
    struct btf_blob b;
    int err = -ENOMEM;

    bb_begin(&b);
    bb_add_all(&b);
    for (unsigned n = 1; err; n++) {
        struct ebpf_btf *btf = NULL;

        mock_fail_alloc(n);
        err = ebpf_btf_load(blob, bb_end(&b, blob), &btf);
        CHECK_EQ(err, mock_alloc_failed() ? -ENOMEM : 0);
        if (!err)
            put(btf);
        REQUIRE(n < 50);
    }
    mock_fail_alloc(0);
}

TEST(btf_log_shows_every_type_and_the_reason)
{
    union bpf_attr attr = {0};
    struct btf_blob b;
    uint32_t s;

    bb_begin(&b);
    bb_add_int(&b, "int", 4, BTF_INT_SIGNED);
    s = bb_add(&b, "pair", BTF_KIND_STRUCT, 2, false, 4);
    bb_add_member(&b, "a", 1, 0);
    bb_add_member(&b, "b", 1, 32);
    attr.btf_log_buf = mock_user_alloc(512);
    attr.btf_log_size = 512;
    attr.btf_log_level = 1;
    CHECK_EQ(s, 2);
    CHECK_EQ(load_user(&b, &attr), -EINVAL);
    CHECK_STR(strchr((char *)mock_user(attr.btf_log_buf), '['),
              "[1] INT int size=4 bits_offset=0 nr_bits=32 encoding=SIGNED\n"
              "[2] STRUCT pair size=4 vlen=2\n"
              "\ta type_id=1 bits_offset=0\n"
              "\tb type_id=1 bits_offset=32\n"
              "[2] STRUCT pair size=4 vlen=2\n"
              "\tb type_id=1 bits_offset=32 Member exceeds struct_size\n");
    CHECK_EQ(attr.btf_log_true_size, strlen(mock_user(attr.btf_log_buf)) + 1);
    attr.btf_log_size = 16;
    CHECK_EQ(load_user(&b, &attr), -ENOSPC);
}

TEST(btf_load_wrong_uses)
{
    union bpf_attr attr = {.btf_flags = 1};
    struct btf_blob b;

    bb_begin(&b);
    bb_add_int(&b, "int", 4, 0);
    CHECK_EQ(load_user(&b, &attr), -EINVAL);
    attr.btf_flags = 0;
    mock_caps = EBPF_CAP_ALL & ~EBPF_CAP_BPF;
    CHECK_EQ(load_user(&b, &attr), -EPERM);
    mock_caps = EBPF_CAP_ALL;
    attr.btf_size = (16u << 20) + 1;
    CHECK_EQ(mock_bpf(BPF_BTF_LOAD, &attr, sizeof(attr)), -E2BIG);
    attr.btf_size = 64;
    attr.btf = MOCK_BAD_ADDR;
    CHECK_EQ(mock_bpf(BPF_BTF_LOAD, &attr, sizeof(attr)), -EFAULT);
    attr.btf_log_level = 16;
    CHECK_EQ(mock_bpf(BPF_BTF_LOAD, &attr, sizeof(attr)), -EINVAL);
}

TEST(btf_is_found_by_id_and_given_back_byte_for_byte)
{
    union bpf_attr attr = {0}, id = {0}, get = {0};
    struct bpf_btf_info info = {0};
    struct btf_blob b;
    uint32_t size;
    long fd, again;

    bb_begin(&b);
    bb_add_all(&b);
    size = bb_end(&b, blob);
    fd = load_user(&b, &attr);
    REQUIRE(fd >= 0);
    CHECK_EQ(mock_bpf(BPF_BTF_GET_NEXT_ID, &id, sizeof(id)), 0);
    get.btf_id = id.next_id;
    again = mock_bpf(BPF_BTF_GET_FD_BY_ID, &get, sizeof(get));
    REQUIRE(again >= 0);
    info.btf = mock_user_alloc(size);
    info.btf_size = size;
    memset(&attr, 0, sizeof(attr));
    attr.info.bpf_fd = (uint32_t)again;
    attr.info.info_len = sizeof(info);
    attr.info.info = mock_user_copy(&info, sizeof(info));
    CHECK_EQ(mock_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)), 0);
    memcpy(&info, mock_user(attr.info.info), sizeof(info));
    CHECK_EQ(info.id, id.next_id);
    CHECK_EQ(info.btf_size, size);
    CHECK(!memcmp(mock_user(info.btf), blob, size));
    id.start_id = id.next_id;
    CHECK_EQ(mock_bpf(BPF_BTF_GET_NEXT_ID, &id, sizeof(id)), -ENOENT);
    mock_caps = EBPF_CAP_ALL & ~EBPF_CAP_TRUST;
    CHECK_EQ(mock_bpf(BPF_BTF_GET_FD_BY_ID, &get, sizeof(get)), -EPERM);
    mock_caps = EBPF_CAP_ALL;
}

TEST(btf_types_are_looked_up)
{
    struct btf_blob b;
    struct ebpf_btf *btf;
    uint32_t id, size, cursor = 0;

    bb_begin(&b);
    bb_add_all(&b);
    btf = load(&b);
    REQUIRE(btf);
    CHECK(!ebpf_btf_type(btf, b.type_cnt));
    CHECK_EQ(btf_kind(ebpf_btf_type(btf, 0)), BTF_KIND_UNKN);
    id = ebpf_btf_find(btf, "node_t", BTF_KIND_TYPEDEF);
    CHECK(id && !ebpf_btf_find(btf, "node_t", BTF_KIND_STRUCT));
    CHECK_STR(ebpf_btf_name(btf, ebpf_btf_skip(btf, id, NULL)), "node");
    CHECK(ebpf_btf_sized(btf, &id, &size) && size == 48);
    CHECK_EQ(id, ebpf_btf_find(btf, "node", BTF_KIND_STRUCT));
    id = ebpf_btf_find(btf, "work", BTF_KIND_FUNC);
    CHECK_EQ(btf_vlen(ebpf_btf_type(btf, id)), BTF_FUNC_GLOBAL);
    CHECK_EQ(btf_vlen(ebpf_btf_func_proto(btf, id)), 2);
    CHECK(!ebpf_btf_func_proto(btf, 1));
    CHECK_STR(ebpf_btf_next_tag(btf, id, 0, &cursor), "arg:nonnull");
    CHECK_STR(ebpf_btf_next_tag(btf, id, 0, &cursor), "arg:ctx");
    CHECK(!ebpf_btf_next_tag(btf, id, 0, &cursor));
    CHECK(!ebpf_btf_next_tag(btf, id, 0, &cursor));
    put(btf);
}

/* ---- special members ---- */

struct locks {
    struct btf_blob b;
    uint32_t number, lock, timer, pair;
};

static void locks_begin(struct locks *l)
{
    bb_begin(&l->b);
    l->number = bb_add_int(&l->b, "int", 4, BTF_INT_SIGNED);
    l->lock = bb_add(&l->b, "bpf_spin_lock", BTF_KIND_STRUCT, 1, false, 4);
    bb_add_member(&l->b, "val", l->number, 0);
    l->timer = bb_add(&l->b, "bpf_timer", BTF_KIND_STRUCT, 0, false, 16);
    l->pair = bb_add_array(&l->b, l->timer, l->number, 2);
}

TEST(btf_find_field_walks_structs_and_arrays)
{
    struct locks l;
    uint32_t inner, one, value, two, off = 0;
    struct ebpf_btf *btf;

    locks_begin(&l);
    inner = bb_add(&l.b, "inner", BTF_KIND_STRUCT, 2, false, 24);
    bb_add_member(&l.b, "n", l.number, 0);
    bb_add_member(&l.b, "t", l.timer, 64);
    one = bb_add_array(&l.b, inner, l.number, 1);
    value = bb_add(&l.b, "value", BTF_KIND_STRUCT, 2, false, 40);
    bb_add_member(&l.b, "lock", l.lock, 32);
    bb_add_member(&l.b, "in", one, 128);
    two = bb_add(&l.b, "two", BTF_KIND_STRUCT, 1, false, 32);
    bb_add_member(&l.b, "t", l.pair, 0);
    btf = load(&l.b);
    REQUIRE(btf);
    CHECK_EQ(ebpf_btf_find_field(btf, value, "bpf_spin_lock", &off), 0);
    CHECK_EQ(off, 4);
    CHECK_EQ(ebpf_btf_find_field(btf, value, "bpf_timer", &off), 0);
    CHECK_EQ(off, 24);
    CHECK_EQ(ebpf_btf_find_field(btf, inner, "bpf_spin_lock", &off), -ENOENT);
    CHECK_EQ(ebpf_btf_find_field(btf, two, "bpf_timer", &off), -E2BIG);
    CHECK_EQ(ebpf_btf_find_field(btf, l.number, "bpf_timer", &off), -EINVAL);
    CHECK_EQ(ebpf_btf_find_field(btf, 1000, "bpf_timer", &off), -EINVAL);
    CHECK_EQ(ebpf_btf_find_field(btf, value, "bpf_other", &off), -EINVAL);
    put(btf);
}

/* 20 members of no size, each of which has 20 such members, and so on: 20^20 ways. */
TEST(btf_find_field_gives_up_on_endless_structs)
{
    struct ebpf_btf *btf;
    struct locks l;
    uint32_t last = 0, off;

    locks_begin(&l);
    for (unsigned depth = 0; depth < 20; depth++) {
        uint32_t next = bb_add(&l.b, "deep", BTF_KIND_STRUCT, last ? 20 : 0, false, 0);

        for (unsigned i = 0; last && i < 20; i++)
            bb_add_member(&l.b, NULL, last, 0);
        last = next;
    }
    btf = load(&l.b);
    REQUIRE(btf);
    CHECK_EQ(ebpf_btf_find_field(btf, last, "bpf_timer", &off), -E2BIG);
    put(btf);
}

TEST(btf_with_two_locks_in_a_struct_is_refused)
{
    struct ebpf_btf *btf;
    struct locks l;

    locks_begin(&l);
    bb_add(&l.b, "value", BTF_KIND_STRUCT, 2, false, 8);
    bb_add_member(&l.b, "a", l.lock, 0);
    bb_add_member(&l.b, "b", l.lock, 32);
    CHECK_EQ(ebpf_btf_load(blob, bb_end(&l.b, blob), &btf), -E2BIG);
}

TEST(map_with_types_knows_where_its_lock_is)
{
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 4};
    struct ebpf_map *map;
    struct locks l;

    locks_begin(&l);
    spec.btf_key_type_id = l.number;
    spec.btf_value_type_id = bb_add(&l.b, "value", BTF_KIND_STRUCT, 1, false, 8);
    bb_add_member(&l.b, "a", l.lock, 32);
    spec.btf = load(&l.b);
    REQUIRE(spec.btf);
    REQUIRE(!ebpf_map_create(&spec, &map));
    CHECK_EQ(map->lock_off, 4);
    CHECK_EQ(map->timer_off, -1);
    put(spec.btf); /* the map has its own reference */
    CHECK_STR(ebpf_btf_name(map->btf, ebpf_btf_type(map->btf, map->btf_value_type_id)), "value");
    spec.flags = BPF_F_RDONLY_PROG;
    ebpf_obj_get(ebpf_btf_obj(spec.btf));
    {
        struct ebpf_map *other;

        CHECK_EQ(ebpf_map_create(&spec, &other), -EACCES);
        spec.flags = 0;
        spec.value_size = 12;
        CHECK_EQ(ebpf_map_create(&spec, &other), -EINVAL);
        spec.value_size = 8;
        spec.type = BPF_MAP_TYPE_LRU_HASH;
        CHECK_EQ(ebpf_map_create(&spec, &other), -EOPNOTSUPP);
    }
    put(spec.btf);
    ebpf_obj_put(ebpf_map_obj(map));
}
