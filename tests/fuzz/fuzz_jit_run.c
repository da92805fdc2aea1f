/* SPDX-License-Identifier: MIT */
/* One program on all engines, and what they leave compared; see fuzz_jit.h. */
#include "tests/fuzz/fuzz_jit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/alloc.h"
#include "src/base/epoch.h"

#define MAX_STEPS 200000u /* the most that a generated program runs is far below */
#define SECONDS 20

uint32_t fuzz_isa;
static uint32_t isa_here;

const char *const fuzz_verdicts[FUZZ_VERDICTS] = {"agree",        "refused by the structural check",
                                                  "unsafe",       "disagree",
                                                  "not compiled", "memory leaked",
                                                  "crash"};

/* ---- code ------------------------------------------------------------------------------------ */

bool fuzz_code(const struct fuzz_prog *prog, struct ebpf_code *code)
{
    memset(code, 0, sizeof(*code));
    code->insns = malloc(prog->cnt * sizeof(*code->insns));
    code->insn_cnt = prog->cnt;
    fuzz_resolve(prog, code->insns);
    if (!ebpf_code_check(code, NULL, true, EBPF_CAP_ALL))
        return true;
    free(code->insns);
    return false;
}

void fuzz_code_free(struct ebpf_code *code)
{
    ebpf_free(code->subprogs, code->subprog_cnt * sizeof(*code->subprogs));
    free(code->insns);
}

/* Exactly as long as is said first, so that sanitizers see what is written behind it. */
static int encode(const struct ebpf_code *code, uint64_t base)
{
    size_t len = 0;
    int err = ebpf_jit_encode(code, base, NULL, 0, &len);
    uint8_t *buf;

    if (err != -ENOSPC)
        return err ? err : -EINVAL;
    buf = malloc(len);
    err = ebpf_jit_encode(code, base, buf, len, &len);
    free(buf);
    return err;
}

/* ---- native code ----------------------------------------------------------------------------- */

#if defined(__riscv)

/* Calls fn(ctx, run) with everything that it must keep holding known numbers, and what it must not look
 * at, too; *broken: other than 0 if one of the former has changed. */
uint64_t fuzz_native(const void *fn, void *ctx, uint64_t *broken);
extern uint64_t fuzz_native_sp;
uint64_t fuzz_native_sp;
extern struct ebpf_run fuzz_native_run; /* on hart 0 */
struct ebpf_run fuzz_native_run;

#define SAVED(X) \
    X(s0, 8)     \
    X(s1, 16)    \
    X(s2, 24)    \
    X(s3, 32) X(s4, 40) X(s5, 48) X(s6, 56) X(s7, 64) X(s8, 72) X(s9, 80) X(s10, 88) X(s11, 96)
#define SAVE(reg, at) "sd " #reg "," #at "(sp)\n li " #reg ", 0x5a5a5a5a00 + " #at "\n"
#define LOOK(reg, at)                                                                         \
    "li t2, 0x5a5a5a5a00 + " #at "\n xor t2, t2, " #reg "\n or a2, a2, t2\n ld " #reg "," #at \
    "(sp)\n"
#define JUNK(reg) "li " #reg ", -0x1234567890\n"
__asm__(
    ".text\n.globl fuzz_native\nfuzz_native:\n"
    "addi sp, sp, -112\n sd ra, 104(sp)\n sd a2, 0(sp)\n"
    "la t0, fuzz_native_sp\n sd sp, 0(t0)\n mv t0, a0\n mv a0, a1\n" SAVED(SAVE) "la a1, fuzz_native_run\n" JUNK(a2)
        JUNK(a3) JUNK(a4) JUNK(a5) JUNK(a6) JUNK(a7) JUNK(t1) JUNK(t2) JUNK(t3) JUNK(t4) JUNK(t5)
            JUNK(t6) "jalr t0\n"
                     "la t0, fuzz_native_sp\n ld t1, 0(t0)\n xor a2, t1, sp\n mv sp, t1\n" SAVED(
                         LOOK) "ld a1, 0(sp)\n sd a2, 0(a1)\n ld ra, 104(sp)\n addi sp, sp, 112\n "
                               "ret\n");

/* For objdump -D -b binary -m riscv:rv64: the last one is what went wrong. */
static void dump(const struct ebpf_jit_image *image)
{
    FILE *file = fopen(getenv("FUZZ_DUMP"), "w");

    if (!file)
        return;
    fwrite(image->mem, 1, image->len, file);
    fclose(file);
}

static enum fuzz_verdict run_native(const struct fuzz_prog *prog, const struct ebpf_code *code,
                                    bool maps, const struct fuzz_state *want, bool quiet)
{
    struct ebpf_jit_image image = {0};
    static struct fuzz_state got;
    uint64_t r0, broken = 0;
    int err = ebpf_jit_compile(code, &image);

    if (err)
        return FUZZ_NOT_COMPILED;
    if (getenv("FUZZ_DUMP"))
        dump(&image);
    fuzz_memory_reset(prog->seed, maps);
    ebpf_epoch_enter(0);
    r0 = fuzz_native(image.mem, fuzz_ctx, &broken);
    ebpf_epoch_exit(0);
    fuzz_state_save(&got, r0, maps);
    ebpf_jit_free(&image);
    if (broken && !quiet)
        printf("  a register that belongs to the caller is not kept\n");
    return !broken && fuzz_state_equal(want, &got, quiet) ? FUZZ_AGREE : FUZZ_DISAGREE;
}

#else

static enum fuzz_verdict run_native(const struct fuzz_prog *prog, const struct ebpf_code *code,
                                    bool maps, const struct fuzz_state *want, bool quiet)
{
    uint64_t here = (uintptr_t)&run_native & ~15ull;

    (void)maps;
    (void)want;
    (void)quiet;
    return encode(code, prog->seed & 1 ? here + (1 << 20) : 0xffffffff80000000) ? FUZZ_NOT_COMPILED
                                                                                : FUZZ_AGREE;
}

#endif

/* All passes, some, and none, which costs less to find wrong, every other time; each with other
 * extensions. */
static enum fuzz_verdict run_masks(const struct fuzz_prog *prog, const struct ebpf_code *code,
                                   bool maps, const struct fuzz_state *want, bool quiet)
{
    enum fuzz_verdict verdict = FUZZ_AGREE;
    struct fuzz_random rnd;
    uint32_t masks[3] = {UINT32_MAX, 0};

    fuzz_seed(&rnd, prog->seed ^ 0x6a6974);
    masks[2] = (uint32_t)fuzz_next(&rnd);
    for (unsigned i = 0; i < 3 && verdict == FUZZ_AGREE; i++) {
        if (i == 1 && prog->seed & 1)
            continue;
        ebpf_jit_passes = masks[i];
        fuzz_isa = isa_here & (i == 1 ? 0 : (uint32_t)fuzz_next(&rnd));
        verdict = run_native(prog, code, maps, want, quiet);
        if (verdict != FUZZ_AGREE && !quiet)
            printf("  compiled with passes 0x%x, extensions 0x%x\n", ebpf_jit_passes, fuzz_isa);
    }
    ebpf_jit_passes = UINT32_MAX;
    return verdict;
}

/* ---- the interpreter, and the engine that looks at everything -------------------------------- */

static bool run_reference(const struct fuzz_prog *prog, const struct ebpf_code *code, bool maps,
                          struct fuzz_state *state, bool quiet)
{
    const char *why;
    uint64_t r0;

    fuzz_memory_reset(prog->seed, maps);
    why = fuzz_ref(code, &r0, MAX_STEPS);
    fuzz_state_save(state, r0, maps);
    if (why && !quiet)
        printf("  %s\n", why);
    return !why;
}

static enum fuzz_verdict run_code(const struct fuzz_prog *prog, const struct ebpf_code *code,
                                  bool reference, bool quiet)
{
    static struct fuzz_state want, again;
    bool maps = fuzz_uses_maps(prog);
    uint64_t r0;

    if (reference && !run_reference(prog, code, maps, &want, quiet))
        return FUZZ_UNSAFE;
    fuzz_memory_reset(prog->seed, maps);
    ebpf_epoch_enter(0);
    r0 = ebpf_interp(code, fuzz_ctx);
    ebpf_epoch_exit(0);
    fuzz_state_save(reference ? &again : &want, r0, maps);
    if (reference && !fuzz_state_equal(&want, &again, quiet)) {
        if (!quiet)
            printf("  on the interpreter\n");
        return FUZZ_DISAGREE;
    }
    return run_masks(prog, code, maps, &want, quiet);
}

enum fuzz_verdict fuzz_run(const struct fuzz_prog *prog, bool reference, bool quiet)
{
    struct ebpf_code code;
    enum fuzz_verdict verdict;

    if (!fuzz_code(prog, &code))
        return FUZZ_REFUSED;
    verdict = run_code(prog, &code, reference, quiet);
    fuzz_code_free(&code);
    return verdict;
}

/* ---- only compiled --------------------------------------------------------------------------- */

static bool known_error(int err)
{
    return !err || err == -EOPNOTSUPP || err == -E2BIG || err == -ENOMEM;
}

enum fuzz_verdict fuzz_compile_only(const struct fuzz_prog *prog, bool quiet)
{
    static const uint64_t bases[] = {0, 0x80200000, 0xffffffff80000000, 0x3f00000000};
    struct fuzz_random rnd;
    struct ebpf_code code;
    size_t live;
    int err = 0;

    if (!fuzz_code(prog, &code))
        return FUZZ_REFUSED;
    fuzz_seed(&rnd, prog->seed ^ 0x77696c64);
    live = fuzz_live_blocks();
    for (unsigned i = 0; i < 4 && known_error(err); i++) {
        ebpf_jit_passes = i ? (uint32_t)fuzz_next(&rnd) : UINT32_MAX;
        fuzz_isa = (uint32_t)fuzz_next(&rnd) & 31;
        fuzz_fail_alloc(i == 3 ? 1 + fuzz_below(&rnd, 20) : 0);
        err = encode(&code, bases[fuzz_below(&rnd, 4)]);
    }
    fuzz_fail_alloc(0);
    if (!known_error(err) && !quiet)
        printf("  the compiler says %d\n", err);
    live -= fuzz_live_blocks();
    fuzz_code_free(&code);
    return !known_error(err) ? FUZZ_DISAGREE : live ? FUZZ_LEAK : FUZZ_AGREE;
}

enum fuzz_verdict fuzz_apart(const struct fuzz_prog *prog, bool wild)
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(FUZZ_VERDICTS);
        alarm(SECONDS);
        _exit((int)(wild ? fuzz_compile_only(prog, true) : fuzz_run(prog, true, true)));
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return FUZZ_CRASH;
    return WIFEXITED(status) && WEXITSTATUS(status) < FUZZ_CRASH
               ? (enum fuzz_verdict)WEXITSTATUS(status)
               : FUZZ_CRASH;
}

/* ---- what there is --------------------------------------------------------------------------- */

static bool compiles(const struct bpf_insn *insns, uint32_t cnt)
{
    static struct fuzz_prog prog;
    struct ebpf_code code;
    bool ok;

    memcpy(prog.insns, insns, cnt * sizeof(*insns));
    prog.cnt = cnt;
    if (!fuzz_code(&prog, &code))
        return false;
    ok = encode(&code, 0) == 0;
    fuzz_code_free(&code);
    return ok;
}

void fuzz_probe(void)
{
    const struct bpf_insn may_goto[] = {BPF_MOV64_IMM(0, 0),
                                        BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, BPF_MAY_GOTO, 0, 0),
                                        BPF_EXIT_INSN()};
    const struct bpf_insn acq_rel[] = {
        BPF_MOV64_IMM(0, 0), BPF_ATOMIC_OP(BPF_B, BPF_STORE_REL, BPF_REG_10, 0, -8),
        BPF_ATOMIC_OP(BPF_B, BPF_LOAD_ACQ, 0, BPF_REG_10, -8), BPF_EXIT_INSN()};

    fuzz_has_may_goto = compiles(may_goto, 3);
    fuzz_has_acq_rel = compiles(acq_rel, 4);
    isa_here = fuzz_isa_here();
}
