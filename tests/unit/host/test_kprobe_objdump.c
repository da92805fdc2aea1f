/* SPDX-License-Identifier: MIT */
/* The instruction table against GNU objdump: every 16-bit word there is, and many random fills of
 * every 32-bit row. */
#include <stdbool.h>
#include <unistd.h>

#include "kprobe/rv64/decode.h"
#include "tests/unit/test.h"

static uint32_t state = 12345;

static uint32_t random32(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static bool is_our_name(const char *name)
{
    for (unsigned i = 0; i < ebpf_rv_row_count; i++) {
        if (!strcmp(ebpf_rv_rows[i].name, name))
            return true;
    }
    return false;
}

/* objdump is more generous than the manual in these: it names them though they are reserved or
 * illegal. */
static bool objdump_is_lenient(const struct ebpf_rv_insn *insn, const char *name,
                               const char *operands)
{
    bool fp = (insn->raw & 0x7f) == 0x53 || (insn->raw & 0x73) == 0x43;

    if (!strcmp(insn->name, "write to a read-only CSR"))
        return !strncmp(name, "csrr", 4) || !strcmp(name, "unimp");
    if (!strcmp(insn->name, "reserved") && fp) /* rounding modes 5 and 6 */
        return strstr(operands, "unknown") != NULL;
    /* c.addi16sp sp, 0 */
    return (!strcmp(name, "c.unimp") && insn->raw == 0) || insn->raw == 0x6101;
}

/* Other names for the same instruction, and fences with unused fields set, which the manual tells
 * harts to ignore. */
static bool same_name(const char *ours, const char *name)
{
    /* c.slli64: shift by 0 */
    static const char *const suffixes[] = {"", ".aq", ".rl", ".aqrl", "64"};
    size_t len = strlen(ours);

    for (unsigned i = 0; i < 5; i++) {
        if (!strncmp(ours, name, len) && !strcmp(name + len, suffixes[i]))
            return true;
    }
    if (!strcmp(ours, "fence"))
        return !strcmp(name, "pause") || !strcmp(name, "fence.tso") || !strcmp(name, ".4byte");
    /* the exact conversions have a rounding mode too; binutils knows them with mode 0 only */
    return (!strcmp(ours, "fence.i") || !strncmp(ours, "fcvt.d.", 7)) && !strcmp(name, ".4byte");
}

static void compare(const struct ebpf_rv_insn *insn, const char *name, const char *operands)
{
    bool same = same_name(insn->name, name);

    if (insn->kind == EBPF_RV_TRAP_CSR)
        same = !strncmp(name, "csrr", 4);
    if (insn->kind == EBPF_RV_ILLEGAL) /* data, or of an extension beyond RV64GC */
        same = !is_our_name(name) || objdump_is_lenient(insn, name, operands);
    if (!same)
        test_fail(__FILE__, __LINE__, "%08x: ours %s, objdump's %s %s", insn->raw, insn->name, name,
                  operands);
}

static FILE *disassemble(const char *file)
{
    static const char *const tools[] = {"riscv64-unknown-elf-objdump", "riscv64-linux-gnu-objdump"};
    char command[256];

    for (unsigned i = 0; i < 2; i++) {
        snprintf(command, sizeof(command), "%s --version >/dev/null 2>&1", tools[i]);
        if (system(command))
            continue;
        snprintf(command, sizeof(command),
                 "%s -D -z -b binary -m riscv:rv64 -M no-aliases,numeric %s", tools[i], file);
        return popen(command, "r");
    }
    test_skip("no RISC-V objdump");
    return NULL;
}

/* Writes count words of len bytes, and compares each line that objdump prints for them. */
static void compare_all(const uint32_t *words, unsigned count, unsigned len)
{
    char path[] = "/tmp/kprobe_objdump.XXXXXX", line[512];
    int fd = mkstemp(path);
    unsigned seen = 0;
    FILE *out;

    REQUIRE(fd >= 0);
    for (unsigned i = 0; i < count; i++)
        CHECK(write(fd, &words[i], len) == (ssize_t)len);
    close(fd);
    out = disassemble(path);
    while (out && fgets(line, sizeof(line), out)) {
        unsigned long addr;
        unsigned raw;
        char name[64], operands[256] = "";
        struct ebpf_rv_insn insn;

        if (sscanf(line, " %lx: %x %63s %255[^\n]", &addr, &raw, name, operands) < 3 ||
            line[0] != ' ')
            continue;
        ebpf_rv_decode(raw, &insn);
        CHECK_EQ(addr, (unsigned long)seen * len);
        REQUIRE(seen < count);
        CHECK_EQ(raw, words[seen++]);
        CHECK_EQ(insn.len, len);
        compare(&insn, name, operands);
    }
    if (out) {
        CHECK_EQ(pclose(out), 0);
        CHECK_EQ(seen, count);
    }
    unlink(path);
}

TEST(kprobe_table_agrees_with_objdump_on_every_16_bit_word)
{
    static uint32_t words[49152];
    unsigned count = 0;

    for (uint32_t w = 0; w < 65536; w++) {
        if ((w & 3) != 3)
            words[count++] = w;
    }
    compare_all(words, count, 2);
}

TEST(kprobe_table_agrees_with_objdump_on_32_bit_words)
{
    static uint32_t words[120000];
    unsigned count = 0;

    for (unsigned i = 0; i < ebpf_rv_row_count; i++) {
        const struct ebpf_rv_row *row = &ebpf_rv_rows[i];

        for (unsigned n = 0; n < 200 && (row->match & 3) == 3; n++)
            words[count++] = row->match | (random32() & ~row->mask);
    }
    while (count < 120000) { /* what is in no row, most of it */
        uint32_t w = random32() | 3;

        if ((w & 0x1f) != 0x1f)
            words[count++] = w;
    }
    compare_all(words, count, 4);
}

TEST(kprobe_table_rows_are_reachable_and_say_their_own_name)
{
    for (unsigned i = 0; i < ebpf_rv_row_count; i++) {
        const struct ebpf_rv_row *row = &ebpf_rv_rows[i];
        struct ebpf_rv_insn insn;
        bool reached = false;

        CHECK_EQ(row->match & ~row->mask, 0);
        for (unsigned n = 0; n < 1000 && !reached; n++) {
            ebpf_rv_decode(row->match |
                               (random32() & ~row->mask & ((row->match & 3) == 3 ? ~0u : 0xffff)),
                           &insn);
            reached = insn.name == row->name && insn.kind == row->kind;
        }
        if (!reached)
            test_fail(__FILE__, __LINE__, "row %u (%s) is hidden by those in front of it", i,
                      row->name);
    }
}
