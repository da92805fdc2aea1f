/* SPDX-License-Identifier: MIT */
/* What both runners give every program: a TCP segment in 64 bytes, so many times. */
#ifndef TESTS_BENCH_PACKET_H
#define TESTS_BENCH_PACKET_H

/* What each costs at least, counts: a kernel has other work, too. */
#define BENCH_ROUNDS 3     /* of everything */
#define BENCH_LOADS 2      /* in each round */
#define BENCH_REPEAT 10000 /* in each round */
#define BENCH_PACKET_SIZE 64

/* Ethernet, IPv4 10.0.0.1 > 10.0.0.2 of 50 bytes, TCP 12345 > 80 SYN, 10 bytes of data; and the
 * string's NUL */
static const char bench_packet[BENCH_PACKET_SIZE + 1] =
    "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0"
    "\x45\0\0\x32\0\x01\0\0\x40\x06\x66\xc0\x0a\0\0\x01\x0a\0\0\x02"
    "\x30\x39\0\x50\0\0\0\x01\0\0\0\0\x50\x02\x20\0\0\0\0\0"
    "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a";

/* The programs that runners put into a program array called BENCH_TAIL_MAP, at 0 and on, if an
 * object has them. */
#define BENCH_TAIL_MAP "jt"
static const char *const bench_tails[] = {"tail_one", "tail_two"};

#endif /* TESTS_BENCH_PACKET_H */
