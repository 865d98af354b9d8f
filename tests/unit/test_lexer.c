/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "conf/lexer.h"
#include "conf/words.h"

/* Every item as "line:key=value;" or "line:[key];" or "line:?key;". */
static const char *all(const char *text) {
    static char copy[1024], out[2048];
    struct lexer lexer;
    char *end = out;

    strcpy(copy, text);
    *out = '\0';
    lexer_init(&lexer, copy);
    for (;;) {
        struct lexer_item item = lexer_next(&lexer);

        switch (item.kind) {
        case LEXER_END:
            return out;
        case LEXER_SECTION:
            end += sprintf(end, "%u:[%s];", item.line, item.key);
            break;
        case LEXER_ASSIGNMENT:
            end += sprintf(end, "%u:%s=%s;", item.line, item.key, item.value);
            break;
        case LEXER_NONSENSE:
            end += sprintf(end, "%u:?%s;", item.line, item.key);
            break;
        }
    }
}

Test(lexer, sections_and_assignments)
{
    cr_assert_str_eq(all(""), "");
    cr_assert_str_eq(all("[Pool web]\nA=b\n"), "1:[Pool web];2:A=b;");
    cr_assert_str_eq(all("\n\n  [ X ]  \n\tKey =  a = b \t\n"), "3:[X];4:Key=a = b;");
    cr_assert_str_eq(all("A="), "1:A=;");
    cr_assert_str_eq(all("A=b\r\n[S]\r\n"), "1:A=b;2:[S];");
    cr_assert_str_eq(all("\xef\xbb\xbf[S]"), "1:[S];");
}

Test(lexer, comments_are_whole_lines)
{ cr_assert_str_eq(all("# A=b\n ; c\nA=b # c\n"), "3:A=b # c;"); }

Test(lexer, nonsense_is_told_apart)
{ cr_assert_str_eq(all("word\n=x\n[open\n"), "1:?word;2:?=x;3:?[open;"); }

Test(lexer, a_backslash_joins_lines_by_a_blank)
{
    cr_assert_str_eq(all("A=b\\\n  c\nD=e\n"), "1:A=b   c;3:D=e;");
    cr_assert_str_eq(all("A=b \\\n# not this\n; nor this\nc\nD=e"), "1:A=b  c;5:D=e;");
    cr_assert_str_eq(all("A=b\\\r\nc"), "1:A=b c;");
    cr_assert_str_eq(all("A=b\\"), "1:A=b;");
    cr_assert_str_eq(all("A=b\\\n\nC=d"), "1:A=b;3:C=d;");
    cr_assert_str_eq(all("A=b\\\\\nC=d"), "1:A=b\\\\;2:C=d;", "a backslash may be escaped itself");
    cr_assert_str_eq(all("A=b\\\\\\\nC=d"), "1:A=b\\\\ C=d;");
}

/* Every word in angle brackets; "!" where it ends badly. */
static const char *split(const char *text) {
    static char out[1024], word[256];
    bool is_odd = false;
    char *end = out;
    int r;

    *out = '\0';
    while ((r = words_next(&text, word, &is_odd)) > 0)
        end += sprintf(end, "<%s>", word);
    if (r < 0)
        strcpy(end, "!");
    else if (is_odd)
        strcpy(end, "?");
    return out;
}

Test(words, blanks_separate_and_quotes_hold)
{
    cr_assert_str_eq(split("  a  b\tc "), "<a><b><c>");
    cr_assert_str_eq(split("\"a b\" 'c d' e\"f g\"h"), "<a b><c d><ef gh>");
    cr_assert_str_eq(split("'' \"\""), "<><>");
    cr_assert_str_eq(split("\"it's\" 'say \"x\"'"), "<it's><say \"x\">");
    cr_assert_str_eq(split("\"open"), "!");
    cr_assert_str_eq(split("a 'open"), "<a>!");
    cr_assert_str_eq(split(""), "");
}

Test(words, escapes_are_those_of_c)
{
    cr_assert_str_eq(split("\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\\'\\s"), "<\a\b\f\n\r\t\v\\\"' >");
    cr_assert_str_eq(split("\\x41\\101 '\\x20'"), "<AA>< >");
    cr_assert_str_eq(split("\\u00e4\\u20ac\\U0001f600"), "<ä€😀>");
    cr_assert_str_eq(split("a\\ b"), "<a\\ b>?", "it is no escape, and said so");
    cr_assert_str_eq(split("\\q \\x0 \\x00 \\000 \\ud800 \\U00110000"),
        "<\\q><\\x0><\\x00><\\000><\\ud800><\\U00110000>?");
    cr_assert_str_eq(split("a\\"), "!");
}

Test(words, names_of_variables)
{
    cr_assert_eq(words_name_length("A_1=x"), 3);
    cr_assert_eq(words_name_length("1A"), 0);
    cr_assert_eq(words_name_length("_"), 1);
    cr_assert(words_is_assignment("A="));
    cr_assert_not(words_is_assignment("=A"));
    cr_assert_not(words_is_assignment("A-B=c"));
    cr_assert_not(words_is_assignment("A"));
}
