/* SPDX-License-Identifier: MIT */
/* The same programs on our library and on the machine's own Linux, with the same bytes in their map
 * and the same packet: what helpers return and leave must agree. Skipped where bpf(2) is not ours
 * to use, or older than what we follow. */
#include "tests/unit/host/linux_map.h"

#include "src/core/prog.h"
#include "tests/unit/insn.h"

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R4 BPF_REG_4
#define R5 BPF_REG_5
#define R6 BPF_REG_6
#define R7 BPF_REG_7
#define R8 BPF_REG_8
#define R10 BPF_REG_10

/* What a program sees as its map's only value. */
struct memory {
    char data[256];
    uint64_t arg[4];
    int64_t ret[4];
};
#define ARG(n) ((int16_t)(256 + 8 * (n)))
#define RET(n) ((int16_t)(288 + 8 * (n)))

/* One side each: ours is 0, Linux's 1. */
struct world {
    int map[2], text[2], prog[2];
    bool
        /* the packet is compared: what is given back of a socket filter's changed after 6.12 */
        xdp;
    struct memory memory[2];
};

static const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL, .kernel = true};

static int side_bpf(unsigned side, int cmd, union bpf_attr *attr, uint32_t size)
{
    return side ? linux_bpf(cmd, attr, size) : (int)ebpf_bpf(cmd, (uintptr_t)attr, size, &caller);
}

static int side_map(unsigned side, uint32_t size, uint32_t flags)
{
    union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY,
                           .key_size = 4,
                           .value_size = size,
                           .max_entries = 1,
                           .map_flags = flags};

    return side_bpf(side, BPF_MAP_CREATE, &attr, 72);
}

static int side_element(unsigned side, int cmd, int fd, void *value)
{
    uint32_t key = 0;
    union bpf_attr attr = {.map_fd = (uint32_t)fd};

    attr.key = (uintptr_t)&key;
    attr.value = (uintptr_t)value;
    return side_bpf(side, cmd, &attr, 32);
}

static void side_close(unsigned side, int fd)
{
    struct ebpf_obj *obj;

    if (fd < 0)
        return;
    if (side)
        close(fd);
    else if (!ebpf_os_fd_get(fd, &obj)) {
        ebpf_obj_put(obj);
        ebpf_fd_close(fd);
    }
}

/* A constant text, in a map that nobody can change any more. */
static int side_text(unsigned side, const char *text)
{
    char value[64] = "";
    int fd = side_map(side, sizeof(value), BPF_F_RDONLY_PROG);
    union bpf_attr attr = {.map_fd = (uint32_t)fd};

    strncpy(value, text, sizeof(value) - 1);
    CHECK_EQ(side_element(side, BPF_MAP_UPDATE_ELEM, fd, value), 0);
    CHECK_EQ(side_bpf(side, BPF_MAP_FREEZE, &attr, 4), 0);
    return fd;
}

/* The map and the text are the fds 0 and 1 of the program. */
static int side_load(unsigned side, const struct world *w, uint32_t type,
                     const struct bpf_insn *insns, uint32_t cnt)
{
    static char log[65536];
    struct bpf_insn copy[128];
    union bpf_attr attr = {.prog_type = type,
                           .insns = (uintptr_t)copy,
                           .insn_cnt = cnt,
                           .license = (uintptr_t) "GPL",
                           .log_level = 1,
                           .log_size = sizeof(log),
                           .log_buf = (uintptr_t)log};
    int fd;

    memcpy(copy, insns, cnt * sizeof(*insns));
    for (uint32_t i = 0; i < cnt; i++) {
        if (copy[i].code == (BPF_LD | BPF_IMM | BPF_DW) && copy[i].src_reg == BPF_PSEUDO_MAP_VALUE)
            copy[i].imm = copy[i].imm ? w->text[side] : w->map[side];
    }
    log[0] = 0;
    fd = side_bpf(side, BPF_PROG_LOAD, &attr, 72);
    if (fd < 0)
        test_fail(__FILE__, __LINE__, "%s refuses the program: %d\n%s", side ? "Linux" : "we", fd,
                  log);
    return fd;
}

static void world_init(struct world *w, uint32_t type, const char *text,
                       const struct bpf_insn *insns, uint32_t cnt)
{
    memset(w, 0, sizeof(*w));
    w->xdp = type == BPF_PROG_TYPE_XDP;
    for (unsigned side = 0; side < 2; side++) {
        w->map[side] = side_map(side, sizeof(struct memory), 0);
        w->text[side] = side_text(side, text);
        w->prog[side] = side_load(side, w, type, insns, cnt);
    }
}

static void world_fini(struct world *w)
{
    for (unsigned side = 0; side < 2; side++) {
        side_close(side, w->prog[side]);
        side_close(side, w->text[side]);
        side_close(side, w->map[side]);
    }
}

/* Runs both on a packet of size bytes, from memory[0]. */
static bool world_run(struct world *w, uint32_t size)
{
    static uint8_t packet[4096], out[2][4096];
    uint32_t retval[2], out_size[2];
    int err[2];

    for (unsigned i = 0; i < size; i++)
        packet[i] = (uint8_t)(i * 7 + 1);
    w->memory[1] = w->memory[0];
    for (unsigned side = 0; side < 2; side++) {
        union bpf_attr attr = {.test = {.prog_fd = (uint32_t)w->prog[side],
                                        .data_in = (uintptr_t)packet,
                                        .data_size_in = size,
                                        .data_out = (uintptr_t)out[side],
                                        .data_size_out = sizeof(out[side])}};

        memset(out[side], 0, sizeof(out[side]));
        CHECK_EQ(side_element(side, BPF_MAP_UPDATE_ELEM, w->map[side], &w->memory[side]), 0);
        err[side] = side_bpf(side, BPF_PROG_TEST_RUN, &attr, sizeof(attr.test));
        CHECK_EQ(side_element(side, BPF_MAP_LOOKUP_ELEM, w->map[side], &w->memory[side]), 0);
        retval[side] = attr.test.retval;
        out_size[side] = attr.test.data_size_out;
    }
    if (err[0] != err[1] || retval[0] != retval[1])
        return false;
    if (w->xdp && (out_size[0] != out_size[1] || memcmp(out[0], out[1], sizeof(out[0]))))
        return false;
    return !memcmp(&w->memory[0], &w->memory[1], sizeof(w->memory[0]));
}

static uint64_t random_state;

static uint32_t rnd(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
/* r6 = context, r7 = the map's value */
#define BEGIN() BPF_MOV64_REG(R6, R1), BPF_LD_MAP_VALUE(R7, 0, 0)
#define TEXT(DST) BPF_LD_MAP_VALUE(DST, 1, 0)
#define END() BPF_STX_MEM(BPF_DW, R7, R0, RET(0)), BPF_MOV64_IMM(R0, 2), BPF_EXIT_INSN()
#define LOAD_ARG(DST, N) BPF_LDX_MEM(BPF_DW, DST, R7, ARG(N))

static bool usable(void)
{
    random_state = 1;
    if (linux_usable())
        return true;
    test_skip("no bpf(2) of Linux 6.12 or later here");
    return false;
}

static void random_number(char *text)
{
    static const char alphabet[] = "0123456789abcdefxX -+7f0\t\xa0";
    unsigned len = rnd(26), at = 0;

    if (rnd(3) == 0)
        at += (unsigned)sprintf(text, "%s", rnd(2) ? " -" : "0x");
    if (rnd(4) == 0)
        at += (unsigned)sprintf(text + at, "%llu", ~0ull >> rnd(4));
    while (at < len)
        text[at++] = alphabet[rnd(sizeof(alphabet) - 1)];
    text[at] = 0;
}

static void compare_numbers(int32_t helper)
{
    const struct bpf_insn insns[] = {
        BEGIN(),
        LOAD_ARG(R2, 0),
        BPF_JMP_IMM(BPF_JEQ, R2, 0, 7),
        BPF_JMP_IMM(BPF_JGT, R2, 200, 6),
        BPF_MOV64_REG(R1, R7),
        LOAD_ARG(R3, 1),
        BPF_MOV64_REG(R4, R7),
        BPF_ALU64_IMM(BPF_ADD, R4, RET(1)),
        BPF_EMIT_CALL(helper),
        END(),
    };
    static const uint64_t bases[] = {0, 0, 0, 8, 10, 16, 16, 7, 32, 1ull << 40};
    struct world w;

    world_init(&w, BPF_PROG_TYPE_SOCKET_FILTER, "", insns, COUNT(insns));
    for (unsigned round = 0; round < 3000; round++) {
        struct memory *m = &w.memory[0];

        memset(m, 0, sizeof(*m));
        random_number(m->data);
        m->arg[0] = rnd(8) ? strlen(m->data) : 1 + rnd(100);
        m->arg[1] = bases[rnd(COUNT(bases))];
        if (!world_run(&w, 64))
            test_fail(__FILE__, __LINE__, "%d(\"%s\", %llu, %llu): %lld %lld, Linux %lld %lld",
                      helper, m->data, (unsigned long long)m->arg[0], (unsigned long long)m->arg[1],
                      (long long)w.memory[0].ret[0], (long long)w.memory[0].ret[1],
                      (long long)w.memory[1].ret[0], (long long)w.memory[1].ret[1]);
    }
    world_fini(&w);
}

TEST(linux_agrees_on_numbers_in_texts)
{
    if (!usable())
        return;
    compare_numbers(105);
    compare_numbers(106);
}

TEST(linux_agrees_on_strncmp)
{
    static const char *const texts[] = {"", "a", "abc", "abd", "abcdefghi", "\xff\x01"};

    if (!usable())
        return;
    for (unsigned t = 0; t < COUNT(texts); t++) {
        const struct bpf_insn insns[] = {
            BEGIN(),
            LOAD_ARG(R2, 0),
            BPF_JMP_IMM(BPF_JEQ, R2, 0, 6),
            BPF_JMP_IMM(BPF_JGT, R2, 200, 5),
            BPF_MOV64_REG(R1, R7),
            TEXT(R3),
            BPF_EMIT_CALL(182),
            END(),
        };
        struct world w;

        world_init(&w, BPF_PROG_TYPE_SOCKET_FILTER, texts[t], insns, COUNT(insns));
        for (unsigned other = 0; other < COUNT(texts); other++) {
            for (uint64_t size = 1; size < 12; size++) {
                memset(&w.memory[0], 0, sizeof(w.memory[0]));
                strcpy(w.memory[0].data, texts[other]);
                w.memory[0].arg[0] = size;
                CHECK(world_run(&w, 64));
            }
        }
        world_fini(&w);
    }
}

TEST(linux_agrees_on_snprintf)
{
    static const char *const formats[] = {
        "%d %u %x",  "[%5d|%-5d|%05d]", "%+d % d %X", "%ld %llu %lx", "%c%c%c",
        "%s",        "%10s|%-10s",      "100%% %d",   "%i",           "%px",
        "%pi4 %pI4", "%pI6 %pi6",       "%d%d%d%d",   "no arguments", "%3c|%-3c",
    };

    if (!usable())
        return;
    for (unsigned f = 0; f < COUNT(formats); f++) {
        /* snprintf(data, arg 0, text, args at data + 128 bytes, 32); strings: addresses of the map
         * itself differ, so that %s prints what lies at 0: nothing */
        const struct bpf_insn insns[] = {
            BEGIN(),
            LOAD_ARG(R2, 0),
            BPF_JMP_IMM(BPF_JGT, R2, 100, 8),
            BPF_MOV64_REG(R1, R7),
            TEXT(R3),
            BPF_MOV64_REG(R4, R7),
            BPF_ALU64_IMM(BPF_ADD, R4, 128),
            BPF_MOV64_IMM(R5, 32),
            BPF_EMIT_CALL(165),
            END(),
        };
        struct world w;

        world_init(&w, BPF_PROG_TYPE_SOCKET_FILTER, formats[f], insns, COUNT(insns));
        for (unsigned round = 0; round < 60; round++) {
            struct memory *m = &w.memory[0];

            memset(m, 0, sizeof(*m));
            memset(m->data, '#', 110);
            /* Linux counts a second IP address as nothing where the first one is cut */
            m->arg[0] = strchr(formats[f], 'I') ? 100 : rnd(101);
            for (unsigned a = 0; a < 4; a++) {
                uint64_t value = (uint64_t)rnd(1u << 30) << rnd(30);

                if (strchr(formats[f], 's') || strstr(formats[f], "%pi") ||
                    strstr(formats[f], "%pI"))
                    value = 0;
                memcpy(m->data + 128 + 8 * a, &value, 8);
            }
            if (!world_run(&w, 64))
                test_fail(__FILE__, __LINE__,
                          "\"%s\", %llu: %lld \"%.110s\", Linux %lld \"%.110s\"", formats[f],
                          (unsigned long long)m->arg[0], (long long)w.memory[0].ret[0],
                          w.memory[0].data, (long long)w.memory[1].ret[0], w.memory[1].data);
        }
        world_fini(&w);
    }
}

TEST(linux_agrees_on_csum_diff)
{
    const struct bpf_insn insns[] = {
        BEGIN(),
        LOAD_ARG(R2, 0),
        BPF_ALU64_IMM(BPF_AND, R2, 127),
        LOAD_ARG(R4, 1),
        BPF_ALU64_IMM(BPF_AND, R4, 127),
        BPF_MOV64_REG(R1, R7),
        BPF_MOV64_REG(R3, R7),
        BPF_ALU64_IMM(BPF_ADD, R3, 128),
        LOAD_ARG(R5, 2),
        BPF_EMIT_CALL(28),
        END(),
    };
    struct world w;

    if (!usable())
        return;
    world_init(&w, BPF_PROG_TYPE_XDP, "", insns, COUNT(insns));
    for (unsigned round = 0; round < 3000; round++) {
        struct memory *m = &w.memory[0];

        memset(m, 0, sizeof(*m));
        for (unsigned i = 0; i < sizeof(m->data) && round % 5; i++)
            m->data[i] = round % 5 == 1 ? -1 : (char)rnd(256);
        m->arg[0] = rnd(32) * 4; /* after 6.12, Linux takes other sizes, too */
        m->arg[1] = rnd(32) * 4;
        m->arg[2] = rnd(2) ? rnd(1u << 31) * 2 : 0;
        if (!world_run(&w, 64))
            test_fail(__FILE__, __LINE__, "csum_diff(%llu, %llu, 0x%llx): 0x%llx, Linux 0x%llx",
                      (unsigned long long)m->arg[0], (unsigned long long)m->arg[1],
                      (unsigned long long)m->arg[2], (unsigned long long)w.memory[0].ret[0],
                      (unsigned long long)w.memory[1].ret[0]);
    }
    world_fini(&w);
}

TEST(linux_agrees_on_moving_the_ends_of_packets)
{
    static const int32_t helpers[] = {44, 54, 65};

    if (!usable())
        return;
    for (unsigned h = 0; h < COUNT(helpers); h++) {
        for (unsigned second = 0; second < COUNT(helpers); second++) {
            /* two of them, one behind the other, and the length */
            const struct bpf_insn insns[] = {
                BEGIN(),
                BPF_MOV64_REG(R1, R6),
                LOAD_ARG(R2, 0),
                BPF_EMIT_CALL(helpers[h]),
                BPF_STX_MEM(BPF_DW, R7, R0, RET(1)),
                BPF_MOV64_REG(R1, R6),
                LOAD_ARG(R2, 1),
                BPF_EMIT_CALL(helpers[second]),
                BPF_STX_MEM(BPF_DW, R7, R0, RET(2)),
                BPF_MOV64_REG(R1, R6),
                BPF_EMIT_CALL(188),
                END(),
            };
            static const int32_t steps[] = {
                0,  4,  -4,  1,    -1,   8,    -32,  36,        -36,       -216, -217, -220, 40,
                50, 51, -50, 3500, 4000, -256, -252, INT32_MIN, INT32_MAX, 3456, 3457, -255};
            struct world w;

            world_init(&w, BPF_PROG_TYPE_XDP, "", insns, COUNT(insns));
            for (unsigned i = 0; i < COUNT(steps) * COUNT(steps); i++) {
                struct memory *m = &w.memory[0];

                memset(m, 0, sizeof(*m));
                m->arg[0] = (uint64_t)(int64_t)steps[i % COUNT(steps)];
                m->arg[1] = (uint64_t)(int64_t)steps[i / COUNT(steps)];
                if (!world_run(&w, 64))
                    test_fail(__FILE__, __LINE__,
                              "%d(%lld), %d(%lld): %lld %lld %lld, Linux %lld %lld %lld",
                              helpers[h], (long long)m->arg[0], helpers[second],
                              (long long)m->arg[1], (long long)w.memory[0].ret[1],
                              (long long)w.memory[0].ret[2], (long long)w.memory[0].ret[0],
                              (long long)w.memory[1].ret[1], (long long)w.memory[1].ret[2],
                              (long long)w.memory[1].ret[0]);
            }
            world_fini(&w);
        }
    }
}

/* load and store, of XDP packets and (load only, two forms) of socket filters' */
TEST(linux_agrees_on_bytes_of_packets)
{
    static const struct {
        int32_t helper;
        uint32_t type;
    } cases[] = {{189, BPF_PROG_TYPE_XDP},
                 {190, BPF_PROG_TYPE_XDP},
                 {26, BPF_PROG_TYPE_SOCKET_FILTER},
                 {68, BPF_PROG_TYPE_SOCKET_FILTER}};
    static const uint64_t offsets[] = {
        0,  1,      13,     14,      49,         50,         51,         63,        64,
        65, 0xfffe, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32};

    if (!usable())
        return;
    for (unsigned c = 0; c < COUNT(cases); c++) {
        const struct bpf_insn insns[] = {
            BEGIN(),
            BPF_MOV64_REG(R1, R6),
            LOAD_ARG(R2, 0),
            BPF_MOV64_REG(R3, R7),
            LOAD_ARG(R4, 1),
            BPF_ALU64_IMM(BPF_AND, R4, 63),
            BPF_ALU64_IMM(BPF_ADD, R4, 1),
            LOAD_ARG(R5, 2),
            BPF_EMIT_CALL(cases[c].helper),
            END(),
        };
        struct world w;

        world_init(&w, cases[c].type, "", insns, COUNT(insns));
        for (unsigned round = 0; round < 1000; round++) {
            struct memory *m = &w.memory[0];

            memset(m, 0, sizeof(*m));
            memset(m->data, 0x5a, sizeof(m->data));
            m->arg[0] = rnd(2) ? rnd(70) : offsets[rnd(COUNT(offsets))];
            m->arg[1] = rnd(64);
            m->arg[2] = rnd(3);
            if (!world_run(&w, 64))
                test_fail(__FILE__, __LINE__, "%d(0x%llx, %llu, %llu): %lld, Linux %lld",
                          cases[c].helper, (unsigned long long)m->arg[0],
                          (unsigned long long)m->arg[1] + 1, (unsigned long long)m->arg[2],
                          (long long)w.memory[0].ret[0], (long long)w.memory[1].ret[0]);
        }
        world_fini(&w);
    }
}

TEST(linux_agrees_on_dynptrs)
{
    /* a dynptr over the first 64 bytes; read arg 1 bytes from arg 0 on, write them at arg 2 */
    const struct bpf_insn insns[] = {
        BEGIN(),
        BPF_MOV64_REG(R1, R7),
        BPF_MOV64_IMM(R2, 64),
        LOAD_ARG(R3, 3),
        BPF_MOV64_REG(R4, R10),
        BPF_ALU64_IMM(BPF_ADD, R4, -16),
        BPF_EMIT_CALL(197),
        BPF_STX_MEM(BPF_DW, R7, R0, RET(1)),
        LOAD_ARG(R8, 1),
        BPF_ALU64_IMM(BPF_AND, R8, 127),
        BPF_MOV64_REG(R1, R7),
        BPF_ALU64_IMM(BPF_ADD, R1, 128),
        BPF_MOV64_REG(R2, R8),
        BPF_MOV64_REG(R3, R10),
        BPF_ALU64_IMM(BPF_ADD, R3, -16),
        LOAD_ARG(R4, 0),
        BPF_MOV64_IMM(R5, 0),
        BPF_EMIT_CALL(201),
        BPF_STX_MEM(BPF_DW, R7, R0, RET(2)),
        BPF_MOV64_REG(R1, R10),
        BPF_ALU64_IMM(BPF_ADD, R1, -16),
        LOAD_ARG(R2, 2),
        BPF_MOV64_REG(R3, R7),
        BPF_ALU64_IMM(BPF_ADD, R3, 128),
        BPF_MOV64_REG(R4, R8),
        BPF_MOV64_IMM(R5, 0),
        BPF_EMIT_CALL(202),
        END(),
    };
    struct world w;

    if (!usable())
        return;
    world_init(&w, BPF_PROG_TYPE_SOCKET_FILTER, "", insns, COUNT(insns));
    for (unsigned round = 0; round < 2000; round++) {
        struct memory *m = &w.memory[0];

        memset(m, 0, sizeof(*m));
        for (unsigned i = 0; i < sizeof(m->data); i++)
            m->data[i] = (char)i;
        m->arg[0] = rnd(9) ? rnd(80) : UINT32_MAX;
        m->arg[1] = rnd(80);
        m->arg[2] = rnd(9) ? rnd(80) : UINT32_MAX - 3;
        m->arg[3] = rnd(9) == 0;
        CHECK(world_run(&w, 64));
    }
    world_fini(&w);
}
