/* SPDX-License-Identifier: MIT */
/*
 * The weak defaults of all hooks, in one place: what a kernel gets that does not define them. Each
 * is safe or fails loudly. The contracts are in <ebpf/os.h>.
 */
#include <ebpf/errno.h>
#include <ebpf/os.h>

#include "src/base/fd.h"
#include "src/base/heap.h"
#include "src/base/ksym.h"
#include "src/base/mem.h"
#include "src/base/relax.h"

#include <ebpf/config.h>

#define WEAK __attribute__((weak))

WEAK void *ebpf_os_alloc(size_t size)
{
    return ebpf_heap_alloc(size);
}

WEAK void ebpf_os_free(void *ptr, size_t size)
{
    ebpf_heap_free(ptr, size);
}

WEAK unsigned ebpf_os_cpu_id(void)
{
    return 0;
}

WEAK unsigned ebpf_os_cpu_count(void)
{
    return 1;
}

WEAK void ebpf_os_yield(void)
{
    ebpf_cpu_relax();
}

WEAK uint32_t ebpf_os_random(void)
{
    static uint64_t counter;
    uint64_t x =
        ebpf_os_time_ns() + __atomic_add_fetch(&counter, 0x9e3779b97f4a7c15ull, __ATOMIC_RELAXED);

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull; /* the finaliser of SplitMix64 */
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return (uint32_t)(x ^ x >> 31);
}

WEAK void ebpf_os_wake(struct ebpf_obj *obj)
{
    (void)obj;
}

WEAK void ebpf_os_trace(const char *text, size_t len)
{
    char line[EBPF_CONFIG_LOG_LINE];

    while (len) { /* one console line for each line of text, long ones in pieces */
        size_t part = 0;

        while (part < len && part < sizeof(line) - 1 && text[part] != '\n')
            part++;
        memcpy(line, text, part);
        line[part] = 0;
        ebpf_os_console(line);
        if (part < len && text[part] == '\n')
            part++;
        text += part;
        len -= part;
    }
}

WEAK void ebpf_os_current(struct ebpf_task *out)
{
    (void)out; /* zeroed by the caller */
}

WEAK uintptr_t ebpf_os_task_current(void)
{
    return 0;
}

WEAK int ebpf_os_task_get(int pidfd, uintptr_t *task)
{
    (void)pidfd, (void)task;
    return -EOPNOTSUPP;
}

WEAK void ebpf_os_task_put(uintptr_t task)
{
    (void)task; /* none was ever got */
}

WEAK unsigned ebpf_os_stack(const struct ebpf_regs *regs, bool user, unsigned skip, uint64_t *pcs,
                            unsigned max)
{
    (void)regs, (void)user, (void)skip, (void)pcs, (void)max;
    return 0;
}

WEAK int ebpf_os_build_id(uint64_t pc, uint8_t id[20], uint64_t *offset)
{
    (void)pc, (void)id, (void)offset;
    return -ENOENT;
}

WEAK int ebpf_os_perf_counter(unsigned cpu, uint32_t type, uint64_t config, uint64_t *value)
{
    (void)cpu, (void)type, (void)config, (void)value;
    return -ENOENT;
}

WEAK int ebpf_os_copy_from_user(void *dst, uint64_t src, size_t len)
{
    (void)dst, (void)src, (void)len;
    return -EOPNOTSUPP;
}

WEAK int ebpf_os_copy_to_user(uint64_t dst, const void *src, size_t len)
{
    (void)dst, (void)src, (void)len;
    return -EOPNOTSUPP;
}

WEAK int ebpf_os_probe_read(void *dst, uint64_t src, size_t len, bool user)
{
    (void)dst, (void)src, (void)len, (void)user;
    return -EFAULT;
}

WEAK int ebpf_os_probe_write(uint64_t dst, const void *src, size_t len)
{
    (void)dst, (void)src, (void)len;
    return -EOPNOTSUPP;
}

WEAK int ebpf_os_send_signal(uint32_t sig, bool thread)
{
    (void)sig, (void)thread;
    return -EOPNOTSUPP;
}

WEAK int ebpf_os_timer_arm(uint64_t ns)
{
    (void)ns;
    return -EOPNOTSUPP;
}

WEAK uint64_t ebpf_os_time_tai_ns(void)
{
    return 0;
}

WEAK void *ebpf_os_code_alloc(size_t size)
{
    (void)size;
    return NULL;
}

WEAK void ebpf_os_code_free(void *ptr, size_t size)
{
    (void)ptr, (void)size; /* nothing was ever given out */
}

WEAK int ebpf_os_text_write(void *dst, const void *src, size_t len)
{
    (void)dst, (void)src, (void)len;
    return -EOPNOTSUPP;
}

WEAK uint32_t ebpf_os_isa(void)
{
    return 0;
}

WEAK int ebpf_os_symbol(const char *name, struct ebpf_symbol *out)
{
    return ebpf_ksym_find(name, out);
}

WEAK int ebpf_os_symbol_at(uint64_t addr, struct ebpf_symbol *out)
{
    return ebpf_ksym_at(addr, out);
}

WEAK int ebpf_os_fd_install(struct ebpf_obj *obj)
{
    return ebpf_fd_install(obj);
}

WEAK int ebpf_os_fd_get(int fd, struct ebpf_obj **obj)
{
    return ebpf_fd_get(fd, obj);
}
