/* SPDX-License-Identifier: MIT */
#include "sys/caps.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <sys/capability.h>

#include "base/text.h"

int capability_parse(const char *list, uint64_t *ret_mask, char item[256]) {
    uint64_t mask = 0;
    int r;

    while ((r = text_next_item(&list, item, 252)) > 0) {
        char name[260];
        cap_value_t value;

        snprintf(name, sizeof(name), "%s%s", strncasecmp(item, "cap_", 4) == 0 ? "" : "cap_", item);
        if (cap_from_name(name, &value) < 0 || value > 63)
            return -EINVAL;
        mask |= UINT64_C(1) << value;
    }
    if (r < 0)
        return -EINVAL;
    *ret_mask = mask;
    return 0;
}

const char *capability_name(int capability, char buffer[64]) {
    char *name = cap_to_name(capability);

    snprintf(buffer, 64, "%s", name ? name : "unknown capability");
    cap_free(name);
    return buffer;
}
