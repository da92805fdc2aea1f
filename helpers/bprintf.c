/* SPDX-License-Identifier: MIT */
/*
 * Formatting for programs; see bprintf.h. The rules are those of Linux's bpf_bprintf_prepare():
 *
 *     %[0 + - space]*[width]( d i u x X, each also with l and ll | c | s | p )
 *     p (space, punctuation or the end follows)  px  pK      an address
 *     pS  ps  pB                                             an address as symbol
 *     pI4  pi4  pI6  pi6                                     an IP address, at the argument
 *     pks  pus                                               a kernel's, a user's string
 *
 * An s must be followed by space, punctuation or the end, too. Linux prints p and pK as a hash of
 * the address, because its log is open to many; here the address itself is printed: whoever may
 * load such a program may read all memory.
 */
#include "helpers/bprintf.h"

#include <ebpf/ebpf.h>

#include "helpers/probe_read.h"
#include "src/base/bits.h"
#include "src/base/fmt.h"
#include "src/base/ksym.h"

#define MAX_WIDTH 8388607u /* Linux: FIELD_WIDTH_MAX */

/* The format; at() gives NUL behind its end, even if the program's memory changes meanwhile. */
struct format {
    const char *text;
    size_t len;
};

struct spec {
    char type;   /* d u x X c s p */
    char sub[2]; /* of p: what follows it */
    bool left, zero, plus, space;
    bool is_long; /* 64 bits */
    size_t width; /* 0: none */
};

struct state {
    struct ebpf_bprintf *out; /* NULL: the format is only looked at */
    size_t len;               /* of the text so far, uncut */
    size_t args_len;          /* bytes of out->args that Linux would have used so far */
};

static char at(const struct format *f, size_t i)
{
    return i < f->len ? __atomic_load_n(&f->text[i], __ATOMIC_RELAXED) : 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_print(char c)
{
    return c >= ' ' && c <= '~';
}

static bool is_punct(char c)
{
    return is_print(c) && c != ' ' && !is_digit(c) && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool ends_name(char c)
{
    return !c || is_space(c) || is_punct(c);
}

/* ---- the text ------------------------------------------------------------------------------ */

static void put_char(struct state *s, char c)
{
    if (s->len + 1 < s->out->size)
        s->out->text[s->len] = c;
    s->len++;
}

static void put_fill(struct state *s, char c, size_t count)
{
    size_t room = s->len + 1 < s->out->size ? s->out->size - 1 - s->len : 0;

    if (room)
        memset(s->out->text + s->len, c, ebpf_min(count, room));
    s->len += count;
}

static void put_padded(struct state *s, const struct spec *spec, const char *text, size_t len)
{
    size_t fill = spec->width > len ? spec->width - len : 0;

    if (!spec->left)
        put_fill(s, ' ', fill);
    for (size_t i = 0; i < len; i++)
        put_char(s, text[i]);
    if (spec->left)
        put_fill(s, ' ', fill);
}

static char sign_of(const struct spec *spec, int64_t value)
{
    if (value < 0)
        return '-';
    if (spec->plus)
        return '+';
    return spec->space ? ' ' : 0;
}

static void put_number(struct state *s, const struct spec *spec, uint64_t value)
{
    char digits[24], sign = 0;
    size_t count, used;

    if (spec->type == 'd') {
        sign = sign_of(spec, (int64_t)value);
        if (sign == '-')
            value = 0 - value;
    }
    if (spec->type == 'd' || spec->type == 'u')
        count = (size_t)ebpf_format(digits, sizeof(digits), "%llu", (unsigned long long)value);
    else if (spec->type == 'X')
        count = (size_t)ebpf_format(digits, sizeof(digits), "%llX", (unsigned long long)value);
    else
        count = (size_t)ebpf_format(digits, sizeof(digits), "%llx", (unsigned long long)value);
    used = count + (sign != 0);
    if (!spec->left && !spec->zero && spec->width > used)
        put_fill(s, ' ', spec->width - used);
    if (sign)
        put_char(s, sign);
    if (!spec->left && spec->zero && spec->width > used)
        put_fill(s, '0', spec->width - used);
    for (size_t i = 0; i < count; i++)
        put_char(s, digits[i]);
    if (spec->left && spec->width > used)
        put_fill(s, ' ', spec->width - used);
}

/* ---- arguments ----------------------------------------------------------------------------- */

/* Linux packs the arguments into 512 bytes first; the same book-keeping here makes the same calls
 * fail. */
static int take_number(struct state *s, size_t size)
{
    s->args_len = EBPF_ROUND_UP(s->args_len, (size_t)4);
    if (s->args_len + size > EBPF_BPRINTF_ARGS)
        return -ENOSPC;
    s->args_len += size;
    return 0;
}

static int put_string(struct state *s, const struct spec *spec, uint64_t addr)
{
    enum ebpf_space space = spec->sub[0] == 'k'   ? EBPF_SPACE_KERNEL
                            : spec->sub[0] == 'u' ? EBPF_SPACE_USER
                                                  : EBPF_SPACE_ANY;
    size_t room = EBPF_BPRINTF_ARGS - s->args_len;
    char *text = s->out->args + s->args_len;
    int64_t got;

    if (!room)
        return -ENOSPC;
    got = ebpf_probe_read_str(text, (uint32_t)room, addr, space);
    if (got < 0) { /* a bad address prints nothing, as on Linux */
        text[0] = 0;
        got = 1;
    }
    s->args_len += (size_t)got;
    put_padded(s, spec, text, (size_t)got - 1);
    return 0;
}

static int put_ip(struct state *s, const struct spec *spec, uint64_t addr)
{
    const char *byte_format = spec->sub[0] == 'i' ? "%03u" : "%u";
    size_t size = spec->sub[1] == '4' ? 4 : 16, len = 0;
    uint8_t ip[16];
    char text[40];

    if (EBPF_BPRINTF_ARGS - s->args_len < size)
        return -ENOSPC;
    /* a bad address prints zeros, as on Linux */
    ebpf_probe_read(ip, (uint32_t)size, addr, EBPF_SPACE_KERNEL);
    for (size_t i = 0; i < size; i++) {
        if (size == 4 && i > 0)
            text[len++] = '.';
        if (size == 16 && i > 0 && i % 2 == 0 && spec->sub[0] == 'I')
            text[len++] = ':';
        len += (size_t)ebpf_format(text + len, sizeof(text) - len, size == 4 ? byte_format : "%02x",
                                   ip[i]);
    }
    s->args_len = ebpf_min(s->args_len + len + 1, EBPF_BPRINTF_ARGS);
    put_padded(s, spec, text, len);
    return 0;
}

/* The linked-in symbol table is the only one that can be asked here (the symbol hooks are T). B: a
 * return address, which may already be the first byte of the next function. */
static int put_symbol(struct state *s, const struct spec *spec, uint64_t addr)
{
    bool backtrace = spec->sub[0] == 'B';
    char text[sizeof(((struct ebpf_symbol *)0)->name) + 40];
    struct ebpf_symbol symbol;
    int len, err = backtrace ? 0 : take_number(s, sizeof(addr));

    if (err)
        return err;
    if (ebpf_ksym_at(addr - backtrace, &symbol))
        len = ebpf_format(text, sizeof(text), "0x%llx", (unsigned long long)addr);
    else if (spec->sub[0] == 's')
        len = ebpf_format(text, sizeof(text), "%s", symbol.name);
    else
        len = ebpf_format(text, sizeof(text), "%s+0x%lx/0x%lx", symbol.name,
                          (unsigned long)(addr - symbol.addr), (unsigned long)symbol.size);
    if (backtrace)
        s->args_len = ebpf_min(s->args_len + (size_t)len + 1, EBPF_BPRINTF_ARGS);
    put_padded(s, spec, text, (size_t)len);
    return 0;
}

static int put_address(struct state *s, const struct spec *spec, uint64_t addr)
{
    struct spec hex = *spec;
    int err = take_number(s, sizeof(addr));

    hex.type = 'x';
    if (!hex.width) {
        hex.width = 16;
        hex.zero = true;
    }
    if (!err)
        put_number(s, &hex, addr);
    return err;
}

static int put_char_arg(struct state *s, const struct spec *spec, uint64_t arg)
{
    char c = (char)arg;

    if (s->args_len == EBPF_BPRINTF_ARGS)
        return -ENOSPC;
    s->args_len++;
    put_padded(s, spec, &c, 1);
    return 0;
}

static int put_arg(struct state *s, const struct spec *spec, uint64_t arg)
{
    int err;

    if (spec->type == 's')
        return put_string(s, spec, arg);
    if (spec->type == 'c')
        return put_char_arg(s, spec, arg);
    if (spec->type == 'p') {
        switch (spec->sub[0]) {
        case 'I':
        case 'i':
            return put_ip(s, spec, arg);
        case 'S':
        case 's':
        case 'B':
            return put_symbol(s, spec, arg);
        default:
            return put_address(s, spec, arg);
        }
    }
    err = take_number(s, spec->is_long ? 8 : 4);
    if (!spec->is_long)
        arg = spec->type == 'd' ? (uint64_t)(int64_t)(int32_t)(uint32_t)arg : (uint32_t)arg;
    if (!err)
        put_number(s, spec, arg);
    return err;
}

/* ---- the format ---------------------------------------------------------------------------- */

/* Flags and width. Returns the place behind them. */
static size_t parse_width(const struct format *f, size_t i, struct spec *spec)
{
    for (;; i++) {
        char c = at(f, i);

        if (c == '-')
            spec->left = true;
        else if (c == '0')
            spec->zero = true;
        else if (c == '+')
            spec->plus = true;
        else if (c == ' ')
            spec->space = true;
        else
            break;
    }
    for (; is_digit(at(f, i)); i++)
        spec->width = ebpf_min(spec->width * 10 + (size_t)(at(f, i) - '0'), MAX_WIDTH);
    return i;
}

/* What follows a p. Returns the place of the conversion's last character, or 0: refused. */
static size_t parse_pointer(const struct format *f, size_t i, struct spec *spec)
{
    char c = at(f, i + 1), d = at(f, i + 2);

    if (ends_name(c))
        return i;
    spec->sub[0] = c;
    if ((c == 'k' || c == 'u') && d == 's') {
        spec->type = 's';
        return ends_name(at(f, i + 3)) ? i + 2 : 0;
    }
    if (c == 'K' || c == 'x' || c == 's' || c == 'S' || c == 'B')
        return i + 1;
    spec->sub[1] = d;
    return (c == 'i' || c == 'I') && (d == '4' || d == '6') ? i + 2 : 0;
}

/* The conversion whose % stands at i. Returns the place of its last character, or 0: refused. */
static size_t parse_spec(const struct format *f, size_t i, struct spec *spec)
{
    memset(spec, 0, sizeof(*spec));
    i = parse_width(f, i + 1, spec);
    spec->type = at(f, i);
    if (spec->type == 'p')
        return parse_pointer(f, i, spec);
    if (spec->type == 's')
        return ends_name(at(f, i + 1)) ? i : 0;
    if (spec->type == 'c')
        return i;
    for (unsigned l = 0; l < 2 && at(f, i) == 'l'; l++, i++)
        spec->is_long = true;
    spec->type = at(f, i) == 'i' ? 'd' : at(f, i);
    return spec->type == 'd' || spec->type == 'u' || spec->type == 'x' || spec->type == 'X' ? i : 0;
}

static int format_all(struct state *s, const struct format *f, const uint64_t *args,
                      unsigned arg_count)
{
    unsigned used = 0;
    struct spec spec;

    for (size_t i = 0; i < f->len; i++) {
        char c = at(f, i);
        int err;

        if (!is_print(c) && !is_space(c))
            return -EINVAL;
        if (c != '%' || at(f, i + 1) == '%') {
            if (s->out)
                put_char(s, c);
            i += c == '%';
            continue;
        }
        if (used == arg_count)
            return -EINVAL;
        i = parse_spec(f, i, &spec);
        if (!i)
            return -EINVAL;
        err = s->out ? put_arg(s, &spec, args[used]) : 0;
        used++;
        if (err)
            return err;
    }
    return 0;
}

int ebpf_bprintf(struct ebpf_bprintf *out, const char *fmt, uint32_t fmt_size, const uint64_t *args,
                 unsigned arg_count)
{
    struct state s = {.out = out};
    struct format f = {.text = fmt, .len = ebpf_strnlen(fmt, fmt_size)};
    int err;

    if (f.len == fmt_size)
        return -EINVAL;
    err = format_all(&s, &f, args, arg_count);
    if (out->size)
        out->text[ebpf_min(s.len, out->size - 1)] = 0;
    return err ? err : (int)s.len;
}

int ebpf_bprintf_check(const char *fmt, unsigned arg_count)
{
    struct state s = {.out = NULL};
    struct format f = {.text = fmt, .len = ebpf_strlen(fmt)};

    return format_all(&s, &f, NULL, arg_count);
}

/* ---- for helpers --------------------------------------------------------------------------- */

struct hart {
    struct ebpf_bprintf buf;
    bool busy;
} __attribute__((aligned(64)));

static struct hart harts[EBPF_CONFIG_MAX_CPUS];

struct ebpf_bprintf *ebpf_bprintf_get(void)
{
    struct hart *hart = &harts[ebpf_os_cpu_id()];

    if (hart->busy)
        return NULL;
    hart->busy = true;
    return &hart->buf;
}

void ebpf_bprintf_put(struct ebpf_bprintf *out)
{
    EBPF_CONTAINER_OF(out, struct hart, buf)->busy = false;
}

int ebpf_bprintf_count(const void *data, uint32_t size)
{
    if (size % sizeof(uint64_t) || size > EBPF_BPRINTF_ARGS_MAX * sizeof(uint64_t) ||
        (size && !data))
        return -EINVAL;
    return (int)(size / sizeof(uint64_t));
}
