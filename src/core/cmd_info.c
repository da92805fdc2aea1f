/* SPDX-License-Identifier: MIT */
/*
 * bpf(2): BPF_OBJ_GET_INFO_BY_FD. The caller says how long its struct is: a longer one must be zero
 * behind ours (-E2BIG), a shorter one gets what fits; fields that hold addresses and sizes of the
 * caller's arrays are read first.
 */
#include "maps/map.h"
#include "src/attach/link.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/btf/btf.h"
#include "src/core/cmd.h"
#include "src/core/prog.h"

/* Reads the caller's struct into info (zero-filled, size bytes). */
static int take_info(const struct ebpf_cmd *cmd, void *info, size_t size)
{
    uint32_t given = cmd->attr->info.info_len;
    int err = 0;

    memset(info, 0, size);
    if (given > size)
        err = ebpf_check_zero_in(cmd->caller, cmd->attr->info.info + size, given - size);
    return err ? err : ebpf_copy_in(cmd->caller, info, cmd->attr->info.info, ebpf_min(given, size));
}

static int give_info(const struct ebpf_cmd *cmd, const void *info, size_t size)
{
    uint32_t len = (uint32_t)ebpf_min(cmd->attr->info.info_len, size);
    int err = ebpf_copy_out(cmd->caller, cmd->attr->info.info, info, len);

    cmd->attr->info.info_len = len;
    return err ? err : EBPF_CMD_GIVE(cmd, info.info_len);
}

static int map_info(const struct ebpf_cmd *cmd, const struct ebpf_map *map)
{
    struct bpf_map_info info;
    int err = take_info(cmd, &info, sizeof(info));

    if (err)
        return err;
    info = (struct bpf_map_info){
        .type = map->type,
        .id = map->obj.id,
        .key_size = map->key_size,
        .value_size = map->value_size,
        .max_entries = map->max_entries,
        .map_flags = map->flags,
        .map_extra = map->extra,
        .btf_id = map->btf ? map->btf->obj.id : 0,
        .btf_key_type_id = map->btf_key_type_id,
        .btf_value_type_id = map->btf_value_type_id,
    };
    memcpy(info.name, map->name, sizeof(info.name));
    return give_info(cmd, &info, sizeof(info));
}

/* Copies what fits of an array to the caller and says how long it really is. */
static int give_array(const struct ebpf_cmd *cmd, uint64_t to, uint32_t *len, const void *from,
                      size_t full)
{
    size_t part = ebpf_min(*len, full);

    *len = (uint32_t)full;
    return part && to ? ebpf_copy_out(cmd->caller, to, from, part) : 0;
}

/* Addresses become what they stand for: a map's id, and the offset inside its value. */
static void hide_address(const struct ebpf_prog *prog, struct bpf_insn *insn)
{
    uint64_t addr = ebpf_insn_imm64(insn);

    for (uint32_t i = 0; i < prog->map_cnt; i++) {
        const struct ebpf_map *map = prog->maps[i];
        uint64_t base = (uint64_t)(uintptr_t)map;
        uint64_t size = 1;

        if (insn->src_reg == BPF_PSEUDO_MAP_VALUE) {
            if (!map->ops->value_addr || map->ops->value_addr(map, 0, &base))
                continue;
            size = map->value_size;
        }
        if (addr - base < size) {
            ebpf_insn_set_imm64(insn, map->obj.id | (addr - base) << 32);
            return;
        }
    }
    ebpf_insn_set_imm64(insn, 0); /* cannot happen: the program holds all maps that it names */
}

static int give_xlated(const struct ebpf_cmd *cmd, const struct ebpf_prog *prog,
                       struct bpf_prog_info *info)
{
    size_t size = prog->code.insn_cnt * sizeof(struct bpf_insn);
    struct bpf_insn *copy;
    int err;

    if (!info->xlated_prog_len) {
        info->xlated_prog_len = (uint32_t)size;
        return 0;
    }
    copy = ebpf_memdup(prog->code.insns, size);
    if (!copy)
        return -ENOMEM;
    for (uint32_t i = 0; i < prog->code.insn_cnt; i++) {
        if (copy[i].code == (BPF_LD | BPF_IMM | BPF_DW)) {
            if (copy[i].src_reg)
                hide_address(prog, &copy[i]);
            i++;
        }
    }
    err = give_array(cmd, info->xlated_prog_insns, &info->xlated_prog_len, copy, size);
    ebpf_free(copy, size);
    return err;
}

static int give_map_ids(const struct ebpf_cmd *cmd, const struct ebpf_prog *prog,
                        struct bpf_prog_info *info)
{
    uint32_t room = info->nr_map_ids;
    int err = 0;

    info->nr_map_ids = prog->map_cnt;
    for (uint32_t i = 0; !err && info->map_ids && i < prog->map_cnt && i < room; i++)
        err = ebpf_copy_out(cmd->caller, info->map_ids + i * sizeof(uint32_t),
                            &prog->maps[i]->obj.id, sizeof(uint32_t));
    return err;
}

static void fill_prog(const struct ebpf_prog *prog, struct bpf_prog_info *info)
{
    info->type = prog->type->id;
    info->id = prog->obj.id;
    info->load_time = prog->load_time_ns;
    info->created_by_uid = prog->uid;
    info->gpl_compatible = prog->gpl;
    info->btf_id = prog->btf ? prog->btf->obj.id : 0;
    memcpy(info->tag, prog->tag, sizeof(info->tag));
    memcpy(info->name, prog->name, sizeof(info->name));
    info->run_cnt = info->recursion_misses = 0;
    for (unsigned cpu = 0; cpu < ebpf_os_cpu_count(); cpu++) {
        info->run_cnt += __atomic_load_n(&prog->stats[cpu].runs, __ATOMIC_RELAXED);
        info->recursion_misses += __atomic_load_n(&prog->stats[cpu].misses, __ATOMIC_RELAXED);
    }
}

/* What this build keeps nothing of. */
static void clear_unknown(struct bpf_prog_info *info)
{
    info->nr_jited_ksyms = info->nr_jited_func_lens = 0;
    info->nr_jited_line_info = info->nr_prog_tags = 0;
    info->ifindex = info->verified_insns = info->attach_btf_obj_id = info->attach_btf_id = 0;
    info->netns_dev = info->netns_ino = info->run_time_ns = 0;
}

/* Linux's set_info_rec_size(): who wants records, or says how long they are, must know that; the
 * others are told. */
static int take_record_sizes(struct bpf_prog_info *info)
{
    const uint32_t func = sizeof(struct bpf_func_info), line = sizeof(struct bpf_line_info);
    const uint32_t jited = sizeof(uint64_t);

    if (((info->nr_func_info || info->func_info_rec_size) && info->func_info_rec_size != func) ||
        ((info->nr_line_info || info->line_info_rec_size) && info->line_info_rec_size != line) ||
        ((info->nr_jited_line_info || info->jited_line_info_rec_size) &&
         info->jited_line_info_rec_size != jited))
        return -EINVAL;
    info->func_info_rec_size = func;
    info->line_info_rec_size = line;
    info->jited_line_info_rec_size = jited;
    return 0;
}

/* Copies as many of the records as the caller has room for and says how many there are. */
static int give_records(const struct ebpf_cmd *cmd, uint64_t to, uint32_t *cnt, const void *from,
                        uint32_t full, size_t size)
{
    uint32_t part = (uint32_t)ebpf_min(*cnt, full);

    *cnt = full;
    return ebpf_copy_out(cmd->caller, to, from, part * size);
}

/* What only the capable see: code, and where it comes from. */
static int give_code(const struct ebpf_cmd *cmd, const struct ebpf_prog *prog,
                     struct bpf_prog_info *info)
{
    int err = give_xlated(cmd, prog, info);

    if (!err)
        err = give_array(cmd, info->jited_prog_insns, &info->jited_prog_len, prog->jit.mem,
                         prog->jit.len);
    if (!err)
        err = give_records(cmd, info->func_info, &info->nr_func_info, prog->func_info,
                           prog->func_info_cnt, sizeof(*prog->func_info));
    if (!err)
        err = give_records(cmd, info->line_info, &info->nr_line_info, prog->line_info,
                           prog->line_info_cnt, sizeof(*prog->line_info));
    return err;
}

static int prog_info(const struct ebpf_cmd *cmd, const struct ebpf_prog *prog)
{
    struct bpf_prog_info info;
    int err = take_info(cmd, &info, sizeof(info));

    if (err)
        return err;
    fill_prog(prog, &info);
    err = give_map_ids(cmd, prog, &info);
    if (!err)
        err = take_record_sizes(&info);
    clear_unknown(&info);
    if (!(cmd->caller->caps & EBPF_CAP_BPF))
        info.xlated_prog_len = info.jited_prog_len = info.nr_func_info = info.nr_line_info = 0;
    else if (!err)
        err = give_code(cmd, prog, &info);
    return err ? err : give_info(cmd, &info, sizeof(info));
}

/* Linux: a name's buffer and its size come together; a name that is cut is -ENOSPC. Only the
 * kernel's own BTF has one. */
static int give_btf_name(const struct ebpf_cmd *cmd, struct bpf_btf_info *info)
{
    uint32_t room = info->name_len;

    if (!info->name != !room)
        return -EINVAL;
    info->name_len = 0;
    return room ? ebpf_copy_out(cmd->caller, info->name, "", 1) : 0;
}

static int btf_info(const struct ebpf_cmd *cmd, const struct ebpf_btf *btf)
{
    struct bpf_btf_info info;
    int err = take_info(cmd, &info, sizeof(info));

    if (err)
        return err;
    info.id = btf->obj.id;
    info.kernel_btf = 0;
    err = ebpf_copy_out(cmd->caller, info.btf, btf->data, ebpf_min(btf->size, info.btf_size));
    info.btf_size = btf->size;
    if (!err)
        err = give_btf_name(cmd, &info);
    return err ? err : give_info(cmd, &info, sizeof(info));
}

static int link_info(const struct ebpf_cmd *cmd, const struct ebpf_link *link)
{
    struct bpf_link_info info;
    int err = take_info(cmd, &info, sizeof(info)), fill_err;

    if (err)
        return err;
    fill_err = ebpf_link_fill_info(link, cmd->caller, &info);
    if (fill_err && fill_err != -ENOSPC)
        return fill_err;
    err = give_info(cmd, &info, sizeof(info));
    return err ? err : fill_err;
}

long ebpf_cmd_obj_get_info_by_fd(const struct ebpf_cmd *cmd)
{
    int fd = (int)cmd->attr->info.bpf_fd;
    struct ebpf_obj *obj;
    int err = fd < 0 ? -EBADF : ebpf_os_fd_get(fd, &obj);

    if (err)
        return err;
    switch (obj->type) {
    case EBPF_OBJ_MAP:
        err = map_info(cmd, ebpf_map_of(obj));
        break;
    case EBPF_OBJ_PROG:
        err = prog_info(cmd, ebpf_prog_of(obj));
        break;
    case EBPF_OBJ_BTF:
        err = btf_info(cmd, ebpf_btf_of(obj));
        break;
    case EBPF_OBJ_LINK:
        err = link_info(cmd, ebpf_link_of(obj));
        break;
    default: /* perf events have nothing to tell */
        err = -EINVAL;
        break;
    }
    ebpf_obj_put(obj);
    return err;
}
