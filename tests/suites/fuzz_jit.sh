#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The engines' differential fuzzer: programs that once failed (tests/fuzz/regress), then 100,000 random ones on both
# engines, then the compiler under sanitizers on safe programs and on whatever the structural check lets pass.
# N=..., SEED=... for others.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
n=${N:-100000} seed=${SEED:-1}
user="qemu-riscv64 $build/user/fuzz-jit" host=$build/host/fuzz-jit
passed=0 failed=0
make --no-print-directory BUILD="$build" "$build/user/fuzz-jit" "$host" || exit 1

ok() { # ok COMMAND...: one check
    echo "$*"
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# shellcheck disable=SC2086
for engine in "$user" "$host"; do
    ok $engine -r tests/fuzz/regress/*.txt
done
# shellcheck disable=SC2086
ok $user -n "$n" -s "$seed" -o "$build/fuzz"
ok "$host" -n "$n" -s "$seed" -o "$build/fuzz"
ok "$host" -w -n "$n" -s "$seed" -o "$build/fuzz"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
