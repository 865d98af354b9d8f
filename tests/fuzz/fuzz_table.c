/* SPDX-License-Identifier: MIT */

/* ctl/table and ctl/visible: whatever a cell holds, a terminal sees text, in straight columns. */

#include "base/utf8.h"
#include "ctl/table.h"
#include "fuzz.h"

/* The columns of one line; what is no text is a promise broken. */
static unsigned measure(const char *line, size_t length) {
    unsigned columns = 0;

    for (size_t i = 0; i < length;) {
        size_t one = utf8_length(line + i);

        PROMISE(one > 0 && i + one <= length);
        PROMISE(one > 1 || (line[i] >= 0x20 && line[i] != 0x7f));
        PROMISE(one != 2 || (unsigned char)line[i] != 0xc2 || (unsigned char)line[i + 1] >= 0xa0);
        columns += utf8_columns(line + i, one);
        i += one;
    }
    return columns;
}

static void try_print(const struct table *table, unsigned columns) {
    const struct screen screen = {.terminal = columns > 0, .columns = columns};
    char *text;
    size_t size, lines = 0;
    FILE *file = open_memstream(&text, &size);

    if (!file)
        abort();
    table_print(table, &screen, 2, file);
    fclose(file);
    PROMISE(strlen(text) == size);
    for (const char *line = text; *line != '\0'; lines++) {
        size_t length = strcspn(line, "\n");

        PROMISE(columns == 0 || measure(line, length) <= columns);
        PROMISE(length == 0 || line[length - 1] != ' ' || measure(line, length) > 0);
        line += length + 1;
    }
    PROMISE(lines == table_rows(table) + 1);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct table_column columns[] = {
        {.heading = "NAME"}, {.heading = "N", .right = true}, {.heading = "", .spare = true}};
    struct table table = TABLE_INIT(columns);
    char *text = fuzz_text(data, size);
    size_t third = strlen(text) / 3;

    for (size_t row = 0; row < 2; row++)
        for (size_t i = 0; i < 3; i++)
            table_add(&table, STYLE_PLAIN, "%.*s", (int)third, text + (row + i) % 3 * third);
    for (unsigned width = 0; width < 40; width = 2 * width + 1)
        try_print(&table, width);
    table_finish(&table);
    free(text);
    return 0;
}
