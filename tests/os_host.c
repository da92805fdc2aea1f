/* SPDX-License-Identifier: MIT */
/* The mock OS; see os_host.h. */
#define _GNU_SOURCE
#include "tests/os_host.h"

#include <ebpf/config.h>
#include <ebpf/ebpf.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/test.h"

#define USER_BASE 0x40000000ULL
#define USER_SIZE (1u << 20)
#define MAGIC 0x6562706671756f74ULL

static pthread_mutex_t big_lock = PTHREAD_MUTEX_INITIALIZER;
bool mock_no_hooks;

/* ---- memory ---------------------------------------------------------------------------------- */

/* In front of each block; 16 bytes keep the block's alignment. */
struct block {
    uint64_t magic;
    uint64_t size;
};

static size_t live_bytes, live_blocks;
static unsigned fail_in;
static bool failed_once;
static __thread unsigned irq_depth;

void mock_contract(bool kept, const char *what)
{
    if (!kept)
        test_fail("os_host.c", 0, "contract broken: %s", what);
}

void *ebpf_os_alloc(size_t size)
{
    struct block *block;
    bool fail;

    mock_contract(size > 0, "ebpf_os_alloc(0)");
    mock_contract(irq_depth == 0, "ebpf_os_alloc() with interrupts off");
    pthread_mutex_lock(&big_lock);
    fail = fail_in && --fail_in == 0;
    failed_once |= fail;
    pthread_mutex_unlock(&big_lock);
    if (fail || size > (1ull << 31))
        return NULL;
    block = malloc(sizeof(*block) + size);
    if (!block)
        return NULL;
    block->magic = MAGIC;
    block->size = size;
    memset(block + 1, 0xa5, size); /* nobody may rely on zeros */
    __atomic_fetch_add(&live_bytes, size, __ATOMIC_RELAXED);
    __atomic_fetch_add(&live_blocks, 1, __ATOMIC_RELAXED);
    return block + 1;
}

void ebpf_os_free(void *ptr, size_t size)
{
    struct block *block = (struct block *)ptr - 1;

    mock_contract(ptr != NULL, "ebpf_os_free(NULL)");
    mock_contract(irq_depth == 0, "ebpf_os_free() with interrupts off");
    mock_contract(block->magic == MAGIC, "ebpf_os_free() of something else");
    mock_contract(block->size == size, "ebpf_os_free() with another size than allocated");
    block->magic = 0;
    __atomic_fetch_sub(&live_bytes, block->size, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&live_blocks, 1, __ATOMIC_RELAXED);
    free(block);
}

void mock_fail_alloc(unsigned n)
{
    fail_in = n;
    failed_once = false;
}

bool mock_alloc_failed(void)
{
    return failed_once;
}

size_t mock_live_bytes(void)
{
    return live_bytes;
}

void mock_count_block(bool more)
{
    live_blocks += more ? 1 : -1;
}

size_t mock_live_blocks(void)
{
    return live_blocks;
}

/* ---- interrupts, harts, time ----------------------------------------------------------------- */

unsigned mock_cpu_count;
uint64_t mock_time_ns, mock_time_step;
struct ebpf_task mock_task;
uint32_t mock_random;
static uint32_t random_state;
static __thread unsigned this_cpu;

unsigned long ebpf_os_irq_save(void)
{
    return irq_depth++;
}

void ebpf_os_irq_restore(unsigned long state)
{
    mock_contract(irq_depth == state + 1, "ebpf_os_irq_restore() out of order");
    irq_depth = (unsigned)state;
}

bool mock_irqs_off(void)
{
    return irq_depth != 0;
}

unsigned ebpf_os_cpu_id(void)
{
    return this_cpu;
}

unsigned ebpf_os_cpu_count(void)
{
    return mock_cpu_count;
}

void mock_set_cpu(unsigned cpu)
{
    this_cpu = cpu;
}

uint64_t ebpf_os_time_ns(void)
{
    /* programs reach this through the JIT's code: the psABIs of both machines want 16 */
    mock_contract((uintptr_t)__builtin_frame_address(0) % 16 == 0,
                  "a hook was called on a misaligned stack");
    return __atomic_fetch_add(&mock_time_ns, mock_time_step, __ATOMIC_RELAXED);
}

void ebpf_os_yield(void)
{
    mock_contract(irq_depth == 0, "ebpf_os_yield() with interrupts off");
    usleep(0);
}

uint32_t ebpf_os_random(void)
{
    uint32_t state;

    if (mock_random)
        return mock_random;
    state = __atomic_load_n(&random_state, __ATOMIC_RELAXED) * 1664525u + 1013904223u;
    __atomic_store_n(&random_state, state, __ATOMIC_RELAXED);
    return state ^ state >> 15;
}

void ebpf_os_current(struct ebpf_task *out)
{
    *out = mock_task;
}

uint64_t mock_stack[256], mock_user_stack[256];
unsigned mock_stack_len, mock_user_stack_len;
_Thread_local uintptr_t mock_task_id = 1;
uintptr_t mock_task_ended;

unsigned ebpf_os_stack(const struct ebpf_regs *regs, bool user, unsigned skip, uint64_t *pcs,
                       unsigned max)
{
    const uint64_t *from = user ? mock_user_stack : mock_stack;
    unsigned len = user ? mock_user_stack_len : mock_stack_len, count = 0;

    if (mock_no_hooks)
        return 0;
    (void)regs;
    if (!max)
        return 1;
    for (; count < max && skip + count < len; count++)
        pcs[count] = from[skip + count];
    return count;
}

uintptr_t ebpf_os_task_current(void)
{
    return mock_task_id;
}

int ebpf_os_task_get(int pidfd, uintptr_t *task)
{
    mock_contract(irq_depth == 0, "ebpf_os_task_get() with interrupts off");
    if (mock_no_hooks)
        return -EOPNOTSUPP;
    if (pidfd < MOCK_PIDFD || pidfd >= MOCK_PIDFD + 1000)
        return -EBADF;
    *task = (uintptr_t)(pidfd - MOCK_PIDFD + 1);
    return *task == mock_task_ended ? -ENOENT : 0;
}

void ebpf_os_task_put(uintptr_t task)
{
    mock_contract(task && irq_depth == 0, "ebpf_os_task_put() of no task, or with interrupts off");
}

/* ---- console --------------------------------------------------------------------------------- */

struct text {
    char *data;
    size_t len;
};

static struct text console, trace;
bool mock_verbose;

static void append(struct text *text, const char *data, size_t len)
{
    pthread_mutex_lock(&big_lock);
    text->data = realloc(text->data, text->len + len + 1);
    memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = 0;
    pthread_mutex_unlock(&big_lock);
    if (mock_verbose)
        fwrite(data, 1, len, stdout);
}

static void clear(struct text *text)
{
    free(text->data);
    text->data = NULL;
    text->len = 0;
}

void ebpf_os_console(const char *line)
{
    mock_contract(!strchr(line, '\n'), "newline inside a console line");
    append(&console, line, strlen(line));
    append(&console, "\n", 1);
}

void ebpf_os_trace(const char *text, size_t len)
{
    mock_contract(text[len] == 0, "trace text is not terminated");
    append(&trace, text, len);
}

const char *mock_console(void)
{
    return console.data ? console.data : "";
}

const char *mock_trace(void)
{
    return trace.data ? trace.data : "";
}

void mock_console_clear(void)
{
    clear(&console);
    clear(&trace);
}

/* ---- user memory ----------------------------------------------------------------------------- */

static unsigned char user_memory[USER_SIZE] __attribute__((aligned(4096)));
static size_t user_used;
static uint64_t readonly_start, readonly_end;

static bool user_ok(uint64_t addr, size_t len)
{
    return addr >= USER_BASE && len <= USER_SIZE && addr - USER_BASE <= USER_SIZE - len;
}

int ebpf_os_copy_from_user(void *dst, uint64_t src, size_t len)
{
    mock_contract(irq_depth == 0, "copy_from_user with interrupts off");
    if (!user_ok(src, len))
        return -EFAULT;
    memcpy(dst, mock_user(src), len);
    return 0;
}

int ebpf_os_copy_to_user(uint64_t dst, const void *src, size_t len)
{
    mock_contract(irq_depth == 0, "copy_to_user with interrupts off");
    if (!user_ok(dst, len) || (dst < readonly_end && dst + len > readonly_start))
        return -EFAULT;
    memcpy(mock_user(dst), src, len);
    return 0;
}

uint64_t mock_user_alloc(size_t size)
{
    size_t at = (user_used + 15) & ~(size_t)15;

    if (size > USER_SIZE - at) {
        fprintf(stderr, "mock user memory is full\n");
        abort();
    }
    user_used = at + size;
    memset(user_memory + at, 0, size);
    return USER_BASE + at;
}

uint64_t mock_user_copy(const void *data, size_t size)
{
    uint64_t addr = mock_user_alloc(size);

    memcpy(mock_user(addr), data, size);
    return addr;
}

void *mock_user(uint64_t addr)
{
    return user_memory + (addr - USER_BASE);
}

void mock_user_readonly(uint64_t addr, size_t size)
{
    readonly_start = addr;
    readonly_end = addr + size;
}

/* A pipe survives every address: write(2) says EFAULT where a load would crash. */
static int read_any(void *dst, const void *src, size_t len)
{
    static int fds[2] = {-1, -1};
    int err = 0;

    pthread_mutex_lock(&big_lock);
    if (fds[0] < 0 && pipe(fds))
        abort();
    for (size_t done = 0; done < len && !err;) {
        size_t part = len - done < 4096 ? len - done : 4096;
        /* not write(): the address sanitizer would check it, and any address is allowed here */
        long put = syscall(SYS_write, fds[1], (const char *)src + done, part);
        if (put <= 0 || read(fds[0], (char *)dst + done, (size_t)put) != put)
            err = -EFAULT;
        else
            done += (size_t)put;
    }
    pthread_mutex_unlock(&big_lock);
    return err;
}

int ebpf_os_probe_read(void *dst, uint64_t src, size_t len, bool user)
{
    if (user)
        return user_ok(src, len) ? (memcpy(dst, mock_user(src), len), 0) : -EFAULT;
    if (user_ok(src, len))
        return -EFAULT;
    return read_any(dst, (const void *)(uintptr_t)src, len);
}

/* ---- symbols --------------------------------------------------------------------------------- */

static struct ebpf_symbol symbols[64];
static unsigned symbol_count;

void mock_symbol_add(const char *name, uint64_t addr, uint64_t size)
{
    struct ebpf_symbol *s = &symbols[symbol_count++ % 64];

    s->addr = addr;
    s->size = size;
    snprintf(s->name, sizeof(s->name), "%s", name);
}

int ebpf_os_symbol(const char *name, struct ebpf_symbol *out)
{
    for (unsigned i = 0; i < symbol_count && i < 64; i++) {
        if (!strcmp(symbols[i].name, name)) {
            *out = symbols[i];
            return 0;
        }
    }
    return -ENOENT;
}

int ebpf_os_symbol_at(uint64_t addr, struct ebpf_symbol *out)
{
    for (unsigned i = 0; i < symbol_count && i < 64; i++) {
        if (addr >= symbols[i].addr && addr - symbols[i].addr < symbols[i].size) {
            *out = symbols[i];
            return 0;
        }
    }
    return -ENOENT;
}

/* ---- hooks that a kernel may leave out ------------------------------------------------------- */

bool mock_signal_thread;
uint64_t mock_tai_ns;
uint32_t mock_signal;

uint64_t ebpf_os_time_tai_ns(void)
{
    return mock_no_hooks ? 0 : mock_tai_ns;
}

uint64_t mock_armed[EBPF_CONFIG_MAX_CPUS];

int ebpf_os_timer_arm(uint64_t ns)
{
    mock_contract(irq_depth != 0, "ebpf_os_timer_arm() with interrupts on");
    if (mock_no_hooks)
        return -EOPNOTSUPP;
    mock_armed[this_cpu] = ns;
    return 0;
}

int ebpf_os_send_signal(uint32_t sig, bool thread)
{
    if (mock_no_hooks)
        return -EOPNOTSUPP;
    mock_contract(sig <= 64, "a signal that does not exist");
    mock_signal = sig;
    mock_signal_thread = thread;
    return 0;
}

int ebpf_os_probe_write(uint64_t dst, const void *src, size_t len)
{
    if (mock_no_hooks)
        return -EOPNOTSUPP;
    if (!len)
        return 0;
    if (!user_ok(dst, len) || (dst < readonly_end && dst + len > readonly_start))
        return -EFAULT;
    memcpy(mock_user(dst), src, len);
    return 0;
}

uint64_t mock_file;

int ebpf_os_build_id(uint64_t pc, uint8_t id[20], uint64_t *offset)
{
    for (uint8_t i = 0; i < 20; i++)
        id[i] = (uint8_t)(i + 1); /* also where it fails: nobody may look then */
    *offset = pc - mock_file;
    return mock_file && pc >= mock_file && pc - mock_file < 65536 ? 0 : -ENOENT;
}

uint64_t mock_counters[4][4];
int mock_counter_error;

int ebpf_os_perf_counter(unsigned cpu, uint32_t type, uint64_t config, uint64_t *value)
{
    mock_contract(cpu < mock_cpu_count, "a counter of no hart");
    mock_contract(cpu == this_cpu ? irq_depth : !irq_depth,
                  "a counter: this hart's with interrupts on, or another's with them off");
    if (mock_no_hooks || type || config >= 4 || cpu >= 4)
        return -ENOENT;
    *value = __atomic_load_n(&mock_counters[cpu][config], __ATOMIC_RELAXED);
    return mock_counter_error;
}

/* ---- bpf(2) ---------------------------------------------------------------------------------- */

uint32_t mock_caps;

long mock_bpf(int cmd, union bpf_attr *attr, uint32_t size)
{
    const struct ebpf_caller caller = {.caps = mock_caps, .kernel = false};
    uint64_t addr = mock_user_copy(attr, size);
    long ret = ebpf_bpf(cmd, addr, size, &caller);

    memcpy(attr, mock_user(addr), size);
    return ret;
}

/* ---- around a test --------------------------------------------------------------------------- */

static size_t blocks_before;

void mock_begin(void)
{
    mock_verbose = getenv("MOCK_VERBOSE") != NULL;
    mock_cpu_count = 4;
    mock_time_ns = 1000000;
    mock_time_step = 0;
    mock_task = (struct ebpf_task){.pid = 101, .tgid = 100, .comm = "test"};
    mock_task_id = 1;
    mock_task_ended = 0;
    mock_stack_len = mock_user_stack_len = 0;
    mock_no_hooks = mock_signal_thread = false;
    mock_tai_ns = 0;
    memset(mock_armed, 0xff, sizeof(mock_armed));
    mock_signal = 0;
    mock_file = 0;
    mock_counter_error = 0;
    memset(mock_counters, 0, sizeof(mock_counters));
    mock_random = 0;
    random_state = 1;
    mock_code_begin();
    mock_caps = EBPF_CAP_ALL;
    user_used = 0;
    readonly_start = readonly_end = 0;
    symbol_count = 0;
    this_cpu = 0;
    mock_fail_alloc(0);
    mock_console_clear();
    blocks_before = live_blocks;
    if (ebpf_init())
        test_fail("os_host.c", 0, "ebpf_init() failed");
}

void mock_end(void)
{
    int err;

    mock_fail_alloc(0);
    this_cpu = 0;
    mock_contract(irq_depth == 0, "interrupts left off");
    irq_depth = 0;
    ebpf_fd_exit(mock_task.tgid);
    err = ebpf_fini();
    if (err)
        test_fail("os_host.c", 0, "ebpf_fini() returned %d: objects or probes are left", err);
    if (live_blocks != blocks_before)
        test_fail("os_host.c", 0, "%zu blocks leaked, %zu bytes live", live_blocks - blocks_before,
                  live_bytes);
    mock_code_end();
    mock_console_clear();
}
