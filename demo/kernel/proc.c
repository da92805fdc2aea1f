/* SPDX-License-Identifier: MIT */
/*
 * Processes: fork, exit, wait, kill. A process has one thread; its number is the thread's.
 *
 * proc_lock protects the list of processes, who is whose parent, and who is a zombie. An exiting
 * process frees all it can by itself; the parent's wait4() frees the rest, which is the thread and
 * its stack. Orphans go to process 1, which is the first one started.
 */
#include "kernel.h"

static struct spinlock proc_lock;
static struct process *processes, *init_process;

static void return_to_user(void *arg)
{
    (void)arg;
    irq_disable();
    trap_return(user_frame(current));
}

/* A process with a thread that does not run yet; nobody knows it until proc_publish(). */
static struct process *proc_alloc(void (*start)(void *arg), void *arg)
{
    struct process *p = kmalloc(sizeof(*p));

    if (!p)
        return NULL;
    memset(p, 0, sizeof(*p));
    p->thread = thread_alloc("", start, arg);
    if (!p->thread) {
        kfree(p, sizeof(*p));
        return NULL;
    }
    p->thread->proc = p;
    p->thread->context.sp = (uint64_t)user_frame(p->thread); /* the stack begins below the frame */
    p->pid = p->thread->tid;
    return p;
}

static int proc_publish(struct process *p, struct process *parent)
{
    unsigned long irq = spin_lock(&proc_lock);
    int pid = p->pid; /* once it runs, p may end at any time */

    p->parent = parent;
    p->next = processes;
    processes = p;
    thread_start(p->thread);
    spin_unlock(&proc_lock, irq);
    return pid;
}

/* ---- the first process ----------------------------------------------------------------------- */

struct init_job {
    char path[PATH_SIZE];
    struct exec_args args;
};
static struct init_job init_job;

static void init_main(void *arg)
{
    struct init_job *job = arg;
    char console[] = "/dev/console";
    struct file *f;
    int err = exec_load(job->path, &job->args);

    exec_args_free(&job->args);
    if (err)
        panic("cannot execute %s: error %d", job->path, -err);
    for (int fd = 0; fd < 3; fd++)
        if (file_open(console, O_RDWR, &f) || fd_install(f, 0, 0) != fd)
            panic("no /dev/console in the initramfs");
    return_to_user(NULL);
}

void proc_start_init(const char *path, struct exec_args *args)
{
    strcopy(init_job.path, path, sizeof(init_job.path));
    init_job.args = *args;
    init_process = proc_alloc(init_main, &init_job);
    if (!init_process)
        panic("no memory for the first process");
    init_process->pid = init_process->thread->tid = 1;
    proc_publish(init_process, init_process);
}

/* ---- fork ------------------------------------------------------------------------------------ */

/*
 * clone(2) as fork() and vfork() use it: the child gets a copy of the memory in every case.
 * CLONE_VM with CLONE_VFORK is accepted for what follows, an execve(); threads are not.
 */
long sys_clone(uint64_t flags, uint64_t stack, uint64_t ptid, uint64_t tls, uint64_t ctid)
{
    const uint64_t known = 0xff | CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID |
                           CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    struct process *me = current->proc, *p;
    struct trap_frame *frame;
    int err;
    (void)tls;

    if ((flags & ~known) || ((flags & CLONE_VM) && !(flags & CLONE_VFORK)))
        return -EINVAL;
    p = proc_alloc(return_to_user, NULL);
    if (!p)
        return -EAGAIN;
    err = mm_copy(&p->mm, &me->mm);
    if (err) {
        thread_discard(p->thread);
        kfree(p, sizeof(*p));
        return err;
    }
    p->uid = me->uid;
    p->gid = me->gid;
    fds_copy(&p->fds, &me->fds);
    strcopy(p->thread->comm, current->comm, sizeof(p->thread->comm));
    p->thread->satp = mm_satp(&p->mm);
    frame = user_frame(p->thread);
    *frame = *user_frame(current);
    frame->regs.x[REG_A0] = 0;
    if (stack)
        frame->regs.x[REG_SP] = stack;
    if ((flags & CLONE_CHILD_SETTID) && ctid < USER_END)
        mm_write(&p->mm, ctid, &p->pid, sizeof(p->pid));
    if (flags & CLONE_PARENT_SETTID)
        copy_to_user(ptid, &p->pid, sizeof(p->pid)); /* as Linux: an error is the caller's own */
    return proc_publish(p, me);
}

/* ---- exit and wait --------------------------------------------------------------------------- */

static void leave_memory(struct process *p)
{
    unsigned long irq = irq_save();

    current->satp = kernel_satp;
    csr_write(satp, kernel_satp);
    sfence_vma();
    irq_restore(irq);
    mm_destroy(&p->mm);
}

void proc_exit(int status)
{
    struct process *p = current->proc;
    unsigned long irq;

    if (p == init_process) {
        stack_report();
        printk("init ended: exit status %d, signal %d\n", status >> 8, status & 0x7f);
        sbi_shutdown(status != 0);
    }
    fds_close(&p->fds, ~0ul);
    leave_memory(p);
    irq = spin_lock(&proc_lock);
    for (struct process *c = processes; c; c = c->next) {
        if (c->parent == p) {
            c->parent = init_process;
            wake_all(&init_process->child_exit);
        }
    }
    p->status = status;
    p->zombie = true;
    wake_all(&p->parent->child_exit);
    spin_unlock(&proc_lock, irq);
    thread_exit();
}

/* With proc_lock: a child of parent that pid means; one that has ended if there is one. */
static struct process *find_child(struct process *parent, int pid)
{
    struct process *found = NULL;

    for (struct process *p = processes; p; p = p->next) {
        if (p->parent != parent || p == parent || (pid > 0 && p->pid != pid))
            continue;
        found = p;
        if (p->zombie)
            break;
    }
    return found;
}

static void unlink_process(struct process *p)
{
    struct process **at = &processes;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
}

long sys_wait4(int pid, uint64_t status, int options, uint64_t rusage)
{
    struct process *me = current->proc, *child;
    unsigned long irq;
    uint64_t zero[18] = {0}; /* struct rusage */
    long result;

    if (options & ~WNOHANG)
        return -EINVAL;
    if (pid < -1 || pid == 0)
        return -ECHILD; /* there are no process groups */
    irq = spin_lock(&proc_lock);
    for (;;) {
        child = find_child(me, pid);
        result = !child              ? -ECHILD
                 : child->zombie     ? child->pid
                 : options & WNOHANG ? 0
                 : current->killed   ? -EINTR
                                     : 1;
        if (result != 1)
            break;
        wait_on(&me->child_exit, &proc_lock, 0);
    }
    if (result > 0)
        unlink_process(child);
    spin_unlock(&proc_lock, irq);
    if (result <= 0)
        return result;
    if ((status && copy_to_user(status, &child->status, sizeof(child->status))) ||
        (rusage && copy_to_user(rusage, zero, sizeof(zero))))
        result = -EFAULT;
    thread_free(child->thread);
    kfree(child, sizeof(*child));
    return result;
}

long sys_getppid(void)
{
    struct process *me = current->proc;
    unsigned long irq = spin_lock(&proc_lock); /* a parent that ends now is replaced, then freed */
    int pid = me->parent == me ? 0 : me->parent->pid;

    spin_unlock(&proc_lock, irq);
    return pid;
}

/* ---- pidfd ----------------------------------------------------------------------------------- */

/* A pidfd is a number: threads' numbers are not used again, so it means one thread for ever. */
static const struct file_ops pidfd_ops = {.read = NULL};

int pidfd_tid(int fd)
{
    struct file *f = fd_file(fd);

    return f && f->ops == &pidfd_ops ? f->tid : -EBADF;
}

long sys_pidfd_open(int pid, unsigned flags)
{
    struct thread *t = pid > 0 ? thread_get(pid) : NULL;
    struct file *f;
    int fd;

    if (t)
        thread_put(t);
    if (flags || pid <= 0 || !t)
        return flags || pid <= 0 ? -EINVAL : -ESRCH;
    f = file_alloc(&pidfd_ops, O_RDWR, 0600);
    if (!f)
        return -ENOMEM;
    f->tid = pid;
    fd = fd_install(f, 0, O_CLOEXEC);
    if (fd < 0)
        file_put(f);
    return fd;
}

/* ---- kill ------------------------------------------------------------------------------------ */

/* There are no handlers, so a signal either ends the process or does nothing. Only those that mean
 * to end it are taken; process 1 is spared, as on Linux. */
static bool ends_process(int sig)
{
    return sig == SIGKILL || sig == SIGTERM || sig == SIGINT || sig == SIGHUP;
}

/* To the current process. A: takes no lock, for the interrupted code may hold it. The process ends
 * on its way to user mode; if it blocks before, sched_tick() wakes it. */
int kill_current(int sig)
{
    struct process *p = current->proc;
    int none = 0;

    if (sig && !ends_process(sig))
        return -EINVAL;
    if (!p || p == init_process)
        return -EPERM;
    if (sig && __atomic_compare_exchange_n(&p->signal, &none, sig, false, __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED))
        __atomic_store_n(&current->killed, true, __ATOMIC_RELAXED);
    return 0;
}

long sys_kill(int pid, int sig)
{
    struct process *p;
    unsigned long irq;
    long result = -ESRCH;

    if (sig && !ends_process(sig))
        return -EINVAL;
    irq = spin_lock(&proc_lock);
    for (p = processes; p && p->pid != pid; p = p->next)
        ;
    if (p && current->proc->uid != 0 && p->uid != current->proc->uid) {
        result = -EPERM;
    } else if (p) {
        result = 0;
        if (sig && !p->zombie && p != init_process && !p->signal) {
            p->signal = sig;
            thread_kill(p->thread);
        }
    }
    spin_unlock(&proc_lock, irq);
    return result;
}
