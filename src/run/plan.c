/* SPDX-License-Identifier: MIT */
#include "run/plan.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "run/plan_internal.h"
#include "sys/caps.h"
#include "sys/limit.h"
#include "sys/program.h"

int plan_fail(struct plan_error *error, int status, int code, const char *format, ...) {
    struct buffer visible = BUFFER(error->text);
    char text[sizeof(error->text)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    buffer_add_visible(&visible, text);
    error->status = status;
    return code;
}

int plan_error_no_memory(struct plan_error *error) {
    return plan_fail(error, PLAN_STATUS_INTERNAL, -ENOMEM, "out of memory");
}

int plan_template(const char *text, bool literal, struct template *ret_template) {
    char *copy = strdup(text);

    if (!copy)
        return -ENOMEM;
    *ret_template = (struct template){copy, !literal && strchr(copy, '%')};
    return 0;
}

static int copy_arguments(struct plan *plan, const struct plan_spec *spec) {
    size_t count = 0;

    while (spec->argv[count])
        count++;
    plan->arguments = calloc(count, sizeof(*plan->arguments));
    if (!plan->arguments)
        return -ENOMEM;
    for (; plan->n_arguments < count; plan->n_arguments++)
        if (plan_template(spec->argv[plan->n_arguments], spec->literal,
                &plan->arguments[plan->n_arguments]) < 0)
            return -ENOMEM;
    return 0;
}

/* Writes the working directory of now and a slash; its percent signs stand for themselves. */
static size_t write_here(char *target, size_t size, bool literal) {
    char here[PATH_MAX];
    size_t length = 0;

    if (!getcwd(here, sizeof(here)))
        return 0;
    for (const char *p = here; *p != '\0' && length + 3 < size; p++) {
        if (*p == '%' && !literal)
            target[length++] = '%';
        target[length++] = *p;
    }
    target[length++] = '/';
    return length;
}

/* Relative paths mean the directory where the plan is made: a supervisor may move before it spawns.
 */
static int path_template(const char *path, bool literal, struct template *ret_template) {
    char absolute[3 * PATH_MAX];
    size_t length = *path == '/' ? 0 : write_here(absolute, 2 * PATH_MAX, literal);

    snprintf(absolute + length, sizeof(absolute) - length, "%s", path);
    return plan_template(absolute, literal, ret_template);
}

static int copy_paths(struct plan *plan, const struct plan_spec *spec) {
    int r = 0;

    if (spec->root_directory)
        r = path_template(spec->root_directory, spec->literal, &plan->root);
    if (r == 0 && spec->directory)
        r = path_template(spec->directory, spec->literal, &plan->directory);
    for (int i = 0; i < 3 && r == 0; i++) {
        plan->stdio[i] = spec->stdio[i].kind;
        if (spec->stdio[i].path)
            r = path_template(spec->stdio[i].path, spec->literal, &plan->stdio_paths[i]);
    }
    const char *out = plan->stdio_paths[1].text, *err = plan->stdio_paths[2].text;
    plan->join_stderr = out && err && plan->stdio[1] == plan->stdio[2] && strcmp(out, err) == 0;
    return r;
}

/* What exec leaves ignored would stay ignored in the child, whatever it expects. */
static uint64_t ignored_signals(void) {
    uint64_t ignored = 0;

    for (int signal = 1; signal < 65; signal++) {
        struct sigaction action;

        if (sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            ignored |= UINT64_C(1) << (signal - 1);
    }
    return ignored;
}

static void copy_attributes(struct plan *plan, const struct plan_spec *spec) {
    plan->n_workers = spec->n_workers;
    plan->ignored_signals = ignored_signals();
    plan->ignore_hangup = spec->ignore_hangup;
    plan->new_session = spec->new_session;
    plan->stdio_as_user = spec->stdio_as_user;
    plan->has_umask = spec->has_umask;
    plan->umask = spec->umask;
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        plan->limits[i] = spec->limits[i];
        plan->n_limits += spec->limits[i].set;
    }
    plan->has_nice = spec->has_nice;
    plan->nice = spec->nice;
    plan->has_cpus = spec->cpus != NULL;
    if (spec->cpus)
        plan->cpus = *spec->cpus;
    if (spec->has_oom_score)
        snprintf(plan->oom_score, sizeof(plan->oom_score), "%d", spec->oom_score);
    plan->no_new_privileges = spec->no_new_privileges;
    plan->parent_death_signal = spec->parent_death_signal;
}

static int resolve_identity(
    struct plan *plan, const struct plan_spec *spec, struct plan_error *error) {
    char item[256];
    const char *kind;
    int r = identity_resolve(spec->user, spec->group, spec->groups, &plan->identity, item, &kind);

    if (r == -ENOENT)
        return plan_fail(error, PLAN_STATUS_USAGE, r, "%s '%s' does not exist", kind, item);
    if (r < 0)
        return plan_fail(
            error, PLAN_STATUS_INTERNAL, r, "%s cannot be looked up: %s", kind, strerror(-r));
    return 0;
}

static int resolve_capabilities(
    struct plan *plan, const struct plan_spec *spec, struct plan_error *error) {
    char item[256];

    plan->has_bounding = spec->bounding_capabilities != NULL;
    if ((spec->bounding_capabilities &&
            capability_parse(spec->bounding_capabilities, &plan->bounding, item) < 0) ||
        (spec->ambient_capabilities &&
            capability_parse(spec->ambient_capabilities, &plan->ambient, item) < 0))
        return plan_fail(error, PLAN_STATUS_USAGE, -EINVAL, "unknown capability '%s'", item);
    return 0;
}

/*
 * Looked up along the PATH that the children get. A path is relative to the directory that the user
 * has chosen for them, or else to the one we are in.
 */
static int resolve_program(
    struct plan *plan, const struct plan_spec *spec, struct plan_error *error) {
    const char *command = spec->program ? spec->program : spec->argv[0];

    /* What is below another root is seen from there only. */
    if (plan->root.text) {
        plan->program = *command == '/' ? strdup(command) : NULL;
        if (*command != '/')
            return plan_fail(error, PLAN_STATUS_USAGE, -EINVAL,
                "exec %s: with a root directory the program needs an absolute path", command);
        return plan->program ? 0 : plan_error_no_memory(error);
    }
    const char *directory = spec->is_default_directory ? NULL : plan->directory.text;
    int r = program_find(command, plan_variable(plan, "PATH"), directory, &plan->program);

    if (r == -ENOMEM)
        return plan_error_no_memory(error);
    if (r == -ENOENT && !strchr(command, '/'))
        return plan_fail(
            error, 127, r, "exec %s: command not found; give its path, or check PATH", command);
    if (r < 0)
        return plan_fail(error, r == -ENOENT ? 127 : 126, r, "exec %s: %s", command, strerror(-r));
    return 0;
}

static int fill(struct plan *plan, const struct plan_spec *spec, struct plan_error *error) {
    copy_attributes(plan, spec);
    plan->pool = strdup(spec->pool);
    if (!plan->pool || copy_arguments(plan, spec) < 0 || copy_paths(plan, spec) < 0)
        return plan_error_no_memory(error);
    int r = plan_environment(plan, spec, error);
    if (r == 0)
        r = resolve_identity(plan, spec, error);
    if (r == 0)
        r = resolve_capabilities(plan, spec, error);
    if (r == 0)
        r = resolve_program(plan, spec, error);
    plan->scratch_size = plan_scratch_size(plan);
    return r;
}

int plan_new(const struct plan_spec *spec, struct plan **ret_plan, struct plan_error *ret_error) {
    struct plan *plan = calloc(1, sizeof(*plan));

    if (!plan)
        return plan_error_no_memory(ret_error);
    int r = fill(plan, spec, ret_error);
    if (r < 0) {
        plan_free(plan);
        return r;
    }
    *ret_plan = plan;
    return 0;
}

static void free_templates(struct template *templates, size_t count) {
    for (size_t i = 0; i < count; i++)
        free((char *)templates[i].text);
}

struct plan *plan_free(struct plan *plan) {
    if (!plan)
        return NULL;
    free_templates(plan->arguments, plan->n_arguments);
    free_templates(plan->environment, plan->n_environment);
    free_templates(plan->stdio_paths, ELEMENTS(plan->stdio_paths));
    free_templates(&plan->root, 1);
    free_templates(&plan->directory, 1);
    free(plan->arguments);
    free(plan->environment);
    free(plan->program);
    free(plan->pool);
    identity_finish(&plan->identity);
    free(plan);
    return NULL;
}

const char *child_step_name(enum child_step step) {
    static const char *const names[] = {
#define X(name, text) [CHILD_##name] = text,
        CHILD_STEPS(X)
#undef X
    };

    return step < CHILD_STEP_MAX ? names[step] : "unknown step";
}

/* The thing that a step works on; "" where it has no name of its own. */
static const char *fault_thing(const struct plan *plan, const struct rendered *rendered,
    struct child_fault fault, char buffer[64]) {
    const char *thing = NULL;

    if (fault.step == CHILD_EXEC)
        thing = plan->program;
    else if (fault.step == CHILD_DIRECTORY)
        thing = rendered->directory ?: "/";
    else if (fault.step == CHILD_ROOT)
        thing = rendered->root;
    else if (fault.step == CHILD_PASS) {
        snprintf(buffer, 64, "%d", fault.detail);
        thing = buffer;
    } else if (fault.step >= CHILD_STDIN && fault.step <= CHILD_STDERR)
        thing = rendered->stdio_paths[fault.step - CHILD_STDIN] ?: "/dev/null";
    else if (fault.step == CHILD_LIMITS)
        thing = limit_name(fault.detail);
    else if (fault.step == CHILD_BOUNDING || fault.step == CHILD_AMBIENT)
        thing = capability_name(fault.detail, buffer);
    return thing ? thing : "";
}

static bool is_interpreter_missing(const struct plan *plan, struct child_fault fault) {
    return fault.step == CHILD_EXEC && fault.error == ENOENT && *plan->program == '/' &&
           !plan->root.text && access(plan->program, F_OK) == 0;
}

const char *plan_explain(const struct plan *plan, struct incarnation incarnation,
    struct child_fault fault, char *buffer, size_t size) {
    void *scratch = malloc(plan->scratch_size);
    struct rendered rendered = {0};
    char name[64];

    if (scratch)
        plan_render(plan, incarnation, scratch, &rendered);
    const char *thing = fault_thing(plan, &rendered, fault, name);
    snprintf(buffer, size, "%s%s%s: %s%s", child_step_name(fault.step), *thing ? " " : "", thing,
        strerrordesc_np(fault.error) ?: "unknown error",
        is_interpreter_missing(plan, fault)
            ? " (the file is there: it is the interpreter that it names)"
            : "");
    free(scratch);
    return buffer;
}
