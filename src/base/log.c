/* SPDX-License-Identifier: MIT */
/* One finished line to the kernel's console. */
#include "src/base/log.h"

#include <ebpf/config.h>
#include <ebpf/os.h>

#include "src/base/fmt.h"

void ebpf_log(const char *format, ...)
{
    char line[EBPF_CONFIG_LOG_LINE];
    va_list args;

    va_start(args, format);
    ebpf_vformat(line, sizeof(line), format, args);
    va_end(args);
    ebpf_os_console(line);
}
