#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""model.py [FILE]...: a BPF machine in Python, written from the text of RFC 9669 and from nothing else of this project.

It works out the expected values of the vectors (generate.py), and as a program compares those in the files with its own:
all of this folder without arguments. Numbers are Python's, so that nothing of C's arithmetic can hide here: each rule is the
RFC's sentence about it. May_goto, load-acquire and store-release, which the RFC does not have, are as Linux documents them.
"""
import os
import sys

sys.dont_write_bytecode = True
import vectors

M64, M32 = (1 << 64) - 1, (1 << 32) - 1
MEM, STACK, FRAME = 0x10000, 0x7F0000, 512
LOOPS = 8 * 1024 * 1024
STEPS = 1000000


class Fault(Exception):
    pass


def signed(value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def divide(a, b):
    """Section 4.1: truncates towards zero; by zero it is zero"""
    return 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def modulo(a, b):
    """a - b * (a / b); by zero it is a"""
    return a - b * divide(a, b) if b else a


def alu(op, a, b, bits, off):
    """Section 4.1, table 3, on unsigned a and b of so many bits"""
    sa, sb = signed(a, bits), signed(b, bits)
    shift = b & (bits - 1)
    result = {
        0x00: lambda: a + b, 0x10: lambda: a - b, 0x20: lambda: a * b,
        0x30: lambda: divide(sa, sb) if off else divide(a, b),
        0x40: lambda: a | b, 0x50: lambda: a & b,
        0x60: lambda: a << shift, 0x70: lambda: a >> shift,
        0x80: lambda: -a,
        0x90: lambda: modulo(sa, sb) if off else modulo(a, b),
        0xA0: lambda: a ^ b,
        0xB0: lambda: signed(b, off) if off else b,
        0xC0: lambda: sa >> shift,
    }[op]()
    return result & ((1 << bits) - 1)


def swap(value, width, reverse):
    """Section 4.2"""
    data = (value & ((1 << width) - 1)).to_bytes(width // 8, "little")
    return int.from_bytes(data, "big" if reverse else "little")


def condition(op, a, b, bits):
    """Section 4.3, table 6"""
    sa, sb = signed(a, bits), signed(b, bits)
    return {
        0x10: a == b, 0x20: a > b, 0x30: a >= b, 0x40: a & b != 0, 0x50: a != b, 0x60: sa > sb, 0x70: sa >= sb,
        0xA0: a < b, 0xB0: a <= b, 0xC0: sa < sb, 0xD0: sa <= sb,
    }[op]


class Machine:
    def __init__(self, code, mem):
        self.code = [code[i:i + 8] for i in range(0, len(code), 8)]
        self.regs = [0] * 11
        self.mem = bytearray(mem)
        self.stack = bytearray(8 * FRAME)
        self.frames = []
        self.loops = LOOPS
        self.regs[1] = MEM if mem else 0
        self.regs[2] = len(mem)
        self.regs[10] = STACK + 8 * FRAME

    def bytes_at(self, addr, size):
        for base, region in ((MEM, self.mem), (STACK, self.stack)):
            if base <= addr and addr + size <= base + len(region):
                return region, addr - base
        raise Fault(f"access of {size} bytes at {addr:#x}")

    def load(self, addr, size):
        region, at = self.bytes_at(addr & M64, size)
        return int.from_bytes(region[at:at + size], "little")

    def store(self, addr, size, value):
        region, at = self.bytes_at(addr & M64, size)
        region[at:at + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")

    def run(self):
        pc = 0
        for _ in range(STEPS):
            if not 0 <= pc < len(self.code):
                raise Fault(f"left the program at {pc}")
            pc = self.step(pc)
            if pc is None:
                return self.regs[0]
        raise Fault("too many steps")

    def step(self, pc):
        insn = self.code[pc]
        op, dst, src = insn[0], insn[1] & 15, insn[1] >> 4
        off = int.from_bytes(insn[2:4], "little", signed=True)
        imm = int.from_bytes(insn[4:8], "little", signed=True)
        if op == 0x18 and src == 0:
            high = int.from_bytes(self.code[pc + 1][4:8], "little")
            self.regs[dst] = (imm & M32) | high << 32
            return pc + 2
        cls = op & 7
        if cls in (4, 7):
            self.arithmetic(op, dst, src, off, imm)
            return pc + 1
        if cls in (5, 6):
            return self.jump(pc, op, dst, src, off, imm)
        self.memory(op, dst, src, off, imm)
        return pc + 1

    def arithmetic(self, op, dst, src, off, imm):
        bits = 64 if op & 7 == 7 else 32
        if op & 0xF0 == 0xD0:
            self.regs[dst] = swap(self.regs[dst], imm, op in (0xDC, 0xD7))
            return
        mask = (1 << bits) - 1
        b = (self.regs[src] if op & 8 else imm) & mask
        self.regs[dst] = alu(op & 0xF0, self.regs[dst] & mask, b, bits, off)

    def jump(self, pc, op, dst, src, off, imm):
        if op == 0x95:
            return self.leave()
        if op == 0x85:
            return self.call(pc, src, imm)
        if op == 0x8D:
            return self.call(pc, 0, self.regs[dst])
        if op == 0x05:
            return pc + 1 + off
        if op == 0x06:
            return pc + 1 + imm
        if op == 0xE5:
            self.loops -= 1
            return pc + 1 if self.loops >= 0 else pc + 1 + off
        bits = 64 if op & 7 == 5 else 32
        mask = (1 << bits) - 1
        b = (self.regs[src] if op & 8 else imm) & mask
        return pc + 1 + (off if condition(op & 0xF0, self.regs[dst] & mask, b, bits) else 0)

    def call(self, pc, src, imm):
        """Section 4.3.1 and 4.3.2; helpers return something that is not 0, as the vectors may assume"""
        if src == 0:
            self.regs[0] = 1
            return pc + 1
        if len(self.frames) == 7:
            raise Fault("more than 8 frames")
        self.frames.append((pc + 1, self.regs[6:11], self.loops))
        self.regs[10] -= FRAME
        self.loops = LOOPS
        return pc + 1 + imm

    def leave(self):
        if not self.frames:
            return None
        pc, self.regs[6:11], self.loops = self.frames.pop()
        return pc

    def memory(self, op, dst, src, off, imm):
        size = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}[op & 0x18]
        cls, mode = op & 7, op & 0xE0
        if cls == 1 and mode in (0x60, 0x80):
            value = self.load(self.regs[src] + off, size)
            self.regs[dst] = signed(value, 8 * size) & M64 if mode == 0x80 else value
        elif cls == 3 and mode == 0xC0:
            self.atomic(size, dst, src, off, imm)
        elif cls in (2, 3) and mode == 0x60:
            self.store(self.regs[dst] + off, size, imm if cls == 2 else self.regs[src])
        else:
            raise Fault(f"no such instruction: {op:#x}")

    def atomic(self, size, dst, src, off, imm):
        """Section 5.3"""
        if imm == 0x100:
            self.regs[dst] = self.load(self.regs[src] + off, size)
            return
        addr, mask = self.regs[dst] + off, (1 << 8 * size) - 1
        if imm == 0x110:
            self.store(addr, size, self.regs[src])
            return
        old, value = self.load(addr, size), self.regs[src] & mask
        if imm == 0xF1:
            if old == self.regs[0] & mask:
                self.store(addr, size, value)
            self.regs[0] = old
            return
        new = {0x00: old + value, 0x40: old | value, 0x50: old & value, 0xA0: old ^ value, 0xE0: value}[imm & 0xF0]
        self.store(addr, size, new)
        if imm & 1:
            self.regs[src] = old


def result(code, mem):
    return Machine(code, mem).run()


def main():
    passed = failed = 0
    todo = [v for path in sys.argv[1:] for v in vectors.read(path)] if sys.argv[1:] else vectors.own()
    for vector in todo:
        try:
            got = result(vector.code, vector.mem)
            wrong = None if got == vector.want else f"r0 is 0x{got:x}, the file says 0x{vector.want:x}"
        except (Fault, KeyError, IndexError) as error:
            wrong = f"{type(error).__name__}: {error}"
        passed, failed = passed + (wrong is None), failed + (wrong is not None)
        if wrong:
            print(f"FAIL {vector.name}: {wrong}")
    print(f"{passed} passed, {failed} failed")
    return failed != 0 or not todo


if __name__ == "__main__":
    sys.exit(main())
