/* SPDX-License-Identifier: MIT */
/* Hooks for the fuzzer: as few as there can be, and code memory that costs no system call. */
#include "tests/fuzz/fuzz_jit.h"

#include <sys/mman.h>

#define CODE_SIZE (64u << 20)
#define PAGE 4096u

static size_t live;
static unsigned fail_in;
static bool failed;

void *ebpf_os_alloc(size_t size)
{
    void *mem;

    if (fail_in && --fail_in == 0) {
        failed = true;
        return NULL;
    }
    mem = malloc(size);
    if (mem) {
        memset(mem, 0xa5, size < 4096 ? size : 4096); /* nobody may rely on zeros */
        live++;
    }
    return mem;
}

void ebpf_os_free(void *ptr, size_t size)
{
    (void)size;
    free(ptr);
    live--;
}

size_t fuzz_live_blocks(void)
{
    return live;
}

void fuzz_fail_alloc(unsigned n)
{
    fail_in = n;
    failed = false;
}

bool fuzz_alloc_failed(void)
{
    return failed;
}

unsigned long ebpf_os_irq_save(void)
{
    return 0;
}

void ebpf_os_irq_restore(unsigned long state)
{
    (void)state;
}

uint64_t ebpf_os_time_ns(void)
{
    return 0x123456789abcdefull;
}

/* What the structural check says of wild programs interests nobody. */
void ebpf_os_console(const char *line)
{
    if (getenv("FUZZ_VERBOSE"))
        puts(line);
}

uint32_t ebpf_os_random(void)
{
    return 0x2545f491;
}

void ebpf_os_current(struct ebpf_task *out)
{
    *out = (struct ebpf_task){.pid = 101, .tgid = 100, .uid = 7, .gid = 8, .comm = "fuzz"};
}

/* Programs are safe, so that any address they give is one. */
int ebpf_os_probe_read(void *dst, uint64_t src, size_t len, bool user)
{
    if (user)
        return -EFAULT;
    memmove(dst, (const void *)(uintptr_t)src, len);
    return 0;
}

uint32_t ebpf_os_isa(void)
{
    return fuzz_isa;
}

/*
 * One program's code at a time, each behind the one before on pages of its own: emulators translate
 * code by the page, and forget it when it is written.
 */
static uint8_t *code_memory;
static size_t code_used;

void *ebpf_os_code_alloc(size_t size)
{
    void *mem;

    if (!code_memory) {
        mem = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);
        if (mem == MAP_FAILED)
            return NULL;
        code_memory = mem;
    }
    if (size > CODE_SIZE)
        return NULL;
    if (size > CODE_SIZE - code_used)
        code_used = 0;
    mem = code_memory + code_used;
    code_used += (size + PAGE - 1) / PAGE * PAGE;
    return mem;
}

void ebpf_os_code_free(void *ptr, size_t size)
{
    (void)ptr;
    (void)size;
}

int ebpf_os_text_write(void *dst, const void *src, size_t len)
{
    memcpy(dst, src, len);
    __builtin___clear_cache(dst, (char *)dst + len);
    return 0;
}
