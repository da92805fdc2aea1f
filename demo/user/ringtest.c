/* SPDX-License-Identifier: MIT */
/* See ringtest.h. */
#include "ringtest.h"

#include "bpfsys.h"
#include "lib.h"

volatile struct rings_shared *shared;
int records_fd, samples_fd, tasks_fd, stacks_fd, events_fd;

static struct ebpf_object *obj;
static int failures, checks;

/* ---- checks ---------------------------------------------------------------------------------- */

void expect(const char *file, int line, const char *what, long got, long want)
{
    checks++;
    if (got == want)
        return;
    failures++;
    printf("%s:%d: %s is %ld, expected %ld\n", file, line, what, got, want);
}

int ringtest_verdict(const char *name)
{
    if (failures)
        printf("%s FAILED: %d of %d checks\n", name, failures, checks);
    else
        printf("%s ok: %d checks\n", name, checks);
    return failures != 0;
}

/* ---- the program ----------------------------------------------------------------------------- */

bool ringtest_begin(void)
{
    obj = open_object("/bpf/rings.bpf.o");
    if (!obj || load_object(obj) || attach_prog(obj, "on_getppid"))
        return false;
    shared = map_globals(obj, ".bss");
    records_fd = map_fd(obj, "records");
    samples_fd = map_fd(obj, "samples");
    events_fd = map_fd(obj, "events");
    stacks_fd = map_fd(obj, "stacks");
    tasks_fd = map_fd(obj, "tasks");
    return shared != NULL;
}

void ringtest_end(void)
{
    EXPECT(munmap((void *)shared, sizeof(*shared)), 0);
    ebpf_object_close(obj);
}

long act(enum rings_action action, unsigned count, uint64_t value)
{
    uint64_t before = shared->calls;

    shared->action = action;
    shared->count = count;
    shared->value = value;
    getppid();
    shared->action = RINGS_NOTHING;
    return shared->calls == before + 1 ? shared->result : -9999;
}

/* ---- helpers --------------------------------------------------------------------------------- */

int in_child(void (*fn)(void))
{
    int status = -1, pid = fork();

    if (pid == 0) {
        fn();
        exit(42);
    }
    wait4(pid, &status, 0, NULL);
    return status;
}

int create_array(uint32_t value_size, uint32_t entries, uint32_t flags)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = 4;
    attr.value_size = value_size;
    attr.max_entries = entries;
    attr.map_flags = flags;
    return bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

int element(int cmd, int fd, int key, void *value)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.map_fd = (uint32_t)fd;
    attr.key = (uint64_t)&key;
    attr.value = (uint64_t)value;
    return bpf(cmd, &attr, sizeof(attr));
}

int add_record(void *ctx, const void *data, size_t size)
{
    const struct rings_record *record = data;
    struct sum *sum = ctx;

    sum->count++;
    sum->values += record->value;
    sum->wrong += size < sizeof(*record);
    return 0;
}
