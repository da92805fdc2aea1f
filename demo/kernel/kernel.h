/* SPDX-License-Identifier: MIT */
/*
 * Everything that the kernel's files use of each other, file by file; each .c file opens with what
 * it is about.
 *
 * Locks, in the order in which they may be taken: proc_lock, pipe and tty locks -> sched_lock. The
 * page, kmalloc, text and console locks are leaves. A spin lock is held with interrupts off, so a
 * thread that holds one is not preempted, and interrupt handlers may take any of them.
 */
#ifndef DEMO_KERNEL_H
#define DEMO_KERNEL_H

#include <ebpf/kprobe.h>
#include <ebpf/os.h>
#include <stdarg.h>

#include "linux.h"
#include "riscv.h"

#define MAX_THREADS 128
#define MAX_FILES 64
#define PATH_SIZE 256
#define HZ 100
#define NSEC_PER_SEC 1000000000ul

#define noinline __attribute__((noinline))
/* Code that may run before ebpf_breakpoint(): cannot be probed. */
#define trap_text __attribute__((section(".text.trap")))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define ALIGN_UP(x, n) (((x) + (n)-1) & ~((uint64_t)(n)-1))

/* ---- string.c -------------------------------------------------------------------------------- */

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
void strcopy(char *dst, const char *src, size_t size); /* always terminates */

/* ---- spin locks ------------------------------------------------------------------------------ */

struct spinlock {
    uint32_t held;
};

/* With interrupts already off: */
static inline void lock_acquire(struct spinlock *lock)
{
    while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE))
        while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
            ;
}

static inline void lock_release(struct spinlock *lock)
{
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

/* Turn interrupts off and on again: */
static inline unsigned long spin_lock(struct spinlock *lock)
{
    unsigned long irq = irq_save();

    lock_acquire(lock);
    return irq;
}

static inline void spin_unlock(struct spinlock *lock, unsigned long irq)
{
    lock_release(lock);
    irq_restore(irq);
}

/* ---- sched.c: threads ------------------------------------------------------------------------ */

struct thread;
struct process;

/* One per hart. CPU_SIZE in riscv.h is its size. */
struct cpu {
    uint64_t overflow_sp; /* for trap.S: top of a spare stack */
    unsigned id;          /* 0 .. cpu_count - 1 */
    uint64_t hartid;
    struct thread *idle;
    bool idling; /* sched_lock: runs its idle thread, wants an interrupt when there is work */
    uint64_t breakpoints; /* traps in the kernel's own code so far */
    uint64_t counters[2]; /* cycle and instret when another hart asked */
    bool counters_asked;
};
extern struct cpu cpus[MAX_HARTS];
extern unsigned cpu_count;

enum thread_state { THREAD_RUNNING, THREAD_READY, THREAD_BLOCKED, THREAD_ZOMBIE };

struct context {
    uint64_t ra, sp, s[12];
};

struct wait_queue {
    struct thread *first; /* sched_lock */
};

struct thread {
    uint64_t kernel_sp; /* for trap.S: top of the kernel stack */
    uint64_t scratch;   /* for trap.S */
    struct cpu *cpu;    /* that it runs on, or ran on last */
    struct context context;
    int tid;
    char comm[16];
    uint64_t satp;        /* of its address space; the kernel's for kernel threads */
    struct process *proc; /* NULL: a kernel thread */
    void (*fn)(void *arg);
    void *arg;
    bool killed, exited;
    uint32_t holds; /* by thread_get() */
    /* sched_lock: */
    enum thread_state state;
    struct thread *next;         /* in the run queue or a wait queue */
    struct wait_queue *waits_on; /* while blocked */
    uint64_t wake_at;            /* then: time_ns() at which the wait ends, or 0 */
    struct thread *all_next;
};

static inline struct thread *current_thread(void)
{
    struct thread *t;

    __asm__ volatile("mv %0, tp" : "=r"(t));
    return t;
}
#define current (current_thread())

struct thread *thread_create(const char *name, void (*fn)(void *arg), void *arg);
void thread_wait(struct thread *t); /* for its end */
void thread_join(struct thread *t); /* waits for its end and frees it */
void thread_exit(void) __attribute__((noreturn));

/* For proc.c: a thread that does not run yet, and its parts. */
struct thread *thread_alloc(const char *name, void (*fn)(void *arg), void *arg);
void thread_start(struct thread *t);
void thread_discard(struct thread *t);
void thread_free(struct thread *t); /* an exiting one */
void thread_kill(struct thread *t); /* sets killed and ends its wait */
struct thread *thread_get(int tid);
void thread_put(struct thread *t);

void schedule(void); /* lets others run */
/* Blocks until wake_all(q), the deadline (time_ns(); 0: none) or a kill; lock is free meanwhile.
 * The caller holds it, and checks its condition again. False: the deadline has passed. */
bool wait_on(struct wait_queue *q, struct spinlock *lock, uint64_t deadline);
void wake_all(struct wait_queue *q);
void sleep_until(uint64_t deadline);
void sched_tick(void); /* each timer tick of hart 0 */
void sched_init(struct cpu *cpu);
void sched_run(void) __attribute__((noreturn));
unsigned thread_count(void);
void stack_report(void); /* how deep kernel stacks have been */

/* trap.S */
void switch_to(struct thread *prev, struct thread *next);
void thread_begin(void);
void thread_main(void); /* for it */

/* ---- trap.c ---------------------------------------------------------------------------------- */

struct trap_frame {
    struct ebpf_regs regs; /* pc, x1 .. x31: the library reads and writes it in place */
    uint64_t status, cause, tval, pad;
};
#define REG_SP 1 /* index in regs.x */
#define REG_RA 0
#define REG_TP 3
#define REG_FP 7
#define REG_A0 9
#define REG_A7 16

/* Where a faulting instruction of the kernel goes on: filled by `fallible` in trap.S. */
struct ex_row {
    uint64_t insn, fixup;
};
extern const struct ex_row __ex_table_start[], __ex_table_end[];

void trap_init(void); /* on each hart */
void trap_entry(void);
extern char trap_handled[]; /* where trap_handler() returns to */
void trap_return(struct trap_frame *frame) __attribute__((noreturn));
static inline struct trap_frame *user_frame(struct thread *t)
{
    return (struct trap_frame *)(t->kernel_sp - FRAME_SIZE);
}

/* ---- printk.c, console.c --------------------------------------------------------------------- */

/* %d %u %x %s %c with width, 0 and l. Context A. */
void printk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void panic(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void format_text(void (*put)(void *to, char c), void *to, const char *fmt, va_list args);

void console_init(void);
/* The console's lock, for output that must stay together. May be entered again by its holder.
 * Context A. */
unsigned long console_begin(void);
void console_putc(char c);
void console_end(unsigned long irq);
void console_write(const char *text, size_t len); /* A */
void console_interrupt(void);
uint32_t console_poll(void);
long console_read_user(uint64_t buf, size_t len);
long console_write_user(uint64_t buf, size_t len);

/* ---- sbi.c, time.c, plic.c, fdt.c ------------------------------------------------------------ */

void sbi_set_timer(uint64_t time);
void sbi_send_ipi(uint64_t hartid);
void sbi_remote_fence_i(void);    /* all other harts, has happened on return */
void sbi_remote_sfence_vma(void); /* likewise */
long sbi_hart_start(uint64_t hartid, uint64_t start, uint64_t opaque);
void sbi_shutdown(bool failure) __attribute__((noreturn));
void sbi_reboot(void) __attribute__((noreturn));

uint64_t time_ns(void); /* since boot. A */
void calendar_init(void);
uint64_t utc_ns(void), tai_ns(void); /* since 1970. A */
/* The hart is the one that runs, with interrupts off. */
void timer_next_tick(unsigned hart);
/* For the BPF programs' next timer: time_ns(), UINT64_MAX: none. A */
void timer_arm(unsigned hart, uint64_t ns);
bool timer_interrupt(unsigned hart); /* was it the scheduler's tick? */
extern uint64_t timebase;

void plic_init(uint64_t hartid);
unsigned plic_claim(uint64_t hartid);
void plic_complete(uint64_t hartid, unsigned irq);

/* What the device tree says. */
struct machine {
    uint64_t ram_start, ram_end;
    uint64_t initrd_start, initrd_end; /* physical; 0: none */
    uint64_t fdt_start, fdt_end;
    uint64_t hartids[MAX_HARTS];
    unsigned harts;
    uint64_t seed;
    uint32_t isa; /* EBPF_ISA_*: what all harts have */
    char bootargs[PATH_SIZE];
};
extern struct machine machine;
void fdt_read(uint64_t fdt_phys);

static inline uint64_t timespec_ns(const struct timespec *ts)
{
    return (uint64_t)MIN(ts->tv_sec, 1l << 33) * NSEC_PER_SEC + (uint64_t)ts->tv_nsec;
}

/* ---- page.c ---------------------------------------------------------------------------------- */

void page_init(void);
void *pages_alloc(unsigned order); /* 2^order pages, contents undefined; NULL */
void pages_free(void *pages, unsigned order);
void *page_alloc_zeroed(void);
size_t pages_available(void);
void *kmalloc(size_t size); /* aligned to 16 at least; NULL */
void kfree(void *ptr, size_t size);
size_t kmalloc_used(void); /* bytes that were asked for and not freed */

/* ---- vm.c ------------------------------------------------------------------------------------ */

/* The user half of an address space. Only the process's own thread changes it. */
struct mapping;
struct mm {
    pte_t *root;
    struct mapping *mappings; /* of files; mmap.c */
    uint64_t brk_start, brk;  /* the heap */
    uint64_t mmap_top;        /* mmap() hands out below this */
};
#define USER_STACK_TOP 0x3ffffff000
#define USER_STACK_SIZE (32 * PAGE_SIZE)
#define USER_MMAP_TOP 0x3f00000000
#define USER_BRK_MAX 0x2000000000

extern uint64_t kernel_satp;
void vm_init(void);
int vm_map_stack(uint64_t va); /* one page of the stack area */
/* Writes len bytes of kernel text; fence.i has run on every hart on return. */
int text_poke(void *dst, const void *src, size_t len);

uint64_t mm_satp(const struct mm *mm);
int mm_create(struct mm *mm);
void mm_destroy(struct mm *mm);
int mm_copy(struct mm *to, const struct mm *from);
/* zeroed pages; PTE_R, W, X */
int mm_map(struct mm *mm, uint64_t start, uint64_t end, uint64_t prot);
int mm_map_shared(struct mm *mm, uint64_t va, void *page, uint64_t prot);
void mm_unmap(struct mm *mm, uint64_t start, uint64_t end);
/* although it is not current */
int mm_write(struct mm *mm, uint64_t va, const void *src, size_t len);

/* trap.S */
long copy_user_raw(void *dst, const void *src, size_t len);
long copy_kernel_raw(void *dst, const void *src, size_t len);
/* 0 or -EFAULT; never wait. */
int copy_from_user(void *dst, uint64_t src, size_t len);
int copy_to_user(uint64_t dst, const void *src, size_t len);
/* The length without NUL, -EFAULT, or -ENAMETOOLONG if it does not fit. */
long copy_string(char *dst, uint64_t src, size_t size);

/* ---- mmap.c ---------------------------------------------------------------------------------- */

/* For vm.c: all mappings of files into another address space, and their end. */
int mappings_copy(struct mm *to, const struct mm *from);
void mappings_end(struct mm *mm);

long sys_brk(uint64_t end);
long sys_mmap(uint64_t addr, uint64_t len, int prot, int flags, int fd, uint64_t offset);
long sys_munmap(uint64_t addr, uint64_t len);

/* ---- initramfs.c ----------------------------------------------------------------------------- */

/* A file in the cpio archive; all pointers lead into it. */
struct node {
    const char *name; /* without a leading slash; "" is the root */
    size_t name_len;
    uint32_t mode, ino;
    const char *data;
    uint64_t size;
};
void initramfs_init(void);
int initramfs_find(char *path, struct node *out);        /* normalizes path in place. 0, -ENOENT */
bool initramfs_next(uint64_t *cursor, struct node *out); /* all files, from *cursor = 0 */
bool node_is_child(const struct node *dir, const struct node *node, const char **name);

/* ---- file.c, pipe.c, sys_file.c -------------------------------------------------------------- */

struct file;
struct pipe;

struct file_ops {
    long (*read)(struct file *f, uint64_t buf, size_t len);
    long (*write)(struct file *f, uint64_t buf, size_t len);
    void (*release)(struct file *f); /* T */
    /* POLL* bits of what is possible without waiting; NULL: always everything. Interrupts are off
     * and poll_lock is held; poll_wake(f->source) tells when it may have changed. */
    uint32_t (*poll)(struct file *f);
    /* as ebpf_obj_mmap(); NULL: cannot be mapped */
    int (*mmap)(struct file *f, uint64_t offset, size_t size, bool write, struct ebpf_mmap *out);
    long (*ioctl)(struct file *f, uint32_t cmd, uint64_t arg);
};

struct file {
    const struct file_ops *ops;
    uint32_t refs;
    int flags;     /* O_* of open */
    uint32_t mode; /* S_IF* */
    uint64_t pos;
    bool watched; /* an epoll item names it; poll_lock */
    struct node node;
    union {
        void *source; /* for poll_wake(): whichever it is */
        struct pipe *pipe;
        struct ebpf_obj *obj;
        int tid; /* of a pidfd */
    };
};

struct fd_table {
    struct file *file[MAX_FILES];
    uint64_t cloexec; /* bit per fd */
};

struct file *file_alloc(const struct file_ops *ops, int flags, uint32_t mode); /* one reference */
void file_get(struct file *f);
void file_put(struct file *f);
struct file *fd_file(int fd); /* the current process's, no reference added; NULL */
/* takes over the reference if it succeeds; -EMFILE */
int fd_install(struct file *f, int lowest, int flags);
void fds_close(struct fd_table *fds, uint64_t which);
void fds_copy(struct fd_table *to, const struct fd_table *from);
int file_open(char *path, int flags, struct file **out);

long sys_openat(int dfd, uint64_t path, int flags, int mode);
long sys_close(int fd);
long sys_read(int fd, uint64_t buf, size_t len);
long sys_write(int fd, uint64_t buf, size_t len);
long sys_writev(int fd, uint64_t iov, int count);
long sys_lseek(int fd, int64_t offset, int whence);
long sys_fstat(int fd, uint64_t out);
long sys_newfstatat(int dfd, uint64_t path, uint64_t out, int flags);
long sys_getdents64(int fd, uint64_t buf, size_t len);
long sys_dup(int fd);
long sys_dup3(int from, int to, int flags);
long sys_ioctl(int fd, uint32_t cmd, uint64_t arg);
long sys_pipe2(uint64_t fds, int flags);

/* ---- poll.c ---------------------------------------------------------------------------------- */

void poll_wake(const void *source); /* A, even in the middle of a BPF program */
bool poll_interrupt(void);          /* false: the software interrupt was not poll_wake()'s */
void poll_forget(struct file *f);   /* that is being closed */

long sys_ppoll(uint64_t fds, unsigned count, uint64_t timeout);
long sys_epoll_create1(int flags);
long sys_epoll_ctl(int epfd, int op, int fd, uint64_t event);
long sys_epoll_pwait(int epfd, uint64_t events, int max, int timeout);

/* ---- proc.c, exec.c, syscall.c --------------------------------------------------------------- */

struct process {
    int pid;
    struct process *parent; /* proc_lock */
    struct process *next;   /* all processes; proc_lock */
    struct thread *thread;
    struct mm mm;
    struct fd_table fds;
    uint32_t uid, gid;
    int status;  /* as wait4() shows it */
    int signal;  /* that kill() sent, the first one */
    bool zombie; /* proc_lock */
    struct wait_queue child_exit;
};

/* The strings that a program starts with, packed NUL-terminated: argc of arguments, then envc of
 * environment. */
struct exec_args {
    char *text; /* EXEC_ARGS_SIZE */
    size_t used;
    int argc, envc;
};
int exec_args_init(struct exec_args *args); /* 0, -ENOMEM */
void exec_args_free(struct exec_args *args);
int exec_args_add(struct exec_args *args, const char *word); /* 0, -E2BIG; the caller counts */
#define EXEC_ARGS_ORDER 3
#define EXEC_ARGS_MAX 1024
#define EXEC_ARGS_SIZE ((size_t)PAGE_SIZE << EXEC_ARGS_ORDER)
/* Replaces the current process's program; it goes on at the entry point when it returns to user
 * mode. */
int exec_load(char *path, const struct exec_args *args);

void proc_start_init(const char *path, struct exec_args *args); /* takes over args */
void proc_exit(int status) __attribute__((noreturn));
long sys_clone(uint64_t flags, uint64_t stack, uint64_t ptid, uint64_t tls, uint64_t ctid);
long sys_execve(uint64_t path, uint64_t argv, uint64_t envp);
long sys_wait4(int pid, uint64_t status, int options, uint64_t rusage);
long sys_getppid(void);
long sys_kill(int pid, int sig);
int kill_current(int sig);
long sys_pidfd_open(int pid, unsigned flags);
int pidfd_tid(int fd); /* the number of the thread it stands for; -EBADF */

long syscall_dispatch(long nr, const uint64_t *a);
uint32_t random32(void);

/* ---- stack.c --------------------------------------------------------------------------------- */

/* Program counters, as ebpf_os_stack() wants them. A */
unsigned kernel_stack(const struct ebpf_regs *regs, unsigned skip, uint64_t *pcs, unsigned max);
unsigned user_stack(unsigned skip, uint64_t *pcs, unsigned max);

/* ---- os_port.c, selftest.c ------------------------------------------------------------------- */

int os_port_init(void);
void counters_tell(struct cpu *cpu);
int selftest_run(const char *name); /* 0: passed */

/* ---- kernel.ld ------------------------------------------------------------------------------- */

extern char __kernel_start[], __kernel_end[], __text_end[], __rodata_end[];
extern char __trap_text_start[], __trap_text_end[], __code_start[], __code_end[];
extern void _start_secondary(void);

#endif /* DEMO_KERNEL_H */
