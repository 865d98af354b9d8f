/* SPDX-License-Identifier: MIT */

/*
 * Runs a fuzz target without libFuzzer: each file of the corpus as it is, then mutations of them
 * until the time is over. Every mutation follows from the seed, which is printed.
 *
 *     fuzz-NAME CORPUS [--seed N] [--runs N] [--seconds N]
 */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/random.h"
#include "base/text.h"
#include "fuzz.h"

#define INPUT_MAX  4200 /* a little more than the longest message that any reader takes */
#define INPUTS_MAX 256

struct input {
    size_t size;
    uint8_t bytes[INPUT_MAX];
};

static struct input corpus[INPUTS_MAX];
static size_t n_corpus;

/* For the handler: what is being tried. */
static struct input current;
static uint64_t seed = 1, run;

static void on_abort(int number) {
    char line[160];
    int n = snprintf(line, sizeof(line), "not ok - signal %d: seed %" PRIu64 ", run %" PRIu64 "\n",
        number, seed, run);
    FILE *file = fopen("crash", "we");

    if (file) {
        fwrite(current.bytes, 1, current.size, file);
        fclose(file);
    }
    if (write(STDOUT_FILENO, line, (size_t)n) < 0)
        _exit(2);
    signal(number, SIG_DFL);
    raise(number);
}

static void read_file(const char *directory, const char *name) {
    char path[512];

    if (name[0] == '.' || n_corpus == INPUTS_MAX)
        return;
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    struct input *input = &corpus[n_corpus++];
    input->size = fread(input->bytes, 1, sizeof(input->bytes), file);
    fclose(file);
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_corpus(const char *directory) {
    struct dirent **entries;
    int n = scandir(directory, &entries, NULL, by_name);

    for (int i = 0; i < n; i++) {
        read_file(directory, entries[i]->d_name);
        free(entries[i]);
    }
    if (n < 0)
        return -errno;
    free(entries);
    return n_corpus > 0 ? 0 : -ENOENT;
}

static void insert(struct input *input, size_t at, const uint8_t *bytes, size_t n) {
    n = MIN(n, INPUT_MAX - input->size);
    memmove(input->bytes + at + n, input->bytes + at, input->size - at);
    memcpy(input->bytes + at, bytes, n);
    input->size += n;
}

static void erase(struct input *input, size_t at, size_t n) {
    n = MIN(n, input->size - at);
    memmove(input->bytes + at, input->bytes + at + n, input->size - at - n);
    input->size -= n;
}

/* One small change: a bit, a byte, a number, something less, something twice, something foreign. */
static void mutate(struct input *input, struct random *random) {
    static const char *const words[] = {"0", "-1", "18446744073709551615", "18446744073709551616",
        "4294967296", "infinity", "none", "=", ",", "..", "/", ":", "%", "%i", "\n", " ", "\"",
        "--", "\xff", "\xed\xa0\x80", "SIG", "RTMIN+", "9999999999"};
    const struct input *other = &corpus[random_below(random, n_corpus)];
    size_t at = random_below(random, input->size + 1), n = 1 + random_below(random, 8);
    const char *word = words[random_below(random, ELEMENTS(words))];
    uint8_t byte = (uint8_t)random_next(random), copy[16];

    switch (random_below(random, 8)) {
    case 0:
        if (at < input->size)
            input->bytes[at] ^= (uint8_t)(1U << (byte % 8));
        break;
    case 1:
        if (at < input->size)
            input->bytes[at] = byte;
        break;
    case 2:
        insert(input, at, &byte, 1);
        break;
    case 3:
    case 4:
        insert(input, at, (const uint8_t *)word, strlen(word));
        break;
    case 5:
        erase(input, at, n);
        break;
    case 6:
        n = MIN(n, input->size - at);
        memcpy(copy, input->bytes + at, n);
        insert(input, at, copy, n);
        break;
    default:
        n = random_below(random, other->size + 1);
        insert(input, at, other->bytes + n, other->size - n);
        break;
    }
}

/* From memory that has exactly its size, so that a sanitizer sees every step too far. */
static void try_current(void) {
    uint8_t *exact = malloc(MAX(current.size, (size_t)1));

    if (!exact)
        abort();
    memcpy(exact, current.bytes, current.size);
    LLVMFuzzerTestOneInput(exact, current.size);
    free(exact);
    run++;
}

static double seconds(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int usage(void) {
    fprintf(stderr, "usage: fuzz-NAME CORPUS [--seed N] [--runs N] [--seconds N]\n");
    return 2;
}

int main(int argc, char **argv) {
    uint64_t runs = UINT64_MAX, limit = 3;
    double begin = seconds();

    if (argc < 2 || argc % 2 != 0 || read_corpus(argv[1]) < 0)
        return usage();
    for (int i = 2; i < argc; i += 2) {
        uint64_t *target = strcmp(argv[i], "--seed") == 0      ? &seed
                           : strcmp(argv[i], "--runs") == 0    ? &runs
                           : strcmp(argv[i], "--seconds") == 0 ? &limit
                                                               : NULL;
        if (!target || text_parse_u64(argv[i + 1], 0, UINT64_MAX, target) < 0)
            return usage();
    }
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    for (size_t i = 0; i < n_corpus; i++) {
        current = corpus[i];
        try_current();
    }
    struct random random = {seed};
    while (run < runs && (run % 64 != 0 || seconds() - begin < (double)limit)) {
        current = corpus[random_below(&random, n_corpus)];
        for (uint64_t n = 1 + random_below(&random, 6); n > 0; n--)
            mutate(&current, &random);
        try_current();
    }
    printf("1..1\nok 1 - %" PRIu64 " inputs from %zu seeds of the corpus, seed %" PRIu64 "\n", run,
        n_corpus, seed);
    return 0;
}
