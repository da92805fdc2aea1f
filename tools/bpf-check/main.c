/* SPDX-License-Identifier: MIT */
/*
 * bpf-check: would the library load these programs? See options.c for what it prints.
 *
 * Whatever looks into an object does so in a child process, which sends what it found through a
 * pipe: a crash or an endless loop of ours costs one line, not the run.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/bpf-check/check.h"

enum { ACCEPTED, REJECTED, UNREADABLE, BROKEN }; /* exit statuses; the greatest wins */

static int worst;

static void note(int status)
{
    if (status > worst)
        worst = status;
}

/* ---- children -------------------------------------------------------------------------------- */

struct output {
    char *data;
    size_t len;
};

/* What the child behind fd sends until it closes its end; false: that took too long. */
static bool drain(int fd, unsigned seconds, struct output *out)
{
    time_t end = time(NULL) + seconds;
    size_t room = 0;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        time_t left = end - time(NULL);
        ssize_t got;

        if (left <= 0 || poll(&p, 1, (int)left * 1000) == 0)
            return false;
        if (room - out->len < 4096) {
            room += 65536;
            out->data = realloc(out->data, room);
            if (!out->data)
                exit(UNREADABLE);
        }
        got = read(fd, out->data + out->len, room - out->len);
        if (got <= 0)
            return true;
        out->len += (size_t)got;
    }
}

/* Runs work(arg, fd) in a child. NULL, or what went wrong in it. */
static const char *run_child(void (*work)(void *arg, int fd), void *arg, unsigned seconds,
                             struct output *out)
{
    static char why[64];
    int fds[2], status;
    bool in_time;
    pid_t pid;

    fflush(NULL);
    if (pipe(fds) || (pid = fork()) < 0)
        return "no process to check it in";
    if (!pid) {
        close(fds[0]);
        work(arg, fds[1]);
        _exit(0);
    }
    close(fds[1]);
    in_time = drain(fds[0], seconds, out);
    if (!in_time)
        kill(pid, SIGKILL);
    close(fds[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!in_time)
        return "bpf-check: took too long";
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        snprintf(why, sizeof(why), "bpf-check: crashed (%s %d)",
                 WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        return why;
    }
    return NULL;
}

/* ---- output ---------------------------------------------------------------------------------- */

static void print_verdict(const char *object, const char *prog, const struct verdict *v)
{
    printf("%s\t%s\t%s\t%d\t%llu\t%s\n", object, prog, v->err ? "reject" : "accept", -v->err,
           (unsigned long long)v->processed, v->line);
    note(v->err ? REJECTED : ACCEPTED);
}

static void print_broken(const char *object, const char *prog, const char *why)
{
    printf("%s\t%s\treject\t%d\t0\t%s\n", object, prog, EFAULT, why);
    note(BROKEN);
}

/* ---- one object ------------------------------------------------------------------------------ */

struct job {
    const struct options *options;
    const struct object *object;
    const char *prog;
};

static void send_all(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size) {
        ssize_t put = write(fd, at, size);

        if (put <= 0)
            _exit(BROKEN);
        at += put;
        size -= (size_t)put;
    }
}

/* The verdict on the object, then the names. */
static void list_work(void *arg, int fd)
{
    struct job *job = arg;
    struct verdict why = {0};
    char *names = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&names, &size);

    list_programs(job->object, stream, &why);
    fclose(stream);
    send_all(fd, &why, sizeof(why));
    send_all(fd, names, size);
    free(names);
}

static void check_work(void *arg, int fd)
{
    struct job *job = arg;
    struct verdict v = {0};

    check_program(job->options, job->object, job->prog, &v);
    send_all(fd, &v, sizeof(v));
}

static void check_one(struct job *job, const char *path)
{
    struct output out = {0};
    const char *why = run_child(check_work, job, job->options->timeout, &out);

    if (!why && out.len != sizeof(struct verdict))
        why = "bpf-check: ended without a verdict";
    if (why)
        print_broken(path, job->prog, why);
    else
        print_verdict(path, job->prog, (struct verdict *)out.data);
    fflush(stdout);
    free(out.data);
}

/* The names that follow the verdict in a list. */
static bool check_names(struct job *job, const char *path, const struct output *list)
{
    const char *name = list->data + sizeof(struct verdict), *end = list->data + list->len;
    bool found = false;

    for (; name < end; name += strlen(name) + 1) {
        if (job->options->prog && strcmp(job->options->prog, name))
            continue;
        job->prog = name;
        check_one(job, path);
        found = true;
    }
    return found;
}

static void check_object(const struct options *options, const char *path,
                         const struct object *object)
{
    struct job job = {.options = options, .object = object};
    struct output out = {0};
    const char *why = run_child(list_work, &job, options->timeout, &out);

    if (!why && out.len < sizeof(struct verdict))
        why = "bpf-check: ended without a verdict";
    if (why)
        print_broken(path, "-", why);
    else if (((struct verdict *)out.data)->err)
        print_verdict(path, "-", (struct verdict *)out.data);
    else if (!check_names(&job, path, &out)) {
        fprintf(stderr, "bpf-check: %s: no %s\n", path,
                options->prog ? "program of that name" : "programs");
        note(UNREADABLE);
    }
    free(out.data);
}

static bool read_file(const char *path, struct object *out)
{
    FILE *file = fopen(path, "rb");
    size_t room = 0, len = 0;
    uint8_t *data = NULL;
    bool ok;

    if (!file)
        return false;
    do {
        if (len == room)
            data = realloc(data, room += 1 << 20);
        if (!data)
            exit(UNREADABLE);
        len += fread(data + len, 1, room - len, file);
    } while (len == room);
    ok = !ferror(file);
    fclose(file);
    *out = (struct object){data, len};
    return ok;
}

int main(int argc, char **argv)
{
    struct options options;
    int first = options_parse(&options, argc, argv);

    tables_use_linux(options.linux_tables);
    for (int i = first; i < argc; i++) {
        struct object object = {0};

        if (read_file(argv[i], &object)) {
            check_object(&options, argv[i], &object);
        } else {
            fprintf(stderr, "bpf-check: %s: %s\n", argv[i], strerror(errno));
            note(UNREADABLE);
        }
        free((void *)object.data);
    }
    return worst;
}
