/* SPDX-License-Identifier: MIT */

/* A busy worker: `worker_lines STAMP LINES SIZE` writes LINES lines of 100 bytes to standard output
 * as fast as it is let, SIZE bytes a write(2), wherever that cuts a line: 4096 is what stdio does
 * on a pipe, 100 is a write a line. Into the file STAMP goes the time right before the first write.
 * Making the text costs it nothing, so that the throughput is that of who reads. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE 100

static int write_all(const char *text, uint64_t total, uint64_t size) {
    for (uint64_t done = 0; done < total;) {
        uint64_t left = total - done;
        ssize_t n = write(STDOUT_FILENO, text + done % LINE, left < size ? left : size);
        if (n < 0)
            return -1;
        done += (uint64_t)n;
    }
    return 0;
}

int main(int argc, char *argv[]) {
    if (argc != 4) {
        fprintf(stderr, "usage: worker_lines STAMP LINES SIZE\n");
        return 2;
    }
    uint64_t lines = strtoull(argv[2], NULL, 10), size = strtoull(argv[3], NULL, 10);
    FILE *stamp = fopen(argv[1], "we");
    char *text = malloc(size + LINE); /* from any place of a line on, there are SIZE bytes */
    if (!stamp || !text) {
        perror("worker_lines");
        return 100;
    }
    for (uint64_t i = 0; i < size + LINE; i++)
        text[i] = i % LINE == LINE - 1 ? '\n' : (char)('a' + i % LINE % 26);

    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (write_all(text, lines * LINE, size) < 0) {
        perror("worker_lines: write");
        return 100;
    }
    fprintf(stamp, "%lld\n", (long long)now.tv_sec * 1000000000ll + now.tv_nsec);
    free(text);
    return fclose(stamp) != 0;
}
