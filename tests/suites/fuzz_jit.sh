#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The engines' differential fuzzer: programs that once failed (tests/fuzz/regress), then 100,000 random ones on both
# engines, then the compiler under sanitizers on safe programs and on whatever the structural check lets pass.
# N=..., SEED=... for others.
. "$(dirname "$0")/../lib.sh"
n=${N:-100000} seed=${SEED:-1}
user="qemu-riscv64 $build/user/fuzz-jit" host=$build/host/fuzz-jit
make --no-print-directory BUILD="$build" "$build/user/fuzz-jit" "$host" || exit 1

check() { # check COMMAND...: shown as it runs
    echo "$*"
    if "$@"; then pass; else fail "$*"; fi
}

# shellcheck disable=SC2086
for engine in "$user" "$host"; do
    check $engine -r tests/fuzz/regress/*.txt
done
# shellcheck disable=SC2086
check $user -n "$n" -s "$seed" -o "$build/fuzz"
check "$host" -n "$n" -s "$seed" -o "$build/fuzz"
check "$host" -w -n "$n" -s "$seed" -o "$build/fuzz"
finish
