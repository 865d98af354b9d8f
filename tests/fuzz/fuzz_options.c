/* SPDX-License-Identifier: MIT */

/* A command line: the lines of the input are its words. */

#include "bin/process_options.h"
#include "fuzz.h"

#define WORDS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct process_options options = {0};
    struct option_table table = process_options_table(&options);
    char *text = fuzz_text(data, size), *rest = text, *argv[WORDS_MAX + 1] = {0};
    int argc = 0;

    /* Errors are told on standard error, once each: nobody wants to read millions of them. */
    static FILE *nowhere;
    if (!nowhere)
        stderr = nowhere = fopen("/dev/null", "we");

    for (char *word; argc < WORDS_MAX && (word = strsep(&rest, "\n"));)
        argv[argc++] = word;
    int first = options_parse("brood run", &table, 1, argc, argv);
    PROMISE(first <= argc);
    process_options_plan(&options, "web", 1, (const char *const *)argv);
    process_options_finish(&options);
    free(text);
    return 0;
}
