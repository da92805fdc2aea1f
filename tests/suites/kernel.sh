#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The teaching kernel's own tests, each in a boot of its own under qemu-system-riscv64.
set -u
cd "$(dirname "$0")/../.." || exit 1
export BUILD=${BUILD:-build}
unset MAKEFLAGS MAKELEVEL
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0

verdict() { # verdict NAME STATUS
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1"
        tail -n 25 "$tmp/out"
    fi
}

# A boot may take long where other work holds the machine: what waits for other harts waits for their host threads.
boot() { # boot HARTS COMMAND-LINE: the console without OpenSBI's part goes to $tmp/out
    timeout -k 5 "${LIMIT:-400}" qemu-system-riscv64 -machine virt -smp "$1" -m 128M -nographic -no-reboot \
        -kernel "$BUILD/demo/kernel.elf" -initrd "$BUILD/demo/initramfs.cpio" -append "$2" </dev/null 2>&1 |
        tr -d '\r' | sed -n '/^barebpf teaching kernel/,$p' >"$tmp/out"
}

selftest() { # selftest NAME HARTS [TEXT]: prints its ok, and TEXT (an extended expression)
    boot "$2" "test=$1"
    grep -qx "SELFTEST $1 ok" "$tmp/out" && grep -qE -- "${3:-}" "$tmp/out"
    verdict "$1 on $2 harts" $?
    [ "$(sed -n 's/^deepest kernel stack: \([0-9]*\) of 4096.*/\1/p' "$tmp/out")" -le 3072 ] 2>/dev/null
    verdict "$1 on $2 harts leaves a quarter of its stack" $?
    grep -E "^($1|deepest kernel stack):? " "$tmp/out" | sed "s/^/NOTE /"
}

make --no-print-directory demo-kernel initramfs >"$tmp/out" 2>&1
verdict "kernel and initramfs build" $?

selftest sched 4
selftest sched 1
selftest memory 4
selftest faults 4
selftest kprobe 4
selftest embedded 4 '^hello from thread [0-9]+$'
[ "$(grep -c '^hello from thread' "$tmp/out")" = 1 ]
verdict "a closed object prints no more" $?
selftest stack 4
selftest link 4
boot 4 test=overflow
grep -q 'panic .*kernel stack overflow' "$tmp/out"
verdict "a stack overflow is noticed" $?
boot 4 init=/bin/systest
grep -qE '^SYSTEST ok' "$tmp/out"
verdict "system calls" $?

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
