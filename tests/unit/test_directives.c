/* SPDX-License-Identifier: MIT */

/* Every row of the table: what it takes, what it refuses, and that it can be printed and read. */

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "conf/directive.h"
#include "conf/show.h"
#include "conf_text.h"

static const struct row {
    const char *name, *good, *bad; /* bad NULL: it takes any text */
} rows[] = {
    {"Workers", "4", "0"},
    {"Instances", "a b", "\"open"},
    {"Description", "A pool of 100 % wool", NULL},
    {"Type", "notify", "daemon"},
    {"ExecStart", "/bin/sleep %i \"a b\" $$x", "/bin/sleep 'open"},
    {"ExecStartPre", "-/bin/true", "/bin/"},
    {"ExecStartPost", "+/bin/true a", "@/bin/true"},
    {"ExecReload", ":/bin/kill -HUP $MAINPID", "'"},
    {"ExecStopPost", "!/bin/true", "'"},
    {"TimeoutStartSec", "1min 30s", "soon"},
    {"NotifyAccess", "all", "some"},
    {"NotifyDescriptor", "3", "2"},
    {"WatchdogSec", "500ms", "-1"},
    {"WatchdogSignal", "SIGQUIT", "SIGNOPE"},
    {"RuntimeMaxSec", "1h", "1 fortnight"},
    {"RuntimeRandomizedExtraSec", "5min", "x"},
    {"FileDescriptorStoreMax", "8", "-1"},
    {"Restart", "always", "sometimes"},
    {"RestartSec", "100ms", "x"},
    {"RestartSteps", "5", "x"},
    {"RestartMaxDelaySec", "1min", "x"},
    {"RestartJitter", "25%", "200%"},
    {"RestartResetSec", "10s", "x"},
    {"SuccessExitStatus", "75 SIGTERM TEMPFAIL", "256"},
    {"RestartPreventExitStatus", "1,2 SIGABRT", "NOPE"},
    {"RestartForceExitStatus", "3", "SIGNOPE"},
    {"MaxRestarts", "100", "many"},
    {"StartLimitBurst", "5", "x"},
    {"StartLimitIntervalSec", "1min", "x"},
    {"StartLimitAction", "exit", "reboot"},
    {"KillSignal", "QUIT", "0"},
    {"TimeoutStopSec", "infinity", "x"},
    {"KillMode", "mixed", "group"},
    {"FinalKillSignal", "SIGABRT", "x"},
    {"SendSIGKILL", "no", "maybe"},
    {"EndLeftovers", "yes", "perhaps"},
    {"RollingSurge", "2", "-1"},
    {"RecycleAfterSec", "1d", "x"},
    {"RecycleJitter", "5%", "x"},
    {"RecycleMemory", "512M", "big"},
    {"Environment", "A=1 \"B=2 3\"", "1A=2"},
    {"EnvironmentFile", "-/nonexistent/environment", "relative"},
    {"InheritEnvironment", "no", "x"},
    {"PassEnvironment", "PATH HOME", "'"},
    {"UnsetEnvironment", "LANG", "'"},
    {"User", "root", NULL},
    {"Group", "root", NULL},
    {"SupplementaryGroups", "root", "'"},
    {"CapabilityBoundingSet", "~CAP_SYS_ADMIN", "CAP_NOPE"},
    {"AmbientCapabilities", "CAP_NET_BIND_SERVICE", "CAP_NOPE"},
    {"NoNewPrivileges", "true", "x"},
    {"ParentDeathSignal", "TERM", "x"},
    {"WorkingDirectory", "/tmp", "relative"},
    {"RootDirectory", "/srv/%p", "srv"},
    {"StandardInput", "file:/dev/zero", "append:/x"},
    {"StandardOutput", "append:/tmp/%p.%i.log", "pipe"},
    {"StandardError", "null", "file:relative"},
    {"LogDirectory", "/var/log/%p", "relative"},
    {"LogFormat", "json", "xml"},
    {"LogMaxSize", "256K", "big"},
    {"LogMaxAgeSec", "1d", "x"},
    {"LogKeep", "10", "0"},
    {"LogKeepSize", "infinity", "x"},
    {"LogCompress", "no", "lz4"},
    {"LogMode", "0600", "9"},
    {"LogUser", "root", NULL},
    {"LogGroup", "root", NULL},
    {"LogOverflow", "drop", "wait"},
    {"LogBuffer", "128K", "1K"},
    {"LogLineMax", "4K", "1M"},
    {"LogRateLimitBurst", "100", "x"},
    {"LogRateLimitIntervalSec", "1s", "x"},
    {"SyslogIdentifier", "web", NULL},
    {"SyslogFacility", "local0", "local8"},
    {"SyslogLevel", "notice", "loud"},
    {"UMask", "027", "9"},
    {"RuntimeDirectory", "web web/cache", "/absolute"},
    {"RuntimeDirectoryMode", "0750", "rwx"},
    {"StateDirectory", "web", "../up"},
    {"StateDirectoryMode", "0750", "8"},
    {"CacheDirectory", "web", "a:b"},
    {"CacheDirectoryMode", "0750", "8"},
    {"LogsDirectory", "web", "/x"},
    {"LogsDirectoryMode", "0750", "8"},
    {"LimitAS", "1G", "x"},
    {"LimitCORE", "infinity", "x"},
    {"LimitCPU", "10min", "x"},
    {"LimitDATA", "1G", "x"},
    {"LimitFSIZE", "1G", "x"},
    {"LimitLOCKS", "10", "x"},
    {"LimitMEMLOCK", "64M", "x"},
    {"LimitMSGQUEUE", "1M", "x"},
    {"LimitNICE", "+5", "x"},
    {"LimitNOFILE", "1024:4096", "4096:1024"},
    {"LimitNPROC", "100", "x"},
    {"LimitRSS", "1G", "x"},
    {"LimitRTPRIO", "10", "x"},
    {"LimitRTTIME", "200ms", "x"},
    {"LimitSIGPENDING", "100", "x"},
    {"LimitSTACK", "8M", "x"},
    {"Nice", "-5", "20"},
    {"CPUAffinity", "0-1 3", "x"},
    {"OOMScoreAdjust", "-500", "1001"},
    {"IgnoreSIGPIPE", "no", "x"},
    {"Slice", "web.slice", NULL},
    {"Delegate", "yes", NULL},
    {"MemoryMax", "50%", "x"},
    {"MemoryHigh", "1.5G", "x"},
    {"MemorySwapMax", "0", "x"},
    {"MemoryLow", "10%", "x"},
    {"MemoryMin", "1M", "x"},
    {"TasksMax", "100", "x"},
    {"CPUWeight", "200", "0"},
    {"CPUQuota", "150%", "150"},
    {"IOWeight", "200", "10001"},
    {"Strict", "yes", "x"},
    {"LogLevel", "notice", "verbose"},
    {"LogFormat", "json", "xml"},
    {"LogTarget", "file:/var/log/brood.log", "file:relative"},
    {"ListenStream", "127.0.0.1:8080", "0"},
    {"ListenDatagram", "/run/web.sock", "host:80"},
    {"ListenSequentialPacket", "@web", "80"},
    {"Backlog", "128", "x"},
    {"ReusePort", "yes", "x"},
    {"FileDescriptorName", "http", NULL},
    {"SocketMode", "0600", "x"},
    {"SocketUser", "root", NULL},
    {"SocketGroup", "root", NULL},
    {"OnDemand", "no", "x"},
    {"ReadGroup", "root", NULL},
    {"ChangeGroup", "root", NULL},
    {"ExitWhenDone", "yes", "x"},
    {"NotifySocket", "/run/brood/notify", "relative"},
};

static const struct row *find_row(const char *name) {
    for (size_t i = 0; i < ELEMENTS(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

static const char *text_with(const struct conf_directive *directive, const char *value) {
    static char text[1024];
    bool is_start = strcmp(directive->name, "ExecStart") == 0;

    snprintf(text, sizeof(text), "[Pool p]\n%s[%s]\n%s=%s\n",
        is_start ? "" : "ExecStart=/bin/true\n",
        conf_directive_is_brood(directive) ? "Brood" : "Pool p", directive->name, value);
    return text;
}

Test(directives, each_takes_what_it_should_and_says_what_it_expects)
{
    const struct conf_directive *directive;

    for (size_t i = 0; (directive = conf_directive_at(i)); i++) {
        const struct row *row = find_row(directive->name);

        cr_assert_not_null(row, "%s has no test", directive->name);
        conf_free(conf_of(text_with(directive, row->good)));
        conf_free(
            conf_of(text_with(directive, strcmp(row->name, "ExecStart") == 0 ? row->good : "")));
        if (!row->bad)
            continue;
        const char *told = conf_messages_of(text_with(directive, row->bad));
        cr_assert_not_null(strstr(told, "error: "), "%s=%s", row->name, row->bad);
    }
}

Test(directives, each_default_is_one_that_it_takes)
{
    const struct conf_directive *directive;

    for (size_t i = 0; (directive = conf_directive_at(i)); i++)
        for (int service = 0; service < 2; service++) {
            const char *fallback = conf_directive_default(directive, service);

            if (fallback)
                conf_free(conf_of(text_with(directive, fallback)));
        }
}

Test(directives, each_says_what_it_is_for)
{
    const struct conf_directive *directive, *before = NULL;

    for (size_t i = 0; (directive = conf_directive_at(i)); i++) {
        size_t length = strlen(directive->help);

        cr_assert(length > 10 && directive->help[length - 1] == '.', "%s", directive->name);
        cr_assert_null(strchr(directive->help, '\n'), "%s", directive->name);
        cr_assert(!before || before->group <= directive->group, "%s", directive->name);
        cr_assert_eq((directive->read != NULL) + (directive->read_with != NULL), 1);
        cr_assert_eq(
            conf_directive_find(directive->name, conf_directive_is_brood(directive)), directive);
        before = directive;
    }
}

/* The text without its comments, which say where it comes from. */
static char *shown(const char *text) {
    struct conf *conf = conf_of(text);
    char *out = NULL, *line, *rest, *kept;
    size_t size;
    FILE *file = open_memstream(&out, &size);

    conf_show(conf, NULL, file);
    fclose(file);
    conf_free(conf);
    rest = out;
    kept = calloc(1, size + 2);
    while ((line = strsep(&rest, "\n")))
        if (*line != '#')
            strcat(strcat(kept, line), "\n");
    free(out);
    return kept;
}

Test(directives, what_is_shown_reads_back_the_same)
{
    const struct conf_directive *directive;

    for (size_t i = 0; (directive = conf_directive_at(i)); i++) {
        const struct row *row = find_row(directive->name);
        char *once = shown(text_with(directive, row->good)), *twice = shown(once);

        cr_assert_str_eq(once, twice);
        cr_assert(strstr(once, directive->name) || strcmp(row->name, "Instances") == 0, "%s", once);
        free(once);
        free(twice);
    }
}

Test(directives, the_nearest_word_is_found)
{
    cr_assert_str_eq(conf_directive_nearest("Restrat"), "Restart");
    cr_assert_str_eq(conf_directive_nearest("execstart"), "ExecStart");
    cr_assert_str_eq(conf_directive_nearest("KillSingal"), "KillSignal");
    cr_assert_null(conf_directive_nearest("Quux"));
}
