#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ksym_expect.py NM OBJDUMP KERNEL.elf: what a symbol table of KERNEL.elf must hold, found out from binutils alone.

One line per symbol, ascending: ADDRESS SIZE NAME, all that tools/ksymgen.c promises: functions (static ones too) and
global labels in executable sections; among the names of one address functions before labels, global before weak before
local, then by the alphabet; a function ends at its own size, the next address or its section's end, whichever is first.
"""
import re
import subprocess
import sys


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def code_sections(objdump, path):
    """name -> end address"""
    ends = {}
    lines = run(objdump, "-h", path).splitlines()
    for head, flags in zip(lines, lines[1:]):
        fields = head.split()
        if fields and fields[0].isdigit() and "ALLOC" in flags and "CODE" in flags:
            ends[fields[1]] = int(fields[3], 16) + int(fields[2], 16)
    return ends


def symbols(nm, path, ends):
    found = set()
    for line in run(nm, "-f", "sysv", path).splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 7 or not fields[1]:
            continue
        name, value, kind, elf_type, size, _, section = fields
        if section not in ends or elf_type not in ("FUNC", "NOTYPE"):
            continue
        if elf_type == "NOTYPE" and kind not in ("T", "W"):
            continue
        if re.match(r"\.L|\$|ebpf_text_(start|end)_", name):
            continue
        value = int(value, 16)
        if value < ends[section]:
            rank = (elf_type != "FUNC", {"T": 0, "W": 1}.get(kind, 2))
            found.add((value, rank, name[:127], int(size, 16) if size else 0, ends[section]))
    return sorted(found)


def main():
    nm, objdump, path = sys.argv[1:]
    table = symbols(nm, path, code_sections(objdump, path))
    addresses = sorted({entry[0] for entry in table})
    after = dict(zip(addresses, addresses[1:]))
    for value, _, name, size, end in table:
        room = min(after.get(value, end), end) - value
        print(f"{value:x} {size if 0 < size <= room else room} {name}")


main()
