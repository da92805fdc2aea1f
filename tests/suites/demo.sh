#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The demo as `make demo` runs it without a terminal; and that its checks notice: the same console with one thing wrong.
. "$(dirname "$0")/../lib.sh"

build_kernel
ok "the kernel's symbol table is its own" "$build/tools/ksymgen" --check "$build/demo/kernel.elf"
# the loader needs nothing of the library but base: in user mode it runs on system calls alone
for program in lathist context live; do
    riscv64-unknown-elf-nm "$build/demo/user/$program" | sed -n 's/.* ebpf_text_start_//p' | sort >"$tmp/out"
    grep -qx src_loader_object "$tmp/out" && ! grep -vE '^src_(loader|base)_' "$tmp/out"
    verdict "$program holds the loader, and no other part of the library" $?
done
AUTO=1 bash demo/run.sh </dev/null >"$tmp/out" 2>"$tmp/err"
verdict "demo runs and passes" $?
grep '^lathist: .*ok$' "$tmp/out" | sed 's/^/NOTE /'
sed '/^demo: (a) lathist, (b) context/d' "$tmp/out" >"$tmp/console"
ok "the saved console passes" bash demo/run.sh --check "$tmp/console"

tampered() { # tampered NAME SED-SCRIPT TEXT: refused, with TEXT in the message
    sed -E "$2" "$tmp/console" >"$tmp/other"
    if cmp -s "$tmp/console" "$tmp/other"; then
        echo "nothing was changed" >"$tmp/out"
        verdict "$1" 1
    else
        refused "$1" "$3" bash demo/run.sh --check "$tmp/other"
    fi
}
tampered "a part that failed" 's/^DEMO \(c\) maps: ok/DEMO (c) maps: FAILED/' "(c) maps did not end with ok"
tampered "a part that never ended" '/^DEMO \(a\) lathist: ok/d' "(a) lathist did not end with ok"
tampered "init's exit status" 's/^INIT exit status 0/INIT exit status 1/' "init did not report success"
tampered "no histogram" '/^ +[0-9]+ -> /d' "no histogram"
tampered "a row too few" '/\|\*{40}\|$/d' "add up to"
tampered "a sample too many" 's/^( +[0-9]+ -> [0-9]+ +: )([0-9]+ +\|\*{40})/\11\2/' "add up to"
tampered "opens that are not accounted for" 's/^(lathist: .* misses), ([0-9]+) opens/\1, 1\2 opens/' "are not the opens"
tampered "a register missing" '/^r17 = /d' "no line for r17"
tampered "registers in another order" 's/^r5 = /r6 = /' "no line for r5"
tampered "a register without a value" 's/^r30 = 0x[0-9a-f]+/r30 = ?/' "no line for r30"
tampered "r0 is not zero" 's/^r0 = 0x0/r0 = 0x1/' "r0 is 0x1"
tampered "another address" 's/^(kprobe addr = 0x[0-9a-f]+)[0-9a-f]$/\17/;t;' "but sys_openat is at"
tampered "a user stack pointer" 's/^r2 = .*/r2 = 0x3fffffec10/' "the stack pointer"
tampered "another dfd" 's/^r10 = .*/r10 = 0x3/' "r10 is 0x3"
tampered "another path" 's/^r11 = .*/r11 = 0x99/' "r11 is 0x99"
tampered "the kernel's line comes too early" '/^r31 = /{h;d};/^sys_openat: dfd/{G}' "no line for r31"
tampered "a probe that is still there" '/^context: detached/{p;s/.*/kprobe addr = 0xffffffc080200000/}' "not exactly one hit"
tampered "a map check that failed" '0,/^ok   /s/^ok   /FAIL /' "a check failed"
tampered "map checks left out" '/^ok   hash/d' "lines of"
tampered "a record that never came" '0,/ has opened 10 files/{/ has opened 10 files/d}' "not the 9 records"
tampered "an exit that never came" '0,/ ends with status 0/{/ ends with status 0/d}' "not the 3 exits"
tampered "more opens than there were" 's/^(live: .* files, )[0-9]+ in all/\11000 in all/' "more opens in the variable"
tampered "no stacks" '/^ +[0-9]+  wait_on/d' "no stack"
tampered "a stack without names" 's/^( +[0-9]+  wait_on < )[a-z_]+/\10xffffffc080200000/' "is no function"
tampered "a total that is missing" '/^live: .* stacks: ok/d' "(d) no total"

finish
