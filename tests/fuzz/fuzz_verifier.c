/* SPDX-License-Identifier: MIT */
/*
 * The verifier's fuzzer: see fuzz_verifier.h.
 *   fuzz-verifier [-n PROGRAMS] [-s SEED] [-l] [-v] [-o DIR] [-j JOBS]
 *                                 -l: do not ask Linux; -v: also say what only one of the two
 *                                 refuses; -j: in processes of their own (see _campaign)
 *   fuzz-verifier -r FILE...      programs that once failed: none may any more
 *   fuzz-verifier -p SEED         prints that program
 */
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/fuzz/fuzz_verifier.h"

#define INPUTS 4u
#define COMPARED 2u      /* of them, with an engine */
#define MORE_INPUTS 400u /* where Linux does not agree */
#define TIRED_OF 8u      /* runs without an end: more say nothing either */

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
static uint32_t isa_here;

enum finding { FINE, REFUSED, VIOLATION, DIFFERS, LINUX_REFUSES };

static struct {
    bool linux_asked, verbose;
    const char *dir;
} run;

static struct vf_counts counts;
struct vf_counts *vf_counts = &counts;

static void count(unsigned what)
{
    vf_counts->n[what]++;
}

/* What Linux refuses for reasons that are not about safety: it gives up, where we do not, or finds
 * a bug of its own (6.18: functions that only dead code calls). */
static bool gives_up(int err, const char *message)
{
    return err == -E2BIG || strstr(message, "too complex") || strstr(message, "too large") ||
           strstr(message, "verifier bug");
}

static int load(const struct fuzz_prog *prog, struct ebpf_prog **loaded)
{
    struct bpf_func_info funcs[VF_MAX_FUNCS];
    struct ebpf_prog_spec spec = {
        .type = vf_type(prog->seed),
        .insns = prog->insns,
        .insn_cnt = prog->cnt,
        .license = "GPL",
        .maps = vf_maps,
        .map_cnt = VF_MAPS,
        .caps = EBPF_CAP_BPF | EBPF_CAP_PERFMON | EBPF_CAP_NET_ADMIN,
        .name = "fuzz",
        .btf = vf_types,
        .func_info = funcs,
        .func_info_cnt = vf_functions(prog, funcs),
    };

    return ebpf_prog_load(&spec, loaded);
}

/* Inputs number `from` to before `to`; false, and why: one of them makes it break a promise. */
static bool keeps_promises(const struct fuzz_prog *prog, unsigned from, unsigned to, char why[200])
{
    static struct vf_input input;
    unsigned tired = 0;
    char message[128];

    for (unsigned n = from; n < to && tired < TIRED_OF; n++) {
        uint64_t r0;
        enum vf_end end;

        vf_world_reset(prog, n, &input);
        end = vf_run(prog, &input, (struct vf_how){n % 8, false}, &r0, message);
        count(VF_RUNS);
        if (end == VF_TIRED)
            count(VF_CUT), tired++;
        if (end == VF_VIOLATED) {
            snprintf(why, 200, "input %u: %s", n, message);
            return false;
        }
    }
    return true;
}

/* Does the engine that runs it do the same on the first inputs? */
static bool engine_agrees(const struct fuzz_prog *prog, struct ebpf_prog *loaded, char why[200])
{
    char message[128];

    for (unsigned n = 0; n < COMPARED; n++) {
        enum vf_engine verdict = vf_compare(prog, loaded, n, message);

        if (verdict == VF_SAME)
            count(VF_COMPARED);
        if (verdict != VF_DIFFERENT)
            continue;
        snprintf(why, 200, "input %u, %s: %s", n,
                 ebpf_prog_is_jited(loaded) ? "compiled" : "interpreted", message);
        return false;
    }
    return true;
}

static enum finding examine(const struct fuzz_prog *prog, struct ebpf_prog *loaded, char why[200])
{
    if (!keeps_promises(prog, 0, INPUTS, why))
        return VIOLATION;
    vf_counts->n[VF_JITED] += ebpf_prog_is_jited(loaded);
    return engine_agrees(prog, loaded, why) ? FINE : DIFFERS;
}

/*
 * What our verdict is worth; why: in words. A program that only Linux refuses may be one whose
 * numbers Linux does not follow as far as we do (docs/VERIFIER.md): it is run on many more inputs
 * before it counts as that.
 */
static enum finding judge(const struct fuzz_prog *prog, char why[200])
{
    char message[160];
    struct ebpf_prog *loaded;
    enum finding finding = FINE;
    int theirs, err;

    fuzz_isa = prog->seed & 1 ? isa_here : 0;
    err = load(prog, &loaded);
    why[0] = 0;
    if (!err) {
        finding = examine(prog, loaded, why);
        ebpf_obj_put(ebpf_prog_obj(loaded));
    }
    if (finding != FINE)
        return finding;
    if (!run.linux_asked || vf_type(prog->seed) == BPF_PROG_TYPE_KPROBE || (err && !run.verbose))
        return err ? REFUSED : FINE;
    count(VF_ASKED);
    theirs = vf_linux_load(prog, vf_type(prog->seed), message);
    if (!err && theirs) {
        if (gives_up(theirs, message)) {
            count(VF_GIVEN_UP);
            return FINE;
        }
        if (!keeps_promises(prog, INPUTS, MORE_INPUTS, why))
            return VIOLATION;
        snprintf(why, 200, "Linux %d: %s", theirs, message);
        vf_count_class(vf_counts, message, 1);
        return LINUX_REFUSES;
    }
    if (err && !theirs) {
        count(VF_STRICTER);
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
    static struct vf_counts unused;
    struct vf_counts *before = vf_counts;
    char path[256], small[200];
    FILE *file;

    printf("seed %llu: %s: %s\n", (unsigned long long)prog->seed,
           finding == VIOLATION ? "ACCEPTED AND UNSAFE"
           : finding == DIFFERS ? "AN ENGINE DIFFERS"
                                : "only Linux refuses",
           why);
    if (!run.dir)
        return;
    vf_counts = &unused; /* these are not among the programs that were asked for */
    minimise(prog, finding);
    judge(prog, small);
    vf_counts = before;
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

static void make(struct fuzz_prog *prog, uint64_t seed)
{
    struct fuzz_random rnd;

    vf_generate(prog, seed);
    fuzz_seed(&rnd, ~seed);
    if (fuzz_below(&rnd, 3) == 0)
        vf_mutate(prog, &rnd);
}

static void one(uint64_t seed)
{
    static struct fuzz_prog prog;
    enum finding finding;
    char why[200];

    make(&prog, seed);
    finding = judge(&prog, why);
    count(VF_PROGRAMS);
    vf_counts->n[VF_ACCEPTED] += finding != REFUSED;
    vf_counts->n[VF_UNSAFE] += finding == VIOLATION;
    vf_counts->n[VF_DIFFERS] += finding == DIFFERS;
    vf_counts->n[VF_LINUX] += finding == LINUX_REFUSES;
    if (finding == VIOLATION || finding == DIFFERS || (finding == LINUX_REFUSES && run.verbose))
        report(&prog, finding, why);
    else if (run.verbose && why[0])
        printf("seed %llu: %s\n", (unsigned long long)seed, why);
}

/* ---- counting -------------------------------------------------------------------------------- */

/* Linux's words, a # for each number in them. */
static void without_numbers(char out[96], const char *text)
{
    size_t n = 0;

    for (; *text && n < 95; text++) {
        bool digit = *text >= '0' && *text <= '9';

        if (!digit)
            out[n++] = *text;
        else if (!n || out[n - 1] != '#')
            out[n++] = '#';
    }
    out[n] = 0;
}

void vf_count_class(struct vf_counts *to, const char *text, uint64_t n)
{
    char class[96];

    without_numbers(class, text);
    for (unsigned i = 0; i < VF_CLASSES; i++) {
        if (!to->classes[i].n)
            strcpy(to->classes[i].text, i + 1 < VF_CLASSES ? class : "(others)");
        else if (strcmp(to->classes[i].text, class) && i + 1 < VF_CLASSES)
            continue;
        to->classes[i].n += n;
        return;
    }
}

void vf_counts_print(const struct vf_counts *c, bool classes)
{
    static const char *const names[VF_COUNTS] = {
        "programs",           "accepted",       "executions",    "cut off", "compared",
        "compiled",           "engine differs", "unsafe",        "crashed", "shown to Linux",
        "only Linux refuses", "Linux gives up", "only we refuse"};

    for (unsigned i = 0; i < VF_COUNTS; i++) {
        if (i < VF_ASKED || c->n[i])
            printf("%s %llu %s", i ? "," : "", (unsigned long long)c->n[i], names[i]);
    }
    printf("\n");
    for (unsigned i = 0; classes && i < VF_CLASSES && c->classes[i].n; i++)
        printf("  only Linux refuses: %llu: %s\n", (unsigned long long)c->classes[i].n,
               c->classes[i].text);
}

static bool again(const char *path)
{
    const struct itimerval limit = {{0, 0}, {VF_SECONDS, 0}};
    static struct fuzz_prog prog;
    enum finding finding;
    char why[200];

    if (!fuzz_read(path, &prog)) {
        printf("%s: cannot be read\n", path);
        return false;
    }
    setitimer(ITIMER_PROF, &limit, NULL); /* it is killed then */
    finding = judge(&prog, why);
    if (finding != VIOLATION && finding != DIFFERS)
        return true;
    printf("%s: %s\n", path, why);
    return false;
}

static bool all(const struct vf_campaign *campaign)
{
    struct vf_counts sum;
    bool done = true;

    if (campaign->jobs) {
        done = vf_campaign_run(campaign, &sum);
    } else {
        for (uint64_t i = 0; i < campaign->programs; i++)
            one(campaign->seed + i);
        sum = counts;
    }
    printf("fuzz-verifier:");
    vf_counts_print(&sum, true);
    return done && !sum.n[VF_UNSAFE] && !sum.n[VF_DIFFERS] && !sum.n[VF_CRASHED] &&
           sum.n[VF_ACCEPTED] > sum.n[VF_PROGRAMS] / 10;
}

int main(int argc, char **argv)
{
    struct vf_campaign campaign = {1000, 1, 0, NULL, one};
    bool files = false, print = false, ok = true;
    static struct fuzz_prog prog;
    const char *why;
    int opt;

    run.linux_asked = true;
    while ((opt = getopt(argc, argv, "n:s:lvo:j:rp:")) != -1) {
        if (opt == 'n')
            campaign.programs = strtoull(optarg, NULL, 0);
        else if (opt == 's' || opt == 'p')
            campaign.seed = strtoull(optarg, NULL, 0), print = opt == 'p';
        else if (opt == 'l')
            run.linux_asked = false;
        else if (opt == 'v')
            run.verbose = true;
        else if (opt == 'o')
            campaign.directory = run.dir = optarg;
        else if (opt == 'j')
            campaign.jobs = strtoull(optarg, NULL, 0);
        else if (opt == 'r')
            files = true;
        else
            return 2;
    }
    if (campaign.jobs > 64 || (campaign.jobs && !run.dir))
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    vf_world_init();
    isa_here = fuzz_isa_here();
    fuzz_probes_fail = true;
    if (print) {
        make(&prog, campaign.seed);
        fuzz_print(stdout, &prog);
        return 0;
    }
    if (run.linux_asked && !vf_linux_init(&why)) {
        printf("SKIP comparison with Linux: %s\n", why);
        run.linux_asked = false;
    }
    for (int i = optind; files && i < argc; i++)
        ok = again(argv[i]) && ok;
    if (!files)
        ok = all(&campaign);
    return ok ? 0 : 1;
}
