#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""disasm_compare.py BUILD: what bpf-run --dump prints of the tests' programs and of lines of its own against llvm-objdump."""
import glob
import os
import re
import subprocess
import sys


def theirs(path):
    """(bytes, text) of each instruction that llvm-objdump knows"""
    out = subprocess.run(["llvm-objdump", "-d", path], capture_output=True, text=True, check=True).stdout
    for line in out.split("\n"):
        match = re.match(r" *[0-9]+:\t((?: ?[0-9a-f]{2}){8,16})\t(.*)$", line)
        if match and "<unknown>" not in match.group(2):
            yield bytes.fromhex(match.group(1)), match.group(2)


def ours(build, code):
    """One text for each instruction; programs that the check refuses are printed first, too."""
    tool = os.path.join(build, "host", "bpf-run")
    out = subprocess.run([tool, "--dump"], input=code.hex(), capture_output=True, text=True, check=False).stdout
    return re.findall(r"^ *[0-9]+:\t(.*)$", out, re.M)


def same(a, b):
    """Later versions of llvm-objdump print hexadecimal numbers, and symbols behind a jump; calls have no sign."""
    def plain(text):
        text = re.sub(r"\s*<[^<>=]*>$", "", text)
        text = re.sub(r"0x[0-9a-f]+", lambda m: str(int(m.group(0), 16)), text)
        text = re.sub(r"^(r[0-9]+ = )(map_fd |map_fd_value )", r"\1", text)
        return re.sub(r"^call \+", "call ", text)
    return plain(a) == plain(b)


def main():
    build, passed, failed = sys.argv[1], 0, 0
    for path in sorted(glob.glob(os.path.join(build, "progs", "*.bpf.o"))):
        rows = list(theirs(path))
        mine = ours(build, b"".join(code for code, _ in rows)) if rows else []
        if len(mine) != len(rows):
            print(f"{path}: {len(mine)} lines instead of {len(rows)}")
            failed += 1
            continue
        for (code, text), got in zip(rows, mine):
            if same(text, got):
                passed += 1
            else:
                failed += 1
                print(f"{path}: {code.hex()}: {got!r}, llvm-objdump has {text!r}")
    print(f"{passed} passed, {failed} failed")
    return failed != 0 or passed < 100


sys.exit(main())
