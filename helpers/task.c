/* SPDX-License-Identifier: MIT */
/* Helpers 8 and 14 to 16: which hart and which thread this is. */
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
