/* SPDX-License-Identifier: MIT */
/*
 * brk(2), mmap(2), munmap(2): what a process does to its address space.
 *
 * Private anonymous memory is pages of its own. A file's mapping is shared, and the only files that
 * have any stand for BPF objects: a struct mapping keeps the object, whose pages get into the page
 * table one by one and are marked PTE_SHARED, so that nobody frees or copies them. The mapping
 * lives until the last of its addresses goes, by munmap(), exit() or execve().
 */
#include "kernel.h"

struct mapping {
    struct mapping *next;
    uint64_t start;
    struct ebpf_mmap object; /* with a reference */
};

static uint64_t mapping_end(const struct mapping *m)
{
    return m->start + m->object.size;
}

/* ---- the list of mappings: the address space's own thread only ------------------------------- */

/* Puts m in front of a list and its pages into mm's page table. */
static int mapping_add(struct mm *mm, struct mapping *m, struct mapping **list)
{
    uint64_t prot = m->object.write ? PTE_R | PTE_W : PTE_R;

    m->next = *list;
    *list = m;
    for (size_t n = 0; n < m->object.size / PAGE_SIZE; n++) {
        void *page = ebpf_mmap_page(&m->object, n);
        int err = mm_map_shared(mm, m->start + n * PAGE_SIZE, page, prot);
        if (err)
            return err;
    }
    return 0;
}

static void mappings_close(struct mapping *list)
{
    while (list) {
        struct mapping *m = list;
        list = m->next;
        ebpf_mmap_close(&m->object);
        kfree(m, sizeof(*m));
    }
}

/* A mapping of [start, end), a part of what m maps, for mm, which may be another address space. */
static int mapping_copy(struct mm *mm, const struct mapping *m, uint64_t start, uint64_t end,
                        struct mapping **list)
{
    struct mapping *part = kmalloc(sizeof(*part));
    int err;

    if (!part)
        return -ENOMEM;
    err = ebpf_obj_mmap(m->object.obj, m->object.offset + (start - m->start), end - start,
                        m->object.write, &part->object);
    if (err) {
        kfree(part, sizeof(*part));
        return err;
    }
    part->start = start;
    return mapping_add(mm, part, list);
}

int mappings_copy(struct mm *to, const struct mm *from)
{
    int err = 0;

    for (const struct mapping *m = from->mappings; m && !err; m = m->next)
        err = mapping_copy(to, m, m->start, mapping_end(m), &to->mappings);
    return err;
}

/* When the page table has forgotten the pages. */
void mappings_end(struct mm *mm)
{
    mappings_close(mm->mappings);
    mm->mappings = NULL;
}

/* ---- making room ----------------------------------------------------------------------------- */

static bool overlaps(const struct mapping *m, uint64_t start, uint64_t end)
{
    return m->start < end && mapping_end(m) > start;
}

/* What stays of the mappings that [start, end) cuts off or in two. */
static int keep_rests(struct mm *mm, uint64_t start, uint64_t end, struct mapping **rests)
{
    int err = 0;

    for (const struct mapping *m = mm->mappings; m && !err; m = m->next) {
        if (!overlaps(m, start, end))
            continue;
        if (m->start < start)
            err = mapping_copy(mm, m, m->start, start, rests);
        if (!err && mapping_end(m) > end)
            err = mapping_copy(mm, m, end, mapping_end(m), rests);
    }
    return err;
}

/* Takes everything out of [start, end). If that fails (an object that cannot be mapped in part, no
 * memory), all is as it was. */
static int unmap_range(struct mm *mm, uint64_t start, uint64_t end)
{
    struct mapping *rests = NULL, *gone = NULL, **at = &mm->mappings;
    int err = keep_rests(mm, start, end, &rests);

    if (err) {
        mappings_close(rests);
        return err;
    }
    mm_unmap(mm, start, end);
    while (*at) {
        struct mapping *m = *at;
        if (!overlaps(m, start, end)) {
            at = &m->next;
            continue;
        }
        *at = m->next;
        m->next = gone;
        gone = m;
    }
    *at = rests; /* at the list's end */
    mappings_close(gone);
    return 0;
}

/* ---- system calls ---------------------------------------------------------------------------- */

/* Linux's brk: the new end, or the old one if that is not possible. */
long sys_brk(uint64_t end)
{
    struct mm *mm = &current->proc->mm;
    uint64_t from = ALIGN_UP(mm->brk, PAGE_SIZE), to;

    if (end < mm->brk_start || end > USER_BRK_MAX)
        return (long)mm->brk;
    to = ALIGN_UP(end, PAGE_SIZE);
    if (to > from && mm_map(mm, from, to, PTE_R | PTE_W))
        return (long)mm->brk;
    if (to < from && unmap_range(mm, to, from))
        return (long)mm->brk;
    mm->brk = end;
    return (long)end;
}

/* Where a mapping goes: *addr. An address that is not MAP_FIXED is a hint, and ignored. */
static int find_room(struct mm *mm, uint64_t *addr, uint64_t len, int flags)
{
    if (!(flags & MAP_FIXED)) {
        if (len > mm->mmap_top - USER_BRK_MAX)
            return -ENOMEM;
        *addr = mm->mmap_top - len;
        return 0;
    }
    if (*addr % PAGE_SIZE || *addr < PAGE_SIZE || *addr > USER_END || len > USER_END - *addr)
        return -EINVAL;
    return unmap_range(mm, *addr, *addr + len);
}

/* Private; PROT_NONE has no form in Sv39 that keeps a page. */
static int map_anonymous(struct mm *mm, uint64_t *addr, uint64_t len, int prot, int flags)
{
    uint64_t pte = (prot & PROT_READ ? PTE_R : 0) | (prot & PROT_WRITE ? PTE_W | PTE_R : 0) |
                   (prot & PROT_EXEC ? PTE_X : 0);
    int err;

    if ((flags & (MAP_SHARED | MAP_PRIVATE)) != MAP_PRIVATE || !pte)
        return -EINVAL;
    err = find_room(mm, addr, len, flags);
    return err ? err : mm_map(mm, *addr, *addr + len, pte);
}

/* Shared. Linux's errors for files that it refuses to map: never executable, never private. */
static int map_file(struct mm *mm, struct file *f, uint64_t *addr, uint64_t len, int prot,
                    int flags, uint64_t offset)
{
    struct mapping *m;
    int err;

    if (!f)
        return -EBADF;
    if (!f->ops->mmap)
        return -ENODEV;
    if (prot & PROT_EXEC)
        return -EPERM;
    if ((flags & (MAP_SHARED | MAP_PRIVATE)) != MAP_SHARED || !prot || offset % PAGE_SIZE)
        return -EINVAL;
    m = kmalloc(sizeof(*m));
    if (!m)
        return -ENOMEM;
    err = f->ops->mmap(f, offset, len, prot & PROT_WRITE, &m->object);
    if (err)
        goto free_mapping;
    err = find_room(mm, addr, len, flags);
    if (err)
        goto close_object;
    m->start = *addr;
    err = mapping_add(mm, m, &mm->mappings);
    if (err)
        unmap_range(mm, *addr, *addr + len); /* which is all of m: nothing is left to fail */
    return err;

close_object:
    ebpf_mmap_close(&m->object);
free_mapping:
    kfree(m, sizeof(*m));
    return err;
}

long sys_mmap(uint64_t addr, uint64_t len, int prot, int flags, int fd, uint64_t offset)
{
    struct mm *mm = &current->proc->mm;
    int err;

    if (len == 0)
        return -EINVAL;
    if (len > USER_END)
        return -ENOMEM;
    len = ALIGN_UP(len, PAGE_SIZE);
    if (flags & MAP_ANONYMOUS)
        err = map_anonymous(mm, &addr, len, prot, flags);
    else
        err = map_file(mm, fd_file(fd), &addr, len, prot, flags, offset);
    if (err)
        return err;
    if (!(flags & MAP_FIXED))
        mm->mmap_top = addr;
    return (long)addr;
}

long sys_munmap(uint64_t addr, uint64_t len)
{
    struct mm *mm = &current->proc->mm;
    int err;

    if (addr % PAGE_SIZE || len == 0 || addr >= USER_END || len > USER_END - addr)
        return -EINVAL;
    len = ALIGN_UP(len, PAGE_SIZE);
    err = unmap_range(mm, addr, addr + len);
    if (!err && addr == mm->mmap_top && addr + len <= USER_MMAP_TOP)
        mm->mmap_top = addr + len; /* the youngest mapping: its addresses can be used again */
    return err;
}
