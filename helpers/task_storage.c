/* SPDX-License-Identifier: MIT */
/* Helpers 156 and 157: values that belong to tasks. */
#include "maps/task_storage.h"

#include "helpers/helper.h"
#include "helpers/types.h"

static bool tasks_available(void)
{
    uintptr_t task;

    return ebpf_os_task_get(-1, &task) != -EOPNOTSUPP;
}

/* r1: map, r2: task, r3: what a new value starts as, or NULL, r4: flags */
EBPF_HELPER_FN(task_storage_get)
{
    return (uintptr_t)ebpf_task_storage_get(ebpf_reg_ptr(r1), (uintptr_t)r2, ebpf_reg_ptr(r3), r4);
}

const struct ebpf_helper ebpf_helper_task_storage_get = {
    .name = "task_storage_get",
    .fn = task_storage_get,
    .arg = {ARG_MAP, ARG_TASK_OR_NULL, ARG_MAP_VALUE_OR_NULL, ARG_ANYTHING},
    .ret = RET_MAP_VALUE_OR_NULL,
    .types = TRACING_PROGS,
    .maps = MAP(TASK_STORAGE),
    .available = tasks_available,
};

/* r1: map, r2: task */
EBPF_HELPER_FN(task_storage_delete)
{
    return ebpf_reg_int(ebpf_task_storage_delete(ebpf_reg_ptr(r1), (uintptr_t)r2));
}

const struct ebpf_helper ebpf_helper_task_storage_delete = {
    .name = "task_storage_delete",
    .fn = task_storage_delete,
    .arg = {ARG_MAP, ARG_TASK_OR_NULL},
    .types = TRACING_PROGS,
    .maps = MAP(TASK_STORAGE),
    .available = tasks_available,
};
