/* SPDX-License-Identifier: MIT */
#include "sys/memory.h"

#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Read-only parts of a file can be dropped at any time: nothing in them is ours to lose. */
static int release_segments(struct dl_phdr_info *object, size_t size, void *data) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)size, (void)data;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        uintptr_t begin = object->dlpi_addr + segment->p_vaddr;

        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W)
            continue;
        begin -= begin % page;
        madvise((void *)begin, segment->p_memsz, MADV_DONTNEED);
    }
    return 0;
}

void memory_release_code(void) {
    dl_iterate_phdr(release_segments, NULL);
}
