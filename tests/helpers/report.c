/* SPDX-License-Identifier: MIT */

/* What a process can say of itself, as one line of JSON: the tests read from inside the worker
 * what brood promised on its command line. */

#include "names.h"
#include "worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void put_string(FILE *out, const char *text, size_t length) {
    fputc('"', out);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = text[i];
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void put_words(FILE *out, const char *key, int count, char **list) {
    fprintf(out, ",\"%s\":[", key);
    for (int i = 0; i < count; i++) {
        fputs(i > 0 ? "," : "", out);
        put_string(out, list[i], strlen(list[i]));
    }
    fputc(']', out);
}

static void put_environment(FILE *out) {
    int count = 0;

    while (environ[count])
        count++;
    put_words(out, "environ", count, environ);
}

/* Every open descriptor: what it is, its open flags and whether it closes on exec. */
static void put_descriptors(FILE *out) {
    DIR *directory = opendir("/proc/self/fd");
    const char *comma = "";

    if (!directory)
        fail("open /proc/self/fd: %s", strerror(errno));
    fputs(",\"fds\":{", out);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char target[512];
        int fd = atoi(entry->d_name);

        if (entry->d_name[0] == '.' || fd == dirfd(directory))
            continue;
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target));
        fprintf(out, "%s\"%d\":{\"flags\":%d,\"target\":", comma, fd, fcntl(fd, F_GETFL));
        put_string(out, target, length < 0 ? 0 : length);
        fputc('}', out);
        comma = ",";
    }
    fputc('}', out);
    closedir(directory);
}

/* The lines of /proc/self/status that say what no call tells: SigBlk, SigIgn, Cap…, NoNewPrivs. */
static void put_status(FILE *out) {
    FILE *status = fopen("/proc/self/status", "re");
    char line[4096];
    const char *comma = "";

    if (!status)
        fail("open /proc/self/status: %s", strerror(errno));
    fputs(",\"status\":{", out);
    while (fgets(line, sizeof(line), status)) {
        char *value = strchr(line, ':');
        if (!value)
            continue;
        *value++ = '\0';
        value += strspn(value, "\t ");
        fprintf(out, "%s\"%s\":", comma, line);
        put_string(out, value, strcspn(value, "\n"));
        comma = ",";
    }
    fputc('}', out);
    fclose(status);
}

static void put_number(FILE *out, rlim_t value) {
    if (value == RLIM_INFINITY)
        fputs("\"infinity\"", out);
    else
        fprintf(out, "%llu", (unsigned long long)value);
}

static void put_limits(FILE *out) {
    fputs(",\"limits\":{", out);
    for (size_t i = 0; limit_names[i].name; i++) {
        struct rlimit limit = {0};

        getrlimit(limit_names[i].resource, &limit);
        fprintf(out, "%s\"%s\":[", i > 0 ? "," : "", limit_names[i].name);
        put_number(out, limit.rlim_cur);
        fputc(',', out);
        put_number(out, limit.rlim_max);
        fputc(']', out);
    }
    fputc('}', out);
}

static void put_groups(FILE *out) {
    gid_t groups[64];
    int count = getgroups(64, groups);

    fputs(",\"groups\":[", out);
    for (int i = 0; i < count; i++)
        fprintf(out, "%s%u", i > 0 ? "," : "", groups[i]);
    fputc(']', out);
}

static void put_cpus(FILE *out) {
    cpu_set_t set;
    const char *comma = "";

    sched_getaffinity(0, sizeof(set), &set);
    fputs(",\"cpus\":[", out);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set)) {
            fprintf(out, "%s%d", comma, i);
            comma = ",";
        }
    fputc(']', out);
}

static void put_scalars(FILE *out) {
    mode_t mask = umask(0);
    int death_signal = 0;
    int oom_score = 0;
    FILE *oom = fopen("/proc/self/oom_score_adj", "re");

    umask(mask);
    prctl(PR_GET_PDEATHSIG, &death_signal);
    if (!oom || fscanf(oom, "%d", &oom_score) != 1)
        fail("cannot read oom_score_adj");
    fclose(oom);
    fprintf(out, "\"pid\":%d,\"ppid\":%d,\"pgid\":%d,\"sid\":%d", getpid(), getppid(), getpgid(0),
        getsid(0));
    fprintf(out, ",\"uid\":%u,\"euid\":%u,\"gid\":%u,\"egid\":%u", getuid(), geteuid(), getgid(),
        getegid());
    fprintf(out, ",\"umask\":%u,\"nice\":%d,\"oom_score\":%d,\"death_signal\":%d", mask, nice(0),
        oom_score, death_signal);
}

/* One report after another, however long: a FIFO alone keeps only 4096 bytes together. */
static void append_whole(const char *path, const char *text, size_t length) {
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        fail("open %s: %s", path, strerror(errno));
    while (length > 0) {
        ssize_t done = write(fd, text, length);
        if (done < 0)
            fail("write %s: %s", path, strerror(errno));
        text += done;
        length -= (size_t)done;
    }
    close(fd);
}

void report_write(const char *path, int argc, char **argv) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    char *directory = getcwd(NULL, 0);

    if (!out)
        fail("report: %s", strerror(errno));
    fputc('{', out);
    put_scalars(out);
    fputs(",\"cwd\":", out);
    put_string(out, directory ? directory : "", directory ? strlen(directory) : 0);
    put_groups(out);
    put_cpus(out);
    put_limits(out);
    put_status(out);
    put_descriptors(out);
    put_environment(out);
    put_words(out, "argv", argc, argv);
    fputs("}\n", out);
    fclose(out);
    append_whole(path, text, length);
    free(text);
    free(directory);
}
