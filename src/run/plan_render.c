/* SPDX-License-Identifier: MIT */
#include "run/plan.h"

#include <stdio.h>
#include <string.h>

#include "run/plan_internal.h"

/* The four variables that brood sets, and the terminating NULL. */
#define OWN_VARIABLES 4

/* The longest text that one placeholder becomes, the pool's name aside: a 32-bit number. */
#define NUMBER_TEXT 10

struct pen {
    char *cursor;
    const struct plan *plan;
    struct incarnation incarnation;
};

static void write_number(struct pen *pen, uint32_t number) {
    pen->cursor += sprintf(pen->cursor, "%u", number);
}

static void write_text(struct pen *pen, const char *text, size_t length) {
    memcpy(pen->cursor, text, length);
    pen->cursor += length;
}

/* Writes what the placeholder stands for; false where it is none. */
static bool write_placeholder(struct pen *pen, char letter) {
    switch (letter) {
    case 'i':
        write_number(pen, pen->incarnation.worker);
        return true;
    case 'g':
        write_number(pen, pen->incarnation.generation);
        return true;
    case 'w':
        write_number(pen, pen->plan->n_workers);
        return true;
    case 'p':
        write_text(pen, pen->plan->pool, strlen(pen->plan->pool));
        return true;
    case '%':
        write_text(pen, "%", 1);
        return true;
    default:
        return false;
    }
}

/* The text itself where it has no placeholders, so that nothing is copied. */
static char *render(struct pen *pen, struct template template) {
    char *begin = pen->cursor;

    if (!template.has_placeholders)
        return (char *)template.text;
    for (const char *p = template.text; *p != '\0'; p++)
        if (*p == '%' && write_placeholder(pen, p[1]))
            p++;
        else
            write_text(pen, p, 1);
    write_text(pen, "", 1);
    return begin;
}

static char *render_variable(struct pen *pen, const char *name, uint32_t value) {
    char *begin = pen->cursor;

    pen->cursor += sprintf(pen->cursor, "%s=%u", name, value) + 1;
    return begin;
}

static char **render_environment(struct pen *pen, char **vector) {
    const struct plan *plan = pen->plan;
    size_t n = plan->n_environment;

    for (size_t i = 0; i < n; i++)
        vector[i] = render(pen, plan->environment[i]);
    vector[n] = NULL;
    if (plan->n_workers == 0)
        return vector;
    vector[n++] = render_variable(pen, "BROOD_WORKER", pen->incarnation.worker);
    vector[n++] = render_variable(pen, "BROOD_WORKERS", plan->n_workers);
    vector[n++] = render_variable(pen, "BROOD_GENERATION", pen->incarnation.generation);
    vector[n] = pen->cursor;
    pen->cursor += sprintf(pen->cursor, "BROOD_POOL=%s", plan->pool) + 1;
    vector[n + 1] = NULL;
    return vector;
}

void plan_render(const struct plan *plan, struct incarnation incarnation, void *scratch,
    struct rendered *ret_rendered) {
    char **arguments = (char **)scratch + 1;
    char **environment = arguments + plan->n_arguments + 1;
    struct pen pen = {
        .cursor = (char *)(environment + plan->n_environment + OWN_VARIABLES + 1),
        .plan = plan,
        .incarnation = incarnation,
    };

    for (size_t i = 0; i < plan->n_arguments; i++)
        arguments[i] = render(&pen, plan->arguments[i]);
    arguments[plan->n_arguments] = NULL;
    *ret_rendered = (struct rendered){
        .arguments = arguments,
        .environment = render_environment(&pen, environment),
        .directory = plan->directory.text ? render(&pen, plan->directory) : NULL,
    };
    for (int i = 0; i < 3; i++)
        if (plan->stdio_paths[i].text)
            ret_rendered->stdio_paths[i] = render(&pen, plan->stdio_paths[i]);
}

static size_t rendered_size(const struct plan *plan, struct template template) {
    size_t longest = MAX(strlen(plan->pool), (size_t)NUMBER_TEXT), size = 1;

    if (!template.has_placeholders)
        return 0;
    for (const char *p = template.text; *p != '\0'; p++)
        size += *p == '%' ? longest : 1;
    return size;
}

size_t plan_scratch_size(const struct plan *plan) {
    size_t vectors = 1 + plan->n_arguments + 1 + plan->n_environment + OWN_VARIABLES + 1;
    size_t size = vectors * sizeof(char *);

    for (size_t i = 0; i < plan->n_arguments; i++)
        size += rendered_size(plan, plan->arguments[i]);
    for (size_t i = 0; i < plan->n_environment; i++)
        size += rendered_size(plan, plan->environment[i]);
    for (int i = 0; i < 3; i++)
        if (plan->stdio_paths[i].text)
            size += rendered_size(plan, plan->stdio_paths[i]);
    if (plan->directory.text)
        size += rendered_size(plan, plan->directory);
    return size + 3 * (sizeof("BROOD_GENERATION=") + NUMBER_TEXT) + sizeof("BROOD_POOL=") +
           strlen(plan->pool);
}
