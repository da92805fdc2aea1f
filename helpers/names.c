/* SPDX-License-Identifier: MIT */
/* The names of helpers, for messages: of those that this build has not got, too, since "cannot use
 * helper bpf_redirect#23" says more than a number. Only the verifier asks. */
#include "helpers/helper.h"

#include "src/base/mem.h"

const char *ebpf_helper_name(uint32_t id)
{
    static const char names[] =
#define EBPF_HELPER_NAME(id, name) #name "\0"
#include "helpers/names.def"
#undef EBPF_HELPER_NAME
        ;
    const struct ebpf_helper *helper = ebpf_helper_find(id);
    const char *name = names;

    if (helper || !id)
        return helper ? helper->name : NULL;
    while (*name && --id)
        name += ebpf_strlen(name) + 1;
    return *name ? name : NULL;
}
