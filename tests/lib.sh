# SPDX-License-Identifier: MIT
# What the suites share; each begins with `. "$(dirname "$0")/../lib.sh"`: the working directory is
# the root of the project, $build the build's folder, $tmp one that goes away. A suite counts by
# pass, fail, verdict, ok, refused and skip, and ends with `finish`. Sourced by bash.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export BUILD=${BUILD:-build}
build=$BUILD
unset MAKEFLAGS MAKELEVEL
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0 skipped=0

pass() {
    passed=$((passed + 1))
}
fail() { # fail NAME [FILE]: and the end of what the command said
    failed=$((failed + 1))
    echo "FAIL $1"
    [ $# = 1 ] || tail -n 30 "$2"
}
skip() { # skip WHY
    skipped=$((skipped + 1))
    echo "SKIP $1"
}
verdict() { # verdict NAME STATUS: of a command whose output is in $tmp/out
    if [ "$2" = 0 ]; then pass; else fail "$1" "$tmp/out"; fi
}
ok() { # ok NAME COMMAND...: the command must succeed
    local name=$1
    shift
    "$@" >"$tmp/out" 2>&1
    verdict "$name" $?
}
refused() { # refused NAME TEXT COMMAND...: the command must fail, and say TEXT
    local name=$1 text=$2
    shift 2
    if ! "$@" >"$tmp/out" 2>&1 && grep -qF -- "$text" "$tmp/out"; then
        pass
    else
        fail "$name: not noticed" "$tmp/out"
    fi
}
finish() {
    if [ "$skipped" = 0 ]; then
        echo "$passed passed, $failed failed"
    else
        echo "$passed passed, $failed failed, $skipped skipped"
    fi
    [ "$failed" = 0 ]
    exit
}

# ---- the teaching kernel -------------------------------------------------------------------------
build_kernel() {
    ok "kernel and initramfs build" make --no-print-directory demo-kernel initramfs
}

# A boot may take long where other work holds the machine: what waits for harts waits for their
# host threads.
boot() { # boot HARTS COMMAND-LINE: the console without OpenSBI's part goes to $tmp/out
    timeout -k 5 "${LIMIT:-400}" qemu-system-riscv64 -machine virt -smp "$1" -m 128M -nographic \
        -no-reboot -kernel "$build/demo/kernel.elf" -initrd "$build/demo/initramfs.cpio" \
        -append "$2" </dev/null 2>&1 |
        tr -d '\r' | sed -n '/^barebpf teaching kernel/,$p' >"$tmp/out"
}

shallow() { # shallow NAME: no kernel stack of the boot was used up to its last quarter
    [ "$(sed -n 's/^deepest kernel stack: \([0-9]*\) of 4096.*/\1/p' "$tmp/out")" -le 3072 ] \
        2>/dev/null
    verdict "$1 leaves a quarter of its stack" $?
}

# selftest NAME HARTS [TEXT [MORE]]: prints its ok, and TEXT (an extended expression); MORE: of the
# command line
selftest() {
    boot "$2" "test=$1 ${4:-}"
    grep -qx "SELFTEST $1 ok" "$tmp/out" && grep -qE -- "${3:-}" "$tmp/out"
    verdict "$1 on $2 harts" $?
    shallow "$1 on $2 harts"
    grep -E "^($1|deepest kernel stack):? " "$tmp/out" | sed "s/^/NOTE /"
}
