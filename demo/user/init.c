/* SPDX-License-Identifier: MIT */
/*
 * The first process. With AUTO=... (or auto=...) on the kernel command line it runs /bin/demo-auto
 * with that value as its argument and powers the machine off, saying `INIT exit status N`;
 * otherwise it keeps a shell running on the console.
 */
#include "lib.h"

static int status_code(int status)
{
    if (status < 0)
        return 126;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    char *value = getenv("AUTO") ? getenv("AUTO") : getenv("auto");
    char *auto_argv[] = {"/bin/demo-auto", value, NULL};
    char *shell_argv[] = {"/bin/sh", NULL};
    (void)argc;
    (void)argv;

    if (value) {
        printf("INIT exit status %d\n", status_code(run("/bin/demo-auto", auto_argv)));
        power_off();
    }
    for (;;) {
        int status = run("/bin/sh", shell_argv);
        while (wait4(-1, NULL, WNOHANG, NULL) > 0)
            ; /* orphans that became our children */
        if (status_code(status) >= 126) {
            printf("init: no shell, giving up\n");
            return status_code(status);
        }
    }
}
