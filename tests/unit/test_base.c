/* SPDX-License-Identifier: MIT */
/* The base layer: formatting, hashing, heap, memory functions, ids, fds, grace periods. */
#include "tests/unit/test.h"

#include <pthread.h>

#include <ebpf/ebpf.h>

#include "src/base/alloc.h"
#include "src/base/epoch.h"
#include "src/base/fd.h"
#include "src/base/fmt.h"
#include "src/base/heap.h"
#include "src/base/lock.h"
#include "src/base/log.h"
#include "src/base/obj.h"
#include "src/base/sha1.h"

/* ---- formatting, against the C library ---- */

#define SAME(...)                                             \
    do {                                                      \
        char ours[64], libc[64];                              \
        int a = ebpf_format(ours, sizeof(ours), __VA_ARGS__); \
        int b = snprintf(libc, sizeof(libc), __VA_ARGS__);    \
        CHECK_EQ(a, b);                                       \
        CHECK_STR(ours, libc);                                \
    } while (0)

TEST(format_agrees_with_libc)
{
    const char *volatile long_format = "%s"; /* the compiler must not see that it is cut */

    SAME("plain");
    SAME("%d %i %u", -1, 42, 4000000000u);
    SAME("%d %ld %lld", -2147483647 - 1, -9223372036854775807L - 1, -9223372036854775807LL - 1);
    SAME("%x %X %lx %llx %zx", 0xabcu, 0xabcu, 0xffffffffffffffffUL, 0x123456789abcdefULL,
         (size_t)77);
    SAME("%#x %#X|%08x|%8x|%-8x|", 10u, 10u, 0x1fu, 0x1fu, 0x1fu);
    SAME("%5d|%-5d|%05d|%05d", 42, 42, 42, -42);
    SAME("%hhd %hd %hhu %hu", (signed char)-3, (short)-300, (unsigned char)250,
         (unsigned short)65000);
    SAME("%s|%10s|%-10s|%.3s|%c|%%", "abc", "abc", "abc", "abcdef", 'x');
    SAME("%p", (void *)0x1234);
    SAME(long_format,
         "longer than the buffer longer than the buffer longer than the buffer longer");
}

TEST(format_leaves_unknown_conversions_and_ends_with_nul)
{
    char out[8];
    const char *volatile odd = "%q %", *volatile string = "%s"; /* compilers refuse such literals */

    CHECK_EQ(ebpf_format(out, sizeof(out), odd, 0), 4);
    CHECK_STR(out, "%q %");
    CHECK_EQ(ebpf_format(out, 1, "abc"), 3);
    CHECK_STR(out, "");
    CHECK_EQ(ebpf_format(out, 0, "abc"), 3);
    CHECK_EQ(ebpf_format(out, sizeof(out), string, (char *)NULL), 6);
    CHECK_STR(out, "(null)");
}

TEST(log_lines_are_cut_not_overrun)
{
    char text[2 * EBPF_CONFIG_LOG_LINE];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = 0;
    ebpf_log("%s", text);
    /* the line without NUL, and the newline */
    CHECK_EQ(strlen(mock_console()), EBPF_CONFIG_LOG_LINE - 1 + 1);
}

/* ---- SHA-1: the vectors of FIPS 180 ---- */

static void check_sha1(const char *text, const char *hex)
{
    uint8_t digest[20];
    char got[41];

    ebpf_sha1(text, strlen(text), digest);
    for (int i = 0; i < 20; i++)
        sprintf(got + 2 * i, "%02x", digest[i]);
    CHECK_STR(got, hex);
}

TEST(sha1_vectors)
{
    char million[1001];

    check_sha1("", "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    check_sha1("abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
    check_sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
               "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    memset(million, 'a', 1000);
    million[1000] = 0;
    check_sha1(million, "291e9a6c66994949b57ba5e650361e98fc36b1ba");
}

/* ---- the heap, against a model ---- */

#define HEAP_SIZE 65536
#define BLOCKS 64

TEST(heap_random_blocks_never_overlap_and_all_comes_back)
{
    static unsigned char region[HEAP_SIZE] __attribute__((aligned(16)));
    struct {
        unsigned char *mem;
        size_t size;
    } blocks[BLOCKS] = {{0}};
    unsigned seed = 7;
    void *whole;

    ebpf_heap_add(region, sizeof(region));
    for (int step = 0; step < 20000; step++) {
        int i = (int)((seed = seed * 1103515245 + 12345) >> 16) % BLOCKS;

        if (blocks[i].mem) {
            for (size_t k = 0; k < blocks[i].size; k++)
                REQUIRE(blocks[i].mem[k] == (unsigned char)i);
            ebpf_heap_free(blocks[i].mem, blocks[i].size);
            blocks[i].mem = NULL;
        } else {
            blocks[i].size = 1 + (seed >> 8) % 3000;
            blocks[i].mem = ebpf_heap_alloc(blocks[i].size);
            if (!blocks[i].mem)
                continue;
            REQUIRE((uintptr_t)blocks[i].mem % 16 == 0);
            memset(blocks[i].mem, i, blocks[i].size);
        }
    }
    for (int i = 0; i < BLOCKS; i++) {
        if (blocks[i].mem)
            ebpf_heap_free(blocks[i].mem, blocks[i].size);
    }
    whole = ebpf_heap_alloc(HEAP_SIZE); /* all holes have joined */
    CHECK(whole == region);
    CHECK(!ebpf_heap_alloc(1)); /* and the region stays taken: other tests add their own */
    CHECK(!ebpf_heap_alloc(SIZE_MAX));
    CHECK(!ebpf_heap_alloc(0));
}

TEST(heap_ignores_regions_too_small_and_aligns_odd_ones)
{
    static unsigned char region[300];
    uintptr_t odd = ((uintptr_t)region | 15) + 2;
    void *mem;

    ebpf_heap_add(region, 63);
    ebpf_heap_add(NULL, 1000);
    CHECK(!ebpf_heap_alloc(16));
    ebpf_heap_add((void *)odd, 200);
    mem = ebpf_heap_alloc(176);
    CHECK(mem && (uintptr_t)mem % 16 == 0);
    CHECK((uintptr_t)mem + 176 <= odd + 200);
    CHECK(!ebpf_heap_alloc(16));
}

/* ---- mem*: the library's own, which a hosted program does not link, under other names ---- */

#define memcpy own_memcpy
#define memmove own_memmove
#define memset own_memset
#define memcmp own_memcmp
void *own_memcpy(void *restrict, const void *restrict, size_t);
void *own_memmove(void *, const void *, size_t);
void *own_memset(void *, int, size_t);
int own_memcmp(const void *, const void *, size_t);
#include "src/base/libc_mem.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp

TEST(memory_functions_agree_with_libc)
{
    unsigned char a[200], b[200];

    for (unsigned len = 0; len < 70; len++) {
        for (unsigned from = 0; from < 20; from++) {
            for (unsigned to = 0; to < 20; to++) {
                for (unsigned i = 0; i < sizeof(a); i++)
                    a[i] = b[i] = (unsigned char)(i * 7 + len);
                own_memmove(a + to, a + from, len);
                memmove(b + to, b + from, len);
                own_memcpy(a + 100 + to % 8, a + from, len);
                memcpy(b + 100 + to % 8, b + from, len);
                own_memset(a + to, (int)from, len / 2);
                memset(b + to, (int)from, len / 2);
                REQUIRE(!memcmp(a, b, sizeof(a)));
            }
        }
    }
    CHECK(own_memcmp("abc", "abd", 3) < 0);
    CHECK(own_memcmp("ab\xff", "abd", 3) > 0);
    CHECK_EQ(own_memcmp("abc", "abd", 2), 0);
}

/* ---- objects, ids, fds ---- */

struct thing {
    struct ebpf_obj obj;
    int *destroyed;
};

static void thing_destroy(struct ebpf_obj *obj)
{
    struct thing *thing = (struct thing *)obj;

    ++*thing->destroyed;
    ebpf_free(thing, sizeof(*thing));
}

static struct thing *thing_create(enum ebpf_obj_type type, int *destroyed)
{
    struct thing *thing = ebpf_zalloc(sizeof(*thing));

    thing->destroyed = destroyed;
    if (ebpf_obj_init(&thing->obj, type, thing_destroy)) {
        ebpf_free(thing, sizeof(*thing));
        return NULL;
    }
    return thing;
}

TEST(objects_live_until_the_last_reference)
{
    int destroyed = 0;
    struct thing *thing = thing_create(EBPF_OBJ_MAP, &destroyed);

    REQUIRE(thing);
    CHECK(thing->obj.id != 0);
    CHECK_STR(ebpf_obj_kind(&thing->obj), "bpf-map");
    CHECK_EQ(ebpf_obj_count(), 1);
    ebpf_obj_get(&thing->obj);
    ebpf_obj_put(&thing->obj);
    CHECK_EQ(destroyed, 0);
    ebpf_obj_put(&thing->obj);
    CHECK_EQ(destroyed, 1);
    CHECK_EQ(ebpf_obj_count(), 0);
}

TEST(an_fd_belongs_to_its_process_and_has_a_type)
{
    int destroyed = 0;
    struct thing *thing = thing_create(EBPF_OBJ_PROG, &destroyed);
    struct ebpf_obj *obj;
    int fd = ebpf_fd_install(&thing->obj);

    CHECK_EQ(fd, EBPF_CONFIG_FD_BASE);
    CHECK_EQ(ebpf_obj_from_fd(fd, EBPF_OBJ_MAP, &obj), -EINVAL);
    CHECK_EQ(ebpf_obj_from_fd(fd + 1, EBPF_OBJ_MAP, &obj), -EBADF);
    CHECK_EQ(ebpf_obj_from_fd(-1, EBPF_OBJ_MAP, &obj), -EBADF);
    CHECK_EQ(ebpf_obj_from_fd(fd, EBPF_OBJ_PROG, &obj), 0);
    ebpf_obj_put(obj);
    mock_task.tgid = 55;
    CHECK_EQ(ebpf_obj_from_fd(fd, EBPF_OBJ_PROG, &obj), -EBADF);
    CHECK_EQ(ebpf_fd_close(fd), -EBADF);
    ebpf_fd_exit(55);
    CHECK_EQ(destroyed, 0);
    ebpf_fd_exit(100);
    CHECK_EQ(destroyed, 1);
    mock_task.tgid = 100;
    CHECK_EQ(ebpf_fd_close(fd), -EBADF);
}

TEST(the_fd_table_is_full_at_its_limit_and_reuses_the_lowest)
{
    int destroyed = 0, fd;
    struct thing *thing = thing_create(EBPF_OBJ_LINK, &destroyed);

    for (int i = 0; i < EBPF_CONFIG_MAX_FDS; i++) {
        ebpf_obj_get(&thing->obj);
        CHECK_EQ(ebpf_fd_install(&thing->obj), EBPF_CONFIG_FD_BASE + i);
    }
    CHECK_EQ(ebpf_fd_install(&thing->obj), -EMFILE);
    CHECK_EQ(ebpf_fd_close(EBPF_CONFIG_FD_BASE + 7), 0);
    fd = ebpf_fd_install(&thing->obj);
    CHECK_EQ(fd, EBPF_CONFIG_FD_BASE + 7);
    ebpf_fd_exit(100);
    CHECK_EQ(destroyed, 1);
}

TEST(out_of_memory_at_ids_and_fds_is_an_error_code)
{
    for (unsigned n = 1;; n++) {
        int destroyed = 0, fd;
        struct thing *thing = ebpf_zalloc(sizeof(*thing));

        mock_fail_alloc(n);
        thing->destroyed = &destroyed;
        if (ebpf_obj_init(&thing->obj, EBPF_OBJ_MAP, thing_destroy)) {
            CHECK(mock_alloc_failed());
            CHECK_EQ(ebpf_obj_count(), 0);
            ebpf_free(thing, sizeof(*thing));
            continue;
        }
        fd = ebpf_fd_install(&thing->obj);
        if (fd < 0) {
            CHECK_EQ(fd, -ENOMEM);
            ebpf_obj_put(&thing->obj);
            continue;
        }
        CHECK_EQ(ebpf_fd_close(fd), 0);
        CHECK_EQ(destroyed, 1);
        if (!mock_alloc_failed())
            break;
    }
}

/* ---- locks and grace periods, with real threads ---- */

#define THREADS 4
static struct ebpf_lock spin;
static struct ebpf_mutex mutex;
static uint64_t under_spin, under_mutex;

static void *lock_thread(void *arg)
{
    mock_set_cpu((unsigned)(uintptr_t)arg);
    for (int i = 0; i < 20000; i++) {
        unsigned long irq = ebpf_lock(&spin);

        under_spin++;
        ebpf_unlock(&spin, irq);
        if (i % 16 == 0) {
            ebpf_mutex_lock(&mutex);
            under_mutex++;
            ebpf_mutex_unlock(&mutex);
        }
    }
    return NULL;
}

TEST(locks_exclude)
{
    pthread_t threads[THREADS];

    under_spin = under_mutex = 0;
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, lock_thread, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(under_spin, THREADS * 20000);
    CHECK_EQ(under_mutex, THREADS * 1250);
}

/* Readers look at a published cell; the writer replaces it and poisons the old one after a grace
 * period: a reader that sees poison proves that the grace period was too short. */
static uint64_t *cell;
static int stop, poison_seen;

static void *epoch_reader(void *arg)
{
    unsigned cpu = (unsigned)(uintptr_t)arg;

    mock_set_cpu(cpu);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        unsigned long irq = ebpf_os_irq_save();
        uint64_t *seen;

        ebpf_epoch_enter(cpu);
        seen = __atomic_load_n(&cell, __ATOMIC_ACQUIRE);
        for (int i = 0; i < 50; i++) {
            if (__atomic_load_n(seen, __ATOMIC_RELAXED) == 0xdead)
                __atomic_store_n(&poison_seen, 1, __ATOMIC_RELAXED);
        }
        ebpf_epoch_enter(cpu); /* sections nest */
        ebpf_epoch_exit(cpu);
        if (__atomic_load_n(seen, __ATOMIC_RELAXED) == 0xdead)
            __atomic_store_n(&poison_seen, 1, __ATOMIC_RELAXED);
        ebpf_epoch_exit(cpu);
        ebpf_os_irq_restore(irq);
    }
    return NULL;
}

TEST(a_grace_period_outlasts_every_reader)
{
    static uint64_t cells[2];
    pthread_t threads[THREADS - 1];

    stop = poison_seen = 0;
    cell = &cells[0];
    for (uintptr_t i = 1; i < THREADS; i++)
        pthread_create(&threads[i - 1], NULL, epoch_reader, (void *)i);
    for (int i = 1; i < 3000; i++) {
        uint64_t *old = cell, *next = &cells[i % 2];

        __atomic_store_n(next, (uint64_t)i, __ATOMIC_RELAXED);
        __atomic_store_n(&cell, next, __ATOMIC_RELEASE);
        ebpf_epoch_synchronize();
        __atomic_store_n(old, 0xdead, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS - 1; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(poison_seen, 0);
}
