/* SPDX-License-Identifier: MIT */
/* Helpers 8, 14 to 16, 35, 36, 42, 109, 117, 148 and 158: which hart and which task this is, and
 * what can be done to the task. */
#include "helpers/helper.h"
#include "helpers/types.h"
#include "src/base/bits.h"

/* What the kernel says about the thread; a name that fills the field whole is cut. */
static void current_task(struct ebpf_task *task)
{
    memset(task, 0, sizeof(*task));
    ebpf_os_current(task);
    task->comm[sizeof(task->comm) - 1] = 0;
}

EBPF_HELPER_FN(get_smp_processor_id)
{
    return ebpf_os_cpu_id();
}

const struct ebpf_helper ebpf_helper_get_smp_processor_id = {
    .name = "get_smp_processor_id",
    .fn = get_smp_processor_id,
};

EBPF_HELPER_FN(get_current_pid_tgid)
{
    struct ebpf_task task;

    current_task(&task);
    return (uint64_t)task.tgid << 32 | task.pid;
}

const struct ebpf_helper ebpf_helper_get_current_pid_tgid = {
    .name = "get_current_pid_tgid",
    .fn = get_current_pid_tgid,
};

EBPF_HELPER_FN(get_current_uid_gid)
{
    struct ebpf_task task;

    current_task(&task);
    return (uint64_t)task.gid << 32 | task.uid;
}

const struct ebpf_helper ebpf_helper_get_current_uid_gid = {
    .name = "get_current_uid_gid",
    .fn = get_current_uid_gid,
    .types = TRACING_PROGS | CGROUP_PROGS | PROG(SK_MSG),
};

/* r1: buffer, r2: its size. Linux's strscpy_pad(): cut to fit, ended by NUL, the rest zero. */
EBPF_HELPER_FN(get_current_comm)
{
    char *buf = ebpf_reg_ptr(r1);
    size_t size = (uint32_t)r2;
    struct ebpf_task task;

    if (!size)
        return ebpf_reg_int(-EINVAL);
    current_task(&task);
    memset(buf, 0, size);
    memcpy(buf, task.comm, ebpf_min(ebpf_strlen(task.comm), size - 1));
    return 0;
}

const struct ebpf_helper ebpf_helper_get_current_comm = {
    .name = "get_current_comm",
    .fn = get_current_comm,
    .arg = {ARG_MEM_WR, ARG_SIZE},
    .types = TRACING_PROGS | CGROUP_PROGS,
};

/* Kernels that use this library have one node, as a Linux without CONFIG_NUMA. */
EBPF_HELPER_FN(get_numa_node_id)
{
    return 0;
}

const struct ebpf_helper ebpf_helper_get_numa_node_id = {
    .name = "get_numa_node_id",
    .fn = get_numa_node_id,
};

/* ---- the task as an address ---------------------------------------------------------------- */

/* The three hooks are there or none of them. */
static bool tasks_available(void)
{
    uintptr_t task;

    return ebpf_os_task_get(-1, &task) != -EOPNOTSUPP;
}

EBPF_HELPER_FN(get_current_task)
{
    return ebpf_os_task_current();
}

const struct ebpf_helper ebpf_helper_get_current_task = {
    .name = "get_current_task",
    .fn = get_current_task,
    .gpl_only = true,
    .caps = EBPF_CAP_PERFMON,
    .available = tasks_available,
};

/* For helpers that take a task; what is inside is the kernel's own, not Linux's struct. */
const struct ebpf_helper ebpf_helper_get_current_task_btf = {
    .name = "get_current_task_btf",
    .fn = get_current_task,
    .ret = RET_TASK,
    .gpl_only = true,
    .caps = EBPF_CAP_PERFMON,
    .available = tasks_available,
};

/* ---- signals and memory -------------------------------------------------------------------- */

static bool signals_available(void)
{
    return ebpf_os_send_signal(0, false) != -EOPNOTSUPP;
}

static int send(uint64_t sig, bool thread)
{
    return (uint32_t)sig - 1 < 64 ? ebpf_os_send_signal((uint32_t)sig, thread) : -EINVAL;
}

EBPF_HELPER_FN(send_signal)
{
    return ebpf_reg_int(send(r1, false));
}

const struct ebpf_helper ebpf_helper_send_signal = {
    .name = "send_signal",
    .fn = send_signal,
    .arg = {ARG_ANYTHING},
    .types = TRACING_PROGS,
    .available = signals_available,
};

EBPF_HELPER_FN(send_signal_thread)
{
    return ebpf_reg_int(send(r1, true));
}

const struct ebpf_helper ebpf_helper_send_signal_thread = {
    .name = "send_signal_thread",
    .fn = send_signal_thread,
    .arg = {ARG_ANYTHING},
    .types = TRACING_PROGS,
    .available = signals_available,
};

static bool writes_available(void)
{
    return ebpf_os_probe_write(0, NULL, 0) != -EOPNOTSUPP;
}

/* r1: the user's address, r2: source, r3: size */
EBPF_HELPER_FN(probe_write_user)
{
    return ebpf_reg_int(ebpf_os_probe_write(r1, ebpf_reg_ptr(r2), (uint32_t)r3));
}

const struct ebpf_helper ebpf_helper_probe_write_user = {
    .name = "probe_write_user",
    .fn = probe_write_user,
    .arg = {ARG_ANYTHING, ARG_MEM_RD, ARG_SIZE},
    .gpl_only = true,
    .caps = EBPF_CAP_PERFMON | EBPF_CAP_SYS_ADMIN,
    .types = TRACING_PROGS,
    .available = writes_available,
};

/* r1: destination, r2: its size, r3: the user's address. Waits for pages: no program of this build
 * may. */
EBPF_HELPER_FN(copy_from_user)
{
    int err = ebpf_os_copy_from_user(ebpf_reg_ptr(r1), r3, (uint32_t)r2);

    if (err)
        memset(ebpf_reg_ptr(r1), 0, (uint32_t)r2);
    return ebpf_reg_int(err);
}

const struct ebpf_helper ebpf_helper_copy_from_user = {
    .name = "copy_from_user",
    .fn = copy_from_user,
    .arg = {ARG_MEM_WR, ARG_SIZE_OR_ZERO, ARG_ANYTHING},
    .types = TRACING_PROGS,
    .sleeps = true,
};
