/* SPDX-License-Identifier: MIT */
/* perf_event_open(2) and its ioctls: which of Linux's events there are here, and what of their
 * attributes. */
#include "maps/perf_event.h"
#include "src/base/bits.h"
#include "src/base/log.h"
#include "src/core/user.h"

#define MAX_ATTR 4096u /* Linux: PAGE_SIZE */
#define SAMPLE_TYPES \
    (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD | PERF_SAMPLE_RAW)
#define BITS (PERF_ATTR_DISABLED | PERF_ATTR_WATERMARK)

/* Linux's rules for sizes: 0 is the first version's, a longer one must be zero behind what is
 * known. */
static int copy_attr(const struct ebpf_caller *caller, uint64_t from, struct perf_event_attr *attr)
{
    uint32_t size;
    int err =
        ebpf_copy_in(caller, &size, from + offsetof(struct perf_event_attr, size), sizeof(size));

    if (err)
        return err;
    if (!size)
        size = PERF_ATTR_SIZE_VER0;
    if (size < PERF_ATTR_SIZE_VER0 || size > MAX_ATTR)
        return -E2BIG;
    memset(attr, 0, sizeof(*attr));
    if (size > sizeof(*attr))
        err = ebpf_check_zero_in(caller, from + sizeof(*attr), size - sizeof(*attr));
    return err ? err : ebpf_copy_in(caller, attr, from, ebpf_min(size, sizeof(*attr)));
}

static int check_attr(const struct perf_event_attr *attr)
{
    if (attr->type != PERF_TYPE_SOFTWARE || attr->config != PERF_COUNT_SW_BPF_OUTPUT)
        return -ENOENT;
    if (attr->sample_type & ~(uint64_t)SAMPLE_TYPES || attr->bits & ~(uint64_t)BITS ||
        attr->read_format || !ebpf_all_zero(attr->rest, sizeof(attr->rest))) {
        ebpf_log("ebpf: perf event: sample_type 0x%llx, bits 0x%llx: more than is supported",
                 (unsigned long long)attr->sample_type, (unsigned long long)attr->bits);
        return -EINVAL;
    }
    return attr->sample_period >> 63 ? -EINVAL : 0;
}

/* An event of a hart: Linux also has those of a task, which bpf_perf_event_output() cannot write to
 * from elsewhere. */
static int check_place(int32_t pid, int32_t cpu, int32_t group_fd)
{
    if (pid == -1 && cpu == -1)
        return -EINVAL;
    if (pid != -1 || group_fd != -1)
        return -EOPNOTSUPP;
    return cpu < 0 || (uint32_t)cpu >= ebpf_os_cpu_count() ? -ENODEV : 0;
}

long ebpf_perf_event_open(uint64_t from, int32_t pid, int32_t cpu, int32_t group_fd, uint64_t flags,
                          const struct ebpf_caller *caller)
{
    struct perf_event_attr attr;
    struct ebpf_perf_event *event;
    int err = flags & ~(uint64_t)PERF_FLAG_FD_CLOEXEC ? -EINVAL : copy_attr(caller, from, &attr);

    if (!err && !(caller->caps & EBPF_CAP_PERFMON))
        err = -EACCES;
    if (!err)
        err = check_attr(&attr);
    if (!err)
        err = check_place(pid, cpu, group_fd);
    if (!err)
        err = ebpf_perf_event_alloc(&attr, (unsigned)cpu, &event);
    if (err)
        return err;
    err = ebpf_os_fd_install(&event->obj);
    if (err < 0)
        ebpf_obj_put(&event->obj);
    return err;
}

long ebpf_perf_event_ioctl(struct ebpf_obj *obj, uint32_t cmd, uint64_t arg)
{
    struct ebpf_perf_event *event = ebpf_perf_event_of(obj);

    if (obj->type != EBPF_OBJ_PERF_EVENT)
        return -ENOTTY;
    switch (cmd) {
    case PERF_EVENT_IOC_ENABLE:
    case PERF_EVENT_IOC_DISABLE:
        ebpf_perf_event_enable(event, cmd == PERF_EVENT_IOC_ENABLE);
        return 0;
    case PERF_EVENT_IOC_RESET: /* the counter is always 0 */
        return 0;
    case PERF_EVENT_IOC_PAUSE_OUTPUT:
        if (!__atomic_load_n(&event->ring, __ATOMIC_ACQUIRE))
            return -EINVAL;
        __atomic_store_n(&event->paused, arg != 0, __ATOMIC_RELEASE);
        return 0;
    case PERF_EVENT_IOC_SET_BPF: /* for events that run programs */
        return -EINVAL;
    default:
        return -ENOTTY;
    }
}
