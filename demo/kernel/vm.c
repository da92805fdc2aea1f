/* SPDX-License-Identifier: MIT */
/*
 * Page tables (Sv39: three levels of 512 entries), the kernel's map and the processes' address
 * spaces.
 *
 * The kernel half of every root table holds the same 256 entries, which never change after
 * vm_init(); what is added later (stacks) goes into tables below them. No page of the kernel's map
 * is both writable and executable. User pages are there as soon as they are mapped: no page fault
 * is ever repaired, so copies to and from user memory never wait.
 *
 * One hart at a time uses a user page table, and loading it flushes the TLB, so a change of the
 * current one needs only a local fence.
 */
#include "kernel.h"

#define ENTRIES 512
#define LEVEL_SHIFT(level) (12 + 9 * (level))
#define SATP_SV39 (8ul << 60)
#define MEGAPAGE (2ul << 20)

static pte_t kernel_root[ENTRIES] __attribute__((aligned(PAGE_SIZE)));
uint64_t kernel_satp;

static unsigned table_index(uint64_t va, int level)
{
    return (va >> LEVEL_SHIFT(level)) % ENTRIES;
}

static void *pte_page(pte_t pte)
{
    return virt(pte >> 10 << 12);
}

static pte_t pte_make(const void *page, uint64_t prot)
{
    return phys(page) >> 12 << 10 | prot | PTE_V | PTE_A | PTE_D;
}

static bool pte_is_table(pte_t pte)
{
    return (pte & (PTE_V | PTE_R | PTE_W | PTE_X)) == PTE_V;
}

/* The entry for va in the table of that level; makes the tables above it. NULL: no memory. */
static pte_t *pte_create(pte_t *table, uint64_t va, int level)
{
    for (int l = 2; l > level; l--) {
        pte_t *pte = &table[table_index(va, l)];
        if (!*pte) {
            void *page = page_alloc_zeroed();
            if (!page)
                return NULL;
            *pte = phys(page) >> 12 << 10 | PTE_V;
        }
        table = pte_page(*pte);
    }
    return &table[table_index(va, level)];
}

/* ---- the kernel's map ------------------------------------------------------------------------ */

/* Maps [pa, pa+size) at KERNEL_BASE + pa, in 2 MiB pages where alignment allows. */
static void map_physical(uint64_t pa, uint64_t end, uint64_t prot)
{
    while (pa < end) {
        int level = pa % MEGAPAGE == 0 && end - pa >= MEGAPAGE;
        pte_t *pte = pte_create(kernel_root, KERNEL_BASE + pa, level);
        if (!pte)
            panic("no memory for the kernel's page table");
        *pte = pte_make(virt(pa), prot);
        pa += 1ul << LEVEL_SHIFT(level);
    }
}

void vm_init(void)
{
    map_physical(RTC_PHYS, RTC_PHYS + PAGE_SIZE, PTE_R);
    map_physical(UART_PHYS, UART_PHYS + PAGE_SIZE, PTE_R | PTE_W);
    map_physical(PLIC_PHYS, PLIC_PHYS + 2 * MEGAPAGE, PTE_R | PTE_W);
    map_physical(phys(__kernel_start), phys(__text_end), PTE_R | PTE_X);
    map_physical(phys(__text_end), phys(__rodata_end), PTE_R);
    map_physical(phys(__rodata_end), machine.ram_end, PTE_R | PTE_W);
    /* The tables that later mappings go into exist before the first process copies the root. */
    if (!pte_create(kernel_root, FIXMAP, 0) || !pte_create(kernel_root, STACK_AREA, 0))
        panic("no memory for the kernel's page table");
    kernel_satp = SATP_SV39 | phys(kernel_root) >> 12;
    csr_write(satp, kernel_satp);
    sfence_vma();
}

int vm_map_stack(uint64_t va)
{
    static struct spinlock tables_lock;
    unsigned long irq;
    pte_t *pte;
    void *page = pages_alloc(0);

    if (!page)
        return -ENOMEM;
    irq = spin_lock(&tables_lock);
    pte = pte_create(kernel_root, va, 0);
    if (pte)
        *pte = pte_make(page, PTE_R | PTE_W);
    spin_unlock(&tables_lock, irq);
    if (!pte) {
        pages_free(page, 0);
        return -ENOMEM;
    }
    sfence_vma();
    sbi_remote_sfence_vma();
    return 0;
}

/*
 * Kernel text has no writable mapping. To change it, the page gets a second mapping at FIXMAP for a
 * moment, on this hart only: interrupts are off, and another hart that uses FIXMAP flushes its TLB
 * first. Aligned words are stored in one piece, since other harts may be executing them.
 */
static void poke_piece(uint64_t dst, const char *src, size_t len)
{
    static struct spinlock text_lock;
    unsigned long irq = spin_lock(&text_lock);
    pte_t *pte = pte_create(kernel_root, FIXMAP, 0);
    char *alias = (char *)FIXMAP + dst % PAGE_SIZE;

    *pte = pte_make((void *)dst, PTE_R | PTE_W);
    sfence_vma();
    if (len == 4 && dst % 4 == 0) {
        uint32_t word;
        memcpy(&word, src, 4);
        *(volatile uint32_t *)alias = word;
    } else if (len == 2 && dst % 2 == 0) {
        uint16_t half;
        memcpy(&half, src, 2);
        *(volatile uint16_t *)alias = half;
    } else {
        memcpy(alias, src, len);
    }
    *pte = 0;
    sfence_vma();
    spin_unlock(&text_lock, irq);
}

static void poke(uint64_t at, const char *from, size_t len)
{
    while (len) {
        size_t n = MIN(len, PAGE_SIZE - at % PAGE_SIZE);
        poke_piece(at, from, n);
        at += n;
        from += n;
        len -= n;
    }
}

int text_poke(void *dst, const void *src, size_t len)
{
    uint64_t at = (uint64_t)dst;

    if (at < (uint64_t)__kernel_start || at > (uint64_t)__text_end ||
        len > (uint64_t)__text_end - at)
        return -EFAULT;
    poke(at, src, len);
    __asm__ volatile("fence rw, rw; fence.i" ::: "memory");
    sbi_remote_fence_i();
    /* QEMU before 8.1 has a race: a hart that translates the instruction while it is written may
     * keep the old translation for good, whatever fences follow, and a removed breakpoint would
     * trap there for ever. The fence has stopped every hart, so no translation is under way now:
     * the same store again throws an old one out. Real harts do not need it. */
    poke(at, src, len);
    return 0;
}

/* ---- address spaces of processes ------------------------------------------------------------- */

typedef int (*pte_fn)(pte_t *pte, uint64_t va, void *arg);

/* Calls fn for each mapped page in [start, end) of the part that table, of that level, covers from
 * base on. */
static int for_each_page(pte_t *table, int level, uint64_t base, uint64_t start, uint64_t end,
                         pte_fn fn, void *arg)
{
    uint64_t span = 1ul << LEVEL_SHIFT(level);
    unsigned i = start > base ? (unsigned)((start - base) >> LEVEL_SHIFT(level)) : 0;

    for (; i < ENTRIES && base + i * span < end; i++) {
        uint64_t va = base + i * span;
        int err;
        if (!table[i])
            continue;
        if (level)
            err = for_each_page(pte_page(table[i]), level - 1, va, start, end, fn, arg);
        else
            err = fn(&table[i], va, arg);
        if (err)
            return err;
    }
    return 0;
}

static int free_page(pte_t *pte, uint64_t va, void *arg)
{
    void *page = *pte & PTE_SHARED ? NULL : pte_page(*pte);
    (void)va;
    (void)arg;

    *pte = 0;
    if (page)
        pages_free(page, 0);
    return 0;
}

/* The pages are free before the TLB forgets them; nothing uses the addresses until the fence, for
 * this is the thread that they belong to. */
void mm_unmap(struct mm *mm, uint64_t start, uint64_t end)
{
    for_each_page(mm->root, 2, 0, start, end, free_page, NULL);
    sfence_vma();
}

static void free_tables(pte_t *table, int level, unsigned entries)
{
    for (unsigned i = 0; i < entries; i++) {
        if (!pte_is_table(table[i]))
            continue;
        if (level > 1)
            free_tables(pte_page(table[i]), level - 1, ENTRIES);
        pages_free(pte_page(table[i]), 0);
    }
}

/* mm is current on no hart. */
void mm_destroy(struct mm *mm)
{
    if (!mm->root)
        return;
    mm_unmap(mm, 0, USER_END);
    mappings_end(mm);
    free_tables(mm->root, 2, ENTRIES / 2);
    pages_free(mm->root, 0);
    mm->root = NULL;
}

int mm_create(struct mm *mm)
{
    *mm = (struct mm){.root = page_alloc_zeroed(), .mmap_top = USER_MMAP_TOP};
    if (!mm->root)
        return -ENOMEM;
    memcpy(mm->root + ENTRIES / 2, kernel_root + ENTRIES / 2, PAGE_SIZE / 2);
    return 0;
}

uint64_t mm_satp(const struct mm *mm)
{
    return SATP_SV39 | phys(mm->root) >> 12;
}

static int is_shared(pte_t *pte, uint64_t va, void *arg)
{
    (void)va;
    (void)arg;
    return *pte & PTE_SHARED ? -ENOMEM : 0;
}

static int map_zeroed(struct mm *mm, uint64_t va, uint64_t prot)
{
    pte_t *pte = pte_create(mm->root, va, 0);
    void *page;

    if (!pte)
        return -ENOMEM;
    if (*pte) {
        *pte |= prot;
        return 0;
    }
    page = page_alloc_zeroed();
    if (!page)
        return -ENOMEM;
    *pte = pte_make(page, prot | PTE_U);
    return 0;
}

/* Maps zeroed pages to [start, end), both page-aligned. A page that is there keeps its contents and
 * gets the permissions in addition: ELF segments may share one. Shared ones are in the way: theirs
 * must not grow. After -ENOMEM nothing is mapped. */
int mm_map(struct mm *mm, uint64_t start, uint64_t end, uint64_t prot)
{
    int err = for_each_page(mm->root, 2, 0, start, end, is_shared, NULL);

    if ((end - start) / PAGE_SIZE > pages_available())
        err = -ENOMEM;
    if (prot & PTE_W)
        prot |= PTE_R; /* W without R is reserved */
    for (uint64_t va = start; va < end && !err; va += PAGE_SIZE) {
        err = map_zeroed(mm, va, prot);
        if (err)
            mm_unmap(mm, start, va);
    }
    sfence_vma();
    return err;
}

/* Maps a page of somebody else's, who keeps it until it is unmapped. Nothing is at va. */
int mm_map_shared(struct mm *mm, uint64_t va, void *page, uint64_t prot)
{
    pte_t *pte = pte_create(mm->root, va, 0);

    if (!pte)
        return -ENOMEM;
    *pte = pte_make(page, prot | PTE_U | PTE_SHARED);
    sfence_vma();
    return 0;
}

static int copy_page(pte_t *pte, uint64_t va, void *arg)
{
    struct mm *to = arg;
    pte_t *copy;
    void *page;

    if (*pte & PTE_SHARED)
        return 0; /* mappings_copy() */
    copy = pte_create(to->root, va, 0);
    page = pages_alloc(0);
    if (!copy || !page) {
        if (page)
            pages_free(page, 0);
        return -ENOMEM;
    }
    memcpy(page, pte_page(*pte), PAGE_SIZE);
    *copy = pte_make(page, *pte & (PTE_R | PTE_W | PTE_X | PTE_U));
    return 0;
}

int mm_copy(struct mm *to, const struct mm *from)
{
    int err = mm_create(to);

    if (err)
        return err;
    to->brk_start = from->brk_start;
    to->brk = from->brk;
    to->mmap_top = from->mmap_top;
    err = for_each_page(from->root, 2, 0, 0, USER_END, copy_page, to);
    if (!err)
        err = mappings_copy(to, from);
    if (err)
        mm_destroy(to);
    return err;
}

struct write_job {
    uint64_t va;
    const char *src;
    size_t len;
};

static int write_page(pte_t *pte, uint64_t va, void *arg)
{
    struct write_job *job = arg;
    size_t n = MIN(job->len, PAGE_SIZE - job->va % PAGE_SIZE);
    (void)va;

    if ((*pte & PTE_SHARED) && !(*pte & PTE_W))
        return -EFAULT;
    memcpy((char *)pte_page(*pte) + job->va % PAGE_SIZE, job->src, n);
    job->va += n;
    job->src += n;
    job->len -= n;
    return 0;
}

/* For a new program's pages, which are all mapped, text among them. */
int mm_write(struct mm *mm, uint64_t va, const void *src, size_t len)
{
    struct write_job job = {va, src, len};

    for_each_page(mm->root, 2, 0, va, va + len, write_page, &job);
    return job.len ? -EFAULT : 0;
}

/* ---- user memory ----------------------------------------------------------------------------- */

static bool user_range(uint64_t addr, size_t len)
{
    return addr < USER_END && len <= USER_END - addr;
}

int copy_from_user(void *dst, uint64_t src, size_t len)
{
    return user_range(src, len) ? (int)copy_user_raw(dst, (const void *)src, len) : -EFAULT;
}

int copy_to_user(uint64_t dst, const void *src, size_t len)
{
    return user_range(dst, len) ? (int)copy_user_raw((void *)dst, src, len) : -EFAULT;
}

long copy_string(char *dst, uint64_t src, size_t size)
{
    size_t done = 0;

    while (done < size) {
        /* not beyond the page: what follows need not be mapped */
        size_t n = MIN(size - done, PAGE_SIZE - (src + done) % PAGE_SIZE);
        n = MIN(n, 64);
        if (copy_from_user(dst + done, src + done, n))
            return -EFAULT;
        for (; n; n--, done++)
            if (!dst[done])
                return (long)done;
    }
    return -ENAMETOOLONG;
}
