# SPDX-License-Identifier: MIT
# kprobe.awk side=ours CONSOLE side=linux CONSOLE: HIT and REFUSED lines (guest_kprobe.c, linux_kprobe.c) become the table.
# Exit status 1 if a program was never hit on one side.

$1 == "BASE" { base[side] = substr($2, 4) }
$1 == "HIT" || $1 == "REFUSED" {
    off = substr($3, 5) + 0
    cost[side, $2, off] = $1 == "HIT" ? substr($4, 4) + 0 : "refused"
    if ($1 == "HIT") {
        sum[side, $2] += substr($4, 4)
        hits[side, $2]++
    }
    if (side == "ours")
        order[++n] = $2 SUBSEP off
    if (!seen[$2]++)
        progs[++n_progs] = $2
}

function complain(text) {
    print "bench: " text >"/dev/stderr"
    return 1
}

END {
    for (i = 1; i <= n; i++) {
        split(order[i], at, SUBSEP)
        theirs = (("linux", at[1], at[2]) in cost) ? cost["linux", at[1], at[2]] : "-"
        printf "KPROBE %s off=%d insns=%s linux=%s\n", at[1], at[2], cost["ours", at[1], at[2]], theirs
    }
    for (i = 1; i <= n_progs; i++) {
        if (!hits["ours", progs[i]] || !hits["linux", progs[i]])
            failed = complain(progs[i] " was not hit on both sides")
        else
            printf "# %s, mean of all offsets that took a probe: insns=%.0f linux=%.0f\n", progs[i], \
                sum["ours", progs[i]] / hits["ours", progs[i]], sum["linux", progs[i]] / hits["linux", progs[i]]
    }
    if (!n)
        failed = complain("nothing was measured")
    printf "# getppid(2) without a probe: insns=%d linux=%d\n", base["ours"], base["linux"]
    exit failed
}
