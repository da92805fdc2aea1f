# SPDX-License-Identifier: MIT
# What the benchmark's scripts share: booting one side with its console in a file. Sourced by bash.
build=${BUILD:-build}
peer=${PEER:-$build/peer}
out=$build/bench
limit=${LIMIT:-300}

# Both sides: one hart, the same machine, one virtual nanosecond for each instruction.
boot_ours() { # CONSOLE INITRAMFS COMMAND_LINE
    timeout -k 5 "$limit" qemu-system-riscv64 -machine virt -smp 1 -m 1G -nographic -icount shift=0 \
        -seed 1 -rtc base=2026-01-01,clock=vm \
        -kernel "$build/demo/kernel.elf" -initrd "$2" -append "$3" -no-reboot </dev/null 2>&1 | tr -d '\r' >"$1"
    check_run ours "$1" "${PIPESTATUS[0]}"
}

# Ours on four harts that take turns every 31 instructions: one takes 32 ns of virtual time, and QEMU
# goes on to the next hart where a virtual timer ends, which the filter's does each microsecond.
boot_harts() { # CONSOLE INITRAMFS COMMAND_LINE
    timeout -k 5 "$limit" qemu-system-riscv64 -machine virt -smp 4 -m 128M -nographic \
        -icount shift=5 -netdev hubport,id=net,hubid=0 \
        -object filter-buffer,id=turns,netdev=net,interval=1 \
        -seed 1 -rtc base=2026-01-01,clock=vm \
        -kernel "$build/demo/kernel.elf" -initrd "$2" -append "$3 32" -no-reboot </dev/null 2>&1 |
        tr -d '\r' >"$1"
    check_run ours "$1" "${PIPESTATUS[0]}"
}

boot_linux() { # CONSOLE INITRAMFS_DIR
    TIMEOUT=$limit bash tests/bench/peer/run.sh "$peer" "$2" 2>&1 | tr -d '\r' >"$1"
    check_run linux "$1" "${PIPESTATUS[0]}"
}

check_run() { # SIDE CONSOLE STATUS
    if [ "$3" = 0 ] && grep -q '^DONE$' "$2" && ! grep -q '^FAIL' "$2"; then
        return 0
    fi
    echo "bench: the run on $1 went wrong (exit status $3; 124: $limit seconds are over); its console ends with:" >&2
    grep '^FAIL' "$2" >&2
    tail -n 25 "$2" >&2
    return 1
}
