/* SPDX-License-Identifier: MIT */

/* Runs a command and makes chosen system calls of it fail, or wait, at chosen occurrences.
 *
 *   inject [--log FILE] [--children] --fault CALL=ERROR@N[xCOUNT] … -- CMD ARG…
 *   inject --fault clone3=EAGAIN@3 --fault openat=EMFILE@1x2 -- brood run -- sleep 9
 *   inject --children --fault execve=delay:1000@5 -- brood run -n 4 -- sleep 9
 *
 * Only calls of the command's own process count (all its threads, none of its children), with
 * --children only those of its descendants. The N-th call is the first that is touched; COUNT of
 * them are (1, or * for all from there on). Calls that the dynamic linker or a sanitizer makes for
 * itself neither count nor fail: they are not the program's.
 *
 * A seccomp filter hands the chosen calls to this program (SECCOMP_RET_USER_NOTIF), which lets them
 * go on or answers in the kernel's place. FILE gets "target PID" when the command has begun,
 * "injected CALL N ERROR" for each touched call, and "total CALL N" for each fault at the end.
 * The exit status is the command's own; a signal that killed it kills this program, too. */

#include "names.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_FAULTS  32
#define MOST_DELAYED 64
#define MOST_RANGES  256

struct fault {
    const char *call;
    long number;
    const char *what; /* the error's name or "delay" */
    int error;        /* 0 for a delay */
    long delay_ms;
    long first;
    long count;
    long seen;
};

/* A piece of executable memory, and whether calls from there are nobody's business. */
struct range {
    unsigned long start;
    unsigned long end;
    bool foreign;
};

struct delayed {
    __u64 id;
    long long due_ms;
};

/* How the child hands over its listener: no system call, since any of them may be filtered. */
struct handover {
    _Atomic int listener;
    _Atomic int taken;
};

struct injector {
    struct fault faults[MOST_FAULTS];
    int fault_count;
    struct range ranges[MOST_RANGES];
    int range_count;
    struct delayed delayed[MOST_DELAYED];
    int delayed_count;
    bool children;
    bool begun;
    pid_t target;
    int listener;
    FILE *log;
};

static long long now_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* "CALL=ERROR@N", "CALL=ERROR@NxCOUNT", "CALL=delay:MS@N…" */
static struct fault fault_parse(char *text) {
    struct fault fault = {.first = 1, .count = 1};
    char *what = strchr(text, '=');
    char *when = what ? strchr(what, '@') : NULL;
    char *count = when ? strchr(when, 'x') : NULL;

    if (!what || !when)
        fail("'%s' is not CALL=ERROR@N", text);
    *what++ = '\0';
    *when++ = '\0';
    if (count) {
        *count++ = '\0';
        fault.count = strcmp(count, "*") == 0 ? LONG_MAX / 2 : number(count);
    }
    fault.call = text;
    fault.number = syscall_number(text);
    fault.first = number(when);
    fault.what = what;
    if (strncmp(what, "delay:", 6) == 0)
        fault.delay_ms = number(what + 6);
    else
        fault.error = error_number(what);
    return fault;
}

static int filter_install(const struct injector *injector) {
    struct sock_filter code[2 * MOST_FAULTS + 2];
    struct sock_fprog program = {.filter = code};
    unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;

    code[program.len++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < injector->fault_count; i++) {
        code[program.len++] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, (unsigned)injector->faults[i].number, 0, 1);
        code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    }
    code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (listener < 0 && errno == EACCES) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    }
    return listener < 0 ? -errno : (int)listener;
}

static void run_command(const struct injector *injector, struct handover *handover, char **argv) {
    int listener = filter_install(injector);

    atomic_store(&handover->listener, listener);
    if (listener < 0)
        _exit(99);
    while (!atomic_load(&handover->taken))
        ;
    execvp(argv[0], argv);
    fail("exec %s: %s", argv[0], strerror(errno));
}

static void start_command(struct injector *injector, char **argv) {
    struct handover *handover =
        mmap(NULL, sizeof(*handover), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (handover == MAP_FAILED)
        fail("mmap: %s", strerror(errno));
    injector->target = fork();
    if (injector->target < 0)
        fail("fork: %s", strerror(errno));
    if (injector->target == 0)
        run_command(injector, handover, argv);

    int theirs;
    while ((theirs = atomic_load(&handover->listener)) == 0)
        sched_yield();
    if (theirs < 0)
        fail("seccomp: %s", strerror(-theirs));
    int pidfd = (int)syscall(SYS_pidfd_open, injector->target, 0);
    injector->listener = (int)syscall(SYS_pidfd_getfd, pidfd, theirs, 0);
    if (injector->listener < 0)
        fail("pidfd_getfd: %s", strerror(errno));
    close(pidfd);
    atomic_store(&handover->taken, 1);
}

/* The target's memory map: what belongs to the linker and to sanitizers is foreign. */
static void ranges_load(struct injector *injector) {
    static const char *const foreign[] = {"/ld-linux", "/libasan.", "/libubsan.", "/libtsan."};
    char path[64], line[512], mode[8];
    FILE *maps;

    snprintf(path, sizeof(path), "/proc/%d/maps", injector->target);
    injector->range_count = 0;
    maps = fopen(path, "re");
    while (maps && fgets(line, sizeof(line), maps) && injector->range_count < MOST_RANGES) {
        struct range range = {0};
        if (sscanf(line, "%lx-%lx %7s", &range.start, &range.end, mode) != 3 || mode[2] != 'x')
            continue;
        for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
            range.foreign |= strstr(line, foreign[i]) != NULL;
        injector->ranges[injector->range_count++] = range;
    }
    if (maps)
        fclose(maps);
}

static const struct range *range_find(const struct injector *injector, unsigned long address) {
    for (int i = 0; i < injector->range_count; i++)
        if (address >= injector->ranges[i].start && address < injector->ranges[i].end)
            return &injector->ranges[i];
    return NULL;
}

static bool from_foreign_code(struct injector *injector, unsigned long address) {
    const struct range *range = range_find(injector, address);

    if (!range) {
        ranges_load(injector);
        range = range_find(injector, address);
    }
    return range && range->foreign;
}

/* The command has begun when the child no longer runs this program. */
static bool has_begun(struct injector *injector) {
    char path[64], ours[PATH_MAX], theirs[PATH_MAX];

    if (injector->begun)
        return true;
    snprintf(path, sizeof(path), "/proc/%d/exe", injector->target);
    ssize_t our_length = readlink("/proc/self/exe", ours, sizeof(ours));
    ssize_t their_length = readlink(path, theirs, sizeof(theirs));
    injector->begun = their_length > 0 &&
                      (their_length != our_length || memcmp(ours, theirs, (size_t)our_length) != 0);
    return injector->begun;
}

static bool is_thread_of_target(const struct injector *injector, pid_t thread) {
    char path[64];

    if (thread == injector->target)
        return true;
    snprintf(path, sizeof(path), "/proc/%d/task/%d", injector->target, thread);
    return access(path, F_OK) == 0;
}

static bool concerns_us(struct injector *injector, const struct seccomp_notif *call) {
    if (!has_begun(injector))
        return false;
    bool own = is_thread_of_target(injector, (pid_t)call->pid);
    if (injector->children)
        return !own;
    return own && !from_foreign_code(injector, call->data.instruction_pointer);
}

/* Counts the call for every fault that names it; the one that hits, if any. */
static const struct fault *fault_for(struct injector *injector, const struct seccomp_notif *call) {
    const struct fault *hit = NULL;

    if (!concerns_us(injector, call))
        return NULL;
    for (int i = 0; i < injector->fault_count; i++) {
        struct fault *fault = &injector->faults[i];
        if (fault->number != call->data.nr)
            continue;
        fault->seen++;
        if (fault->seen >= fault->first && fault->seen - fault->first < fault->count)
            hit = fault;
    }
    if (hit)
        fprintf(injector->log, "injected %s %ld %s\n", hit->call, hit->seen, hit->what);
    return hit;
}

static void answer(const struct injector *injector, __u64 id, int error) {
    struct seccomp_notif_resp response = {.id = id, .error = -error};

    if (error == 0)
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    /* ENOENT: the caller is gone, or a signal took it out of the call. */
    if (ioctl(injector->listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0 && errno != ENOENT)
        fail("answer: %s", strerror(errno));
}

static void serve_call(struct injector *injector) {
    struct seccomp_notif call = {0};

    if (ioctl(injector->listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
        return;
    const struct fault *fault = fault_for(injector, &call);
    if (!fault || fault->error != 0) {
        answer(injector, call.id, fault ? fault->error : 0);
        return;
    }
    if (injector->delayed_count == MOST_DELAYED)
        fail("too many delayed calls");
    injector->delayed[injector->delayed_count++] =
        (struct delayed){.id = call.id, .due_ms = now_ms() + fault->delay_ms};
}

/* Lets go what has waited long enough; milliseconds to the next one, -1 for none. */
static int serve_delayed(struct injector *injector) {
    long long now = now_ms();
    long long next = -1;

    for (int i = 0; i < injector->delayed_count;) {
        long long wait = injector->delayed[i].due_ms - now;
        if (wait <= 0) {
            answer(injector, injector->delayed[i].id, 0);
            injector->delayed[i] = injector->delayed[--injector->delayed_count];
            continue;
        }
        next = next < 0 || wait < next ? wait : next;
        i++;
    }
    return (int)next;
}

/* Serves calls until the command has ended. */
static int serve(struct injector *injector) {
    int pidfd = (int)syscall(SYS_pidfd_open, injector->target, 0);
    struct pollfd fds[] = {
        {.fd = injector->listener, .events = POLLIN},
        {.fd = pidfd, .events = POLLIN},
    };
    int status;

    for (;;) {
        if (poll(fds, 2, serve_delayed(injector)) < 0 && errno != EINTR)
            fail("poll: %s", strerror(errno));
        if (fds[0].revents & POLLIN)
            serve_call(injector);
        if (fds[1].revents & POLLIN)
            break;
    }
    while (waitpid(injector->target, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static char **parse_arguments(struct injector *injector, int argc, char **argv) {
    int i = 1;

    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--children") == 0) {
            injector->children = true;
        } else if (strcmp(argv[i], "--log") == 0 && i + 1 < argc) {
            injector->log = fopen(argv[++i], "ae");
        } else if (strcmp(argv[i], "--fault") == 0 && i + 1 < argc) {
            if (injector->fault_count == MOST_FAULTS)
                fail("too many faults");
            injector->faults[injector->fault_count++] = fault_parse(argv[++i]);
        } else {
            fail("inject: unknown argument '%s'", argv[i]);
        }
    }
    if (i + 1 >= argc || !injector->log)
        fail("inject: no command, or no log");
    setvbuf(injector->log, NULL, _IOLBF, 0);
    return argv + i + 1;
}

int main(int argc, char **argv) {
    struct injector injector = {.log = stderr};
    char **command = parse_arguments(&injector, argc, argv);

    start_command(&injector, command);
    fprintf(injector.log, "target %d\n", injector.target);
    int status = serve(&injector);
    for (int i = 0; i < injector.fault_count; i++)
        fprintf(injector.log, "total %s %ld\n", injector.faults[i].call, injector.faults[i].seen);
    fclose(injector.log);
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}
