/* SPDX-License-Identifier: MIT */
/*
 * The mock OS: the library's hooks as a user program, on the host and under qemu-riscv64. It checks
 * that the library keeps the hooks' contracts and lets a test play the kernel.
 */
#ifndef TESTS_OS_HOST_H
#define TESTS_OS_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebpf/os.h>

/* Around every test: fresh library and mock; mock_end() fails the test for leaked memory, live
 * objects, unbalanced interrupt state and broken contracts. */
void mock_begin(void);
void mock_end(void);

/* ---- memory ---- */
/* The n-th allocation from now fails (1: the next), once; 0: none. */
void mock_fail_alloc(unsigned n);
bool mock_alloc_failed(void); /* did that happen? */
size_t mock_live_bytes(void); /* allocated and not freed */
size_t mock_live_blocks(void);

/* ---- user memory ----
 * User addresses are not host addresses: whoever dereferences one crashes. 1 MiB, handed out in
 * order and taken back after each test; what lies beyond is unmapped and yields -EFAULT. */
uint64_t mock_user_alloc(size_t size);                  /* zero-filled, 16-aligned */
uint64_t mock_user_copy(const void *data, size_t size); /* alloc + copy */
void *mock_user(uint64_t addr);                         /* the host's view of a user address */
void mock_user_readonly(uint64_t addr, size_t size);    /* copy_to_user there fails */
#define MOCK_BAD_ADDR 0x10ULL                           /* a user address that is never mapped */

/* ---- harts, time, thread ---- */
extern unsigned mock_cpu_count;  /* default 4 */
void mock_set_cpu(unsigned cpu); /* of this host thread */
extern uint64_t mock_time_ns;    /* each read adds mock_time_step (default 0) */
extern uint64_t mock_time_step;
extern struct ebpf_task mock_task; /* default: pid 101 tgid 100 uid 0 gid 0 "test" */
extern uint32_t mock_random;       /* next value of ebpf_os_random(); 0: pseudo-random sequence */
/* What ebpf_os_stack() finds, the innermost first: 0 entries by default. */
extern uint64_t mock_stack[256], mock_user_stack[256];
extern unsigned mock_stack_len, mock_user_stack_len;
/* ebpf_os_build_id(): the build id 1, 2 .. 20 and pc - mock_file for 64 KiB from there; 0: none. */
extern uint64_t mock_file;
/* ebpf_os_task_current(), of this host thread: 1 by default. The fds from MOCK_PIDFD on are pidfds
 * of the tasks 1 to 1000. */
extern _Thread_local uintptr_t mock_task_id;
extern uintptr_t mock_task_ended; /* a task that no pidfd finds any more */
#define MOCK_PIDFD 5000
bool mock_irqs_off(void); /* on this host thread */

/* ---- console ---- */
const char *mock_console(void); /* all lines since mock_begin(), each with \n */
const char *mock_trace(void);   /* all of ebpf_os_trace() */
void mock_console_clear(void);
extern bool mock_verbose; /* also print them (environment MOCK_VERBOSE=1) */

/* ---- code ---- */
extern bool mock_no_code;          /* ebpf_os_code_alloc() fails */
extern bool mock_no_text_write;    /* ebpf_os_text_write() fails with -EOPNOTSUPP */
extern uint32_t mock_isa;          /* of ebpf_os_isa(): EBPF_ISA_*, default 0 */
extern bool mock_traps_misaligned; /* without EBPF_ISA_ZICCLSM, which is there else */
extern unsigned mock_text_writes;  /* calls so far */
/* text writes are allowed into code memory and into ranges given here (e.g. the test's own
 * functions or an array that stands for kernel text); returns 0 or -1 if the page cannot be made
 * writable */
int mock_text_add(void *start, size_t size);

/* ---- symbols: what ebpf_os_symbol() and ebpf_os_symbol_at() know ---- */
void mock_symbol_add(const char *name, uint64_t addr, uint64_t size);

/* ---- hooks that a kernel may leave out ---- */
extern bool mock_no_hooks;   /* all of the following are absent: as the weak defaults */
extern uint64_t mock_tai_ns; /* default 0: unknown */
extern uint64_t mock_armed[]; /* by hart: what ebpf_os_timer_arm() was called with last */
extern uint32_t mock_signal; /* the last one sent */
extern bool mock_signal_thread;

/* ebpf_os_perf_counter(): PERF_TYPE_HARDWARE, config 0 to 3 of each hart; others: -ENOENT. */
extern uint64_t mock_counters[4][4]; /* by hart and config */
extern int mock_counter_error;       /* returned instead, if not 0 */

/* ---- bpf(2) as a user would call it: copies attr to user memory, calls ebpf_bpf(), copies back --- */
union bpf_attr;
extern uint32_t mock_caps; /* of the caller; default EBPF_CAP_ALL */
long mock_bpf(int cmd, union bpf_attr *attr, uint32_t size);

/* ---- between the mock's own files ---- */
void mock_contract(bool kept, const char *what); /* fails the test if not */
void mock_count_block(bool more);
void mock_code_begin(void);
void mock_code_end(void);

#endif /* TESTS_OS_HOST_H */
