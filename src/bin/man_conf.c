/* SPDX-License-Identifier: MIT */

/* brood.conf(5): the table of directives, and the words round it. */

#include <stdio.h>
#include <string.h>

#include "bin/help_directive.h"
#include "bin/help_man.h"
#include "conf/directive.h"

static const struct help_item files[] = {
    {"/etc/brood/brood.conf, /etc/brood/*.service, /etc/brood/conf.d/*.conf",
        "What 'brood up' reads where nothing else is named, in this order. Later wins; a directive "
        "that is a list adds, and an empty one forgets what was said before."},
    {"NAME.service.d/*.conf", "Drop-ins of a unit file."},
    {0},
};

static const struct help_item sections[] = {
    {"[Pool NAME]", "A pool of workers."},
    {"[Pool NAME@]", "A template: each name in Instances=, and each [Pool NAME@INSTANCE], makes a "
                     "pool of it."},
    {"[Defaults]", "What all pools are to have unless they say otherwise."},
    {"[Brood]", "The supervisor itself."},
    {"[Service]", "In a file NAME.service: a pool of that name, with systemd's defaults."},
    {0},
};

static const struct help_item specifiers[] = {
    {"%i, %w, %g", "The worker's number from 0, how many there are, and its generation; in "
                   "commands, Environment= and paths. In an instance of a unit template %i is the "
                   "instance."},
    {"%p, %n, %N, %I, %j", "The pool, its name, its instance, the last part of its prefix."},
    {"%H, %l, %m, %b, %v", "Host, short host, machine id, boot id, kernel."},
    {"%t, %S, %C, %L, %E, %T, %V", "Directories: runtime, state, cache, logs, configuration, "
                                   "temporary ones."},
    {"%u, %U, %h, %s", "The user whom brood runs as: name, number, home, shell."},
    {"%%", "A percent sign."},
    {"${NAME}, $NAME, $$", "In arguments of commands: the value of a variable, its words, a "
                           "dollar sign."},
    {0},
};

static void print_items(const char *heading, const struct help_item *items) {
    man_section(heading);
    for (; items->term; items++) {
        man_term(items->term);
        man_text(items->text);
    }
}

static void print_default(const struct conf_directive *directive) {
    const char *of_pool = conf_directive_default(directive, false);
    const char *of_unit = conf_directive_default(directive, true);
    char text[256];

    if (!of_unit)
        return;
    if (of_pool && strcmp(of_pool, of_unit) == 0)
        snprintf(text, sizeof(text), "Default: %s.", of_pool);
    else
        snprintf(text, sizeof(text), "Default: %s; in a .service file %s.",
            of_pool ? of_pool : "not set", of_unit);
    man_text(text);
}

static void print_directives(void) {
    const struct conf_directive *directive;
    enum conf_group group = CONF_GROUP_MAX;
    char term[128];

    man_section("Directives");
    for (size_t i = 0; (directive = conf_directive_at(i)); i++) {
        if (directive->group != group)
            man_subsection(conf_group_name(directive->group));
        group = directive->group;
        snprintf(term, sizeof(term), "%s=%s", directive->name, directive->argument);
        man_term(term);
        man_text(directive->help);
        print_default(directive);
    }
}

void help_print_conf_man(void) {
    man_begin("brood.conf", "5", "configuration of brood");
    man_section("Description");
    man_text("The pools that 'brood up' keeps running, in the grammar and with the words of "
             "systemd's unit files. A line is a section in brackets, KEY=VALUE, or a comment that "
             "begins with # or ;. A backslash at its end joins it with the next one. Words are "
             "separated by blanks, quotes hold them together, and a backslash escapes as in "
             "systemd.syntax(7).\n\n"
             "What systemd knows and brood does not enforce is told as a warning; --strict, or "
             "Strict=yes in [Brood], makes it an error. 'brood check' says what is wrong with a "
             "file, 'brood config show' what a configuration comes to.");
    print_items("Files", files);
    print_items("Sections", sections);
    print_items("Specifiers", specifiers);
    print_directives();
    man_section("Examples");
    man_literal("[Pool web]\n"
                "ExecStart=/srv/web/server\n"
                "Workers=auto\n"
                "ListenStream=80\n"
                "User=www-data\n"
                "Restart=always\n");
    man_section("See also");
    man_text("brood-up(1), brood-check(1), brood-config(1), brood-help(1), systemd.service(5), "
             "systemd.exec(5)");
}
