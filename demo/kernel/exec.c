/* SPDX-License-Identifier: MIT */
/*
 * Loading a program: a static ELF64 executable from the archive into a new address space, with
 * arguments, environment and auxiliary vector on its stack as Linux lays them out. The old program
 * goes on if anything fails.
 *
 * The file is not trusted: every offset and address is checked against its bounds before it is
 * used.
 */
#include "kernel.h"

struct elf_header {
    unsigned char ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

#define ET_EXEC 2
#define EM_RISCV 243
#define PT_LOAD 1
#define PF_X 1
#define PF_W 2
#define PF_R 4
#define MAX_PHDRS 64

/* A program on its way into an address space. */
struct image {
    struct mm mm;
    const struct node *node;
    struct elf_header eh;
    uint64_t phdr_va; /* where the program sees its program headers; 0: nowhere */
    uint64_t sp;
};

static bool range_in(uint64_t start, uint64_t size, uint64_t limit)
{
    return start <= limit && size <= limit - start;
}

static int read_header(struct image *im)
{
    struct elf_header *eh = &im->eh;

    if (im->node->size < sizeof(*eh))
        return -ENOEXEC;
    memcpy(eh, im->node->data, sizeof(*eh));
    if (memcmp(eh->ident, "\177ELF\2\1\1", 7) || eh->type != ET_EXEC || eh->machine != EM_RISCV ||
        eh->phentsize != sizeof(struct elf_phdr) || eh->phnum == 0 || eh->phnum > MAX_PHDRS ||
        !range_in(eh->phoff, (uint64_t)eh->phnum * sizeof(struct elf_phdr), im->node->size))
        return -ENOEXEC;
    return 0;
}

static int load_segment(struct image *im, const struct elf_phdr *ph)
{
    uint64_t prot = 0, start, end;
    int err;

    if (ph->filesz > ph->memsz || !range_in(ph->offset, ph->filesz, im->node->size) ||
        ph->vaddr < PAGE_SIZE || !range_in(ph->vaddr, ph->memsz, USER_BRK_MAX))
        return -ENOEXEC;
    prot |= ph->flags & PF_R ? PTE_R : 0;
    prot |= ph->flags & PF_W ? PTE_W | PTE_R : 0;
    prot |= ph->flags & PF_X ? PTE_X : 0;
    if (!prot)
        return -ENOEXEC;
    start = ph->vaddr & -(uint64_t)PAGE_SIZE;
    end = ALIGN_UP(ph->vaddr + ph->memsz, PAGE_SIZE);
    err = mm_map(&im->mm, start, end, prot);
    if (!err)
        err = mm_write(&im->mm, ph->vaddr, im->node->data + ph->offset, ph->filesz);
    if (end > im->mm.brk)
        im->mm.brk_start = im->mm.brk = end;
    if (im->eh.phoff >= ph->offset && im->eh.phoff - ph->offset < ph->filesz)
        im->phdr_va = ph->vaddr + im->eh.phoff - ph->offset;
    return err;
}

static int load_segments(struct image *im)
{
    for (unsigned i = 0; i < im->eh.phnum; i++) {
        struct elf_phdr ph;
        int err = 0;
        memcpy(&ph, im->node->data + im->eh.phoff + i * sizeof(ph), sizeof(ph));
        if (ph.type == PT_LOAD && ph.memsz)
            err = load_segment(im, &ph);
        if (err)
            return err;
    }
    return 0;
}

static void put_word(struct image *im, uint64_t *at, uint64_t word)
{
    mm_write(&im->mm, *at, &word, 8);
    *at += 8;
}

static void put_aux(struct image *im, uint64_t *at, uint64_t type, uint64_t value)
{
    put_word(im, at, type);
    put_word(im, at, value);
}

/* A pointer to each of n strings, which lie at *text one after the other, and a NULL. */
static void put_pointers(struct image *im, uint64_t *at, uint64_t base, const char **text,
                         const char *first, int n)
{
    for (int i = 0; i < n; i++) {
        put_word(im, at, base + (uint64_t)(*text - first));
        *text += strlen(*text) + 1;
    }
    put_word(im, at, 0);
}

/*
 *   USER_STACK_TOP  strings of args, 16 random bytes
 *                   auxiliary vector, NULL, environment pointers, NULL, argument pointers
 *   sp, 16-aligned  argc
 */
static int build_stack(struct image *im, const struct exec_args *args)
{
    const struct process *p = current->proc;
    const char *text = args->text;
    uint32_t random[4] = {random32(), random32(), random32(), random32()};
    uint64_t strings = USER_STACK_TOP - ALIGN_UP(args->used, 16);
    uint64_t random_at = strings - 16;
    uint64_t words = 1 + (uint64_t)args->argc + 1 + (uint64_t)args->envc + 1 + 2 * 12;
    uint64_t at = (random_at - 8 * words) & -16ul;
    int err = mm_map(&im->mm, USER_STACK_TOP - USER_STACK_SIZE, USER_STACK_TOP, PTE_R | PTE_W);

    if (err)
        return err;
    im->sp = at;
    mm_write(&im->mm, strings, args->text, args->used);
    mm_write(&im->mm, random_at, random, sizeof(random));
    put_word(im, &at, (uint64_t)args->argc);
    put_pointers(im, &at, strings, &text, args->text, args->argc);
    put_pointers(im, &at, strings, &text, args->text, args->envc);
    put_aux(im, &at, AT_PHDR, im->phdr_va);
    put_aux(im, &at, AT_PHENT, sizeof(struct elf_phdr));
    put_aux(im, &at, AT_PHNUM, im->eh.phnum);
    put_aux(im, &at, AT_PAGESZ, PAGE_SIZE);
    put_aux(im, &at, AT_ENTRY, im->eh.entry);
    put_aux(im, &at, AT_UID, p->uid);
    put_aux(im, &at, AT_EUID, p->uid);
    put_aux(im, &at, AT_GID, p->gid);
    put_aux(im, &at, AT_EGID, p->gid);
    put_aux(im, &at, AT_SECURE, 0);
    put_aux(im, &at, AT_RANDOM, random_at);
    put_aux(im, &at, AT_NULL, 0);
    return 0;
}

/* The point of no return: the image becomes the current process's. */
static void commit(struct image *im)
{
    struct process *p = current->proc;
    struct trap_frame *f = user_frame(current);
    struct mm old = p->mm;
    const char *name = im->node->name;
    unsigned long irq = irq_save();

    p->mm = im->mm;
    current->satp = mm_satp(&p->mm);
    csr_write(satp, current->satp);
    sfence_vma();
    __asm__ volatile("fence.i");
    irq_restore(irq);
    mm_destroy(&old);

    fds_close(&p->fds, p->fds.cloexec);
    for (const char *c = name; *c; c++)
        if (*c == '/')
            name = c + 1;
    strcopy(current->comm, name, sizeof(current->comm));
    memset(f, 0, sizeof(*f));
    f->regs.pc = im->eh.entry;
    f->regs.x[REG_SP] = im->sp;
    f->status = (csr_read(sstatus) & ~(uint64_t)(SSTATUS_SPP | SSTATUS_SIE)) | SSTATUS_SPIE;
}

int exec_load(char *path, const struct exec_args *args)
{
    struct node node;
    struct image im = {.node = &node};
    int err = initramfs_find(path, &node);

    if (err)
        return err;
    if ((node.mode & S_IFMT) != S_IFREG || !(node.mode & 0111))
        return -EACCES;
    err = read_header(&im);
    if (!err)
        err = mm_create(&im.mm);
    if (err)
        return err;
    err = load_segments(&im);
    if (!err)
        err = build_stack(&im, args);
    if (err) {
        mm_destroy(&im.mm);
        return err;
    }
    commit(&im);
    return 0;
}

/* ---- arguments ------------------------------------------------------------------------------- */

int exec_args_init(struct exec_args *args)
{
    *args = (struct exec_args){.text = pages_alloc(EXEC_ARGS_ORDER)};
    return args->text ? 0 : -ENOMEM;
}

void exec_args_free(struct exec_args *args)
{
    pages_free(args->text, EXEC_ARGS_ORDER);
}

int exec_args_add(struct exec_args *args, const char *word)
{
    size_t n = strlen(word) + 1;

    if (n > EXEC_ARGS_SIZE - args->used)
        return -E2BIG;
    memcpy(args->text + args->used, word, n);
    args->used += n;
    return 0;
}

/* Copies the strings that a NULL-terminated array in user memory points to; their number, or an
 * error. */
static long copy_words(struct exec_args *args, uint64_t array)
{
    for (long n = 0; array && n < EXEC_ARGS_MAX; n++, array += 8) {
        uint64_t word;
        long len;
        if (copy_from_user(&word, array, 8))
            return -EFAULT;
        if (!word)
            return n;
        len = copy_string(args->text + args->used, word, EXEC_ARGS_SIZE - args->used);
        if (len < 0)
            return len == -ENAMETOOLONG ? -E2BIG : len;
        args->used += (size_t)len + 1;
    }
    return array ? -E2BIG : 0;
}

long sys_execve(uint64_t path, uint64_t argv, uint64_t envp)
{
    char name[PATH_SIZE];
    struct exec_args args;
    long n = copy_string(name, path, sizeof(name));

    if (n < 0)
        return n;
    n = exec_args_init(&args);
    if (n < 0)
        return n;
    n = copy_words(&args, argv);
    if (n >= 0) {
        args.argc = (int)n;
        n = copy_words(&args, envp);
    }
    if (n >= 0) {
        args.envc = (int)n;
        n = exec_load(name, &args);
    }
    exec_args_free(&args);
    return n;
}
