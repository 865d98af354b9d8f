/* SPDX-License-Identifier: MIT */
#include "run/child.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "sys/raw.h"

/* The kernel's own form of a signal action; the C library's differs. */
struct kernel_sigaction {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};

#define SIGNAL_BYTES 8

static void set_disposition(int signal, void (*handler)(int)) {
    struct kernel_sigaction action = {.handler = (void *)handler};

    raw(SYS_rt_sigaction, signal, &action, 0, SIGNAL_BYTES);
}

/* What is *ignored* would live on through exec; a handler would run in our parent's memory. */
static long reset_signals(const struct child *child) {
    for (uint64_t left = child->reset_signals; left != 0; left &= left - 1)
        set_disposition(__builtin_ctzll(left) + 1, SIG_DFL);
    if (child->plan->ignore_hangup)
        set_disposition(SIGHUP, SIG_IGN);
    return 0;
}

/* The highest number that is still needed, or 2. */
static int highest_needed(const struct child *child) {
    int highest = MAX(child->group, 2);

    for (size_t i = 0; i < child->rendered.n_descriptors; i++)
        highest = MAX(highest, child->rendered.descriptors[i].from);
    return highest;
}

static long close_files(const struct child *child) {
    if (child->unshare_files)
        return raw(SYS_close_range, highest_needed(child) + 1, UINT_MAX, CLOSE_RANGE_UNSHARE);
    if (!child->keep_files)
        raw(SYS_close_range, 3, UINT_MAX, CLOSE_RANGE_CLOEXEC);
    return 0;
}

static long enter_group(int group) {
    if (group < 0)
        return 0;
    long fd = raw(SYS_openat, group, "cgroup.procs", O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    long r = raw(SYS_write, fd, "0", 1);
    raw(SYS_close, fd);
    return MIN(r, 0L);
}

/* Closes all above standard error but what was passed, which is in order. */
static void close_others(const struct child *child) {
    int next = 3;

    for (size_t i = 0; i < child->rendered.n_descriptors; i++) {
        int to = child->rendered.descriptors[i].to;

        if (to > next)
            raw(SYS_close_range, next, to - 1, 0);
        next = MAX(next, to + 1);
    }
    raw(SYS_close_range, next, UINT_MAX, 0);
}

/* Whether a number that is given is also one that is still to be passed. */
static bool is_in_the_way(const struct child *child) {
    size_t count = child->rendered.n_descriptors;
    int last = child->rendered.descriptors[count - 1].to;

    for (size_t i = 0; i < count; i++)
        if (child->rendered.descriptors[i].from <= last)
            return true;
    return false;
}

static long move_away(struct child *child) {
    struct child_descriptor *descriptors = child->rendered.descriptors;
    size_t count = child->rendered.n_descriptors;
    int above = MAX(highest_needed(child), descriptors[count - 1].to) + 1;

    for (size_t i = 0; i < count; i++) {
        long fd = raw(SYS_fcntl, descriptors[i].from, F_DUPFD_CLOEXEC, above);

        child->fault.detail = descriptors[i].to;
        if (fd < 0)
            return fd;
        descriptors[i].from = (int)fd;
    }
    return 0;
}

/* First out of each other's way, then into place. */
static long pass_files(struct child *child) {
    struct child_descriptor *descriptors = child->rendered.descriptors;
    size_t count = child->rendered.n_descriptors;

    if (count == 0) {
        if (child->group >= 0)
            raw(SYS_close, child->group);
        return 0;
    }
    long moved = is_in_the_way(child) ? move_away(child) : 0;
    if (moved < 0)
        return moved;
    for (size_t i = 0; i < count; i++) {
        long r = raw(SYS_dup3, descriptors[i].from, descriptors[i].to, 0);

        child->fault.detail = descriptors[i].to;
        if (r < 0)
            return r;
    }
    if (child->unshare_files)
        close_others(child);
    return 0;
}

static int open_flags(enum stdio_kind kind, int target) {
    if (kind == STDIO_NULL)
        return O_RDWR;
    if (target == 0)
        return O_RDONLY;
    if (kind == STDIO_APPEND)
        return O_WRONLY | O_CREAT | O_APPEND;
    if (kind == STDIO_TRUNCATE)
        return O_WRONLY | O_CREAT | O_TRUNC;
    return O_WRONLY | O_CREAT;
}

static long open_stdio(const struct child *child, int target) {
    enum stdio_kind kind = child->plan->stdio[target];
    const char *path = kind == STDIO_NULL ? "/dev/null" : child->rendered.stdio_paths[target];

    if (kind == STDIO_INHERIT)
        return 0;
    if (target == 2 && child->plan->join_stderr)
        return MIN(raw(SYS_dup3, 1, 2, 0), 0L);
    long fd = raw(SYS_openat, AT_FDCWD, path, open_flags(kind, target) | O_NOCTTY, 0666);
    if (fd < 0 || fd == target)
        return MIN(fd, 0L);
    long r = raw(SYS_dup3, fd, target, 0);
    raw(SYS_close, fd);
    return MIN(r, 0L);
}

static long set_limits(struct child *child) {
    const struct plan *plan = child->plan;

    for (int i = 0; plan->n_limits > 0 && i < RLIM_NLIMITS; i++) {
        struct rlimit limit = {plan->limits[i].soft, plan->limits[i].hard};
        long r = plan->limits[i].set ? raw(SYS_prlimit64, 0, i, &limit, 0) : 0;

        if (r < 0) {
            child->fault.detail = i;
            return r;
        }
    }
    return 0;
}

static long set_oom_score(const struct plan *plan) {
    size_t length = 0;

    while (plan->oom_score[length] != '\0')
        length++;
    if (length == 0)
        return 0;
    long fd = raw(SYS_openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    long r = raw(SYS_write, fd, plan->oom_score, length);
    raw(SYS_close, fd);
    return MIN(r, 0L);
}

/* A capability that the kernel does not know (EINVAL) is not there to be dropped. */
static long drop_bounding(struct child *child) {
    for (int i = 0; child->plan->has_bounding && i < 64; i++) {
        if (child->plan->bounding >> i & 1)
            continue;
        long r = raw(SYS_prctl, PR_CAPBSET_DROP, i, 0, 0, 0);
        if (r == -EINVAL)
            break;
        if (r < 0) {
            child->fault.detail = i;
            return r;
        }
    }
    return 0;
}

/* Ambient capabilities must outlive the change of user: keep the permitted ones over it. */
static long set_uid(const struct plan *plan) {
    uid_t uid = plan->identity.uid;

    if (uid == (uid_t)-1)
        return 0;
    if (plan->ambient != 0) {
        long r = raw(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
        if (r < 0)
            return r;
    }
    return raw(SYS_setresuid, uid, uid, uid);
}

static long raise_ambient(struct child *child) {
    uint64_t wanted = child->plan->ambient;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    if (wanted == 0)
        return 0;
    long r = raw(SYS_capget, &header, data);
    for (int i = 0; r == 0 && i < 2; i++) {
        uint32_t half = (uint32_t)(wanted >> (32 * i));

        data[i].inheritable |= half;
        data[i].effective |= half & data[i].permitted;
    }
    r = r < 0 ? r : raw(SYS_capset, &header, data);
    for (int i = 0; r == 0 && i < 64; i++)
        if (wanted >> i & 1) {
            r = raw(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0);
            child->fault.detail = i;
        }
    return r;
}

/*
 * A signal that came for the child meanwhile takes effect here. One that dumps core must not: the
 * memory is still our parent's, and before Linux 5.16 the dump ends everybody who shares it.
 */
static void unblock_signals(void) {
    static const uint64_t dumping = 1 << (SIGQUIT - 1) | 1 << (SIGILL - 1) | 1 << (SIGTRAP - 1) |
                                    1 << (SIGABRT - 1) | 1 << (SIGBUS - 1) | 1 << (SIGFPE - 1) |
                                    1 << (SIGSEGV - 1) | 1 << (SIGXCPU - 1) | 1 << (SIGXFSZ - 1) |
                                    UINT64_C(1) << (SIGSYS - 1);
    uint64_t pending = 0, none = 0;

    raw(SYS_rt_sigpending, &pending, SIGNAL_BYTES);
    if (pending & dumping)
        raw(SYS_kill, raw(SYS_getpid), SIGKILL);
    raw(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, SIGNAL_BYTES);
}

/* Our parent may have died before we asked to be told: then it will never be told. */
static long set_parent_death_signal(const struct child *child) {
    if (child->plan->parent_death_signal == 0)
        return 0;
    long r = raw(SYS_prctl, PR_SET_PDEATHSIG, child->plan->parent_death_signal, 0, 0, 0);
    return r == 0 && child->parent != 0 && raw(SYS_getppid) != child->parent ? -ESRCH : r;
}

static void write_pid(char *place) {
    char digits[12];
    int n = 0;

    for (long pid = raw(SYS_getpid); pid > 0; pid /= 10)
        digits[n++] = (char)('0' + pid % 10);
    while (n > 0)
        *place++ = digits[--n];
    *place = '\0';
}

static void write_pids(const struct child *child) {
    for (int i = 0; i < PID_VARIABLES_MAX && child->rendered.pids[i]; i++)
        write_pid(child->rendered.pids[i]);
}

static long change_root(const struct child *child) {
    const char *root = child->rendered.root;
    long r = root ? raw(SYS_chroot, root) : 0;

    return root && r == 0 ? raw(SYS_chdir, "/") : r;
}

/* A text file without an interpreter line is a shell script, as execvp(3) has it. */
static long execute(struct child *child) {
    static const char shell[] = "/bin/sh";
    char **arguments = child->rendered.arguments, **environment = child->rendered.environment;
    long r = raw(SYS_execve, child->plan->program, arguments, environment);

    if (r != -ENOEXEC)
        return r;
    arguments[-1] = (char *)shell;
    arguments[0] = child->plan->program;
    return raw(SYS_execve, shell, arguments - 1, environment);
}

static bool failed(struct child *child, enum child_step step, long result) {
    if (result >= 0)
        return false;
    child->fault.step = step;
    child->fault.error = (int)-result;
    return true;
}

static bool open_streams(struct child *child) {
    return !failed(child, CHILD_STDIN, open_stdio(child, 0)) &&
           !failed(child, CHILD_STDOUT, open_stdio(child, 1)) &&
           !failed(child, CHILD_STDERR, open_stdio(child, 2));
}

/* True when all went well. Privileges are still those of the supervisor. */
static bool prepare(struct child *child) {
    const struct plan *plan = child->plan;

    if (failed(child, CHILD_FILES, close_files(child)) ||
        failed(child, CHILD_CONTROL_GROUP, enter_group(child->group)) ||
        failed(child, CHILD_PASS, pass_files(child)) ||
        failed(child, CHILD_SIGNALS, reset_signals(child)) ||
        failed(child, plan->new_session ? CHILD_SESSION : CHILD_GROUP,
            plan->new_session ? raw(SYS_setsid) : raw(SYS_setpgid, 0, 0)))
        return false;
    if (plan->has_umask)
        raw(SYS_umask, plan->umask);
    return (plan->stdio_as_user || open_streams(child)) &&
           !failed(child, CHILD_LIMITS, set_limits(child)) &&
           !failed(child, CHILD_NICE,
               plan->has_nice ? raw(SYS_setpriority, PRIO_PROCESS, 0, plan->nice) : 0) &&
           !failed(child, CHILD_CPUS,
               plan->has_cpus ? raw(SYS_sched_setaffinity, 0, sizeof(plan->cpus), &plan->cpus)
                              : 0) &&
           !failed(child, CHILD_OOM, set_oom_score(plan));
}

/* The way down from the supervisor's privileges; a change of user clears the death signal. */
static bool drop_privileges(struct child *child) {
    const struct plan *plan = child->plan;
    const struct identity *id = &plan->identity;

    return !failed(child, CHILD_ROOT, change_root(child)) &&
           !failed(child, CHILD_BOUNDING, drop_bounding(child)) &&
           !failed(child, CHILD_GROUPS,
               id->has_groups ? raw(SYS_setgroups, id->n_groups, id->groups) : 0) &&
           !failed(child, CHILD_GID,
               id->gid != (gid_t)-1 ? raw(SYS_setresgid, id->gid, id->gid, id->gid) : 0) &&
           !failed(child, CHILD_UID, set_uid(plan)) &&
           !failed(child, CHILD_AMBIENT, raise_ambient(child)) &&
           !failed(child, CHILD_NO_NEW_PRIVS,
               plan->no_new_privileges ? raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) : 0) &&
           !failed(child, CHILD_PARENT_DEATH, set_parent_death_signal(child)) &&
           (!plan->stdio_as_user || open_streams(child));
}

void child_become(struct child *child) {
    const char *directory = child->rendered.directory;

    if (!prepare(child) || !drop_privileges(child) ||
        failed(child, CHILD_DIRECTORY, directory ? raw(SYS_chdir, directory) : 0))
        return;
    write_pids(child);
    unblock_signals();
    failed(child, CHILD_EXEC, execute(child));
}

int child_exit_status(struct child_fault fault) {
    return fault.step == CHILD_EXEC && fault.error == ENOENT ? 127 : 126;
}

int child_main(void *argument) {
    struct child *child = argument;

    child_become(child);
    return child_exit_status(child->fault);
}
