/* SPDX-License-Identifier: MIT */
/* A single function without a section of its own: a program whose type its user must say. */
int entry(void *ctx)
{
    return 77;
}
