/* SPDX-License-Identifier: MIT */
/*
 * The port: every hook of <ebpf/os.h> that this kernel gives the library, and nothing else. What is
 * not here (symbols) is the library's default, which reads the table that tools/ksymgen links in.
 */
#include <ebpf/ebpf.h>
#include <ebpf/os.h>
#include <ebpf/perf.h>

#include "kernel.h"

int os_port_init(void)
{
    int err = ebpf_init();

    /* Boot code and trap entry: what runs before a breakpoint gets to the library. */
    return err ? err : ebpf_kprobe_exclude((uint64_t)__kernel_start, (uint64_t)__trap_text_end);
}

/* ---- memory ---------------------------------------------------------------------------------- */

void *ebpf_os_alloc(size_t size)
{
    return kmalloc(size);
}

void ebpf_os_free(void *ptr, size_t size)
{
    kfree(ptr, size);
}

/* ---- interrupts, harts, time ----------------------------------------------------------------- */

unsigned long ebpf_os_irq_save(void)
{
    return irq_save();
}

void ebpf_os_irq_restore(unsigned long state)
{
    irq_restore(state);
}

unsigned ebpf_os_cpu_id(void)
{
    return current->cpu->id;
}

uint32_t ebpf_os_isa(void)
{
    return machine.isa;
}

unsigned ebpf_os_cpu_count(void)
{
    return cpu_count;
}

uint64_t ebpf_os_time_ns(void)
{
    return time_ns();
}

uint64_t ebpf_os_time_tai_ns(void)
{
    return tai_ns();
}

int ebpf_os_timer_arm(uint64_t ns)
{
    timer_arm(current->cpu->id, ns);
    return 0;
}

void ebpf_os_yield(void)
{
    schedule();
}

uint32_t ebpf_os_random(void)
{
    return random32();
}

/* ---- console --------------------------------------------------------------------------------- */

void ebpf_os_console(const char *line)
{
    printk("%s\n", line);
}

void ebpf_os_trace(const char *text, size_t len)
{
    console_write(text, len);
}

/* ---- the current thread ---------------------------------------------------------------------- */

void ebpf_os_current(struct ebpf_task *out)
{
    const struct thread *t = current;

    out->pid = out->tgid = (uint32_t)t->tid;
    if (t->proc) {
        out->uid = t->proc->uid;
        out->gid = t->proc->gid;
    }
    strcopy(out->comm, t->comm, sizeof(out->comm));
}

/* A task is a struct thread: thread_free() calls ebpf_task_exit(). */
uintptr_t ebpf_os_task_current(void)
{
    return (uintptr_t)current;
}

int ebpf_os_task_get(int pidfd, uintptr_t *task)
{
    int tid = pidfd_tid(pidfd);

    if (tid < 0)
        return tid;
    *task = (uintptr_t)thread_get(tid);
    return *task ? 0 : -ENOENT;
}

void ebpf_os_task_put(uintptr_t task)
{
    thread_put((struct thread *)task);
}

unsigned ebpf_os_stack(const struct ebpf_regs *regs, bool user, unsigned skip, uint64_t *pcs,
                       unsigned max)
{
    if (max == 0)
        return 1; /* yes, this kernel can */
    return user ? user_stack(skip, pcs, max) : kernel_stack(regs, skip, pcs, max);
}

/* Only what ends a process is known here, and a process has one thread. */
int ebpf_os_send_signal(uint32_t sig, bool thread)
{
    (void)thread;
    return kill_current((int)sig);
}

/* ---- other people's memory ------------------------------------------------------------------- */

int ebpf_os_copy_from_user(void *dst, uint64_t src, size_t len)
{
    return copy_from_user(dst, src, len);
}

int ebpf_os_copy_to_user(uint64_t dst, const void *src, size_t len)
{
    return copy_to_user(dst, src, len);
}

int ebpf_os_probe_read(void *dst, uint64_t src, size_t len, bool user)
{
    if (user)
        return copy_from_user(dst, src, len);
    /* Below the kernel are devices, whose registers change when they are read, and the firmware. */
    if (src < (uint64_t)__kernel_start || len > -src)
        return -EFAULT;
    return (int)copy_kernel_raw(dst, (const void *)src, len);
}

int ebpf_os_probe_write(uint64_t dst, const void *src, size_t len)
{
    if (len && !current->proc)
        return -EPERM;
    return len ? copy_to_user(dst, src, len) : 0;
}

/* ---- counters: a hart reads its own, and tells them where another asks ----------------------- */

void counters_tell(struct cpu *cpu)
{
    cpu->counters[PERF_COUNT_HW_CPU_CYCLES] = csr_read(cycle);
    cpu->counters[PERF_COUNT_HW_INSTRUCTIONS] = csr_read(instret);
    __atomic_store_n(&cpu->counters_asked, false, __ATOMIC_RELEASE);
}

int ebpf_os_perf_counter(unsigned id, uint32_t type, uint64_t config, uint64_t *value)
{
    struct cpu *cpu = &cpus[id];
    unsigned long irq;
    bool here;

    if (type != PERF_TYPE_HARDWARE || config > PERF_COUNT_HW_INSTRUCTIONS)
        return -ENOENT;
    irq = irq_save();
    here = cpu == current->cpu;
    if (here)
        *value = config == PERF_COUNT_HW_CPU_CYCLES ? csr_read(cycle) : csr_read(instret);
    irq_restore(irq);
    if (here)
        return 0;
    __atomic_store_n(&cpu->counters_asked, true, __ATOMIC_RELEASE);
    sbi_send_ipi(cpu->hartid);
    while (__atomic_load_n(&cpu->counters_asked, __ATOMIC_ACQUIRE))
        schedule();
    *value = cpu->counters[config];
    return 0;
}

/* ---- code: the region behind .text, in pieces of 64 bytes ------------------------------------ */

#define PIECE 64
#define PIECES 8192 /* kernel.ld: 512 KiB */

static struct spinlock code_lock;
static uint8_t code_used[PIECES];

void *ebpf_os_code_alloc(size_t size)
{
    size_t want = (size + PIECE - 1) / PIECE, run = 0;
    unsigned long irq = spin_lock(&code_lock);
    void *found = NULL;

    for (size_t i = 0; i < PIECES && want <= PIECES && !found; i++) {
        run = code_used[i] ? 0 : run + 1;
        if (run == want) {
            memset(&code_used[i + 1 - want], 1, want);
            found = __code_start + (i + 1 - want) * PIECE;
        }
    }
    spin_unlock(&code_lock, irq);
    return found;
}

void ebpf_os_code_free(void *ptr, size_t size)
{
    unsigned long irq = spin_lock(&code_lock);

    memset(&code_used[((char *)ptr - __code_start) / PIECE], 0, (size + PIECE - 1) / PIECE);
    spin_unlock(&code_lock, irq);
}

int ebpf_os_text_write(void *dst, const void *src, size_t len)
{
    return text_poke(dst, src, len);
}

/* ---- file descriptors: a kind of file -------------------------------------------------------- */

static void obj_release(struct file *f)
{
    ebpf_obj_put(f->obj);
}

static uint32_t obj_poll(struct file *f)
{
    return ebpf_obj_poll(f->obj);
}

static int obj_mmap(struct file *f, uint64_t offset, size_t size, bool write, struct ebpf_mmap *out)
{
    return ebpf_obj_mmap(f->obj, offset, size, write, out);
}

static const struct ebpf_caller user; /* neither call asks for capabilities */

static long obj_ioctl(struct file *f, uint32_t cmd, uint64_t arg)
{
    return ebpf_perf_event_ioctl(f->obj, cmd, arg, &user);
}

static long obj_read(struct file *f, uint64_t buf, size_t len)
{
    return ebpf_perf_event_read(f->obj, buf, len, &user);
}

static const struct file_ops obj_ops = {.release = obj_release,
                                        .poll = obj_poll,
                                        .mmap = obj_mmap,
                                        .ioctl = obj_ioctl,
                                        .read = obj_read};

/* Somebody may sleep in poll(2) on a file of obj; obj is what poll.c knows the file by. */
void ebpf_os_wake(struct ebpf_obj *obj)
{
    poll_wake(obj);
}

int ebpf_os_fd_install(struct ebpf_obj *obj)
{
    struct file *f = file_alloc(&obj_ops, O_RDWR | O_CLOEXEC, 0600);
    int fd;

    if (!f)
        return -ENOMEM;
    f->obj = obj;
    fd = fd_install(f, 0, f->flags);
    if (fd < 0)
        kfree(f, sizeof(*f)); /* not file_put(): the reference stays the caller's */
    return fd;
}

int ebpf_os_fd_get(int fd, struct ebpf_obj **obj)
{
    struct file *f = fd_file(fd);

    if (!f)
        return -EBADF;
    if (f->ops != &obj_ops)
        return -EINVAL;
    *obj = f->obj;
    ebpf_obj_get(f->obj);
    return 0;
}
