/* SPDX-License-Identifier: MIT */
/*
 * perf_event_open(2), as far as eBPF programs need it: software events that programs write to
 * (bpf_perf_event_output()), one on each hart, with a ring that user mode maps or kernel code
 * reads; and counters of a hart that programs read (bpf_perf_event_read_value()): its clock, and
 * what the kernel's ebpf_os_perf_counter() counts. The ABI is Linux's <linux/perf_event.h>, written
 * anew from perf_event_open(2).
 */
#ifndef EBPF_PERF_H
#define EBPF_PERF_H

#include <ebpf/ebpf.h>

/* ---- the ABI --------------------------------------------------------------------------------- */

#define PERF_TYPE_HARDWARE 0
#define PERF_COUNT_HW_CPU_CYCLES 0
#define PERF_COUNT_HW_INSTRUCTIONS 1

#define PERF_TYPE_SOFTWARE 1
#define PERF_COUNT_SW_CPU_CLOCK 0  /* nanoseconds */
#define PERF_COUNT_SW_TASK_CLOCK 1 /* of a hart's event: the same */
#define PERF_COUNT_SW_PAGE_FAULTS 2
#define PERF_COUNT_SW_CONTEXT_SWITCHES 3
#define PERF_COUNT_SW_DUMMY 9
#define PERF_COUNT_SW_BPF_OUTPUT 10

/* sample_type: what a record has, in this order; the raw data is last */
#define PERF_SAMPLE_TID (1u << 1)
#define PERF_SAMPLE_TIME (1u << 2)
#define PERF_SAMPLE_CPU (1u << 7)
#define PERF_SAMPLE_PERIOD (1u << 8)
#define PERF_SAMPLE_RAW (1u << 10)

/* read_format: what read(2) gives, see ebpf_perf_event_read() */
#define PERF_FORMAT_TOTAL_TIME_ENABLED (1u << 0)
#define PERF_FORMAT_TOTAL_TIME_RUNNING (1u << 1)
#define PERF_FORMAT_ID (1u << 2)
#define PERF_FORMAT_GROUP (1u << 3)
#define PERF_FORMAT_LOST (1u << 4)

/* perf_event_attr.bits */
#define PERF_ATTR_DISABLED (1u << 0)
#define PERF_ATTR_EXCLUDE_USER (1u << 4)
#define PERF_ATTR_EXCLUDE_KERNEL (1u << 5)
#define PERF_ATTR_EXCLUDE_HV (1u << 6)
#define PERF_ATTR_EXCLUDE_IDLE (1u << 7)
#define PERF_ATTR_WATERMARK (1u << 14)

struct perf_event_attr {
    uint32_t type;
    uint32_t size;
    uint64_t config;
    uint64_t sample_period;
    uint64_t sample_type;
    uint64_t read_format;
    uint64_t bits; /* Linux: bit fields, disabled is the lowest */
    union {
        uint32_t wakeup_events;
        uint32_t wakeup_watermark;
    };
    uint32_t bp_type;
    uint64_t config1;
    uint64_t config2;
    uint64_t rest[8]; /* must be zero here */
};
#define PERF_ATTR_SIZE_VER0 64

#define PERF_FLAG_FD_CLOEXEC (1u << 3)

#define PERF_EVENT_IOC_ENABLE 0x2400u
#define PERF_EVENT_IOC_DISABLE 0x2401u
#define PERF_EVENT_IOC_RESET 0x2403u
#define PERF_EVENT_IOC_ID 0x80082407u
#define PERF_EVENT_IOC_SET_BPF 0x40042408u
#define PERF_EVENT_IOC_PAUSE_OUTPUT 0x40042409u

/* The first page of a mapping; data follows at data_offset. */
struct perf_event_mmap_page {
    uint32_t version;
    uint32_t compat_version;
    uint64_t unused[127];
    uint64_t data_head; /* written by the kernel: where the next record will be; only grows */
    uint64_t data_tail; /* written by user mode: everything before is read */
    uint64_t data_offset;
    uint64_t data_size;
};

#define PERF_RECORD_LOST 2
#define PERF_RECORD_SAMPLE 9
#define PERF_RECORD_MISC_KERNEL 1

struct perf_event_header {
    uint32_t type;
    uint16_t misc;
    uint16_t size;
};

/* ---- system calls ---------------------------------------------------------------------------- */

/*
 * The perf_event_open(2) system call; attr is the address of a struct perf_event_attr. Returns an
 * fd, whose file's mmap, poll, read and ioctl are ebpf_obj_mmap(), ebpf_obj_poll() and the calls
 * below, or -EINVAL (cpu is no hart; flags; more than is supported, which the log names; an event
 * of ebpf_os_perf_counter() that is to count in one mode only), -E2BIG (attr of another size),
 * -EFAULT, -EACCES (without EBPF_CAP_PERFMON), -ENOENT (there is no such event), -EOPNOTSUPP (pid
 * is not -1, a group, samples of a counter), what ebpf_os_perf_counter() returned, -ENOMEM,
 * -EMFILE. T.
 */
long ebpf_perf_event_open(uint64_t attr, int32_t pid, int32_t cpu, int32_t group_fd, uint64_t flags,
                          const struct ebpf_caller *caller);

/* ioctl(2) on a perf event: ENABLE, DISABLE, RESET (0, or what ebpf_os_perf_counter() returned),
 * ID (to the caller's address arg; -EFAULT), PAUSE_OUTPUT (-EINVAL: no ring); -EINVAL (SET_BPF),
 * -ENOTTY (anything else). T. */
long ebpf_perf_event_ioctl(struct ebpf_obj *event, uint32_t cmd, uint64_t arg,
                           const struct ebpf_caller *caller);

/*
 * read(2) on a perf event: to the caller's address buf, as 64-bit numbers, the counter, then what
 * of read_format was asked for: the nanoseconds enabled and running (the same here), the id, the
 * records lost; with FORMAT_GROUP: 1, the times, the counter, the id, the records lost. Returns how
 * many bytes, or -ENOSPC (size is too small), -EFAULT, what ebpf_os_perf_counter() returned,
 * -EINVAL (not a perf event). T.
 */
long ebpf_perf_event_read(struct ebpf_obj *event, uint64_t buf, size_t size,
                          const struct ebpf_caller *caller);

/* ---- from inside the kernel ------------------------------------------------------------------ */

/* An enabled event of a hart, with a ring of 2^n pages (4096 bytes each); *out holds one reference.
 * 0, -EINVAL (pages), -ENODEV, -ENOMEM. T. */
int ebpf_perf_event_create(unsigned cpu, uint32_t pages, struct ebpf_obj **out);

/* An enabled event of a hart that counts: type and config as in struct perf_event_attr. 0, -EINVAL
 * (cpu), -ENOENT (no such event), what ebpf_os_perf_counter() returned, -ENOMEM. T. */
int ebpf_perf_counter_create(unsigned cpu, uint32_t type, uint64_t config, struct ebpf_obj **out);

/* The counter of any perf event and how long it was enabled, as programs see them. 0, -EINVAL (not
 * a perf event), what ebpf_os_perf_counter() returned. T. */
int ebpf_perf_counter_read(struct ebpf_obj *event, struct bpf_perf_event_value *out);

/* Puts event into a BPF_MAP_TYPE_PERF_EVENT_ARRAY at index, as an update with its fd would; NULL
 * takes out what is there. The array refers to event until then, or until only programs refer to
 * the array. -EINVAL, -E2BIG, -ENOENT. T. */
int ebpf_map_set_perf_event(struct ebpf_map *map, uint32_t index, struct ebpf_obj *event);

/*
 * Reads the ring of an event: calls fn for the raw data of each sample, oldest first, which may be
 * up to 7 bytes longer than what the program wrote; fn returns 0, or stops with -E* (the sample
 * counts as read) or with a positive number. *lost (may be NULL): how many the ring had no room
 * for, as far as told in what was read. One reader at a time. Returns how many samples there were,
 * fn's -E*, -EINVAL (no ring, or its contents or the reader's position make no sense), -ENOMEM. T.
 */
int ebpf_perf_event_consume(struct ebpf_obj *event, int (*fn)(void *ctx, void *data, uint32_t size),
                            void *ctx, uint64_t *lost);

#endif /* EBPF_PERF_H */
