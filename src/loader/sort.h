/* SPDX-License-Identifier: MIT */
/* Sorting in place without recursion or memory: heap sort, O(n log n) whatever a hostile object
 * makes of the input. */
#ifndef EBPF_LOADER_SORT_H
#define EBPF_LOADER_SORT_H

#include <stddef.h>

/* less(a, b): does a come before b? Equal elements end up in any order. */
void ebpf_loader_sort(void *base, size_t count, size_t size,
                      int (*less)(const void *a, const void *b));

#endif /* EBPF_LOADER_SORT_H */
