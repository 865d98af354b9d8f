/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "wire/endpoint.h"
#include "wire/fields.h"
#include "wire/interface.h"
#include "wire/varlink.h"

static int read_call(const char *text, struct varlink_call *ret_call) {
    return varlink_read_call(text, strlen(text), ret_call);
}

static struct varlink_call call_of(const char *text) {
    struct varlink_call call;

    cr_assert_eq(read_call(text, &call), 0, "%s", text);
    return call;
}

/* What was written: one terminated message. */
static void expect_written(struct queue *queue, const char *text) {
    cr_assert_not(queue->failed);
    cr_assert_eq(queue->length, strlen(text) + 1, "%s", queue_bytes(queue));
    cr_assert_str_eq(queue_bytes(queue), text);
    queue_finish(queue);
}

Test(varlink, reads_a_call)
{
    struct varlink_call call =
        call_of("{\"method\": \"io.brood.Status\", \"parameters\": {\"pool\": \"web\"}, "
                "\"more\": true, \"oneway\": false, \"upgrade\": false, \"other\": 1}");

    cr_assert_str_eq(call.method, "io.brood.Status");
    cr_assert_str_eq(json_string_value(json_object_get(call.parameters, "pool")), "web");
    cr_assert(call.more);
    cr_assert_not(call.oneway);
    varlink_call_finish(&call);

    call = call_of("{\"method\":\"x\",\"parameters\":null}");
    cr_assert_null(call.parameters);
    varlink_call_finish(&call);
}

Test(varlink, refuses_what_is_no_call)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "7",
        "{}",
        "{\"method\":7}",
        "{\"method\":\"a\"}x",
        "{\"method\":\"a\",\"method\":\"b\"}",
        "{\"method\":\"a\",\"parameters\":[]}",
        "{\"method\":\"a\",\"more\":1}",
        "{\"method\":\"a\",\"oneway\":\"yes\"}",
        "{\"method\":\"\\u0000\"}",
        "{\"method\":\"a\",\"parameters\":{\"n\":99999999999999999999}}",
        "{\"method\":\"a\",\"parameters\":{\"n\":1e999}}",
        "{\"method\":\"a\",\"parameters\":{\"n\":NaN}}",
        "{\"method\":\"\xff\"}",
        "{'method':'a'}",
    };
    struct varlink_call call;

    for (size_t i = 0; i < ELEMENTS(texts); i++)
        cr_assert_eq(read_call(texts[i], &call), -EBADMSG, "%s", texts[i]);
}

/* A call with `n` times `open` in it, and then as often `close`. */
static int nested(size_t n, const char *open, const char *close) {
    size_t length = 64 + n * (strlen(open) + strlen(close));
    struct varlink_call call;
    char *text = malloc(length);

    strcpy(text, "{\"method\":\"a\",\"x\":");
    for (size_t i = 0; i < n; i++)
        strcat(text, open);
    if (*close == ',')
        strcat(text, "0");
    for (size_t i = 0; i < n; i++)
        strcat(text, close);
    strcat(text, *close == ',' ? "]}" : "}");
    int r = varlink_read_call(text, strlen(text), &call);
    if (r == 0)
        varlink_call_finish(&call);
    free(text);
    return r;
}

Test(varlink, bounds_the_depth)
{
    cr_assert_eq(nested(VARLINK_DEPTH_MAX - 1, "[", "]"), 0);
    cr_assert_eq(nested(VARLINK_DEPTH_MAX, "[", "]"), -EBADMSG);
    /* Braces in text are not depth, nor does an escaped quote end a text. */
    cr_assert_eq(nested(1, "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[\"", ""), 0);
}

Test(varlink, bounds_the_number_of_values)
{
    char *text = malloc(4 * VARLINK_CALL_VALUES);
    struct varlink_call call;

    for (int more = 0; more < 2; more++) {
        char *at = stpcpy(text, "{\"method\":\"a\",\"x\":[");

        /* Two members are four and the braces two; one value stands before each comma. */
        for (unsigned i = 0; i < VARLINK_CALL_VALUES - 6 - 1 + (unsigned)more; i++)
            at = stpcpy(at, "[],");
        stpcpy(at, "[]]}");
        unsigned n = 0;
        for (const char *c = text; *c; c++)
            n += *c == '[' || *c == '{' || *c == ',' || *c == ':';
        int r = varlink_read_call(text, strlen(text), &call);
        cr_assert_eq(r, n + 1 <= VARLINK_CALL_VALUES ? 0 : -EBADMSG);
        if (r == 0)
            varlink_call_finish(&call);
    }
    free(text);
}

Test(varlink, reads_replies_and_errors)
{
    struct varlink_reply reply;
    const char *text = "{\"parameters\":{\"a\":1},\"continues\":true}";

    cr_assert_eq(varlink_read_reply(text, strlen(text), &reply), 0);
    cr_assert_null(reply.error);
    cr_assert(reply.continues);
    cr_assert_eq(json_integer_value(json_object_get(reply.parameters, "a")), 1);
    varlink_reply_finish(&reply);

    text = "{\"error\":\"io.brood.Busy\"}";
    cr_assert_eq(varlink_read_reply(text, strlen(text), &reply), 0);
    cr_assert_str_eq(reply.error, BROOD_BUSY);
    cr_assert_null(reply.parameters);
    varlink_reply_finish(&reply);
    cr_assert_eq(varlink_read_reply("{\"error\":1}", 11, &reply), -EBADMSG);
}

Test(varlink, writes_messages)
{
    struct queue queue = {};

    varlink_write_call_take(&queue, "a.B", NULL, 0);
    expect_written(&queue, "{\"method\":\"a.B\"}");
    varlink_write_call_take(
        &queue, "a.B", json_pack("{s:i}", "n", 1), VARLINK_MORE | VARLINK_ONEWAY);
    expect_written(
        &queue, "{\"method\":\"a.B\",\"parameters\":{\"n\":1},\"more\":true,\"oneway\":true}");
    varlink_write_reply_take(&queue, NULL, false);
    expect_written(&queue, "{\"parameters\":{}}");
    varlink_write_reply_take(&queue, json_object(), true);
    expect_written(&queue, "{\"parameters\":{},\"continues\":true}");
    varlink_write_error_take(&queue, "a.E", json_pack("{s:s}", "text", "why"));
    expect_written(&queue, "{\"error\":\"a.E\",\"parameters\":{\"text\":\"why\"}}");
    varlink_begin_reply(&queue);
    queue_add_text(&queue, "{}");
    varlink_end_reply(&queue, true);
    expect_written(&queue, "{\"parameters\":{},\"continues\":true}");
}

struct everything {
    const char *text;
    json_t *texts;
    bool flag;
    int64_t integer, number;
    nsec_t seconds;
};

#define MEMBER(type, required, member)                                                             \
    { #member, type, required, offsetof(struct everything, member) }

static const struct field all[] = {
    MEMBER(FIELD_TEXT, true, text),
    MEMBER(FIELD_TEXTS, false, texts),
    MEMBER(FIELD_BOOL, false, flag),
    MEMBER(FIELD_INTEGER, false, integer),
    MEMBER(FIELD_NUMBER, false, number),
    MEMBER(FIELD_SECONDS, false, seconds),
};

/* The name of what is refused, or NULL. */
static const char *fault_of(const char *text, struct everything *into) {
    static char fault[32];
    const char *name;
    json_t *object;

    cr_assert_eq(varlink_parse(text, strlen(text), 0, &object), 0, "%s", text);
    int r = fields_read(object, all, ELEMENTS(all), into, &name);
    snprintf(fault, sizeof(fault), "%s", name);
    json_decref(object);
    return r < 0 ? fault : NULL;
}

Test(fields, reads_each_type)
{
    struct everything into = {.number = 7};

    cr_assert_null(fault_of("{\"text\":\"a\",\"texts\":[\"b\",\"c\"],\"flag\":true,"
                            "\"integer\":-3,\"number\":null,\"seconds\":1.5}",
        &into));
    cr_assert(into.flag);
    cr_assert_eq(into.integer, -3);
    cr_assert_eq(into.number, 7, "null is as good as missing");
    cr_assert_eq(into.seconds, 1500 * NSEC_PER_MSEC);
    cr_assert_null(fault_of("{\"text\":\"a\",\"seconds\":1e300}", &into));
    cr_assert_eq(into.seconds, NSEC_NEVER);
}

Test(fields, names_what_it_refuses)
{
    static const struct {
        const char *text, *fault;
    } cases[] = {
        {"{}", "text"},
        {"{\"text\":null}", "text"},
        {"{\"text\":1}", "text"},
        {"{\"text\":\"a\",\"texts\":\"b\"}", "texts"},
        {"{\"text\":\"a\",\"texts\":[1]}", "texts"},
        {"{\"text\":\"a\",\"flag\":1}", "flag"},
        {"{\"text\":\"a\",\"integer\":1.0}", "integer"},
        {"{\"text\":\"a\",\"number\":-1}", "number"},
        {"{\"text\":\"a\",\"number\":4294967296}", "number"},
        {"{\"text\":\"a\",\"seconds\":-0.1}", "seconds"},
        {"{\"text\":\"a\",\"seconds\":\"1\"}", "seconds"},
        {"{\"text\":\"a\",\"colour\":1}", "colour"},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct everything into = {};
        const char *fault = fault_of(cases[i].text, &into);

        cr_assert_not_null(fault, "%s", cases[i].text);
        cr_assert_str_eq(fault, cases[i].fault);
    }
}

Test(fields, takes_no_parameters_for_an_empty_object)
{
    static const struct field one[] = {MEMBER(FIELD_BOOL, false, flag)};
    struct everything into;
    const char *fault;

    cr_assert_eq(fields_read(NULL, one, 1, &into, &fault), 0);
}

static void expect_answer(const char *text, const char *answer) {
    struct varlink_call call = call_of(text);
    struct queue queue = {};

    if (!interface_answer(&call, "1.2", &queue))
        interface_refuse(&call, &queue);
    expect_written(&queue, answer);
    varlink_call_finish(&call);
}

Test(interface, tells_about_the_service)
{
    expect_answer("{\"method\":\"org.varlink.service.GetInfo\"}",
        "{\"parameters\":{\"vendor\":\"brood\",\"product\":\"brood\",\"version\":\"1.2\","
        "\"url\":\"https://varlink.org\","
        "\"interfaces\":[\"org.varlink.service\",\"io.brood\"]}}");
    expect_answer("{\"method\":\"org.varlink.service.GetInterfaceDescription\"}",
        "{\"error\":\"org.varlink.service.InvalidParameter\","
        "\"parameters\":{\"parameter\":\"interface\"}}");
    expect_answer("{\"method\":\"org.varlink.service.GetInterfaceDescription\","
                  "\"parameters\":{\"interface\":\"a.b\"}}",
        "{\"error\":\"org.varlink.service.InterfaceNotFound\","
        "\"parameters\":{\"interface\":\"a.b\"}}");
}

Test(interface, describes_itself)
{
    struct varlink_call call =
        call_of("{\"method\":\"org.varlink.service.GetInterfaceDescription\","
                "\"parameters\":{\"interface\":\"io.brood\"}}");
    struct queue queue = {};
    struct varlink_reply reply;

    cr_assert(interface_answer(&call, "1", &queue));
    cr_assert_eq(varlink_read_reply(queue_bytes(&queue), queue.length - 1, &reply), 0);
    const char *text = json_string_value(json_object_get(reply.parameters, "description"));
    cr_assert_str_eq(text, interface_io_brood);
    cr_assert(strstr(text, "\ninterface io.brood\n"));
    varlink_reply_finish(&reply);
    varlink_call_finish(&call);
    queue_finish(&queue);
}

Test(interface, says_which_part_of_a_name_is_unknown)
{
    expect_answer("{\"method\":\"io.brood.Fly\"}",
        "{\"error\":\"org.varlink.service.MethodNotFound\","
        "\"parameters\":{\"method\":\"io.brood.Fly\"}}");
    expect_answer("{\"method\":\"io.bread.Status\"}",
        "{\"error\":\"org.varlink.service.InterfaceNotFound\","
        "\"parameters\":{\"interface\":\"io.bread\"}}");
    expect_answer("{\"method\":\"Status\"}", "{\"error\":\"org.varlink.service.InterfaceNotFound\","
                                             "\"parameters\":{\"interface\":\"Status\"}}");
}

static const char *chosen(const char *option, int expected) {
    static struct endpoint address;

    cr_assert_eq(endpoint_choose(option, &address), expected);
    return address.path;
}

Test(address, is_chosen_in_order)
{
    char longest[sizeof(struct endpoint)] = {};

    unsetenv("BROOD_SOCKET");
    unsetenv("XDG_RUNTIME_DIR");
    cr_assert_str_eq(chosen(NULL, 0), "/run/brood/control.sock");
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    cr_assert_str_eq(chosen(NULL, 0), "/run/user/7/brood/control.sock");
    setenv("BROOD_SOCKET", "/b", 1);
    cr_assert_str_eq(chosen(NULL, 1), "/b");
    cr_assert_str_eq(chosen("/a", 1), "/a");
    setenv("BROOD_SOCKET", "", 1);
    cr_assert_str_eq(chosen(NULL, 0), "/run/user/7/brood/control.sock");

    memset(longest, 'x', sizeof(longest) - 1);
    cr_assert_str_eq(chosen(longest, 1), longest);
    struct endpoint address;
    char too_long[sizeof(struct endpoint) + 1] = {};
    memset(too_long, 'x', sizeof(struct endpoint));
    cr_assert_eq(endpoint_choose(too_long, &address), -ENAMETOOLONG);
}
