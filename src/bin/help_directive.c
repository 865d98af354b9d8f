/* SPDX-License-Identifier: MIT */
#include "bin/help_directive.h"

#include <stdio.h>
#include <string.h>

#include "bin/help.h"
#include "conf/directive.h"

static void print_default(const struct conf_directive *directive) {
    const char *of_pool = conf_directive_default(directive, false);
    const char *of_unit = conf_directive_default(directive, true);

    if (!of_unit)
        return;
    if (!of_pool)
        printf("  Default: not set; in a .service file %s.\n", of_unit);
    else if (strcmp(of_pool, of_unit) != 0)
        printf("  Default: %s; in a .service file %s.\n", of_pool, of_unit);
    else
        printf("  Default: %s.\n", of_pool);
}

static bool print_one(const char *name, bool brood) {
    const struct conf_directive *directive = conf_directive_find(name, brood);

    if (!directive)
        return false;
    printf("%s=%s    %s: %s\n", directive->name, directive->argument,
        brood ? "[Brood]" : "[Pool NAME], [Defaults], [Service]",
        conf_group_name(directive->group));
    printf("  ");
    help_wrap(directive->help, 2, 2);
    printf("  Expects %s.\n", directive->expects);
    print_default(directive);
    if (conf_directive_is_list(directive))
        printf("  Again for more; an empty one forgets those before.\n");
    if (conf_directive_is_own(directive))
        printf("  brood's own: systemd has no such directive.\n");
    return true;
}

bool help_directive(const char *name) {
    char bare[64];

    snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(name, "="), name);
    bool in_pool = print_one(bare, false);
    return print_one(bare, true) || in_pool;
}

void help_directives(void) {
    const struct conf_directive *directive;
    enum conf_group group = CONF_GROUP_MAX;

    for (size_t i = 0; (directive = conf_directive_at(i)); i++) {
        if (directive->group != group)
            printf("%s%s:\n", i > 0 ? "\n" : "", conf_group_name(directive->group));
        group = directive->group;
        printf("  %s=%s\n", directive->name, directive->argument);
    }
    printf("\n'brood help DIRECTIVE' says more.\n");
}
