#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs every test suite and adds up what they counted. A suite is a command that prints "N passed, M failed[, K skipped]"
# as its last line; one that dies, or prints no such line, counts as one failure. Each has a time limit.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build}
passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

suite() { # suite NAME SECONDS COMMAND...
    local name=$1 limit=$2 line status
    shift 2
    printf -- '---- %s\n' "$name"
    timeout -k 5 "$limit" "$@" >"$log" 2>&1 </dev/null
    status=$?
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)? ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
        skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
        if [ "$status" != 0 ] && [ "${BASH_REMATCH[2]}" = 0 ]; then
            failed=$((failed + 1)) line="$line, then exit status $status"
        fi
    else
        failed=$((failed + 1)) line="no result: exit status $status"
    fi
    if [ "$status" = 0 ]; then
        grep -E '^(SKIP|NOTE)' "$log"
    else
        tail -n 60 "$log"
    fi
    echo "$name: $line"
}

suite unit-host 600 "$build/host/unit"
suite unit-riscv64 600 qemu-riscv64 "$build/user/unit"
for script in tests/suites/*.sh; do
    [ -f "$script" ] && suite "$(basename "$script" .sh)" 900 bash "$script"
done

[ "$skipped" = 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
