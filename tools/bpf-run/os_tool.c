/* SPDX-License-Identifier: MIT */
/* The hooks for tools: the library inside an ordinary program, one thread, no checks
 * (tests/os_host.c has those). */
#define _GNU_SOURCE
#include <ebpf/errno.h>
#include <ebpf/os.h>

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

void *ebpf_os_alloc(size_t size)
{
    return malloc(size);
}

void ebpf_os_free(void *ptr, size_t size)
{
    (void)size;
    free(ptr);
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
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void ebpf_os_console(const char *line)
{
    fprintf(stderr, "%s\n", line);
}

void *ebpf_os_code_alloc(size_t size)
{
    void *mem = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return mem == MAP_FAILED ? NULL : mem;
}

void ebpf_os_code_free(void *ptr, size_t size)
{
    munmap(ptr, size);
}

/* The tool has one thread, and nothing runs in the page while it is written. */
int ebpf_os_text_write(void *dst, const void *src, size_t len)
{
    uintptr_t start = (uintptr_t)dst & ~4095ul;
    size_t size = (uintptr_t)dst + len - start;

    if (mprotect((void *)start, size, PROT_READ | PROT_WRITE))
        return -EFAULT;
    memcpy(dst, src, len);
    if (mprotect((void *)start, size, PROT_READ | PROT_EXEC))
        return -EFAULT;
    __builtin___clear_cache((char *)dst, (char *)dst + len);
    return 0;
}

/* ---- extensions ---------------------------------------------------------------------------- */

#if defined(__riscv)

static sigjmp_buf illegal;

static void on_illegal(int signal)
{
    (void)signal;
    siglongjmp(illegal, 1);
}

/* Does the hart execute this instruction, which changes nothing but a0? */
#define EXECUTES(word)                                                                            \
    (sigsetjmp(illegal, 1) == 0 && ({                                                             \
         __asm__ volatile(".option push\n.option norvc\n.4byte " #word "\n.option pop" ::: "a0"); \
         true;                                                                                    \
     }))

/* The same where a0 is the address of a word. */
#define EXECUTES_ON_WORD(word)                                                         \
    (sigsetjmp(illegal, 1) == 0 && ({                                                  \
         uint64_t some = 0;                                                            \
         register uint64_t *a0 __asm__("a0") = &some;                                  \
         __asm__ volatile(".option push\n.option norvc\n.4byte " #word "\n.option pop" \
                          : "+r"(a0)::"memory");                                       \
         true;                                                                         \
     }))

/* By trying, since older systems and emulators tell the letters of the base only. */
uint32_t ebpf_os_isa(void)
{
    struct sigaction action = {.sa_handler = on_illegal}, before;
    volatile uint32_t isa = 0;

    sigaction(SIGILL, &action, &before);
    if (EXECUTES(0x20a52533)) /* sh1add a0, a0, a0 */
        isa |= EBPF_ISA_ZBA;
    if (EXECUTES(0x40a57533)) /* andn a0, a0, a0 */
        isa |= EBPF_ISA_ZBB;
    if (EXECUTES(0x28a51533)) /* bset a0, a0, a0 */
        isa |= EBPF_ISA_ZBS;
    if (EXECUTES(0x0ea55533)) /* czero.eqz a0, a0, a0 */
        isa |= EBPF_ISA_ZICOND;
    if (EXECUTES_ON_WORD(0x28a5252f)) /* amocas.w a0, a0, (a0) */
        isa |= EBPF_ISA_ZACAS;
    sigaction(SIGILL, &before, NULL);
    return isa;
}

#endif
