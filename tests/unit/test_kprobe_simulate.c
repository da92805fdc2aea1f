/* SPDX-License-Identifier: MIT */
/*
 * Simulated instructions: known results everywhere, and on RISC-V every row of the table, with
 * random operand fields and registers, against the processor itself.
 *
 * The processor runs the instruction in a region full of c.ebreak. A first breakpoint (kick) enters
 * a SIGTRAP handler that loads all registers through the signal frame and continues at the
 * instruction; wherever that leads, the next c.ebreak traps, and the handler takes all registers
 * from the frame.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "kprobe/rv64/simulate.h"
#include "tests/unit/test.h"

#define RA 1
#define SP 2
#define A0 10
#define A1 11
#define A2 12
#define PC 0x80001000ull

/* a0 = rd, a1 = rs1, a2 = rs2 in the listings; A0 is preset to 7. */
static const struct vector {
    const char *text;
    uint32_t raw;
    uint64_t a1, a2;
    unsigned rd;
    uint64_t result, pc;
} vectors[] = {
    {"addi a0, a1, -1", 0xfff58513, 0, 0, A0, UINT64_MAX, PC + 4},
    {"addiw a0, a1, 1", 0x0015851b, 0x7fffffff, 0, A0, 0xffffffff80000000, PC + 4},
    {"sltiu a0, a1, -1", 0xfff5b513, 5, 0, A0, 1, PC + 4},
    {"slti a0, a1, -1", 0xfff5a513, 5, 0, A0, 0, PC + 4},
    {"slli a0, a1, 63", 0x03f59513, 3, 0, A0, 1ull << 63, PC + 4},
    {"srai a0, a1, 63", 0x43f5d513, 1ull << 63, 0, A0, UINT64_MAX, PC + 4},
    {"srli a0, a1, 63", 0x03f5d513, 1ull << 63, 0, A0, 1, PC + 4},
    {"sraiw a0, a1, 31", 0x41f5d51b, 0x80000000, 0, A0, UINT64_MAX, PC + 4},
    {"srliw a0, a1, 0", 0x0005d51b, 0x180000000, 0, A0, 0xffffffff80000000, PC + 4},
    {"sll a0, a1, a2", 0x00c59533, 1, 64 + 5, A0, 32, PC + 4},
    {"sllw a0, a1, a2", 0x00c5953b, 1, 32 + 31, A0, 0xffffffff80000000, PC + 4},
    {"subw a0, a1, a2", 0x40c5853b, 0, 1, A0, UINT64_MAX, PC + 4},
    {"mulhu a0, a1, a2", 0x02c5b533, UINT64_MAX, UINT64_MAX, A0, UINT64_MAX - 1, PC + 4},
    {"mulh a0, a1, a2", 0x02c59533, UINT64_MAX, UINT64_MAX, A0, 0, PC + 4},
    {"mulhsu a0, a1, a2", 0x02c5a533, UINT64_MAX, UINT64_MAX, A0, UINT64_MAX, PC + 4},
    {"div a0, a1, a2", 0x02c5c533, 1ull << 63, UINT64_MAX, A0, 1ull << 63, PC + 4},
    {"div a0, a1, a2", 0x02c5c533, 9, 0, A0, UINT64_MAX, PC + 4},
    {"rem a0, a1, a2", 0x02c5e533, 1ull << 63, UINT64_MAX, A0, 0, PC + 4},
    {"rem a0, a1, a2", 0x02c5e533, 9, 0, A0, 9, PC + 4},
    {"divw a0, a1, a2", 0x02c5c53b, 0x80000000, UINT64_MAX, A0, 0xffffffff80000000, PC + 4},
    {"divuw a0, a1, a2", 0x02c5d53b, 9, 1ull << 32, A0, UINT64_MAX, PC + 4},
    {"remuw a0, a1, a2", 0x02c5f53b, 0x80000000, 0, A0, 0xffffffff80000000, PC + 4},
    {"lui a0, 0x80000", 0x80000537, 0, 0, A0, 0xffffffff80000000, PC + 4},
    {"auipc a0, 0xfffff", 0xfffff517, 0, 0, A0, PC - 4096, PC + 4},
    {"jal a0, .-4", 0xffdff56f, 0, 0, A0, PC + 4, PC - 4},
    {"jal x0, .+2048", 0x0010006f, 0, 0, A0, 7, PC + 2048},
    {"jalr a1, 1(a1)", 0x001585e7, 0x2001, 0, A1, PC + 4, 0x2002},
    {"jalr a1, 0(a1)", 0x000585e7, 0x2001, 0, A1, PC + 4, 0x2000},
    {"beq a1, a2, .-4096", 0x80c58063, 5, 5, A0, 7, PC - 4096},
    {"bne a1, a2, .+4094", 0x7ec59fe3, 5, 5, A0, 7, PC + 4},
    {"blt a1, a2, .+8", 0x00c5c463, UINT64_MAX, 0, A0, 7, PC + 8},
    {"bltu a1, a2, .+8", 0x00c5e463, UINT64_MAX, 0, A0, 7, PC + 4},
    {"bge a1, a2, .+8", 0x00c5d463, 3, 3, A0, 7, PC + 8},
    {"bgeu a1, a2, .+8", 0x00c5f463, 0, UINT64_MAX, A0, 7, PC + 4},
    {"c.li a0, -32", 0x5501, 0, 0, A0, (uint64_t)-32, PC + 2},
    {"c.lui a0, 0xfffe0", 0x7501, 0, 0, A0, (uint64_t)-131072, PC + 2},
    {"c.addiw a1, -1", 0x35fd, 0x80000000, 0, A1, 0x7fffffff, PC + 2},
    {"c.addi16sp sp, -512", 0x7101, 0, 0, SP, 0x10000 - 512, PC + 2},
    {"c.addi16sp sp, 496", 0x617d, 0, 0, SP, 0x10000 + 496, PC + 2},
    {"c.addi4spn a0, sp, 1020", 0x1fe8, 0, 0, A0, 0x10000 + 1020, PC + 2},
    {"c.mv a0, a1", 0x852e, 99, 0, A0, 99, PC + 2},
    {"c.add a1, a2", 0x95b2, 99, 1, A1, 100, PC + 2},
    {"c.srai a1, 32", 0x9581, 1ull << 63, 0, A1, 0xffffffff80000000, PC + 2},
    {"c.andi a1, -1", 0x99fd, 0x123456789, 0, A1, 0x123456789, PC + 2},
    {"c.subw a1, a2", 0x9d91, 0x80000000, 1, A1, 0x7fffffff, PC + 2},
    {"c.slli a1, 32", 0x1582, 3, 0, A1, 3ull << 32, PC + 2},
    {"c.j .-2048", 0xb001, 0, 0, A0, 7, PC - 2048},
    {"c.beqz a1, .-256", 0xd181, 0, 0, A0, 7, PC - 256},
    {"c.bnez a1, .+254", 0xedfd, 0, 0, A0, 7, PC + 2},
    {"c.jr a1", 0x8582, 0x3001, 0, RA, 1, 0x3000},
    {"c.jalr a1", 0x9582, 0x3001, 0, RA, PC + 2, 0x3000},
    {"c.jalr ra", 0x9082, 0, 0, RA, PC + 2, 0},
};

TEST(kprobe_simulation_gives_the_known_results)
{
    for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const struct vector *v = &vectors[i];
        struct ebpf_regs regs = {.pc = PC}, before;
        struct ebpf_rv_insn insn;

        regs.x[RA - 1] = 1;
        regs.x[SP - 1] = 0x10000;
        regs.x[A0 - 1] = 7;
        regs.x[A1 - 1] = v->a1;
        regs.x[A2 - 1] = v->a2;
        before = regs;
        ebpf_rv_decode(v->raw, &insn);
        CHECK_EQ(insn.kind, EBPF_RV_SIMULATE);
        CHECK(!strncmp(v->text, insn.name, strlen(insn.name)));
        ebpf_rv_simulate(&insn, &regs);
        before.pc = v->pc;
        before.x[v->rd - 1] = v->result;
        if (memcmp(&before, &regs, sizeof(regs)))
            test_fail(__FILE__, __LINE__, "%s: x%u = 0x%llx, pc 0x%llx", v->text, v->rd,
                      (unsigned long long)regs.x[v->rd - 1], (unsigned long long)regs.pc);
    }
}

TEST(kprobe_simulation_never_writes_x0)
{
    struct ebpf_regs regs = {.pc = PC}, before;
    struct ebpf_rv_insn insn;

    memset(regs.x, 0x5a, sizeof(regs.x));
    before = regs;
    for (unsigned i = 0; i < ebpf_rv_row_count; i++) {
        const struct ebpf_rv_row *row = &ebpf_rv_rows[i];

        if (row->kind != EBPF_RV_SIMULATE || row->format > EBPF_RV_FORMAT_J ||
            row->format == EBPF_RV_FORMAT_B)
            continue;
        ebpf_rv_decode(row->match | 0x00b50000, &insn); /* rd is x0 */
        regs.pc = PC;
        ebpf_rv_simulate(&insn, &regs);
        CHECK(!memcmp(before.x, regs.x, sizeof(regs.x)));
    }
}

#ifdef __riscv

#define SAMPLES 150
#define REGION (2 * (1 << 20) + 65536)

static uint8_t *region;
static uint64_t in[32], out[32], saved[32];
static int phase;
uint64_t test_kprobe_tp;

/* The interrupted code had random gp and tp, which C needs. */
void test_kprobe_trap(int sig, siginfo_t *info, void *context);
void test_kprobe_catch(int sig, siginfo_t *info, ucontext_t *context);
__asm__(".pushsection .text\n"
        ".globl test_kprobe_trap\n"
        "test_kprobe_trap:\n"
        ".option push\n.option norelax\n"
        "lla gp, __global_pointer$\n"
        "lla t0, test_kprobe_tp\n"
        "ld tp, 0(t0)\n"
        "tail test_kprobe_catch\n"
        ".option pop\n"
        ".popsection\n");

void test_kprobe_catch(int sig, siginfo_t *info, ucontext_t *context)
{
    uint64_t *regs = (uint64_t *)context->uc_mcontext.__gregs; /* pc, x1 to x31 */

    (void)sig, (void)info;
    if (phase++ == 0) {
        memcpy(saved, regs, sizeof(saved));
        memcpy(regs, in, sizeof(in));
    } else {
        memcpy(out, regs, sizeof(out));
        memcpy(regs, saved, sizeof(saved));
        regs[0] += 4; /* behind kick's ebreak */
    }
}

static void __attribute__((noinline)) kick(void)
{
    phase = 0;
    __asm__ volatile(".option push\n.option norvc\nebreak\n.option pop" ::: "memory");
}

static uint64_t state = 88172645463325252ull;

static uint64_t random64(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Values at the edges more often than not. */
static uint64_t operand(void)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     31,
                                     32,
                                     63,
                                     64,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0x100000000,
                                     INT64_MAX,
                                     1ull << 63,
                                     UINT64_MAX,
                                     (uint64_t)-2,
                                     0xffffffff80000000};
    uint64_t r = random64();

    switch (r % 4) {
    case 0:
        return random64();
    case 1:
        return (uint64_t)(int64_t)(int32_t)random64();
    default:
        return edges[r / 4 % 16];
    }
}

/* Fills in[] and returns false where the instruction would leave the region, or go to itself or its
 * own middle. */
static bool prepare(const struct ebpf_rv_insn *insn, uint8_t *at)
{
    uint64_t pc = (uint64_t)(uintptr_t)at, target = pc + (uint64_t)(int64_t)insn->imm;

    in[0] = pc;
    for (unsigned i = 1; i < 32; i++)
        in[i] = i > 1 && random64() % 8 == 0 ? in[i - 1] : operand();
    if (insn->op < EBPF_RV_JAL)
        return true;
    if (insn->op == EBPF_RV_JALR) {
        if (!insn->rs1)
            return false;
        target = (uint64_t)(uintptr_t)region + 8192 + random64() % (REGION - 16384);
        in[insn->rs1] = target - (uint64_t)(int64_t)insn->imm; /* odd ones too */
        target &= ~1ull;
    }
    /* -2: a 4-byte c.ebreak pair would overlap */
    return target < pc - 2 || target >= pc + insn->len;
}

static void compare(const struct ebpf_rv_row *row, const struct ebpf_rv_insn *insn)
{
    struct ebpf_regs regs;

    memcpy(&regs, in, sizeof(regs));
    ebpf_rv_simulate(insn, &regs);
    if (!memcmp(&regs, out, sizeof(regs)))
        return;
    for (unsigned i = 0; i < 32; i++) {
        if (((uint64_t *)&regs)[i] != out[i])
            test_fail(__FILE__, __LINE__, "%s %08x: register %u is 0x%llx, the processor's 0x%llx",
                      row->name, insn->raw, i, (unsigned long long)((uint64_t *)&regs)[i],
                      (unsigned long long)out[i]);
    }
}

static unsigned run_row(const struct ebpf_rv_row *row)
{
    uint8_t *at = region + REGION / 2;
    unsigned done = 0;

    for (unsigned n = 0; n < SAMPLES; n++, at += n % 3 == 0 ? 2 : 0) {
        uint32_t raw = row->match | ((uint32_t)random64() & ~row->mask);
        struct ebpf_rv_insn insn;

        ebpf_rv_decode(raw, &insn);
        if (insn.name != row->name || !prepare(&insn, at))
            continue;
        memcpy(at, &insn.raw, insn.len);
        __builtin___clear_cache((char *)at, (char *)at + 4);
        kick();
        CHECK_EQ(phase, 2);
        compare(row, &insn);
        memcpy(at, "\x02\x90\x02\x90", 4);
        done++;
    }
    return done;
}

TEST(kprobe_simulation_agrees_with_the_processor)
{
    struct sigaction action = {.sa_sigaction = test_kprobe_trap,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK},
                     old;
    static char stack[65536];
    stack_t alt = {.ss_sp = stack, .ss_size = sizeof(stack)};
    unsigned rows = 0;

    region =
        mmap(NULL, REGION, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(region != MAP_FAILED);
    for (unsigned i = 0; i < REGION; i += 2)
        memcpy(region + i, "\x02\x90", 2);
    __asm__("mv %0, tp" : "=r"(test_kprobe_tp));
    sigaltstack(&alt, NULL);
    sigaction(SIGTRAP, &action, &old);
    for (unsigned i = 0; i < ebpf_rv_row_count; i++) {
        if (ebpf_rv_rows[i].kind != EBPF_RV_SIMULATE)
            continue;
        rows++;
        if (run_row(&ebpf_rv_rows[i]) < SAMPLES / 2)
            test_fail(__FILE__, __LINE__, "%s: not tried often enough", ebpf_rv_rows[i].name);
    }
    CHECK(rows > 70);
    sigaction(SIGTRAP, &old, NULL);
    alt.ss_flags = SS_DISABLE;
    sigaltstack(&alt, NULL);
    munmap(region, REGION);
}

#endif /* __riscv */
