/* SPDX-License-Identifier: MIT */
/*
 * fuzz_jit [-n PROGRAMS] [-s SEED] [-j JOBS] [-o DIRECTORY] [-f FAILURES] [-w]: random programs on
 * both engines (on RV64; elsewhere the compiler compiles them, under the sanitizers). -w: anything
 * the structural check lets pass, only compiled. fuzz_jit -p SEED [-w]: prints that program.
 * fuzz_jit -r FILE...: runs programs of files.
 *
 * Workers run the programs; the parent notices when one dies, makes the program that it had small,
 * prints it, writes it to DIRECTORY, and starts the worker anew behind it. Exits with 0 if nothing
 * was wrong.
 */
#include "tests/fuzz/fuzz_jit.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_JOBS 16
#define TICKS 20 /* seconds that a program may take */
#define TRIES 4000
#define REFERENCE_EVERY 16 /* on RV64, where the engines themselves cost the time */

static struct {
    uint64_t programs, seed;
    unsigned jobs;
    const char *directory;
    bool wild;
    unsigned failures; /* it gives up after so many */
} options = {10000, 1, 2, "build/fuzz", false, 10};

/* What a worker says to its parent. */
struct report {
    volatile uint64_t next; /* program that runs now */
    volatile uint64_t agree, refused, insns;
    volatile int verdict;
};
static struct report *reports;
static struct fuzz_prog prog;
static unsigned failures;

/* ---- workers --------------------------------------------------------------------------------- */

static struct report *mine;

/* Once a second: has the same program been running for too long? */
static void tick(int number)
{
    static uint64_t last = UINT64_MAX;
    static unsigned same;

    (void)number;
    same = mine->next == last ? same + 1 : 0;
    last = mine->next;
    if (same == TICKS)
        _exit(3);
}

static enum fuzz_verdict run_one(uint64_t i)
{
    uint64_t seed = options.seed + i;
    bool reference = true;

    if (options.wild) {
        fuzz_generate_wild(&prog, seed);
        return fuzz_compile_only(&prog, false);
    }
#if defined(__riscv)
    reference = seed % REFERENCE_EVERY == 0;
#endif
    fuzz_generate(&prog, seed);
    return fuzz_run(&prog, reference, false);
}

/* Programs first, first + jobs, ... */
static void work(struct report *report, uint64_t first)
{
    const struct itimerval second = {{1, 0}, {1, 0}};

    mine = report;
    signal(SIGALRM, tick);
    setitimer(ITIMER_REAL, &second, NULL);
    for (uint64_t i = first; i < options.programs; i += options.jobs) {
        enum fuzz_verdict verdict;

        report->next = i;
        verdict = run_one(i);
        report->insns += prog.cnt;
        if (verdict == FUZZ_REFUSED && options.wild) {
            report->refused++;
        } else if (verdict != FUZZ_AGREE) {
            report->verdict = (int)verdict;
            fflush(stdout);
            _exit(1);
        } else {
            report->agree++;
        }
    }
    report->next = UINT64_MAX;
    _exit(0);
}

static pid_t start(struct report *report, uint64_t first)
{
    pid_t child;

    report->verdict = FUZZ_CRASH;
    fflush(stdout);
    child = fork();
    if (child == 0)
        work(report, first);
    return child;
}

/* ---- the parent ------------------------------------------------------------------------------ */

static void save(uint64_t seed, enum fuzz_verdict verdict)
{
    char path[512];
    FILE *file;

    mkdir(options.directory, 0777);
    snprintf(path, sizeof(path), "%s/fail-%llu%s.txt", options.directory, (unsigned long long)seed,
             options.wild ? "-wild" : "");
    file = fopen(path, "w");
    if (!file) {
        perror(path);
        return;
    }
    fprintf(file, "# %s\n", fuzz_verdicts[verdict]);
    fuzz_print(file, &prog);
    fclose(file);
    printf("written to %s\n", path);
}

static void failed(const struct report *report, uint64_t i)
{
    enum fuzz_verdict verdict = (enum fuzz_verdict)report->verdict;
    uint64_t seed = options.seed + i;
    uint32_t cnt;

    failures++;
    (options.wild ? fuzz_generate_wild : fuzz_generate)(&prog, seed);
    cnt = prog.cnt;
    printf("program %llu, seed %llu: %s\n", (unsigned long long)(i + 1), (unsigned long long)seed,
           fuzz_verdicts[verdict]);
    if (verdict != FUZZ_REFUSED && verdict != FUZZ_UNSAFE) /* those are the generator's bugs */
        fuzz_minimise(&prog, verdict, options.wild, TRIES);
    printf("%u of %u instructions are left:\n", prog.cnt, cnt);
    if (prog.cnt <= 200)
        fuzz_print(stdout, &prog);
    save(seed, verdict);
}

static uint64_t done(void)
{
    uint64_t sum = 0;

    for (unsigned j = 0; j < options.jobs; j++)
        sum += reports[j].agree + reports[j].refused;
    return sum + failures;
}

static void progress(time_t began)
{
    static uint64_t shown;
    uint64_t step = options.programs / 10 ? options.programs / 10 : 1;

    if (done() < shown + step)
        return;
    shown = done();
    printf("  %llu programs, %u failures, %lld s\n", (unsigned long long)shown, failures,
           (long long)(time(NULL) - began));
    fflush(stdout);
}

/* Worker j is gone: go on behind the program that it had. */
static pid_t succeed(unsigned j, int status)
{
    uint64_t i = reports[j].next;

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && i == UINT64_MAX)
        return 0;
    failed(&reports[j], i);
    return i + options.jobs < options.programs ? start(&reports[j], i + options.jobs) : 0;
}

static void stop(const pid_t *pids)
{
    for (unsigned j = 0; j < options.jobs; j++) {
        if (pids[j] > 0 && !kill(pids[j], SIGKILL))
            waitpid(pids[j], NULL, 0);
    }
}

static void run_all(void)
{
    pid_t pids[MAX_JOBS];
    unsigned running = 0;
    time_t began = time(NULL);

    for (unsigned j = 0; j < options.jobs; j++) {
        pids[j] = j < options.programs ? start(&reports[j], j) : 0;
        running += pids[j] > 0;
    }
    while (running) {
        int status;
        pid_t gone = waitpid(-1, &status, WNOHANG);

        if (gone <= 0)
            usleep(20000);
        progress(began);
        if (failures >= options.failures) {
            stop(pids);
            return;
        }
        for (unsigned j = 0; gone > 0 && j < options.jobs; j++) {
            if (pids[j] != gone)
                continue;
            pids[j] = succeed(j, status);
            running -= pids[j] <= 0;
        }
    }
}

static void summary(void)
{
    uint64_t refused = 0, insns = 0;

    for (unsigned j = 0; j < options.jobs; j++) {
        refused += reports[j].refused;
        insns += reports[j].insns;
    }
    if (options.wild)
        printf("fuzz-jit: %llu programs compiled, %llu refused by the check, %u failures\n",
               (unsigned long long)(done() - refused), (unsigned long long)refused, failures);
    else
        printf("fuzz-jit: %llu programs, %u disagreements, %llu instructions\n",
               (unsigned long long)done(), failures, (unsigned long long)insns);
}

static int replay(char **files)
{
    unsigned passed = 0;

    for (; *files; files++) {
        bool wild = strstr(*files, "-wild") != NULL, readable = fuzz_read(*files, &prog);
        enum fuzz_verdict verdict = readable ? fuzz_apart(&prog, wild) : FUZZ_CRASH;

        if (verdict == FUZZ_AGREE) {
            passed++;
        } else {
            failures++;
            printf("%s: %s\n", *files, readable ? fuzz_verdicts[verdict] : "cannot be read");
        }
    }
    printf("%u passed, %u failed\n", passed, failures);
    return failures != 0;
}

static int print_one(uint64_t seed)
{
    (options.wild ? fuzz_generate_wild : fuzz_generate)(&prog, seed);
    fuzz_print(stdout, &prog);
    return 0;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: fuzz_jit [-n PROGRAMS] [-s SEED] [-j JOBS] [-o DIRECTORY] [-f FAILURES] [-w]\n"
            "       fuzz_jit [-w] -p SEED | -r FILE...\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *print = NULL;
    bool files = false;
    int option;

    while ((option = getopt(argc, argv, "n:s:j:o:f:p:wr")) != -1) {
        if (option == 'n')
            options.programs = strtoull(optarg, NULL, 0);
        else if (option == 's')
            options.seed = strtoull(optarg, NULL, 0);
        else if (option == 'j')
            options.jobs = (unsigned)strtoul(optarg, NULL, 0);
        else if (option == 'o')
            options.directory = optarg;
        else if (option == 'f')
            options.failures = (unsigned)strtoul(optarg, NULL, 0);
        else if (option == 'p')
            print = optarg;
        else if (option == 'w')
            options.wild = true;
        else if (option == 'r')
            files = true;
        else
            return usage();
    }
    if (!options.jobs || options.jobs > MAX_JOBS || (files ? optind == argc : optind != argc))
        return usage();
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (ebpf_init())
        return 2;
    fuzz_memory_init();
    fuzz_probe();
    if (files)
        return replay(argv + optind);
    if (print)
        return print_one(strtoull(print, NULL, 0));
    reports = mmap(NULL, sizeof(*reports) * MAX_JOBS, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (reports == MAP_FAILED)
        return 2;
    run_all();
    summary();
    return failures != 0;
}
