#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The smallest kernel (tests/system/minimal.c): one hart, 4 KiB of stack, six hooks.
. "$(dirname "$0")/../lib.sh"

riscv64-unknown-elf-gcc -march=rv64imac_zicsr -mabi=lp64 -mcmodel=medany -ffreestanding -nostdlib -std=gnu11 -O2 -Wall \
    -Wextra -Werror -Iinclude "-DOBJECT=\"$build/progs/minimal.bpf.o\"" -T tests/system/minimal.ld tests/system/minimal.c \
    "$build/rv64/libbarebpf.a" -Wl,--no-warn-rwx-segments -o "$tmp/kernel.elf" >"$tmp/out" 2>&1
verdict "links with six hooks" $?
timeout -k 5 60 qemu-system-riscv64 -machine virt -bios none -nographic -kernel "$tmp/kernel.elf" </dev/null >"$tmp/out" 2>&1
verdict "ends by itself" $?
grep -q '^MINIMAL ok' "$tmp/out"
verdict "works" $?

finish
