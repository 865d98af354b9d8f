/* SPDX-License-Identifier: MIT */
#include "logs/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/text.h"
#include "base/utc.h"

/* "20261122T192858Z" */
#define STAMP_LENGTH 16

const char *segment_suffix(enum segment_packing packing) {
    static const char *const suffixes[] = {
#define X(name, suffix, program) [SEGMENT_##name] = (suffix),
        SEGMENT_PACKINGS(X)
#undef X
    };

    return suffixes[packing];
}

const char *segment_program(enum segment_packing packing) {
    static const char *const programs[] = {
#define X(name, suffix, program) [SEGMENT_##name] = (program),
        SEGMENT_PACKINGS(X)
#undef X
    };

    return programs[packing];
}

int segment_format(
    const char *name, uint64_t wall, uint64_t sequence, char file[SEGMENT_NAME_MAX]) {
    char utc[UTC_LENGTH + 1];

    if (sequence > SEGMENT_SEQUENCE_MAX)
        return -EOVERFLOW;
    utc_format(wall, utc);
    int n = snprintf(file, SEGMENT_NAME_MAX, "%s.%.4s%.2s%.2sT%.2s%.2s%.2sZ-%06" PRIu64, name, utc,
        utc + 5, utc + 8, utc + 11, utc + 14, utc + 17, sequence);
    return n >= SEGMENT_NAME_MAX ? -ENAMETOOLONG : 0;
}

static int parse_stamp(const char *stamp, uint64_t *ret_wall) {
    char utc[64];

    if (strlen(stamp) < STAMP_LENGTH)
        return -EINVAL;
    snprintf(utc, sizeof(utc), "%.4s-%.2s-%.2s%.1s%.2s:%.2s:%.2s.000000%.1s", stamp, stamp + 4,
        stamp + 6, stamp + 8, stamp + 9, stamp + 11, stamp + 13, stamp + 15);
    return utc_parse(utc, ret_wall);
}

static bool cut_suffix(char *text, const char *suffix) {
    size_t length = strlen(text), n = strlen(suffix);

    if (n == 0 || n > length || strcmp(text + length - n, suffix) != 0)
        return false;
    text[length - n] = '\0';
    return true;
}

static enum segment_packing cut_packing(char *text) {
    for (int packing = SEGMENT_PLAIN + 1; packing < SEGMENT_PACKING_MAX; packing++)
        if (cut_suffix(text, segment_suffix((enum segment_packing)packing)))
            return (enum segment_packing)packing;
    return SEGMENT_PLAIN;
}

int segment_parse(const char *file, const char *name, struct segment *ret_segment) {
    size_t length = strlen(name);
    struct segment segment = {0};
    char rest[SEGMENT_NAME_MAX];

    if (strlen(file) >= sizeof(rest) || strncmp(file, name, length) != 0 || file[length] != '.')
        return -EINVAL;
    strcpy(segment.file, file);
    strcpy(rest, file + length + 1);
    segment.unfinished = cut_suffix(rest, SEGMENT_UNFINISHED);
    segment.packing = cut_packing(rest);
    if (parse_stamp(rest, &segment.wall) < 0 || rest[STAMP_LENGTH] != '-')
        return -EINVAL;
    if (text_parse_u64(rest + STAMP_LENGTH + 1, 0, SEGMENT_SEQUENCE_MAX, &segment.sequence) < 0)
        return -EINVAL;
    *ret_segment = segment;
    return 0;
}

static int by_sequence(const void *a, const void *b) {
    const struct segment *x = a, *y = b;

    if (x->sequence != y->sequence)
        return x->sequence < y->sequence ? -1 : 1;
    return (int)x->packing - (int)y->packing;
}

static int add(struct segment_list *list, const struct segment *segment) {
    /* Grows by doubling, at each power of two. */
    if ((list->count & (list->count - 1)) == 0) {
        size_t capacity = MAX(list->count * 2, (size_t)1);
        struct segment *grown = reallocarray(list->segments, capacity, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        list->segments = grown;
    }
    list->segments[list->count++] = *segment;
    return 0;
}

static int read_all(DIR *directory, const char *name, struct segment_list *list) {
    struct segment segment;

    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (!entry)
            return -errno;
        if (segment_parse(entry->d_name, name, &segment) < 0)
            continue;
        int r = add(list, &segment);
        if (r < 0)
            return r;
    }
}

int segment_list(int directory, const char *name, struct segment_list *ret_list) {
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);

    *ret_list = (struct segment_list){0};
    if (!stream) {
        int r = -errno;

        if (fd >= 0)
            close(fd);
        return r;
    }
    int r = read_all(stream, name, ret_list);
    closedir(stream);
    if (r < 0)
        segment_list_finish(ret_list);
    else if (ret_list->count > 0)
        qsort(ret_list->segments, ret_list->count, sizeof(struct segment), by_sequence);
    return r;
}

void segment_list_finish(struct segment_list *list) {
    free(list->segments);
    *list = (struct segment_list){0};
}
