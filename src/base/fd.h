/* SPDX-License-Identifier: MIT */
/* What stands behind the default ebpf_os_fd_install() and ebpf_os_fd_get(). T. */
#ifndef EBPF_BASE_FD_H
#define EBPF_BASE_FD_H

#include <ebpf/os.h>

int ebpf_fd_install(struct ebpf_obj *obj);      /* contract of ebpf_os_fd_install() */
int ebpf_fd_get(int fd, struct ebpf_obj **obj); /* contract of ebpf_os_fd_get() */

#endif /* EBPF_BASE_FD_H */
