/* SPDX-License-Identifier: MIT */
/* Heap sort; see sort.h. */
#include "src/loader/sort.h"

#include <stdint.h>

struct heap {
    uint8_t *base;
    size_t size;
    int (*less)(const void *a, const void *b);
};

static void swap(const struct heap *heap, size_t i, size_t j)
{
    uint8_t *a = heap->base + i * heap->size, *b = heap->base + j * heap->size;

    for (size_t k = 0; k < heap->size; k++) {
        uint8_t tmp = a[k];

        a[k] = b[k];
        b[k] = tmp;
    }
}

static int before(const struct heap *heap, size_t i, size_t j)
{
    return heap->less(heap->base + i * heap->size, heap->base + j * heap->size);
}

/* Lets element i sink until it is not before either of its children: the last one ends up on
 * top. */
static void sink(const struct heap *heap, size_t i, size_t count)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= count)
            return;
        if (child + 1 < count && before(heap, child, child + 1))
            child++;
        if (!before(heap, i, child))
            return;
        swap(heap, i, child);
        i = child;
    }
}

void ebpf_loader_sort(void *base, size_t count, size_t size,
                      int (*less)(const void *a, const void *b))
{
    const struct heap heap = {base, size, less};

    for (size_t i = count / 2; i-- > 0;)
        sink(&heap, i, count);
    for (size_t end = count; end-- > 1;) {
        swap(&heap, 0, end);
        sink(&heap, 0, end);
    }
}
