/* SPDX-License-Identifier: MIT */
/*
 * Live probes on RISC-V: real code is patched, SIGTRAP is the trap entry, and the signal frame's
 * registers are the context (pc, x1..x31: the layout is Linux's in both). Each function below is
 * run with a probe on each of its instructions in turn, and on all at once, and must compute what
 * it computes without. Then threads play harts.
 */
#ifdef __riscv

#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "kprobe/kprobe.h"
#include "tests/unit/test.h"

/* Position-independent, no calls out, each instruction runs at least once for some of the
 * inputs. */
typedef uint64_t live_function(uint64_t a, uint64_t b, uint64_t *scratch);
#define FUNCTION(name, body)                                                                     \
    live_function live_##name;                                                                   \
    extern const char live_##name##_end[];                                                       \
    __asm__(".pushsection .text.live, \"ax\"\n.option push\n.option norelax\n.balign 4\n.globl " \
            "live_" #name "\nlive_" #name ":\n" body "\n.globl live_" #name "_end\nlive_" #name  \
            "_end:\n"                                                                            \
            ".option pop\n.popsection\n")

FUNCTION(
    integer, /* prologue, loads and stores of all sizes, compressed where the assembler can */
    "addi sp, sp, -64\n sd ra, 56(sp)\n sd s0, 48(sp)\n sd s1, 40(sp)\n addi s0, sp, 64\n"
    "mv s1, a2\n sd a0, 0(s1)\n sd a1, 8(s1)\n lw a3, 0(s1)\n lwu a4, 4(s1)\n lb a5, 3(s1)\n"
    "lbu t0, 2(s1)\n lh t1, 6(s1)\n lhu t2, 8(s1)\n add a0, a3, a4\n sub a0, a0, a5\n"
    "xor a0, a0, t0\n or a0, a0, t1\n addw a3, a3, a5\n and a4, a4, a5\n subw a5, a5, a4\n"
    "c.add a0, a3\n c.sub a0, a4\n c.xor a0, a5\n c.or a3, a4\n c.and a3, a5\n c.addw a3, a0\n "
    "c.subw a3, a1\n"
    "li t3, -7\n lui t4, 0x12345\n addiw t4, t4, 0x678\n slli a3, a3, 3\n srli a3, a3, 1\n srai "
    "a3, a3, 1\n"
    "andi a3, a3, -2\n sb a3, 16(s1)\n sh a3, 18(s1)\n sw a3, 20(s1)\n c.lw a4, 16(s1)\n c.ld a5, "
    "16(s1)\n"
    "c.sw a4, 24(s1)\n c.sd a5, 32(s1)\n sd t3, 8(sp)\n sw t4, 16(sp)\n c.ldsp t3, 8(sp)\n c.lwsp "
    "t4, 16(sp)\n"
    "c.swsp t4, 24(sp)\n c.addi4spn a4, sp, 16\n lw a4, 0(a4)\n mul a0, a0, t3\n mulhu t5, a0, a1\n"
    "divu t6, a0, t4\n rem t5, t5, t3\n sltu a6, a0, a1\n slt a7, a1, a0\n slti a3, a0, 5\n sltiu "
    "a5, a0, 5\n"
    "xori t0, t0, 0x7f\n ori t1, t1, 0x55\n sllw t2, t2, a3\n srlw t2, t2, a5\n sraw t2, t2, a6\n"
    "add a0, a0, a3\n add a0, a0, a4\n add a0, a0, a5\n add a0, a0, a6\n add a0, a0, a7\n add a0, "
    "a0, t0\n"
    "add a0, a0, t1\n add a0, a0, t2\n add a0, a0, t3\n add a0, a0, t4\n add a0, a0, t5\n add a0, "
    "a0, t6\n"
    "nop\n c.nop\n ld s1, 40(sp)\n ld s0, 48(sp)\n ld ra, 56(sp)\n c.addi16sp sp, 64\n ret");

FUNCTION(
    branches, /* a loop through each conditional branch, taken and not */
    "li a5, 0\n li a4, 6\n"
    "1: c.beqz a0, 2f\n addi a5, a5, 1\n"
    "2: c.bnez a1, 3f\n addi a5, a5, 2\n"
    "3: beq a0, a1, 4f\n slli a5, a5, 1\n"
    "4: bne a0, a1, 5f\n addi a5, a5, 3\n"
    "5: blt a0, a1, 6f\n addi a5, a5, 5\n"
    "6: bge a0, a1, 7f\n addi a5, a5, 7\n"
    "7: bltu a0, a1, 8f\n xori a5, a5, 0x11\n"
    "8: bgeu a0, a1, 9f\n addi a5, a5, 9\n"
    "9: c.j 10f\n li a5, 0\n" /* never runs */
    "10: j 11f\n li a5, 0\n"  /* never runs */
    "11: addi a0, a0, -1\n srli a1, a1, 1\n addi a4, a4, -1\n c.bnez a4, 1b\n mv a0, a5\n ret");

FUNCTION(long_branches, /* the same without compressed instructions: ebreak everywhere */
         ".option norvc\n li a5, 0\n li a4, 6\n"
         "1: beqz a0, 2f\n addi a5, a5, 1\n"
         "2: bnez a1, 3f\n addi a5, a5, 2\n"
         "3: bgez a0, 4f\n slli a5, a5, 1\n"
         "4: bltz a0, 5f\n addi a5, a5, 3\n"
         "5: sd a5, 0(a2)\n ld a6, 0(a2)\n add a5, a5, a6\n jal t0, 6f\n j 7f\n"
         "6: addi a5, a5, 5\n jr t0\n"
         "7: addi a0, a0, -1\n srli a1, a1, 1\n addi a4, a4, -1\n bnez a4, 1b\n mv a0, a5\n ret");

FUNCTION(
    calls, /* every way to jump, link and take an address */
    "mv t6, ra\n jal 1f\n add a0, a0, a1\n auipc t1, 0\n c.addi t1, 10\n jalr t2, 0(t1)\n" /* to the next */
    "sub t2, t2, t1\n add a0, a0, t2\n lla t3, 2f\n c.jalr t3\n lla t3, 2f\n jalr ra, 0(t3)\n"
    "lla ra, 2f\n jalr ra, 0(ra)\n lla t3, 3f+1\n jr t3\n li a0, 0\n" /* bit 0 of the target is dropped */
    "1: xor a0, a0, a1\n jr ra\n"
    "2: addi a0, a0, 13\n c.jr ra\n"
    "3: lla t4, 4f\n c.jr t4\n li a0, 0\n"
    "4: jr t6");

FUNCTION(
    floating, /* F and D, through memory and registers */
    "addi sp, sp, -32\n fsd fs0, 0(sp)\n fcvt.d.l fa0, a0\n fcvt.d.l fa1, a1\n fadd.d fa2, fa0, "
    "fa1\n"
    "fsub.d fa3, fa0, fa1\n fmul.d fa4, fa2, fa3\n fmv.d fs0, fa4\n fmadd.d fa5, fa0, fa1, fa4\n"
    "fsd fa5, 0(a2)\n fld fa3, 0(a2)\n c.fsd fa3, 8(a2)\n c.fld fa4, 8(a2)\n c.fsdsp fa4, 8(sp)\n"
    "c.fldsp fa5, 8(sp)\n fcvt.s.d ft0, fa5\n fsw ft0, 16(a2)\n flw ft1, 16(a2)\n fadd.s ft1, ft1, "
    "ft0\n"
    "fsqrt.s ft2, ft1\n fcvt.l.d a0, fa5\n fmv.x.w a1, ft1\n feq.d a3, fa4, fa5\n fclass.d a4, "
    "fa5\n"
    "fmv.x.d a5, fs0\n frcsr a6\n fsflags a7, zero\n xor a0, a0, a1\n add a0, a0, a3\n add a0, a0, "
    "a4\n"
    "xor a0, a0, a5\n fld fs0, 0(sp)\n addi sp, sp, 32\n ret");

FUNCTION(
    atomics, /* A, among them a compare-and-swap loop whose lr..sc must be refused */
    "sd a0, 0(a2)\n sd a1, 8(a2)\n amoadd.d a3, a1, (a2)\n amoswap.w a4, a0, (a2)\n amoxor.d.aqrl "
    "a5, a3, (a2)\n"
    "addi a6, a2, 8\n amomaxu.d a7, a0, (a6)\n amomin.w t0, a1, (a6)\n amoor.d t1, a4, (a6)\n "
    "amoand.d t1, a3, (a6)\n"
    ".globl live_lr\nlive_lr: 1: lr.d t2, (a2)\n add t3, t2, a0\n bnez zero, 2f\n"
    ".globl live_sc\nlive_sc: sc.d t4, t3, (a2)\n"
    "bnez t4, 1b\n 2: fence\n fence.i\n ld a0, 0(a2)\n ld a1, 8(a2)\n add a0, a0, a1\n xor a0, a0, "
    "a3\n"
    "add a0, a0, a4\n add a0, a0, a5\n add a0, a0, a7\n add a0, a0, t0\n add a0, a0, t1\n ret");

FUNCTION(system, /* a system call of the machine below, a counter, a hint */
         "mv t0, a0\n li a7, 172\n ecall\n" /* getpid */
         "mv t1, a0\n rdtime t2\n rdtime t3\n sltu t2, t3, t2\n .4byte 0x0100000f\n sub a0, a0, "
         "t1\n add a0, a0, t2\n add a0, a0, t0\n ret");

/* ---- the trap entry -------------------------------------------------------------------------- */

static uint64_t traps, strays;

static void on_trap(int sig, siginfo_t *info, void *context)
{
    struct ebpf_regs *regs = (struct ebpf_regs *)((ucontext_t *)context)->uc_mcontext.__gregs;
    unsigned long irq = ebpf_os_irq_save();
    bool ours = ebpf_breakpoint(regs);

    (void)sig, (void)info;
    ebpf_os_irq_restore(irq);
    __atomic_fetch_add(ours ? &traps : &strays, 1, __ATOMIC_RELAXED);
    if (!ours)
        abort();
}

static struct sigaction old_action;

static void take_traps(void)
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER};

    traps = 0;
    sigaction(SIGTRAP, &action, &old_action);
}

/* Puts things back, and checks that each trap was counted as one thing. */
static void leave_traps(void)
{
    struct ebpf_kprobe_stats s;

    sigaction(SIGTRAP, &old_action, NULL);
    ebpf_kprobe_stats(&s);
    CHECK_EQ(s.hits + s.missed + s.stale + s.step, traps);
    CHECK_EQ(s.points, 0);
}

static uint64_t handler_calls;

static void handler(struct ebpf_kprobe *probe, struct ebpf_regs *regs)
{
    if (regs->pc != probe->addr)
        abort();
    __atomic_fetch_add(&handler_calls, 1, __ATOMIC_RELAXED);
}

/* ---- every instruction of every function ----------------------------------------------------- */

struct result {
    uint64_t ret, scratch[8];
};

static const uint64_t inputs[][2] = {{0, 0},          {3, 3},
                                     {1, 2},          {0x123456789abcdef, 0x8000000000000001},
                                     {UINT64_MAX, 7}, {5, UINT64_MAX - 3}};
#define INPUTS (sizeof(inputs) / sizeof(inputs[0]))

static void run(live_function *f, struct result *results)
{
    memset(results, 0, INPUTS * sizeof(*results));
    for (unsigned i = 0; i < INPUTS; i++)
        results[i].ret = f(inputs[i][0], inputs[i][1], results[i].scratch);
}

/* Where each instruction of the function at start begins. */
static unsigned boundaries(const char *start, size_t size, uint64_t *out)
{
    unsigned count = 0;

    for (size_t offset = 0; offset < size; count++) {
        out[count] = (uintptr_t)start + offset;
        offset += ebpf_rv_length(*(const uint16_t *)(start + offset));
    }
    return count;
}

static struct ebpf_kprobe probes[256];
static uint64_t addrs[256];

static void probe_each(const char *name, char *start, size_t size, unsigned refused)
{
    struct result want[INPUTS], got[INPUTS];
    unsigned count = boundaries(start, size, addrs), never_hit = 0;

    run((live_function *)(void *)start, want);
    for (unsigned i = 0; i < count; i++) {
        int err;

        probes[i] = (struct ebpf_kprobe){.addr = addrs[i], .handler = handler};
        err = ebpf_kprobe_register(&probes[i]);
        if (err == -EINVAL && refused) {
            refused--;
            continue;
        }
        CHECK_EQ(err, 0);
        run((live_function *)(void *)start, got);
        CHECK_EQ(ebpf_kprobe_unregister(&probes[i]), 0);
        if (memcmp(want, got, sizeof(want)))
            test_fail(__FILE__, __LINE__, "%s+0x%llx: another result", name,
                      (unsigned long long)(addrs[i] - (uintptr_t)start));
        never_hit += !ebpf_kprobe_hits(&probes[i]);
    }
    CHECK_EQ(refused, 0);
    CHECK(never_hit <= 2); /* "never runs" above */
}

static void probe_all(char *start, size_t size)
{
    struct result want[INPUTS], got[INPUTS];
    unsigned count = boundaries(start, size, addrs);

    run((live_function *)(void *)start, want);
    for (unsigned i = 0; i < count; i++) {
        probes[i] = (struct ebpf_kprobe){.addr = addrs[i], .handler = handler};
        if (ebpf_kprobe_register(&probes[i]))
            probes[i].handler = NULL;
    }
    run((live_function *)(void *)start, got);
    CHECK(!memcmp(want, got, sizeof(want)));
    for (unsigned i = 0; i < count; i++) {
        if (probes[i].handler)
            CHECK_EQ(ebpf_kprobe_unregister(&probes[i]), 0);
    }
}

static void probe_function(const char *name, char *start, size_t size, unsigned refused)
{
    REQUIRE(mock_text_add(start, size) == 0);
    mock_symbol_add(name, (uintptr_t)start, size);
    take_traps();
    probe_each(name, start, size, refused);
    probe_all(start, size);
    leave_traps();
}

/* Moves the function to anonymous memory, where the mock's code memory is near, at an address that
 * is 2 mod 4: all its breakpoints are the other kind of where it was linked. */
static void probe_copy(const char *name, const char *start, size_t size, unsigned refused)
{
    char *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    REQUIRE(page != MAP_FAILED);
    memcpy(page + 2, start, size);
    __builtin___clear_cache(page, page + 4096);
    REQUIRE(ebpf_kprobe_fini() == 0); /* counters and slots from zero */
    probe_function(name, page + 2, size, refused);
    munmap(page, 4096);
}

#define LIVE_TEST(name, refused)                                  \
    TEST(kprobe_live_on_each_instruction_of_##name)               \
    {                                                             \
        char *start = (char *)(uintptr_t)live_##name;             \
        size_t size = (size_t)(live_##name##_end - start);        \
        struct ebpf_kprobe_stats far, near;                       \
        probe_function(#name, start, size, refused);              \
        ebpf_kprobe_stats(&far);                                  \
        CHECK(far.hits > 0 && far.missed == 0 && far.stale == 0); \
        CHECK(!far.slots || far.step > 0);                        \
        probe_copy(#name "_near", start, size, refused);          \
        ebpf_kprobe_stats(&near);                                 \
        CHECK_EQ(near.hits, far.hits);                            \
        CHECK_EQ(near.slots, far.slots);                          \
        CHECK_EQ(near.step, 0);                                   \
    }

LIVE_TEST(integer, 0)
LIVE_TEST(branches, 0)
LIVE_TEST(long_branches, 0)
LIVE_TEST(calls, 0)
LIVE_TEST(floating, 0)
LIVE_TEST(atomics, 4)
LIVE_TEST(system, 0)

/* ---- the context is Linux's ------------------------------------------------------------------ */

static struct ebpf_regs seen;

static void context_handler(struct ebpf_kprobe *probe, struct ebpf_regs *regs)
{
    (void)probe;
    seen = *regs;
    regs->x[9] = 40; /* the first argument from now on */
}

TEST(kprobe_live_handler_sees_and_changes_the_arguments)
{
    char *start = (char *)(uintptr_t)live_system;
    struct ebpf_kprobe p = {.addr = (uintptr_t)start, .handler = context_handler};
    uint64_t scratch[8];

    REQUIRE(mock_text_add(start, 64) == 0);
    mock_symbol_add("f", (uintptr_t)start, (size_t)(live_system_end - start));
    take_traps();
    CHECK_EQ(ebpf_kprobe_register(&p), 0);
    CHECK_EQ(live_system(1, 22, scratch), 40);
    CHECK_EQ(seen.x[9], 1);   /* a0: PT_REGS_PARM1 */
    CHECK_EQ(seen.x[10], 22); /* a1 */
    CHECK_EQ(seen.x[11], (uintptr_t)scratch);
    CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
    leave_traps();
}

/* ---- the interrupted stack ------------------------------------------------------------------- */

#define PAINTED 4096

static void __attribute__((noinline)) paint(void)
{
    uint64_t room[PAINTED / 8];
    volatile uint64_t *area = room;

    __asm__ volatile("" : "+r"(area)::"memory");
    for (unsigned i = 0; i < PAINTED / 8; i++)
        area[i] = 0x5a5a5a5a5a5a5a5a;
}

/* Reads what paint() and then a call from the same depth left there: on purpose uninitialised. */
static size_t __attribute__((noinline)) deepest(void)
{
    uint64_t room[PAINTED / 8];
    volatile uint64_t *area = room;
    unsigned i = 0;

    __asm__ volatile("" : "+r"(area)::"memory");
    while (i < PAINTED / 8 && area[i] == 0x5a5a5a5a5a5a5a5a)
        i++;
    return PAINTED - 8 * i;
}

TEST(kprobe_live_hit_uses_less_than_512_bytes_of_the_interrupted_stack)
{
    struct ebpf_regs regs = {.pc = (uintptr_t)live_integer};
    struct ebpf_kprobe p = {.addr = regs.pc, .handler = handler};
    size_t used;

    REQUIRE(mock_text_add((void *)(uintptr_t)live_integer, 64) == 0);
    mock_symbol_add("f", regs.pc, (size_t)(live_integer_end - (char *)(uintptr_t)live_integer));
    CHECK_EQ(ebpf_kprobe_register(&p), 0);
    paint();
    CHECK(ebpf_breakpoint(&regs));
    used = deepest();
    printf("NOTE ebpf_breakpoint() used %zu bytes of stack, an empty handler included\n", used);
    CHECK(used > 32 && used < 512);
    CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
}

/* ---- threads as harts ------------------------------------------------------------------------ */

#define HARTS 4
#define ROUNDS 1000

FUNCTION(hot, /* three kinds of displaced instruction; counts its calls itself */
         "addi sp, sp, -16\n sd a0, 8(sp)\n li t0, 1\n amoadd.d zero, t0, (a2)\n ld a0, 8(sp)\n "
         "slli t1, a0, 1\n"
         "beqz a1, 1f\n add t1, t1, a1\n 1: addi a0, t1, 3\n addi sp, sp, 16\n ret");
FUNCTION(nested, "addi a0, a0, 1\n ret");

static bool stop;
static uint64_t body_runs, wrong, thread_calls[HARTS];

static void *hart(void *arg)
{
    unsigned cpu = (unsigned)(uintptr_t)arg;

    mock_set_cpu(cpu);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        uint64_t a = thread_calls[cpu]++, b = a % 3;

        if (live_hot(a, b, &body_runs) != 2 * a + b + 3)
            __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static uint64_t nested_calls;

static void nesting_handler(struct ebpf_kprobe *probe, struct ebpf_regs *regs)
{
    uint64_t n = __atomic_fetch_add(&handler_calls, 1, __ATOMIC_RELAXED);

    (void)probe, (void)regs;
    if (n % 4)
        return;
    __atomic_fetch_add(&nested_calls, 1, __ATOMIC_RELAXED);
    if (live_nested(n, 0, NULL) != n + 1)
        __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
}

static void text_function(const char *name, live_function *function, const char *end)
{
    char *start = (char *)(uintptr_t)function;

    CHECK_EQ(mock_text_add(start, (size_t)(end - start)), 0);
    mock_symbol_add(name, (uintptr_t)start, (size_t)(end - start));
}

/* Each slot once before the threads run: the mock takes the execute permission away while it writes
 * a slot. */
static void warm_up(const uint64_t *where, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct ebpf_kprobe p = {.addr = where[i], .handler = handler};

        CHECK_EQ(ebpf_kprobe_register(&p), 0);
        CHECK_EQ(ebpf_kprobe_unregister(&p), 0);
    }
}

/* Attaches and detaches one to three probes at changing places; returns the sum of their hits and
 * misses. */
static uint64_t attach_and_detach(const uint64_t *where, unsigned count)
{
    struct ebpf_kprobe p[3];
    uint64_t sum = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned used = round % 3 + 1;

        for (unsigned i = 0; i < used; i++) { /* the first two share an address */
            p[i] = (struct ebpf_kprobe){.addr = where[(round + i / 2) % count],
                                        .handler = nesting_handler};
            CHECK_EQ(ebpf_kprobe_register(&p[i]), 0);
        }
        if (round % 8 == 0)
            usleep(100);
        for (unsigned i = 0; i < used; i++) {
            CHECK_EQ(ebpf_kprobe_unregister(&p[i]), 0);
            sum += ebpf_kprobe_hits(&p[i]);
            CHECK_EQ(ebpf_kprobe_missed(&p[i]), 0);
        }
    }
    return sum;
}

TEST(kprobe_live_attach_and_detach_while_all_harts_run_through)
{
    uint64_t where[64], total = 0, sum;
    unsigned count = boundaries((char *)(uintptr_t)live_hot,
                                (size_t)(live_hot_end - (char *)(uintptr_t)live_hot), where);
    struct ebpf_kprobe nested = {.addr = (uintptr_t)live_nested, .handler = handler};
    struct ebpf_kprobe_stats s;
    pthread_t threads[HARTS];

    mock_cpu_count = HARTS + 1;
    mock_set_cpu(HARTS); /* the one that registers */
    text_function("hot", live_hot, live_hot_end);
    text_function("nested", live_nested, live_nested_end);
    warm_up(where, count);
    take_traps();
    stop = false;
    handler_calls = nested_calls = body_runs = wrong = 0;
    memset(thread_calls, 0, sizeof(thread_calls));
    CHECK_EQ(ebpf_kprobe_register(&nested), 0);
    for (unsigned i = 0; i < HARTS; i++)
        pthread_create(&threads[i], NULL, hart, (void *)(uintptr_t)i);
    sum = attach_and_detach(where, count);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < HARTS; i++) {
        pthread_join(threads[i], NULL);
        total += thread_calls[i];
    }
    ebpf_kprobe_stats(&s);
    printf(
        "NOTE %d rounds, %llu calls, %llu traps: %llu hits, %llu missed, %llu stale, %llu steps\n",
        ROUNDS, (unsigned long long)total, (unsigned long long)traps, (unsigned long long)s.hits,
        (unsigned long long)s.missed, (unsigned long long)s.stale, (unsigned long long)s.step);
    CHECK_EQ(wrong, 0);
    CHECK_EQ(body_runs, total);   /* no call lost or doubled */
    CHECK_EQ(sum, handler_calls); /* every hit is some probe's */
    CHECK(sum >= s.hits && s.hits > 0);
    CHECK_EQ(s.missed, nested_calls); /* every nested hit was counted, and only those */
    CHECK_EQ(ebpf_kprobe_missed(&nested), nested_calls);
    CHECK_EQ(ebpf_kprobe_hits(&nested), 0);
    CHECK_EQ(ebpf_kprobe_unregister(&nested), 0);
    leave_traps();
}

#endif /* __riscv */
typedef int test_kprobe_live_is_not_empty;
