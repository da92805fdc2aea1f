/* SPDX-License-Identifier: MIT */
/* Helpers on packets: XDP programs' and socket filters', checksums. What Linux makes of the same is
 * compared in host/test_helpers_linux.c. */
#include "tests/unit/helper_util.h"

#include "src/core/skb.h"
#include "src/core/xdp.h"

/* 256 bytes of headroom, 64 of packet, 100 behind */
static struct ebpf_xdp make(uint8_t mem[420])
{
    for (unsigned i = 0; i < 420; i++)
        mem[i] = (uint8_t)i;
    return (struct ebpf_xdp){.hard_start = mem,
                             .data_meta = mem + 256,
                             .data = mem + 256,
                             .data_end = mem + 320,
                             .hard_end = mem + 420};
}

static int64_t adjust(uint32_t id, struct ebpf_xdp *xdp, int64_t by)
{
    return helper_call(id, reg(xdp), (uint64_t)by, 0, 0, 0);
}

TEST(xdp_adjust_head_keeps_the_driver_s_part_and_a_minimal_packet)
{
    uint8_t mem[420];
    struct ebpf_xdp xdp = make(mem);

    CHECK_EQ(adjust(44, &xdp, -216), 0);
    CHECK(xdp.data == mem + 40 && xdp.data_meta == mem + 40);
    CHECK_EQ(adjust(44, &xdp, -1), -EINVAL);
    CHECK_EQ(adjust(44, &xdp, 216 + 50), 0);
    CHECK(xdp.data == mem + 306); /* 14 bytes are left */
    CHECK_EQ(adjust(44, &xdp, 1), -EINVAL);
    CHECK_EQ(adjust(44, &xdp, INT32_MIN), -EINVAL);
    CHECK_EQ(adjust(44, &xdp, INT32_MAX), -EINVAL);
    CHECK_EQ(helper_call(188, reg(&xdp), 0, 0, 0, 0), 14);
}

TEST(xdp_metadata_moves_with_the_packet_s_start)
{
    uint8_t mem[420];
    struct ebpf_xdp xdp = make(mem);

    CHECK_EQ(adjust(54, &xdp, -8), 0);
    memcpy(xdp.data_meta, "metadata", 8);
    CHECK_EQ(adjust(44, &xdp, -20), 0);
    CHECK(!memcmp(xdp.data_meta, "metadata", 8));
    CHECK(xdp.data - xdp.data_meta == 8 && xdp.data == mem + 236);
    CHECK_EQ(adjust(44, &xdp, 30), 0);
    CHECK(!memcmp(xdp.data_meta, "metadata", 8));
    CHECK_EQ(adjust(44, &xdp, -(266 - 40)), -EINVAL); /* no room for both */
}

TEST(xdp_adjust_meta_is_in_words_and_limited)
{
    uint8_t mem[420];
    struct ebpf_xdp xdp = make(mem);

    CHECK_EQ(adjust(54, &xdp, -3), -EACCES);
    CHECK_EQ(adjust(54, &xdp, 4), -EINVAL);
    CHECK_EQ(adjust(54, &xdp, -216), 0);
    CHECK_EQ(adjust(54, &xdp, -4), -EINVAL);
    CHECK_EQ(adjust(54, &xdp, 216), 0);
    CHECK(xdp.data_meta == xdp.data);
    CHECK_EQ(adjust(44, &xdp, 50), 0);
    CHECK_EQ(adjust(54, &xdp, -256), -EACCES);
    CHECK_EQ(adjust(54, &xdp, -252), 0);
}

TEST(xdp_adjust_tail_grows_by_zeros)
{
    uint8_t mem[420];
    struct ebpf_xdp xdp = make(mem);

    CHECK_EQ(adjust(65, &xdp, 101), -EINVAL);
    CHECK_EQ(adjust(65, &xdp, 100), 0);
    for (unsigned i = 320; i < 420; i++)
        CHECK_EQ(mem[i], 0);
    CHECK_EQ(adjust(65, &xdp, -151), -EINVAL);
    CHECK_EQ(adjust(65, &xdp, -150), 0);
    CHECK_EQ(helper_call(188, reg(&xdp), 0, 0, 0, 0), 14);
}

TEST(xdp_bytes_are_copied_whole_or_not_at_all)
{
    uint8_t mem[420], buf[64];
    struct ebpf_xdp xdp = make(mem);

    CHECK_EQ(helper_call(189, reg(&xdp), 10, reg(buf), 54, 0), 0);
    CHECK(!memcmp(buf, mem + 266, 54));
    memset(buf, 0x11, sizeof(buf));
    CHECK_EQ(helper_call(189, reg(&xdp), 10, reg(buf), 55, 0), -EINVAL);
    CHECK_EQ(helper_call(189, reg(&xdp), 0x10000, reg(buf), 1, 0), -EFAULT);
    CHECK_EQ(helper_call(189, reg(&xdp), UINT32_MAX, reg(buf), 1, 0), -EFAULT);
    CHECK_EQ(buf[0], 0x11);
    CHECK_EQ(helper_call(190, reg(&xdp), 60, reg(buf), 5, 0), -EINVAL);
    CHECK_EQ(mem[316], (uint8_t)316);
    CHECK_EQ(helper_call(190, reg(&xdp), 60, reg(buf), 4, 0), 0);
    CHECK_EQ(mem[316], 0x11);
    CHECK_EQ(mem[320], (uint8_t)320);
}

TEST(skb_bytes_that_are_not_there_are_zeros)
{
    uint8_t packet[14 + 20], buf[20];
    struct ebpf_skb skb = {.data = packet + 14, .len = 20};

    for (unsigned i = 0; i < sizeof(packet); i++)
        packet[i] = (uint8_t)(100 + i);
    CHECK_EQ(helper_call(26, reg(&skb), 4, reg(buf), 16, 0), 0);
    CHECK(!memcmp(buf, packet + 18, 16));
    CHECK_EQ(helper_call(26, reg(&skb), 5, reg(buf), 16, 0), -EFAULT);
    for (unsigned i = 0; i < 16; i++)
        CHECK_EQ(buf[i], 0);
    CHECK_EQ(helper_call(26, reg(&skb), UINT32_MAX, reg(buf), 4, 0), -EFAULT);
    CHECK_EQ(helper_call(68, reg(&skb), 0, reg(buf), 14, 0), 0); /* from the link layer's header */
    CHECK(!memcmp(buf, packet, 14));
    CHECK_EQ(helper_call(68, reg(&skb), 0, reg(buf), 20, 1), 0); /* from the network's */
    CHECK(!memcmp(buf, packet + 14, 20));
    CHECK_EQ(helper_call(68, reg(&skb), 15, reg(buf), 20, 0), -EFAULT);
    CHECK_EQ(helper_call(68, reg(&skb), 0, reg(buf), 1, 2), -EFAULT);
}

/* RFC 1624: the sum of the new packet follows from that of the old one and the difference. */
TEST(csum_diff_is_what_the_checksum_changes_by)
{
    uint8_t old[8] = {1, 2, 3, 4, 0xff, 0xee, 0, 7}, new[8] = {9, 2, 3, 4, 0xf0, 0xee, 0x80, 7};
    uint64_t before = (uint64_t)helper_call(28, 0, 0, reg(old), 8, 0);
    uint64_t after = (uint64_t)helper_call(28, 0, 0, reg(new), 8, 0);

    CHECK_EQ(before, 0x0201 + 0x0403 + 0xeeff + 0x0700);
    CHECK_EQ(helper_call(28, reg(old), 8, reg(new), 8, before), after);
    CHECK_EQ(helper_call(28, 0, 0, 0, 0, 0x12345678), 0x12345678 % 0xffff);
    CHECK_EQ(helper_call(28, reg(old), 2, reg(new), 4, 0), -EINVAL);
    CHECK_EQ(helper_call(28, reg(old), 4, reg(new), 512, 0), -EINVAL);
    CHECK_EQ(helper_call(28, reg(old), 4, reg(new), UINT32_MAX - 3, 0), -EINVAL);
}
