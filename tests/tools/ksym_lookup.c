/* SPDX-License-Identifier: MIT */
/*
 * Links a table that ksymgen wrote and the library's src/base/ksym.c. Reads lines "ADDRESS SIZE
 * NAME" (what tests/tools/ksym_expect.py printed) and looks each one up both ways; prints what is
 * wrong, exit status 1 then.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/ksym.h"

struct expect {
    unsigned long long addr, size;
    char name[128];
};

static struct expect *all;
static unsigned count, errors;

static void wrong(const struct expect *e, const char *what, const struct ebpf_symbol *got)
{
    errors++;
    printf("%s at 0x%llx size %llu: %s: got %s at 0x%llx size %llu\n", e->name, e->addr, e->size,
           what, got->name, (unsigned long long)got->addr, (unsigned long long)got->size);
}

static void check_address(const struct expect *e, const struct expect *named)
{
    struct ebpf_symbol got = {0};

    if (ebpf_ksym_at(e->addr, &got) || got.addr != e->addr || strcmp(got.name, named->name))
        wrong(e, "by its first address", &got);
    if (ebpf_ksym_at(e->addr + named->size - 1, &got) || got.addr != e->addr ||
        strcmp(got.name, named->name))
        wrong(e, "by its last address", &got);
    if (ebpf_ksym_at(e->addr + named->size, &got) == 0 && got.addr == e->addr)
        wrong(e, "behind its end", &got);
}

static int by_name(const void *a, const void *b)
{
    const struct expect *x = *(const struct expect *const *)a,
                        *y = *(const struct expect *const *)b;
    int order = strcmp(x->name, y->name);

    return order ? order : x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* The first by address of all that share a name is what a lookup by name must find. */
static void check_names(void)
{
    const struct expect **sorted = malloc(count * sizeof(*sorted)), *first = NULL;
    struct ebpf_symbol got;

    for (unsigned i = 0; i < count; i++)
        sorted[i] = &all[i];
    qsort(sorted, count, sizeof(*sorted), by_name);
    for (unsigned i = 0; i < count; i++) {
        if (!first || strcmp(first->name, sorted[i]->name))
            first = sorted[i];
        memset(&got, 0, sizeof(got));
        if (ebpf_ksym_find(sorted[i]->name, &got) || got.addr != first->addr ||
            got.size != first->size || strcmp(got.name, first->name))
            wrong(sorted[i], "by name", &got);
    }
    free(sorted);
}

static void read_all(void)
{
    struct expect e;

    while (scanf("%llx %llu %127s", &e.addr, &e.size, e.name) == 3) {
        all = realloc(all, (count + 1) * sizeof(*all));
        all[count++] = e;
    }
}

int main(void)
{
    struct ebpf_symbol got;
    struct expect none = {0};
    unsigned first = 0;

    read_all();
    if (!count || ebpf_ksym_count() != count) {
        printf("%u symbols in the table, %u expected\n", ebpf_ksym_count(), count);
        return 1;
    }
    for (unsigned i = 0; i < count; i++) {
        if (all[i].addr != all[first].addr)
            first = i;
        check_address(&all[i], &all[first]);
        if (ebpf_ksym_get(i, &got) || got.addr != all[i].addr || got.size != all[i].size ||
            strcmp(got.name, all[i].name))
            wrong(&all[i], "by index", &got);
    }
    check_names();
    if (!ebpf_ksym_get(count, &got))
        wrong(&none, "behind the last index", &got);
    if (!ebpf_ksym_at(all[0].addr - 1, &got) || !ebpf_ksym_at(~0ULL, &got) ||
        !ebpf_ksym_at(0, &got))
        wrong(&none, "an address outside", &got);
    if (!ebpf_ksym_find("", &got) || !ebpf_ksym_find("~~~", &got) ||
        !ebpf_ksym_find("no such function", &got))
        wrong(&none, "a name that does not exist", &got);
    return errors != 0;
}
