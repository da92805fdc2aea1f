/* SPDX-License-Identifier: MIT */
/* The same programs on our library and on the machine's own Linux, with the same bytes in their map
 * and the same packet: what helpers return and leave must agree. Skipped where bpf(2) is not ours
 * to use, or older than what we follow. */
#include "tests/unit/host/sides.h"

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

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

static uint64_t seed;
/* r6 = context, r7 = the map's value */
#define BEGIN() BPF_MOV64_REG(R6, R1), BPF_LD_MAP_VALUE(R7, FD_MEMORY, 0)
#define TEXT(DST) BPF_LD_MAP_VALUE(DST, FD_TEXT, 0)
#define END() BPF_STX_MEM(BPF_DW, R7, R0, RET(0)), BPF_MOV64_IMM(R0, 2), BPF_EXIT_INSN()
#define LOAD_ARG(DST, N) BPF_LDX_MEM(BPF_DW, DST, R7, ARG(N))

static bool usable(void)
{
    seed = 1;
    return linux_usable();
}

static void random_number(char *text)
{
    static const char alphabet[] = "0123456789abcdefxX -+7f0\t\xa0";
    unsigned len = test_random(&seed, 26), at = 0;

    if (test_random(&seed, 3) == 0)
        at += (unsigned)sprintf(text, "%s", test_random(&seed, 2) ? " -" : "0x");
    if (test_random(&seed, 4) == 0)
        at += (unsigned)sprintf(text + at, "%llu", ~0ull >> test_random(&seed, 4));
    while (at < len)
        text[at++] = alphabet[test_random(&seed, sizeof(alphabet) - 1)];
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

    world_init(&w, BPF_PROG_TYPE_SOCKET_FILTER, "", NULL, insns, COUNT(insns));
    for (unsigned round = 0; round < 3000; round++) {
        struct memory *m = &w.memory[0];

        memset(m, 0, sizeof(*m));
        random_number(m->data);
        m->arg[0] = test_random(&seed, 8) ? strlen(m->data) : 1 + test_random(&seed, 100);
        m->arg[1] = bases[test_random(&seed, COUNT(bases))];
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

        world_init(&w, BPF_PROG_TYPE_SOCKET_FILTER, texts[t], NULL, insns, COUNT(insns));
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

        world_init(&w, BPF_PROG_TYPE_SOCKET_FILTER, formats[f], NULL, insns, COUNT(insns));
        for (unsigned round = 0; round < 60; round++) {
            struct memory *m = &w.memory[0];

            memset(m, 0, sizeof(*m));
            memset(m->data, '#', 110);
            /* Linux counts a second IP address as nothing where the first one is cut */
            m->arg[0] = strchr(formats[f], 'I') ? 100 : test_random(&seed, 101);
            for (unsigned a = 0; a < 4; a++) {
                uint64_t value = (uint64_t)test_random(&seed, 1u << 30) << test_random(&seed, 30);

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
    world_init(&w, BPF_PROG_TYPE_XDP, "", NULL, insns, COUNT(insns));
    for (unsigned round = 0; round < 3000; round++) {
        struct memory *m = &w.memory[0];

        memset(m, 0, sizeof(*m));
        for (unsigned i = 0; i < sizeof(m->data) && round % 5; i++)
            m->data[i] = round % 5 == 1 ? -1 : (char)test_random(&seed, 256);
        m->arg[0] = test_random(&seed, 32) * 4; /* after 6.12, Linux takes other sizes, too */
        m->arg[1] = test_random(&seed, 32) * 4;
        m->arg[2] = test_random(&seed, 2) ? test_random(&seed, 1u << 31) * 2 : 0;
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

            world_init(&w, BPF_PROG_TYPE_XDP, "", NULL, insns, COUNT(insns));
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

        world_init(&w, cases[c].type, "", NULL, insns, COUNT(insns));
        for (unsigned round = 0; round < 1000; round++) {
            struct memory *m = &w.memory[0];

            memset(m, 0, sizeof(*m));
            memset(m->data, 0x5a, sizeof(m->data));
            m->arg[0] = test_random(&seed, 2) ? test_random(&seed, 70)
                                              : offsets[test_random(&seed, COUNT(offsets))];
            m->arg[1] = test_random(&seed, 64);
            m->arg[2] = test_random(&seed, 3);
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
    world_init(&w, BPF_PROG_TYPE_SOCKET_FILTER, "", NULL, insns, COUNT(insns));
    for (unsigned round = 0; round < 2000; round++) {
        struct memory *m = &w.memory[0];

        memset(m, 0, sizeof(*m));
        for (unsigned i = 0; i < sizeof(m->data); i++)
            m->data[i] = (char)i;
        m->arg[0] = test_random(&seed, 9) ? test_random(&seed, 80) : UINT32_MAX;
        m->arg[1] = test_random(&seed, 80);
        m->arg[2] = test_random(&seed, 9) ? test_random(&seed, 80) : UINT32_MAX - 3;
        m->arg[3] = test_random(&seed, 9) == 0;
        CHECK(world_run(&w, 64));
    }
    world_fini(&w);
}
