/* SPDX-License-Identifier: MIT */
/*
 * What programs may see of their contexts: rows of [from, to), and with how many bytes at a time
 * they may be read and written. Accesses are aligned and stay inside a row. Offsets of structs
 * that include/ebpf/uapi.h does not have are <linux/bpf.h>'s.
 */
#include "tools/linux/linux.h"

#include "src/base/bits.h"

struct range {
    uint16_t from, to;
    uint8_t reads, writes; /* mask of sizes: 1, 2, 4, 8 */
    uint8_t kind;          /* enum ebpf_ctx_kind */
    /* 1 << attach type that may read, that may write; 0: all */
    uint64_t reader, writer;
};

#define NARROW 7u /* a word, or a part of it */
#define WORD 4u
#define QUAD 8u
#define ANY 15u
#define FIRST 16u /* with NARROW: parts only from the first byte on */
#define ATTACH(type) (1ull << BPF_##type)

#define END(type, field) (offsetof(struct type, field) + sizeof(((struct type *)0)->field))
/* The fields of struct __sk_buff from first to last. */
#define SKB(first, last) offsetof(struct __sk_buff, first), END(__sk_buff, last)
#define PACKET(field)                                     \
    {                                                     \
        SKB(field, field), WORD, 0, EBPF_CTX_PACKET, 0, 0 \
    }
#define PACKET_END(field)                                     \
    {                                                         \
        SKB(field, field), WORD, 0, EBPF_CTX_PACKET_END, 0, 0 \
    }
#define SKB_READ(first, last)                              \
    {                                                      \
        SKB(first, last), NARROW, 0, EBPF_CTX_NUMBER, 0, 0 \
    }
#define SKB_WORD(first, last)                            \
    {                                                    \
        SKB(first, last), WORD, 0, EBPF_CTX_NUMBER, 0, 0 \
    }
#define SKB_WRITE(field)                                       \
    {                                                          \
        SKB(field, field), NARROW, WORD, EBPF_CTX_NUMBER, 0, 0 \
    }
#define SKB_QUAD(field, writes)                                \
    {                                                          \
        SKB(field, field), QUAD, writes, EBPF_CTX_NUMBER, 0, 0 \
    }
#define SKB_CB(writes)                                        \
    {                                                         \
        SKB(cb[0], cb[4]), ANY, writes, EBPF_CTX_NUMBER, 0, 0 \
    }
#define SKB_SOCK                                                 \
    {                                                            \
        SKB(sk, sk), QUAD, 0, EBPF_CTX_SOCK_COMMON_OR_NULL, 0, 0 \
    }
#define SKB_ADDRESSES \
    SKB_READ(family, family), SKB_WORD(remote_ip4, local_ip6[3]), SKB_READ(remote_port, local_port)

static const struct range socket_filter[] = {
    SKB_READ(len, tc_index),      SKB_CB(ANY),
    SKB_READ(hash, hash),         SKB_READ(napi_id, napi_id),
    SKB_READ(gso_segs, gso_segs), SKB_SOCK,
    SKB_READ(gso_size, gso_size),
};

static const struct range cgroup_skb[] = {
    SKB_READ(len, pkt_type),
    SKB_WRITE(mark),
    SKB_READ(queue_mapping, vlan_proto),
    SKB_WRITE(priority),
    SKB_READ(ingress_ifindex, tc_index),
    SKB_CB(ANY),
    SKB_READ(hash, hash),
    PACKET(data),
    PACKET_END(data_end),
    SKB_READ(napi_id, napi_id),
    SKB_ADDRESSES,
    SKB_QUAD(tstamp, QUAD),
    SKB_READ(gso_segs, gso_segs),
    SKB_SOCK,
    SKB_READ(gso_size, gso_size),
    SKB_QUAD(hwtstamp, 0),
};

static const struct range sched_cls[] = {
    SKB_READ(len, pkt_type),
    SKB_WRITE(mark),
    SKB_WRITE(queue_mapping),
    SKB_READ(protocol, vlan_proto),
    SKB_WRITE(priority),
    SKB_READ(ingress_ifindex, ifindex),
    SKB_WRITE(tc_index),
    SKB_CB(ANY),
    SKB_READ(hash, hash),
    SKB_WRITE(tc_classid),
    PACKET(data),
    PACKET_END(data_end),
    SKB_READ(napi_id, napi_id),
    {SKB(data_meta, data_meta), WORD, 0, EBPF_CTX_PACKET_META, 0, 0},
    SKB_QUAD(tstamp, QUAD),
    SKB_READ(wire_len, gso_segs),
    SKB_SOCK,
    SKB_READ(gso_size, gso_size),
    {180, 181, 1, 0, EBPF_CTX_NUMBER, 0, 0}, /* tstamp_type */
    SKB_QUAD(hwtstamp, 0),
};

static const struct range lwt[] = {
    SKB_READ(len, pkt_type),
    SKB_WRITE(mark),
    SKB_READ(queue_mapping, vlan_proto),
    SKB_WRITE(priority),
    SKB_READ(ingress_ifindex, tc_index),
    SKB_CB(ANY),
    SKB_READ(hash, hash),
    PACKET(data),
    PACKET_END(data_end),
    SKB_READ(napi_id, napi_id),
    SKB_READ(gso_segs, gso_segs),
    SKB_SOCK,
    SKB_READ(gso_size, gso_size),
};

static const struct range sk_skb[] = {
    SKB_READ(len, pkt_type),
    SKB_READ(queue_mapping, vlan_proto),
    SKB_WRITE(priority),
    SKB_READ(ingress_ifindex, ifindex),
    SKB_WRITE(tc_index),
    SKB_CB(0),
    SKB_READ(hash, hash),
    PACKET(data),
    PACKET_END(data_end),
    SKB_READ(napi_id, napi_id),
    SKB_ADDRESSES,
    SKB_READ(gso_segs, gso_segs),
    SKB_SOCK,
    SKB_READ(gso_size, gso_size),
};

static const struct range flow_dissector[] = {
    PACKET(data),
    PACKET_END(data_end),
    {SKB(flow_keys, flow_keys), QUAD, 0, EBPF_CTX_FLOW_KEYS, 0, 0},
};

#define MD(field) offsetof(struct xdp_md, field), END(xdp_md, field)
static const struct range xdp[] = {
    {MD(data), WORD, 0, EBPF_CTX_PACKET, 0, 0},
    {MD(data_end), WORD, 0, EBPF_CTX_PACKET_END, 0, 0},
    {MD(data_meta), WORD, 0, EBPF_CTX_PACKET_META, 0, 0},
    {MD(ingress_ifindex), WORD, 0, EBPF_CTX_NUMBER, 0, 0},
    {MD(rx_queue_index), WORD, 0, EBPF_CTX_NUMBER, 0, 0},
    {MD(egress_ifindex), WORD, 0, EBPF_CTX_NUMBER, ATTACH(XDP_DEVMAP), 0},
};

/* ---- tracing: x86-64's struct pt_regs has 168 bytes ------------------------------------------ */

static const struct range kprobe[] = {{0, 168, ANY, 0, EBPF_CTX_NUMBER, 0, 0}};
/* the first word is the kernel's */
static const struct range tracepoint[] = {{8, 8192, ANY, 0, EBPF_CTX_NUMBER, 0, 0}};
static const struct range perf_event[] = {
    {0, 168, QUAD, 0, EBPF_CTX_NUMBER, 0, 0},  /* regs */
    {168, 184, ANY, 0, EBPF_CTX_NUMBER, 0, 0}, /* sample_period, addr */
};
static const struct range raw_tracepoint[] = {
    {0, 96, ANY, 0, EBPF_CTX_NUMBER, 0, 0}}; /* args[12] */
static const struct range raw_tracepoint_writable[] = {
    {0, 8, QUAD, 0, EBPF_CTX_BUFFER, 0, 0},
    {1, 8, NARROW, 0, EBPF_CTX_NUMBER, 0, 0}, /* of the buffer's address, but not its first bytes */
    {8, 96, ANY, 0, EBPF_CTX_NUMBER, 0, 0},
};
static const struct range syscall_ctx[] = {{0, 65535, ANY, ANY, EBPF_CTX_NUMBER, 0, 0}};
static const struct range lirc_mode2[] = {{0, 4, WORD, 0, EBPF_CTX_NUMBER, 0, 0}};
/* Pointers to the kernel's structs, which are numbers to those who have no BTF of the kernel. */
static const struct range netfilter[] = {{0, 16, QUAD, 0, EBPF_CTX_NUMBER, 0, 0}};

/* ---- cgroups and sockets --------------------------------------------------------------------- */

#define INET_SOCK (ATTACH(CGROUP_INET_SOCK_CREATE) | ATTACH(CGROUP_INET_SOCK_RELEASE))
#define POST_BIND4 ATTACH(CGROUP_INET4_POST_BIND)
#define POST_BIND6 ATTACH(CGROUP_INET6_POST_BIND)

static const struct range cgroup_sock[] = {
    {0, 4, WORD, WORD, EBPF_CTX_NUMBER, INET_SOCK, INET_SOCK},                /* bound_dev_if */
    {4, 8, NARROW | FIRST, 0, EBPF_CTX_NUMBER, 0, 0},                         /* family */
    {8, 12, NARROW | FIRST, 0, EBPF_CTX_NUMBER, 0, 0},                        /* type */
    {12, 16, NARROW | FIRST, 0, EBPF_CTX_NUMBER, 0, 0},                       /* protocol */
    {16, 24, WORD, WORD, EBPF_CTX_NUMBER, INET_SOCK, INET_SOCK},              /* mark, priority */
    {24, 28, NARROW, 0, EBPF_CTX_NUMBER, POST_BIND4, 0},                      /* src_ip4 */
    {28, 44, NARROW, 0, EBPF_CTX_NUMBER, POST_BIND6, 0},                      /* src_ip6 */
    {44, 48, NARROW | FIRST, 0, EBPF_CTX_NUMBER, POST_BIND4 | POST_BIND6, 0}, /* src_port */
    {48, 52, WORD, 0, EBPF_CTX_NUMBER, 0, 0}, /* dst_port, and padding */
    {48, 50, NARROW, 0, EBPF_CTX_NUMBER, 0, 0},
    {52, 72, NARROW, 0, EBPF_CTX_NUMBER, 0, 0},         /* dst_ip4, dst_ip6 */
    {72, 76, NARROW | FIRST, 0, EBPF_CTX_NUMBER, 0, 0}, /* state */
    {76, 80, NARROW | FIRST, 0, EBPF_CTX_NUMBER, 0, 0}, /* rx_queue_mapping */
};

#define FAMILY4                                                                                    \
    (ATTACH(CGROUP_INET4_BIND) | ATTACH(CGROUP_INET4_CONNECT) | ATTACH(CGROUP_INET4_GETPEERNAME) | \
     ATTACH(CGROUP_INET4_GETSOCKNAME) | ATTACH(CGROUP_UDP4_SENDMSG) | ATTACH(CGROUP_UDP4_RECVMSG))
#define FAMILY6                                                                                    \
    (ATTACH(CGROUP_INET6_BIND) | ATTACH(CGROUP_INET6_CONNECT) | ATTACH(CGROUP_INET6_GETPEERNAME) | \
     ATTACH(CGROUP_INET6_GETSOCKNAME) | ATTACH(CGROUP_UDP6_SENDMSG) | ATTACH(CGROUP_UDP6_RECVMSG))

static const struct range cgroup_sock_addr[] = {
    {0, 4, WORD, 0, EBPF_CTX_NUMBER, 0, 0},                       /* user_family */
    {4, 8, NARROW, WORD, EBPF_CTX_NUMBER, FAMILY4, FAMILY4},      /* user_ip4 */
    {8, 24, ANY, WORD | QUAD, EBPF_CTX_NUMBER, FAMILY6, FAMILY6}, /* user_ip6 */
    {24, 28, NARROW, WORD, EBPF_CTX_NUMBER, 0, 0},                /* user_port */
    {28, 40, WORD, 0, EBPF_CTX_NUMBER, 0, 0},                     /* family, type, protocol */
    {40, 44, NARROW, WORD, EBPF_CTX_NUMBER, ATTACH(CGROUP_UDP4_SENDMSG), /* msg_src_ip4 */
     ATTACH(CGROUP_UDP4_SENDMSG)},
    {44, 60, ANY, WORD | QUAD, EBPF_CTX_NUMBER, ATTACH(CGROUP_UDP6_SENDMSG), /* msg_src_ip6 */
     ATTACH(CGROUP_UDP6_SENDMSG)},
    {64, 72, QUAD, 0, EBPF_CTX_SOCK, 0, 0}, /* sk */
};

static const struct range cgroup_device[] = {
    {0, 4, NARROW, 0, EBPF_CTX_NUMBER, 0, 0}, /* access_type */
    {4, 12, WORD, 0, EBPF_CTX_NUMBER, 0, 0},  /* major, minor */
};

static const struct range cgroup_sysctl[] = {
    {0, 4, NARROW, 0, EBPF_CTX_NUMBER, 0, 0},    /* write */
    {4, 8, NARROW, WORD, EBPF_CTX_NUMBER, 0, 0}, /* file_pos */
};

static const struct range cgroup_sockopt[] = {
    {0, 8, QUAD, 0, EBPF_CTX_SOCK, 0, 0},
    {8, 16, QUAD, 0, EBPF_CTX_PACKET, 0, 0},                             /* optval */
    {16, 24, QUAD, 0, EBPF_CTX_PACKET_END, 0, 0},                        /* optval_end */
    {24, 32, WORD, WORD, EBPF_CTX_NUMBER, 0, ATTACH(CGROUP_SETSOCKOPT)}, /* level, optname */
    {32, 36, WORD, WORD, EBPF_CTX_NUMBER, 0, 0},                         /* optlen */
    {36, 40, WORD, WORD, EBPF_CTX_NUMBER, ATTACH(CGROUP_GETSOCKOPT), ATTACH(CGROUP_GETSOCKOPT)},
};

static const struct range sock_ops[] = {
    {0, 4, WORD, 0, EBPF_CTX_NUMBER, 0, 0},
    {4, 8, WORD, WORD, EBPF_CTX_NUMBER, 0, 0}, /* reply */
    {8, 164, WORD, 0, EBPF_CTX_NUMBER, 0, 0},
    {164, 168, WORD, WORD, EBPF_CTX_NUMBER, 0, 0}, /* sk_txhash */
    {168, 184, QUAD, 0, EBPF_CTX_NUMBER, 0, 0},    /* bytes_received, bytes_acked */
    {184, 192, QUAD, 0, EBPF_CTX_SOCK_OR_NULL, 0, 0},
    {192, 200, QUAD, 0, EBPF_CTX_PACKET, 0, 0},
    {200, 208, QUAD, 0, EBPF_CTX_PACKET_END, 0, 0},
    {208, 212, WORD, 0, EBPF_CTX_NUMBER, 0, 0},           /* skb_len */
    {212, 216, NARROW | FIRST, 0, EBPF_CTX_NUMBER, 0, 0}, /* skb_tcp_flags */
    {216, 224, QUAD, 0, EBPF_CTX_NUMBER, 0, 0},           /* skb_hwtstamp */
};

static const struct range sk_msg[] = {
    {0, 8, QUAD, 0, EBPF_CTX_PACKET, 0, 0},
    {8, 16, QUAD, 0, EBPF_CTX_PACKET_END, 0, 0},
    {16, 72, WORD, 0, EBPF_CTX_NUMBER, 0, 0}, /* family, addresses, ports, size */
    {72, 80, QUAD, 0, EBPF_CTX_SOCK, 0, 0},
};

static const struct range sk_reuseport[] = {
    {0, 8, QUAD, 0, EBPF_CTX_PACKET, 0, 0},
    {8, 16, QUAD, 0, EBPF_CTX_PACKET_END, 0, 0},
    {16, 20, NARROW, 0, EBPF_CTX_NUMBER, 0, 0},   /* len */
    {20, 24, 2 | WORD, 0, EBPF_CTX_NUMBER, 0, 0}, /* eth_protocol */
    {24, 32, NARROW, 0, EBPF_CTX_NUMBER, 0, 0},   /* ip_protocol, bind_inany */
    {32, 36, WORD, 0, EBPF_CTX_NUMBER, 0, 0},     /* hash */
    {40, 48, QUAD, 0, EBPF_CTX_SOCK, 0, 0},
    {48, 56, QUAD, 0, EBPF_CTX_SOCK_COMMON_OR_NULL, 0, 0}, /* migrating_sk */
};

static const struct range sk_lookup[] = {
    {0, 8, QUAD, 0, EBPF_CTX_SOCK_OR_NULL, 0, 0},
    {8, 36, NARROW, 0, EBPF_CTX_NUMBER, 0, 0},  /* family, protocol, remote addresses */
    {36, 40, NARROW, 0, EBPF_CTX_NUMBER, 0, 0}, /* remote_port, and padding */
    {40, 68, NARROW, 0, EBPF_CTX_NUMBER, 0, 0}, /* local addresses and port, ingress_ifindex */
};

/* ---- the rule -------------------------------------------------------------------------------- */

static bool allows(const struct range *r, uint32_t attach, int off, unsigned size, bool write)
{
    uint64_t who = write ? r->writer : r->reader;

    if (off < r->from || off + (int)size > r->to)
        return false;
    if (!((write ? r->writes : r->reads) & size))
        return false;
    if (!write && r->reads & FIRST && size < WORD && off != r->from)
        return false;
    return !who || (attach < 64 && who >> attach & 1);
}

static bool look(const struct range *rows, size_t count, uint32_t attach, int off, unsigned size,
                 bool write, enum ebpf_ctx_kind *kind)
{
    if (off < 0 || off % (int)size)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (allows(&rows[i], attach, off, size, write)) {
            *kind = (enum ebpf_ctx_kind)rows[i].kind;
            return true;
        }
    }
    return false;
}

/* Every table as a function of the kind that struct ebpf_prog_type wants. */
#define TYPES(X)                                                \
    X(SOCKET_FILTER, socket_filter, sizeof(struct __sk_buff))   \
    X(KPROBE, kprobe, 168)                                      \
    X(SCHED_CLS, sched_cls, sizeof(struct __sk_buff))           \
    X(SCHED_ACT, sched_cls, sizeof(struct __sk_buff))           \
    X(TRACEPOINT, tracepoint, 8192)                             \
    X(XDP, xdp, sizeof(struct xdp_md))                          \
    X(PERF_EVENT, perf_event, 184)                              \
    X(CGROUP_SKB, cgroup_skb, sizeof(struct __sk_buff))         \
    X(CGROUP_SOCK, cgroup_sock, 80)                             \
    X(LWT_IN, lwt, sizeof(struct __sk_buff))                    \
    X(LWT_OUT, lwt, sizeof(struct __sk_buff))                   \
    X(LWT_XMIT, lwt, sizeof(struct __sk_buff))                  \
    X(LWT_SEG6LOCAL, lwt, sizeof(struct __sk_buff))             \
    X(SOCK_OPS, sock_ops, 224)                                  \
    X(SK_SKB, sk_skb, sizeof(struct __sk_buff))                 \
    X(CGROUP_DEVICE, cgroup_device, 12)                         \
    X(SK_MSG, sk_msg, 80)                                       \
    X(RAW_TRACEPOINT, raw_tracepoint, 96)                       \
    X(CGROUP_SOCK_ADDR, cgroup_sock_addr, 72)                   \
    X(LIRC_MODE2, lirc_mode2, 4)                                \
    X(SK_REUSEPORT, sk_reuseport, 56)                           \
    X(FLOW_DISSECTOR, flow_dissector, sizeof(struct __sk_buff)) \
    X(CGROUP_SYSCTL, cgroup_sysctl, 8)                          \
    X(RAW_TRACEPOINT_WRITABLE, raw_tracepoint_writable, 96)     \
    X(CGROUP_SOCKOPT, cgroup_sockopt, 40)                       \
    X(SK_LOOKUP, sk_lookup, 72)                                 \
    X(SYSCALL, syscall_ctx, 65535)                              \
    X(NETFILTER, netfilter, 16)

#define ACCESS(type, rows, bytes)                                                  \
    static bool access_##type(uint32_t attach, int off, unsigned size, bool write, \
                              enum ebpf_ctx_kind *kind)                            \
    {                                                                              \
        return look(rows, EBPF_ARRAY_SIZE(rows), attach, off, size, write, kind);  \
    }
TYPES(ACCESS)

linux_ctx_access linux_ctx(uint32_t prog_type, uint32_t *ctx_size)
{
    static const struct {
        linux_ctx_access access;
        uint32_t size;
    } types[] = {
#define ROW(type, rows, bytes) [BPF_PROG_TYPE_##type] = {access_##type, bytes},
        TYPES(ROW)
#undef ROW
    };

    if (prog_type >= EBPF_ARRAY_SIZE(types) || !types[prog_type].access)
        return NULL;
    *ctx_size = types[prog_type].size;
    return types[prog_type].access;
}
