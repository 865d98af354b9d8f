/* SPDX-License-Identifier: MIT */

/* sys/address: where to listen, as somebody wrote it. */

#include "fuzz.h"
#include "sys/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = fuzz_text(data, size), again[ADDRESS_TEXT_SIZE];
    const char *reason = NULL;
    struct address address, other;
    int r = address_parse(text, &address, &reason);

    if (r < 0)
        PROMISE(reason != NULL);
    else {
        PROMISE(address.size > 0 && address.size <= sizeof(address.room));
        address_format(&address, again);
        PROMISE(strlen(again) < ADDRESS_TEXT_SIZE - 1);
        PROMISE(address_parse(again, &other, NULL) == 0);
        PROMISE(address_equal(&address, &other));
    }
    free(text);
    return 0;
}
