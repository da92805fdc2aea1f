#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The verifier's fuzzer: programs that were once accepted wrongly (tests/fuzz/regress_verifier), then 50,000 random ones: those that are
# accepted run under a machine that looks at every access, and are shown to this machine's Linux. N=..., SEED=... for others.
. "$(dirname "$0")/../lib.sh"
n=${N:-50000} seed=${SEED:-1} fuzz=$build/host/fuzz-verifier
make --no-print-directory BUILD="$build" "$fuzz" || exit 1

check() { # check COMMAND...: shown as it runs
    echo "$*"
    if "$@"; then pass; else fail "$*"; fi
}

set -- tests/fuzz/regress_verifier/*.txt
[ ! -e "$1" ] || check "$fuzz" -r "$@"
half=$((n / 2))
"$fuzz" -n "$half" -s $((seed + n - half)) -o "$build/fuzz" >"$tmp/second" 2>&1 &
second=$!
check "$fuzz" -n $((n - half)) -s "$seed" -o "$build/fuzz"
wait $second
status=$?
cat "$tmp/second"
if [ $status = 0 ]; then pass; else fail "the second half" "$tmp/second"; fi
finish
