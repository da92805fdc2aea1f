/* SPDX-License-Identifier: MIT */
/*
 * A heap for kernels that have only pages: the memory of ebpf_heap_add(), first fit, free blocks in
 * one list sorted by address so that neighbours join. A free says its size, so used blocks carry no
 * header. Context T.
 */
#include "src/base/heap.h"

#include <ebpf/os.h>

#include "src/base/bits.h"
#include "src/base/lock.h"

#define UNIT 16u /* alignment, and room for struct hole */

struct hole {
    struct hole *next;
    size_t size;
};

static struct ebpf_mutex mutex;
static struct hole *first;

static void join_next(struct hole *hole)
{
    struct hole *next = hole->next;

    if (next && (char *)hole + hole->size == (char *)next) {
        hole->size += next->size;
        hole->next = next->next;
    }
}

/* Puts [mem, mem + size), both multiples of UNIT, into the list. */
static void insert(void *mem, size_t size)
{
    struct hole **link = &first, *before = NULL, *hole = mem;

    while (*link && (char *)*link < (char *)mem) {
        before = *link;
        link = &before->next;
    }
    hole->next = *link;
    hole->size = size;
    *link = hole;
    join_next(hole);
    if (before)
        join_next(before);
}

void ebpf_heap_add(void *mem, size_t size)
{
    uintptr_t start = (uintptr_t)mem, aligned = EBPF_ROUND_UP(start, (uintptr_t)UNIT);

    if (!mem || size < 64 || aligned < start || aligned - start > size)
        return;
    size = (size - (aligned - start)) & ~(size_t)(UNIT - 1);
    ebpf_mutex_lock(&mutex);
    insert((void *)aligned, size);
    ebpf_mutex_unlock(&mutex);
}

void *ebpf_heap_alloc(size_t size)
{
    struct hole **link, *hole;

    if (!size || size > SIZE_MAX - UNIT)
        return NULL;
    size = EBPF_ROUND_UP(size, (size_t)UNIT);
    ebpf_mutex_lock(&mutex);
    for (link = &first; (hole = *link) && hole->size < size; link = &hole->next)
        continue;
    if (hole && hole->size > size) {
        struct hole *rest = (struct hole *)(void *)((char *)hole + size);

        rest->next = hole->next;
        rest->size = hole->size - size;
        *link = rest;
    } else if (hole) {
        *link = hole->next;
    }
    ebpf_mutex_unlock(&mutex);
    return hole;
}

void ebpf_heap_free(void *ptr, size_t size)
{
    ebpf_mutex_lock(&mutex);
    insert(ptr, EBPF_ROUND_UP(size, (size_t)UNIT));
    ebpf_mutex_unlock(&mutex);
}
