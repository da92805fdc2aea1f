/* SPDX-License-Identifier: MIT */
/* The mock OS's code memory and text; see os_host.h. */
#define _GNU_SOURCE
#include "tests/os_host.h"

#include <string.h>
#include <sys/mman.h>

#include <ebpf/errno.h>

uint32_t mock_isa;
bool mock_traps_misaligned;

uint32_t ebpf_os_isa(void)
{
    return mock_isa | (mock_traps_misaligned ? 0 : EBPF_ISA_ZICCLSM);
}

#define MAX_TEXT 64
bool mock_no_code, mock_no_text_write;
unsigned mock_text_writes;
static struct {
    char *start;
    size_t size;
    bool code;
} texts[MAX_TEXT];
static unsigned text_count;

static size_t page_up(size_t size)
{
    return (size + 4095) & ~(size_t)4095;
}

static int text_add(void *start, size_t size, bool code)
{
    for (unsigned i = 0; i < MAX_TEXT; i++) {
        if (texts[i].start)
            continue;
        texts[i].start = start;
        texts[i].size = size;
        texts[i].code = code;
        if (i >= text_count)
            text_count = i + 1;
        return 0;
    }
    return -1;
}

int mock_text_add(void *start, size_t size)
{
    uintptr_t page = (uintptr_t)start & ~4095ul;

    if (mprotect((void *)page, page_up((uintptr_t)start + size - page),
                 PROT_READ | PROT_WRITE | PROT_EXEC))
        return -1;
    return text_add(start, size, false);
}

void *ebpf_os_code_alloc(size_t size)
{
    void *mem;

    mock_contract(size > 0, "ebpf_os_code_alloc(0)");
    mock_contract(!mock_irqs_off(), "ebpf_os_code_alloc() with interrupts off");
    if (mock_no_code)
        return NULL;
    mem = mmap(NULL, page_up(size), PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mem == MAP_FAILED)
        return NULL;
    if (text_add(mem, size, true)) {
        munmap(mem, page_up(size));
        return NULL;
    }
    mock_count_block(true);
    return mem;
}

void ebpf_os_code_free(void *ptr, size_t size)
{
    for (unsigned i = 0; i < text_count; i++) {
        if (texts[i].code && texts[i].start == ptr) {
            mock_contract(texts[i].size == size, "ebpf_os_code_free() with another size");
            munmap(ptr, page_up(size));
            memset(&texts[i], 0, sizeof(texts[i]));
            mock_count_block(false);
            return;
        }
    }
    mock_contract(false, "ebpf_os_code_free() of something else");
}

static int text_find(const char *dst, size_t len)
{
    for (unsigned i = 0; i < text_count; i++) {
        if (texts[i].start && dst >= texts[i].start && len <= texts[i].size &&
            (size_t)(dst - texts[i].start) <= texts[i].size - len)
            return (int)i;
    }
    return -1;
}

int ebpf_os_text_write(void *dst, const void *src, size_t len)
{
    int i = text_find(dst, len);

    mock_contract(!mock_irqs_off(), "ebpf_os_text_write() with interrupts off");
    if (mock_no_text_write)
        return -EOPNOTSUPP;
    if (i < 0)
        return -EFAULT;
    mock_text_writes++;
    if (texts[i].code)
        mprotect(texts[i].start, page_up(texts[i].size), PROT_READ | PROT_WRITE);
    if (len == 2 && (uintptr_t)dst % 2 == 0)
        __atomic_store_n((uint16_t *)dst, *(const uint16_t *)src, __ATOMIC_RELAXED);
    else if (len == 4 && (uintptr_t)dst % 4 == 0)
        __atomic_store_n((uint32_t *)dst, *(const uint32_t *)src, __ATOMIC_RELAXED);
    else
        memcpy(dst, src, len);
    if (texts[i].code)
        mprotect(texts[i].start, page_up(texts[i].size), PROT_READ | PROT_EXEC);
    __builtin___clear_cache(dst, (char *)dst + len);
    return 0;
}

void mock_code_begin(void)
{
    mock_no_code = mock_no_text_write = false;
    mock_text_writes = 0;
    mock_isa = 0;
}

void mock_code_end(void)
{
    for (unsigned i = 0; i < text_count; i++) {
        if (!texts[i].code)
            memset(&texts[i], 0, sizeof(texts[i]));
    }
}
