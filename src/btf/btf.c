/* SPDX-License-Identifier: MIT */
/* BTF objects and looking at them; see btf.h. */
#include "src/btf/btf.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/base/log.h"
#include "src/btf/check.h"
#include "src/core/user.h"

#define HEAD offsetof(struct btf_header, type_off) /* what tells where types are */

static void btf_free(struct ebpf_btf *btf)
{
    ebpf_free(btf->resolved_sizes, btf->type_cnt * sizeof(*btf->resolved_sizes));
    ebpf_free(btf->resolved_ids, btf->type_cnt * sizeof(*btf->resolved_ids));
    ebpf_free(btf->offsets, btf->type_cnt * sizeof(*btf->offsets));
    ebpf_free(btf->mem, btf->mem_size);
    ebpf_free(btf, sizeof(*btf));
}

static void btf_destroy(struct ebpf_obj *obj)
{
    btf_free(ebpf_btf_of(obj));
}

/* The blob is put into its memory so that its types, a multiple of 4 behind the header, are
 * aligned. What was read of the header for that is not read again: it might have changed. */
static int copy_blob(struct ebpf_btf *btf, const struct ebpf_caller *caller, uint64_t data,
                     uint32_t size)
{
    uint32_t words[HEAD / sizeof(uint32_t)] = {0};
    size_t head = ebpf_min(size, HEAD);
    int err = ebpf_copy_in(caller, words, data, head);

    if (err)
        return -EFAULT;
    btf->mem_size = (size_t)size + 4;
    btf->mem = ebpf_alloc(btf->mem_size);
    if (!btf->mem)
        return -ENOMEM;
    btf->data = btf->mem + (-words[1] & 3); /* hdr_len */
    btf->size = size;
    memcpy(btf->data, words, head);
    return ebpf_copy_in(caller, btf->data + head, data + head, size - head) ? -EFAULT : 0;
}

static int check_blob(struct ebpf_btf *btf, struct ebpf_load_log *log)
{
    struct ebpf_btf_check check = {.btf = btf, .log = log};
    int err = ebpf_btf_check_all(&check);

    if (!err)
        err = ebpf_btf_resolve_all(&check);
    return err ? err : ebpf_btf_check_locks(&check);
}

int ebpf_btf_new(const struct ebpf_caller *caller, uint64_t data, uint32_t size,
                 struct ebpf_load_log *log, struct ebpf_btf **out)
{
    struct ebpf_btf *btf;
    int err;

    if (size > BTF_MAX_SIZE)
        return -E2BIG;
    btf = ebpf_zalloc(sizeof(*btf));
    if (!btf)
        return -ENOMEM;
    err = copy_blob(btf, caller, data, size);
    if (!err)
        err = check_blob(btf, log);
    if (!err)
        err = ebpf_obj_init(&btf->obj, EBPF_OBJ_BTF, btf_destroy);
    if (err) {
        btf_free(btf);
        return err;
    }
    *out = btf;
    return 0;
}

int ebpf_btf_load(const void *data, size_t size, struct ebpf_btf **out)
{
    const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL, .kernel = true};
    struct ebpf_load_log log;
    int err;

    if (size > BTF_MAX_SIZE)
        return -E2BIG;
    ebpf_load_log_init(&log, &caller, 0, 0, 0);
    err = ebpf_btf_new(&caller, (uint64_t)(uintptr_t)data, (uint32_t)size, &log, out);
    if (err)
        ebpf_log("ebpf: BTF: error %d: %s", -err, log.line);
    return err;
}

struct ebpf_obj *ebpf_btf_obj(struct ebpf_btf *btf)
{
    return &btf->obj;
}

int ebpf_btf_from_fd(int fd, struct ebpf_btf **out)
{
    struct ebpf_obj *obj;
    int err = ebpf_obj_from_fd(fd, EBPF_OBJ_BTF, &obj);

    if (!err)
        *out = ebpf_btf_of(obj);
    return err;
}

/* ---- looking at types ------------------------------------------------------------------------ */

const struct btf_type *ebpf_btf_type(const struct ebpf_btf *btf, uint32_t id)
{
    static const struct btf_type nothing;

    if (id >= btf->type_cnt)
        return NULL;
    return id ? (const void *)(btf->data + btf->offsets[id]) : &nothing;
}

const char *ebpf_btf_string(const struct ebpf_btf *btf, uint32_t offset)
{
    return offset < btf->str_len ? btf->strings + offset : NULL;
}

const char *ebpf_btf_name(const struct ebpf_btf *btf, const struct btf_type *t)
{
    return btf->strings + t->name_off;
}

/* Chains of modifiers end: resolve.c has seen to that. */
const struct btf_type *ebpf_btf_skip(const struct ebpf_btf *btf, uint32_t from, uint32_t *id)
{
    const struct btf_type *t = ebpf_btf_type(btf, from);

    while (t && btf_is(t, BTF_KINDS_MODIFIER)) {
        from = t->type;
        t = ebpf_btf_type(btf, from);
    }
    if (id && t)
        *id = from;
    return t;
}

const struct btf_type *ebpf_btf_sized(const struct ebpf_btf *btf, uint32_t *id, uint32_t *size)
{
    const struct btf_type *t = ebpf_btf_type(btf, *id);
    uint32_t at = *id, bytes;

    if (t && btf_is(t, BTF_KINDS_MODIFIER | BTF_BIT(VAR))) {
        at = btf->resolved_ids[at];
        t = ebpf_btf_type(btf, at);
    }
    if (!t)
        return NULL;
    if (btf_is(t, BTF_KINDS_SIZED))
        bytes = t->size;
    else if (btf_is(t, BTF_BIT(ARRAY)))
        bytes = btf->resolved_sizes[at];
    else if (btf_is(t, BTF_BIT(PTR)))
        bytes = sizeof(uint64_t);
    else
        return NULL;
    *id = at;
    if (size)
        *size = bytes;
    return t;
}

uint32_t ebpf_btf_find(const struct ebpf_btf *btf, const char *name, uint32_t kind)
{
    for (uint32_t id = 1; id < btf->type_cnt; id++) {
        const struct btf_type *t = ebpf_btf_type(btf, id);

        if (btf_kind(t) == kind && ebpf_streq(ebpf_btf_name(btf, t), name))
            return id;
    }
    return 0;
}

const struct btf_type *ebpf_btf_func_proto(const struct ebpf_btf *btf, uint32_t func_id)
{
    const struct btf_type *t = ebpf_btf_type(btf, func_id);

    return t && btf_is(t, BTF_BIT(FUNC)) ? ebpf_btf_type(btf, t->type) : NULL;
}

const char *ebpf_btf_next_tag(const struct ebpf_btf *btf, uint32_t id, int32_t component,
                              uint32_t *cursor)
{
    while (++*cursor < btf->type_cnt) {
        const struct btf_type *t = ebpf_btf_type(btf, *cursor);

        if (btf_is(t, BTF_BIT(DECL_TAG)) && t->type == id &&
            btf_decl_tag(t)->component_idx == component)
            return ebpf_btf_name(btf, t);
    }
    *cursor = btf->type_cnt - 1; /* asked again, the answer is the same */
    return NULL;
}

bool ebpf_btf_is_scalar(const struct btf_type *t)
{
    return (btf_is(t, BTF_BIT(INT)) && t->size <= sizeof(uint64_t)) || btf_is(t, BTF_KINDS_ENUM);
}

bool ebpf_btf_int_is_regular(const struct btf_type *t)
{
    uint32_t bits;

    if (!btf_is(t, BTF_BIT(INT)))
        return false;
    bits = BTF_INT_BITS(btf_int(t));
    return !BTF_INT_OFFSET(btf_int(t)) &&
           (bits == 8 || bits == 16 || bits == 32 || bits == 64 || bits == 128);
}
