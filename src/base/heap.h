/* SPDX-License-Identifier: MIT */
/* What stands behind the default ebpf_os_alloc() and ebpf_os_free(): see ebpf_heap_add() in
 * <ebpf/os.h>. T. */
#ifndef EBPF_BASE_HEAP_H
#define EBPF_BASE_HEAP_H

#include <stddef.h>

void *ebpf_heap_alloc(size_t size); /* aligned to 16; NULL: no hole is large enough */
void ebpf_heap_free(void *ptr, size_t size);

#endif /* EBPF_BASE_HEAP_H */
