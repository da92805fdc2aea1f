/* SPDX-License-Identifier: MIT */
/*
 * Many programs, in processes that may crash or hang: each job has a part of the seeds of its own,
 * which are printed. The parent says every now and then how far they are, notices when one dies,
 * says at which seed, and starts it anew behind that. What is done is kept in DIRECTORY/campaign,
 * so that a campaign that was interrupted (INT, TERM) goes on where it was.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/fuzz/fuzz_verifier.h"

#define TELL_EVERY 60

struct job {
    pid_t pid; /* 0: ended */
    uint64_t first, end;
    volatile uint64_t next; /* the seed that it is at */
    struct vf_counts counts;
};

static struct job *jobs; /* shared with them */
static const struct vf_campaign *campaign;
static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

/* ---- a job ----------------------------------------------------------------------------------- */

static void work(struct job *job)
{
    const struct itimerval limit = {{0, 0}, {VF_SECONDS, 0}};

    vf_counts = &job->counts;
    while (job->next < job->end && !stopped) {
        setitimer(ITIMER_PROF, &limit, NULL);
        campaign->one(job->next);
        job->next++;
    }
    fflush(stdout);
    _exit(0);
}

static void start(struct job *job)
{
    bool more = job->next < job->end && !stopped;
    pid_t pid;

    fflush(stdout);
    pid = more ? fork() : 0;
    if (more && !pid)
        work(job);
    job->pid = pid > 0 ? pid : 0; /* the child writes nothing to it: they share it */
}

/* ---- what they have done --------------------------------------------------------------------- */

static void sum_up(struct vf_counts *sum)
{
    memset(sum, 0, sizeof(*sum));
    for (unsigned j = 0; j < campaign->jobs; j++) {
        const struct vf_counts *counts = &jobs[j].counts;

        for (unsigned i = 0; i < VF_COUNTS; i++)
            sum->n[i] += counts->n[i];
        for (unsigned i = 0; i < VF_CLASSES && counts->classes[i].n; i++)
            vf_count_class(sum, counts->classes[i].text, counts->classes[i].n);
    }
}

static void state_path(char path[300], const char *end)
{
    snprintf(path, 300, "%s/campaign%s", campaign->directory, end);
}

/* The jobs as they are in memory, behind a line that says which campaign it is. */
static void save(void)
{
    char path[300], final[300];
    FILE *file;
    bool ok;

    state_path(path, ".new");
    state_path(final, "");
    mkdir(campaign->directory, 0777);
    file = fopen(path, "wb");
    if (!file)
        return;
    ok = fwrite(campaign, offsetof(struct vf_campaign, directory), 1, file) == 1 &&
         fwrite(jobs, sizeof(*jobs), campaign->jobs, file) == campaign->jobs;
    if (!fclose(file) && ok)
        rename(path, final);
}

/* True: goes on with what was saved of a campaign with the same numbers. */
static bool restore(void)
{
    char path[300];
    struct vf_campaign saved;
    FILE *file;
    bool ok;

    state_path(path, "");
    file = fopen(path, "rb");
    if (!file)
        return false;
    ok = fread(&saved, offsetof(struct vf_campaign, directory), 1, file) == 1 &&
         !memcmp(&saved, campaign, offsetof(struct vf_campaign, directory)) &&
         fread(jobs, sizeof(*jobs), campaign->jobs, file) == campaign->jobs;
    fclose(file);
    return ok;
}

static void tell(time_t began, uint64_t before)
{
    struct vf_counts sum;
    long long seconds = (long long)(time(NULL) - began);

    sum_up(&sum);
    printf("%lld s, %llu/s:", seconds,
           (unsigned long long)((sum.n[VF_PROGRAMS] - before) / (uint64_t)(seconds ? seconds : 1)));
    vf_counts_print(&sum, false);
    save();
}

/* ---- the parent ------------------------------------------------------------------------------ */

static void died(struct job *job, int status)
{
    if (WIFEXITED(status) && !WEXITSTATUS(status)) {
        job->pid = 0;
        return;
    }
    printf("seed %llu: %s\n", (unsigned long long)job->next,
           WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "the process has exited");
    job->counts.n[VF_PROGRAMS]++;
    job->counts.n[VF_CRASHED]++;
    job->next++;
    start(job);
}

static void watch(void)
{
    time_t began = time(NULL), told = began;
    struct vf_counts sum;
    unsigned running = 0;

    sum_up(&sum);
    for (unsigned j = 0; j < campaign->jobs; j++)
        running += jobs[j].pid > 0;
    while (running) {
        int status;
        pid_t gone = waitpid(-1, &status, WNOHANG);

        if (gone <= 0)
            usleep(50000);
        for (unsigned j = 0; gone > 0 && j < campaign->jobs; j++) {
            if (jobs[j].pid == gone) {
                died(&jobs[j], status);
                running -= !jobs[j].pid;
            }
        }
        if (time(NULL) - told >= TELL_EVERY) {
            tell(began, sum.n[VF_PROGRAMS]);
            told = time(NULL);
        }
    }
}

static void plan(void)
{
    uint64_t first = campaign->seed, n = campaign->programs;

    memset(jobs, 0, campaign->jobs * sizeof(*jobs));
    for (unsigned j = 0; j < campaign->jobs; j++) {
        jobs[j].first = jobs[j].next = first + n * j / campaign->jobs;
        jobs[j].end = first + n * (j + 1) / campaign->jobs;
    }
}

bool vf_campaign_run(const struct vf_campaign *what, struct vf_counts *sum)
{
    const struct sigaction action = {.sa_handler = stop}; /* system calls are interrupted */

    campaign = what;
    jobs = mmap(NULL, what->jobs * sizeof(*jobs), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (jobs == MAP_FAILED)
        return false;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (!restore())
        plan();
    for (unsigned j = 0; j < what->jobs; j++) {
        printf("job %u: seeds %llu to %llu, from %llu\n", j, (unsigned long long)jobs[j].first,
               (unsigned long long)jobs[j].end - 1, (unsigned long long)jobs[j].next);
        start(&jobs[j]);
    }
    watch();
    save();
    sum_up(sum);
    munmap(jobs, what->jobs * sizeof(*jobs));
    return !stopped;
}
