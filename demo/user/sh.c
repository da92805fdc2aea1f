/* SPDX-License-Identifier: MIT */
/*
 * The shell: runs `NAME ARGS...` as /bin/NAME (or a path with a slash), with `&` at the end in the
 * background. Built in: help, ls, cat, poweroff, exit. The console's line editing (backspace, ^U,
 * ^D) is the kernel's.
 */
#include "lib.h"

#define MAX_WORDS 16

static int split(char *line, char *words[MAX_WORDS + 1])
{
    int n = 0;

    while (n < MAX_WORDS) {
        while (*line == ' ' || *line == '\t')
            *line++ = 0;
        if (!*line)
            break;
        words[n++] = line;
        while (*line && *line != ' ' && *line != '\t')
            line++;
    }
    words[n] = NULL;
    return n;
}

static void list(const char *path)
{
    uint64_t buf[128];
    long n;
    int fd = open(path, O_RDONLY | O_DIRECTORY);

    if (fd < 0) {
        printf("ls: %s: %s\n", path, strerror(fd));
        return;
    }
    while ((n = getdents64(fd, buf, sizeof(buf))) > 0) {
        for (long at = 0; at < n;) {
            struct dirent64 *d = (struct dirent64 *)((char *)buf + at);
            if (d->d_name[0] != '.')
                printf("%s%s\n", d->d_name, d->d_type == DT_DIR ? "/" : "");
            at += d->d_reclen;
        }
    }
    close(fd);
}

static void cat(const char *path)
{
    char buf[256];
    long n;
    int fd = open(path, O_RDONLY);

    if (fd < 0) {
        printf("cat: %s: %s\n", path, strerror(fd));
        return;
    }
    while ((n = read(fd, buf, sizeof(buf))) > 0)
        write(1, buf, (size_t)n);
    if (n < 0)
        printf("cat: %s: %s\n", path, strerror((int)n));
    close(fd);
}

static void help(void)
{
    puts("built in: help, ls [DIR], cat FILE..., poweroff, exit; & at the end: in the background");
    puts("programs:");
    list("/bin");
}

static void run_program(char *words[], bool background)
{
    char path[128];
    int pid, status = 0;

    snprintf(path, sizeof(path), "%s%s", strchr(words[0], '/') ? "" : "/bin/", words[0]);
    pid = fork();
    if (pid == 0) {
        int err = execve(path, words, environ);
        dprintf(2, "%s: %s\n", words[0], strerror(err));
        exit(127);
    }
    if (pid < 0) {
        printf("fork: %s\n", strerror(pid));
        return;
    }
    if (background) {
        printf("[%d]\n", pid);
        return;
    }
    while (wait4(pid, &status, 0, NULL) == -EINTR)
        ;
    if (!WIFEXITED(status))
        printf("%s: killed by signal %d\n", words[0], WTERMSIG(status));
    else if (WEXITSTATUS(status))
        printf("%s: exit status %d\n", words[0], WEXITSTATUS(status));
}

static void execute(char *words[], int n)
{
    if (!strcmp(words[0], "help")) {
        help();
    } else if (!strcmp(words[0], "ls")) {
        list(n > 1 ? words[1] : "/");
    } else if (!strcmp(words[0], "cat")) {
        for (int i = 1; i < n; i++)
            cat(words[i]);
    } else if (!strcmp(words[0], "poweroff")) {
        power_off();
    } else if (!strcmp(words[0], "exit")) {
        exit(n > 1 ? (int)strtol(words[1], NULL, 10) : 0);
    } else {
        bool background = n > 1 && !strcmp(words[n - 1], "&");
        if (background)
            words[n - 1] = NULL;
        run_program(words, background);
    }
}

int main(void)
{
    char line[256];
    char *words[MAX_WORDS + 1];
    int n;

    puts("barebpf demo shell; `help` lists what there is");
    for (;;) {
        while (wait4(-1, NULL, WNOHANG, NULL) > 0)
            ; /* background programs that ended */
        printf("$ ");
        if (read_line(0, line, sizeof(line)) < 0)
            return 0;
        n = split(line, words);
        if (n)
            execute(words, n);
    }
}
