/* SPDX-License-Identifier: MIT */
/*
 * Checking BTF, first part: the header and its two sections, and every type by itself: that all
 * of it is there, its name, what its kind allows. What a type refers to comes afterwards, in
 * resolve.c.
 * The rules are those of Documentation/bpf/btf.rst; which of them Linux enforces, and by which
 * error, was asked of Linux itself (tests/unit/host/test_btf_linux.c).
 */
#include "src/btf/check.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"

#define NAME_MAX_LEN 512u     /* Linux: KSYM_NAME_LEN */
#define INFO_MASK 0x9f00ffffu /* of btf_type.info */
#define INT_MASK 0x0fffffffu
#define FIRST_ROOM 64u /* types; doubled as they come */

/* ---- names ----------------------------------------------------------------------------------- */

/* Linux's ctype is Latin-1. */
static bool is_letter(uint8_t c)
{
    uint8_t lower = c | 0x20;

    return (lower >= 'a' && lower <= 'z') || (c >= 0xc0 && c != 0xd7 && c != 0xf7);
}

static bool identifier_char(uint8_t c)
{
    return is_letter(c) || c == '_' || c == '.';
}

static bool is_identifier(const char *name)
{
    size_t len = 0;

    if (!identifier_char((uint8_t)*name))
        return false;
    while (name[len] && len < NAME_MAX_LEN) {
        if (!identifier_char((uint8_t)name[len]) && !(name[len] >= '0' && name[len] <= '9'))
            return false;
        len++;
    }
    return !name[len];
}

/* Any printable characters. */
static bool is_section(const char *name)
{
    size_t len = 0;

    while (name[len] && len < NAME_MAX_LEN) {
        uint8_t c = (uint8_t)name[len++];

        if (c < 0x20 || (c >= 0x7f && c < 0xa0))
            return false;
    }
    return len && !name[len];
}

static bool has_identifier(const struct ebpf_btf_check *check, uint32_t name_off)
{
    return name_off && is_identifier(check->btf->strings + name_off);
}

/* No name, or a proper one. */
static bool identifier_or_none(const struct ebpf_btf_check *check, uint32_t name_off)
{
    return !name_off || is_identifier(check->btf->strings + name_off);
}

bool ebpf_btf_name_ok(const struct ebpf_btf_check *check, uint32_t name_off)
{
    return ebpf_btf_string(check->btf, name_off) && identifier_or_none(check, name_off);
}

/* ---- one kind each --------------------------------------------------------------------------- */

/* Rows of the table below; t and what is behind it are all there. 0, or what refused. */

static bool type_id_ok(uint32_t id)
{
    return id <= BTF_MAX_TYPE;
}

static int check_int(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    uint32_t word = btf_int(t), bits = BTF_INT_BITS(word) + BTF_INT_OFFSET(word);
    uint32_t encoding = BTF_INT_ENCODING(word);

    if (word & ~INT_MASK)
        return ebpf_btf_bad_number(check, t, "Invalid int_data:%x", word);
    if (bits > 128)
        return ebpf_btf_bad_number(check, t, "nr_bits exceeds %u", 16);
    if ((bits + 7) / 8 > t->size)
        return ebpf_btf_bad(check, t, "nr_bits exceeds type_size");
    if (encoding & (encoding - 1) || encoding > BTF_INT_BOOL) {
        ebpf_btf_bad(check, t, "Unsupported encoding");
        return -ENOTSUPP;
    }
    return 0;
}

/* Pointers, typedefs, qualifiers. */
static int check_ref(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    bool ok = !t->name_off;

    if (!type_id_ok(t->type))
        return ebpf_btf_bad(check, t, "Invalid type_id");
    if (btf_is(t, BTF_BIT(TYPEDEF)))
        ok = has_identifier(check, t->name_off);
    else if (btf_is(t, BTF_BIT(TYPE_TAG)))
        ok = *ebpf_btf_name(check->btf, t);
    return ok ? 0 : ebpf_btf_bad(check, t, "Invalid name");
}

static int check_array(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    if (t->name_off)
        return ebpf_btf_bad(check, t, "Invalid name");
    if (t->size)
        return ebpf_btf_bad(check, t, "size != 0");
    if (!btf_array(t)->type || !type_id_ok(btf_array(t)->type))
        return ebpf_btf_bad(check, t, "Invalid elem");
    if (!btf_array(t)->index_type || !type_id_ok(btf_array(t)->index_type))
        return ebpf_btf_bad(check, t, "Invalid index");
    return 0;
}

static int check_fwd(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    if (t->type)
        return ebpf_btf_bad(check, t, "type != 0");
    return has_identifier(check, t->name_off) ? 0 : ebpf_btf_bad(check, t, "Invalid name");
}

/* after: where the member before begins */
static const char *wrong_with_member(const struct ebpf_btf_check *check, const struct btf_type *t,
                                     const struct btf_member *member, uint32_t after)
{
    uint32_t offset = btf_member_offset(t, member);

    if (!ebpf_btf_string(check->btf, member->name_off))
        return "Invalid member name_offset";
    if (!identifier_or_none(check, member->name_off))
        return "Invalid name";
    if (!member->type || !type_id_ok(member->type))
        return "Invalid type_id";
    if ((btf_is(t, BTF_BIT(UNION)) && offset) || after > offset)
        return "Invalid member bits_offset";
    /* the last one may be an array of no elements at the end */
    if ((offset >> 3) + !!(offset & 7) > t->size)
        return "Member bits_offset exceeds its struct size";
    return NULL;
}

static int check_struct(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    const struct btf_member *member = btf_members(t);
    uint32_t after = 0;

    if (!identifier_or_none(check, t->name_off))
        return ebpf_btf_bad(check, t, "Invalid name");
    if (ebpf_btf_verbose(check))
        ebpf_btf_bad(check, t, NULL);
    for (uint32_t i = 0; i < btf_vlen(t); i++, member++) {
        const char *wrong = wrong_with_member(check, t, member, after);

        if (wrong)
            return ebpf_btf_bad_member(check, t, member, wrong);
        if (ebpf_btf_verbose(check))
            ebpf_btf_bad_member(check, t, member, NULL);
        after = btf_member_offset(t, member);
    }
    return 0;
}

static int check_enumerator(const struct ebpf_btf_check *check, const struct btf_type *t,
                            uint32_t name_off, uint64_t value)
{
    if (!ebpf_btf_string(check->btf, name_off)) {
        ebpf_load_logf(check->log, "\tInvalid name_offset:%u\n", name_off);
        return -EINVAL;
    }
    if (!has_identifier(check, name_off))
        return ebpf_btf_bad(check, t, "Invalid name");
    if (ebpf_btf_verbose(check))
        ebpf_load_logf(check->log, btf_kflag(t) ? "\t%s val=%lld\n" : "\t%s val=%llu\n",
                       check->btf->strings + name_off, (unsigned long long)value);
    return 0;
}

/* The value as a person reads it: 32 bits are signed or not, as kflag says. */
static uint64_t enum_value(const struct btf_type *t, uint32_t i)
{
    int32_t value;

    if (btf_is(t, BTF_BIT(ENUM64)))
        return btf_enums64(t)[i].val_lo32 | (uint64_t)btf_enums64(t)[i].val_hi32 << 32;
    value = btf_enums(t)[i].val;
    return btf_kflag(t) ? (uint64_t)(int64_t)value : (uint32_t)value;
}

static int check_enum(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    int err = 0;

    if (!t->size || t->size > 8 || t->size & (t->size - 1))
        return ebpf_btf_bad(check, t, "Unexpected size");
    if (!identifier_or_none(check, t->name_off))
        return ebpf_btf_bad(check, t, "Invalid name");
    if (ebpf_btf_verbose(check))
        ebpf_btf_bad(check, t, NULL);
    for (uint32_t i = 0; !err && i < btf_vlen(t); i++) {
        uint32_t name_off =
            btf_is(t, BTF_BIT(ENUM64)) ? btf_enums64(t)[i].name_off : btf_enums(t)[i].name_off;

        err = check_enumerator(check, t, name_off, enum_value(t, i));
    }
    return err;
}

static int check_func(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    if (!has_identifier(check, t->name_off))
        return ebpf_btf_bad(check, t, "Invalid name");
    if (btf_vlen(t) > BTF_FUNC_GLOBAL)
        return ebpf_btf_bad(check, t, "Invalid func linkage");
    return 0;
}

static int check_func_proto(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    return t->name_off ? ebpf_btf_bad(check, t, "Invalid name") : 0;
}

static int check_var(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    if (!has_identifier(check, t->name_off))
        return ebpf_btf_bad(check, t, "Invalid name");
    if (!t->type || !type_id_ok(t->type))
        return ebpf_btf_bad(check, t, "Invalid type_id");
    if (btf_var(t)->linkage > BTF_VAR_GLOBAL_ALLOCATED)
        return ebpf_btf_bad(check, t, "Linkage not supported");
    return 0;
}

static const char *wrong_with_var(const struct btf_type *t, const struct btf_var_secinfo *var,
                                  uint64_t after)
{
    if (!var->type || !type_id_ok(var->type))
        return "Invalid type_id";
    if (var->offset < after || var->offset >= t->size)
        return "Invalid offset";
    if (!var->size || var->size > t->size)
        return "Invalid size";
    return (uint64_t)var->offset + var->size > t->size ? "Invalid offset+size" : NULL;
}

static int check_datasec(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    const struct btf_var_secinfo *var = btf_secinfos(t);
    uint64_t after = 0;

    if (!t->size)
        return ebpf_btf_bad(check, t, "size == 0");
    if (!t->name_off || !is_section(ebpf_btf_name(check->btf, t)))
        return ebpf_btf_bad(check, t, "Invalid name");
    if (ebpf_btf_verbose(check))
        ebpf_btf_bad(check, t, NULL);
    for (uint32_t i = 0; i < btf_vlen(t); i++, var++) {
        const char *wrong = wrong_with_var(t, var, after);

        if (wrong)
            return ebpf_btf_bad_var(check, t, var, wrong);
        if (ebpf_btf_verbose(check))
            ebpf_btf_bad_var(check, t, var, NULL);
        after = (uint64_t)var->offset + var->size;
    }
    return 0;
}

static int check_float(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    switch (t->size) {
    case 2:
    case 4:
    case 8:
    case 12:
    case 16:
        return 0;
    default:
        return ebpf_btf_bad(check, t, "Invalid type_size");
    }
}

static int check_decl_tag(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    if (!*ebpf_btf_name(check->btf, t))
        return ebpf_btf_bad(check, t, "Invalid value");
    if (btf_decl_tag(t)->component_idx < -1)
        return ebpf_btf_bad(check, t, "Invalid component_idx");
    return 0;
}

/* ---- any type -------------------------------------------------------------------------------- */

static const struct {
    int (*check)(const struct ebpf_btf_check *check, const struct btf_type *t);
    uint8_t fixed, each; /* bytes behind the common part: so many, and for each of vlen */
    bool vlen;           /* may be other than 0 */
    bool kflag;          /* may be set */
    bool shows_itself;   /* in the log, with its members */
} kinds[NR_BTF_KINDS] = {
    [BTF_KIND_INT] = {.check = check_int, .fixed = 4},
    [BTF_KIND_PTR] = {.check = check_ref},
    [BTF_KIND_ARRAY] = {.check = check_array, .fixed = sizeof(struct btf_array)},
    [BTF_KIND_STRUCT] = {check_struct, 0, sizeof(struct btf_member), true, true, true},
    [BTF_KIND_UNION] = {check_struct, 0, sizeof(struct btf_member), true, true, true},
    [BTF_KIND_ENUM] = {check_enum, 0, sizeof(struct btf_enum), true, true, true},
    [BTF_KIND_FWD] = {.check = check_fwd, .kflag = true},
    [BTF_KIND_TYPEDEF] = {.check = check_ref},
    [BTF_KIND_VOLATILE] = {.check = check_ref},
    [BTF_KIND_CONST] = {.check = check_ref},
    [BTF_KIND_RESTRICT] = {.check = check_ref},
    [BTF_KIND_FUNC] = {.check = check_func, .vlen = true},
    [BTF_KIND_FUNC_PROTO] = {.check = check_func_proto,
                             .each = sizeof(struct btf_param),
                             .vlen = true},
    [BTF_KIND_VAR] = {.check = check_var, .fixed = sizeof(struct btf_var)},
    [BTF_KIND_DATASEC] = {check_datasec, 0, sizeof(struct btf_var_secinfo), true, false, true},
    [BTF_KIND_FLOAT] = {.check = check_float},
    /* kflag: an attribute of the compiler's (Linux 6.14) */
    [BTF_KIND_DECL_TAG] = {.check = check_decl_tag,
                           .fixed = sizeof(struct btf_decl_tag),
                           .kflag = true},
    [BTF_KIND_TYPE_TAG] = {.check = check_ref, .kflag = true},
    [BTF_KIND_ENUM64] = {check_enum, 0, sizeof(struct btf_enum64), true, true, true},
};

/* What all kinds have in common. */
static int check_common(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    if (t->info & ~INFO_MASK) {
        ebpf_load_logf(check->log, "[%u] Invalid btf_info:%x\n", check->id, t->info);
        return -EINVAL;
    }
    if (btf_kind(t) == BTF_KIND_UNKN || btf_kind(t) >= NR_BTF_KINDS) {
        ebpf_load_logf(check->log, "[%u] Invalid kind:%u\n", check->id, btf_kind(t));
        return -EINVAL;
    }
    if (!ebpf_btf_string(check->btf, t->name_off)) {
        ebpf_load_logf(check->log, "[%u] Invalid name_offset:%u\n", check->id, t->name_off);
        return -EINVAL;
    }
    return 0;
}

/* The type that left bytes begin with; *length: how many of them are its. */
static int check_type(const struct ebpf_btf_check *check, const struct btf_type *t, uint32_t left,
                      uint32_t *length)
{
    uint32_t tail;
    int err;

    if (left < sizeof(*t)) {
        ebpf_load_logf(check->log, "[%u] meta_left:%u meta_needed:%u\n", check->id, left,
                       (unsigned)sizeof(*t));
        return -EINVAL;
    }
    err = check_common(check, t);
    if (err)
        return err;
    tail = kinds[btf_kind(t)].fixed + btf_vlen(t) * kinds[btf_kind(t)].each;
    if (left - sizeof(*t) < tail)
        return ebpf_btf_bad_tail(check, t, left - (uint32_t)sizeof(*t), tail);
    if (btf_vlen(t) && !kinds[btf_kind(t)].vlen)
        return ebpf_btf_bad(check, t, "vlen != 0");
    if (btf_kflag(t) && !kinds[btf_kind(t)].kflag)
        return ebpf_btf_bad(check, t, "Invalid btf_info kind_flag");
    err = kinds[btf_kind(t)].check(check, t);
    if (!err && !kinds[btf_kind(t)].shows_itself && ebpf_btf_verbose(check))
        ebpf_btf_bad(check, t, NULL);
    *length = (uint32_t)sizeof(*t) + tail;
    return err;
}

/* Room for one more number; the array grows by doubling, and is cut to what is used by nobody: half
 * of it at most is spare until the check is over. */
static int add_type(struct ebpf_btf_check *check, uint32_t *room, uint32_t offset)
{
    struct ebpf_btf *btf = check->btf;
    uint32_t more = *room ? *room * 2 : FIRST_ROOM;
    uint32_t *offsets;

    if (btf->type_cnt == BTF_MAX_TYPE) {
        ebpf_load_logf(check->log, "Exceeded max num of types\n");
        return -E2BIG;
    }
    if (btf->type_cnt == *room) {
        offsets = ebpf_calloc(more, sizeof(*offsets));
        if (!offsets)
            return -ENOMEM;
        if (*room)
            memcpy(offsets, btf->offsets, *room * sizeof(*offsets));
        ebpf_free(btf->offsets, *room * sizeof(*offsets));
        btf->offsets = offsets;
        *room = more;
    }
    btf->offsets[btf->type_cnt++] = offset;
    return 0;
}

/* As many numbers as there are: objects are freed by what they were allocated with. */
static int trim(struct ebpf_btf *btf, uint32_t room, int err)
{
    uint32_t *offsets = err ? NULL : ebpf_memdup(btf->offsets, btf->type_cnt * sizeof(*offsets));

    ebpf_free(btf->offsets, room * sizeof(*offsets));
    btf->offsets = offsets;
    return err ? err : offsets ? 0 : -ENOMEM;
}

static int check_types(struct ebpf_btf_check *check, uint32_t at, uint32_t end)
{
    uint32_t room = 0, length = 0;
    int err = add_type(check, &room, 0); /* void */

    for (check->id = 1; !err && at < end; check->id++, at += length) {
        const struct btf_type *t = (const void *)(check->btf->data + at);

        err = check_type(check, t, end - at, &length);
        if (!err)
            err = add_type(check, &room, at);
    }
    return trim(check->btf, room, err);
}

/* ---- header and sections --------------------------------------------------------------------- */

static int bad_blob(const struct ebpf_btf_check *check, int err, const char *why)
{
    ebpf_load_logf(check->log, "%s\n", why);
    return err;
}

static int check_sections(const struct ebpf_btf_check *check, const struct btf_header *h)
{
    struct {
        uint32_t off, len;
    } secs[2] = {{h->type_off, h->type_len}, {h->str_off, h->str_len}};
    uint32_t total = 0, room = check->btf->size - h->hdr_len;
    unsigned first = h->type_off > h->str_off;

    for (unsigned i = 0; i < 2; i++) {
        uint32_t off = secs[i ^ first].off, len = secs[i ^ first].len;

        if (room < off)
            return bad_blob(check, -EINVAL, "Invalid section offset");
        if (total < off)
            return bad_blob(check, -EINVAL, "Unsupported section found");
        if (total > off)
            return bad_blob(check, -EINVAL, "Section overlap found");
        if (room - total < len)
            return bad_blob(check, -EINVAL, "Total section length too long");
        total += len;
    }
    return total == room ? 0 : bad_blob(check, -EINVAL, "Unsupported section found");
}

static void show_header(const struct ebpf_btf_check *check, const struct btf_header *h)
{
    struct ebpf_load_log *log = check->log;

    ebpf_load_logf(log, "magic: 0x%x\nversion: %u\nflags: 0x%x\n", h->magic, h->version, h->flags);
    ebpf_load_logf(log, "hdr_len: %u\ntype_off: %u\ntype_len: %u\n", h->hdr_len, h->type_off,
                   h->type_len);
    ebpf_load_logf(log, "str_off: %u\nstr_len: %u\nbtf_total_size: %u\n", h->str_off, h->str_len,
                   check->btf->size);
}

/* A header may be shorter than ours: the rest counts as zero; or longer, by zeros. */
static int take_header(const struct ebpf_btf_check *check, struct btf_header *h)
{
    const struct ebpf_btf *btf = check->btf;
    uint32_t len;

    memset(h, 0, sizeof(*h));
    if (btf->size < offsetof(struct btf_header, type_off))
        return bad_blob(check, -EINVAL, "hdr_len not found");
    memcpy(&len, btf->data + offsetof(struct btf_header, hdr_len), sizeof(len));
    if (btf->size < len)
        return bad_blob(check, -EINVAL, "btf_header not found");
    if (len > sizeof(*h) && !ebpf_all_zero(btf->data + sizeof(*h), len - sizeof(*h)))
        return bad_blob(check, -E2BIG, "Unsupported btf_header");
    memcpy(h, btf->data, ebpf_min(len, sizeof(*h)));
    return 0;
}

static int check_header(const struct ebpf_btf_check *check, struct btf_header *h)
{
    int err = take_header(check, h);

    if (err)
        return err;
    if (ebpf_btf_verbose(check))
        show_header(check, h);
    if (h->magic != BTF_MAGIC)
        return bad_blob(check, -EINVAL, "Invalid magic");
    if (h->version != BTF_VERSION)
        return bad_blob(check, -ENOTSUPP, "Unsupported version");
    if (h->flags)
        return bad_blob(check, -ENOTSUPP, "Unsupported flags");
    if (check->btf->size == h->hdr_len)
        return bad_blob(check, -EINVAL, "No data");
    return check_sections(check, h);
}

static int check_strings(const struct ebpf_btf_check *check, const struct btf_header *h)
{
    struct ebpf_btf *btf = check->btf;
    const char *start = (const char *)btf->data + h->hdr_len + h->str_off;

    if (h->hdr_len + h->str_off + h->str_len != btf->size)
        return bad_blob(check, -EINVAL, "String section is not at the end");
    if (!h->str_len || h->str_len - 1 > BTF_MAX_NAME_OFFSET || start[h->str_len - 1] || start[0])
        return bad_blob(check, -EINVAL, "Invalid string section");
    btf->strings = start;
    btf->str_len = h->str_len;
    return 0;
}

int ebpf_btf_check_all(struct ebpf_btf_check *check)
{
    struct btf_header h;
    int err = check_header(check, &h);

    if (!err)
        err = check_strings(check, &h);
    if (err)
        return err;
    if (h.type_off & 3)
        return bad_blob(check, -EINVAL, "Unaligned type_off");
    if (!h.type_len)
        return bad_blob(check, -EINVAL, "No type found");
    return check_types(check, h.hdr_len + h.type_off, h.hdr_len + h.type_off + h.type_len);
}
