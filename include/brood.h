/* SPDX-License-Identifier: MIT */
#ifndef BROOD_H
#define BROOD_H

/*
 * libbrood: daemons, pre-forked workers and supervised processes for C and C++ programs on Linux.
 *
 *     brood_daemonize()         this program becomes a daemon
 *     brood_fork_processes()    this program becomes N copies of itself, kept alive
 *     brood_supervisor_new()    this program keeps other programs alive, from its own event loop
 *
 * Rules that hold everywhere:
 *  - 0 or a positive number is success, a negative number is an errno value, negated. Only what is
 *    said to be so is written on failure.
 *  - Option structs begin with `size`, which the caller sets to sizeof; a field that is zero or
 * NULL means the default. A newer library takes an older program's smaller struct; an older library
 *    refuses a larger one with -E2BIG where it holds something it does not know (the rule of
 *    clone3(2) and openat2(2)), and one that is too small to be any with -EINVAL.
 *  - Times are nanoseconds (BROOD_SECONDS(10)), BROOD_NEVER is no limit, and 1 is as good as at
 *    once, since 0 means the default.
 *  - Strings and arrays are copied before a function returns, unless it says otherwise.
 *  - The library writes nothing to any stream. Where it ends a process, it says so below.
 *
 * Needs Linux 5.4 (pidfd_open(2), waitid(2) with P_PIDFD); uses what newer kernels add where they
 * allow it: clone3 and close_range, io_uring.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BROOD_PUBLIC __attribute__((visibility("default")))

#define BROOD_NEVER           UINT64_MAX
#define BROOD_SECONDS(n)      ((uint64_t)(n)*UINT64_C(1000000000))
#define BROOD_MILLISECONDS(n) ((uint64_t)(n)*UINT64_C(1000000))

/* Returned in the process that called, where others return in its children. Above any task id. */
#define BROOD_PARENT 0x7fffffff

/* Every pool, every CPU, no worker in particular. */
#define BROOD_ALL 0xffffffffu

/* A standard stream. */
enum brood_stdio_kind {
    BROOD_STDIO_DEFAULT = 0,
    BROOD_STDIO_INHERIT = 1,
    BROOD_STDIO_NULL = 2,     /* /dev/null */
    BROOD_STDIO_FILE = 3,     /* `path`: read for stdin, else written from its start, created */
    BROOD_STDIO_APPEND = 4,   /* `path`: created where it is missing; not for stdin */
    BROOD_STDIO_TRUNCATE = 5, /* `path`: created where it is missing; not for stdin */
};

struct brood_stdio {
    int kind; /* enum brood_stdio_kind */
    const char *path;
};

/* ---------------------------------------------------------------------------------------------
 * Events: what brood_fork_processes_with() and supervisors tell their callback.
 */

enum brood_event_kind {
    BROOD_EVENT_STARTED = 1,        /* pid, generation */
    BROOD_EVENT_READY = 2,          /* the process is known to run its program */
    BROOD_EVENT_EXITED = 3,         /* cause, exit_status, ran */
    BROOD_EVENT_SPAWN_FAILED = 4,   /* cause: no process could be made; it is tried again */
    BROOD_EVENT_BACKOFF = 5,        /* delay until the restart */
    BROOD_EVENT_STOPPING = 6,       /* the stop signal is sent */
    BROOD_EVENT_KILLING = 7,        /* SIGKILL is sent; reason */
    BROOD_EVENT_STOPPED = 8,        /* a stop, or the stop of a restart by hand, is complete */
    BROOD_EVENT_DONE = 9,           /* ended cleanly, no restart; cause, reason */
    BROOD_EVENT_GIVEN_UP = 10,      /* ended otherwise, no restart; cause, reason */
    BROOD_EVENT_LEFTOVER = 11,      /* SIGKILL did not end it; detail names the processes */
    BROOD_EVENT_RESTART_LIMIT = 12, /* max_restarts are used up */
    BROOD_EVENT_ROLLING = 13,       /* a rolling restart begins */
    BROOD_EVENT_ROLL_DONE = 14,
    BROOD_EVENT_ROLL_FAILED = 15, /* a worker did not come back; the others are left alone */
    BROOD_EVENT_ENDED = 16,       /* no worker of the pool is alive */
    BROOD_EVENT_RELOADED = 17,
    BROOD_EVENT_RELOAD_FAILED = 18, /* cause */
    BROOD_EVENT_REPLACING = 19,     /* a worker is to have a new process; reason */
    BROOD_EVENT_SCALED = 20,        /* the pool has another number of workers */
    BROOD_EVENT_UNHEARD = 21,       /* a notification does not count; reason */
};

/* The library's, and everything it points to: good for the time of the call. */
struct brood_event {
    size_t size; /* what this library has filled */
    int kind;    /* enum brood_event_kind; there may be more of them in a newer library */
    unsigned pool_number;
    const char *pool;
    unsigned worker;     /* BROOD_ALL: the event is about the pool */
    unsigned generation; /* 1, 2, …: the worker's how many-th process */
    pid_t pid;           /* 0: none */
    int exit_status;     /* as a shell has it: the status, 128 + signal, 126, 127 */
    const char *cause;  /* "exit status 1", "killed by SIGSEGV", "exec /x: Permission denied"; "" */
    const char *reason; /* why this was decided; "" */
    const char *detail; /* what else there is to say; "" */
    uint64_t ran;       /* how long the process lived */
    uint64_t delay;     /* until the restart */
};

/*
 * Told of each event. It must return soon, and must not fork, longjmp, or end the thread. In it,
 * a supervisor's commands may be called: they take effect once what is under way is complete.
 */
typedef void (*brood_event_fn)(void *data, const struct brood_event *event);

/* "started", "exited", … as in brood's log; "unknown". Static memory. */
BROOD_PUBLIC const char *brood_event_name(int kind);

/* ---------------------------------------------------------------------------------------------
 * Becoming a daemon.
 */

struct brood_daemon;

enum brood_daemon_flags {
    BROOD_DAEMON_KEEP_FDS = 1 << 0,     /* close nothing but what is redirected */
    BROOD_DAEMON_KEEP_SIGNALS = 1 << 1, /* keep handlers, ignored signals and the mask */
    BROOD_DAEMON_UMASK = 1 << 2,        /* `umask` counts */
};

struct brood_daemon_options {
    size_t size;
    unsigned flags;              /* enum brood_daemon_flags */
    const char *pidfile;         /* relative to the directory of now; NULL: none */
    const char *directory;       /* NULL: "/"; "." stays */
    mode_t umask;                /* without BROOD_DAEMON_UMASK: 022 */
    struct brood_stdio stdio[3]; /* default: /dev/null */
    const int *kept_fds;         /* descriptors that stay open */
    size_t n_kept_fds;
    uint64_t ready_timeout; /* default: 30 s */
};

/* Exit statuses of brood_daemon_status(); brood_daemon_fail() may add the program's own. */
enum brood_daemon_status {
    BROOD_DAEMON_READY = 0,
    BROOD_DAEMON_NOT_READY = 1, /* ended before it was ready, or was not ready in time */
    BROOD_DAEMON_RUNNING = 3,   /* a live process holds the pidfile */
    BROOD_DAEMON_FAILED = 125,  /* could not be set up: a directory, a file, … */
};

/*
 * Turns the calling program into a daemon, as daemon(7) describes it for SysV daemons: fork,
 * setsid, fork, then in the daemon umask, pidfile, standard streams, working directory, and all
 * other descriptors closed. Nothing of the terminal is left, and none can be got again.
 *
 *     struct brood_daemon *daemon;
 *     int r = brood_daemonize(NULL, &daemon);
 *     if (r < 0) …it could not begin: this is still the one process that there was
 *     if (r == BROOD_PARENT) {
 *         fputs(brood_daemon_message(daemon), stderr);
 *         exit(brood_daemon_status(daemon));
 *     }
 *     …bind sockets, read files…
 *     brood_daemon_ready(daemon);
 *
 * Returns 0 in the daemon; and BROOD_PARENT in the original process, once the daemon has said that
 * it is ready or once that has failed. A daemon that fails, ends, or is not ready in time is ended
 * (SIGTERM, 5 s later SIGKILL, to its process group), so failure leaves nothing behind. If the
 * original process dies while it waits (Ctrl-C), the same happens.
 *
 * The pidfile holds "PID\n", is made in one step and carries a POSIX record lock (fcntl(2)) of the
 * daemon: that lock says who runs, never the number. Never open and close that file in the daemon:
 * closing any descriptor of it gives the lock up.
 *
 * Output in stdio buffers is flushed first, so that it is not written twice.
 *
 * `options` may be NULL. Errors, with no process made: -EBUSY: there is more than one thread, and
 * fork(2) would take their locks along without them; -EINVAL, -E2BIG: the options; -EMFILE,
 * -ENFILE, -EAGAIN, -ENOMEM. To be released with brood_daemon_free(), in both processes.
 */
BROOD_PUBLIC int brood_daemonize(
    const struct brood_daemon_options *options, struct brood_daemon **ret_daemon);

/*
 * In the daemon: it is ready, the original process may end. -EPIPE: nobody waits any more (it has
 * been told already, or is gone).
 */
BROOD_PUBLIC int brood_daemon_ready(struct brood_daemon *daemon);

/*
 * In the daemon: it cannot start. Removes the pidfile, and tells the original process `status`
 * (1 … 255, else 125) and one line of text. The caller shall then exit. -EPIPE as above.
 */
BROOD_PUBLIC int brood_daemon_fail(struct brood_daemon *daemon, int status, const char *message);

/* In the original process: the exit status to end with. In the daemon 0. */
BROOD_PUBLIC int brood_daemon_status(const struct brood_daemon *daemon);

/* In the original process: one line without its end, "" when the daemon is ready. Lives as long as
 * `daemon`. */
BROOD_PUBLIC const char *brood_daemon_message(const struct brood_daemon *daemon);

/*
 * In the original process: the daemon's pid, or that of the one that runs already; 0: unknown. In
 * the daemon its own.
 */
BROOD_PUBLIC pid_t brood_daemon_pid(const struct brood_daemon *daemon);

/*
 * In the daemon, when it ends: removes the pidfile. A parent that still waits hears that it ended
 * too early. In the original process, and in forks of the daemon: only releases memory and
 * descriptors. Accepts NULL; returns NULL.
 */
BROOD_PUBLIC struct brood_daemon *brood_daemon_free(struct brood_daemon *daemon);

/* ---------------------------------------------------------------------------------------------
 * Pre-forking: this program, N times.
 */

/*
 * Forks `count` task processes and keeps them alive, with the semantics of Tornado's
 * tornado.process.fork_processes():
 *
 *  - count ≤ 0: as many as there are usable CPUs (affinity mask and cgroup quota).
 *  - Returns in each child, with its task id: 0 … count−1.
 *  - A child that ends abnormally (a signal, a status other than 0) is restarted under the same id,
 *    by a fresh fork of the parent. One that exits with 0 is not.
 *  - At most max_restarts restarts over all children (negative: 100). The next abnormal end makes
 *    the parent give up.
 *  - Once every child has exited with 0, the parent calls exit(0). It does not return into the code
 *    that was meant for children.
 *  - Children stay in the parent's process group, so Ctrl-C reaches them all, and have no
 *    parent-death signal.
 *
 * Better than there:
 *  - Giving up first stops the other children (SIGTERM, after 10 s SIGKILL), then returns
 *    -ENOTRECOVERABLE in the parent. Tornado raises and leaves them orphaned.
 *  - The first restart is at once; from the second failure in a row on there is a growing delay
 *    (100 ms, doubling, to 10 s; a run of 1 s or more starts over). Tornado restarts without pause.
 *  - SIGTERM, SIGINT, SIGQUIT and SIGHUP to the parent stop the children in the same way; a second
 *    one kills them. The parent then dies by that signal, with the default action restored. What
 * the caller ignores stays ignored.
 *  - A fork that the system refuses (EAGAIN, ENOMEM, EMFILE) is tried again with backoff.
 *
 * In the child, everything of the parent's is undone: signal mask and dispositions are those of the
 * caller, no descriptor is left of the parent's, stdio was flushed before the fork. What a task
 * forks itself is its own affair.
 *
 * So code after the call is for children, and for failure:
 *
 *     int id = brood_fork_processes(0, -1);
 *     if (id < 0) …failure…
 *     …task `id`…
 *
 * Errors, before any child is made: -EBUSY: there is more than one thread (see fork(2)); -EALREADY:
 * this is a task already; -ECHILD: SIGCHLD is ignored or has SA_NOCLDWAIT, so that the kernel would
 * throw exit statuses away (waitpid(2)); -ERANGE: count is above 1000000; -EMFILE, -ENFILE,
 * -ENOMEM.
 */
BROOD_PUBLIC int brood_fork_processes(int count, int max_restarts);

enum brood_fork_flags {
    BROOD_FORK_RETURN = 1 << 0,      /* the parent returns where it would end the process */
    BROOD_FORK_NO_RESTARTS = 1 << 1, /* the first abnormal end makes the parent give up */
};

struct brood_fork_options {
    size_t size;
    unsigned flags;      /* enum brood_fork_flags */
    int count;           /* ≤ 0: usable CPUs */
    int max_restarts;    /* ≤ 0: 100 */
    const char *backoff; /* "none", "100ms..10s", "base=…,factor=…,max=…,jitter=…,reset=…" */
    int stop_signal;     /* default: SIGTERM */
    uint64_t stop_timeout;   /* default: 10 s; then SIGKILL */
    int parent_death_signal; /* sent to each child when the parent dies (prctl(2)); 0: none */
    brood_event_fn on_event; /* called in the parent; its event's pool is "task" */
    void *data;
    int *ret_signal; /* with BROOD_FORK_RETURN and -EINTR: by which signal; may be NULL */
};

/*
 * brood_fork_processes() in detail. With BROOD_FORK_RETURN the parent returns BROOD_PARENT when
 * every child has exited with 0, and -EINTR when it was stopped by a signal, which it then leaves
 * to the caller. Further errors: -EINVAL, -E2BIG: the options.
 */
BROOD_PUBLIC int brood_fork_processes_with(const struct brood_fork_options *options);

/* The task id in a task process and whatever it forks; -1 elsewhere. */
BROOD_PUBLIC int brood_task_id(void);

/* ---------------------------------------------------------------------------------------------
 * The supervisor: pools of other programs, kept alive from the caller's event loop.
 *
 *     brood_supervisor_new(NULL, &supervisor);
 *     brood_supervisor_add_pool(supervisor, &pool_options, NULL);
 *     brood_supervisor_start(supervisor, BROOD_ALL);
 *     …whenever brood_supervisor_fd() is readable: brood_supervisor_dispatch()…
 *
 * A supervisor belongs to the thread that created it: every call on it comes from there, and that
 * thread must outlive it, for workers are that thread's children. The process may have other
 * threads, and other supervisors. In a forked child it is refused with -ECHILD by all but
 * brood_supervisor_free(), which then touches no process.
 *
 * It installs no signal handlers, blocks no signals, and waits for none but its own workers, each
 * through a pidfd. In return the program must neither ignore SIGCHLD nor take the workers' exits
 * with wait(-1): an exit that was taken counts as a failure ("exit status taken by another wait").
 *
 * "Stopped" means that the worker's whole process group is gone, and whatever else is found below
 * it. What leaves the group and the session *and* loses its parent is not found: for that a process
 * must adopt orphans (`brood run` does).
 */

struct brood_supervisor;

enum brood_loop {
    BROOD_LOOP_AUTO = 0, /* io_uring where it is allowed, else epoll */
    BROOD_LOOP_URING = 1,
    BROOD_LOOP_EPOLL = 2,
};

struct brood_supervisor_options {
    size_t size;
    int loop; /* enum brood_loop */
    brood_event_fn on_event;
    void *data;
};

/*
 * Makes a supervisor without pools. `options` may be NULL. Errors: -EINVAL, -E2BIG: the options;
 * -ECHILD: SIGCHLD is ignored (waitpid(2)); -EMFILE, -ENFILE, -ENOMEM; with BROOD_LOOP_URING
 * whatever refuses it, -ENOSYS or -EPERM.
 */
BROOD_PUBLIC int brood_supervisor_new(
    const struct brood_supervisor_options *options, struct brood_supervisor **ret_supervisor);

/*
 * Ends it, and leaves nothing running: what still does gets SIGKILL, with its tree, and is waited
 * for; that takes milliseconds, and at most 20 s for what the kernel does not let die. To end
 * gracefully, stop first and dispatch until it has ended. Accepts NULL. Returns NULL; from its own
 * callback it refuses, and returns `supervisor`.
 */
BROOD_PUBLIC struct brood_supervisor *brood_supervisor_free(struct brood_supervisor *supervisor);

enum brood_restart {
    BROOD_RESTART_ON_FAILURE = 0, /* anything but a clean exit */
    BROOD_RESTART_NO = 1,
    BROOD_RESTART_ON_ABNORMAL = 2, /* signals; an exit status is final */
    BROOD_RESTART_ALWAYS = 3,
};

enum brood_limit_action {
    BROOD_LIMIT_GIVE_UP = 0,  /* of this worker */
    BROOD_LIMIT_STOP = 1,     /* the pool is stopped */
    BROOD_LIMIT_STOP_ALL = 2, /* every pool is stopped */
};

enum brood_pool_flags {
    BROOD_POOL_LITERAL = 1 << 0,      /* no placeholders */
    BROOD_POOL_CLEAR_ENV = 1 << 1,    /* do not inherit the environment */
    BROOD_POOL_SESSION = 1 << 2,      /* a session of its own (else a process group) */
    BROOD_POOL_KILL_PROCESS = 1 << 3, /* the stop signal goes to the process, not to its group */
    BROOD_POOL_NO_NEW_PRIVS = 1 << 4, /* prctl(2), PR_SET_NO_NEW_PRIVS */
    BROOD_POOL_NO_RESTARTS = 1 << 5,  /* as max_restarts, with none allowed */
    BROOD_POOL_UMASK = 1 << 6,        /* `umask` counts */
    BROOD_POOL_NICE = 1 << 7,         /* `nice` counts */
    BROOD_POOL_OOM_SCORE = 1 << 8,    /* `oom_score` counts */
};

/* setrlimit(2): RLIMIT_NOFILE, …; UINT64_MAX is RLIM_INFINITY. */
struct brood_limit {
    int resource;
    uint64_t soft, hard;
};

/*
 * In arguments, environment values, directory and paths %i is the worker's number, %w how many
 * there are, %p the pool, %g the generation, %% a percent sign; any other %x stays. The same is in
 * the environment as BROOD_WORKER, BROOD_WORKERS, BROOD_POOL and BROOD_GENERATION.
 */
struct brood_pool_options {
    size_t size;
    unsigned flags;          /* enum brood_pool_flags */
    unsigned workers;        /* 0: one; BROOD_ALL: one for each usable CPU */
    const char *name;        /* NULL: the command's file name; its own in the supervisor */
    const char *const *argv; /* ended by NULL; argv[0] is looked up along PATH now */

    int restart;              /* enum brood_restart */
    const char *success_exit; /* clean ends besides 0: "75,SIGTERM" */
    const char *prevent_exit; /* ends that are never restarted */
    const char *backoff; /* "none", "100ms..10s", "base=…,factor=…,max=…,jitter=…,reset=…" */
    const char *start_limit; /* "5/10s": at most 5 starts of a worker in 10 s; NULL: no limit */
    int start_limit_action;  /* enum brood_limit_action */
    uint64_t max_restarts;   /* of the whole pool, which is then stopped; 0: no limit */

    int stop_signal;       /* default: SIGTERM */
    uint64_t stop_timeout; /* default: 10 s; then SIGKILL to the tree */

    const char *const *env;       /* NAME=VALUE, ended by NULL: set after all others */
    const char *const *unset_env; /* names, ended by NULL */
    const char *const *env_files; /* files of NAME=VALUE lines, ended by NULL */

    const char *directory;
    struct brood_stdio stdio[3]; /* default: stdin /dev/null, the others inherited */
    mode_t umask;

    const char *user;          /* name or number, as the next two */
    const char *group;         /* default: the user's */
    const char *groups;        /* "adm,4"; default: the user's */
    const char *bounding_caps; /* capabilities(7): "net_bind_service,sys_nice"; NULL: untouched */
    const char *ambient_caps;

    const struct brood_limit *limits;
    size_t n_limits;
    int nice;
    int oom_score;        /* proc(5), oom_score_adj: −1000 … 1000 */
    const unsigned *cpus; /* CPU numbers; NULL: untouched */
    size_t n_cpus;
    int parent_death_signal; /* when the thread of the supervisor ends; 0: none (prctl(2)) */
};

/*
 * Adds a pool; none of its workers runs yet. `ret_pool`, which may be NULL, is its number: 0, 1, …
 * On failure brood_supervisor_error() has a line for people. Errors: -EINVAL: an option; -ENOENT:
 * no such command, user, or file; -EACCES: the command cannot be executed; -EEXIST: there is a pool
 * of that name; -EBUSY: called from the callback; -ENOMEM.
 */
BROOD_PUBLIC int brood_supervisor_add_pool(struct brood_supervisor *supervisor,
    const struct brood_pool_options *options, unsigned *ret_pool);

/* What the last failed brood_supervisor_add_pool() says: "exec wbe: command not found…"; "". */
BROOD_PUBLIC const char *brood_supervisor_error(const struct brood_supervisor *supervisor);

/*
 * The descriptor to wait for: readable when brood_supervisor_dispatch() has something to do,
 * timers included. The supervisor's: only to be polled (poll(2), epoll(7), level-triggered).
 */
BROOD_PUBLIC int brood_supervisor_fd(struct brood_supervisor *supervisor);

/*
 * Does what there is to do, calls the callback, and never waits. To be called when the descriptor
 * is readable; at any other time it does nothing. -EBUSY: called from the callback.
 */
BROOD_PUBLIC int brood_supervisor_dispatch(struct brood_supervisor *supervisor);

/*
 * Commands to each worker of a pool, or of BROOD_ALL pools. All return at once; dispatching does
 * the rest. -EINVAL: no such pool or signal; -ENOMEM: from the callback only.
 *
 * start: those that do not run; also what was given up or backs off. Forgets earlier failures.
 * stop: the stop signal, and SIGKILL to the tree after the timeout.
 * kill: SIGKILL to the tree now.
 * restart: all at once, each as by stop and start. None of these counts as a failure.
 * roll: one after another; each must be up before the next one is touched.
 * signal: to the worker's process, whatever it makes of it.
 */
BROOD_PUBLIC int brood_supervisor_start(struct brood_supervisor *supervisor, unsigned pool);
BROOD_PUBLIC int brood_supervisor_stop(struct brood_supervisor *supervisor, unsigned pool);
BROOD_PUBLIC int brood_supervisor_kill(struct brood_supervisor *supervisor, unsigned pool);
BROOD_PUBLIC int brood_supervisor_restart(struct brood_supervisor *supervisor, unsigned pool);
BROOD_PUBLIC int brood_supervisor_roll(struct brood_supervisor *supervisor, unsigned pool);
BROOD_PUBLIC int brood_supervisor_signal(
    struct brood_supervisor *supervisor, unsigned pool, int signal);

/* 1 when no worker of the pool, or of BROOD_ALL pools, is alive or will be by itself; else 0. */
BROOD_PUBLIC int brood_supervisor_ended(const struct brood_supervisor *supervisor, unsigned pool);

/*
 * What an ended pool amounts to, as the exit status of `brood run`: 0 every worker ended cleanly,
 * or was stopped without SIGKILL; a single worker's own status; 1 some did not; 3 max_restarts used
 * up. Of BROOD_ALL the first that is not 0. -EBUSY: some worker is alive.
 */
BROOD_PUBLIC int brood_supervisor_exit_status(
    const struct brood_supervisor *supervisor, unsigned pool);

/* How many workers a pool, or all pools, have. */
BROOD_PUBLIC int brood_supervisor_workers(const struct brood_supervisor *supervisor, unsigned pool);

struct brood_worker_info {
    size_t size;         /* set by the caller; what lies beyond it is not filled */
    const char *state;   /* stopped, starting, ready, stopping, killing, draining, backing-off,
                            done, failed; static memory */
    int alive;           /* 1: it has a process, or will start one by itself */
    pid_t pid;           /* 0: no process */
    unsigned generation; /* of the current or the last process; 0: there was none */
    unsigned restarts;   /* automatic ones */
    int exit_status;     /* of the last end, as in struct brood_event; while it runs 0 */
    char cause[80];      /* of the last end; "" */
};

/* Tells about one worker, 0 … workers−1. -EINVAL: there is none of that number. */
BROOD_PUBLIC int brood_supervisor_worker(const struct brood_supervisor *supervisor, unsigned pool,
    unsigned worker, struct brood_worker_info *info);

#ifdef __cplusplus
}
#endif

#endif
