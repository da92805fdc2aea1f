#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Boots the teaching kernel on four harts. At a terminal: its shell (Ctrl-A X leaves QEMU). With AUTO=1, CI=true or without a
# terminal on standard input: init runs /bin/demo-auto and powers off, and the console's output is checked here.
#   run.sh --check FILE     only checks what an earlier run printed
set -u
cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build}
kernel=$build/demo/kernel.elf
nm=${NM:-riscv64-unknown-elf-nm}
limit=${LIMIT:-120}
qemu=(qemu-system-riscv64 -machine virt -smp 4 -m 128M -nographic -no-reboot -kernel "$kernel" -initrd "$build/demo/initramfs.cpio")

if [ "${1:-}" != --check ] && [ "${CI:-}" != true ] && [ "${AUTO:-0}" != 1 ] && [ -t 0 ]; then
    echo "programs: lathist, context, maps, live, demo-auto; help lists the rest; poweroff, or Ctrl-A X, ends"
    exec "${qemu[@]}"
fi

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if [ "${1:-}" = --check ]; then
    cp "$2" "$tmp/console" || exit 1
    status=0
else
    timeout -k 5 "$limit" "${qemu[@]}" -append "AUTO=1" </dev/null 2>&1 | tr -d '\r' | tee "$tmp/console"
    status=${PIPESTATUS[0]}
fi
failed=0

fail() {
    echo "demo: $*" >&2
    failed=1
}

# The console between the beginning of one part and its verdict, which must be "ok".
part() { # part TITLE FILE
    sed -n "/^DEMO $1: begins\$/,/^DEMO $1: /p" "$tmp/console" >"$2"
    [ "$(tail -n 1 "$2")" = "DEMO $1: ok" ] && return
    fail "$1 did not end with ok"
    return 1
}

check_lathist() {
    local rows sum line
    part "(a) lathist" "$tmp/a" || return
    # "   4096 -> 8191  : 123  |****   |": the rows' counts must be the total that the program says
    rows=$(grep -cE '^ +[0-9]+ -> [0-9]+ +: [0-9]+ +\|[* ]{40}\|$' "$tmp/a")
    sum=$(awk '/ -> .* : .*\|/ {n += $5} END {print n + 0}' "$tmp/a")
    line=$(grep -E '^lathist: [0-9]+ samples, [0-9]+ misses, [0-9]+ opens: ok$' "$tmp/a")
    [ "$rows" -ge 1 ] || fail "(a) no histogram"
    grep -qE '\|\*{40}\|$' "$tmp/a" || fail "(a) the largest bucket's bar is not full"
    [ -n "$line" ] || fail "(a) no total"
    set -- $line
    [ "${2:-0}" -gt 100 ] || fail "(a) only ${2:-0} samples"
    [ "$sum" = "${2:-none}" ] || fail "(a) the rows add up to $sum, not ${2:-none}"
    [ "$((${2:-0} + ${4:-0}))" = "${6:-none}" ] || fail "(a) samples and misses are not the opens"
}

# Line n of the block that the BPF program printed: 0 the address, 1 r0, ... 33 the kernel's own line.
block() {
    sed -n "$(($1 + 1))p" "$tmp/block"
}
register() {
    block $(($1 + 1)) | sed -n "s/^r$1 = //p"
}

check_context() {
    local addr call i
    part "(b) context" "$tmp/b" || return
    [ "$(grep -c '^kprobe addr = ' "$tmp/b")" = 1 ] || fail "(b) not exactly one hit is shown"
    grep -A 33 '^kprobe addr = ' "$tmp/b" >"$tmp/block"
    addr=0x$($nm "$kernel" | awk '$3 == "sys_openat" {print $1}')
    [ "$(block 0)" = "kprobe addr = $addr" ] || fail "(b) '$(block 0)', but sys_openat is at $addr"
    for i in $(seq 0 31); do
        [[ $(block $((i + 1))) =~ ^r$i\ =\ 0x[0-9a-f]+$ ]] || fail "(b) no line for r$i in its place"
    done
    [ "$(register 0)" = 0x0 ] || fail "(b) r0 is $(register 0)"
    [[ $(register 2) =~ ^0xffff[0-9a-f]{12}$ ]] || fail "(b) r2, the stack pointer, is $(register 2)"
    [[ $(register 1) =~ ^0xffff[0-9a-f]{12}$ ]] || fail "(b) r1, the return address, is $(register 1)"
    # what the program said that it would pass
    call=$(grep '^context: openat(' "$tmp/b" | tr -d '(),' | sed 's/.*openat//')
    set -- $call
    [ "$(register 10)" = "${2:-none}" ] || fail "(b) r10 is $(register 10), dfd ${2:-none}"
    [ "$(register 11)" = "${4:-none}" ] || fail "(b) r11 is $(register 11), path ${4:-none}"
    [ "$(register 12)" = "${6:-none}" ] || fail "(b) r12 is $(register 12), flags ${6:-none}"
    [ "$(register 13)" = "${8:-none}" ] || fail "(b) r13 is $(register 13), mode ${8:-none}"
    # only then the function itself, which shows the same; and once more after the probe is gone
    [[ $(block 33) =~ ^sys_openat:\ dfd\ -100,\ path\ .*bin/context,\ flags\ ${6:-none},\ mode\ ${8:-none}$ ]] ||
        fail "(b) '$(block 33)' follows the registers"
    [ "$(grep -c '^sys_openat: dfd' "$tmp/b")" = 2 ] || fail "(b) the call was not made twice"
}

check_maps() {
    local oks line
    part "(c) maps" "$tmp/c" || return
    oks=$(grep -c '^ok   ' "$tmp/c")
    line=$(grep -E '^maps: [0-9]+ checks, 0 failed$' "$tmp/c")
    set -- $line
    [ "${2:-0}" -ge 50 ] || fail "(c) only ${2:-0} checks"
    [ "$oks" = "${2:-none}" ] || fail "(c) $oks lines of ${2:-none} checks"
    ! grep -q '^FAIL' "$tmp/c" || fail "(c) a check failed"
}

check_live() {
    local line name
    part "(d) live" "$tmp/d" || return
    # every number is there twice: in the lines as things happened, and in the sum
    line=$(grep -E '^live: [0-9]+ opens, [0-9]+ records, [0-9]+ exits, [0-9]+ stacks: ok$' "$tmp/d" | tr -d ,)
    [ -n "$line" ] || fail "(d) no total"
    set -- $line
    [ "$(grep -cE '^live: live\[[0-9]+\] has opened [0-9]+0 files, [0-9]+ in all$' "$tmp/d")" = "${4:-none}" ] ||
        fail "(d) not the ${4:-none} records"
    [ "$(grep -cE '^live: \[[0-9]+\] ends with status 0 on CPU [0-9]+$' "$tmp/d")" = "${6:-none}" ] ||
        fail "(d) not the ${6:-none} exits"
    [ "$(grep -E 'has opened' "$tmp/d" | awk '$7 > n {n = $7} END {print n + 0}')" -le "${2:-0}" ] ||
        fail "(d) more opens in the variable than in the sum"
    grep -qE '^ +[0-9]+  wait_on < ' "$tmp/d" || fail "(d) no stack"
    for name in $(sed -nE 's/^ +[0-9]+  (wait_on.*)/\1/p' "$tmp/d" | tr -d '<'); do
        $nm "$kernel" | awk -v name="$name" '$3 == name {found = 1} END {exit !found}' ||
            fail "(d) $name is no function of the kernel"
    done
}

[ "$status" = 0 ] || fail "QEMU's exit status is $status (124: $limit seconds are over)"
grep -q '^INIT exit status 0$' "$tmp/console" || fail "init did not report success"
check_lathist
check_context
check_maps
check_live
if [ $failed = 0 ]; then
    echo "demo: (a) lathist, (b) context, (c) maps, (d) live: all ok"
else
    echo "demo: FAILED; the last lines of the console:" >&2
    tail -n 40 "$tmp/console" >&2
fi
exit $failed
