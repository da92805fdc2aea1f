/* SPDX-License-Identifier: MIT */
/* Runs the four parts of the demo one after the other, says of each how it went, and exits 0 only
 * if all went well. */
#include "lib.h"

static const struct part {
    const char *title, *path, *arg;
} parts[] = {
    {"(a) lathist", "/bin/lathist", "2"},
    {"(b) context", "/bin/context", NULL},
    {"(c) maps", "/bin/maps", NULL},
    {"(d) live", "/bin/live", NULL},
};

int main(void)
{
    int failed = 0;

    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const struct part *part = &parts[i];
        char *argv[] = {(char *)part->path, (char *)part->arg, NULL};
        int status;
        bool ok;

        printf("DEMO %s: begins\n", part->title);
        status = run(part->path, argv);
        ok = status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        printf("DEMO %s: %s\n", part->title, ok ? "ok" : "FAILED");
        failed += !ok;
    }
    return failed != 0;
}
