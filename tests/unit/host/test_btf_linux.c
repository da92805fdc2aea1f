/* SPDX-License-Identifier: MIT */
/* BPF_BTF_LOAD, ours and that of the Linux kernel this machine runs: the same blobs, the same
 * answers. Whole blobs, changed in one to a few words, cut off, and graphs of types made up at
 * random. Skipped where bpf(2) is not ours to use. BTF_LINUX_N in the environment: how many of
 * each. */
#include "tests/unit/btf_build.h"
#include "tests/unit/test.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <ebpf/ebpf.h>

#define LOG 65536

static const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL, .kernel = true};
static char logs[2][LOG];
static uint64_t state;
static uint8_t blob[BTF_BLOB_MAX + 64], changed[BTF_BLOB_MAX + 64];
static unsigned accepted, compared, differ;

static uint32_t rnd(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static long load(int linux_too, const void *data, uint32_t size, uint32_t level)
{
    union bpf_attr attr = {0};
    long ret;

    attr.btf = (uintptr_t)data;
    attr.btf_size = size;
    if (level) {
        attr.btf_log_buf = (uintptr_t)logs[linux_too];
        attr.btf_log_size = LOG;
        attr.btf_log_level = level;
    }
    if (linux_too) {
        ret = syscall(SYS_bpf, BPF_BTF_LOAD, &attr, 32);
        if (ret >= 0)
            close((int)ret);
        return ret < 0 ? -errno : 0;
    }
    ret = ebpf_bpf(BPF_BTF_LOAD, (uintptr_t)&attr, 32, &caller);
    if (ret >= 0)
        ebpf_fd_close((int)ret);
    return ret < 0 ? ret : 0;
}

static bool no_bpf(void)
{
    struct btf_blob b;

    bb_begin(&b);
    bb_add_int(&b, "int", 4, BTF_INT_SIGNED);
    if (load(1, blob, bb_end(&b, blob), 0) != -EPERM)
        return false;
    test_skip("bpf(2) is not permitted here");
    return true;
}

static long compare(const void *data, uint32_t size, const char *what, uint64_t seed)
{
    long ours = load(0, data, size, 0), theirs = load(1, data, size, 0);

    compared++;
    accepted += !theirs;
    if (ours == theirs)
        return ours;
    if (++differ <= 5) {
        load(0, data, size, 1);
        load(1, data, size, 1);
        test_fail(__FILE__, __LINE__,
                  "%s %llu: ours %ld, Linux's %ld\n--- ours\n%s\n--- Linux's\n%s", what,
                  (unsigned long long)seed, ours, theirs, logs[0], logs[1]);
    }
    return ours;
}

static unsigned number(void)
{
    const char *text = getenv("BTF_LINUX_N");

    return text ? (unsigned)atoi(text) : 4000;
}

static void begin(uint64_t seed)
{
    state = seed * 0x9e3779b97f4a7c15u + 12345;
}

static void summary(void)
{
    CHECK_EQ(differ, 0);
    CHECK(accepted > compared / 100); /* else nothing was compared but refusals */
    if (getenv("BTF_LINUX_N"))
        printf("%u compared, %u of them accepted, %u differ\n", compared, accepted, differ);
    accepted = compared = differ = 0;
}

TEST(btf_of_every_kind_is_accepted_as_by_linux)
{
    struct btf_blob b;

    if (no_bpf())
        return;
    bb_begin(&b);
    bb_add_all(&b);
    CHECK_EQ(compare(blob, bb_end(&b, blob), "all", 0), 0);
    summary();
}

/* What a word may become. */
static uint32_t other_word(const uint32_t *words, uint32_t cnt, uint32_t i)
{
    switch (rnd(9)) {
    case 0:
        return words[i] ^ 1u << rnd(32);
    case 1:
        return words[rnd(cnt)];
    case 2:
        return words[i] + 1;
    case 3:
        return words[i] - 1;
    case 4:
        return 0;
    case 5:
        return UINT32_MAX >> rnd(32);
    case 6:
        return (words[i] & 0xffffff) | rnd(22) << 24 | rnd(2) << 31;
    default:
        return rnd(34);
    }
}

TEST(btf_changed_in_a_few_words_gets_linuxs_answer)
{
    uint32_t size, words;
    struct btf_blob b;

    if (no_bpf())
        return;
    bb_begin(&b);
    bb_add_all(&b);
    size = bb_end(&b, blob);
    words = (uint32_t)(sizeof(struct btf_header) / 4) + b.word_cnt;
    for (unsigned seed = 0; seed < number(); seed++) {
        uint32_t *w = (uint32_t *)(void *)changed;

        begin(seed);
        memcpy(changed, blob, size);
        for (unsigned n = 1 + rnd(3); n; n--) {
            uint32_t i = rnd(words);

            w[i] = other_word(w, words, i);
        }
        if (!rnd(8))
            changed[words * 4 + rnd(b.str_len)] = (uint8_t)rnd(256);
        compare(changed, size, "words", seed);
    }
    summary();
}

TEST(btf_cut_off_or_with_a_changed_header_gets_linuxs_answer)
{
    uint32_t size;
    struct btf_blob b;

    if (no_bpf())
        return;
    bb_begin(&b);
    bb_add_all(&b);
    size = bb_end(&b, blob);
    for (uint32_t part = 0; part <= size; part++)
        compare(blob, part, "first bytes", part);
    for (unsigned seed = 0; seed < number() / 4; seed++) {
        struct btf_header h;

        begin(seed);
        memcpy(changed, blob, size + 64);
        memcpy(&h, blob, sizeof(h));
        h.hdr_len = rnd(2) ? 24 : rnd(40);
        h.type_len = rnd(2) ? h.type_len : rnd(h.type_len + 8);
        h.type_off = rnd(3) ? 0 : rnd(16);
        h.str_off = rnd(2) ? h.type_len + h.type_off : rnd(size + 4);
        h.str_len = rnd(2) ? h.str_len : rnd(size);
        h.flags = rnd(8) ? 0 : 1;
        h.version = rnd(8) ? 1 : (uint8_t)rnd(3);
        memcpy(changed, &h, sizeof(h));
        compare(changed, size - 3 + rnd(8), "header", seed);
    }
    for (uint32_t name = 0; name < 600; name++) { /* longest names */
        char text[700];

        memset(text, 'n', name);
        text[name] = 0;
        bb_begin(&b);
        bb_add(&b, text, BTF_KIND_FWD, 0, false, 0);
        compare(blob, bb_end(&b, blob), "name", name);
    }
    for (unsigned c = 1; c < 256; c++) { /* characters of names and of sections' names */
        const char texts[2][3] = {{(char)c}, {'a', (char)c}};

        for (unsigned i = 0; i < 2; i++) {
            bb_begin(&b);
            bb_add(&b, texts[i], BTF_KIND_FWD, 0, false, 0);
            compare(blob, bb_end(&b, blob), "identifier", c);
            bb_begin(&b);
            bb_add(&b, texts[i], BTF_KIND_DATASEC, 0, false, 4);
            compare(blob, bb_end(&b, blob), "section", c);
        }
    }
    summary();
}

/* ---- graphs ---- */

static uint32_t any_type(uint32_t cnt)
{
    return rnd(20) ? 1 + rnd(cnt) : rnd(cnt + 3);
}

static void random_struct(struct btf_blob *b, uint32_t cnt, uint32_t kind)
{
    uint32_t vlen = rnd(4), at = 0;
    bool kflag = !rnd(3);

    bb_add(b, rnd(4) ? "s" : NULL, kind, vlen, kflag, rnd(4) ? 64 : rnd(32));
    for (uint32_t i = 0; i < vlen; i++) {
        bb_add_member(b, rnd(4) ? "m" : NULL, any_type(cnt),
                      (kind == BTF_KIND_UNION ? 0 : at) | (kflag && rnd(2) ? rnd(40) << 24 : 0));
        at += rnd(6) ? 64 : rnd(40);
    }
}

static void random_proto(struct btf_blob *b, uint32_t cnt)
{
    uint32_t vlen = rnd(3);

    bb_add(b, NULL, BTF_KIND_FUNC_PROTO, vlen, false, rnd(3) ? any_type(cnt) : 0);
    for (uint32_t i = 0; i < vlen; i++) {
        bb_word(b, rnd(6) ? bb_str(b, "a") : 0);
        bb_word(b, rnd(6) ? any_type(cnt) : 0);
    }
}

static void random_datasec(struct btf_blob *b, uint32_t cnt)
{
    uint32_t vlen = rnd(3);

    bb_add(b, ".data", BTF_KIND_DATASEC, vlen, false, 64);
    for (uint32_t i = 0; i < vlen; i++) {
        bb_word(b, any_type(cnt));
        bb_word(b, i * 16);
        bb_word(b, rnd(4) ? 8 : rnd(20));
    }
}

static void random_type(struct btf_blob *b, uint32_t cnt, const uint8_t *kinds, uint32_t kind_cnt)
{
    uint32_t kind = kinds[rnd(kind_cnt)];

    switch (kind) {
    case BTF_KIND_INT:
        bb_add_int(b, "i", rnd(4) ? 1u << rnd(5) : rnd(17), rnd(5));
        break;
    case BTF_KIND_ARRAY:
        bb_add_array(b, any_type(cnt), rnd(2) ? 1 : any_type(cnt),
                     rnd(8) ? rnd(3) : UINT32_MAX >> rnd(32));
        break;
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
        random_struct(b, cnt, kind);
        break;
    case BTF_KIND_FUNC_PROTO:
        random_proto(b, cnt);
        break;
    case BTF_KIND_DATASEC:
        random_datasec(b, cnt);
        break;
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
        bb_add(b, rnd(2) ? "e" : NULL, kind, 0, rnd(2), rnd(3) ? 4 : rnd(10));
        break;
    case BTF_KIND_FLOAT:
        bb_add(b, "f", kind, 0, false, rnd(2) ? 8 : rnd(17));
        break;
    case BTF_KIND_FWD:
        bb_add(b, "w", kind, 0, rnd(2), 0);
        break;
    case BTF_KIND_VAR:
    case BTF_KIND_DECL_TAG:
        bb_add(b, "v", kind, 0, kind == BTF_KIND_DECL_TAG && !rnd(4), any_type(cnt));
        bb_word(b, kind == BTF_KIND_VAR ? rnd(2) : rnd(4) - 1);
        break;
    case BTF_KIND_FUNC:
        bb_add(b, "f", kind, rnd(2), false, any_type(cnt));
        break;
    default: /* pointers and modifiers */
        bb_add(b, kind == BTF_KIND_TYPEDEF || kind == BTF_KIND_TYPE_TAG ? "t" : NULL, kind, 0,
               kind == BTF_KIND_TYPE_TAG && !rnd(4), rnd(8) ? any_type(cnt) : 0);
        break;
    }
}

/* Few kinds at a time, so that something long and valid comes about now and then. */
TEST(btf_graphs_of_types_get_linuxs_answer)
{
    static const uint8_t sets[][9] = {
        {BTF_KIND_PTR, BTF_KIND_CONST, BTF_KIND_TYPEDEF, BTF_KIND_STRUCT, BTF_KIND_INT},
        {BTF_KIND_PTR, BTF_KIND_TYPE_TAG, BTF_KIND_VOLATILE, BTF_KIND_FWD, BTF_KIND_RESTRICT},
        {BTF_KIND_ARRAY, BTF_KIND_STRUCT, BTF_KIND_INT, BTF_KIND_TYPEDEF, BTF_KIND_PTR},
        {BTF_KIND_FUNC, BTF_KIND_FUNC_PROTO, BTF_KIND_INT, BTF_KIND_PTR, BTF_KIND_DECL_TAG},
        {BTF_KIND_VAR, BTF_KIND_DATASEC, BTF_KIND_INT, BTF_KIND_CONST, BTF_KIND_STRUCT,
         BTF_KIND_PTR, BTF_KIND_ARRAY},
        {BTF_KIND_UNION, BTF_KIND_ENUM, BTF_KIND_ENUM64, BTF_KIND_FLOAT, BTF_KIND_STRUCT,
         BTF_KIND_INT},
        {BTF_KIND_CONST, BTF_KIND_VOLATILE},
        {BTF_KIND_STRUCT, BTF_KIND_PTR, BTF_KIND_ARRAY, BTF_KIND_CONST, BTF_KIND_INT, BTF_KIND_INT,
         BTF_KIND_FLOAT, BTF_KIND_ENUM},
    };

    if (no_bpf())
        return;
    for (unsigned seed = 0; seed < number() * 4; seed++) {
        struct btf_blob b;
        uint32_t set, kinds = 0, cnt;

        begin(seed);
        set = rnd(sizeof(sets) / sizeof(sets[0]));
        while (kinds < 9 && sets[set][kinds])
            kinds++;
        cnt = 2 + rnd(set == 6 ? 60 : rnd(4) ? 6 : 14);
        bb_begin(&b);
        bb_add_int(&b, "int", 4, BTF_INT_SIGNED);
        for (uint32_t i = 1; i < cnt; i++)
            random_type(&b, cnt, sets[set], kinds);
        compare(blob, bb_end(&b, blob), "graph", seed);
    }
    summary();
}

/* The deepest chains: the limit is Linux's to the step, and in its order. */
TEST(btf_chains_of_every_length_get_linuxs_answer)
{
    static const uint32_t kinds[] = {BTF_KIND_PTR,   BTF_KIND_CONST,  BTF_KIND_TYPEDEF,
                                     BTF_KIND_ARRAY, BTF_KIND_STRUCT, BTF_KIND_TYPE_TAG};

    if (no_bpf())
        return;
    for (uint32_t length = 1; length < 80; length++) {
        for (unsigned k = 0; k < 12; k++) {
            bool up = k & 1; /* a type refers to the next one, or to the one before */
            struct btf_blob b;

            bb_begin(&b);
            bb_add_int(&b, "int", 4, 0);
            for (uint32_t i = 0; i < length; i++) {
                uint32_t kind = kinds[k / 2], to = up && i + 1 < length ? i + 3 : up ? 1 : i + 1;

                if (kind == BTF_KIND_ARRAY) {
                    bb_add_array(&b, to, 1, 1);
                } else if (kind == BTF_KIND_STRUCT) {
                    bb_add(&b, "s", kind, 1, false, 4);
                    bb_add_member(&b, "m", to, 0);
                } else {
                    bb_add(&b, kind == BTF_KIND_TYPEDEF || kind == BTF_KIND_TYPE_TAG ? "t" : NULL,
                           kind, 0, false, to);
                }
            }
            compare(blob, bb_end(&b, blob), "chain", length * 100 + k);
        }
    }
    summary();
}

/* ---- maps ---- */

static long create(int linux_too, const union bpf_attr *asked, int fd)
{
    union bpf_attr attr = *asked;
    long ret;

    attr.btf_fd = (uint32_t)fd;
    if (linux_too) {
        ret = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, 80);
        if (ret >= 0)
            close((int)ret);
        return ret < 0 ? -errno : 0;
    }
    ret = ebpf_bpf(BPF_MAP_CREATE, (uintptr_t)&attr, 80, &caller);
    if (ret >= 0)
        ebpf_fd_close((int)ret);
    return ret < 0 ? ret : 0;
}

/* Which keys (none, int, struct, enum, number too large) go with which kind of map. */
TEST(map_types_of_keys_get_linuxs_answer)
{
    static const uint32_t maps[][5] = {
        /* type, key size, value size, entries, flags */
        {BPF_MAP_TYPE_HASH, 4, 4, 1, 0},       {BPF_MAP_TYPE_HASH, 8, 4, 1, 0},
        {BPF_MAP_TYPE_HASH, 4, 8, 1, 0},       {BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0},
        {BPF_MAP_TYPE_ARRAY, 4, 4, 2, 0},      {BPF_MAP_TYPE_PERCPU_ARRAY, 4, 4, 1, 0},
        {BPF_MAP_TYPE_LRU_HASH, 4, 4, 1, 0},   {BPF_MAP_TYPE_LPM_TRIE, 8, 4, 1, BPF_F_NO_PREALLOC},
        {BPF_MAP_TYPE_QUEUE, 0, 4, 1, 0},      {BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0},
        {BPF_MAP_TYPE_STACK, 0, 4, 1, 0},      {BPF_MAP_TYPE_BLOOM_FILTER, 0, 4, 1, 0},
        {BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, 0}, {BPF_MAP_TYPE_PERCPU_HASH, 4, 4, 1, 0},
    };
    union bpf_attr attr = {0};
    struct btf_blob b;
    int fds[2];

    if (no_bpf())
        return;
    bb_begin(&b);
    bb_add_int(&b, "int", 4, BTF_INT_SIGNED);
    bb_add(&b, "k", BTF_KIND_STRUCT, 1, false, 8);
    bb_add_member(&b, "x", 1, 0);
    bb_add(&b, "e", BTF_KIND_ENUM, 0, false, 4);
    attr.btf = (uintptr_t)blob;
    attr.btf_size = bb_end(&b, blob);
    fds[0] = (int)ebpf_bpf(BPF_BTF_LOAD, (uintptr_t)&attr, 32, &caller);
    fds[1] = (int)syscall(SYS_bpf, BPF_BTF_LOAD, &attr, 32);
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        for (uint32_t key = 0; key < 5; key++) {
            for (uint32_t value = 0; value < 3; value++) {
                memset(&attr, 0, sizeof(attr));
                attr.map_type = maps[i][0];
                attr.key_size = maps[i][1];
                attr.value_size = maps[i][2];
                attr.max_entries = maps[i][3];
                attr.map_flags = maps[i][4];
                attr.btf_key_type_id = key;
                attr.btf_value_type_id = value;
                if (create(0, &attr, fds[0]) != create(1, &attr, fds[1]))
                    test_fail(__FILE__, __LINE__, "map %u, key %u, value %u: ours %ld, Linux's %ld",
                              (unsigned)i, key, value, create(0, &attr, fds[0]),
                              create(1, &attr, fds[1]));
            }
        }
    }
    ebpf_fd_close(fds[0]);
    close(fds[1]);
}
