#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The verifier's fuzzer: programs that were once accepted wrongly, or took minutes (tests/fuzz/regress_verifier), then 50,000 random ones:
# those that are accepted run under a machine that looks at every access, and are shown to this machine's Linux; an engine must do what that
# machine does: the interpreter on the host, compiled code under qemu-riscv64 for a tenth as many. N=..., SEED=... for others.
. "$(dirname "$0")/../lib.sh"
rm -rf "$build/fuzz/verifier" # what another run has left is not gone on with
mkdir -p "$build/fuzz"
n=${N:-50000} seed=${SEED:-1} fuzz=$build/host/fuzz-verifier user=$build/user/fuzz-verifier
make --no-print-directory BUILD="$build" "$fuzz" "$user" || exit 1

check() { # check COMMAND...: shown as it runs
    echo "$*"
    if "$@"; then pass; else fail "$*"; fi
}

set -- tests/fuzz/regress_verifier/*.txt
[ ! -e "$1" ] || check "$fuzz" -r "$@"
check "$fuzz" -n "$n" -s "$seed" -j 2 -o "$build/fuzz/verifier"
check qemu-riscv64 "$user" -l -n $((n / 10)) -s "$seed" -o "$build/fuzz/verifier"
finish
