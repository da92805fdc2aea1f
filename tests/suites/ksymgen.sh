#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tools/ksymgen on real programs: generate, assemble, link with the library's reader, look every symbol up both ways and
# compare with nm; two-step links of small bare-metal kernels with --check; and what must be refused.
. "$(dirname "$0")/../lib.sh"
ksymgen=$build/tools/ksymgen
elf=riscv64-unknown-elf-
linux=riscv64-linux-gnu-
[ -x "$ksymgen" ] || make --no-print-directory BUILD="$build" tools >/dev/null || exit 1

one_line() { # one_line COMMAND...: exit status 1, and one line of output
    local status
    "$@" >"$tmp/line" 2>&1
    status=$?
    cat "$tmp/line"
    ! { [ $status = 1 ] && [ "$(wc -l <"$tmp/line")" = 1 ]; }
}
refuses() { # refuses NAME TEXT COMMAND...: one line that contains TEXT
    local name=$1 text=$2
    shift 2
    refused "$name" "$text" one_line "$@"
}

reader() { # reader TABLE.S PROGRAM: for qemu-riscv64
    ${linux}gcc -std=gnu11 -O2 -Wall -Wextra -Werror -Iinclude -I. -static tests/tools/ksym_lookup.c src/base/ksym.c src/base/ksym_none.c "$1" -o "$2"
}
lookup_all() { # lookup_all NAME PREFIX FILE: the table of FILE against nm
    local name=$1 prefix=$2 file=$3
    ok "$name: generate" "$ksymgen" "$file" "$tmp/table.S"
    sed -n "s/.*KSYMS  */NOTE $name: /p" "$tmp/out"
    ok "$name: nm lists the same" sh -c "python3 tests/tools/ksym_expect.py ${prefix}nm ${prefix}objdump $file >$tmp/expect"
    ok "$name: reader links" reader "$tmp/table.S" "$tmp/reader"
    ok "$name: every symbol both ways" sh -c "timeout 120 qemu-riscv64 $tmp/reader <$tmp/expect"
}

for program in "$build/user/unit" "$build/demo/kernel.elf"; do
    if [ -f "$program" ]; then
        lookup_all "$(basename "$program")" $linux "$program"
    else
        skip "$program is not built"
    fi
done
# a big program that is always there: the reader itself, 2000 functions of the C library
ok "empty table links" reader /dev/null "$tmp/self"
lookup_all "static C library program" $linux "$tmp/self"

# ---- a small kernel: names that differ in scope, aliases, labels, padding, a second code section -----------
cat >"$tmp/a.c" <<'C'
static __attribute__((noinline)) int twin(int x) { return x * 3 + 1; }
__attribute__((weak)) int soft(int x) { return twin(x) - 2; }
int zz_first_alias(int x) { return soft(x) + twin(x); }
extern int aa_weak_alias(int) __attribute__((weak, alias("zz_first_alias")));
__attribute__((section(".text.far"))) int far_away(int x) { return x ^ 5; }
void a_very_long_name_that_goes_on_and_on_for_longer_than_the_table_can_hold_0123456789_0123456789_0123456789_0123456789_and_then_some_more(void) {}
int data_is_no_function = 4;
C
cat >"$tmp/b.c" <<'C'
static __attribute__((noinline)) int twin(int x) { return x * 7 + 4; }
int other(int x) { return twin(x) + 9; }
C
cat >"$tmp/start.S" <<'S'
    .section .text.start, "ax"
    .globl _start, asm_label, text_begin
text_begin:
_start:
    la sp, stack
    j asm_label
local_label:
    nop
asm_label:
    call other
.Lhidden:
    j .Lhidden
    .balign 64
    .bss
    .balign 16
    .space 1024
stack:
S
cat >"$tmp/good.ld" <<'LD'
ENTRY(_start)
SECTIONS
{
    . = 0xffffffff80200000;
    .text : { *(.text.start) *(.text) }
    text_end = .;
    .fartext 0xffffffff80300000 : { *(.text.far) }
    .rodata : { *(.rodata .rodata.* .srodata .srodata.*) }
    .data : { *(.data .data.* .sdata .sdata.*) }
    .bss : { *(.sbss .sbss.* .bss .bss.*) }
}
LD
# here the table lies in front of the code and pushes it away
sed 's/\. = 0xffffffff80200000;/&\n .rodata : { *(.rodata .rodata.*) }/' "$tmp/good.ld" | grep -v '^    .rodata' >"$tmp/moving.ld"
kernel() { # kernel SCRIPT TABLE OUT
    ${elf}gcc -march=rv64imac -mabi=lp64 -mcmodel=medany -ffreestanding -nostdlib -static -O1 -Iinclude -I. -T "$tmp/$1" \
        "$tmp/start.S" "$tmp/a.c" "$tmp/b.c" src/base/ksym.c src/base/ksym_none.c $2 -o "$3"
}
ok "kernel: first link" kernel good.ld "" "$tmp/k1"
refuses "no table yet: --check says so" "holds no symbol table" "$ksymgen" --check "$tmp/k1"
refuses "no table yet: --list says so" "holds no symbol table" "$ksymgen" --list "$tmp/k1"
ok "kernel: generate" "$ksymgen" "$tmp/k1" "$tmp/k.S"
cp "$tmp/out" "$tmp/said"
ok "kernel: the long name is reported" grep -q "1 names cut to 127 characters" "$tmp/said"
ok "kernel: second link" kernel good.ld "$tmp/k.S" "$tmp/k2"
ok "kernel: --check accepts" "$ksymgen" --check "$tmp/k2"
lookup_all "small kernel" $elf "$tmp/k2"
"$ksymgen" --list "$tmp/k2" >"$tmp/list"
listed() { awk -v n="$1" '$3 == n' "$tmp/list" | wc -l; }
ok "both static twins are in" [ "$(listed twin)" = 2 ]
ok "alias and its target are in" [ "$(listed aa_weak_alias)$(listed zz_first_alias)" = 11 ]
ok "the global comes before its weak alias" sh -c "grep -n -A1 zz_first_alias $tmp/list | grep -q aa_weak_alias"
ok "labels: global ones only" [ "$(listed asm_label)$(listed local_label)$(listed .Lhidden)" = 100 ]
ok "the end of text and data are not in" [ "$(listed text_end)$(listed data_is_no_function)$(listed stack)" = 000 ]
ok "the list equals nm's" sh -c "awk '{print \$3}' $tmp/list | sort >$tmp/l; awk '{print \$3}' $tmp/expect | sort | cmp - $tmp/l"

ok "moving kernel: first link" kernel moving.ld "" "$tmp/m1"
ok "moving kernel: generate" "$ksymgen" "$tmp/m1" "$tmp/m.S"
ok "moving kernel: second link" kernel moving.ld "$tmp/m.S" "$tmp/m2"
refuses "moving kernel: --check notices" "did functions move" "$ksymgen" --check "$tmp/m2"
ok "moving kernel: generate again" "$ksymgen" "$tmp/m2" "$tmp/m.S"
ok "moving kernel: third link" kernel moving.ld "$tmp/m.S" "$tmp/m3"
ok "moving kernel: --check accepts the third" "$ksymgen" --check "$tmp/m3"

echo 'int one_more(void) { return 1; }' >>"$tmp/b.c"
ok "changed kernel: link with the old table" kernel good.ld "$tmp/k.S" "$tmp/k3"
refuses "changed kernel: --check notices" "the kernel" "$ksymgen" --check "$tmp/k3"

# ---- refusals ----------------------------------------------------------------------------------------------
${elf}strip -o "$tmp/stripped" "$tmp/k1"
refuses "stripped" "no symbol table" "$ksymgen" "$tmp/stripped" "$tmp/x.S"
refuses "no such file" "cannot be opened" "$ksymgen" "$tmp/nothing" "$tmp/x.S"
refuses "not ELF" "not an ELF file" "$ksymgen" "$tmp/a.c" "$tmp/x.S"
${elf}gcc -march=rv64imac -mabi=lp64 -c "$tmp/b.c" -o "$tmp/b.o"
refuses "not linked" "not linked yet" "$ksymgen" "$tmp/b.o" "$tmp/x.S"
${elf}gcc -march=rv32imac -mabi=ilp32 -nostdlib "$tmp/b.c" -o "$tmp/k32" 2>/dev/null
refuses "32-bit" "not a 64-bit" "$ksymgen" "$tmp/k32" "$tmp/x.S"
refuses "output cannot be written" "cannot be written" "$ksymgen" "$tmp/k1" "$tmp/no/such/folder.S"
head -c 2000 "$tmp/k2" >"$tmp/cut"
ok "cut short: refused, no crash" sh -c "$ksymgen $tmp/cut $tmp/x.S; [ \$? = 1 ]"
ok "no arguments: usage" sh -c "$ksymgen 2>&1 | grep -q usage"

finish
