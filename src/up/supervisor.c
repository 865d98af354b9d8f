/* SPDX-License-Identifier: MIT */
#include "up/supervisor.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/signame.h"
#include "run/capture.h"
#include "run/strangers.h"
#include "sys/memory.h"
#include "up/logger.h"

/* What SIGKILL has not ended after this long is named and left. */
#define KILL_PATIENCE (10 * NSEC_PER_SEC)

/* What has been captured and cannot be written for so long at the end is lost. */
#define OUTPUT_PATIENCE (5 * NSEC_PER_SEC)

/* The exit status when brood itself has failed. */
#define FAILED 125

/* The engine's thread needs no more; its untouched part costs nothing. */
#define THREAD_STACK (256 * 1024)

struct supervisor {
    const struct supervisor_options *options;
    const struct supervised *supervised;
    struct strangers *strangers;
    bool alone; /* no second thread: the loop sees to strangers, too */
    struct engine *engine;
    struct logger logger;
    bool log_failed;
    int signal_fd;
    sigset_t signals;
    unsigned stops;  /* how often we have been asked to stop */
    bool impatient;  /* the last ones get SIGKILL now */
    bool settled;    /* every first process has become its program, or failed to */
    char fault[512]; /* why the last worker was given up */
    int status;
};

/* Why a worker was given up, for the one who started us. */
static void note_fault(struct supervisor *s, const struct engine_report *told) {
    char cause[80];

    if (told->report->kind == REPORT_GIVEN_UP)
        snprintf(s->fault, sizeof(s->fault), "worker %u: %s", told->report->worker,
            told->detail ? told->detail : cause_format(told->report->cause, cause));
}

static void on_report(void *data, const struct engine_report *told) {
    struct supervisor *s = data;

    note_fault(s, told);
    logger_report(&s->logger, told);
}

void supervisor_note(struct supervisor *s, enum report_note note, const char *text) {
    logger_note(&s->logger, note, text);
}

int supervisor_relog(struct supervisor *s, const struct log_choice *configured) {
    struct log_settings settings =
        log_settings_settle(&s->options->asked, configured, s->options->terminal);

    logger_change(&s->logger, settings.level, settings.format);
    return log_target_equal(&settings.target, &s->options->log.target) ? 0 : -EBUSY;
}

void supervisor_stop(struct supervisor *s) {
    bool again = s->stops++ > 0;

    s->impatient |= again;
    supervisor_note(
        s, NOTE_SHUTDOWN, again ? "asked again: stopping at once" : "stopping every worker");
    engine_command_all(s->engine, again ? EVENT_KILL : EVENT_STOP);
}

static bool is_forwarded(const struct supervisor *s, int signal) {
    return s->options->forwarded >> (signal - 1) & 1;
}

static bool reopens(const struct supervisor *s) {
    return s->options->captures || s->options->log.target.kind == LOG_TO_FILE;
}

static void reopen(struct supervisor *s) {
    engine_reopen_output(s->engine);
    logger_reopen(&s->logger);
}

static void on_signal(struct supervisor *s, int signal) {
    char name[24];

    supervisor_note(s, NOTE_SIGNAL, signame_format(signal, name));
    if (signal == SIGTERM || signal == SIGINT || signal == SIGQUIT)
        supervisor_stop(s);
    else if (signal == SIGHUP)
        s->supervised->reload(s->supervised->data);
    else {
        if (signal == SIGUSR1)
            reopen(s);
        if (is_forwarded(s, signal))
            engine_signal_all(s->engine, signal);
    }
}

static void on_signals(void *data, uint64_t value, int fd, unsigned events) {
    struct signalfd_siginfo info;

    (void)value, (void)events;
    while (read(fd, &info, sizeof(info)) == sizeof(info))
        on_signal(data, (int)info.ssi_signo);
}

/*
 * What is handled comes through the signalfd. Everything else that would end brood by default, and
 * its workers with it, is blocked and so means nothing; only faults of our own, and job control,
 * keep their meaning. SIGCHLD is the strangers'.
 */
static void block_signals(struct supervisor *s) {
    static const int handled[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
    static const int kept[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT, SIGTSTP,
        SIGTTIN, SIGTTOU, SIGCONT, SIGCHLD};
    sigset_t blocked;

    sigemptyset(&s->signals);
    for (size_t i = 0; i < ELEMENTS(handled); i++)
        sigaddset(&s->signals, handled[i]);
    for (int signal = 1; signal < 65; signal++)
        if (is_forwarded(s, signal))
            sigaddset(&s->signals, signal);
    if (reopens(s))
        sigaddset(&s->signals, SIGUSR1);
    sigfillset(&blocked);
    for (size_t i = 0; i < ELEMENTS(kept); i++) {
        sigdelset(&s->signals, kept[i]);
        sigdelset(&blocked, kept[i]);
    }
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

static bool is_worker(void *data, pid_t pid) {
    const struct supervisor *s = data;

    return engine_owns(s->engine, pid);
}

static void on_child(void *data, uint64_t value, int fd, unsigned events) {
    struct supervisor *s = data;

    (void)value, (void)fd, (void)events;
    strangers_sweep_among(s->strangers, is_worker, s);
}

static int watch(struct supervisor *s, int fd, enum loop_priority priority, loop_source_fn fn) {
    struct loop_watch watch = {
        .fd = fd,
        .events = LOOP_IN,
        .priority = priority,
        .fn = fn,
        .data = s,
    };
    loop_source_t source;

    return loop_add(engine_loop(s->engine), &watch, &source);
}

static void on_output_trouble(void *data, const char *sink, int error) {
    char text[512];

    supervisor_note(data, error != 0 ? NOTE_OUTPUT_TROUBLE : NOTE_OUTPUT_HEALED,
        capture_explain(sink, error, text, sizeof(text)));
}

static int open_capture(struct supervisor *s) {
    struct capture_options options = {.trouble = on_output_trouble, .data = s};
    struct capture *capture;
    int r = capture_new(engine_loop(s->engine), &options, &capture);

    if (r == 0)
        engine_use_capture_take(s->engine, capture);
    return r;
}

static void finish_output(struct supervisor *s) {
    if (engine_finish_output(s->engine, OUTPUT_PATIENCE) < 0)
        supervisor_note(s, NOTE_OUTPUT_LOST, "not all that workers wrote last could be written");
}

static int open_engine(struct supervisor *s) {
    struct engine_options options = {
        .backend = s->options->backend,
        .subreaper = true,
        .notify_directory = s->options->notify_directory,
    };
    int r = engine_new(&options, &s->engine);

    if (r < 0)
        return r;
    r = engine_watch(s->engine, on_report, s);
    if (r < 0)
        return r;
    if (s->options->captures)
        r = open_capture(s);
    if (r < 0)
        return r;
    s->signal_fd = signalfd(-1, &s->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signal_fd < 0)
        return -errno;
    r = watch(s, s->signal_fd, LOOP_PRIORITY_CONTROL, on_signals);
    if (r == 0 && s->alone)
        r = watch(s, strangers_fd(s->strangers), LOOP_PRIORITY_LOG, on_child);
    if (r < 0)
        return r;
    r = logger_open(engine_loop(s->engine), &s->options->log, &s->logger);
    s->log_failed = r < 0;
    return r;
}

static idle_path int turn(struct supervisor *s) {
    int r = engine_turn(s->engine, true);

    logger_flush(&s->logger);
    if (!s->settled && engine_settled(s->engine)) {
        s->settled = true;
        memory_release_code();
    }
    return r;
}

/* The one who started us waits until all is up, or something has failed for good. */
static idle_path void tell_starter(struct supervisor *s) {
    struct daemon *daemon = s->options->daemon;

    if (!daemon || daemon->channel < 0)
        return;
    switch (s->supervised->started(s->supervised->data)) {
    case START_UNDER_WAY:
        break;
    case START_DONE:
        daemon_ready(daemon);
        break;
    case START_FAILED:
        daemon_fail(daemon, s->supervised->status(s->supervised->data), "%s",
            s->fault[0] != '\0' ? s->fault : "a worker has failed for good");
        break;
    }
}

static void on_patience_over(void *data, uint64_t value, nsec_t now) {
    struct supervisor *s = data;

    (void)value, (void)now;
    s->impatient = true;
}

/*
 * Ends what our workers left behind, as gracefully as them, and names what cannot be ended. What it
 * writes until then is still captured.
 */
static void farewell(struct supervisor *s) {
    struct loop_timer timer = {.fn = on_patience_over, .data = s};
    struct loop *loop = engine_loop(s->engine);
    char names[512];
    bool killed = false;

    loop_timer_set(loop, &timer, nsec_add(loop_clock(), s->options->stop_timeout));
    while (engine_signal_leftovers(s->engine, s->impatient ? SIGKILL : s->options->stop_signal,
               names, sizeof(names)) > 0) {
        if (s->impatient && killed && !loop_timer_is_armed(&timer)) {
            supervisor_note(s, NOTE_LEFTOVERS, names);
            break;
        }
        if (s->impatient && !killed) {
            loop_timer_set(loop, &timer, nsec_add(loop_clock(), KILL_PATIENCE));
            killed = true;
        }
        if (turn(s) < 0)
            break;
    }
    loop_timer_set(loop, &timer, NSEC_NEVER);
}

/* Returns negative errno when the loop has failed. */
static idle_path int run(struct supervisor *s) {
    const struct supervised *supervised = s->supervised;
    int r = engine_reserve_timers(s->engine, 1);

    if (r < 0)
        return r;
    s->status = supervised->begin(supervised->data, s);
    if (s->status != 0)
        return 0;
    supervisor_note(s, NOTE_LOOP, loop_backend_name(loop_backend(engine_loop(s->engine))));
    logger_flush(&s->logger);
    while (r >= 0 && !supervised->ended(supervised->data)) {
        r = turn(s);
        if (supervised->turned)
            supervised->turned(supervised->data);
        tell_starter(s);
    }
    if (r < 0)
        return r;
    s->status = supervised->status(supervised->data);
    farewell(s);
    finish_output(s);
    return 0;
}

int supervisor_fail(struct supervisor *s, int status, const char *format, ...) {
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s: %s\n", s->options->command, text);
    if (s->options->daemon)
        daemon_fail(s->options->daemon, status, "%s", text);
    return status;
}

static void tell_failure(struct supervisor *s, int error) {
    const char *refused = !s->engine && s->options->backend == LOOP_URING
                              ? "io_uring is refused here (--loop=auto or epoll will do)"
                          : s->log_failed ? "cannot keep the log"
                                          : "cannot run the event loop";

    s->status = supervisor_fail(s, FAILED, "%s: %s", refused, strerror(-error));
}

static void *engine_thread(void *data) {
    struct supervisor *s = data;
    int r = open_engine(s);

    if (r == 0)
        r = run(s);
    if (r < 0) {
        tell_failure(s, r);
        if (s->engine)
            engine_abandon(s->engine);
    }
    if (s->supervised->finish)
        s->supervised->finish(s->supervised->data);
    if (s->engine)
        engine_finish_output(s->engine, OUTPUT_PATIENCE);
    logger_close(&s->logger, OUTPUT_PATIENCE);
    engine_free(s->engine);
    if (s->signal_fd >= 0)
        close(s->signal_fd);
    if (!s->alone)
        strangers_stop(s->strangers);
    return NULL;
}

static bool start_thread(struct supervisor *s, pthread_t *ret_thread) {
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK);
    int r = pthread_create(ret_thread, &attributes, engine_thread, s);
    pthread_attr_destroy(&attributes);
    return r == 0;
}

int supervise(const struct supervisor_options *options, const struct supervised *supervised) {
    struct supervisor s = {
        .options = options,
        .supervised = supervised,
        .signal_fd = -1,
        .status = FAILED,
    };
    pthread_t thread;

    block_signals(&s);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    int r = strangers_new(&s.strangers);
    if (r < 0)
        return supervisor_fail(&s, FAILED, "cannot watch for orphans: %s", strerror(-r));
    if (start_thread(&s, &thread)) {
        strangers_reap(s.strangers);
        pthread_join(thread, NULL);
    } else {
        s.alone = true;
        engine_thread(&s);
    }
    strangers_free(s.strangers);
    return s.status;
}

struct engine *supervisor_engine(const struct supervisor *s) {
    return s->engine;
}

const struct supervisor_options *supervisor_options(const struct supervisor *s) {
    return s->options;
}

bool supervisor_is_stopping(const struct supervisor *s) {
    return s->stops > 0;
}
