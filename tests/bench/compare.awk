# SPDX-License-Identifier: MIT
# compare.awk side=ours CONSOLE side=linux CONSOLE: the RUN lines of both sides (guest_run.c, linux_run.c) become the
# table. Exit status 1 if a return value differs, one side is missing, or ours was interpreted.

$1 == "RUN" || $1 == "UNSUPPORTED" {
    name = $2; reason = ""
    for (i = 3; i <= NF; i++)
        if (split($i, pair, "=") == 2)
            value[pair[1]] = pair[2]
        else
            reason = reason " " $i
    key = value["obj"] SUBSEP name
    names[key] = name
    if ($1 == "UNSUPPORTED") {
        unsupported[side, key] = substr(reason, 2)
        next
    }
    if (((side, key) in ran) && got[side, key, "ret"] != value["ret"])
        complain(name " returns " got[side, key, "ret"] ", then " value["ret"] " (" side ")")
    got[side, key, "ret"] = value["ret"]
    keep_least("ns")
    keep_least("load")
    keep_least("jited")
    ran[side, key] = 1
    if (name == "empty")
        empty[side] = got[side, key, "ns"]
}

$1 == "UTHASH" && side == "ours" {
    sub(/^ns=/, "", $3)
    uthash[$2] = $3
}

# Of several rounds, what each figure was at least.
function keep_least(v) {
    if (!((side, key) in ran) || value[v] < got[side, key, v])
        got[side, key, v] = value[v]
}

function complain(text) {
    print "bench: " text >"/dev/stderr"
    failed = 1
    return 1
}

function ratio(ours, theirs) {
    return theirs > 0 ? (ours > 1 ? ours : 1) / theirs : 0
}

# "no map type 27" -> "no map type RINGBUF": enum bpf_map_type of linux/bpf.h
function named(reason,    n) {
    n = split("UNSPEC HASH ARRAY PROG_ARRAY PERF_EVENT_ARRAY PERCPU_HASH PERCPU_ARRAY STACK_TRACE CGROUP_ARRAY LRU_HASH " \
        "LRU_PERCPU_HASH LPM_TRIE ARRAY_OF_MAPS HASH_OF_MAPS DEVMAP SOCKMAP CPUMAP XSKMAP SOCKHASH CGROUP_STORAGE " \
        "REUSEPORT_SOCKARRAY PERCPU_CGROUP_STORAGE QUEUE STACK SK_STORAGE DEVMAP_HASH STRUCT_OPS RINGBUF " \
        "INODE_STORAGE TASK_STORAGE BLOOM_FILTER USER_RINGBUF CGRP_STORAGE ARENA", map_type, " ")
    if (match(reason, /^no map type [0-9]+$/) && substr(reason, 13) < n)
        return "no map type " map_type[substr(reason, 13) + 1]
    return reason
}

function row(key,    name, insns, theirs, r, b, wrong) {
    name = names[key]
    if (("ours", key) in unsupported || ("linux", key) in unsupported) {
        left_out++
        printf "BENCH %s unsupported: %s\n", name, \
            ("ours", key) in unsupported ? named(unsupported["ours", key]) : "Linux: " unsupported["linux", key] | sorted
        return
    }
    if (!(("ours", key) in ran) || !(("linux", key) in ran)) {
        complain(name " did not run on " (("ours", key) in ran ? "Linux" : "ours"))
        return
    }
    if (got["ours", key, "ret"] != got["linux", key, "ret"])
        wrong = complain(name " returns " got["ours", key, "ret"] ", on Linux " got["linux", key, "ret"])
    if (got["ours", key, "jited"] == 0)
        wrong = complain(name " was interpreted, not compiled")
    insns = got["ours", key, "ns"] - empty["ours"]
    theirs = got["linux", key, "ns"] - empty["linux"]
    r = ratio(insns, theirs)
    b = ratio(got["ours", key, "jited"], got["linux", key, "jited"])
    printf "BENCH %s ret=%s insns=%d linux=%d ratio=%s bytes=%d linux_bytes=%d load=%d linux_load=%d\n", name, \
        got["ours", key, "ret"], insns, theirs, r ? sprintf("%.3f", r) : "-", got["ours", key, "jited"], \
        got["linux", key, "jited"], got["ours", key, "load"], got["linux", key, "load"] | sorted
    if (wrong) {
        left_wrong++
        return
    }
    if (r) {
        log_insns += log(r)
        count_insns++
    } else {
        no_cost++
    }
    if (b) {
        log_bytes += log(b)
        count_bytes++
    }
}

# The same on a table of uthash in C, and how much less ours is.
function baseline(name,    key, insns) {
    key = name ".bpf.o" SUBSEP name
    if (!(("ours", key) in ran))
        return
    insns = got["ours", key, "ns"] - empty["ours"]
    printf "BASELINE uthash %s insns=%d ours=%d ratio=%.3f\n", name, uthash[name], insns, \
        ratio(insns, uthash[name]) | sorted
}

END {
    sorted = "LC_ALL=C sort"
    if (!("ours" in empty) || !("linux" in empty))
        complain("the program `empty`, which is subtracted, did not run on both sides")
    for (key in names)
        row(key)
    close(sorted)
    for (name in uthash)
        baseline(name)
    close(sorted)
    printf "# one run of `empty`, subtracted above: insns=%d linux=%d\n", empty["ours"], empty["linux"]
    printf "# in the means: %d programs for insns, %d for bytes; left out: %d unsupported, %d wrong; no ratio of insns: %d that " \
        "cost Linux nothing\n", count_insns, count_bytes, left_out, left_wrong, no_cost
    if (!count_insns || !count_bytes) {
        complain("nothing to compare")
    } else {
        printf "GEOMEAN insns=%.3f bytes=%.3f\n", exp(log_insns / count_insns), exp(log_bytes / count_bytes)
    }
    exit failed
}
