/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_TASK_STORAGE: one value for each of the kernel's tasks, gone with the task. A task
 * is the number that ebpf_os_task_current() and ebpf_os_task_get() of <ebpf/os.h> give; 0 is none.
 */
#ifndef EBPF_MAPS_TASK_STORAGE_H
#define EBPF_MAPS_TASK_STORAGE_H

#include "maps/map.h"

/*
 * bpf_task_storage_get(): the task's value in the map, made if flags has
 * BPF_LOCAL_STORAGE_GET_F_CREATE and there is none: from value (value_size bytes; NULL: zeros), in
 * memory that task context laid by. NULL: no value, no task, other flags, another type of map, or
 * no memory laid by. A, interrupts off, in an epoch section.
 */
void *ebpf_task_storage_get(struct ebpf_map *map, uintptr_t task, const void *value,
                            uint64_t flags);

/* bpf_task_storage_delete(): 0, -ENOENT, -EINVAL (no task, another type of map). A, interrupts off,
 * in an epoch section. */
int ebpf_task_storage_delete(struct ebpf_map *map, uintptr_t task);

#endif /* EBPF_MAPS_TASK_STORAGE_H */
