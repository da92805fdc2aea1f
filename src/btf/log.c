/* SPDX-License-Identifier: MIT */
/* Types as Linux's BTF log shows them: `[NUMBER] KIND NAME DETAILS REASON`, members on lines of
 * their own behind a tab. */
#include "src/btf/check.h"

static const char *const kinds[NR_BTF_KINDS] = {
    "UNKNOWN", "INT",     "PTR",      "ARRAY",    "STRUCT",   "UNION",  "ENUM",
    "FWD",     "TYPEDEF", "VOLATILE", "CONST",    "RESTRICT", "FUNC",   "FUNC_PROTO",
    "VAR",     "DATASEC", "FLOAT",    "DECL_TAG", "TYPE_TAG", "ENUM64",
};

/* Names may be out of bounds while a type is not yet checked. */
static const char *name_at(const struct ebpf_btf_check *check, uint32_t offset)
{
    const char *name = ebpf_btf_string(check->btf, offset);

    if (!name)
        return "(invalid-name-offset)";
    return *name ? name : "(anon)";
}

static void head(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    ebpf_load_logf(check->log, "[%u] %s %s", check->id, kinds[btf_kind(t)],
                   name_at(check, t->name_off));
}

static const char *encoding(uint32_t code)
{
    switch (code) {
    case 0:
        return "(none)";
    case BTF_INT_SIGNED:
        return "SIGNED";
    case BTF_INT_CHAR:
        return "CHAR";
    case BTF_INT_BOOL:
        return "BOOL";
    default:
        return "UNKN";
    }
}

static void show_proto(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    const struct btf_param *args = btf_params(t);

    ebpf_load_logf(check->log, " return=%u args=(", t->type);
    for (uint32_t i = 0; i < btf_vlen(t); i++) {
        if (i + 1 == btf_vlen(t) && i && !args[i].type)
            ebpf_load_logf(check->log, ", vararg");
        else
            ebpf_load_logf(check->log, "%s%u %s", i ? ", " : "", args[i].type,
                           name_at(check, args[i].name_off));
    }
    ebpf_load_logf(check->log, ")");
}

static void details(const struct ebpf_btf_check *check, const struct btf_type *t)
{
    struct ebpf_load_log *log = check->log;

    switch (btf_kind(t)) {
    case BTF_KIND_INT:
        ebpf_load_logf(log, " size=%u bits_offset=%u nr_bits=%u encoding=%s", t->size,
                       BTF_INT_OFFSET(btf_int(t)), BTF_INT_BITS(btf_int(t)),
                       encoding(BTF_INT_ENCODING(btf_int(t))));
        break;
    case BTF_KIND_ARRAY:
        ebpf_load_logf(log, " type_id=%u index_type_id=%u nr_elems=%u", btf_array(t)->type,
                       btf_array(t)->index_type, btf_array(t)->nelems);
        break;
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
    case BTF_KIND_DATASEC:
        ebpf_load_logf(log, " size=%u vlen=%u", t->size, btf_vlen(t));
        break;
    case BTF_KIND_FWD:
        ebpf_load_logf(log, " %s", btf_kflag(t) ? "union" : "struct");
        break;
    case BTF_KIND_FUNC_PROTO:
        show_proto(check, t);
        break;
    case BTF_KIND_VAR:
        ebpf_load_logf(log, " type_id=%u linkage=%u", t->type, btf_var(t)->linkage);
        break;
    case BTF_KIND_FLOAT:
        ebpf_load_logf(log, " size=%u", t->size);
        break;
    case BTF_KIND_DECL_TAG:
        ebpf_load_logf(log, " type=%u component_idx=%d", t->type, btf_decl_tag(t)->component_idx);
        break;
    default:
        ebpf_load_logf(log, " type_id=%u", t->type);
        break;
    }
}

int ebpf_btf_bad(const struct ebpf_btf_check *check, const struct btf_type *t, const char *why)
{
    head(check, t);
    details(check, t);
    ebpf_load_logf(check->log, "%s%s\n", why ? " " : "", why ? why : "");
    return -EINVAL;
}

int ebpf_btf_bad_number(const struct ebpf_btf_check *check, const struct btf_type *t,
                        const char *format, uint32_t number)
{
    head(check, t);
    details(check, t);
    ebpf_load_logf(check->log, " ");
    ebpf_load_logf(check->log, format, number);
    ebpf_load_logf(check->log, "\n");
    return -EINVAL;
}

int ebpf_btf_bad_tail(const struct ebpf_btf_check *check, const struct btf_type *t, uint32_t left,
                      uint32_t needed)
{
    head(check, t);
    ebpf_load_logf(check->log, " meta_left:%u meta_needed:%u\n", left, needed);
    return -EINVAL;
}

int ebpf_btf_bad_member(const struct ebpf_btf_check *check, const struct btf_type *t,
                        const struct btf_member *member, const char *why)
{
    if (check->shown)
        ebpf_btf_bad(check, t, NULL);
    ebpf_load_logf(check->log, "\t%s type_id=%u", name_at(check, member->name_off), member->type);
    if (btf_kflag(t))
        ebpf_load_logf(check->log, " bitfield_size=%u", btf_member_bits(t, member));
    ebpf_load_logf(check->log, " bits_offset=%u%s%s\n", btf_member_offset(t, member),
                   why ? " " : "", why ? why : "");
    return -EINVAL;
}

int ebpf_btf_bad_var(const struct ebpf_btf_check *check, const struct btf_type *t,
                     const struct btf_var_secinfo *var, const char *why)
{
    if (check->shown)
        ebpf_btf_bad(check, t, NULL);
    ebpf_load_logf(check->log, "\t type_id=%u offset=%u size=%u%s%s\n", var->type, var->offset,
                   var->size, why ? " " : "", why ? why : "");
    return -EINVAL;
}
