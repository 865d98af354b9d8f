/* SPDX-License-Identifier: MIT */

/* What a configuration comes to. */

#include <criterion/criterion.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/macro.h"
#include "conf_text.h"

static const struct conf_pool *only(const struct conf *conf) {
    cr_assert_eq(conf_n_pools(conf), 1);
    return conf_pool_at(conf, 0);
}

/* The words of a command, joined by "|". */
static const char *joined(const struct conf_command *command) {
    static char text[512];

    *text = '\0';
    for (const char *const *word = command->argv; *word; word++)
        strcat(strcat(text, *text ? "|" : ""), *word);
    return text;
}

static void expect_start(const char *text, const char *words) {
    struct conf *conf = conf_of(text);

    cr_assert_str_eq(joined(&only(conf)->start), words);
    conf_free(conf);
}

static void expect_message(const char *told, const char *part) {
    cr_assert_not_null(strstr(told, part), "'%s' is not in: %s", part, told);
}

Test(conf, defaults_are_broods_own)
{
    struct conf *conf = conf_of_pool("");
    const struct conf_pool *pool = only(conf);

    cr_assert_str_eq(pool->name, "p");
    cr_assert_eq(pool->workers, 1);
    cr_assert_eq(pool->surge, 1);
    cr_assert_eq(pool->type, CONF_TYPE_EXEC);
    cr_assert_eq(pool->rules.restart.mode, RESTART_ON_FAILURE);
    cr_assert_eq(pool->rules.stop_timeout, 10 * NSEC_PER_SEC);
    cr_assert_eq(pool->rules.stop_signal, SIGTERM);
    cr_assert_eq(pool->rules.start_timeout, 90 * NSEC_PER_SEC);
    cr_assert_eq(pool->rules.runtime_max, NSEC_NEVER);
    cr_assert_eq(pool->rules.max_restarts, UINT64_MAX);
    cr_assert_eq(pool->rules.start_limit.burst, 0);
    cr_assert(pool->rules.send_kill);
    cr_assert_not(pool->plan.clear_environment);
    cr_assert_eq(pool->plan.stdio[0].kind, STDIO_NULL);
    struct backoff_rules backoff = backoff_default();
    cr_assert_eq(memcmp(&pool->rules.backoff, &backoff, sizeof(backoff)), 0);
    conf_free(conf);
}

Test(conf, a_unit_has_systemds_defaults)
{
    struct conf *conf =
        conf_of_unit("web", "[Unit]\nAfter=network.target\n[Service]\nExecStart=/bin/true\n"
                            "[Install]\nWantedBy=multi-user.target\n");
    const struct conf_pool *pool = only(conf);

    cr_assert_str_eq(pool->name, "web");
    cr_assert(pool->is_service);
    cr_assert_eq(pool->rules.restart.mode, RESTART_NO);
    cr_assert_eq(pool->rules.stop_timeout, 90 * NSEC_PER_SEC);
    cr_assert_eq(pool->rules.start_limit.burst, 5);
    cr_assert_eq(pool->rules.start_limit.interval, 10 * NSEC_PER_SEC);
    cr_assert(exit_set_has(
        &pool->rules.restart.success, (struct cause){.kind = CAUSE_SIGNAL, .value = SIGTERM}));
    cr_assert(pool->plan.clear_environment);
    cr_assert(pool->plan.new_session);
    cr_assert_str_eq(pool->plan.directory, "/");
    cr_assert(pool->plan.has_umask && pool->plan.umask == 022);
    conf_free(conf);
}

Test(conf, a_oneshot_may_have_several_commands)
{
    struct conf *conf = conf_of_unit("once", "[Service]\nType=oneshot\nExecStartPre=/bin/true 0\n"
                                             "ExecStart=/bin/true 1\nExecStart=-/bin/true 2\n"
                                             "ExecStart=/bin/true 3 ; /bin/true 4\n");
    const struct conf_pool *pool = only(conf);

    cr_assert_eq(pool->rules.n_pre, 4);
    cr_assert_eq(pool->rules.pre_tolerated, 1 << 2);
    cr_assert_str_eq(joined(&pool->start), "/bin/true|4");
    cr_assert_eq(pool->rules.start_timeout, NSEC_NEVER);
    cr_assert(pool->rules.oneshot);
    conf_free(conf);
    expect_message(conf_messages_of_pool("ExecStart=/bin/false"), "only Type=oneshot may have");
    expect_message(conf_messages_of_pool("ExecStart="), "has no ExecStart=");
    expect_message(conf_messages_of_pool("Type=oneshot\nRestart=always"), "would never end");
}

Test(conf, later_wins_and_lists_add_and_reset)
{
    struct conf *conf = conf_of("[Defaults]\nEnvironment=A=1\nNice=3\nKillSignal=INT\n"
                                "[Pool p]\nExecStart=/bin/true\nEnvironment=B=2\nNice=4\nNice=5\n"
                                "KillSignal=\nUnsetEnvironment=X\nUnsetEnvironment=\n"
                                "UnsetEnvironment=Y\n");
    const struct conf_pool *pool = only(conf);

    cr_assert_eq(pool->plan.set_environment.count, 2);
    cr_assert_str_eq(pool->plan.set_environment.words[1], "B=2");
    cr_assert_eq(pool->plan.nice, 5);
    cr_assert_eq(pool->rules.stop_signal, SIGTERM, "an empty value is the default again");
    cr_assert_eq(pool->plan.unset_environment.count, 1);
    cr_assert_str_eq(pool->plan.unset_environment.words[0], "Y");
    conf_free(conf);
}

Test(conf, templates_are_made_into_instances)
{
    struct conf *conf = conf_of("[Pool t@]\nExecStart=/bin/echo %I %i %p\nInstances=a b-c\n"
                                "[Pool t@x]\nWorkers=3\n");

    cr_assert_eq(conf_n_pools(conf), 3);
    cr_assert_str_eq(joined(&conf_find_pool(conf, "t@b-c")->start), "/bin/echo|b/c|%i|t@b-c");
    cr_assert_eq(conf_find_pool(conf, "t@x")->workers, 3);
    cr_assert_str_eq(conf_find_pool(conf, "t@x")->instance, "x");
    conf_free(conf);

    conf = conf_of_unit("u@1", "[Service]\nExecStart=/bin/echo %i %p %n %%\n");
    cr_assert_str_eq(joined(&only(conf)->start), "/bin/echo|1|u|u@1|%%");
    conf_free(conf);
}

Test(conf, a_template_without_instances_is_looked_through)
{
    expect_message(conf_messages_of("[Pool t@]\nExecStart=/bin/true\nNice=x\n"),
        "t.conf:3: error: Nice=: expected a whole number from -20 to 19, not 'x'");
    cr_assert_str_eq(conf_messages_of("[Pool t@]\nExecStart=/bin/true %i\n"), "");
}

Test(conf, variables_are_put_in)
{
    expect_start("[Pool p]\nEnvironment=ONE=one 'TWO=two two'\n"
                 "ExecStart=/bin/echo $ONE $TWO ${TWO} x${ONE}y $$ONE a$ONE ${NOPE}\n",
        "/bin/echo|one|two|two|two two|xoney|$ONE|a$ONE|");
    expect_start("[Pool p]\nEnvironment=ONE='one' \"TWO='two two' too\" THREE=\n"
                 "ExecStart=/bin/echo $ONE $TWO $THREE\n",
        "/bin/echo|one|two two|too");
    expect_start("[Pool p]\nEnvironment=A=1\nExecStart=:/bin/echo $A ${A}\n", "/bin/echo|$A|${A}");
    expect_start("[Pool p]\nEnvironment=PORT=80%i 'Q=5%%'\nExecStart=/bin/echo ${PORT} $Q "
                 "$BROOD_WORKER $MAINPID\n",
        "/bin/echo|80%i|5%%|%i|%{MAINPID}");
}

Test(conf, inherited_variables_are_taken_as_they_are)
{
    setenv("CONF_TEST", "100%i", 1);
    expect_start("[Pool p]\nExecStart=/bin/echo $CONF_TEST\n", "/bin/echo|100%%i");
    expect_start("[Pool p]\nInheritEnvironment=no\nPassEnvironment=CONF_TEST\n"
                 "ExecStart=/bin/echo ${CONF_TEST}\n",
        "/bin/echo|100%%i");
    expect_message(conf_messages_of("[Pool p]\nInheritEnvironment=no\n"
                                    "ExecStart=/bin/echo $CONF_TEST\n"),
        "t.conf:3: warning: $CONF_TEST is not set");
}

static const char *value_of(const struct conf_pool *pool, const char *name) {
    const struct word_list *list = &pool->plan.set_environment;
    size_t length = strlen(name);

    for (size_t i = list->count; i-- > 0;)
        if (strncmp(list->words[i], name, length) == 0 && list->words[i][length] == '=')
            return list->words[i] + length + 1;
    return "(none)";
}

Test(conf, environment_files_win_and_are_read_as_systemd_reads_them)
{
    static const char content[] =
        "# comment\n; another\n\nA=file\nB = spaced out \n"
        "C=\"a \\\"b\\\" $c\"\nD='x\\y' z\nE=one \\\n  two\nF=\"l1\nl2\"\n"
        "export G=1\nH=50%\n";
    char path[] = "/tmp/brood-environment-XXXXXX", text[256];
    int fd = mkstemp(path);

    cr_assert_eq(write(fd, content, sizeof(content) - 1), (ssize_t)sizeof(content) - 1);
    snprintf(text, sizeof(text), "EnvironmentFile=%s\nEnvironment=A=own\nUser=root", path);
    struct conf *conf = conf_of_pool(text);
    const struct conf_pool *pool = only(conf);
    cr_assert_str_eq(value_of(pool, "A"), "file");
    cr_assert_str_eq(value_of(pool, "B"), "spaced out");
    cr_assert_str_eq(value_of(pool, "C"), "a \"b\" $c");
    cr_assert_str_eq(value_of(pool, "D"), "x\\y z");
    cr_assert_str_eq(value_of(pool, "E"), "one   two");
    cr_assert_str_eq(value_of(pool, "F"), "l1\nl2");
    cr_assert_str_eq(value_of(pool, "G"), "(none)");
    cr_assert_str_eq(value_of(pool, "H"), "50%%", "the plan makes one of two");
    cr_assert_str_eq(value_of(pool, "HOME"), "/root");
    conf_free(conf);
    expect_message(conf_messages_of_pool(text), ":12: warning: 'export G=1' is not NAME=VALUE");
    unlink(path);
    close(fd);
    expect_message(conf_messages_of_pool(text), "No such file or directory");
}

Test(conf, prefixes_of_commands)
{
    struct conf *conf = conf_of("[Pool p]\nExecStart=-:+@/bin/sh mysh -c $x \\; \n");
    const struct conf_pool *pool = only(conf);
    struct plan_spec spec = conf_pool_plan(pool, &pool->start);

    cr_assert_str_eq(joined(&pool->start), "mysh|-c|$x|;");
    cr_assert_str_eq(spec.program, "/bin/sh");
    cr_assert(pool->start.tolerated && pool->start.literal && pool->start.privileged);
    cr_assert(exit_set_has(
        &pool->rules.restart.success, (struct cause){.kind = CAUSE_EXIT, .value = 77}));
    conf_free(conf);
    expect_message(conf_messages_of_unit("u", "[Service]\nExecStart=bin/x\n"), "an absolute path");
    expect_message(conf_messages_of_pool("ExecReload=@/bin/true"), "the second word is the name");
}

Test(conf, a_privileged_command_keeps_broods_rights)
{
    struct conf *conf = conf_of_pool("User=nobody\nNoNewPrivileges=yes\nCapabilityBoundingSet=\n"
                                     "ExecStartPre=+/bin/true\nExecStartPre=!/bin/true\n");
    const struct conf_pool *pool = only(conf);
    struct plan_spec main_spec = conf_pool_plan(pool, &pool->start),
                     plus = conf_pool_plan(pool, &pool->pre.list[0]),
                     bang = conf_pool_plan(pool, &pool->pre.list[1]);

    cr_assert_str_eq(main_spec.user, "nobody");
    cr_assert_str_eq(main_spec.bounding_capabilities, "");
    cr_assert(!plus.user && !plus.bounding_capabilities && !plus.no_new_privileges);
    cr_assert(!bang.user && bang.bounding_capabilities && bang.no_new_privileges);
    conf_free(conf);
}

Test(conf, restart_delays)
{
    static const struct {
        const char *lines;
        nsec_t first, base, max;
        unsigned factor;
    } rows[] = {
        {"RestartSec=2s", 2 * NSEC_PER_SEC, 2 * NSEC_PER_SEC, 2 * NSEC_PER_SEC, 1000},
        {"RestartMaxDelaySec=1min", 0, 100 * NSEC_PER_MSEC, 60 * NSEC_PER_SEC, 2000},
        {"RestartSec=1s\nRestartMaxDelaySec=8s", NSEC_PER_SEC, NSEC_PER_SEC, 8 * NSEC_PER_SEC,
            2000},
        {"RestartSec=1s\nRestartMaxDelaySec=8s\nRestartSteps=3", NSEC_PER_SEC, 2 * NSEC_PER_SEC,
            8 * NSEC_PER_SEC, 2000},
        {"RestartSec=0", 0, 0, 0, 1000},
    };

    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        struct conf *conf = conf_of_pool(rows[i].lines);
        const struct backoff_rules *backoff = &only(conf)->rules.backoff;

        cr_assert_eq(backoff->first, rows[i].first, "%s", rows[i].lines);
        cr_assert_eq(backoff->base, rows[i].base, "%s", rows[i].lines);
        cr_assert_eq(backoff->max, rows[i].max, "%s", rows[i].lines);
        cr_assert_eq(backoff->factor_permille, rows[i].factor, "%s", rows[i].lines);
        conf_free(conf);
    }
    expect_message(
        conf_messages_of_pool("RestartSec=10s\nRestartMaxDelaySec=1s"), "is shorter than");
}

Test(conf, readiness_implies_who_is_listened_to)
{
    struct conf *conf = conf_of("[Pool a]\nExecStart=/bin/true\nType=notify\n"
                                "[Pool b]\nExecStart=/bin/true\nWatchdogSec=1s\n"
                                "[Pool c]\nExecStart=/bin/true\nNotifyDescriptor=5\n");

    cr_assert_eq(conf_find_pool(conf, "a")->notify_access, NOTIFY_MAIN);
    cr_assert_eq(conf_find_pool(conf, "b")->notify_access, NOTIFY_MAIN);
    cr_assert_eq(conf_find_pool(conf, "c")->notify_access, NOTIFY_NONE);
    cr_assert_eq(conf_find_pool(conf, "c")->type, CONF_TYPE_NOTIFY);
    conf_free(conf);
}

Test(conf, limits_have_the_units_of_the_kernel)
{
    struct conf *conf = conf_of_pool("LimitCPU=90s\nLimitRTTIME=5ms\nLimitNICE=-5\n"
                                     "LimitNOFILE=1K:infinity\nLimitCORE=0\n");
    const struct limit_spec *limits = only(conf)->plan.limits;

    cr_assert_eq(limits[RLIMIT_CPU].soft, 90);
    cr_assert_eq(limits[RLIMIT_RTTIME].soft, 5000);
    cr_assert_eq(limits[RLIMIT_NICE].soft, 25);
    cr_assert_eq(limits[RLIMIT_NOFILE].soft, 1024);
    cr_assert_eq(limits[RLIMIT_NOFILE].hard, RLIM_INFINITY);
    cr_assert(limits[RLIMIT_CORE].set && limits[RLIMIT_CORE].hard == 0);
    conf_free(conf);
}

Test(conf, what_is_wrong_is_said_with_the_nearest_word)
{
    static const struct {
        const char *text, *told;
    } rows[] = {
        {"[Pool p]\nExecStrat=/bin/true\n", "t.conf:2: error: unknown directive 'ExecStrat'; did "
                                            "you mean 'ExecStart'?"},
        {"[Polo p]\n", "unknown section [Polo p]; there are [Brood], [Defaults] and [Pool NAME]"},
        {"[Pool]\n", "did you mean [Pool NAME]?"},
        {"[pool web]\n", "did you mean [Pool NAME]?"},
        {"[Service]\n", "[Service] belongs in a file NAME.service"},
        {"[Brood]\nNice=1\n", "Nice= is about a pool: it belongs in [Pool NAME]"},
        {"[Pool p]\nExitWhenDone=yes\n", "ExitWhenDone= is about brood: it belongs in [Brood]"},
        {"Nice=1\n", "'Nice=' stands before the first [SECTION]"},
        {"[Pool a/b]\n", "'a/b' is no name for a pool"},
        {"[Pool p]\nnonsense\n", "t.conf:2: error: 'nonsense': expected KEY=VALUE"},
        {"[Pool p]\nUser=%i\n", "%i is known only when a worker starts"},
        {"[Pool p]\nUser=%y\n", "unknown specifier '%y'"},
        {"[Pool p]\nType=forking\n", "nginx: -g 'daemon off;'"},
        {"[Pool p]\nExecStart=/x\nOnDemand=yes\n", "OnDemand=yes without a socket"},
        {"[Pool p]\nExecStart=/x\nDynamicUser=yes\n", "give User="},
        {"[Pool p]\nExecStart=/x\nRootImage=/srv\n", "RootImage= is not supported"},
        {"[Pool p]\nExecStart=/x\nPrivateTmp=yes\n", "warning: PrivateTmp= is not enforced"},
        {"[Brood]\nStrict=yes\n[Pool p]\nExecStart=/x\nPrivateTmp=yes\n",
            "error: PrivateTmp= is not enforced"},
        {"[Defaults]\nNice=99\n", "t.conf:2: error: Nice=: expected"},
    };

    for (size_t i = 0; i < ELEMENTS(rows); i++)
        expect_message(conf_messages_of(rows[i].text), rows[i].told);
    cr_assert_str_eq(conf_messages_of_pool("PrivateTmp=no\nRemainAfterExit=yes\nX-Foo=1"), "");
    expect_message(conf_messages_of_unit("u", "[Unit]\nNice=1\n"), "Nice= belongs in [Service]");
    expect_message(conf_messages_of_unit("u", "[Pool x]\n"), "unknown section [Pool x]");
}

/* In raw, each worker has files of its own, whose names others could have. */
Test(conf, no_two_pools_mean_the_same_file)
{
    static const char both[] = "[Pool web]\nExecStart=/bin/true\nLogFormat=raw\n%s"
                               "[Pool web@%s]\nExecStart=/bin/true\n%s";
    static const struct {
        const char *name, *of_raw, *of_other;
        bool is_refused;
    } cases[] = {
        {"0.out", "", "", true},
        {"17.err", "LogDirectory=/a\n", "LogDirectory=/a\n", true},
        {"17.err", "LogDirectory=/a\n", "LogDirectory=/b\n", false},
        {"17.err", "", "LogDirectory=/b\n", false},
        {"0.out", "", "LogFormat=raw\n", false},
        {"0.out", "", "StandardOutput=null\nStandardError=null\n", false},
        {"0.outs", "", "", false},
        {".out", "", "", false},
        {"x.out", "", "", false},
        {"0@0.out", "", "", false},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char text[512], expected[512] = "";

        snprintf(text, sizeof(text), both, cases[i].of_raw, cases[i].name, cases[i].of_other);
        if (cases[i].is_refused)
            snprintf(expected, sizeof(expected),
                "t.conf:%d: error: web@%s.log is also what LogFormat=raw makes for pool 'web' "
                "(t.conf:1): another name or another LogDirectory= is needed\n",
                *cases[i].of_raw ? 5 : 4, cases[i].name);
        cr_assert_str_eq(conf_messages_of(text), expected, "%s", text);
    }
}

Test(conf, a_change_is_told_by_what_it_takes)
{
    static const struct {
        const char *before, *after;
        unsigned change;
    } rows[] = {
        {"", "", 0},
        {"Workers=1", "", 0},
        {"", "Workers=2", CONF_CHANGE_WORKERS},
        {"", "Restart=always\nTimeoutStopSec=1s", CONF_CHANGE_RULES},
        {"", "Nice=1\nWorkers=2", CONF_CHANGE_PROCESS | CONF_CHANGE_WORKERS},
        {"Environment=A=1", "Environment=A=2", CONF_CHANGE_PROCESS},
        {"", "ListenStream=80", CONF_CHANGE_PROCESS | CONF_CHANGE_SOCKETS},
        {"Environment=A=1 B=2", "Environment=A=1\nEnvironment=B=2", CONF_CHANGE_PROCESS},
    };

    for (size_t i = 0; i < ELEMENTS(rows); i++) {
        struct conf *before = conf_of_pool(rows[i].before), *after = conf_of_pool(rows[i].after);

        cr_assert_eq(conf_pool_compare(only(before), only(after)), rows[i].change, "'%s' → '%s'",
            rows[i].before, rows[i].after);
        conf_free(before);
        conf_free(after);
    }
}
