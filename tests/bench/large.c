/* SPDX-License-Identifier: MIT */
/*
 * bench-large: what it takes to check and compile programs of 1,000 to 1,000,000 instructions. For
 * each shape of program and each size it prints processor time, the most memory that was in use at
 * once (counted by the allocation hook), and both for each instruction; then it runs the code and
 * compares with the interpreter. Fails if an instruction of 1,000,000 costs more than twice what
 * one of 10,000 does: both have to be linear.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "jit/jit.h"
#include "src/core/prog.h"
#include "tests/unit/insn.h"

/* ---- the kernel's part ----------------------------------------------------------------------- */

static size_t live, peak;

void *ebpf_os_alloc(size_t size)
{
    void *mem = malloc(size);

    if (mem)
        live += size;
    if (live > peak)
        peak = live;
    return mem;
}

void ebpf_os_free(void *ptr, size_t size)
{
    live -= size;
    free(ptr);
}

unsigned long ebpf_os_irq_save(void)
{
    return 0;
}

void ebpf_os_irq_restore(unsigned long state)
{
    (void)state;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t ebpf_os_time_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

void ebpf_os_console(const char *line)
{
    puts(line);
}

void *ebpf_os_code_alloc(size_t size)
{
    void *mem =
        mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return mem == MAP_FAILED ? NULL : mem;
}

void ebpf_os_code_free(void *ptr, size_t size)
{
    munmap(ptr, size);
}

int ebpf_os_text_write(void *dst, const void *src, size_t len)
{
    memcpy(dst, src, len);
    __builtin___clear_cache(dst, (char *)dst + len);
    return 0;
}

/* ---- programs -------------------------------------------------------------------------------- */

/* How often, of 64 slots, what comes; the rest is arithmetic. */
struct shape {
    const char *name;
    unsigned jumps, constants, memory, calls;
    unsigned distance; /* jumps go up to so many slots ahead */
    unsigned leaf;     /* length of the functions that are called */
};

static const struct shape shapes[] = {
    {"arithmetic", 0, 0, 0, 0, 0, 0},
    {"mixed", 10, 4, 16, 2, 40, 64},
    /* about as far as a conditional branch of RV64 gets: half are just too far */
    {"branches", 32, 0, 0, 0, 1500, 0},
    {"far", 16, 0, 8, 0, 32000, 0}, /* as far as BPF's get */
    {"constants", 4, 40, 0, 0, 20, 0},
    {"calls", 0, 0, 4, 24, 0, 32},
};
#define CTX_WORDS 8
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static uint32_t rng_state;

static uint32_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 17;
    rng_state ^= rng_state << 5;
    return rng_state;
}

/* One of r0 to r9. */
static unsigned reg(void)
{
    return rng() % 10;
}

static struct bpf_insn arithmetic(void)
{
    static const uint8_t ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_OR,  BPF_AND,
                                  BPF_XOR, BPF_MOV, BPF_DIV, BPF_MOD, BPF_NEG};
    unsigned op = ops[rng() % sizeof(ops)], cls = rng() % 2 ? BPF_ALU64 : BPF_ALU;
    bool imm = rng() % 2;

    if (op == BPF_NEG)
        return BPF_RAW_INSN(cls | op, reg(), 0, 0, 0);
    if (imm)
        return BPF_RAW_INSN(cls | op | BPF_K, reg(), 0, 0,
                            rng() % 4 ? rng() % 2000 + 1 : rng() | 1);
    return BPF_RAW_INSN(cls | op | BPF_X, reg(), reg(), 0, 0);
}

/* The frame's first 64 bytes are written by every function's beginning. */
static struct bpf_insn memory(void)
{
    int16_t off = (int16_t)(-8 * (int)(rng() % 8 + 1));

    return rng() % 2 ? BPF_LDX_MEM(BPF_DW, reg(), BPF_REG_10, off)
                     : BPF_STX_MEM(BPF_DW, BPF_REG_10, reg(), off);
}

static struct bpf_insn jump(const struct shape *shape, uint32_t room)
{
    static const uint8_t ops[] = {BPF_JEQ, BPF_JGT, BPF_JSLE, BPF_JNE, BPF_JSET};
    unsigned cls = rng() % 2 ? BPF_JMP : BPF_JMP32;
    uint32_t distance = rng() % shape->distance;
    int16_t off = (int16_t)(distance < room ? distance : room);

    return BPF_RAW_INSN(cls | ops[rng() % sizeof(ops)] | (rng() % 2 ? BPF_X : BPF_K), reg(), reg(),
                        off, rng() % 100);
}

/* What jumps into the middle of a constant goes one further, and an immediate form has no source
 * register. */
static void mend(struct bpf_insn *insns, uint32_t start, uint32_t end)
{
    for (uint32_t i = start; i < end; i++) {
        struct bpf_insn *insn = &insns[i];
        unsigned cls = BPF_CLASS(insn->code);
        if (insn->code == (BPF_LD | BPF_IMM | BPF_DW)) {
            i++;
        } else if ((cls == BPF_JMP || cls == BPF_JMP32) && BPF_OP(insn->code) != BPF_CALL &&
                   BPF_OP(insn->code) != BPF_EXIT) {
            if (!insns[i + 1 + insn->off].code)
                insn->off++;
            if (BPF_SRC(insn->code) == BPF_K)
                insn->src_reg = 0;
            else
                insn->imm = 0;
        }
    }
}

/* Values that no compiler can know: the main function's come from the context, others' are their
 * arguments. */
static uint32_t begin(struct bpf_insn *insns, const struct shape *shape, bool is_main)
{
    uint32_t i = 0;

    for (unsigned r = 9; r >= 2 && is_main; r--)
        insns[i++] = BPF_LDX_MEM(BPF_DW, r, BPF_REG_1, (int16_t)(8 * (r % CTX_WORDS)));
    for (unsigned r = 6; r <= 9 && !is_main; r++)
        insns[i++] = BPF_MOV64_REG(r, r - 5);
    insns[i++] = BPF_MOV64_REG(BPF_REG_0, BPF_REG_7);
    insns[i++] = BPF_MOV64_REG(BPF_REG_1, BPF_REG_8);
    for (int16_t slot = 1; slot <= 8 && shape->memory; slot++)
        insns[i++] = BPF_STX_MEM(BPF_DW, BPF_REG_10, 2 + slot % 8, -8 * slot);
    return i;
}

/* One thing of the shape, in at most 6 slots; how many. room: slots up to the function's exit. */
static uint32_t next(struct bpf_insn *insns, const struct shape *shape, uint32_t room,
                     int32_t to_leaf)
{
    uint32_t dice = rng() % 64;

    if (dice < shape->jumps) {
        insns[0] = jump(shape, room - 1);
        return 1;
    }
    dice -= shape->jumps;
    if (dice < shape->constants) {
        struct bpf_insn use[] = {BPF_LD_IMM64(rng() % 6, (uint64_t)rng() << 32 | rng()),
                                 BPF_ALU64_REG(BPF_XOR, 6 + rng() % 4, 0)};
        use[2].src_reg = use[0].dst_reg;
        memcpy(insns, use, sizeof(use));
        return 3;
    }
    dice -= shape->constants;
    if (dice < shape->memory) {
        insns[0] = memory();
        return 1;
    }
    dice -= shape->memory;
    if (dice < shape->calls && to_leaf) {
        insns[0] = BPF_CALL_REL(to_leaf - 1);
        for (unsigned r = 1; r <= 5; r++) /* what a call leaves in them, nobody may read */
            insns[r] = BPF_MOV64_REG(r, 6 + r % 4);
        return 6;
    }
    insns[0] = arithmetic();
    return 1;
}

/* A function in [start, end); it calls the leaves of shape->leaf slots each that lie in [leaves,
 * last), if any. */
static void function(struct bpf_insn *insns, const struct shape *shape, uint32_t start,
                     uint32_t end, uint32_t leaves, uint32_t last)
{
    uint32_t i = start + begin(&insns[start], shape, start == 0);
    uint32_t n = last > leaves ? (last - leaves) / shape->leaf : 0;

    while (i < end - 16) {
        uint32_t leaf = n ? leaves + rng() % n * shape->leaf : i;
        i += next(&insns[i], shape, end - 1 - i, (int32_t)(leaf - i));
    }
    while (i < end - 1) { /* all registers matter */
        insns[i] = BPF_ALU64_REG(BPF_XOR, BPF_REG_0, 1 + i % 9);
        i++;
    }
    insns[i] = BPF_EXIT_INSN();
    mend(insns, start, end);
}

static void generate(struct bpf_insn *insns, uint32_t cnt, const struct shape *shape)
{
    uint32_t leaves = shape->calls ? cnt / 4 / shape->leaf : 0,
             main_end = cnt - leaves * shape->leaf;

    rng_state = 2463534242u;
    function(insns, shape, 0, main_end, main_end, cnt);
    for (uint32_t i = main_end; i < cnt; i += shape->leaf)
        function(insns, shape, i, i + shape->leaf, 0, 0);
}

/* ---- measuring ------------------------------------------------------------------------------- */

struct cost {
    uint64_t check_ns, jit_ns;
    size_t memory, code;
};

static void die(const char *what, const struct shape *shape, uint32_t cnt, int err)
{
    printf("bench-large: %s, %u instructions: %s (%d)\n", shape->name, cnt, what, err);
    exit(1);
}

/* The JIT's code does what the interpreter does. */
static void compare(const struct ebpf_code *code, const struct ebpf_jit_image *image,
                    const struct shape *shape)
{
    union {
        void *mem;
        uint64_t (*fn)(void *ctx);
    } entry = {.mem = image->mem};
    uint64_t ctx[CTX_WORDS];

    for (unsigned i = 0; i < CTX_WORDS; i++)
        ctx[i] = (i + 1) * 0x9e3779b97f4a7c15;

    if (entry.fn(ctx) != ebpf_interp(code, ctx))
        die("the code computes something else than the interpreter", shape, code->insn_cnt, 0);
}

static struct cost once(struct bpf_insn *insns, uint32_t cnt, const struct shape *shape, bool run)
{
    struct ebpf_code code = {.insns = insns, .insn_cnt = cnt};
    struct ebpf_jit_image image = {0};
    struct cost cost;
    uint64_t start = clock_ns(CLOCK_PROCESS_CPUTIME_ID), checked;
    int err;

    peak = live;
    err = ebpf_code_check(&code, NULL, true, EBPF_CAP_ALL);
    if (err)
        die("refused", shape, cnt, err);
    checked = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    err = ebpf_jit_compile(&code, &image);
    if (err)
        die("not compiled", shape, cnt, err);
    cost.jit_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - checked;
    cost.check_ns = checked - start;
    cost.memory = peak;
    cost.code = image.len;
    if (run)
        compare(&code, &image, shape);
    ebpf_jit_free(&image);
    ebpf_os_free(code.subprogs, code.subprog_cnt * sizeof(*code.subprogs));
    if (live)
        die("memory is lost", shape, cnt, 0);
    return cost;
}

/* The best of some times; small programs need more of them, until the emulator has translated
 * everything. */
static struct cost measure(struct bpf_insn *insns, uint32_t cnt, const struct shape *shape)
{
    unsigned times = cnt >= 1000000 ? 2 : cnt >= 100000 ? 4 : cnt >= 10000 ? 20 : 50;
    struct cost best;

    generate(insns, cnt, shape);
    best = once(insns, cnt, shape, true);
    while (--times) {
        struct cost cost = once(insns, cnt, shape, false);
        if (cost.check_ns < best.check_ns)
            best.check_ns = cost.check_ns;
        if (cost.jit_ns < best.jit_ns)
            best.jit_ns = cost.jit_ns;
    }
    return best;
}

static double per_insn(uint64_t what, uint32_t cnt)
{
    return (double)what / cnt;
}

int main(void)
{
    static const uint32_t sizes[] = {1000, 10000, 100000, 1000000};
    struct bpf_insn *insns = malloc(1000000 * sizeof(*insns));
    int failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!insns)
        return 1;
    for (unsigned s = 0; s < SHAPES; s++) {
        double ns[4], bytes[4];
        for (unsigned i = 0; i < 4; i++) {
            struct cost cost = measure(insns, sizes[i], &shapes[s]);
            ns[i] = per_insn(cost.check_ns + cost.jit_ns, sizes[i]);
            bytes[i] = per_insn(cost.memory, sizes[i]);
            printf("LARGE %s insns=%u ms=%.2f memory=%zu ns/insn=%.1f (check %.1f, jit %.1f) "
                   "bytes/insn=%.2f "
                   "code=%zu\n",
                   shapes[s].name, sizes[i], ns[i] * sizes[i] / 1e6, cost.memory, ns[i],
                   per_insn(cost.check_ns, sizes[i]), per_insn(cost.jit_ns, sizes[i]), bytes[i],
                   cost.code);
        }
        if (ns[3] > 2 * ns[1] || bytes[3] > 2 * bytes[1]) {
            printf("bench-large: %s is not linear: time x%.2f, memory x%.2f for an instruction of "
                   "1,000,000\n",
                   shapes[s].name, ns[3] / ns[1], bytes[3] / bytes[1]);
            failed = 1;
        }
    }
    free(insns);
    puts(failed ? "bench-large: FAILED" : "bench-large: time and memory are linear");
    return failed;
}
