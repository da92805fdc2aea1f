/* SPDX-License-Identifier: MIT */
/* The prototypes of helpers.def. */
#include "tools/linux/linux.h"

#include "helpers/bprintf.h"
#include "src/base/bits.h"

/* ---- who may call: program types ------------------------------------------------------------- */

#define T(type) (1ull << BPF_PROG_TYPE_##type)
#define ALL UINT64_MAX
#define NONE (1ull << 63) /* no type that is here: of struct_ops */
#define BASE (ALL & ~T(LIRC_MODE2))
#define TC (T(SCHED_CLS) | T(SCHED_ACT))
#define LWT (T(LWT_IN) | T(LWT_OUT) | T(LWT_XMIT) | T(LWT_SEG6LOCAL))
#define RAW_TP (T(RAW_TRACEPOINT) | T(RAW_TRACEPOINT_WRITABLE))
#define BTF_TRACE (T(TRACING) | T(LSM) | T(SYSCALL))
#define TRACE (T(KPROBE) | T(TRACEPOINT) | T(PERF_EVENT) | RAW_TP | BTF_TRACE)
#define CGROUP \
    (T(CGROUP_SOCK) | T(CGROUP_DEVICE) | T(CGROUP_SOCK_ADDR) | T(CGROUP_SYSCTL) | T(CGROUP_SOCKOPT))
#define SK_BASE                                                                                   \
    (TC | LWT | T(SOCKET_FILTER) | T(XDP) | T(CGROUP_SKB) | T(SOCK_OPS) | T(SK_SKB) | T(SK_MSG) | \
     T(CGROUP_SOCK_ADDR) | T(FLOW_DISSECTOR) | T(SK_LOOKUP))

/* ---- on what: map types ---------------------------------------------------------------------- */

#define M(type) (1ull << BPF_MAP_TYPE_##type)
#define KEYED                                                                                   \
    (M(HASH) | M(ARRAY) | M(PERCPU_HASH) | M(PERCPU_ARRAY) | M(LRU_HASH) | M(LRU_PERCPU_HASH) | \
     M(LPM_TRIE))
#define SOCKMAPS (M(SOCKMAP) | M(SOCKHASH))
#define MAPS_OF_MAPS (M(ARRAY_OF_MAPS) | M(HASH_OF_MAPS))

/* ---- arguments, and what else ---------------------------------------------------------------- */

#define NO_ARGS  \
    {            \
        ARG_NONE \
    }
#define ARGS1(a) \
    {            \
        ARG_##a  \
    }
#define ARGS2(a, b)      \
    {                    \
        ARG_##a, ARG_##b \
    }
#define ARGS3(a, b, c)            \
    {                             \
        ARG_##a, ARG_##b, ARG_##c \
    }
#define ARGS4(a, b, c, d)                  \
    {                                      \
        ARG_##a, ARG_##b, ARG_##c, ARG_##d \
    }
#define ARGS5(a, b, c, d, e)                        \
    {                                               \
        ARG_##a, ARG_##b, ARG_##c, ARG_##d, ARG_##e \
    }
#define GPL .gpl_only = true
#define PACKET_ARGS .packet_args = true
#define MOVES_PACKET .packet = true
#define ACQUIRES .acquires = true
#define CASTS .casts = true
#define SLEEPS .sleeps = true

/* What a call is compiled to: nothing that is checked with these tables ever runs. */
EBPF_HELPER_FN(never)
{
    return 0;
}

enum {
#define EBPF_HELPER_NAME(id, name) LINUX_FUNC_##name = (id),
#include "helpers/names.def"
#undef EBPF_HELPER_NAME
};

#define H(helper, returns, args, who, ...) \
    {LINUX_FUNC_##helper,                  \
     {.name = #helper,                     \
      .fn = never,                         \
      .ret = RET_##returns,                \
      .arg = args,                         \
      .types = who,                        \
      ##__VA_ARGS__}},

static const struct {
    uint32_t id;
    struct ebpf_helper helper;
} rows[] = {
#include "tools/linux/helpers.def"
};

const struct ebpf_helper *linux_helper(uint32_t id, uint32_t prog_type)
{
    const struct ebpf_helper *other = NULL;

    for (size_t i = 0; i < EBPF_ARRAY_SIZE(rows); i++) {
        if (rows[i].id != id)
            continue;
        if (prog_type < 63 && rows[i].helper.types >> prog_type & 1)
            return &rows[i].helper;
        other = &rows[i].helper;
    }
    return other;
}
