/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macro.h"
#include "run/plan_internal.h"

TestSuite(plan, .timeout = 60);

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define WORDS(...)                                                                                 \
    ((struct word_list){                                                                           \
        (const char *[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)})

static struct plan_spec spec_of(const char *const *argv) {
    return (struct plan_spec){
        .pool = "web", .n_workers = 4, .argv = argv, .clear_environment = true};
}

static struct plan *plan_of(const struct plan_spec *spec) {
    struct plan_error error = {0};
    struct plan *plan = NULL;

    cr_assert_eq(plan_new(spec, &plan, &error), 0, "%s", error.text);
    return plan;
}

static struct plan_error failure_of(const struct plan_spec *spec) {
    struct plan_error error = {0};
    struct plan *plan = NULL;

    cr_assert_lt(plan_new(spec, &plan, &error), 0);
    cr_assert_null(plan);
    return error;
}

/* Rendered into memory without a byte to spare. */
static struct rendered render(const struct plan *plan, uint32_t worker, uint32_t generation) {
    struct rendered rendered;
    void *scratch = malloc(plan->scratch_size);

    plan_render(plan, (struct incarnation){worker, generation}, scratch, &rendered);
    return rendered;
}

/* The scratch memory begins with the free slot before the arguments. */
static void forget(struct rendered rendered) {
    free(rendered.arguments - 1);
}

/* The value of a variable; it must be there once at the most. */
static const char *value_of(struct rendered rendered, const char *name) {
    const char *value = NULL;
    size_t length = strlen(name);

    for (char **variable = rendered.environment; *variable; variable++)
        if (strncmp(*variable, name, length) == 0 && (*variable)[length] == '=') {
            cr_assert_null(
                value, "%s is set twice: '%s' and '%s'", name, value, *variable + length + 1);
            value = *variable + length + 1;
        }
    return value;
}

Test(plan, renders_placeholders)
{
    struct plan_spec spec =
        spec_of(ARGV("/bin/sh", "%i/%w", "%p-%g", "100%%", "%x%", "%%i", "plain"));

    spec.directory = "/tmp/%p";
    spec.is_default_directory = true;
    spec.stdio[1] = (struct stdio_spec){STDIO_APPEND, "%p.%i.log"};
    spec.set_environment = WORDS("PORT=80%i", "NAME=%p");
    cr_assert_eq(chdir("/tmp"), 0); /* what is relative is meant from here */
    struct plan *plan = plan_of(&spec);
    struct rendered rendered = render(plan, 3, 4294967295);
    static const char *const expected[] = {
        "/bin/sh", "3/4", "web-4294967295", "100%", "%x%", "%i", "plain", NULL};

    for (size_t i = 0; expected[i]; i++)
        cr_assert_str_eq(rendered.arguments[i], expected[i]);
    cr_assert_null(rendered.arguments[ELEMENTS(expected) - 1]);
    cr_assert_str_eq(rendered.directory, "/tmp/web");
    cr_assert_str_eq(rendered.stdio_paths[1], "/tmp/web.3.log");
    cr_assert_null(rendered.stdio_paths[0]);
    cr_assert_str_eq(value_of(rendered, "PORT"), "803");
    cr_assert_str_eq(value_of(rendered, "NAME"), "web");
    forget(rendered);
    plan_free(plan);
}

/* Commands round the main process may speak of it; what is none of these names stays as it is. */
Test(plan, renders_what_a_start_alone_knows)
{
    static const char *const variables[] = {"MAINPID=1234", "EXIT_STATUS=TERM"};
    static const char *const expected[][4] = {
        {"/bin/sh", "1234", "<TERM>", "%{http_code}"}, {"/bin/sh", "", "<>", "%{http_code}"}};
    struct plan_extras extras = {.variables = variables, .n_variables = ELEMENTS(variables)};
    struct plan_spec spec =
        spec_of(ARGV("/bin/sh", "%{MAINPID}", "<%{EXIT_STATUS}>", "%{http_code}"));
    struct plan *plan = plan_of(&spec);

    for (size_t i = 0; i < ELEMENTS(expected); i++) {
        struct incarnation incarnation = {.extras = i == 0 ? &extras : NULL};
        void *scratch = malloc(plan_scratch_for(plan, incarnation.extras));
        struct rendered rendered;

        plan_render(plan, incarnation, scratch, &rendered);
        for (size_t n = 0; n < ELEMENTS(expected[i]); n++)
            cr_assert_str_eq(rendered.arguments[n], expected[i][n]);
        free(scratch);
    }
    plan_free(plan);
}

/* The percent signs of the directory that we are in are its own. */
Test(plan, relative_paths_mean_the_directory_of_now)
{
    char here[] = "/tmp/brood-%i%%-XXXXXX", expected[64];
    struct plan_spec spec = spec_of(ARGV("/bin/sh"));

    cr_assert(mkdtemp(here));
    cr_assert_eq(chdir(here), 0);
    spec.stdio[1] = (struct stdio_spec){STDIO_APPEND, "%i.log"};
    snprintf(expected, sizeof(expected), "%s/7.log", here);
    struct plan *plan = plan_of(&spec);
    struct rendered rendered = render(plan, 7, 1);

    cr_assert_str_eq(rendered.stdio_paths[1], expected);
    forget(rendered);
    plan_free(plan);
    rmdir(here);
}

Test(plan, literal_leaves_every_percent_sign_alone)
{
    struct plan_spec spec = spec_of(ARGV("/bin/sh", "%i%%"));

    spec.literal = true;
    spec.set_environment = WORDS("A=%i");
    struct plan *plan = plan_of(&spec);
    struct rendered rendered = render(plan, 1, 1);

    cr_assert_str_eq(rendered.arguments[1], "%i%%");
    cr_assert_str_eq(value_of(rendered, "A"), "%i");
    forget(rendered);
    plan_free(plan);
}

Test(plan, scratch_is_enough_for_the_longest_of_everything)
{
    char pool[200], argument[400];

    memset(pool, 'p', sizeof(pool) - 1);
    pool[sizeof(pool) - 1] = '\0';
    for (size_t i = 0; i < sizeof(argument) - 1; i++)
        argument[i] = "%p%i%g%w%%"[i % 10];
    argument[sizeof(argument) - 1] = '\0';
    struct plan_spec spec = spec_of(ARGV("/bin/sh", argument, "%", "%%%"));
    spec.pool = pool;
    spec.n_workers = UINT32_MAX;
    struct plan *plan = plan_of(&spec);
    forget(render(plan, UINT32_MAX - 1, UINT32_MAX));
    plan_free(plan);
}

Test(plan, a_worker_knows_who_it_is)
{
    struct plan_spec spec = spec_of(ARGV("/bin/sh"));
    struct plan *plan = plan_of(&spec);
    struct rendered rendered = render(plan, 2, 9);

    cr_assert_str_eq(value_of(rendered, "BROOD_WORKER"), "2");
    cr_assert_str_eq(value_of(rendered, "BROOD_WORKERS"), "4");
    cr_assert_str_eq(value_of(rendered, "BROOD_GENERATION"), "9");
    cr_assert_str_eq(value_of(rendered, "BROOD_POOL"), "web");
    forget(rendered);
    plan_free(plan);

    spec.n_workers = 0; /* not a worker at all */
    plan = plan_of(&spec);
    rendered = render(plan, 0, 0);
    cr_assert_null(rendered.environment[0]);
    forget(rendered);
    plan_free(plan);
}

Test(plan, nothing_of_an_outer_brood_is_inherited)
{
    setenv("BROOD_WORKER", "99", 1);
    setenv("BROOD_POOL", "outer", 1);
    setenv("KEPT", "%i", 1);
    struct plan_spec spec = spec_of(ARGV("/bin/sh"));
    spec.clear_environment = false;
    struct plan *plan = plan_of(&spec);
    struct rendered rendered = render(plan, 2, 1);

    cr_assert_str_eq(value_of(rendered, "BROOD_WORKER"), "2");
    cr_assert_str_eq(value_of(rendered, "BROOD_POOL"), "web");
    cr_assert_str_eq(value_of(rendered, "KEPT"), "%i", "what is inherited has no placeholders");
    forget(rendered);
    plan_free(plan);
}

/* A path that holds `content` for as long as the test runs. */
static const char *file_with(const char *content) {
    static char path[64];
    int fd = memfd_create("environment", MFD_CLOEXEC);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return path;
}

Test(plan, later_wins_in_the_environment)
{
    setenv("A", "inherited", 1);
    setenv("B", "inherited", 1);
    setenv("C", "inherited", 1);
    setenv("D", "inherited", 1);
    struct plan_spec spec = spec_of(ARGV("/bin/sh"));
    spec.clear_environment = false;
    spec.environment_files = WORDS(file_with("B=file\nC=file\nD=file\n"));
    spec.set_environment = WORDS("C=first", "C=set", "D=set", "E=");
    spec.unset_environment = WORDS("D", "NOSUCH");
    struct plan *plan = plan_of(&spec);
    struct rendered rendered = render(plan, 0, 1);

    cr_assert_str_eq(value_of(rendered, "A"), "inherited");
    cr_assert_str_eq(value_of(rendered, "B"), "file");
    cr_assert_str_eq(value_of(rendered, "C"), "set");
    cr_assert_null(value_of(rendered, "D"));
    cr_assert_str_eq(value_of(rendered, "E"), "");
    forget(rendered);
    plan_free(plan);
}

Test(plan, reads_environment_files)
{
    struct plan_spec spec = spec_of(ARGV("/bin/sh"));

    spec.environment_files = WORDS(file_with("# a comment\n"
                                             "; another\n"
                                             "\n"
                                             "  A=1  \n"
                                             "B=\"two words\"\n"
                                             "C='x\"y'\n"
                                             "D=\n"
                                             "E=a=b\n"
                                             "F=\"open\n"
                                             "G=\"\"\r\n"
                                             "H=%i\n"
                                             "_9=last"));
    struct plan *plan = plan_of(&spec);
    struct rendered rendered = render(plan, 5, 1);

    cr_assert_str_eq(value_of(rendered, "A"), "1");
    cr_assert_str_eq(value_of(rendered, "B"), "two words");
    cr_assert_str_eq(value_of(rendered, "C"), "x\"y");
    cr_assert_str_eq(value_of(rendered, "D"), "");
    cr_assert_str_eq(value_of(rendered, "E"), "a=b");
    cr_assert_str_eq(value_of(rendered, "F"), "\"open");
    cr_assert_str_eq(value_of(rendered, "G"), "");
    cr_assert_str_eq(value_of(rendered, "H"), "%i");
    cr_assert_str_eq(value_of(rendered, "_9"), "last");
    forget(rendered);
    plan_free(plan);
}

Test(plan, errors_say_what_and_where)
{
    struct plan_spec spec = spec_of(ARGV("/bin/sh"));
    char expected[128];

    spec.environment_files = WORDS(file_with("A=1\n\nB C=2\n"));
    snprintf(expected, sizeof(expected), "%s:3: 'B C=2' is not NAME=VALUE",
        spec.environment_files.words[0]);
    struct plan_error error = failure_of(&spec);
    cr_assert_str_eq(error.text, expected);
    cr_assert_eq(error.status, 2);

    spec.environment_files = WORDS("/nosuch/file");
    error = failure_of(&spec);
    cr_assert_str_eq(error.text, "environment file /nosuch/file: No such file or directory");
    spec.environment_files = WORDS("/");
    cr_assert_str_eq(failure_of(&spec).text, "environment file /: cannot be read");

    spec.environment_files = (struct word_list){0};
    spec.set_environment = WORDS("NOVALUE");
    error = failure_of(&spec);
    cr_assert_str_eq(error.text, "--env 'NOVALUE' is not NAME=VALUE");
    cr_assert_eq(error.status, 2);
    spec.set_environment = WORDS("=x");
    cr_assert_str_eq(failure_of(&spec).text, "--env '=x' is not NAME=VALUE");
}

Test(plan, unknown_names_are_usage_errors)
{
    struct plan_spec spec = spec_of(ARGV("/bin/sh"));

    spec.user = "no-such-user";
    struct plan_error error = failure_of(&spec);
    cr_assert_str_eq(error.text, "user 'no-such-user' does not exist");
    cr_assert_eq(error.status, 2);
    spec.user = NULL;
    spec.groups = "0,no-such-group";
    cr_assert_str_eq(failure_of(&spec).text, "group 'no-such-group' does not exist");
    spec.groups = NULL;
    spec.ambient_capabilities = "cap_chown,no_such_cap";
    cr_assert_str_eq(failure_of(&spec).text, "unknown capability 'no_such_cap'");
}

Test(plan, a_program_that_is_not_there_fails_before_anything_starts)
{
    struct plan_spec spec = spec_of(ARGV("no-such-command"));
    struct plan_error error = failure_of(&spec);

    cr_assert_eq(error.status, 127);
    cr_assert_str_eq(
        error.text, "exec no-such-command: command not found; give its path, or check PATH");
    spec = spec_of(ARGV("/no/such/command"));
    error = failure_of(&spec);
    cr_assert_eq(error.status, 127);
    cr_assert_str_eq(error.text, "exec /no/such/command: No such file or directory");
    spec = spec_of(ARGV("/etc/passwd"));
    error = failure_of(&spec);
    cr_assert_eq(error.status, 126);
    cr_assert_str_eq(error.text, "exec /etc/passwd: Permission denied");
}

Test(plan, the_program_is_found_along_the_workers_path)
{
    struct plan_spec spec = spec_of(ARGV("sh"));

    spec.set_environment = WORDS("PATH=/nosuch");
    cr_assert_eq(failure_of(&spec).status, 127);
    spec.set_environment = WORDS("PATH=/nosuch:/bin");
    struct plan *plan = plan_of(&spec);
    cr_assert_str_eq(plan->program, "/bin/sh");
    plan_free(plan);
}

Test(plan, explains_faults_by_their_names)
{
    struct plan_spec spec = spec_of(ARGV("/bin/sh"));

    spec.directory = "/srv/%i";
    spec.is_default_directory = true;
    spec.stdio[0].kind = STDIO_NULL;
    spec.stdio[2] = (struct stdio_spec){STDIO_FILE, "/var/%p-%i"};
    struct plan *plan = plan_of(&spec);
    static const struct {
        struct child_fault fault;
        const char *text;
    } cases[] = {
        {{CHILD_EXEC, EACCES, 0}, "exec /bin/sh: Permission denied"},
        {{CHILD_DIRECTORY, ENOENT, 0}, "chdir /srv/7: No such file or directory"},
        {{CHILD_STDIN, EACCES, 0}, "open standard input /dev/null: Permission denied"},
        {{CHILD_STDERR, EISDIR, 0}, "open standard error /var/web-7: Is a directory"},
        {{CHILD_LIMITS, EPERM, RLIMIT_NOFILE}, "set limit NOFILE: Operation not permitted"},
        {{CHILD_AMBIENT, EPERM, 0}, "raise ambient capability cap_chown: Operation not permitted"},
        {{CHILD_CLONE, EAGAIN, 0}, "clone: Resource temporarily unavailable"},
        {{CHILD_UID, 4000, 0}, "setuid: unknown error"},
        {{1000, EPERM, 0}, "unknown step: Operation not permitted"},
    };
    char buffer[256];

    for (size_t i = 0; i < ELEMENTS(cases); i++)
        cr_assert_str_eq(
            plan_explain(plan, (struct incarnation){7, 1}, cases[i].fault, buffer, sizeof(buffer)),
            cases[i].text, "%zu: %s", i, buffer);
    plan_free(plan);
    cr_assert_null(plan_free(NULL));
}

Test(plan, brood_speaks_last_about_itself)
{
    struct plan_spec spec = spec_of(ARGV("/bin/sh"));

    spec.set_environment = WORDS("BROOD_WORKER=mine", "BROOD_POOL=mine");
    struct plan *plan = plan_of(&spec);
    struct rendered rendered = render(plan, 1, 1);

    cr_assert_str_eq(value_of(rendered, "BROOD_WORKER"), "1");
    cr_assert_str_eq(value_of(rendered, "BROOD_POOL"), "web");
    forget(rendered);
    plan_free(plan);
}

/* What one start gets is rendered into memory without a byte to spare, too. */
static struct rendered render_extras(const struct plan *plan, const struct plan_extras *extras) {
    struct rendered rendered;
    void *scratch = malloc(plan_scratch_for(plan, extras));

    plan_render(plan, (struct incarnation){.generation = 1, .n_workers = 9, .extras = extras},
        scratch, &rendered);
    return rendered;
}

Test(plan, extras_replace_what_is_set)
{
    struct plan_spec spec = spec_of(ARGV("/bin/sh", "%w"));
    const char *variables[] = {"NOTIFY_SOCKET=@new", "LISTEN_FDS=2"};
    const char *pids[] = {"LISTEN_PID", "WATCHDOG_PID"};
    struct child_descriptor descriptors[] = {{40, 3}, {7, 4}};
    struct plan_extras extras = {variables, 2, pids, 2, descriptors, 2};

    spec.set_environment = WORDS("NOTIFY_SOCKET=@old", "LISTEN_PID=1", "LISTEN_FDS_X=kept");
    struct plan *plan = plan_of(&spec);
    struct rendered rendered = render_extras(plan, &extras);
    cr_assert_str_eq(value_of(rendered, "NOTIFY_SOCKET"), "@new");
    cr_assert_str_eq(value_of(rendered, "LISTEN_FDS"), "2");
    cr_assert_str_eq(value_of(rendered, "LISTEN_FDS_X"), "kept");
    cr_assert_str_eq(value_of(rendered, "BROOD_WORKERS"), "9");
    cr_assert_str_eq(rendered.arguments[1], "9");
    memset(rendered.pids[0], '7', 10);
    rendered.pids[0][10] = '\0';
    strcpy(rendered.pids[1], "4194304");
    cr_assert_str_eq(value_of(rendered, "LISTEN_PID"), "7777777777");
    cr_assert_str_eq(value_of(rendered, "WATCHDOG_PID"), "4194304");
    cr_assert_eq(rendered.n_descriptors, 2);
    cr_assert_eq(rendered.descriptors[0].from, 40);
    forget(rendered);
    rendered = render_extras(plan, NULL);
    cr_assert_str_eq(value_of(rendered, "NOTIFY_SOCKET"), "@old");
    cr_assert_null(rendered.pids[0]);
    forget(rendered);
    plan_free(plan);
}

Test(plan, what_our_own_supervisor_said_to_us_is_not_for_workers)
{
    struct plan_spec spec = spec_of(ARGV("/bin/sh"));

    spec.clear_environment = false;
    setenv("NOTIFY_SOCKET", "/run/systemd/notify", 1);
    setenv("WATCHDOG_USEC", "1", 1);
    struct plan *plan = plan_of(&spec);
    cr_assert_null(plan_variable(plan, "NOTIFY_SOCKET"));
    cr_assert_null(plan_variable(plan, "WATCHDOG_USEC"));
    plan_free(plan);
    spec.n_workers = 0;
    plan = plan_of(&spec);
    cr_assert_str_eq(plan_variable(plan, "NOTIFY_SOCKET"), "/run/systemd/notify");
    plan_free(plan);
}

Test(plan, another_root_needs_an_absolute_program)
{
    struct plan_spec spec = spec_of(ARGV("sh"));

    spec.root_directory = "/srv/%i";
    struct plan_error error = failure_of(&spec);
    cr_assert_eq(error.status, PLAN_STATUS_USAGE);
    cr_assert(strstr(error.text, "absolute path"), "%s", error.text);
    spec.argv = ARGV("/no/such/thing");
    struct plan *plan = plan_of(&spec);
    struct rendered rendered = render(plan, 3, 1);
    char buffer[256];
    cr_assert_str_eq(rendered.root, "/srv/3");
    plan_explain(plan, (struct incarnation){3, 1, 0, NULL},
        (struct child_fault){CHILD_ROOT, ENOENT, 0}, buffer, sizeof(buffer));
    cr_assert_str_eq(buffer, "chroot /srv/3: No such file or directory");
    forget(rendered);
    plan_free(plan);
}
