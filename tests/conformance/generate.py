#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""generate.py: writes the *.data files of this folder: every opcode form with its edge values, one file per family.

Expected values come from the model (model.py), which knows RFC 9669 and none of the engines. The files are committed and are
what is run; this program is for whoever adds a family.
"""
import os
import sys

sys.dont_write_bytecode = True
import asm
import model
import vectors

FOLDER = os.path.dirname(os.path.abspath(__file__))
M64, M32 = (1 << 64) - 1, (1 << 32) - 1

EDGES64 = [0, 1, 2, 0x7F, 0x80, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000,
           0xFFFFFFFF80000000, 0xFFFFFFFFFFFFFFFE, 0xFFFFFFFFFFFFFFFF, 0x123456789ABCDEF0]
IMMS = [0, 1, -1, 2, 7, 0x7FF, 0x800, -0x800, -0x801, 0xFFF, 0x1000, 0x12345, 0x7FFFFFFF, -0x80000000, -0x7FFFFFFF, 0x55555555]


def pairs():
    """Operands that meet: each edge with itself, with another further on, and with 0 or -1."""
    for i, a in enumerate(EDGES64):
        for b in {(0, M64)[i % 2], a, EDGES64[(i + 4) % len(EDGES64)]}:
            yield a, b
    yield from ((1 << 63, M64), (0x80000000, M32), (0xFFFFFFFF80000000, M64), (5, 0), (M64, 0), (M64, 1), (7, M64 - 1))


class File:
    def __init__(self, name, title):
        self.path = os.path.join(FOLDER, name + ".data")
        self.out = ["# SPDX-License-Identifier: MIT", f"# {title}", "# Written by generate.py; asm.py has the notation.", ""]

    def test(self, name, lines, mem=""):
        """One vector whose result the model works out."""
        code = asm.assemble(lines)
        want = model.result(code, bytes.fromhex(mem))
        self.out.append(f"test {name}")
        if mem:
            self.out.append(f"mem {mem}")
        self.out += ["    " + line for line in lines] + [f"result 0x{want:x}", ""]
        return want

    def checks(self, name, cases, mem=""):
        """One vector of many cases (lines, register): what the model finds in the register is expected there."""
        lines = []
        for case, reg in cases:
            code = asm.assemble(case + [f"mov r0, {reg}", "exit"])
            want = model.result(code, bytes.fromhex(mem))
            lines.append("; ".join(case + [f"expect {reg}, 0x{want:x}"]))
        if self.test(name, lines + ["mov r0, 0", "exit"], mem) != 0:
            raise asm.Error(f"{name}: the model contradicts itself")

    def close(self):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("\n".join(self.out))


def two_operands(file, op, suffix, imms):
    """reg, reg; reg, imm; and dst = src"""
    name = op + (suffix or "64")
    file.checks(f"{name}-reg", [([f"lddw r1, 0x{a:x}", f"lddw r2, 0x{b:x}", f"{op}{suffix} r1, r2"], "r1")
                                for a, b in sorted(set(pairs()))])
    file.checks(f"{name}-imm", [([f"lddw r1, 0x{a:x}", f"{op}{suffix} r1, {imm}"], "r1")
                                for i, imm in enumerate(imms) for a in EDGES64[i % 5::5]])
    file.checks(f"{name}-same", [([f"lddw r1, 0x{a:x}", f"{op}{suffix} r1, r1"], "r1") for a in EDGES64[::2]])


def registers(file, op, suffix):
    """Every register as dst and as src: r0 to r8 in all pairs of neighbours, since expect needs r9."""
    cases = []
    for dst in range(9):
        for src in ((dst + 1) % 9, (dst + 5) % 9):
            cases.append(([f"lddw r{dst}, 0x{0x1111111111111111 * (dst + 1):x}", f"lddw r{src}, 0x{0xABCDEF0102030405 + src:x}",
                           f"{op}{suffix} r{dst}, r{src}"], f"r{dst}"))
    file.checks(f"{op}{suffix or '64'}-registers", cases)
    file.checks(f"{op}{suffix or '64'}-r9", [([f"lddw r9, 0x{a:x}", f"lddw r1, 0x{b:x}", f"{op}{suffix} r1, r9"], "r1")
                                             for a, b in list(pairs())[::12]])


def alu():
    for suffix, title in (("", "64 bits"), ("32", "32 bits: the result is zero-extended")):
        file = File("alu" + (suffix or "64"), f"RFC 9669, section 4.1: arithmetic of {title}.")
        for op in ("add", "sub", "mul", "or", "and", "xor"):
            two_operands(file, op, suffix, IMMS)
            registers(file, op, suffix)
        for op in ("lsh", "rsh", "arsh"):
            two_operands(file, op, suffix, [0, 1, 7, 8, 15, 16, 30, 31, 32, 33, 47, 48, 62, 63, 64, 65, 127, -1])
            registers(file, op, suffix)
        file.checks(f"neg{suffix or '64'}", [([f"lddw r1, 0x{a:x}", f"neg{suffix} r1"], "r1") for a in EDGES64])
        file.close()
        file = File("div" + (suffix or "64"), f"RFC 9669, section 4.1: division and modulo, {title}; by zero, and of the "
                                              "smallest number by -1.")
        for op in ("div", "mod", "sdiv", "smod"):
            two_operands(file, op, suffix, IMMS + [3, -3, 10, -10, 16, -16, 4096, 1000000007])
            registers(file, op, suffix)
        file.close()


def move():
    file = File("mov", "RFC 9669, section 4.1: moves, and moves that extend the sign.")
    for suffix in ("", "32"):
        two_operands(file, "mov", suffix, IMMS)
        registers(file, "mov", suffix)
    for bits in (8, 16, 32):
        for suffix in ("", "32") if bits != 32 else ("",):
            values = EDGES64 + [0x7F, 0x80, 0xFF, 0x100, 0x17F, 0x7FFF, 0x8000, 0xFFFF, 0x18000, 0xAAAAAAAA80000080]
            file.checks(f"movsx{bits}-to-{suffix or 64}",
                        [([f"lddw r1, 0x{a:x}", "lddw r2, 0x5555555555555555", f"movsx{bits}{suffix} r2, r1"], "r2")
                         for a in values])
            file.checks(f"movsx{bits}-to-{suffix or 64}-same", [([f"lddw r1, 0x{a:x}", f"movsx{bits}{suffix} r1, r1"], "r1")
                                                               for a in values])
            file.checks(f"movsx{bits}-to-{suffix or 64}-registers",
                        [([f"lddw r{src}, 0x123456789abcdef{src:x}", f"movsx{bits}{suffix} r{(src + 3) % 9}, r{src}"],
                          f"r{(src + 3) % 9}") for src in range(9)])
    file.test("mov64-from-r10", ["mov r1, r10", "sub r1, r10", "mov r0, r1", "exit"])
    file.test("mov32-from-r10", ["mov32 r1, r10", "mov r2, r10", "lsh r2, 32", "rsh r2, 32", "sub r1, r2", "mov r0, r1", "exit"])
    file.close()


def imm64():
    file = File("lddw", "RFC 9669, section 5.4: 64-bit constants.")
    values = EDGES64 + [0xFFFFFFFF00000000, 0x8000000080000000, 0x7FFFFFFF80000000, 0x800, 0xFFFFFFFFFFFFF7FF,
                        0x7FFFF7FF, 0x7FFFF800, 0xFFFFFFFF7FFFF7FF, 0x1000000000000, 0xFFFF0000FFFF0000, 0xDEADBEEFCAFEBABE]
    for value in values:
        file.test(f"lddw-{value:x}", [f"lddw r0, 0x{value:x}", "exit"])
    file.test("lddw-registers", [f"lddw r{r}, 0x{0x0101010101010101 * (r + 1):x}" for r in range(10)] +
              [f"xor r0, r{r}" for r in range(1, 10)] + ["exit"])
    file.test("lddw-jumped-over", ["mov r0, 7", "ja +2", "lddw r0, 0x1234567890", "exit"])
    file.close()


def swaps():
    file = File("swap", "RFC 9669, section 4.2: byte swaps; what is above the width becomes zero.")
    for op in ("le", "be", "bswap"):
        for width in (16, 32, 64):
            values = EDGES64 + [0x0102030405060708, 0xFFEEDDCCBBAA9988, 0x8080808080808080]
            file.checks(f"{op}{width}", [([f"lddw r1, 0x{a:x}", f"{op}{width} r1"], "r1") for a in values])
            file.checks(f"{op}{width}-registers", [([f"lddw r{r}, 0x{0x1122334455667788 + r:x}", f"{op}{width} r{r}"], f"r{r}")
                                                   for r in range(9)])
    file.close()


JUMP_IMMS = (0, 1, -1, 5, 2047, -2048, 0x12345, 0x7FFFFFFF, -0x80000000)
JUMPS = ("jeq", "jne", "jgt", "jge", "jlt", "jle", "jset", "jsgt", "jsge", "jslt", "jsle")


def jumps():
    for suffix, bits in (("", 64), ("32", 32)):
        file = File(f"jmp{bits}", f"RFC 9669, section 4.3: conditional jumps on {bits} bits.")
        for op in JUMPS:
            regs = [([f"lddw r1, 0x{a:x}", f"lddw r2, 0x{b:x}", "mov r3, 1", f"{op}{suffix} r1, r2, +1", "mov r3, 2"], "r3")
                    for a, b in sorted(set(pairs()))]
            imms = [([f"lddw r1, 0x{a:x}", "mov r3, 1", f"{op}{suffix} r1, {imm}, +1", "mov r3, 2"], "r3")
                    for imm in JUMP_IMMS for a in (imm & M64, (imm + 1) & M64, (imm - 1) & M64, imm & M32 | 5 << 32)]
            file.checks(f"{op}{bits}-reg", regs)
            file.checks(f"{op}{bits}-imm", imms)
            file.checks(f"{op}{bits}-same", [([f"lddw r1, 0x{a:x}", "mov r3, 1", f"{op}{suffix} r1, r1, +1", "mov r3, 2"], "r3")
                                             for a in EDGES64[::3]])
            # the direct answer, which does not need another jump to be right
            for a, b in ((5, 5), (5, 6), (6, 5), (M64, 1), (1, M64)):
                file.test(f"{op}{bits}-{a:x}-{b:x}", [f"lddw r1, 0x{a:x}", f"lddw r2, 0x{b:x}", "mov r0, 1",
                                                      f"{op}{suffix} r1, r2, +1", "mov r0, 2", "exit"])
            # backwards: counts how often it was taken, up to 3
            file.test(f"{op}{bits}-back", ["mov r0, 0", "mov r1, 5", "mov r2, 4", "loop:", "add r0, 1", "jeq r0, 3, out",
                                          f"{op}{suffix} r1, r2, loop", "out:", "exit"])
        file.close()


def distances():
    file = File("distance", "RFC 9669, section 4.3: jumps and calls of all distances, gotol's 32-bit one, and nowhere.")
    for count in (1, 2, 60, 130, 1020, 1100, 9000, 32000):
        for op, line in (("ja", "ja there"), ("gotol", "gotol there"), ("jeq", "jeq r1, 0, there"), ("jgt32", "jgt32 r2, r1, there")):
            file.test(f"{op}-over-{count}", ["mov r0, 1", "mov r1, 0", "mov r2, 1", line, f"repeat {count} add r0, 2", "there:",
                                             "add r0, 4", "exit"])
            file.test(f"{op}-back-over-{count}", ["mov r0, 1", "mov r1, 0", "mov r2, 1", "ja start", "there:", "add r0, 4", "exit",
                                                  f"repeat {count} add r0, 2", "start:", line, "exit"])
    for count in (40000, 200000):
        file.test(f"gotol-over-{count}", ["mov r0, 1", "gotol there", f"repeat {count} add r0, 2", "there:", "add r0, 4", "exit"])
        file.test(f"gotol-back-over-{count}", ["mov r0, 1", "gotol start", "there:", "add r0, 4", "exit",
                                               f"repeat {count} add r0, 2", "start:", "gotol there"])
        file.test(f"call-over-{count}", ["call far", "add r0, 1", "exit", f"repeat {count} add r0, 2", "exit", "far:", "mov r0, 9",
                                         "exit"])
    for line in ("ja +0", "gotol +0", "jeq r1, 0, +0", "jne32 r1, r2, +0", "may_goto +0"):
        file.test(line.split()[0] + "-nowhere", ["mov r0, 3", "mov r1, 0", "mov r2, 0", line, "add r0, 1", "exit"])
    file.close()


SIZES = (("b", 1), ("h", 2), ("w", 4), ("dw", 8))
PATTERN = "8081828384858687f0f1f2f3f4f5f6f77f7e7d7c7b7a79780001020304050607"


def memory():
    file = File("mem", "RFC 9669, sections 5.1 and 5.2: loads, stores, loads that extend the sign.")
    for size, width in SIZES:
        file.checks(f"ldx{size}", [([f"ldx{size} r3, [r1+{off}]"], "r3") for off in range(0, 33 - width, width)], PATTERN)
        file.checks(f"ldx{size}-far", [(["mov r4, r1", f"add r4, {-off}", f"ldx{size} r3, [r4{off:+d}]"], "r3")
                                       for off in (-32768, -4096, -2049, -2048, -8, 2047, 2048, 4095, 32767)], PATTERN)
        file.checks(f"ldx{size}-into-its-base", [(["mov r4, r1", f"ldx{size} r4, [r4+8]"], "r4")], PATTERN)
        if size != "dw":
            file.checks(f"ldxs{size}", [([f"ldxs{size} r3, [r1+{off}]"], "r3") for off in range(0, 33 - width, width)], PATTERN)
            file.checks(f"ldxs{size}-far", [(["mov r4, r1", f"add r4, {-off}", f"ldxs{size} r3, [r4{off:+d}]"], "r3")
                                            for off in (-32768, -2049, 2048, 32767)], PATTERN)
        stores = [([f"lddw r3, 0x{a:x}", "stdw [r1+8], 0x5a5a5a5a", f"stx{size} [r1+8], r3", "ldxdw r3, [r1+8]"], "r3")
                  for a in EDGES64]
        file.checks(f"stx{size}", stores, PATTERN)
        file.checks(f"st{size}", [(["stdw [r1+8], 0x5a5a5a5a", f"st{size} [r1+8], {imm}", "ldxdw r3, [r1+8]"], "r3")
                                  for imm in IMMS], PATTERN)
        file.checks(f"st{size}-far", [(["mov r4, r1", f"add r4, {-off}", f"st{size} [r4{off:+d}], -3", "ldxdw r3, [r1+0]"], "r3")
                                      for off in (-32768, -2049, -2048, 2047, 2048, 32767)], PATTERN)
        file.checks(f"stx{size}-far", [(["mov r4, r1", f"add r4, {-off}", "mov r5, -3", f"stx{size} [r4{off:+d}], r5",
                                         "ldxdw r3, [r1+0]"], "r3") for off in (-32768, -2049, 2047, 2048, 32767)], PATTERN)
        file.checks(f"stack-{size}", [([f"mov r3, {off}", f"stx{size} [r10{off}], r3", f"ldx{size} r3, [r10{off}]"], "r3")
                                      for off in (-8, -16, -256, -504, -512)])
        file.test(f"stack-{size}-through-a-register", ["mov r2, r10", "add r2, -16", f"st{size} [r2+0], 0x77", "mov r0, 0",
                                                       f"ldx{size} r0, [r10-16]", "exit"])
    file.test("mem-length", ["mov r0, r2", "exit"], PATTERN)
    file.close()


FETCHES = ("fetch_add", "fetch_or", "fetch_and", "fetch_xor", "xchg", "cmpxchg")


def atomics():
    for suffix, size, width in (("32", "w", 4), ("", "dw", 8)):
        file = File("atomic" + (suffix or "64"), f"RFC 9669, section 5.3: atomic operations on {8 * width} bits.")
        for op in ("add", "or", "and", "xor") + FETCHES:
            cases = []
            for a, b in sorted(set(pairs()))[::5]:
                # r0 is what cmpxchg compares with: once the old value, once another; bits above the width do not count
                for r0 in {a, a ^ 1, a ^ 1 << 40} if op == "cmpxchg" else {3}:
                    for reg in ("r0", "r2", "r3"):
                        cases.append(([f"lddw r4, 0x{a:x}", "stxdw [r10-8], r4", f"lddw r2, 0x{b:x}", f"lddw r0, 0x{r0:x}",
                                       f"atomic{suffix} {op} [r10-8], r2", "ldxdw r3, [r10-8]"], reg))
            file.checks(f"{op}{8 * width}", cases)
            file.test(f"{op}{8 * width}-mem", ["mov r4, r1", "mov r0, 5", "mov r3, 3", f"atomic{suffix} {op} [r4+8], r3",
                                              "ldxdw r5, [r4+8]", "lsh r3, 8", "xor r0, r3", "xor r0, r5", "exit"], PATTERN)
            file.checks(f"{op}{8 * width}-far", [(["lddw r5, 0x123456789abcdef", "stxdw [r1+0], r5",
                                                  "mov r4, r1", f"add r4, {-off}", "mov r0, 5", "mov r3, 3",
                                                  f"atomic{suffix} {op} [r4{off:+d}], r3", "ldxdw r5, [r1+0]", "xor r5, r3",
                                                  "xor r5, r0"], "r5")
                                                for off in (-32768, -2048, 2047 // width * width, 2048, 32760)], PATTERN)
            if op in FETCHES and op != "cmpxchg":
                file.checks(f"{op}{8 * width}-registers", [([f"stdw [r10-8], -7", f"lddw r{r}, 0x{0x1122334455667700 + r:x}",
                                                            f"atomic{suffix} {op} [r10-8], r{r}"], f"r{r}") for r in range(9)])
        file.test(f"cmpxchg{8 * width}-src-r0", ["mov r0, 9", "stdw [r10-8], 9", f"atomic{suffix} cmpxchg [r10-8], r0",
                                                "ldxdw r1, [r10-8]", "add r0, r1", "exit"])
        file.close()


def ordered():
    file = File("ordered", "Load-acquire and store-release (Linux 6.15): all sizes, zero-extended.")
    for size, width in SIZES:
        file.checks(f"load_acq{size}", [([f"load_acq{size} r3, [r1+{off}]"], "r3") for off in range(0, 33 - width, width)], PATTERN)
        file.checks(f"load_acq{size}-far", [(["mov r4, r1", f"add r4, {-off}", f"load_acq{size} r3, [r4{off:+d}]"], "r3")
                                            for off in (-32768, -2048, 2048, 32760)], PATTERN)
        file.checks(f"load_acq{size}-registers", [([f"mov r{r}, r1", f"load_acq{size} r{r}, [r{r}+8]"], f"r{r}")
                                                  for r in range(2, 9)], PATTERN)
        file.checks(f"load_acq{size}-stack", [([f"lddw r2, 0x{a:x}", "stxdw [r10-8], r2", f"load_acq{size} r3, [r10-8]"], "r3")
                                              for a in EDGES64])
        file.checks(f"store_rel{size}", [([f"lddw r3, 0x{a:x}", "stdw [r1+8], 0x5a5a5a5a", f"store_rel{size} [r1+8], r3",
                                           "ldxdw r3, [r1+8]"], "r3") for a in EDGES64], PATTERN)
        file.checks(f"store_rel{size}-stack", [([f"lddw r3, 0x{a:x}", "stdw [r10-16], 0x5a5a5a5a", f"store_rel{size} [r10-16], r3",
                                                 "ldxdw r3, [r10-16]"], "r3") for a in EDGES64])
        file.checks(f"store_rel{size}-far", [(["mov r4, r1", f"add r4, {-off}", "mov r5, -3", f"store_rel{size} [r4{off:+d}], r5",
                                               "ldxdw r3, [r1+0]"], "r3") for off in (-32768, -2048, 2048, 32760)], PATTERN)
    file.test("store_rel-r10", ["store_reldw [r10-8], r10", "ldxdw r1, [r10-8]", "mov r0, r10", "sub r0, r1", "exit"])
    file.close()


def calls():
    file = File("call", "RFC 9669, section 4.3.1: functions of the program, their frames and registers; helpers; callx.")
    file.test("call-argument-and-result", ["mov r1, 20", "call double", "add r0, 2", "exit", "double:", "mov r0, r1", "add r0, r1", "exit"])
    file.test("call-five-arguments", [f"mov r{r}, {r}" for r in range(1, 6)] +
              ["call sum", "exit", "sum:", "mov r0, 0"] + [line for r in range(1, 6) for line in ("lsh r0, 4", f"or r0, r{r}")] + ["exit"])
    file.test("call-back", ["ja start", "f:", "mov r0, r1", "mul r0, 3", "exit", "start:", "mov r1, 14", "call f", "exit"]
              if False else ["mov r1, 14", "call g", "exit", "f:", "mov r0, r1", "mul r0, 3", "exit", "g:", "add r1, 1", "call f",
                             "add r0, 5", "exit"])
    for reg in (6, 7, 8, 9):
        file.test(f"call-keeps-r{reg}", [f"mov r{reg}, 77", "call f", f"mov r0, r{reg}", "exit", "f:"] +
                  [f"mov r{r}, -1" for r in range(6, 10)] + ["mov r0, 1", "exit"])
    file.test("call-keeps-r6-to-r9", [f"lddw r{r}, 0x{0x1111111111111111 * r:x}" for r in range(6, 10)] +
              ["call f", "mov r0, 0"] + [f"xor r0, r{r}" for r in range(6, 10)] + ["exit", "f:"] +
              [f"mov r{r}, {r}" for r in range(6, 10)] + ["call g", "exit", "g:"] + [f"mov r{r}, 0" for r in range(6, 10)] + ["mov r0, 4", "exit"])
    file.test("call-own-frame", ["stdw [r10-8], 1", "stdw [r10-512], 2", "call f", "ldxdw r1, [r10-8]", "ldxdw r2, [r10-512]",
                                 "lsh r1, 8", "lsh r2, 16", "or r0, r1", "or r0, r2", "exit", "f:", "stdw [r10-8], 3",
                                 "stdw [r10-512], 4", "ldxdw r0, [r10-8]", "exit"])
    file.test("call-pointer-to-the-callers-frame", ["stdw [r10-8], 5", "mov r1, r10", "add r1, -8", "call f", "ldxdw r1, [r10-8]",
                                                    "add r0, r1", "exit", "f:", "ldxdw r0, [r1+0]", "stdw [r1+0], 100", "exit"])
    deep = ["mov r1, 1", "call f1", "exit"]
    for depth in range(1, 8):
        deep += [f"f{depth}:", "stxdw [r10-512], r1", f"mov r6, {depth}", "lsh r1, 1", "add r1, 1"]
        deep += [f"call f{depth + 1}"] if depth < 7 else ["mov r0, r1"]
        deep += ["ldxdw r2, [r10-512]", "add r0, r2", "add r0, r6", "exit"]
    file.test("call-8-frames", deep)
    file.test("call-twice", ["call f", "mov r6, r0", "call f", "add r0, r6", "exit", "f:", "mov r0, 21", "exit"])
    file.test("call-in-a-loop", ["mov r6, 10", "mov r7, 0", "loop:", "mov r1, r6", "call f", "add r7, r0", "sub r6, 1", "jne r6, 0, loop",
                                 "mov r0, r7", "exit", "f:", "mov r0, r1", "mul r0, r1", "exit"])
    file.test("call-32-bit-result", ["call f", "exit", "f:", "lddw r0, 0x1ffffffff", "mov32 r0, r0", "exit"])
    file.test("helper-returns", ["call 5", "mov r1, r0", "mov r0, 0", "jeq r1, 0, +1", "mov r0, 1", "exit"])
    file.test("helper-keeps-r6-to-r9", [f"mov r{r}, {r}" for r in range(6, 10)] + ["call 5", "mov r0, 0"] +
              [line for r in range(6, 10) for line in ("lsh r0, 4", f"or r0, r{r}")] + ["exit"])
    file.test("helper-keeps-the-stack", ["stdw [r10-8], 42", "stdw [r10-512], 43", "call 5", "ldxdw r0, [r10-8]", "ldxdw r1, [r10-512]",
                                         "add r0, r1", "exit"])
    file.test("helper-in-a-function", ["mov r6, 3", "call f", "add r0, r6", "exit", "f:", "mov r6, 9", "call 5", "mov r0, r6", "exit"])
    for reg in range(10):
        lines = [f"mov r{reg}, 5", f"callx r{reg}", "mov r1, r0", "mov r0, 0", "jeq r1, 0, +1", "mov r0, 1", "exit"]
        file.test(f"callx-r{reg}", lines)
    file.test("callx-keeps-r6-to-r9", [f"mov r{r}, {r}" for r in range(6, 10)] + ["mov r1, 5", "callx r1", "mov r0, 0"] +
              [line for r in range(6, 10) for line in ("lsh r0, 4", f"or r0, r{r}")] + ["exit"])
    file.close()


def may_goto():
    file = File("may_goto", "may_goto (Linux 6.9): falls through as long as its function has loops left.")
    file.test("may_goto-falls-through", ["mov r0, 1", "may_goto +1", "mov r0, 2", "exit"])
    file.test("may_goto-a-loop-that-ends-itself", ["mov r0, 0", "loop:", "may_goto out", "add r0, 1", "jlt r0, 1000, loop", "out:", "exit"])
    file.test("may_goto-two-loops", ["mov r0, 0", "mov r1, 0", "a:", "may_goto b", "add r0, 1", "jlt r0, 100, a", "b:", "may_goto out",
                                     "add r1, 1", "jlt r1, 50, b", "out:", "lsh r0, 8", "or r0, r1", "exit"])
    file.test("may_goto-back", ["mov r0, 0", "ja +1", "exit", "may_goto -2", "mov r0, 5", "exit"])
    file.test("may_goto-in-a-function", ["mov r6, 0", "mov r7, 0", "loop:", "may_goto out", "call f", "add r7, r0", "add r6, 1",
                                         "jlt r6, 10, loop", "out:", "mov r0, r7", "exit", "f:", "mov r0, 0", "inner:", "may_goto +2",
                                         "add r0, 1", "jlt r0, 20, inner", "exit"])
    file.test("may_goto-with-a-stack", ["stdw [r10-8], 3", "stdw [r10-512], 4", "may_goto +1", "stdw [r10-16], 5", "ldxdw r0, [r10-8]",
                                        "ldxdw r1, [r10-16]", "add r0, r1", "ldxdw r1, [r10-512]", "add r0, r1", "exit"])
    file.close()


def main():
    for family in (alu, move, imm64, swaps, jumps, distances, memory, atomics, ordered, calls, may_goto):
        family()
    print(f"{len(vectors.own())} vectors")


main()
