#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a kprobe hit costs in the teaching kernel and on Linux: see docs/BENCH.md. `make bench-kprobe` builds what this wants.
# Each offset where our handler of getppid(2) has one of its first instructions; Linux's function has others.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/bench/common.sh
. tests/bench/common.sh
failed=0

addr=$("${NM:-riscv64-unknown-elf-nm}" "$build/demo/kernel.elf" | awk '$3 == "sys_getppid" {print $1}')
[ -n "$addr" ] || { echo "bench: the kernel has no sys_getppid" >&2; exit 1; }
offsets=$("${OBJDUMP:-riscv64-unknown-elf-objdump}" -d --start-address="0x$addr" --stop-address="$((0x$addr + 24))" \
    "$build/demo/kernel.elf" | awk '/^ *[0-9a-f]+:\t/ {print at; at += length($2) / 2}' at=0 | tr '\n' ' ')
boot_ours "$out/kprobe-ours.log" "$out/kprobe.cpio" "init=/bin/kprobe 0x$addr $offsets" || failed=1
boot_linux "$out/kprobe-linux.log" "$out/linux-kprobe.root" || failed=1
awk -f tests/bench/kprobe.awk side=ours "$out/kprobe-ours.log" side=linux "$out/kprobe-linux.log" \
    >"$out/kprobe-results.txt" || failed=1
cat "$out/kprobe-results.txt"
exit $failed
