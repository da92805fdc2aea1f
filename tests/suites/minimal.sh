#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The smallest kernel (tests/system/minimal.c): one hart, 4 KiB of stack, six hooks; with the verifier and without.
. "$(dirname "$0")/../lib.sh"

check() { # check NAME LIBRARY
    riscv64-unknown-elf-gcc -march=rv64imac_zicsr -mabi=lp64 -mcmodel=medany -ffreestanding -nostdlib -std=gnu11 -O2 \
        -Wall -Wextra -Werror -Iinclude "-DOBJECT=\"$build/progs/minimal.bpf.o\"" -T tests/system/minimal.ld \
        tests/system/minimal.c "$2" -Wl,--no-warn-rwx-segments -o "$tmp/kernel.elf" >"$tmp/out" 2>&1
    verdict "$1: links with six hooks" $?
    timeout -k 5 60 qemu-system-riscv64 -machine virt -bios none -nographic -kernel "$tmp/kernel.elf" </dev/null \
        >"$tmp/out" 2>&1
    verdict "$1: ends by itself" $?
    grep -q '^MINIMAL ok' "$tmp/out"
    verdict "$1: works" $?
}
verifiers() { # how many verifiers the kernel has
    riscv64-unknown-elf-nm "$tmp/kernel.elf" | grep -c ' T ebpf_verify$'
}

check "with the verifier" "$build/rv64/libbarebpf.a"
[ "$(verifiers)" = 1 ]
verdict "the verifier is there" $?
ok "a library without verifier" make --no-print-directory BUILD="$tmp/without" CONFIG=-DEBPF_CONFIG_VERIFIER=0
check "without the verifier" "$tmp/without/rv64/libbarebpf.a"
[ "$(verifiers)" = 0 ]
verdict "the verifier is not there" $?
finish
