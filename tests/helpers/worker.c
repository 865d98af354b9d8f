/* SPDX-License-Identifier: MIT */

/* A process that does what its command line says, word by word, from left to right. It is the
 * supervised program of the system tests, and (with `exec`) also what prepares the surroundings
 * in which brood itself is started.
 *
 *   worker hello:FIFO await:FIFO exit:3
 *   worker ignore:TERM fork ( session hello:FIFO pause ) pause
 *   worker until:2 ( raise:SEGV ) hello:FIFO pause
 *   worker notify:READY=1 repeat:1000 ( notify:WATCHDOG=1 sleep:20 )
 *   worker block:all fds:50 exec brood run -- true
 *
 * A word is NAME or NAME:ARGUMENT. Words that take a block are followed by `( … )`. At the end of
 * the words the process (or the block's child) exits 0. A mistake in the words exits 99. */

#include "worker.h"
#include "names.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The words that are still to be done; words that take a block move it on themselves. */
struct script {
    int argc;
    char **argv;
    char **next;
};

/* What the handlers of tell: and quit: do for each signal. */
static const char *told_path[NSIG];
static int quit_status[NSIG];

/* Opens a FIFO or a file for one line. A FIFO that nobody reads blocks, which is what a test wants:
 * nothing it waits for is ever lost. */
static void append_line(const char *path, const char *line) {
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0)
        fail("open %s: %s", path, strerror(errno));
    if (write(fd, line, strlen(line)) < 0)
        fail("write %s: %s", path, strerror(errno));
    close(fd);
}

/* "FD=PATH": what stands behind a descriptor, as one line. */
static void do_read(char *fd) {
    char *path = split(fd), line[1024];
    ssize_t length = pread(number(fd), line, sizeof(line) - 2, 0);

    if (length < 0)
        fail("read descriptor %s: %s", fd, strerror(errno));
    memcpy(line + length, "\n", 2);
    append_line(path, line);
}

/* "PATH=TEXT" */
static void do_line(char *path) {
    char line[1024];

    snprintf(line, sizeof(line), "%s\n", split(path));
    append_line(path, line);
}

static void do_hello(char *path) {
    char line[256];

    snprintf(line, sizeof(line), "%d %s %s\n", getpid(), variable("BROOD_WORKER"),
        variable("BROOD_GENERATION"));
    append_line(path, line);
}

/* Waits until somebody writes a byte into the FIFO (each byte lets one waiter go). */
static void do_await(char *path) {
    char byte;
    int fd;

    do
        fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        fail("open %s: %s", path, strerror(errno));
    while (read(fd, &byte, 1) < 0)
        if (errno != EINTR)
            fail("read %s: %s", path, strerror(errno));
    close(fd);
}

static void on_signal(int signal) {
    int saved = errno;
    char line[32];

    if (told_path[signal]) {
        snprintf(line, sizeof(line), "%s %d\n", signal_text(signal), getpid());
        append_line(told_path[signal], line);
    } else {
        _exit(quit_status[signal]);
    }
    errno = saved;
}

static void catch_signal(int signal) {
    struct sigaction action = {.sa_handler = on_signal};

    sigfillset(&action.sa_mask);
    if (sigaction(signal, &action, NULL) < 0)
        fail("sigaction %s: %s", signal_text(signal), strerror(errno));
}

static void do_tell(char *text) {
    char *path = split(text);
    int signal = signal_number(text);

    told_path[signal] = path;
    catch_signal(signal);
}

static void do_quit(char *text) {
    char *status = split(text);
    int signal = signal_number(text);

    quit_status[signal] = number(status);
    catch_signal(signal);
}

/* "TERM,INT" or "all". */
static sigset_t signal_set(char *list) {
    sigset_t set;

    sigemptyset(&set);
    if (strcmp(list, "all") == 0)
        sigfillset(&set);
    else
        for (char *name = strtok(list, ","); name; name = strtok(NULL, ","))
            sigaddset(&set, signal_number(name));
    return set;
}

static void do_ignore(char *list) {
    sigset_t set = signal_set(list);

    for (int i = 1; i < NSIG; i++)
        if (sigismember(&set, i) == 1)
            signal(i, SIG_IGN);
}

static void do_block(char *list) {
    sigset_t set = signal_set(list);

    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void do_raise(char *name) {
    raise(signal_number(name));
}

static void do_exit(char *status) {
    _exit(number(status));
}

static void do_sleep(char *milliseconds) {
    long time = number(milliseconds);
    struct timespec left = {.tv_sec = time / 1000, .tv_nsec = time % 1000 * 1000000};

    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

static void do_pause(char *unused) {
    (void)unused;
    for (;;)
        pause();
}

/* Descriptors without close-on-exec, as a careless parent leaves them behind. */
static void do_fds(char *count) {
    for (long i = number(count); i > 0; i--)
        if (open("/dev/null", O_RDWR) < 0)
            fail("open /dev/null: %s", strerror(errno));
}

static void do_close(char *fd) {
    close(number(fd));
}

/* "3=text": one line into a descriptor that was inherited. */
static void do_put(char *text) {
    char *line = split(text);

    dprintf(number(text), "%s\n", line);
}

static void do_limit(char *text) {
    char *soft = split(text);
    char *hard = strchr(soft, ':');
    struct rlimit limit;
    int resource = limit_number(text);

    if (getrlimit(resource, &limit) < 0)
        fail("getrlimit %s: %s", text, strerror(errno));
    if (hard) {
        *hard = '\0';
        limit.rlim_max = number(hard + 1);
    }
    limit.rlim_cur = number(soft);
    if (setrlimit(resource, &limit) < 0)
        fail("setrlimit %s: %s", text, strerror(errno));
}

static void do_user(char *id) {
    long user = number(id);

    if (setgroups(0, NULL) < 0 || setgid(user) < 0 || setuid(user) < 0)
        fail("user %s: %s", id, strerror(errno));
}

static void do_session(char *unused) {
    (void)unused;
    if (setsid() < 0)
        fail("setsid: %s", strerror(errno));
}

static void do_subreaper(char *unused) {
    (void)unused;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static void do_chdir(char *path) {
    if (chdir(path) < 0)
        fail("chdir %s: %s", path, strerror(errno));
}

/* Memory that is really there (MB): tearing it down takes the kernel a while. */
static void do_grow(char *megabytes) {
    size_t size = (size_t)number(megabytes) << 20;
    volatile char *memory = malloc(size);

    if (!memory)
        fail("malloc %zu: %s", size, strerror(errno));
    for (size_t i = 0; i < size; i += 4096)
        memory[i] = 1;
}

/* The block after a word: its first and its last word's place, the script moved behind it. */
static struct script take_block(struct script *script) {
    struct script block = *script;
    int depth = 0;

    if (!script->next[0] || strcmp(script->next[0], "(") != 0)
        fail("a block in ( ) must follow");
    block.next = script->next + 1;
    for (char **word = script->next; *word; word++) {
        if (strcmp(*word, "(") == 0)
            depth++;
        if (strcmp(*word, ")") == 0 && --depth == 0) {
            script->next = word + 1;
            return block;
        }
    }
    fail("a block lacks its )");
}

static void play(struct script script);

static pid_t fork_or_fail(void) {
    pid_t pid = fork();

    if (pid < 0)
        fail("fork: %s", strerror(errno));
    return pid;
}

static void child(struct script block) {
    if (fork_or_fail() == 0) {
        play(block);
        _exit(0);
    }
}

/* A grandchild whose parent has ended: the nearest subreaper adopts it. */
static void orphan(struct script block) {
    pid_t middle = fork_or_fail();

    if (middle == 0) {
        child(block);
        _exit(0);
    }
    while (waitpid(middle, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* A child of our parent: nobody's descendant but its. */
static void sibling(struct script block) {
    long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);

    if (pid < 0)
        fail("clone: %s", strerror(errno));
    if (pid == 0) {
        play(block);
        _exit(0);
    }
}

/* Children of children, so many deep; each stays, and the last plays the block. */
static void chain(struct script block, const char *depth) {
    if (fork_or_fail() > 0)
        return;
    for (long i = number(depth); i > 1; i--)
        if (fork_or_fail() > 0)
            do_pause(NULL);
    play(block);
    _exit(0);
}

static void repeat(struct script block, const char *count) {
    for (long i = number(count); i > 0; i--)
        play(block);
}

/* Plays the block when the environment says so: until:G in generations 1 … G, only:W in worker W,
 * and runs on with what follows. */
static void in_generations(struct script block, const char *last) {
    if (number(variable("BROOD_GENERATION")) <= number(last))
        play(block);
}

static void in_worker(struct script block, const char *worker) {
    if (strcmp(variable("BROOD_WORKER"), worker) == 0)
        play(block);
}

static bool play_block_word(struct script *script, const char *name, const char *argument) {
    if (strcmp(name, "fork") == 0)
        child(take_block(script));
    else if (strcmp(name, "orphan") == 0)
        orphan(take_block(script));
    else if (strcmp(name, "sibling") == 0)
        sibling(take_block(script));
    else if (strcmp(name, "chain") == 0)
        chain(take_block(script), argument);
    else if (strcmp(name, "repeat") == 0)
        repeat(take_block(script), argument);
    else if (strcmp(name, "until") == 0)
        in_generations(take_block(script), argument);
    else if (strcmp(name, "only") == 0)
        in_worker(take_block(script), argument);
    else
        return false;
    return true;
}

static void do_refuse(char *list) {
    refuse_calls(list);
}

static void do_say(char *text) {
    dprintf(STDOUT_FILENO, "%s\n", text);
}

static const struct {
    const char *name;
    void (*function)(char *argument);
} words[] = {
    {"await", do_await},
    {"barrier", notify_barrier},
    {"block", do_block},
    {"chdir", do_chdir},
    {"close", do_close},
    {"exit", do_exit},
    {"fds", do_fds},
    {"grow", do_grow},
    {"hello", do_hello},
    {"ignore", do_ignore},
    {"limit", do_limit},
    {"line", do_line},
    {"notify", notify_send},
    {"notify-fds", notify_send_descriptors},
    {"pause", do_pause},
    {"put", do_put},
    {"quit", do_quit},
    {"raise", do_raise},
    {"read", do_read},
    {"refuse", do_refuse},
    {"say", do_say},
    {"serve", serve},
    {"session", do_session},
    {"sleep", do_sleep},
    {"store", notify_store},
    {"subreaper", do_subreaper},
    {"tell", do_tell},
    {"user", do_user},
};

static void play_word(struct script *script, const char *text) {
    char *name = strdup(text);
    char *argument = strchr(name, ':');

    if (argument)
        *argument++ = '\0';
    if (strcmp(name, "exec") == 0) {
        execvp(script->next[0], script->next);
        fail("exec %s: %s", script->next[0], strerror(errno));
    }
    if (strcmp(name, "report") == 0) {
        report_write(argument, script->argc, script->argv);
    } else if (!play_block_word(script, name, argument)) {
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            if (strcmp(words[i].name, name) == 0) {
                words[i].function(argument);
                return; /* the name stays: handlers point into it */
            }
        fail("unknown word '%s'", text);
    }
    free(name);
}

static void play(struct script script) {
    while (script.next[0] && strcmp(script.next[0], ")") != 0) {
        const char *word = script.next[0];

        script.next++;
        play_word(&script, word);
    }
}

int main(int argc, char **argv) {
    play((struct script){.argc = argc, .argv = argv, .next = argv + 1});
    _exit(0);
}
