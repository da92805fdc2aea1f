#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The teaching kernel's own tests, each in a boot of its own under qemu-system-riscv64.
. "$(dirname "$0")/../lib.sh"

build_kernel

selftest sched 4
selftest sched 1
selftest memory 4
selftest faults 4
selftest kprobe 4
selftest embedded 4 '^hello from thread [0-9]+$'
[ "$(grep -c '^hello from thread' "$tmp/out")" = 1 ]
verdict "a closed object prints no more" $?
selftest stack 4
selftest counters 4
selftest link 4
boot 4 test=overflow
grep -q 'panic .*kernel stack overflow' "$tmp/out"
verdict "a stack overflow is noticed" $?
boot 4 init=/bin/systest
grep -qE '^SYSTEST ok' "$tmp/out"
verdict "system calls" $?
for harts in 4 1; do
    boot "$harts" init=/bin/hooks
    grep -qE '^HOOKS ok' "$tmp/out"
    verdict "poll, epoll, tasks, stacks, signals from user mode on $harts harts" $?
    shallow "hooks on $harts harts"
    boot "$harts" init=/bin/rings
    grep -qE '^RINGS ok' "$tmp/out"
    verdict "mapped arrays and rings, and lies in them, from user mode on $harts harts" $?
    shallow "rings on $harts harts"
done

finish
