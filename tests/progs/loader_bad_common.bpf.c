/* SPDX-License-Identifier: MIT */
/* Refused: a common symbol. */
__asm__(".comm shared,8,8");
