/* SPDX-License-Identifier: MIT */
/* Allocation from the kernel's hook. */
#include "src/base/alloc.h"

#include <ebpf/os.h>

#include "src/base/bits.h"

void *ebpf_alloc(size_t size)
{
    return size ? ebpf_os_alloc(size) : NULL;
}

void *ebpf_zalloc(size_t size)
{
    void *mem = ebpf_alloc(size);

    if (mem)
        memset(mem, 0, size);
    return mem;
}

void *ebpf_calloc(size_t count, size_t size)
{
    size_t bytes;

    return ebpf_mul_ok(count, size, &bytes) ? ebpf_zalloc(bytes) : NULL;
}

void *ebpf_memdup(const void *src, size_t size)
{
    void *mem = ebpf_alloc(size);

    if (mem)
        memcpy(mem, src, size);
    return mem;
}

void ebpf_free(void *ptr, size_t size)
{
    if (ptr)
        ebpf_os_free(ptr, size);
}
