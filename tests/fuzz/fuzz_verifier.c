/* SPDX-License-Identifier: MIT */
/*
 * The verifier's fuzzer: see fuzz_verifier.h.
 *   fuzz-verifier [-n PROGRAMS] [-s SEED] [-l] [-v] [-o DIR]     -l: do not ask Linux; -v: also say
 *   what only we refuse
 *   fuzz-verifier -r FILE...      programs that once failed: none may any more
 */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz_verifier.h"

#define INPUTS 4u
#define MORE_INPUTS 400u /* where Linux does not agree */

/* As on the machine whose Linux is asked: what bpf_get_smp_processor_id() may return is known from
 * it. */
unsigned ebpf_os_cpu_count(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_CONF);

    return cpus > 0 && cpus <= EBPF_CONFIG_MAX_CPUS ? (unsigned)cpus : EBPF_CONFIG_MAX_CPUS;
}

unsigned ebpf_os_cpu_id(void)
{
    return 0;
}

uint32_t fuzz_isa;

enum finding { FINE, REFUSED, VIOLATION, LINUX_REFUSES, FINDINGS };

static struct {
    bool linux_asked, verbose;
    const char *dir;
    uint64_t programs, accepted, findings[FINDINGS], stricter, tired;
} run;

/* What Linux refuses for reasons that are not about safety: it gives up, where we do not, or finds
 * a bug of its own (6.18: functions that only dead code calls). */
static bool gives_up(int err, const char *message)
{
    return err == -E2BIG || strstr(message, "too complex") || strstr(message, "too large") ||
           strstr(message, "verifier bug");
}

static int load(const struct fuzz_prog *prog)
{
    struct ebpf_prog_spec spec = {
        .type = vf_type(prog->seed),
        .insns = prog->insns,
        .insn_cnt = prog->cnt,
        .license = "GPL",
        .maps = vf_maps,
        .map_cnt = VF_MAPS,
        .caps = EBPF_CAP_BPF | EBPF_CAP_PERFMON | EBPF_CAP_NET_ADMIN,
        .name = "fuzz",
    };
    struct ebpf_prog *loaded;
    int err = ebpf_prog_load(&spec, &loaded);

    if (!err)
        ebpf_obj_put(ebpf_prog_obj(loaded));
    return err;
}

/* Inputs number `from` to before `to`; false, and why: one of them makes it break a promise. */
static bool keeps_promises(const struct fuzz_prog *prog, unsigned from, unsigned to, char why[200])
{
    char message[128];

    for (unsigned n = from; n < to; n++) {
        struct vf_packet packet;
        uint64_t r0;
        enum vf_end end;

        vf_world_reset(prog->seed, n, &packet);
        end = vf_run(prog, &packet, &r0, message);
        run.tired += end == VF_TIRED;
        if (end == VF_VIOLATED) {
            snprintf(why, 200, "input %u: %s", n, message);
            return false;
        }
    }
    return true;
}

/*
 * What our verdict is worth; why: in words. A program that only Linux refuses may be one whose
 * numbers Linux does not follow as far as we do (docs/VERIFIER.md): it is run on many more inputs
 * before it counts as that.
 */
static enum finding judge(const struct fuzz_prog *prog, char why[200])
{
    char message[160];
    int theirs, err = load(prog);

    why[0] = 0;
    if (!err && !keeps_promises(prog, 0, INPUTS, why))
        return VIOLATION;
    if (!run.linux_asked || (err && !run.verbose))
        return err ? REFUSED : FINE;
    theirs = vf_linux_load(prog, vf_type(prog->seed), message);
    if (!err && theirs && !gives_up(theirs, message)) {
        if (!keeps_promises(prog, INPUTS, MORE_INPUTS, why))
            return VIOLATION;
        snprintf(why, 200, "Linux %d: %s", theirs, message);
        return LINUX_REFUSES;
    }
    if (err && !theirs) {
        run.stricter++;
        snprintf(why, 200, "only we refuse it (%d)", err);
    }
    return err ? REFUSED : FINE;
}

/* Instructions become jumps to the next one, as long as the finding stays. */
static void minimise(struct fuzz_prog *prog, enum finding finding)
{
    bool smaller = true;
    char why[200];

    while (smaller) {
        smaller = false;
        for (uint32_t i = 0; i < prog->cnt; i++) {
            struct bpf_insn insn[2] = {prog->insns[i], prog->insns[i + 1]};
            bool wide = fuzz_is_imm64(&insn[0]);

            if (insn[0].code == (BPF_JMP | BPF_JA) && !insn[0].off)
                continue;
            prog->insns[i] = BPF_JMP_A(0);
            if (wide)
                prog->insns[i + 1] = BPF_JMP_A(0);
            if (judge(prog, why) == finding) {
                smaller = true;
            } else {
                prog->insns[i] = insn[0];
                prog->insns[i + 1] = insn[1];
            }
            i += wide;
        }
    }
}

static void report(struct fuzz_prog *prog, enum finding finding, const char *why)
{
    char path[256], small[200];
    FILE *file;

    printf("seed %llu: %s: %s\n", (unsigned long long)prog->seed,
           finding == VIOLATION ? "ACCEPTED AND UNSAFE" : "only Linux refuses", why);
    if (!run.dir)
        return;
    minimise(prog, finding);
    judge(prog, small);
    mkdir(run.dir, 0777);
    snprintf(path, sizeof(path), "%s/verifier-%llu.txt", run.dir, (unsigned long long)prog->seed);
    file = fopen(path, "w");
    if (!file)
        return;
    fprintf(file, "# %s\n", small);
    fuzz_print(file, prog);
    fclose(file);
    printf("  minimised: %s: %s\n", path, small);
}

static void one(uint64_t seed)
{
    static struct fuzz_prog prog;
    struct fuzz_random rnd;
    enum finding finding;
    char why[200];

    vf_generate(&prog, seed);
    fuzz_seed(&rnd, ~seed);
    if (fuzz_below(&rnd, 3) == 0)
        vf_mutate(&prog, &rnd);
    finding = judge(&prog, why);
    run.programs++;
    run.findings[finding]++;
    run.accepted += finding != REFUSED;
    if (finding == VIOLATION || (finding == LINUX_REFUSES && run.verbose))
        report(&prog, finding, why);
    else if (run.verbose && why[0])
        printf("seed %llu: %s\n", (unsigned long long)seed, why);
}

static bool again(const char *path)
{
    static struct fuzz_prog prog;
    enum finding finding;
    char why[200];

    if (!fuzz_read(path, &prog)) {
        printf("%s: cannot be read\n", path);
        return false;
    }
    finding = judge(&prog, why);
    if (finding != VIOLATION)
        return true;
    printf("%s: %s\n", path, why);
    return false;
}

int main(int argc, char **argv)
{
    uint64_t n = 1000, seed = 1;
    bool files = false, ok = true;
    const char *why;
    int opt;

    run.linux_asked = true;
    while ((opt = getopt(argc, argv, "n:s:lvo:r")) != -1) {
        if (opt == 'n')
            n = strtoull(optarg, NULL, 0);
        else if (opt == 's')
            seed = strtoull(optarg, NULL, 0);
        else if (opt == 'l')
            run.linux_asked = false;
        else if (opt == 'v')
            run.verbose = true;
        else if (opt == 'o')
            run.dir = optarg;
        else if (opt == 'r')
            files = true;
        else
            return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    vf_world_init();
    if (run.linux_asked && !vf_linux_init(&why)) {
        printf("SKIP comparison with Linux: %s\n", why);
        run.linux_asked = false;
    }
    for (int i = optind; files && i < argc; i++)
        ok = again(argv[i]) && ok;
    for (uint64_t i = 0; !files && i < n; i++)
        one(seed + i);
    if (!files) {
        printf("fuzz-verifier: %llu programs, %llu accepted, %llu unsafe; %llu that Linux refuses, "
               "safe "
               "on %u inputs; ",
               (unsigned long long)run.programs, (unsigned long long)run.accepted,
               (unsigned long long)run.findings[VIOLATION],
               (unsigned long long)run.findings[LINUX_REFUSES], MORE_INPUTS);
        if (run.verbose)
            printf("%llu that only we refuse; ", (unsigned long long)run.stricter);
        printf("%llu runs cut off\n", (unsigned long long)run.tired);
        ok = !run.findings[VIOLATION] && run.accepted > run.programs / 10;
    }
    return ok ? 0 : 1;
}
