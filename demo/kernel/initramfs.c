/* SPDX-License-Identifier: MIT */
/*
 * The root file system: the cpio archive ("newc": a header of hexadecimal numbers, the name, the
 * data, each padded to 4) that the boot loader put into memory. It is read in place and never
 * changes, so it needs neither a tree nor a lock: looking up is walking the archive.
 */
#include "kernel.h"

#define HEADER_SIZE 110
#define FIELD(n) (6 + 8 * (n)) /* the header's numbers have 8 digits each */
#define FIELD_MODE FIELD(1)
#define FIELD_FILESIZE FIELD(6)
#define FIELD_NAMESIZE FIELD(11)

static const char *archive;
static uint64_t archive_size;

static uint32_t hex(const char *p)
{
    uint32_t v = 0;

    for (int i = 0; i < 8; i++) {
        char c = p[i] | 0x20;
        v = v << 4 | (uint32_t)(c >= 'a' ? c - 'a' + 10 : p[i] - '0');
    }
    return v;
}

/* The entry at *cursor, which moves on; false at the end, or where the archive makes no sense. */
bool initramfs_next(uint64_t *cursor, struct node *out)
{
    const char *h = archive + *cursor;
    uint64_t name_size, data_at;

    if (*cursor > archive_size || archive_size - *cursor < HEADER_SIZE || memcmp(h, "070701", 6))
        return false;
    name_size = hex(h + FIELD_NAMESIZE);
    data_at = ALIGN_UP(*cursor + HEADER_SIZE + name_size, 4);
    out->size = hex(h + FIELD_FILESIZE);
    if (name_size == 0 || data_at + out->size > archive_size || h[HEADER_SIZE + name_size - 1])
        return false;
    out->name = h + HEADER_SIZE;
    if (!strcmp(out->name, "TRAILER!!!"))
        return false;
    if (out->name[0] == '.' && (out->name[1] == '/' || out->name[1] == 0))
        out->name += out->name[1] ? 2 : 1;
    out->name_len = strlen(out->name);
    out->mode = hex(h + FIELD_MODE);
    out->ino = (uint32_t)(*cursor / 4 + 1);
    out->data = archive + data_at;
    *cursor = ALIGN_UP(data_at + out->size, 4);
    return true;
}

/* Brings path into the archive's form, in place: no leading slash, no empty, "." or ".."
 * component. */
static void normalize(char *path)
{
    char *out = path;
    const char *in = path;

    while (*in) {
        size_t n = 0;
        while (in[n] && in[n] != '/')
            n++;
        if (n == 2 && in[0] == '.' && in[1] == '.') {
            while (out > path && *--out != '/')
                ;
        } else if (n && !(n == 1 && in[0] == '.')) {
            if (out > path)
                *out++ = '/';
            memmove(out, in, n);
            out += n;
        }
        in += n + (in[n] == '/');
    }
    *out = 0;
}

int initramfs_find(char *path, struct node *out)
{
    uint64_t cursor = 0;

    normalize(path);
    while (initramfs_next(&cursor, out))
        if (!strcmp(out->name, path))
            return 0;
    return -ENOENT;
}

/* Is node directly in dir? Then *name is its last component. */
bool node_is_child(const struct node *dir, const struct node *node, const char **name)
{
    size_t skip = dir->name_len ? dir->name_len + 1 : 0;

    if (node->name_len <= skip || strncmp(node->name, dir->name, dir->name_len) ||
        (skip && node->name[skip - 1] != '/'))
        return false;
    *name = node->name + skip;
    for (const char *p = *name; *p; p++)
        if (*p == '/')
            return false;
    return true;
}

void initramfs_init(void)
{
    if (machine.initrd_end <= machine.initrd_start)
        return;
    archive = virt(machine.initrd_start);
    archive_size = machine.initrd_end - machine.initrd_start;
}
