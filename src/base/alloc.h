/* SPDX-License-Identifier: MIT */
/* Allocation from the kernel's hook, context T. Sizes come with the pointer again at the free. */
#ifndef EBPF_BASE_ALLOC_H
#define EBPF_BASE_ALLOC_H

#include <stddef.h>

void *ebpf_alloc(size_t size);  /* NULL: no memory; size 0 gives NULL too */
void *ebpf_zalloc(size_t size); /* zero-filled */
/* zero-filled; NULL also where count * size overflows */
void *ebpf_calloc(size_t count, size_t size);
void *ebpf_memdup(const void *src, size_t size);
void ebpf_free(void *ptr, size_t size); /* NULL is fine */

#endif /* EBPF_BASE_ALLOC_H */
