/* SPDX-License-Identifier: MIT */
/* Hooks for the fuzzer: as few as there can be, and code memory that costs no system call. */
#include "tests/fuzz/fuzz_jit.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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

bool fuzz_probes_fail;

/* Programs are safe, so that any address they give is one; those that the verifier lets pass may
 * give any. */
int ebpf_os_probe_read(void *dst, uint64_t src, size_t len, bool user)
{
    if (user || fuzz_probes_fail)
        return -EFAULT;
    memmove(dst, (const void *)(uintptr_t)src, len);
    return 0;
}

/* Each extension's first instruction, in a process that may get SIGILL. */
uint32_t fuzz_isa_here(void)
{
    uint32_t here = 0;

#if defined(__riscv)
    for (unsigned bit = 0; bit < 5; bit++) {
        uint64_t word = 0;
        register uint64_t *a0 __asm__("a0");
        int status = 1;
        pid_t child = fork();

        if (child == 0) {
            if (bit == 0)
                __asm__ volatile(".4byte 0x20a52533" ::: "a0"); /* sh1add a0, a0, a0 */
            else if (bit == 1)
                __asm__ volatile(".4byte 0x60451513" ::: "a0"); /* sext.b a0, a0 */
            else if (bit == 2)
                __asm__ volatile(".4byte 0x28151513" ::: "a0"); /* bseti a0, a0, 1 */
            else if (bit == 3)
                __asm__ volatile(".4byte 0x0ea55533" ::: "a0"); /* czero.eqz a0, a0, a0 */
            a0 = &word;
            if (bit == 4) /* amocas.w a0, a0, (a0) */
                __asm__ volatile(".4byte 0x28a5252f" : "+r"(a0)::"memory");
            _exit(0);
        }
        if (child > 0 && waitpid(child, &status, 0) == child && status == 0)
            here |= 1u << bit;
    }
#else
    here = EBPF_ISA_ZBA | EBPF_ISA_ZBB | EBPF_ISA_ZBS | EBPF_ISA_ZICOND | EBPF_ISA_ZACAS;
#endif
    return here;
}

uint32_t ebpf_os_isa(void)
{
    return fuzz_isa | EBPF_ISA_ZICCLSM;
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
