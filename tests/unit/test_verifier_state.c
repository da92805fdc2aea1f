/* SPDX-License-Identifier: MIT */
/* The verifier's states: what the stack's bytes keep of what was stored, and which state lies
 * within which. */
#include "tests/unit/test.h"

#include <ebpf/errno.h>

#include "src/base/alloc.h"
#include "src/verifier/state.h"
#include "tests/unit/scalars.h"

static const struct ebpf_vstack_rules strict = {false, false}, capable = {true, true};

/* A state with one frame; fini() gives all of its memory back, which the frame of the tests
 * checks. */
struct fixture {
    struct ebpf_vmem mem;
    struct ebpf_vstate state;
    const char *why;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){.mem.limit = 1 << 20};
    CHECK_EQ(ebpf_vstate_push(&f->mem, &f->state, 0), 0);
}

static void end(struct fixture *f)
{
    ebpf_vstate_fini(&f->mem, &f->state);
    ebpf_vmem_fini(&f->mem);
    CHECK_EQ(f->mem.used, 0);
}

static struct ebpf_vreg number(uint64_t min, uint64_t max)
{
    struct ebpf_scalar s = any_scalar(64);

    s.full.umin = min;
    s.full.umax = max;
    CHECK(ebpf_scalar_sync(&s, 64));
    return number_reg(&s);
}

static int store(struct fixture *f, int off, unsigned size, struct ebpf_vreg value)
{
    f->why = "";
    return ebpf_vstack_store(&f->mem, f->state.frames[0], off, size, &value, &strict, &f->why);
}

static int load(struct fixture *f, int off, unsigned size, struct ebpf_vreg *out)
{
    f->why = "";
    return ebpf_vstack_load(f->state.frames[0], off, size, &strict, out, &f->why);
}

TEST(verifier_a_new_frame_holds_nothing_but_r10)
{
    struct ebpf_vreg reg;
    struct fixture f;

    begin(&f);
    for (unsigned r = 0; r < 10; r++)
        CHECK_EQ(f.state.frames[0]->regs[r].kind, EBPF_KIND_NOTHING);
    CHECK_EQ(f.state.frames[0]->regs[10].kind, EBPF_KIND_STACK);
    CHECK_EQ(load(&f, -8, 8, &reg), -EACCES);
    CHECK_STR(f.why, "invalid read from stack");
    CHECK_EQ(load(&f, -512, 1, &reg), -EACCES);
    CHECK_EQ(ebpf_vstack_load(f.state.frames[0], -8, 4, &capable, &reg, &f.why), 0);
    CHECK_EQ(reg.kind, EBPF_KIND_SCALAR);
    CHECK_EQ(reg.var.full.umax, UINT32_MAX);
    end(&f);
}

TEST(verifier_a_stored_register_comes_back)
{
    struct ebpf_vreg value = number(3, 300), pointer = pointer_reg(EBPF_KIND_CTX), reg;
    struct fixture f;

    begin(&f);
    value.id = 7;
    CHECK_EQ(store(&f, -16, 8, value), 0);
    CHECK_EQ(load(&f, -16, 8, &reg), 0);
    CHECK_EQ(reg.id, 7);
    CHECK(ebpf_scalar_within(&reg.var, &value.var) && ebpf_scalar_within(&value.var, &reg.var));
    CHECK_EQ(store(&f, -512, 8, pointer), 0);
    CHECK_EQ(load(&f, -512, 8, &reg), 0);
    CHECK_EQ(reg.kind, EBPF_KIND_CTX);
    end(&f);
}

TEST(verifier_shorter_loads_cut_a_number_and_its_links)
{
    struct ebpf_vreg value = number(0x100, 0x1ff), reg;
    struct fixture f;

    begin(&f);
    value.id = 7;
    CHECK_EQ(store(&f, -8, 8, value), 0);
    CHECK_EQ(load(&f, -8, 2, &reg), 0);
    CHECK_EQ(reg.var.full.umin, 0x100);
    CHECK_EQ(reg.var.full.umax, 0x1ff);
    CHECK_EQ(reg.id, 7); /* nothing was cut off: the same number */
    CHECK_EQ(load(&f, -8, 1, &reg), 0);
    CHECK_EQ(reg.var.full.umin, 0);
    CHECK_EQ(reg.var.full.umax, 0xff);
    CHECK_EQ(reg.id, 0);
    CHECK_EQ(load(&f, -7, 1, &reg), 0); /* not from the start: plain bytes */
    CHECK_EQ(reg.var.full.umax, 0xff);
    end(&f);
}

TEST(verifier_a_short_store_keeps_what_it_cuts)
{
    struct ebpf_vreg value = number(0x1fffffffe, 0x1fffffffe), reg;
    struct fixture f;

    begin(&f);
    CHECK_EQ(store(&f, -8, 4, value), 0);
    CHECK_EQ(load(&f, -8, 4, &reg), 0);
    CHECK(ebpf_scalar_is_const(&reg.var));
    CHECK_EQ(reg.var.full.umin, 0xfffffffe);
    CHECK_EQ(load(&f, -8, 8, &reg), -EACCES); /* four bytes were never written */
    CHECK_EQ(store(&f, -4, 4, number(0, 5)), 0);
    CHECK_EQ(load(&f, -8, 8, &reg), 0);
    CHECK_EQ(reg.var.full.umax, UINT64_MAX);
    end(&f);
}

TEST(verifier_zeros_stay_zeros_in_any_pieces)
{
    struct ebpf_vreg reg;
    struct fixture f;

    begin(&f);
    CHECK_EQ(store(&f, -16, 8, number(0, 0)), 0);
    CHECK_EQ(load(&f, -12, 4, &reg), 0);
    CHECK(ebpf_scalar_is_const(&reg.var));
    CHECK_EQ(reg.var.full.umax, 0);
    CHECK_EQ(store(&f, -16, 1, number(0, 1)), 0); /* the rest of a constant stays known */
    CHECK_EQ(load(&f, -12, 4, &reg), 0);
    CHECK(ebpf_scalar_is_const(&reg.var));
    CHECK_EQ(load(&f, -16, 4, &reg), 0);
    CHECK_EQ(reg.var.full.umax, UINT32_MAX);
    CHECK_EQ(store(&f, -8, 2, number(0, 0)), 0);
    CHECK_EQ(load(&f, -8, 4, &reg), -EACCES);
    end(&f);
}

TEST(verifier_pointers_are_stored_and_loaded_whole)
{
    struct ebpf_vreg pointer = pointer_reg(EBPF_KIND_CTX), reg;
    struct fixture f;

    begin(&f);
    CHECK_EQ(store(&f, -8, 4, pointer), -EACCES);
    CHECK_STR(f.why, "invalid size of register spill");
    CHECK_EQ(store(&f, -12, 8, pointer), -EACCES);
    CHECK_EQ(store(&f, -8, 8, pointer), 0);
    CHECK_EQ(load(&f, -8, 4, &reg), -EACCES);
    CHECK_STR(f.why, "invalid size of register fill");
    CHECK_EQ(load(&f, -4, 4, &reg), -EACCES);
    CHECK_STR(f.why, "invalid size of register fill");
    end(&f);
}

TEST(verifier_an_overwritten_pointer_is_no_pointer)
{
    struct ebpf_vreg reg;
    struct fixture f;

    begin(&f);
    CHECK_EQ(store(&f, -8, 8, pointer_reg(EBPF_KIND_CTX)), 0);
    CHECK_EQ(store(&f, -5, 1, number(0, 0)), -EACCES);
    CHECK_STR(f.why, "attempt to corrupt spilled pointer on stack");
    reg = number(0, 0);
    CHECK_EQ(ebpf_vstack_store(&f.mem, f.state.frames[0], -5, 1, &reg, &capable, &f.why), 0);
    CHECK_EQ(load(&f, -8, 8, &reg), 0);
    CHECK_EQ(reg.kind, EBPF_KIND_SCALAR);
    CHECK_EQ(reg.var.full.umax, UINT64_MAX);
    CHECK_EQ(load(&f, -5, 1, &reg), 0);
    CHECK_EQ(reg.var.full.umax, 0);
    end(&f);
}

TEST(verifier_a_perhaps_written_byte_perhaps_holds_nothing)
{
    struct ebpf_vreg reg;
    struct fixture f;

    begin(&f);
    CHECK_EQ(store(&f, -8, 8, number(5, 5)), 0);
    CHECK_EQ(ebpf_vstack_clobber(&f.mem, f.state.frames[0], -16, 16, false, &strict, &f.why), 0);
    CHECK_EQ(load(&f, -8, 8, &reg), 0);
    CHECK_EQ(reg.var.full.umax, UINT64_MAX);
    CHECK_EQ(load(&f, -16, 1, &reg), -EACCES);
    CHECK_EQ(ebpf_vstack_readable(f.state.frames[0], -9, 2, &strict, &f.why), -EACCES);
    CHECK_EQ(ebpf_vstack_clobber(&f.mem, f.state.frames[0], -16, 16, true, &strict, &f.why), 0);
    CHECK_EQ(ebpf_vstack_readable(f.state.frames[0], -16, 16, &strict, &f.why), 0);
    CHECK_EQ(load(&f, -16, 8, &reg), 0);
    end(&f);
}

/* ---- against bytes: random stores, and loads that must allow what is really there ------------ */

TEST(verifier_random_stores_and_loads_agree_with_memory)
{
    static const unsigned sizes[] = {1, 2, 4, 8};
    uint8_t memory[32];
    bool written[32] = {false};
    unsigned wrong = 0, loads = 0;
    struct fixture f;

    begin(&f);
    srand(4);
    for (unsigned round = 0; round < 40000; round++) {
        unsigned size = sizes[rand() % 4], at = (unsigned)rand() % (33 - size);
        uint64_t value = rand() % 3 ? (uint64_t)rand() << (rand() % 33) : 0,
                 slack = (uint64_t)rand() % 3;
        bool known = true;
        struct ebpf_vreg reg;

        if (round % 512 == 0) { /* empty again */
            end(&f);
            begin(&f);
            memset(written, 0, sizeof(written));
        }
        if (rand() % 2) {
            wrong += store(&f, (int)at - 32, size, number(value, value + slack)) != 0;
            value += slack ? (uint64_t)rand() % (slack + 1) : 0;
            memcpy(memory + at, &value, size);
            memset(written + at, true, size);
            continue;
        }
        for (unsigned i = 0; i < size; i++)
            known = known && written[at + i];
        value = 0;
        memcpy(&value, memory + at, known ? size : 0);
        wrong += load(&f, (int)at - 32, size, &reg) != (known ? 0 : -EACCES);
        wrong += known && !ebpf_scalar_has(&reg.var, value, 64);
        loads += known;
    }
    end(&f);
    CHECK(loads > 5000);
    CHECK_EQ(wrong, 0);
}

/* ---- comparison ------------------------------------------------------------------------------ */

struct two {
    struct fixture a, b;
};

static void begin_two(struct two *t)
{
    begin(&t->a);
    begin(&t->b);
}

static bool within(struct two *t) /* and give both back */
{
    bool result = ebpf_vstate_within(&t->a.state, &t->b.state, EBPF_VRANGE, &capable);

    end(&t->a);
    end(&t->b);
    return result;
}

/* Is a state with that r1, r2 within one with that? */
static bool regs_within(struct ebpf_vreg now1, struct ebpf_vreg now2, struct ebpf_vreg old1,
                        struct ebpf_vreg old2)
{
    struct two t;

    begin_two(&t);
    t.a.state.frames[0]->regs[1] = now1;
    t.a.state.frames[0]->regs[2] = now2;
    t.b.state.frames[0]->regs[1] = old1;
    t.b.state.frames[0]->regs[2] = old2;
    return within(&t);
}

TEST(verifier_only_narrower_states_lie_within)
{
    const struct ebpf_vreg nothing = {.kind = EBPF_KIND_NOTHING}, n = number(3, 5),
                           wide = number(0, 10);
    struct ebpf_vreg ctx = pointer_reg(EBPF_KIND_CTX), other = ctx, packet, shorter;

    CHECK(regs_within(n, n, n, n));
    CHECK(regs_within(n, nothing, wide, nothing));
    CHECK(!regs_within(wide, nothing, n, nothing));
    CHECK(regs_within(ctx, nothing, nothing, nothing));
    CHECK(!regs_within(nothing, nothing, n, nothing));
    CHECK(!regs_within(ctx, nothing, n, nothing));
    CHECK(!regs_within(n, nothing, ctx, nothing));
    other.off = 8;
    CHECK(!regs_within(other, nothing, ctx, nothing));
    other.off = 0;
    other.flags = EBPF_REG_OR_NULL;
    CHECK(!regs_within(other, nothing, ctx, nothing));
    CHECK(!regs_within(ctx, nothing, other, nothing));
    packet = shorter = pointer_reg(EBPF_KIND_PACKET);
    packet.range = 14;
    shorter.range = 13;
    CHECK(regs_within(packet, nothing, shorter, nothing));
    CHECK(!regs_within(shorter, nothing, packet, nothing));
}

TEST(verifier_links_of_the_old_state_must_be_there)
{
    struct ebpf_vreg one = number(0, 5), two = one, none = one;

    one.id = 1;
    two.id = 2;
    CHECK(regs_within(one, one, two, two)); /* other numbers for the same link */
    CHECK(!regs_within(one, two, one, one));
    CHECK(!regs_within(one, one, one, two));
    CHECK(!regs_within(none, none, one, one));
    CHECK(regs_within(one, one, none, none));
}

TEST(verifier_stacks_are_compared_byte_by_byte)
{
    struct two t;

    begin_two(&t);
    CHECK_EQ(store(&t.a, -8, 8, number(3, 5)), 0);
    CHECK(within(&t)); /* the old one never read it */
    begin_two(&t);
    CHECK_EQ(store(&t.b, -8, 1, number(3, 5)), 0);
    CHECK(!within(&t));
    begin_two(&t);
    CHECK_EQ(store(&t.a, -8, 8, number(4, 4)), 0);
    CHECK_EQ(store(&t.b, -8, 8, number(3, 5)), 0);
    CHECK(within(&t));
    begin_two(&t);
    CHECK_EQ(store(&t.a, -8, 8, number(2, 4)), 0);
    CHECK_EQ(store(&t.b, -8, 8, number(3, 5)), 0);
    CHECK(!within(&t));
    begin_two(&t); /* a pointer where plain bytes were */
    CHECK_EQ(store(&t.a, -8, 8, pointer_reg(EBPF_KIND_CTX)), 0);
    CHECK_EQ(ebpf_vstack_clobber(&t.b.mem, t.b.state.frames[0], -8, 8, true, &strict, &t.b.why), 0);
    CHECK(!within(&t));
    begin_two(&t); /* plain bytes where zeros were */
    CHECK_EQ(store(&t.b, -4, 4, number(0, 0)), 0);
    CHECK_EQ(ebpf_vstack_clobber(&t.a.mem, t.a.state.frames[0], -8, 8, true, &strict, &t.a.why), 0);
    CHECK(!within(&t));
    begin_two(&t); /* zeros where plain bytes were */
    CHECK_EQ(store(&t.a, -4, 4, number(0, 0)), 0);
    CHECK_EQ(ebpf_vstack_clobber(&t.b.mem, t.b.state.frames[0], -4, 4, true, &strict, &t.b.why), 0);
    CHECK(within(&t));
}

TEST(verifier_frames_are_compared_with_their_callers)
{
    struct two t;

    begin_two(&t);
    CHECK_EQ(ebpf_vstate_push(&t.a.mem, &t.a.state, 3), 0);
    CHECK(!within(&t));
    begin_two(&t);
    CHECK_EQ(ebpf_vstate_push(&t.a.mem, &t.a.state, 3), 0);
    CHECK_EQ(ebpf_vstate_push(&t.b.mem, &t.b.state, 4), 0);
    CHECK(!within(&t));
    begin_two(&t);
    CHECK_EQ(ebpf_vstate_push(&t.a.mem, &t.a.state, 3), 0);
    CHECK_EQ(ebpf_vstate_push(&t.b.mem, &t.b.state, 3), 0);
    CHECK(within(&t));
}

/* ---- memory ---------------------------------------------------------------------------------- */

TEST(verifier_states_have_at_most_8_frames)
{
    struct fixture f;

    begin(&f);
    for (uint32_t n = 1; n < EBPF_MAX_FRAMES; n++)
        CHECK_EQ(ebpf_vstate_push(&f.mem, &f.state, n), 0);
    CHECK_EQ(ebpf_vstate_push(&f.mem, &f.state, 9), -E2BIG);
    CHECK_EQ(f.state.frames[7]->regs[10].frame, 7);
    end(&f);
}

TEST(verifier_copies_are_equal_and_apart)
{
    struct ebpf_vstate copy;
    struct ebpf_vreg reg;
    struct fixture f;

    begin(&f);
    CHECK_EQ(store(&f, -24, 8, number(3, 5)), 0);
    CHECK_EQ(ebpf_vstate_push(&f.mem, &f.state, 3), 0);
    CHECK_EQ(ebpf_vstate_copy(&f.mem, &f.state, &copy), 0);
    CHECK(ebpf_vstate_within(&copy, &f.state, EBPF_VRANGE, &capable));
    CHECK(ebpf_vstate_within(&f.state, &copy, EBPF_VRANGE, &capable));
    CHECK_EQ(store(&f, -24, 8, number(3, 6)), 0);
    CHECK(ebpf_vstate_within(&copy, &f.state, EBPF_VRANGE, &capable));
    CHECK(!ebpf_vstate_within(&f.state, &copy, EBPF_VRANGE, &capable));
    CHECK_EQ(ebpf_vstack_load(copy.frames[0], -24, 8, &strict, &reg, &f.why), 0);
    CHECK_EQ(reg.var.full.umax, 5);
    ebpf_vstate_fini(&f.mem, &copy);
    end(&f);
}

TEST(verifier_states_give_up_cleanly_without_memory)
{
    struct ebpf_vstate copy;
    struct fixture f;
    unsigned n = 0;
    int err;

    begin(&f);
    CHECK_EQ(store(&f, -64, 8, number(3, 5)), 0);
    CHECK_EQ(ebpf_vstate_push(&f.mem, &f.state, 3), 0);
    do {
        size_t used = f.mem.used;

        mock_fail_alloc(++n);
        err = ebpf_vstate_copy(&f.mem, &f.state, &copy);
        CHECK(err == 0 || err == -ENOMEM);
        CHECK_EQ(err == 0, !mock_alloc_failed());
        ebpf_vmem_fini(&f.mem); /* spare blocks are no leak */
        if (err)
            CHECK_EQ(f.mem.used, used);
    } while (err && n < 20);
    mock_fail_alloc(0);
    CHECK_EQ(n, 4); /* two frames and one stack, then none fails */
    ebpf_vstate_fini(&f.mem, &copy);
    ebpf_vmem_fini(&f.mem);
    f.mem.limit = f.mem.used; /* the bound of the verification */
    CHECK_EQ(ebpf_vstate_copy(&f.mem, &f.state, &copy), -ENOMEM);
    CHECK_EQ(store(&f, -72, 8, number(3, 5)), -ENOMEM);
    end(&f);
}
