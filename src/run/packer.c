/* SPDX-License-Identifier: MIT */
#include "run/packer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logs/segment.h"
#include "sys/program.h"

#define STACK_SIZE (256 << 10)

struct job {
    struct job *next;
    char *directory, *name;
};

struct packer {
    pthread_t thread;
    bool has_thread, stopping, has_ended;
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_cond_t over; /* has_ended */
    struct job *first, *last;
    pid_t child; /* 0: none */
};

static int find_program(enum segment_packing *ret_packing, char **ret_program) {
    for (int packing = SEGMENT_PLAIN + 1; packing < SEGMENT_PACKING_MAX; packing++) {
        *ret_packing = (enum segment_packing)packing;
        if (program_find(segment_program(*ret_packing), NULL, NULL, ret_program) >= 0)
            return 0;
    }
    return -ENOENT;
}

/* The child's: standard input and output are the files, nothing is blocked or ignored. */
static int spawn_child(const char *program, int input, int output, pid_t *ret_pid) {
    char *arguments[] = {(char *)program, (char *)"-q", (char *)"-c", NULL};
    char *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int r = posix_spawn(ret_pid, program, &actions, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return -r;
}

static void make_idle(pid_t pid) {
    struct sched_param none = {0};

    sched_setscheduler(pid, SCHED_IDLE, &none);
}

/* From here on, who stops us knows whom to kill. */
static int begin_child(struct packer *packer, const char *program, int input, int output) {
    int r = -ECANCELED;

    pthread_mutex_lock(&packer->lock);
    if (!packer->stopping)
        r = spawn_child(program, input, output, &packer->child);
    pid_t child = r < 0 ? 0 : packer->child;
    packer->child = child;
    pthread_mutex_unlock(&packer->lock);
    if (child > 0)
        make_idle(child);
    return r < 0 ? r : child;
}

/* Looks first and reaps under the lock, so that the number that is killed is still the child's. */
static int await_child(struct packer *packer, pid_t child) {
    siginfo_t info;
    int status = -1;

    while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&packer->lock);
    packer->child = 0;
    if (waitpid(child, &status, 0) != child)
        status = -1;
    pthread_mutex_unlock(&packer->lock);
    return status == 0 ? 0 : -EIO;
}

static int run_program(struct packer *packer, const char *program, int input, int output) {
    int child = begin_child(packer, program, input, output);

    return child < 0 ? child : await_child(packer, child);
}

/* The copy belongs to whom the original belonged to, and is on the disk before that goes. */
static int complete(int input, int output) {
    struct stat status;

    if (fstat(input, &status) < 0 || fchmod(output, status.st_mode & 07777) < 0)
        return -errno;
    if (fchown(output, status.st_uid, status.st_gid) < 0 && errno != EPERM)
        return -errno;
    return fdatasync(output) < 0 ? -errno : 0;
}

/* Who keeps only so many may have removed it meanwhile: then its copy goes, too. */
static int check_still_there(int input) {
    struct stat status;

    if (fstat(input, &status) < 0)
        return -errno;
    return status.st_nlink > 0 ? 0 : -ENOENT;
}

static int pack_into(struct packer *packer, int directory, const char *program, int input,
    const char *part, const char *packed) {
    int output = openat(directory, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (output < 0)
        return -errno;
    int r = run_program(packer, program, input, output);
    if (r >= 0)
        r = complete(input, output);
    if (r >= 0)
        r = check_still_there(input);
    close(output);
    if (r >= 0 && renameat(directory, part, directory, packed) < 0)
        r = -errno;
    if (r < 0)
        unlinkat(directory, part, 0);
    return r;
}

/* Whatever else has such a name is not waited for, nor followed. */
static int open_regular(int directory, const char *file) {
    int fd = openat(directory, file, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
    struct stat status;

    if (fd < 0)
        return -errno;
    int r = fstat(fd, &status) < 0 ? -errno : S_ISREG(status.st_mode) ? 0 : -EINVAL;
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

static int pack(struct packer *packer, int directory, const char *file) {
    enum segment_packing packing;
    char packed[SEGMENT_NAME_MAX + 8], part[SEGMENT_NAME_MAX + 16];
    char *program;
    int r = find_program(&packing, &program);

    if (r < 0)
        return r;
    snprintf(packed, sizeof(packed), "%s%s", file, segment_suffix(packing));
    snprintf(part, sizeof(part), "%s%s", packed, SEGMENT_UNFINISHED);
    int input = open_regular(directory, file);
    r = input < 0 ? input : pack_into(packer, directory, program, input, part, packed);
    if (r >= 0)
        unlinkat(directory, file, 0);
    if (input >= 0)
        close(input);
    free(program);
    return r;
}

static bool has_finished_copy(const struct segment_list *list, size_t i) {
    return i + 1 < list->count && list->segments[i].packing == SEGMENT_PLAIN &&
           list->segments[i + 1].sequence == list->segments[i].sequence &&
           !list->segments[i + 1].unfinished;
}

/* What earlier compressions have left behind. */
static void clean(int directory, const struct segment_list *list) {
    for (size_t i = 0; i < list->count; i++)
        if (list->segments[i].unfinished || has_finished_copy(list, i))
            unlinkat(directory, list->segments[i].file, 0);
}

static bool is_stopping(struct packer *packer) {
    pthread_mutex_lock(&packer->lock);
    bool stopping = packer->stopping;
    pthread_mutex_unlock(&packer->lock);
    return stopping;
}

/* One pass over what is there; a file that cannot be compressed waits for the next one. */
static void pack_all(struct packer *packer, const struct job *job) {
    int directory = open(job->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct segment_list list;

    if (directory < 0)
        return;
    if (segment_list(directory, job->name, &list) >= 0) {
        clean(directory, &list);
        for (size_t i = 0; i < list.count && !is_stopping(packer); i++)
            if (list.segments[i].packing == SEGMENT_PLAIN && !list.segments[i].unfinished &&
                !has_finished_copy(&list, i))
                pack(packer, directory, list.segments[i].file);
        segment_list_finish(&list);
    }
    close(directory);
}

static void job_free(struct job *job) {
    free(job->directory);
    free(job->name);
    free(job);
}

static struct job *take_job(struct packer *packer) {
    struct job *job = packer->first;

    if (job)
        packer->first = job->next;
    if (!packer->first)
        packer->last = NULL;
    return job;
}

static void *packer_main(void *data) {
    struct packer *packer = data;

    pthread_mutex_lock(&packer->lock);
    while (!packer->stopping) {
        struct job *job = take_job(packer);

        if (!job) {
            pthread_cond_wait(&packer->work, &packer->lock);
            continue;
        }
        pthread_mutex_unlock(&packer->lock);
        pack_all(packer, job);
        job_free(job);
        pthread_mutex_lock(&packer->lock);
    }
    packer->has_ended = true;
    pthread_cond_signal(&packer->over);
    pthread_mutex_unlock(&packer->lock);
    return NULL;
}

/* Signals are for other threads. */
static int start_thread(struct packer *packer) {
    pthread_attr_t attributes;
    sigset_t all, before;

    if (packer->has_thread)
        return 0;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int r = pthread_create(&packer->thread, &attributes, packer_main, packer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    packer->has_thread = r == 0;
    return -r;
}

int packer_new(struct packer **ret_packer) {
    struct packer *packer = calloc(1, sizeof(*packer));
    pthread_condattr_t monotonic;

    if (!packer)
        return -ENOMEM;
    pthread_mutex_init(&packer->lock, NULL);
    pthread_cond_init(&packer->work, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&packer->over, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *ret_packer = packer;
    return 0;
}

static int job_new(const char *directory, const char *name, struct job **ret_job) {
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return -ENOMEM;
    job->directory = strdup(directory);
    job->name = strdup(name);
    if (!job->directory || !job->name) {
        job_free(job);
        return -ENOMEM;
    }
    *ret_job = job;
    return 0;
}

static bool is_waiting(const struct packer *packer, const char *directory, const char *name) {
    for (const struct job *job = packer->first; job; job = job->next)
        if (strcmp(job->directory, directory) == 0 && strcmp(job->name, name) == 0)
            return true;
    return false;
}

static int append(struct packer *packer, const char *directory, const char *name) {
    struct job *job;
    int r;

    if (is_waiting(packer, directory, name))
        return 0;
    r = job_new(directory, name, &job);
    if (r < 0)
        return r;
    if (packer->last)
        packer->last->next = job;
    else
        packer->first = job;
    packer->last = job;
    pthread_cond_signal(&packer->work);
    return 0;
}

int packer_put(struct packer *packer, const char *directory, const char *name) {
    enum segment_packing packing;
    char *program;
    int r = find_program(&packing, &program);

    if (r < 0)
        return r;
    free(program);
    pthread_mutex_lock(&packer->lock);
    r = start_thread(packer);
    if (r >= 0)
        r = append(packer, directory, name);
    pthread_mutex_unlock(&packer->lock);
    return r;
}

/* True when it has ended before the deadline. */
static bool stop(struct packer *packer, nsec_t deadline) {
    struct timespec until = {
        .tv_sec = (time_t)(deadline / NSEC_PER_SEC),
        .tv_nsec = (long)(deadline % NSEC_PER_SEC),
    };
    int r = 0;

    pthread_mutex_lock(&packer->lock);
    packer->stopping = true;
    if (packer->child > 0)
        kill(packer->child, SIGKILL);
    pthread_cond_signal(&packer->work);
    while (packer->has_thread && !packer->has_ended && r == 0)
        r = pthread_cond_timedwait(&packer->over, &packer->lock, &until);
    bool is_over = !packer->has_thread || packer->has_ended;
    pthread_mutex_unlock(&packer->lock);
    return is_over;
}

void packer_free(struct packer *packer, nsec_t deadline) {
    struct job *job;

    if (!packer)
        return;
    if (!stop(packer, deadline)) {
        pthread_detach(packer->thread);
        return;
    }
    if (packer->has_thread)
        pthread_join(packer->thread, NULL);
    while ((job = take_job(packer)))
        job_free(job);
    pthread_cond_destroy(&packer->over);
    pthread_cond_destroy(&packer->work);
    pthread_mutex_destroy(&packer->lock);
    free(packer);
}
