/* SPDX-License-Identifier: MIT */
/*
 * lathist [SECONDS]: how long openat(2) takes in the kernel, as a histogram. Worker processes open
 * and close a file as fast as they can; two kprobe programs (demo/bpf/lathist.bpf.c) measure each
 * open and count it in a bucket; this side polls the map and draws. At the end every open that a
 * worker made must be in a bucket or counted as missed.
 */
#include "bpfsys.h"
#include "lib.h"

#define BUCKETS 32
#define MAX_WORKERS 8
#define WORKERS 4
#define STARS 40
#define VICTIM "/bin/lathist"

struct worker {
    int pid;
    int go, result; /* pipes: the worker waits for a byte, and sends its count at the end */
};

static void work(int go, int result, uint64_t duration)
{
    uint64_t opens = 0, end;
    char byte;

    if (read(go, &byte, 1) != 1)
        exit(1);
    end = time_ns() + duration;
    do {
        int fd = open(VICTIM, O_RDONLY);
        if (fd < 0)
            exit(1);
        close(fd);
        opens++;
    } while (time_ns() < end);
    exit(write(result, &opens, sizeof(opens)) != sizeof(opens));
}

/* Starts workers[n]; the ones before it have been started. */
static int start_worker(struct worker *workers, int n, uint64_t duration)
{
    struct worker *w = &workers[n];
    int go[2], result[2], err;

    err = pipe2(go, 0);
    if (!err)
        err = pipe2(result, 0);
    if (err)
        return err;
    w->pid = fork();
    if (w->pid < 0)
        return w->pid;
    if (w->pid == 0) {
        close(go[1]);
        close(result[0]);
        while (n-- > 0) /* or it would keep the others' pipes open */
            close(workers[n].go);
        work(go[0], result[1], duration);
    }
    close(go[0]);
    close(result[1]);
    w->go = go[1];
    w->result = result[0];
    return 0;
}

static uint64_t collect(struct worker *w)
{
    uint64_t opens = 0;
    int status = -1;

    if (read(w->result, &opens, sizeof(opens)) != sizeof(opens))
        printf("lathist: worker %d sent no count\n", w->pid);
    wait4(w->pid, &status, 0, NULL);
    close(w->result);
    return opens;
}

/* Tells the programs whom to watch: the section is the array alone. */
static int configure(struct ebpf_object *obj, const struct worker *workers)
{
    struct ebpf_object_map *map = ebpf_object_find_map(obj, ".rodata");
    size_t size = 0;
    uint32_t *tgids = map ? ebpf_object_map_initial(map, &size) : NULL;

    if (!tgids || size != MAX_WORKERS * sizeof(*tgids)) {
        printf("lathist: the object's .rodata is not the array of workers\n");
        return -EINVAL;
    }
    for (int i = 0; i < WORKERS; i++)
        tgids[i] = (uint32_t)workers[i].pid;
    return 0;
}

static int read_buckets(struct ebpf_object *obj, uint64_t *buckets)
{
    for (uint32_t i = 0; i < BUCKETS; i++) {
        int err = read_element(obj, "buckets", i, &buckets[i]);
        if (err) {
            printf("lathist: bucket %u: %s\n", i, strerror(err));
            return err;
        }
    }
    return 0;
}

static uint64_t sum(const uint64_t *buckets)
{
    uint64_t total = 0;

    for (int i = 0; i < BUCKETS; i++)
        total += buckets[i];
    return total;
}

static void draw(const uint64_t *buckets)
{
    uint64_t most = 1;
    int first = BUCKETS, last = -1;

    for (int i = 0; i < BUCKETS; i++) {
        if (!buckets[i])
            continue;
        first = first < i ? first : i;
        last = i;
        most = most > buckets[i] ? most : buckets[i];
    }
    printf("%24s : %-8s distribution\n", "nsecs", "count");
    for (int i = first; i <= last; i++) {
        char bar[STARS + 1];
        int stars = (int)(buckets[i] * STARS / most);
        memset(bar, ' ', STARS);
        memset(bar, '*', (size_t)stars);
        bar[STARS] = 0;
        printf("%10lu -> %-10lu : %-8lu |%s|\n", 1ul << i, (2ul << i) - 1, buckets[i], bar);
    }
}

/* Attaches, lets the workers run and polls until they have finished; the object is loaded. */
static int measure(struct ebpf_object *obj, struct worker *workers, uint64_t duration,
                   uint64_t *buckets)
{
    uint64_t end;
    int err = attach_prog(obj, "open_ends");

    if (!err)
        err = attach_prog(obj, "open_begins");
    if (err)
        return err;
    printf("lathist: %d workers open %s for %lu ms\n", WORKERS, VICTIM, duration / 1000000);
    for (int i = 0; i < WORKERS; i++)
        write(workers[i].go, "", 1);
    end = time_ns() + duration;
    while (time_ns() < end) {
        nanosleep_ns(duration / 4);
        err = read_buckets(obj, buckets);
        if (err)
            return err;
        printf("lathist: %lu opens so far\n", sum(buckets));
    }
    return 0;
}

static int report(struct ebpf_object *obj, uint64_t opens, uint64_t *buckets)
{
    uint64_t missed = 0, not_run = 0;
    int err = read_buckets(obj, buckets);

    if (!err)
        err = read_element(obj, ".bss", 0, &missed);
    if (!err)
        err = prog_misses(obj, "open_ends", &not_run);
    if (err) {
        printf("lathist: counters: %s\n", strerror(err));
        return err;
    }
    draw(buckets);
    missed += not_run;
    if (!opens || !sum(buckets) || sum(buckets) + missed != opens) {
        printf("lathist: %lu samples and %lu misses, but %lu opens: FAILED\n", sum(buckets), missed,
               opens);
        return -EINVAL;
    }
    printf("lathist: %lu samples, %lu misses, %lu opens: ok\n", sum(buckets), missed, opens);
    return 0;
}

int main(int argc, char **argv)
{
    static struct worker workers[WORKERS];
    static uint64_t buckets[BUCKETS];
    uint64_t duration = (argc > 1 ? strtoul(argv[1], NULL, 10) : 2) * 1000000000ul, opens = 0;
    struct ebpf_object *obj = open_object("/bpf/lathist.bpf.o");
    int err = obj && duration ? 0 : -EINVAL;

    for (int i = 0; i < WORKERS && !err; i++)
        err = start_worker(workers, i, duration);
    if (!err)
        err = configure(obj, workers);
    if (!err)
        err = load_object(obj);
    if (!err)
        err = measure(obj, workers, duration, buckets);
    for (int i = 0; i < WORKERS; i++) {
        if (workers[i].pid <= 0)
            continue;
        close(workers[i].go); /* a worker that was not told to go sees the end */
        opens += collect(&workers[i]);
    }
    if (!err)
        err = report(obj, opens, buckets);
    if (obj)
        ebpf_object_close(obj);
    return err != 0;
}
