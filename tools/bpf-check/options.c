/* SPDX-License-Identifier: MIT */
/* The command line of bpf-check. */
#include "tools/bpf-check/check.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebpf/uapi.h>

#include "src/base/bits.h"

static const char usage[] =
    "usage: bpf-check [--linux] [--type TYPE] [--prog NAME] [--flags FLAG[,FLAG]...] [--log "
    "LEVEL]\n"
    "                 [--timeout SECONDS] OBJECT...\n"
    "\n"
    "Would barebpf load the programs of these objects? Each goes through the ELF loader, the\n"
    "verifier and the RV64 compiler, in a process of its own; nothing runs. One line per program:\n"
    "\n"
    "    OBJECT <tab> PROGRAM <tab> accept|reject <tab> ERRNO <tab> PROCESSED <tab> LAST LOG LINE\n"
    "\n"
    "PROCESSED counts instructions that the verifier looked at, over all paths. PROGRAM is \"-\"\n"
    "where the object as a whole cannot be opened. A check that crashes or takes too long is a\n"
    "reject whose line says so.\n"
    "\n"
    "  --linux          assume all that Linux 6.18 (x86-64) has: its helpers, program types,\n"
    "                   contexts and map types, and that objects were compiled with its types\n"
    "                   (CO-RE); without it, what this build has\n"
    "  --type TYPE      check as this type, whatever the sections say: xdp, socket_filter, "
    "kprobe,\n"
    "                   sched_cls, ... or its number\n"
    "  --prog NAME      only this program\n"
    "  --flags FLAGS    of BPF_PROG_LOAD: BPF_F_STRICT_ALIGNMENT, BPF_F_ANY_ALIGNMENT,\n"
    "                   BPF_F_TEST_STATE_FREQ, BPF_F_SLEEPABLE, ... or a number\n"
    "  --log LEVEL      the verifier's log to stderr: 1 the path to an error, 2 every instruction\n"
    "                   with its state, 4 statistics; they add up\n"
    "  --timeout N      seconds for one program (default 60)\n"
    "\n"
    "Exit status: 0 all accepted; 1 some rejected; 2 wrong usage, or a file that cannot be read;\n"
    "3 a check crashed or took too long.\n";

static void die(const char *why, const char *what)
{
    fprintf(stderr, "bpf-check: %s%s\n", why, what);
    exit(2);
}

struct named {
    const char *name;
    uint32_t value;
};

static const struct named types[] = {
    {"socket_filter", BPF_PROG_TYPE_SOCKET_FILTER},
    {"kprobe", BPF_PROG_TYPE_KPROBE},
    {"sched_cls", BPF_PROG_TYPE_SCHED_CLS},
    {"sched_act", BPF_PROG_TYPE_SCHED_ACT},
    {"tracepoint", BPF_PROG_TYPE_TRACEPOINT},
    {"xdp", BPF_PROG_TYPE_XDP},
    {"perf_event", BPF_PROG_TYPE_PERF_EVENT},
    {"cgroup_skb", BPF_PROG_TYPE_CGROUP_SKB},
    {"cgroup_sock", BPF_PROG_TYPE_CGROUP_SOCK},
    {"lwt_in", BPF_PROG_TYPE_LWT_IN},
    {"lwt_out", BPF_PROG_TYPE_LWT_OUT},
    {"lwt_xmit", BPF_PROG_TYPE_LWT_XMIT},
    {"sock_ops", BPF_PROG_TYPE_SOCK_OPS},
    {"sk_skb", BPF_PROG_TYPE_SK_SKB},
    {"cgroup_device", BPF_PROG_TYPE_CGROUP_DEVICE},
    {"sk_msg", BPF_PROG_TYPE_SK_MSG},
    {"raw_tracepoint", BPF_PROG_TYPE_RAW_TRACEPOINT},
    {"cgroup_sock_addr", BPF_PROG_TYPE_CGROUP_SOCK_ADDR},
    {"lwt_seg6local", BPF_PROG_TYPE_LWT_SEG6LOCAL},
    {"lirc_mode2", BPF_PROG_TYPE_LIRC_MODE2},
    {"sk_reuseport", BPF_PROG_TYPE_SK_REUSEPORT},
    {"flow_dissector", BPF_PROG_TYPE_FLOW_DISSECTOR},
    {"cgroup_sysctl", BPF_PROG_TYPE_CGROUP_SYSCTL},
    {"raw_tracepoint_writable", BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE},
    {"cgroup_sockopt", BPF_PROG_TYPE_CGROUP_SOCKOPT},
    {"sk_lookup", BPF_PROG_TYPE_SK_LOOKUP},
    {"syscall", BPF_PROG_TYPE_SYSCALL},
    {"netfilter", BPF_PROG_TYPE_NETFILTER},
};

static const struct named flags[] = {
    {"BPF_F_STRICT_ALIGNMENT", BPF_F_STRICT_ALIGNMENT},
    {"BPF_F_ANY_ALIGNMENT", BPF_F_ANY_ALIGNMENT},
    {"BPF_F_TEST_RND_HI32", BPF_F_TEST_RND_HI32},
    {"BPF_F_TEST_STATE_FREQ", BPF_F_TEST_STATE_FREQ},
    {"BPF_F_SLEEPABLE", BPF_F_SLEEPABLE},
    {"BPF_F_XDP_HAS_FRAGS", BPF_F_XDP_HAS_FRAGS},
    {"BPF_F_TEST_REG_INVARIANTS", BPF_F_TEST_REG_INVARIANTS},
};

/* All of text as a number, decimal, octal or hexadecimal. */
static bool number(const char *text, uint32_t *out)
{
    char *end;
    unsigned long value = strtoul(text, &end, 0);

    *out = (uint32_t)value;
    return *text >= '0' && *text <= '9' && !*end && value <= UINT32_MAX;
}

static uint32_t lookup(const struct named *table, size_t count, const char *name, const char *what)
{
    uint32_t value = 0;

    for (size_t i = 0; i < count; i++) {
        if (!strcmp(table[i].name, name))
            return table[i].value;
    }
    if (!number(name, &value))
        die(what, name);
    return value;
}

static uint32_t parse_flags(char *list)
{
    uint32_t sum = 0;

    for (char *name = strtok(list, ","); name; name = strtok(NULL, ","))
        sum |= lookup(flags, EBPF_ARRAY_SIZE(flags), name, "unknown flag: ");
    return sum;
}

int options_parse(struct options *out, int argc, char **argv)
{
    static const struct option longs[] = {
        {"linux", no_argument, NULL, 'l'},      {"type", required_argument, NULL, 't'},
        {"prog", required_argument, NULL, 'p'}, {"flags", required_argument, NULL, 'f'},
        {"log", required_argument, NULL, 'v'},  {"timeout", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0},
    };
    int c;

    *out = (struct options){.timeout = 60};
    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (c == 'l')
            out->linux_tables = true;
        else if (c == 't')
            out->type = lookup(types, EBPF_ARRAY_SIZE(types), optarg, "unknown program type: ");
        else if (c == 'p')
            out->prog = optarg;
        else if (c == 'f')
            out->flags |= parse_flags(optarg);
        else if (c == 'v' && (!number(optarg, &out->log_level) || out->log_level > 7))
            die("not a log level: ", optarg);
        else if (c == 's' && (!number(optarg, &out->timeout) || !out->timeout))
            die("not a number of seconds: ", optarg);
        else if (c == 'h') {
            fputs(usage, stdout);
            exit(0);
        } else if (c == '?') {
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind == argc) {
        fputs(usage, stderr);
        exit(2);
    }
    return optind;
}
