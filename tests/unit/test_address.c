/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/macro.h"
#include "sys/address.h"

Test(address, what_can_be_written)
{
    static const struct {
        const char *text;
        int family;
        const char *formatted; /* NULL: as it was written */
    } rows[] = {
        {"8080", AF_INET6, "[::]:8080"},
        {"1", AF_INET6, "[::]:1"},
        {"65535", AF_INET6, "[::]:65535"},
        {"127.0.0.1:80", AF_INET, NULL},
        {"0.0.0.0:65535", AF_INET, NULL},
        {"[::]:80", AF_INET6, NULL},
        {"[::1]:80", AF_INET6, NULL},
        {"[0:0::1]:80", AF_INET6, "[::1]:80"},
        {"[::ffff:10.0.0.1]:80", AF_INET6, NULL},
        {"[fe80::1%3]:80", AF_INET6, NULL},
        {"/run/x.sock", AF_UNIX, NULL},
        {"/x", AF_UNIX, NULL},
        {"/run/a b:c", AF_UNIX, NULL},
        {"@abstract", AF_UNIX, NULL},
        {"@/run/x", AF_UNIX, NULL},
    };
    char text[ADDRESS_TEXT_SIZE];

    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        struct address address, again;

        cr_assert_eq(address_parse(rows[i].text, &address, NULL), 0, "%s", rows[i].text);
        cr_assert_eq(address.any.sa_family, rows[i].family, "%s", rows[i].text);
        address_format(&address, text);
        cr_assert_str_eq(text, rows[i].formatted ? rows[i].formatted : rows[i].text);
        cr_assert_eq(address_parse(text, &again, NULL), 0);
        cr_assert(address_equal(&address, &again));
    }
}

Test(address, what_is_wrong_is_said)
{
    static const struct {
        const char *text;
        int error;
        const char *reason; /* a part of it */
    } rows[] = {
        {"", -EINVAL, "expected PORT"},
        {"http", -EINVAL, "expected PORT"},
        {"80x", -EINVAL, "expected PORT"},
        {" 80", -EINVAL, "expected PORT"},
        {"-1", -EINVAL, "expected PORT"},
        {"0", -ERANGE, "1 to 65535"},
        {"65536", -ERANGE, "1 to 65535"},
        {"99999999999999999999", -ERANGE, "1 to 65535"},
        {"127.0.0.1:0", -ERANGE, "1 to 65535"},
        {"127.0.0.1:", -EINVAL, "expected PORT"},
        {"127.0.0.1", -EINVAL, "expected PORT"},
        {"127.1:80", -EINVAL, "IPv4"},
        {"localhost:80", -EINVAL, "names are not looked up"},
        {"a.very.long.name.of.a.host.example:80", -EINVAL, "names are not looked up"},
        {"::1:80", -EINVAL, "IPv4"},
        {":80", -EINVAL, "IPv4"},
        {"*:80", -EINVAL, "IPv4"},
        {"[::1]", -EINVAL, "expected PORT"},
        {"[::1]80", -EINVAL, "expected PORT"},
        {"[::1:80", -EINVAL, "expected PORT"},
        {"[::1]:99999", -ERANGE, "1 to 65535"},
        {"[]:80", -EINVAL, "IPv6"},
        {"[127.0.0.1]:80", -EINVAL, "IPv6"},
        {"[fe80::1%]:80", -EINVAL, "interface"},
        {"[fe80::1%eth0]:80", -EINVAL, "interface"},
        {"[fe80::1%0]:80", -EINVAL, "interface"},
        {"[00000000000000000000000000000000000000000000000000000000000::1]:80", -EINVAL,
            "expected"},
        {"@", -EINVAL, "expected PORT"},
        {"/", -EINVAL, "expected PORT"},
        {"run/x.sock", -EINVAL, "expected PORT"},
        {"vsock:2:80", -EAFNOSUPPORT, "vsock"},
    };

    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        struct address address = {.size = 77};
        const char *reason = NULL;

        cr_assert_eq(
            address_parse(rows[i].text, &address, &reason), rows[i].error, "'%s'", rows[i].text);
        cr_assert_eq(address.size, 77, "untouched");
        cr_assert(strstr(reason, rows[i].reason), "'%s': %s", rows[i].text, reason);
    }
}

Test(address, the_length_of_a_name)
{
    char text[120];
    struct address address;

    memset(text, 'x', sizeof(text));
    for (int k = 0; k < 2; k++) {
        text[0] = "/@"[k];
        text[107] = '\0';
        cr_assert_eq(address_parse(text, &address, NULL), 0);
        text[107] = 'x';
        text[108] = '\0';
        cr_assert_eq(address_parse(text, &address, NULL), -ENAMETOOLONG);
        text[108] = 'x';
    }
}

Test(address, which_are_the_same)
{
    struct address a, b;

    address_parse("80", &a, NULL);
    address_parse("[::]:80", &b, NULL);
    cr_assert(address_equal(&a, &b));
    address_parse("[::]:81", &b, NULL);
    cr_assert_not(address_equal(&a, &b));
    address_parse("@a", &a, NULL);
    address_parse("@ab", &b, NULL);
    cr_assert_not(address_equal(&a, &b));
    address_parse("/a", &b, NULL);
    cr_assert_not(address_equal(&a, &b));
    cr_assert_str_eq(address_path(&b), "/a");
    cr_assert_null(address_path(&a));
}

Test(address, ports_of_root)
{
    struct address address;
    unsigned first = 0;

    address_parse("65535", &address, NULL);
    cr_assert_not(address_is_privileged(&address, &first));
    cr_assert_leq(first, 65536);
    address_parse("127.0.0.1:1", &address, NULL);
    cr_assert_eq(address_is_privileged(&address, &first), first > 1);
    address_parse("@x", &address, NULL);
    cr_assert_not(address_is_privileged(&address, &first));
}
