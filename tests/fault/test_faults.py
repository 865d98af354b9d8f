# SPDX-License-Identifier: MIT
"""Every system call of brood's shell fails once: at its 1st, 2nd and 5th use, in plausible ways.

Whatever fails: no crash, no hang, nothing left behind. Either the pool is whole again and all that
was asked for happened, or brood gives up with a documented status and a line that says what failed.
While it starts, brood may give up on anything; once a worker runs, only where the table says so.
"""

import errno
import os
import shutil
import signal
import subprocess

import pytest

from harness import procs
from harness.settings import BROOD, WAIT, around, environment, play, sanitized

OCCURRENCES = (1, 2, 5)

# What brood itself calls, and how the kernel may plausibly refuse it. HEALS: with workers running,
# brood has to get over it. ENDS: it may also take its workers down and give up with a clear line.
HEALS = {
    "fcntl": ("EBADF",),
    "clone3": ("EAGAIN", "ENOMEM", "EMFILE", "EPERM", "ENOSYS"),
    "pidfd_send_signal": ("EPERM", "ESRCH", "ENOSYS"),
    "epoll_wait": ("EINTR",),
    "io_uring_enter": ("EINTR", "EAGAIN", "EBUSY"),
    "read": ("EINTR",),
    "write": ("EINTR", "EAGAIN", "EIO", "ENOSPC", "EPIPE"),
    "close": ("EINTR", "EIO"),
    "kill": ("EPERM", "ESRCH"),
    "munmap": ("ENOMEM",),
    "madvise": ("ENOMEM", "EINVAL"),
    "getdents64": ("EIO",),
}
ENDS = {
    "close_range": ("EPERM", "ENOSYS", "EMFILE"),
    "pidfd_open": ("EMFILE", "ENFILE", "ENOMEM", "ENOSYS"),
    "epoll_create1": ("EMFILE", "ENFILE", "ENOMEM"),
    "epoll_ctl": ("ENOMEM", "ENOSPC"),
    "epoll_wait": ("EBADF",),
    "io_uring_setup": ("ENOMEM", "EPERM", "ENOSYS", "EMFILE", "EINVAL"),
    "io_uring_enter": ("EBADF", "ENOMEM"),
    "io_uring_register": ("ENOMEM", "EINVAL"),
    "timerfd_create": ("EMFILE", "ENOMEM"),
    "signalfd4": ("EMFILE", "ENFILE", "ENOMEM"),
    "openat": ("EMFILE", "ENFILE", "ENOMEM", "EACCES", "ENOENT"),
    "ioctl": ("ENOTTY", "EINVAL"),
    "dup3": ("EMFILE", "EBUSY"),
    "prlimit64": ("EPERM", "EINVAL"),
    "mmap": ("ENOMEM",),
    "mprotect": ("ENOMEM",),
    "prctl": ("EINVAL", "EPERM"),
    "getrandom": ("ENOSYS", "EAGAIN"),
    "faccessat2": ("EACCES", "ENOSYS"),
    "newfstatat": ("EACCES", "ENOENT"),
    "read": ("EIO", "ENOMEM"),
    "waitid": ("ECHILD",),
}

# No errors that a caller with valid arguments could meet. The C library alone meets those of brk
# (malloc goes to mmap then) and futex.
CANNOT_FAIL = {
    "access", "arch_prctl", "brk", "clock_gettime", "execve", "exit", "exit_group", "futex",
    "getegid", "geteuid", "getgid", "getpgid", "getpgrp", "getpid", "getppid", "getsid", "gettid",
    "gettimeofday", "getuid", "lseek", "pread64", "restart_syscall", "rseq", "rt_sigaction",
    "rt_sigprocmask", "rt_sigreturn", "sched_yield", "set_robust_list", "set_tid_address",
    "sigaltstack", "tgkill", "timerfd_settime", "umask",
}

# Between clone and exec: the child's steps, and what passes by itself: even a pool's very first
# start must get over it.
CHILD_PASSING = {
    "execve": ("EAGAIN", "ENOMEM", "EIO", "ETXTBSY", "EMFILE"),
    "close_range": ("ENOMEM", "EMFILE"),
    "openat": ("EMFILE", "ENFILE"),
    "dup3": ("EMFILE", "EBUSY"),
    "fcntl": ("EMFILE",),
    "chdir": ("ENOMEM",),
}

# What a command that has never run may be given up for; one that has run before is tried again.
CHILD_LASTING = {
    "execve": ("EACCES", "ENOENT"),
    "setpgid": ("EPERM", "EACCES"),
    "prlimit64": ("EPERM",),
    "prctl": ("EINVAL",),
    "chdir": ("EACCES",),
}


def rows(*tables):
    return [pytest.param(call, error, table is not ENDS, id=f"{call}-{error}")
            for table in tables for call, errors in table.items() for error in errors]


class Pool:
    """Three workers that are started, killed, rolled and stopped while one call fails."""

    def __init__(self, supervisor, hello):
        self.b = supervisor
        self.hello = hello
        self.newest = {}

    def take(self):
        h = self.hello.hello(timeout=0.05)
        if h.worker not in self.newest or self.newest[h.worker].generation < h.generation:
            self.newest[h.worker] = h

    def until(self, condition, what):
        """Reads hellos until the condition holds; False when brood has ended instead."""

        def step():
            while not condition() and not self.b.ended:
                try:
                    self.take()
                except TimeoutError:
                    return False
            return True

        procs.until(step, f"{what}; brood said:\n{self.b.tail()}", timeout=WAIT)
        return not self.b.ended

    def generations(self):
        return {worker: h.generation for worker, h in self.newest.items()}

    def live(self):
        """The whole life; True when brood saw it through, False when it gave up before."""
        if not self.until(lambda: len(self.newest) == 3, "three workers"):
            return False
        victim = self.newest[1]
        procs.kill(victim.pid)
        if not self.until(lambda: self.newest[1].generation > victim.generation, "the restart"):
            return False
        self.b.signal(signal.SIGUSR1)
        before = self.generations()
        self.b.signal(signal.SIGHUP)
        # A fault in it may end it: then it says so, and the others were left alone.
        return self.until(lambda: all(self.generations()[w] > g for w, g in before.items()) or
                          self.b.select_events("roll-failed"), "the roll")


# Each worker leaves a stranger that dies at once, and one that lives on in a session of its own.
COMMAND = ["ignore:USR1", "orphan", "(", ")", "orphan", "(", "session", "pause", ")"]
OPTIONS = ["-n", 3, "--restart", "always", "--backoff", "5ms..20ms", "--stop-timeout", "300ms"]


def log_of(fifo):
    lines = []
    while not fifo.empty():
        lines.append(fifo.line())
    return lines


def run_with(inject, fifo, fault, options=(), **keywords):
    """One life under one fault; whether the fault struck, whether brood saw it through, brood."""
    hello = fifo()
    b, log = inject([fault], *OPTIONS, *options, cmd=play(*COMMAND, f"hello:{hello}", "pause"),
                    **keywords)
    whole = Pool(b, hello).live()
    status = b.stop()
    b.check()
    if not whole:
        # Who gives up in the middle of things kills and goes: the dead are the next reaper's.
        procs.until(lambda: not any(procs.alive(pid) for pid in procs.descendants()),
                    f"the end of all after {fault}")
        procs.reap()
    left = procs.descendants()
    assert not left, f"{fault}: left behind:\n{procs.describe(left)}\n{b.tail()}"
    struck = any(line.startswith("injected") for line in log_of(log))
    expected = (0, 1) if whole else (125, 126, 127)
    assert status in expected, f"{fault}: status {status}\n{b.tail()}"
    return struck, whole, b


def check_farewell(b, fault):
    """The line with which brood gives up: what it could not do, and an error in the kernel's words.

    Not always the kernel's own error: a library in between may have translated it."""
    errors = {os.strerror(number) for number in errno.errorcode}
    last = [line for line in b.text().splitlines() if line.startswith("brood run: ")]
    assert len(last) == 1, f"{fault}: no line says why:\n{b.tail()}"
    assert last[0].rpartition(": ")[2] in errors, f"{fault}: no reason in {last[0]!r}"


def strike(inject, fifo, call, error, heals, occurrences=OCCURRENCES, **keywords):
    for nth in occurrences:
        fault = f"{call}={error}@{nth}"
        struck, whole, b = run_with(inject, fifo, fault, **keywords)
        if not struck:
            if nth == occurrences[0]:
                pytest.skip(f"brood makes no {call} on this path")
            break
        if not whole:
            excused = not heals or not b.select_events("started")
            assert excused, f"{fault}: brood should have got over it:\n{b.tail()}"
            check_farewell(b, fault)


@pytest.mark.deadline(60)
@pytest.mark.parametrize("call, error, heals", rows(HEALS, ENDS))
def test_one_failing_call(inject, fifo, call, error, heals):
    if call == "prlimit64" and sanitized():
        pytest.skip("the sanitizer makes this call itself, through the C library, and aborts")
    strike(inject, fifo, call, error, heals)


# The first use of a call in a child that is not one of the first three: the fourth, unless a child
# (with its C library's start) makes several.
FIRST_OF_A_RESTART = {"prlimit64": 13}

STEPS = ["--chdir", "/", "--stdout", "null", "--limit", "CORE=0", "--no-new-privs"]


@pytest.mark.deadline(60)
@pytest.mark.parametrize("call, error, heals", rows(CHILD_PASSING))
def test_one_failing_step_of_a_child(inject, fifo, call, error, heals):
    """A child's step that fails is one start that failed; the next one succeeds."""
    strike(inject, fifo, call, error, heals, children=True, options=STEPS)


@pytest.mark.deadline(60)
@pytest.mark.parametrize("call, error, heals", rows(CHILD_LASTING))
def test_one_failing_step_of_a_restart(inject, fifo, call, error, heals):
    """The first three starts have succeeded; then one fails."""
    first = FIRST_OF_A_RESTART.get(call, 4)
    strike(inject, fifo, call, error, heals, occurrences=(first, first + 1), children=True,
           options=STEPS)


@pytest.mark.deadline(60)
@pytest.mark.parametrize("call, error", [("clone", "EAGAIN"), ("clone", "ENOMEM"),
                                         ("pidfd_open", "EMFILE"), ("pidfd_open", "ENOMEM"),
                                         ("close", "EIO")])
def test_one_failing_call_of_the_fallback(inject, fifo, call, error):
    """Where the kernel has no clone3 and no close_range, and then something else fails, too."""
    strike(inject, fifo, call, error, call in ("clone", "close"),
           before=around("refuse:clone3=ENOSYS,close_range=ENOSYS"))


# --- what lasts longer


@pytest.mark.parametrize("fault", [
    "clone3=EAGAIN@3x10", "clone3=ENOMEM@2x6", "write=EIO@1x*", "write=EAGAIN@1x50",
    "read=EINTR@2x20", "io_uring_enter=EINTR@2x30", "epoll_wait=EINTR@2x30",
    "pidfd_send_signal=ENOSYS@1x*", "pidfd_send_signal=EPERM@1x*",
])
def test_failing_for_a_while(inject, fifo, fault):
    _, whole, b = run_with(inject, fifo, fault)
    assert whole, b.tail()


@pytest.mark.parametrize("call", ["clone3", "write", "waitid", "pidfd_send_signal", "openat",
                                  "read"])
def test_slow_calls_change_nothing(inject, fifo, call):
    _, whole, b = run_with(inject, fifo, f"{call}=delay:30@2x10")
    assert whole, b.tail()


def test_failed_start_is_told(inject, fifo):
    hello = fifo()
    b, _ = inject(["clone3=EAGAIN@2"], *OPTIONS, cmd=play(f"hello:{hello}", "pause"))
    hello.hellos(3)
    failed = b.wait_event("spawn-failed")
    assert "Resource temporarily unavailable" in str(failed)
    b.stop()


def test_failed_start_touches_nobody_else(inject, fifo):
    hello = fifo()
    b, _ = inject(["clone3=ENOMEM@4x3"], *OPTIONS, cmd=play(f"hello:{hello}", "pause"))
    first = {h.worker: h for h in hello.hellos(3)}
    procs.kill(first[2].pid)
    assert hello.hello().worker == 2
    assert all(procs.alive(first[w].pid) for w in (0, 1))
    assert len(b.select_events("spawn-failed", worker=2)) == 3
    assert b.stop() == 0


# The second thread is the one that writes the log, where there is one.


def test_no_thread_for_the_log_file(inject, scratch):
    b, _ = inject(["clone3=EAGAIN@2"], "--log-file", scratch / "log", cmd=["true"])
    assert b.wait() == 125
    assert b.text() == "brood run: cannot keep the log: Resource temporarily unavailable\n"


def test_no_thread_for_standard_error(inject, scratch):
    """A file there is written all the same."""
    with open(scratch / "err", "ab") as err:
        b, _ = inject(["clone3=EAGAIN@2"], cmd=["true"], stderr=err)
    assert b.wait() == 0
    assert '"event":"ended"' in (scratch / "err").read_text()


# --- the table above is whole


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_every_call_is_in_the_table(loop, scratch, fifo):
    """A system call that brood begins to make must get its row: strace sees what is missing."""
    if sanitized():
        pytest.skip("a sanitizer's own calls cannot be told from brood's")
    hello, trace = fifo(), scratch / "trace"
    argv = ["strace", "-o", trace, BROOD, "run", f"--loop={loop}", *OPTIONS, "--",
            *play(*COMMAND, f"hello:{hello}", "pause")]
    process = subprocess.Popen([str(word) for word in argv], env=environment(),
                               stderr=subprocess.DEVNULL)
    hello.hellos(3)
    brood = procs.children(process.pid)[0]
    for number in (signal.SIGUSR1, signal.SIGHUP):
        os.kill(brood, number)
    hello.hellos(3)
    os.kill(brood, signal.SIGTERM)
    process.wait()
    lines = trace.read_text().splitlines()
    called = {line.split("(")[0] for line in lines if "(" in line and line[0].isalpha()}
    assert called - set(HEALS) - set(ENDS) - CANNOT_FAIL == set()
