/* SPDX-License-Identifier: MIT */

/*
 * The environment of a pool's children, in the order in which later wins: what brood itself has
 * (unless cleared), the files, what is set, and last what is unset. brood's own variables come with
 * each spawn (plan_render.c).
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/plan_internal.h"

static size_t name_length(const char *variable) {
    return strcspn(variable, "=");
}

static struct template *find(const struct plan *plan, const char *name, size_t length) {
    for (size_t i = 0; i < plan->n_environment; i++)
        if (strncmp(plan->environment[i].text, name, length) == 0 &&
            plan->environment[i].text[length] == '=')
            return &plan->environment[i];
    return NULL;
}

const char *plan_variable(const struct plan *plan, const char *name) {
    const struct template *found = find(plan, name, strlen(name));

    return found ? found->text + strlen(name) + 1 : NULL;
}

static int set(struct plan *plan, const char *variable, bool literal) {
    struct template template;
    struct template *old = find(plan, variable, name_length(variable));

    if (plan_template(variable, literal, &template) < 0)
        return -ENOMEM;
    if (old) {
        free((char *)old->text);
        *old = template;
        return 0;
    }
    struct template *grown =
        reallocarray(plan->environment, plan->n_environment + 1, sizeof(template));
    if (!grown) {
        free((char *)template.text);
        return -ENOMEM;
    }
    plan->environment = grown;
    plan->environment[plan->n_environment++] = template;
    return 0;
}

static void unset(struct plan *plan, const char *name) {
    struct template *found = find(plan, name, strlen(name));

    if (!found)
        return;
    free((char *)found->text);
    *found = plan->environment[--plan->n_environment];
}

/* What our own supervisor says to us alone. */
static const char *const addressed_to_us[] = {"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS",
    "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC", "MAINPID"};

static int inherit(struct plan *plan, bool is_worker) {
    for (char **variable = environ; *variable; variable++)
        if (strchr(*variable, '=') && set(plan, *variable, true) < 0)
            return -ENOMEM;
    for (size_t i = 0; is_worker && i < ELEMENTS(addressed_to_us); i++)
        unset(plan, addressed_to_us[i]);
    return 0;
}

/* These come with each spawn: one that was inherited from an outer brood, or set, is not ours. */
static void unset_own(struct plan *plan) {
    static const char *const own[] = {
        "BROOD_WORKER", "BROOD_WORKERS", "BROOD_GENERATION", "BROOD_POOL"};

    for (size_t i = 0; i < ELEMENTS(own); i++)
        unset(plan, own[i]);
}

static bool is_name(const char *variable) {
    size_t length = name_length(variable);

    if (variable[length] != '=' || length == 0 || isdigit((unsigned char)variable[0]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)variable[i]) && variable[i] != '_')
            return false;
    return true;
}

/* Takes white space off both ends, and one pair of quotes off the value. */
static char *trim_line(char *line) {
    while (isspace((unsigned char)*line))
        line++;
    size_t length = strlen(line);
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        line[--length] = '\0';

    char *value = line + name_length(line);
    if (*value != '=')
        return line;
    char *first = value + 1, *last = line + length - 1;
    if (last > first && (*first == '"' || *first == '\'') && *last == *first) {
        *last = '\0';
        memmove(first, first + 1, strlen(first + 1) + 1);
    }
    return line;
}

static int read_lines(struct plan *plan, FILE *file, const char *path, struct plan_error *error) {
    char *line = NULL;
    size_t size = 0;
    int r = 0;

    for (unsigned number = 1; r == 0 && getline(&line, &size, file) >= 0; number++) {
        char *text = trim_line(line);

        if (*text == '\0' || *text == '#' || *text == ';')
            continue;
        if (!is_name(text))
            r = plan_fail(error, PLAN_STATUS_USAGE, -EINVAL, "%s:%u: '%s' is not NAME=VALUE", path,
                number, text);
        else if (set(plan, text, true) < 0)
            r = plan_fail(error, PLAN_STATUS_INTERNAL, -ENOMEM, "out of memory");
    }
    free(line);
    return r;
}

static int read_file(struct plan *plan, const char *path, struct plan_error *error) {
    FILE *file = fopen(path, "re");

    if (!file)
        return plan_fail(
            error, PLAN_STATUS_USAGE, -errno, "environment file %s: %s", path, strerror(errno));
    int r = read_lines(plan, file, path, error);
    if (r == 0 && ferror(file))
        r = plan_fail(error, PLAN_STATUS_USAGE, -EIO, "environment file %s: cannot be read", path);
    fclose(file);
    return r;
}

int plan_environment(struct plan *plan, const struct plan_spec *spec, struct plan_error *error) {
    int r = spec->clear_environment ? 0 : inherit(plan, spec->n_workers > 0);

    for (size_t i = 0; r == 0 && i < spec->environment_files.count; i++) {
        r = read_file(plan, spec->environment_files.words[i], error);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; r == 0 && i < spec->set_environment.count; i++) {
        const char *variable = spec->set_environment.words[i];

        if (name_length(variable) == 0 || !strchr(variable, '='))
            return plan_fail(
                error, PLAN_STATUS_USAGE, -EINVAL, "--env '%s' is not NAME=VALUE", variable);
        r = set(plan, variable, spec->literal);
    }
    for (size_t i = 0; r == 0 && i < spec->unset_environment.count; i++)
        unset(plan, spec->unset_environment.words[i]);
    unset_own(plan);
    return r < 0 ? plan_fail(error, PLAN_STATUS_INTERNAL, r, "out of memory") : 0;
}
