/* SPDX-License-Identifier: MIT */
/* perf_event_open(2), and read(2) and ioctl(2) of what it opens: which of Linux's events there are
 * here, and what of their attributes. */
#include "maps/perf_event.h"
#include "src/base/bits.h"
#include "src/base/log.h"
#include "src/core/user.h"

#define MAX_ATTR 4096u /* Linux: PAGE_SIZE */
#define SAMPLE_TYPES \
    (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD | PERF_SAMPLE_RAW)
#define EXCLUDE_BITS                                                            \
    (PERF_ATTR_EXCLUDE_USER | PERF_ATTR_EXCLUDE_KERNEL | PERF_ATTR_EXCLUDE_HV | \
     PERF_ATTR_EXCLUDE_IDLE)
#define BITS (PERF_ATTR_DISABLED | PERF_ATTR_WATERMARK | EXCLUDE_BITS)
#define READ_FORMATS                                                                    \
    (PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING | PERF_FORMAT_ID | \
     PERF_FORMAT_GROUP | PERF_FORMAT_LOST)

/* Linux's rules for sizes: 0 is the first version's, a longer one must be zero behind what is
 * known; with -E2BIG the caller learns the right one. */
static int copy_attr(const struct ebpf_caller *caller, uint64_t from, struct perf_event_attr *attr)
{
    const uint64_t size_at = from + offsetof(struct perf_event_attr, size);
    uint32_t size, known = sizeof(*attr);
    int err = ebpf_copy_in(caller, &size, size_at, sizeof(size));

    if (err)
        return err;
    if (!size)
        size = PERF_ATTR_SIZE_VER0;
    memset(attr, 0, sizeof(*attr));
    if (size < PERF_ATTR_SIZE_VER0 || size > MAX_ATTR)
        err = -E2BIG;
    else if (size > sizeof(*attr))
        err = ebpf_check_zero_in(caller, from + sizeof(*attr), size - sizeof(*attr));
    if (err == -E2BIG)
        (void)ebpf_copy_out(caller, size_at, &known, sizeof(known)); /* -E2BIG matters more */
    return err ? err : ebpf_copy_in(caller, attr, from, ebpf_min(size, sizeof(*attr)));
}

static int check_attr(const struct perf_event_attr *attr)
{
    if (attr->sample_type & ~(uint64_t)SAMPLE_TYPES || attr->bits & ~(uint64_t)BITS ||
        attr->read_format & ~(uint64_t)READ_FORMATS ||
        !ebpf_all_zero(attr->rest, sizeof(attr->rest))) {
        ebpf_log("ebpf: perf event: sample_type 0x%llx, bits 0x%llx, read_format 0x%llx: more than "
                 "is supported",
                 (unsigned long long)attr->sample_type, (unsigned long long)attr->bits,
                 (unsigned long long)attr->read_format);
        return -EINVAL;
    }
    return attr->sample_period >> 63 ? -EINVAL : 0;
}

/* An event of a hart: Linux also has those of a task, which bpf_perf_event_output() cannot write to
 * from elsewhere. */
static int check_place(int32_t pid, int32_t cpu, int32_t group_fd)
{
    if (cpu < -1 || (cpu == -1 && pid == -1) || cpu >= (int32_t)ebpf_os_cpu_count())
        return -EINVAL;
    return cpu == -1 || pid != -1 || group_fd != -1 ? -EOPNOTSUPP : 0;
}

/* Software events never overflow, or have no samples here; the others count and do nothing else
 * (Linux: PERF_PMU_CAP_NO_INTERRUPT, PERF_PMU_CAP_NO_EXCLUDE). */
static int check_kind(const struct perf_event_attr *attr)
{
    bool silent = attr->type == PERF_TYPE_SOFTWARE &&
                  (attr->config == PERF_COUNT_SW_DUMMY || attr->config == PERF_COUNT_SW_BPF_OUTPUT);

    if (attr->type != PERF_TYPE_SOFTWARE && attr->bits & EXCLUDE_BITS)
        return -EINVAL;
    return attr->sample_period && !silent ? -EOPNOTSUPP : 0;
}

long ebpf_perf_event_open(uint64_t from, int32_t pid, int32_t cpu, int32_t group_fd, uint64_t flags,
                          const struct ebpf_caller *caller)
{
    struct perf_event_attr attr;
    struct ebpf_perf_event *event;
    int err = flags & ~(uint64_t)PERF_FLAG_FD_CLOEXEC ? -EINVAL : copy_attr(caller, from, &attr);

    if (!err)
        err = check_attr(&attr);
    if (!err && !(caller->caps & EBPF_CAP_PERFMON))
        err = -EACCES;
    if (!err)
        err = check_place(pid, cpu, group_fd);
    if (!err)
        err = check_kind(&attr);
    if (!err)
        err = ebpf_perf_event_alloc(&attr, (unsigned)cpu, &event);
    if (err)
        return err;
    err = ebpf_os_fd_install(&event->obj);
    if (err < 0)
        ebpf_obj_put(&event->obj);
    return err;
}

long ebpf_perf_event_read(struct ebpf_obj *obj, uint64_t buf, size_t size,
                          const struct ebpf_caller *caller)
{
    struct ebpf_perf_event *event = ebpf_perf_event_of(obj);
    struct bpf_perf_event_value value;
    uint64_t out[6], format;
    uint32_t n = 0;
    int err = ebpf_perf_counter_read(obj, &value);

    if (err)
        return err;
    format = event->read_format;
    out[n++] = format & PERF_FORMAT_GROUP ? 1 : value.counter;
    if (format & PERF_FORMAT_TOTAL_TIME_ENABLED)
        out[n++] = value.enabled;
    if (format & PERF_FORMAT_TOTAL_TIME_RUNNING)
        out[n++] = value.running;
    if (format & PERF_FORMAT_GROUP)
        out[n++] = value.counter;
    if (format & PERF_FORMAT_ID)
        out[n++] = obj->id;
    if (format & PERF_FORMAT_LOST)
        out[n++] = __atomic_load_n(&event->lost, __ATOMIC_RELAXED);
    if (size < n * sizeof(out[0]))
        return -ENOSPC;
    err = ebpf_copy_out(caller, buf, out, n * sizeof(out[0]));
    return err ? err : (long)(n * sizeof(out[0]));
}

long ebpf_perf_event_ioctl(struct ebpf_obj *obj, uint32_t cmd, uint64_t arg,
                           const struct ebpf_caller *caller)
{
    struct ebpf_perf_event *event = ebpf_perf_event_of(obj);
    uint64_t id = obj->id;

    if (obj->type != EBPF_OBJ_PERF_EVENT)
        return -ENOTTY;
    switch (cmd) {
    case PERF_EVENT_IOC_ENABLE:
    case PERF_EVENT_IOC_DISABLE:
        return ebpf_perf_event_enable(event, cmd == PERF_EVENT_IOC_ENABLE);
    case PERF_EVENT_IOC_RESET:
        return ebpf_perf_event_reset(event);
    case PERF_EVENT_IOC_ID:
        return ebpf_copy_out(caller, arg, &id, sizeof(id));
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
