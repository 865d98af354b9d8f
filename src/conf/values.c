/* SPDX-License-Identifier: MIT */

/* Values that stand for themselves: numbers, times, sizes, one word out of a few. */

#include "conf/values.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/signame.h"
#include "base/text.h"
#include "conf/readers.h"
#include "sys/cpu.h"

#define WORKERS_MAX    1000000
#define WEIGHT_MAX     10000
#define DESCRIPTOR_MAX 1023

static int find_word(const char *const *words, size_t count, const char *text) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i], text) == 0)
            return (int)i;
    return -EINVAL;
}

int value_bool(const char *text, void *field) {
    static const char *const words[] = {
        "no", "yes", "false", "true", "off", "on", "0", "1", "n", "y", "f", "t"};

    for (size_t i = 0; i < ELEMENTS(words); i++)
        if (strcasecmp(words[i], text) == 0) {
            *(bool *)field = i % 2 == 1;
            return 0;
        }
    return -EINVAL;
}

static int read_u32(const char *text, uint32_t min, uint32_t max, void *field) {
    uint64_t value;
    int r = text_parse_u64(text, min, max, &value);

    if (r == 0)
        *(uint32_t *)field = (uint32_t)value;
    return r;
}

int value_count(const char *text, void *field) {
    return read_u32(text, 0, UINT32_MAX - 1, field);
}

int value_workers(const char *text, void *field) {
    if (strcmp(text, "auto") == 0) {
        *(uint32_t *)field = cpu_usable();
        return 0;
    }
    return read_u32(text, 1, WORKERS_MAX, field);
}

int value_restarts(const char *text, void *field) {
    if (strcmp(text, "infinity") == 0) {
        *(uint64_t *)field = UINT64_MAX;
        return 0;
    }
    return read_count(text, field);
}

int value_timeout(const char *text, void *field) {
    nsec_t *timeout = field;
    int r = text_parse_duration(text, timeout);

    if (r == 0 && *timeout == 0)
        *timeout = NSEC_NEVER;
    return r;
}

int value_given_time(const char *text, void *field) {
    struct given_time *time = field;
    int r = text_parse_duration(text, &time->value);

    time->given |= r == 0;
    return r;
}

int value_permille(const char *text, void *field) {
    return text_parse_permille(text, 1000, field);
}

int value_mode(const char *text, void *field) {
    unsigned mode;
    int r = text_parse_mode(text, &mode);

    if (r == 0)
        *(mode_t *)field = (mode_t)mode;
    return r;
}

int value_signal(const char *text, void *field) {
    return signame_parse(text, field);
}

/* Names of exit statuses, those of sysexits.h and of LSB. */
static int find_status(const char *name) {
    static const struct {
        const char *name;
        int status;
    } statuses[] = {{"SUCCESS", EXIT_SUCCESS}, {"FAILURE", EXIT_FAILURE}, {"INVALIDARGUMENT", 2},
        {"NOTIMPLEMENTED", 3}, {"NOPERMISSION", 4}, {"NOTINSTALLED", 5}, {"NOTCONFIGURED", 6},
        {"NOTRUNNING", 7}, {"USAGE", EX_USAGE}, {"DATAERR", EX_DATAERR}, {"NOINPUT", EX_NOINPUT},
        {"NOUSER", EX_NOUSER}, {"NOHOST", EX_NOHOST}, {"UNAVAILABLE", EX_UNAVAILABLE},
        {"SOFTWARE", EX_SOFTWARE}, {"OSERR", EX_OSERR}, {"OSFILE", EX_OSFILE},
        {"CANTCREAT", EX_CANTCREAT}, {"IOERR", EX_IOERR}, {"TEMPFAIL", EX_TEMPFAIL},
        {"PROTOCOL", EX_PROTOCOL}, {"NOPERM", EX_NOPERM}, {"CONFIG", EX_CONFIG}};

    for (size_t i = 0; i < ELEMENTS(statuses); i++)
        if (strcmp(statuses[i].name, name) == 0)
            return statuses[i].status;
    return -EINVAL;
}

int value_exits(const char *text, void *field) {
    struct exit_set set = *(struct exit_set *)field;
    char item[32];
    int r;

    while ((r = text_next_item(&text, item, sizeof(item))) > 0) {
        int status = find_status(item);

        if (status >= 0)
            exit_set_add_status(&set, (unsigned)status);
        else if (exit_set_parse(item, &set) < 0)
            return -EINVAL;
    }
    if (r == 0)
        *(struct exit_set *)field = set;
    return r;
}

int value_bytes(const char *text, void *field) {
    uint64_t *bytes = field;
    size_t length = strlen(text);
    unsigned permille;

    if (strcmp(text, "infinity") == 0) {
        *bytes = UINT64_MAX;
        return 0;
    }
    if (length == 0 || text[length - 1] != '%')
        return text_parse_size(text, bytes);
    if (text_parse_permille(text, 1000, &permille) < 0)
        return -EINVAL;
    *bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) / 1000 * permille * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

static int read_weight(const char *text, void *field) {
    return text_parse_u64(text, 1, WEIGHT_MAX, field);
}

static int read_quota(const char *text, void *field) {
    unsigned permille;
    size_t length = strlen(text);

    if (length == 0 || text[length - 1] != '%' ||
        text_parse_permille(text, UINT32_MAX, &permille) < 0 || permille == 0)
        return -EINVAL;
    *(uint64_t *)field = permille;
    return 0;
}

/* Which limit it is says the directive's name; "infinity" is none. */
int value_group_limit(struct conf_reader *reader, const char *text, void *field) {
    static const struct {
        const char *name;
        enum cgroup_limit limit;
        int (*read)(const char *text, void *field);
    } limits[] = {
        {"MemoryMax", CGROUP_LIMIT_MEMORY_MAX, value_bytes},
        {"MemoryHigh", CGROUP_LIMIT_MEMORY_HIGH, value_bytes},
        {"MemorySwapMax", CGROUP_LIMIT_MEMORY_SWAP_MAX, value_bytes},
        {"MemoryLow", CGROUP_LIMIT_MEMORY_LOW, value_bytes},
        {"MemoryMin", CGROUP_LIMIT_MEMORY_MIN, value_bytes},
        {"TasksMax", CGROUP_LIMIT_TASKS_MAX, value_restarts},
        {"CPUWeight", CGROUP_LIMIT_CPU_WEIGHT, read_weight},
        {"CPUQuota", CGROUP_LIMIT_CPU_QUOTA, read_quota},
        {"IOWeight", CGROUP_LIMIT_IO_WEIGHT, read_weight},
    };
    struct cgroup_limits *all = field;
    size_t i = 0;

    while (strcmp(limits[i].name, reader->directive->name) != 0)
        i++;
    int r = limits[i].read(text, &all->values[limits[i].limit]);
    if (r == 0 && all->values[limits[i].limit] != UINT64_MAX)
        all->set |= 1u << limits[i].limit;
    return r;
}

int value_notify_socket(const char *text, void *field) {
    bool is_abstract = strcmp(text, "abstract") == 0;

    *(const char **)field = is_abstract ? NULL : text;
    return is_abstract || *text == '/' ? 0 : -EINVAL;
}

/* There is no directory that a path in a configuration could begin in. */
int value_log_target(const char *text, void *field) {
    struct given_target target;
    int r = read_log_target(text, &target);

    if (r == 0 && target.value.path && *target.value.path != '/')
        r = -EINVAL;
    if (r == 0)
        *(struct given_target *)field = target;
    return r;
}

int value_descriptor(const char *text, void *field) {
    return read_u32(text, 3, DESCRIPTOR_MAX, field);
}

int value_restart_mode(const char *text, void *field) {
    return restart_mode_parse(text, field);
}

int value_limit_action(const char *text, void *field) {
    return limit_action_parse(strcmp(text, "none") == 0 ? "give-up" : text, field);
}

int value_kill_mode(const char *text, void *field) {
    static const char *const words[CONF_KILL_MAX] = {
#define X(name, word) [CONF_KILL_##name] = word,
        CONF_KILL_MODES(X)
#undef X
    };
    int found = find_word(words, CONF_KILL_MAX, text);

    if (found >= 0)
        *(enum conf_kill_mode *)field = (enum conf_kill_mode)found;
    return MIN(found, 0);
}

int value_notify_access(const char *text, void *field) {
    return notify_access_parse(text, field);
}

/* What systemd has besides, and what comes nearest to it. */
static int nearest_type(struct conf_reader *reader, const char *text, enum conf_type *type) {
    if (strcmp(text, "idle") == 0) {
        *type = CONF_TYPE_SIMPLE;
        return 0;
    }
    if (strcmp(text, "notify-reload") == 0) {
        *type = CONF_TYPE_NOTIFY;
        return conf_warn(reader,
            "Type=notify-reload is taken as notify; give ExecReload= if it is to be reloaded");
    }
    if (strcmp(text, "dbus") == 0) {
        *type = CONF_TYPE_EXEC;
        return conf_warn(reader,
            "Type=dbus is taken as exec: ready when the program runs, not when it has its name");
    }
    if (strcmp(text, "forking") == 0)
        return conf_complain(reader,
            "Type=forking is not supported: start the program in the foreground (its option for "
            "that is often -f, -D, -F, --foreground, --no-daemon; nginx: -g 'daemon off;') and use "
            "Type=exec, or notify where it can");
    return -EINVAL;
}

int value_type(struct conf_reader *reader, const char *text, void *field) {
    static const char *const words[CONF_TYPE_MAX] = {
#define X(name, word) [CONF_TYPE_##name] = word,
        CONF_TYPES(X)
#undef X
    };
    int found = find_word(words, CONF_TYPE_MAX, text);

    if (found < 0)
        return nearest_type(reader, text, field);
    *(enum conf_type *)field = (enum conf_type)found;
    return 0;
}

int value_umask(const char *text, void *field) {
    struct plan_spec *spec = field;
    struct given_mode mode;
    int r = read_mode(text, &mode);

    if (r < 0)
        return r;
    spec->has_umask = true;
    spec->umask = mode.value;
    return 0;
}

int value_nice(const char *text, void *field) {
    struct plan_spec *spec = field;
    struct given_integer nice;
    int r = read_nice(text, &nice);

    if (r < 0)
        return r;
    spec->has_nice = true;
    spec->nice = nice.value;
    return 0;
}

int value_oom_score(const char *text, void *field) {
    struct plan_spec *spec = field;
    struct given_integer score;
    int r = read_oom_score(text, &score);

    if (r < 0)
        return r;
    spec->has_oom_score = true;
    spec->oom_score = score.value;
    return 0;
}
