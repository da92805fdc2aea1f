/* SPDX-License-Identifier: MIT */
/*
 * Memory: a buddy allocator for blocks of 2^order pages, and kmalloc() on top of it.
 *
 * A free block's first bytes link it into the list of its order. block_order[] has one byte per
 * page: the order of the free block that begins there, or USED. A block's buddy differs from it in
 * one bit of the page number; two free buddies of the same order become one block.
 *
 * kmalloc() rounds up to a power of two, from 16 bytes to half a page, and keeps a list of free
 * pieces per size; what is larger comes in pages. Frees name the size, so a piece needs no header.
 */
#include "kernel.h"

#define MAX_ORDER 14 /* 64 MiB */
#define USED 0xff
#define MIN_SHIFT 4
#define MAX_SHIFT 11

struct block {
    struct block *next, *prev;
};

static struct spinlock page_lock;
static struct block free_list[MAX_ORDER + 1];
static uint8_t *block_order;
static uint64_t page_count;
static size_t free_pages;

static uint64_t page_number(const void *p)
{
    return (phys(p) - machine.ram_start) / PAGE_SIZE;
}

static void *page_address(uint64_t n)
{
    return virt(machine.ram_start + n * PAGE_SIZE);
}

static void block_push(void *p, unsigned order)
{
    struct block *b = p, *list = &free_list[order];

    b->next = list->next;
    b->prev = list;
    b->next->prev = b;
    list->next = b;
    block_order[page_number(p)] = (uint8_t)order;
}

static void block_remove(struct block *b)
{
    b->prev->next = b->next;
    b->next->prev = b->prev;
    block_order[page_number(b)] = USED;
}

void *pages_alloc(unsigned order)
{
    unsigned long irq = spin_lock(&page_lock);
    struct block *b = NULL;
    unsigned o = order;

    while (o <= MAX_ORDER && free_list[o].next == &free_list[o])
        o++;
    if (o <= MAX_ORDER) {
        b = free_list[o].next;
        block_remove(b);
        while (o-- > order) /* give back the upper half */
            block_push((char *)b + ((uint64_t)PAGE_SIZE << o), o);
        free_pages -= 1ul << order;
    }
    spin_unlock(&page_lock, irq);
    return b;
}

void pages_free(void *pages, unsigned order)
{
    unsigned long irq = spin_lock(&page_lock);
    uint64_t n = page_number(pages);

    free_pages += 1ul << order;
    for (; order < MAX_ORDER; order++) {
        uint64_t buddy = n ^ (1ul << order);
        if (buddy >= page_count || block_order[buddy] != order)
            break;
        block_remove(page_address(buddy));
        n &= ~(1ul << order);
    }
    block_push(page_address(n), order);
    spin_unlock(&page_lock, irq);
}

void *page_alloc_zeroed(void)
{
    void *page = pages_alloc(0);

    return page ? memset(page, 0, PAGE_SIZE) : NULL;
}

size_t pages_available(void)
{
    return __atomic_load_n(&free_pages, __ATOMIC_RELAXED);
}

static bool overlaps(uint64_t page, uint64_t start, uint64_t end)
{
    return page < end && page + PAGE_SIZE > start;
}

/* All of RAM behind the kernel is free, except what the boot loader put there. */
void page_init(void)
{
    uint64_t kernel_end = phys(__kernel_end);

    page_count = (machine.ram_end - machine.ram_start) / PAGE_SIZE;
    block_order = virt(kernel_end);
    memset(block_order, USED, page_count);
    for (unsigned i = 0; i <= MAX_ORDER; i++)
        free_list[i].next = free_list[i].prev = &free_list[i];
    for (uint64_t n = 0; n < page_count; n++) {
        uint64_t pa = machine.ram_start + n * PAGE_SIZE;
        if (pa >= ALIGN_UP(kernel_end + page_count, PAGE_SIZE) &&
            !overlaps(pa, machine.fdt_start, machine.fdt_end) &&
            !overlaps(pa, machine.initrd_start, machine.initrd_end))
            pages_free(virt(pa), 0);
    }
}

/* ---- kmalloc --------------------------------------------------------------------------------- */

struct piece {
    struct piece *next;
};
static struct spinlock piece_lock;
static struct piece *pieces[MAX_SHIFT + 1];

/* The exponent of the power of two that holds size. */
static unsigned size_shift(size_t size)
{
    unsigned shift = MIN_SHIFT;

    while (shift < 63 && 1ul << shift < size)
        shift++;
    return shift;
}

static bool refill(unsigned shift)
{
    char *page = pages_alloc(0);
    unsigned long irq;

    if (!page)
        return false;
    irq = spin_lock(&piece_lock);
    for (size_t at = 0; at < PAGE_SIZE; at += 1ul << shift) {
        struct piece *p = (struct piece *)(page + at);
        p->next = pieces[shift];
        pieces[shift] = p;
    }
    spin_unlock(&piece_lock, irq);
    return true;
}

static void *take_piece(unsigned shift)
{
    struct piece *p;

    do {
        unsigned long irq = spin_lock(&piece_lock);
        p = pieces[shift];
        if (p)
            pieces[shift] = p->next;
        spin_unlock(&piece_lock, irq);
    } while (!p && refill(shift)); /* another hart may have been faster */
    return p;
}

static size_t used;

size_t kmalloc_used(void)
{
    return __atomic_load_n(&used, __ATOMIC_RELAXED);
}

void *kmalloc(size_t size)
{
    unsigned shift = size_shift(size);
    void *p;

    if (size > (size_t)PAGE_SIZE << MAX_ORDER)
        return NULL;
    p = shift > MAX_SHIFT ? pages_alloc(shift > 12 ? shift - 12 : 0) : take_piece(shift);
    if (p)
        __atomic_fetch_add(&used, size, __ATOMIC_RELAXED);
    return p;
}

void kfree(void *ptr, size_t size)
{
    unsigned shift = size_shift(size);
    struct piece *p = ptr;
    unsigned long irq;

    __atomic_fetch_sub(&used, size, __ATOMIC_RELAXED);
    if (shift > MAX_SHIFT) {
        pages_free(ptr, shift > 12 ? shift - 12 : 0);
        return;
    }
    irq = spin_lock(&piece_lock);
    p->next = pieces[shift];
    pieces[shift] = p;
    spin_unlock(&piece_lock, irq);
}
