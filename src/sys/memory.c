/* SPDX-License-Identifier: MIT */
#include "sys/memory.h"

#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macro.h"

/* More segments than a linker makes; what is beyond them stays. */
#define SEGMENTS_MAX 16

/*
 * Read-only parts of a file can be dropped at any time: nothing in them is ours to lose. The table
 * of segments lies in one of them, and reading on there would bring it back.
 */
static idle_path int release_segments(struct dl_phdr_info *object, size_t size, void *data) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    ElfW(Phdr) segments[SEGMENTS_MAX];
    size_t count = MIN((size_t)object->dlpi_phnum, (size_t)SEGMENTS_MAX);
    uintptr_t base = object->dlpi_addr;

    (void)size, (void)data;
    memcpy(segments, object->dlpi_phdr, count * sizeof(*segments));
    for (size_t i = 0; i < count; i++) {
        uintptr_t begin = base + segments[i].p_vaddr;

        if (segments[i].p_type != PT_LOAD || segments[i].p_flags & PF_W)
            continue;
        begin -= begin % page;
        madvise((void *)begin, segments[i].p_memsz, MADV_DONTNEED);
    }
    return 0;
}

idle_path void memory_release_code(void) {
    dl_iterate_phdr(release_segments, NULL);
}
