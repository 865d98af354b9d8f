/* SPDX-License-Identifier: MIT */

/* Environment files, and the rendering of what came of them. */

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "run/plan_internal.h"

static int environment_fd = -1;

static const char *write_file(const uint8_t *data, size_t size) {
    static char path[64];

    if (environment_fd < 0) {
        environment_fd = memfd_create("environment", MFD_CLOEXEC);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", environment_fd);
    }
    if (ftruncate(environment_fd, 0) < 0 || pwrite(environment_fd, data, size, 0) != (ssize_t)size)
        abort();
    return path;
}

static void try_render(const struct plan *plan) {
    void *scratch = malloc(plan->scratch_size);
    struct rendered rendered;
    size_t count = 0;

    plan_render(plan, (struct incarnation){UINT32_MAX - 1, UINT32_MAX}, scratch, &rendered);
    for (; rendered.environment[count]; count++)
        PROMISE(strchr(rendered.environment[count], '='));
    PROMISE(count <= plan->n_environment + 4);
    free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = write_file(data, size);
    char *text = fuzz_text(data, size);
    const char *const argv[] = {"/bin/sh", text, NULL};
    const char *variables[] = {text};
    struct plan_spec spec = {
        .pool = "web",
        .n_workers = UINT32_MAX,
        .argv = argv,
        .clear_environment = true,
        .environment_files = {&path, 1},
        .set_environment = {variables, strchr(text, '=') && *text != '='},
        .unset_environment = {variables, size % 3 == 0},
    };
    struct plan_error error = {0};
    struct plan *plan = NULL;

    if (plan_new(&spec, &plan, &error) < 0)
        PROMISE(!plan && error.text[0] != '\0' && error.status > 0);
    else
        try_render(plan);
    plan_free(plan);
    free(text);
    return 0;
}
