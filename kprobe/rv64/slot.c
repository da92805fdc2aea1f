/* SPDX-License-Identifier: MIT */
/* Pages of slots; see slot.h. Harts read them without a lock: entries are written before `used` is
 * raised over them. */
#include "kprobe/rv64/slot.h"

#include <ebpf/errno.h>
#include <ebpf/os.h>

#include "src/base/alloc.h"
#include "src/base/epoch.h"
#include "src/base/log.h"

#define PAGE_SIZE 4096u
#define SLOT_SIZE 16u
#define SLOTS_PER_PAGE (PAGE_SIZE / SLOT_SIZE)

struct slot {
    uint64_t addr; /* of the displaced instruction */
    uint32_t raw;
    uint32_t len;
};

struct page {
    struct page *next;
    uint8_t *code;
    uint32_t used;
    struct slot slots[SLOTS_PER_PAGE];
};

static struct page *pages; /* newest first: only that one may have room */
static uint32_t slot_count;

static uint64_t slot_addr(const struct page *page, uint32_t i)
{
    return (uint64_t)(uintptr_t)page->code + (uint64_t)i * SLOT_SIZE;
}

/* Unprivileged ISA, J-type: jal x0, offset */
static uint32_t encode_jump(uint32_t offset)
{
    return 0x6fu | (offset >> 20 & 1) << 31 | (offset >> 1 & 0x3ff) << 21 |
           (offset >> 11 & 1) << 20 | (offset & 0xff000);
}

static uint32_t way_back(uint64_t from, uint64_t to)
{
    uint64_t offset = to - from;

    if (offset + (1u << 20) < (2u << 20)) /* -1 MiB <= offset < 1 MiB */
        return encode_jump((uint32_t)offset);
    return EBPF_RV_EBREAK;
}

static uint64_t find(uint64_t addr, const struct ebpf_rv_insn *insn)
{
    for (const struct page *page = pages; page; page = page->next) {
        for (uint32_t i = 0; i < page->used; i++) {
            if (page->slots[i].addr == addr && page->slots[i].raw == insn->raw)
                return slot_addr(page, i);
        }
    }
    return 0;
}

static int page_add(void)
{
    struct page *page = ebpf_zalloc(sizeof(*page));

    if (!page)
        return -ENOMEM;
    page->code = ebpf_os_code_alloc(PAGE_SIZE);
    if (!page->code) {
        ebpf_log("ebpf: kprobe: no code memory (ebpf_os_code_alloc) for the displaced instruction");
        ebpf_free(page, sizeof(*page));
        return -EOPNOTSUPP;
    }
    page->next = pages;
    __atomic_store_n(&pages, page, __ATOMIC_RELEASE);
    return 0;
}

int ebpf_slot_room(uint64_t addr, const struct ebpf_rv_insn *insn)
{
    if (find(addr, insn) || (pages && pages->used < SLOTS_PER_PAGE))
        return 0;
    return page_add();
}

/* Byte by byte: the jump behind a 2-byte instruction is not aligned. What is left of the slot
 * traps. */
static void fill(uint8_t *out, const struct ebpf_rv_insn *insn, uint32_t back)
{
    for (unsigned i = 0; i < insn->len; i++)
        out[i] = (uint8_t)(insn->raw >> 8 * i);
    for (unsigned i = 0; i < 4; i++)
        out[insn->len + i] = (uint8_t)(back >> 8 * i);
    for (unsigned i = insn->len + 4u; i < SLOT_SIZE; i++)
        out[i] = 0;
}

int ebpf_slot_get(uint64_t addr, const struct ebpf_rv_insn *insn, uint64_t *slot)
{
    uint8_t bytes[SLOT_SIZE];
    struct page *page;
    int err = ebpf_slot_room(addr, insn);

    if (err)
        return err;
    *slot = find(addr, insn);
    if (*slot)
        return 0;
    page = pages;
    *slot = slot_addr(page, page->used);
    fill(bytes, insn, way_back(*slot + insn->len, addr + insn->len));
    err = ebpf_os_text_write((void *)(uintptr_t)*slot, bytes, SLOT_SIZE);
    if (err)
        return err;
    page->slots[page->used] = (struct slot){addr, insn->raw, insn->len};
    __atomic_store_n(&page->used, page->used + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&slot_count, slot_count + 1, __ATOMIC_RELAXED);
    return 0;
}

uint64_t ebpf_slot_original(uint64_t pc, bool *at_end)
{
    const struct page *page = __atomic_load_n(&pages, __ATOMIC_ACQUIRE);

    for (; page; page = page->next) {
        uint64_t offset = pc - (uint64_t)(uintptr_t)page->code;
        const struct slot *slot;

        if (offset >= PAGE_SIZE)
            continue;
        if (offset / SLOT_SIZE >= __atomic_load_n(&page->used, __ATOMIC_ACQUIRE))
            return 0;
        slot = &page->slots[offset / SLOT_SIZE];
        *at_end = offset % SLOT_SIZE == slot->len;
        return *at_end ? slot->addr + slot->len : offset % SLOT_SIZE == 0 ? slot->addr : 0;
    }
    return 0;
}

uint32_t ebpf_slot_count(void)
{
    return __atomic_load_n(&slot_count, __ATOMIC_RELAXED);
}

void ebpf_slot_fini(void)
{
    struct page *page = pages, *next;

    __atomic_store_n(&pages, NULL, __ATOMIC_RELEASE);
    __atomic_store_n(&slot_count, 0, __ATOMIC_RELAXED);
    ebpf_epoch_synchronize();
    for (; page; page = next) {
        next = page->next;
        ebpf_os_code_free(page->code, PAGE_SIZE);
        ebpf_free(page, sizeof(*page));
    }
}
