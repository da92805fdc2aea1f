/* SPDX-License-Identifier: MIT */
/*
 * The hooks: what a kernel gives the library. This is the only header that a port must read.
 *
 * A hook is an ordinary function that the kernel defines under the name below; the linker binds it.
 * Put ALL hooks of a port in ONE object file: a weak default in the library's archive silently wins
 * over a hook that sits in another archive member which nothing else pulls in.
 *
 * Two contexts are named throughout the library:
 *   T  task: a thread or a system call, interrupts on. May allocate and may wait.
 *   A  any: T, or a trap or interrupt handler, or a place with interrupts off. Never allocates,
 *   never waits,
 *      never takes a lock that T code holds with interrupts on.
 * A hook marked A may be called while a probe is being handled: keep it short. A probe on a
 * function that such a hook calls is safe (the nested hit is counted as missed); the hooks
 * themselves refuse probes.
 *
 * Mandatory: ebpf_os_alloc and ebpf_os_free (or ebpf_heap_add, below), ebpf_os_irq_save,
 * ebpf_os_irq_restore, ebpf_os_time_ns, ebpf_os_console. Every other hook has a weak default, named
 * in its comment, that is safe or fails loudly and never pretends.
 */
#ifndef EBPF_OS_H
#define EBPF_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ebpf_obj;

/* ---- memory ---------------------------------------------------------------------------------- */

/*
 * Returns size bytes (never 0), aligned to 16, contents undefined, or NULL when there is no memory;
 * NULL is an ordinary answer and becomes -ENOMEM. The memory must be accessible from every hart and
 * in A context. T. Default: takes it from the regions given to ebpf_heap_add(); NULL if there is
 * none.
 */
void *ebpf_os_alloc(size_t size);

/* Takes back what ebpf_os_alloc() returned; size is what was asked for then, ptr is never NULL.
 * T. */
void ebpf_os_free(void *ptr, size_t size);

/*
 * For a kernel that has only pages: gives the library [mem, mem+size) for good, to serve its
 * allocations from (a first-fit heap with sized frees). May be called again to add more. Not needed
 * when the kernel defines ebpf_os_alloc and ebpf_os_free. Regions smaller than 64 bytes are
 * ignored. T; the library owns mem from then on.
 */
void ebpf_heap_add(void *mem, size_t size);

/* ---- interrupts, harts, time ----------------------------------------------------------------- */

/* Turns interrupts off on this hart and returns what ebpf_os_irq_restore() needs to bring back the
 * state from before. Calls nest. With interrupts off the caller is not preempted and stays on its
 * hart. A. */
unsigned long ebpf_os_irq_save(void);
void ebpf_os_irq_restore(unsigned long state);

/* This hart's number, 0 <= id < ebpf_os_cpu_count(). Called first thing at each probe hit, before
 * the library can know whether it is being re-entered: read a register or a per-hart variable, call
 * nothing. A. Default: 0. */
unsigned ebpf_os_cpu_id(void);

/* How many harts may ever run (Linux's "possible CPUs"): constant from before ebpf_init(), at most
 * EBPF_CONFIG_MAX_CPUS. A. Default: 1. */
unsigned ebpf_os_cpu_count(void);

/* Nanoseconds since boot; never goes back, on any hart. A. */
uint64_t ebpf_os_time_ns(void);

/* Nanoseconds of International Atomic Time since 1970 (Linux's CLOCK_TAI). A. Default: 0, for
 * "unknown"; programs that ask for it are refused. */
uint64_t ebpf_os_time_tai_ns(void);

/*
 * Timers of programs (bpf_timer_start()): call ebpf_timer_run() on this hart, soon after
 * ebpf_os_time_ns() has reached ns, which may be in the past. Only the last call on each hart
 * counts; UINT64_MAX: nothing is waiting. Calls that come too early, or that nobody asked for, do
 * no harm, so that a kernel with a periodic tick of sufficient rate may call it at each tick and leave
 * this at "return 0". A, interrupts off; must not call ebpf_timer_run() itself. 0. Default:
 * -EOPNOTSUPP; programs that ask for timers are refused.
 */
int ebpf_os_timer_arm(uint64_t ns);

/* Runs the functions of those timers of this hart whose time has come, up to 64, and calls
 * ebpf_os_timer_arm() for the next one. Best called by the handler of the timer interrupt, but not
 * from inside a hook, and not with a lock held that another hook takes. A. */
void ebpf_timer_run(void);

/* Gives the processor to others for a moment: called in a loop while waiting for another hart or
 * thread. T. Default: the `pause` hint, so that waiting spins; right for kernels that never switch
 * threads in the kernel. */
void ebpf_os_yield(void);

/* 32 random bits; quality decides how hard hash collisions are to force. A. Default: a mix of the
 * time and a counter, good enough for tests only. */
uint32_t ebpf_os_random(void);

/* ---- console --------------------------------------------------------------------------------- */

/* Shows one finished line (NUL-terminated, no newline at its end) to a person. A: may be called
 * from a probe. */
void ebpf_os_console(const char *line);

/* Where bpf_trace_printk() goes: len bytes of text, NUL-terminated behind them, usually ending in
 * '\n'. A. Default: ebpf_os_console() without the newline. */
void ebpf_os_trace(const char *text, size_t len);

/* ---- the current thread ---------------------------------------------------------------------- */

struct ebpf_task {
    uint32_t pid;  /* the thread's number: Linux's gettid() */
    uint32_t tgid; /* the process's number: Linux's getpid() */
    uint32_t uid, gid;
    char comm[16]; /* name, NUL-terminated */
};

/* Describes the thread that runs on this hart, or was interrupted on it. *out is zeroed before the
 * call. A. Default: leaves the zeros. */
void ebpf_os_current(struct ebpf_task *out);

/*
 * Tasks as numbers, for storage that belongs to them (BPF_MAP_TYPE_TASK_STORAGE): the address of
 * the kernel's struct is fine; never 0, and not used again for another task before ebpf_task_exit()
 * has returned. Define all three hooks or none.
 * current: the task that runs on this hart, or was interrupted on it; 0: none. A. Default: 0.
 * get: the task that a pidfd of the current process stands for, which does not end before put: 0,
 * -EBADF (fd is no pidfd), -ENOENT (its task has ended). T. Default: -EOPNOTSUPP; programs that ask
 * for task storage are refused.
 */
uintptr_t ebpf_os_task_current(void);
int ebpf_os_task_get(int pidfd, uintptr_t *task);
void ebpf_os_task_put(uintptr_t task);

/* The end of a task: the kernel calls it when the task does not run any more and no pidfd finds it.
 * Its storage is freed. T. */
void ebpf_task_exit(uintptr_t task);

/* Lays memory by for programs, as far as they have used up what there was, and frees what they have
 * given up (programs that only a timer had held). Every command of bpf(2) on such a map does this;
 * a kernel whose programs make storage for many tasks (more than EBPF_CONFIG_TASK_RESERVE between two
 * commands) calls it, e.g. when it makes a task. T. */
void ebpf_refill(void);

/*
 * Sends signal sig (1 to 64) to the current process, or with thread to the current thread: best
 * when the processor is about to return to user mode. sig 0: sends nothing and only says whether
 * this kernel can. 0, -EPERM (no process, or one that must not get any), -EINVAL, -EBUSY (too many
 * on their way). A: must not wait. Default: -EOPNOTSUPP; programs that send signals are refused.
 */
int ebpf_os_send_signal(uint32_t sig, bool thread);

struct ebpf_regs;
/*
 * A walk up the stack: the program counters of the code that regs describes, the innermost first:
 * its own pc, then return addresses. regs NULL: what this call was made from, or with user the
 * state that user mode will go on with. user: the current process's frames, whose memory is read
 * without waiting; else the kernel's. The first skip are left out. At most max to pcs; returns how
 * many, 0 where there is no such stack. With max 0: 1 if this kernel can walk stacks at all. A.
 * Default: 0; programs that ask for stacks are refused.
 */
unsigned ebpf_os_stack(const struct ebpf_regs *regs, bool user, unsigned skip, uint64_t *pcs,
                       unsigned max);

/*
 * Where the current process's code at pc comes from, for user stacks with build ids: the build id
 * (of the file's NT_GNU_BUILD_ID note, shorter ones filled up with zeros) and pc's offset in the
 * file that is mapped there. 0, or -ENOENT (no file, or one without a note): the stack has pc
 * instead. A: must not wait. Default: -ENOENT.
 */
int ebpf_os_build_id(uint64_t pc, uint8_t id[20], uint64_t *offset);

/*
 * A free-running 64-bit counter of hart cpu, for events of perf_event_open(2) (<ebpf/perf.h> has
 * the numbers) that programs and user mode read: the library takes differences. type
 * PERF_TYPE_HARDWARE, config PERF_COUNT_HW_CPU_CYCLES and _INSTRUCTIONS: the CSRs cycle and
 * instret; software events that the kernel counts, such as context switches; any other type as the
 * kernel likes. PERF_COUNT_SW_CPU_CLOCK, _TASK_CLOCK, _DUMMY and _BPF_OUTPUT are the library's own.
 * 0 and *value, -ENOENT (no such event here), -EOPNOTSUPP (not of another hart). Of this hart: A.
 * Of another: T; may interrupt that hart and wait. Default: -ENOENT.
 */
int ebpf_os_perf_counter(unsigned cpu, uint32_t type, uint64_t config, uint64_t *value);

/* ---- other people's memory ------------------------------------------------------------------- */

/*
 * Copy between the library's memory and the current process's user addresses. The whole user range
 * must be checked: below the user limit, no wrap-around, mapped (or made so), writable for copy_to.
 * Returns 0 or -EFAULT; after -EFAULT an unspecified part may have been copied. T: may fault pages
 * in. Default: -EOPNOTSUPP, which makes ebpf_bpf() usable for kernel callers only.
 */
int ebpf_os_copy_from_user(void *dst, uint64_t src, size_t len);
int ebpf_os_copy_to_user(uint64_t dst, const void *src, size_t len);

/*
 * Reads len bytes at any address whatever, for bpf_probe_read_*(): user says whose address it is
 * (user: the current process's; !user: the kernel's, and a user address must be refused). Must
 * survive every address: returns -EFAULT where it cannot be read, 0 otherwise. A: must not wait, so
 * a page that is not present fails. Default: -EFAULT.
 */
int ebpf_os_probe_read(void *dst, uint64_t src, size_t len, bool user);

/* Writes len bytes to the current process's memory, for bpf_probe_write_user(), which needs
 * EBPF_CAP_SYS_ADMIN; with len 0 only says whether this kernel can. 0, -EPERM (no process),
 * -EFAULT. A: must not wait, so a page that is not present, or not writable right now, fails.
 * Default: -EOPNOTSUPP; programs that ask for it are refused. */
int ebpf_os_probe_write(uint64_t dst, const void *src, size_t len);

/* ---- waking ---------------------------------------------------------------------------------- */

/* ebpf_obj_poll(obj) may have something new to say: a ring buffer (obj: a map) or a perf event has
 * something for a consumer that had read everything, or a ring buffer of user mode has room. Wake
 * who waits for it, e.g. in poll(2). A, in the middle of a program: must not wait, best sets a
 * flag. Default: nothing, so that consumers have to look. */
void ebpf_os_wake(struct ebpf_obj *obj);

/* What poll(2) answers for obj, as Linux's poll bits (POLLIN 0x1, POLLOUT 0x4, POLLERR 0x8, POLLHUP
 * 0x10, POLLRDNORM 0x40, POLLWRNORM 0x100). The library calls ebpf_os_wake(obj) whenever one of
 * them comes up, and for each new record while the consumer is waiting: edges for epoll(7). A */
uint32_t ebpf_obj_poll(struct ebpf_obj *obj);

/* ---- mmap(2) --------------------------------------------------------------------------------- */

/* A shared mapping of an object into an address space: filled in by ebpf_obj_mmap(). */
struct ebpf_mmap {
    struct ebpf_obj *obj; /* one reference */
    uint64_t offset;
    size_t size;
    bool write; /* the pages may be made writable, now or by mprotect(2); else never */
};

/*
 * mmap(2) on a file that stands for obj: may [offset, offset + size) be mapped, MAP_SHARED, for
 * reading and, if write, for writing? offset and size are multiples of 4096; never executable.
 * On 0 the kernel maps the pages of ebpf_mmap_page() one by one, and calls ebpf_mmap_close() when
 * the mapping goes; a copy of it in another address space (fork), or a half of it, is a mapping of
 * its own by another ebpf_obj_mmap().
 * Errors as Linux's: -ENOTSUPP (an object without pages, or a map with locks or timers), -EINVAL
 * (outside, or a size that makes no sense), -EPERM (frozen, or not this part), -EACCES (RDONLY,
 * WRONLY and RDONLY_PROG maps), -ENOMEM. T.
 */
int ebpf_obj_mmap(struct ebpf_obj *obj, uint64_t offset, size_t size, bool write,
                  struct ebpf_mmap *out);
/* The kernel's address of 4096 bytes, aligned to 4096: page number n < size / 4096 of the mapping.
 * The same page may be there twice (ring buffers). A */
void *ebpf_mmap_page(const struct ebpf_mmap *mapping, size_t n);
void ebpf_mmap_close(struct ebpf_mmap *mapping); /* T */

/* ---- code ------------------------------------------------------------------------------------ */

/*
 * Memory that the harts can execute and nothing but ebpf_os_text_write() writes: read and execute
 * permission, size rounded up as the kernel likes (pages), aligned to 16. Near the kernel's text
 * (within 1 MiB) makes probe slots faster; within 2 GiB of it is needed for direct calls. NULL:
 * none left. T. Default: NULL; no JIT (the interpreter runs) and kprobes refuse instructions that
 * need a slot.
 */
void *ebpf_os_code_alloc(size_t size);
void ebpf_os_code_free(void *ptr, size_t size); /* T; same size as asked for */

/*
 * Copies len bytes to dst, which lies in kernel text or in memory of ebpf_os_code_alloc(), then
 * makes sure that every hart executes the new bytes: fence.i on all of them has completed when the
 * call returns. A write of 2 or of 4 bytes to an address aligned to its length must be one single
 * store: other harts may be executing there. Returns 0, or -EFAULT where dst is not text. T,
 * interrupts on; the library never calls it with a spin lock held. Default: -EOPNOTSUPP; no JIT,
 * kprobes refuse.
 */
int ebpf_os_text_write(void *dst, const void *src, size_t len);

/*
 * Which extensions of RV64IMAC every hart has: a mask of EBPF_ISA_*, e.g. from "riscv,isa" in the
 * device tree. Constant; a bit that is set although a hart lacks the extension makes programs trap
 * there. For the JIT, but for the last one: without it the verifier refuses misaligned loads and
 * stores, as Linux does on RISC-V. T. Default: 0.
 */
#define EBPF_ISA_ZBA 1u    /* address generation */
#define EBPF_ISA_ZBB 2u    /* rotations, bytes, extensions */
#define EBPF_ISA_ZBS 4u    /* single bits */
#define EBPF_ISA_ZICOND 8u /* conditional zero */
#define EBPF_ISA_ZACAS 16u /* compare and swap */
#define EBPF_ISA_ZICCLSM 32u /* misaligned loads and stores of main memory, however slow */
uint32_t ebpf_os_isa(void);

/* ---- symbols --------------------------------------------------------------------------------- */

struct ebpf_symbol {
    uint64_t addr; /* of the function's first byte */
    uint64_t size; /* bytes up to the next function at most; never 0 */
    char name[128];
};

/* The kernel's function called name, or the one that addr lies in: 0 and *out filled, -ENOENT. T.
 * Defaults: the table that tools/ksymgen linked in; -ENOENT when there is none. Kprobes need
 * ebpf_os_symbol_at() to find instruction boundaries. */
int ebpf_os_symbol(const char *name, struct ebpf_symbol *out);
int ebpf_os_symbol_at(uint64_t addr, struct ebpf_symbol *out);

/* ---- file descriptors ------------------------------------------------------------------------ */

/* Maps, programs and links are reference-counted objects; a file of the kernel stands for one of
 * them. */
void ebpf_obj_get(struct ebpf_obj *obj); /* one more reference. A */
/* one less; the last one frees, after a grace period. T */
void ebpf_obj_put(struct ebpf_obj *obj);
/* as Linux's anon_inode: "bpf-map", "bpf-prog", "bpf-link", "btf", "[perf_event]". A */
const char *ebpf_obj_kind(const struct ebpf_obj *obj);

/*
 * A kernel with files makes an fd of the current process that stands for obj: install returns its
 * number or -EMFILE/-ENOMEM, and owns the caller's reference of obj from then on only if it
 * succeeds; the file's last close calls ebpf_obj_put(obj) in T. get returns 0 and the object behind
 * fd with a reference of its own added in *obj;
 * -EBADF when fd is not open, -EINVAL when it is something else. T. Define both hooks or none.
 * Defaults: a small table in the library, numbered from EBPF_CONFIG_FD_BASE, where an fd belongs to
 * the process (tgid) that made it and is not inherited; such a kernel calls the two functions
 * below.
 */
int ebpf_os_fd_install(struct ebpf_obj *obj);
int ebpf_os_fd_get(int fd, struct ebpf_obj **obj);

/* For kernels that use the library's table: close(2) calls the first (0, or -EBADF: not one of the
 * library's, or another process's), the end of a process the second. T. */
int ebpf_fd_close(int fd);
void ebpf_fd_exit(uint32_t tgid);

#endif /* EBPF_OS_H */
