/* SPDX-License-Identifier: MIT */
#include "run/plan.h"

#include <stdio.h>
#include <string.h>

#include "run/plan_internal.h"

/* Digits of a pid, and a terminating NUL. */
#define PID_TEXT 12

/* The four variables that brood sets, and the terminating NULL. */
#define OWN_VARIABLES 4

/* A 32-bit number. */
#define NUMBER_TEXT 10

/* The longest text that one placeholder becomes, the pool's name aside: a pid, or a word. */
#define EXTRA_TEXT 32

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
        write_number(pen, pen->incarnation.n_workers);
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

/* The value of an extra, which is "" where this start has none of this name. */
static void write_extra(struct pen *pen, const char *name, size_t length) {
    const struct plan_extras *extras = pen->incarnation.extras;

    for (size_t i = 0; extras && i < extras->n_variables; i++)
        if (strncmp(extras->variables[i], name, length) == 0 &&
            extras->variables[i][length] == '=') {
            const char *value = extras->variables[i] + length + 1;

            write_text(pen, value, strnlen(value, EXTRA_TEXT));
            return;
        }
}

/* "%{MAINPID}" and its like, which tell a command of the process that it is about. */
static size_t write_braces(struct pen *pen, const char *text) {
    static const char *const names[] = {"MAINPID", "SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS"};

    for (size_t i = 0; i < ELEMENTS(names); i++) {
        size_t length = strlen(names[i]);

        if (strncmp(text + 2, names[i], length) == 0 && text[2 + length] == '}') {
            write_extra(pen, names[i], length);
            return length + 3;
        }
    }
    write_text(pen, "%{", 2);
    return 2;
}

/* The text itself where it has no placeholders, so that nothing is copied. */
static char *render(struct pen *pen, struct template template) {
    char *begin = pen->cursor;

    if (!template.has_placeholders)
        return (char *)template.text;
    for (const char *p = template.text; *p != '\0'; p++)
        if (*p == '%' && p[1] == '{')
            p += write_braces(pen, p) - 1;
        else if (*p == '%' && write_placeholder(pen, p[1]))
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

static bool names_same(const char *variable, const char *other) {
    size_t length = strcspn(variable, "=");

    return strncmp(variable, other, length) == 0 && (other[length] == '=' || other[length] == '\0');
}

static bool is_replaced(const struct plan_extras *extras, const char *variable) {
    bool replaced = false;

    for (size_t i = 0; extras && i < extras->n_variables && !replaced; i++)
        replaced = names_same(variable, extras->variables[i]);
    for (size_t i = 0; extras && i < extras->n_pid_variables && !replaced; i++)
        replaced = names_same(variable, extras->pid_variables[i]);
    return replaced;
}

/* The child fills in its pid by itself: what is left for it is room. */
static size_t render_extras(
    struct pen *pen, const struct plan_extras *extras, char **vector, struct rendered *rendered) {
    size_t n = 0;

    for (size_t i = 0; i < extras->n_variables; i++) {
        vector[n++] = pen->cursor;
        write_text(pen, extras->variables[i], strlen(extras->variables[i]) + 1);
    }
    for (size_t i = 0; i < extras->n_pid_variables; i++) {
        vector[n++] = pen->cursor;
        pen->cursor += sprintf(pen->cursor, "%s=", extras->pid_variables[i]);
        rendered->pids[i] = pen->cursor;
        pen->cursor += PID_TEXT;
    }
    return n;
}

static char **render_environment(struct pen *pen, char **vector, struct rendered *rendered) {
    const struct plan *plan = pen->plan;
    const struct plan_extras *extras = pen->incarnation.extras;
    size_t n = 0;

    for (size_t i = 0; i < plan->n_environment; i++)
        if (!is_replaced(extras, plan->environment[i].text))
            vector[n++] = render(pen, plan->environment[i]);
    if (extras)
        n += render_extras(pen, extras, vector + n, rendered);
    vector[n] = NULL;
    if (plan->n_workers == 0)
        return vector;
    vector[n++] = render_variable(pen, "BROOD_WORKER", pen->incarnation.worker);
    vector[n++] = render_variable(pen, "BROOD_WORKERS", pen->incarnation.n_workers);
    vector[n++] = render_variable(pen, "BROOD_GENERATION", pen->incarnation.generation);
    vector[n] = pen->cursor;
    pen->cursor += sprintf(pen->cursor, "BROOD_POOL=%s", plan->pool) + 1;
    vector[n + 1] = NULL;
    return vector;
}

static size_t count_variables(const struct plan_extras *extras) {
    return extras ? extras->n_variables + extras->n_pid_variables : 0;
}

void plan_render(const struct plan *plan, struct incarnation incarnation, void *scratch,
    struct rendered *ret_rendered) {
    const struct plan_extras *extras = incarnation.extras;
    char **arguments = (char **)scratch + 1;
    char **environment = arguments + plan->n_arguments + 1;
    struct child_descriptor *descriptors =
        (struct child_descriptor *)(environment + plan->n_environment + OWN_VARIABLES + 1 +
                                    count_variables(extras));
    struct pen pen = {
        .cursor = (char *)(descriptors + (extras ? extras->n_descriptors : 0)),
        .plan = plan,
        .incarnation = incarnation,
    };

    if (incarnation.n_workers == 0)
        pen.incarnation.n_workers = plan->n_workers;
    for (size_t i = 0; i < plan->n_arguments; i++)
        arguments[i] = render(&pen, plan->arguments[i]);
    arguments[plan->n_arguments] = NULL;
    *ret_rendered = (struct rendered){
        .arguments = arguments,
        .root = plan->root.text ? render(&pen, plan->root) : NULL,
        .directory = plan->directory.text ? render(&pen, plan->directory) : NULL,
    };
    for (int i = 0; i < 3; i++)
        if (plan->stdio_paths[i].text)
            ret_rendered->stdio_paths[i] = render(&pen, plan->stdio_paths[i]);
    ret_rendered->environment = render_environment(&pen, environment, ret_rendered);
    if (extras && extras->n_descriptors > 0) {
        memcpy(descriptors, extras->descriptors, extras->n_descriptors * sizeof(*descriptors));
        ret_rendered->descriptors = descriptors;
        ret_rendered->n_descriptors = extras->n_descriptors;
    }
}

static size_t rendered_size(const struct plan *plan, struct template template) {
    size_t longest = MAX(strlen(plan->pool), (size_t)EXTRA_TEXT), size = 1;

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
    if (plan->root.text)
        size += rendered_size(plan, plan->root);
    return size + 3 * (sizeof("BROOD_GENERATION=") + NUMBER_TEXT) + sizeof("BROOD_POOL=") +
           strlen(plan->pool);
}

size_t plan_scratch_for(const struct plan *plan, const struct plan_extras *extras) {
    size_t size = plan->scratch_size;

    if (!extras)
        return size;
    size += count_variables(extras) * sizeof(char *);
    size += extras->n_descriptors * sizeof(*extras->descriptors);
    for (size_t i = 0; i < extras->n_variables; i++)
        size += strlen(extras->variables[i]) + 1;
    for (size_t i = 0; i < extras->n_pid_variables; i++)
        size += strlen(extras->pid_variables[i]) + sizeof("=") + PID_TEXT;
    return size;
}
