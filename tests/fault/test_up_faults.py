# SPDX-License-Identifier: MIT
"""One system call of `brood up` fails, once or always, while a service lives a whole life.

Whatever fails: no crash, no hang, nothing left behind, and every client gets an answer or sees its
connection close. Either the start is refused as a whole, with a line that names what failed, or
the service goes on. What `brood run` calls, too, is in test_faults.py.
"""

import errno
import os
import pathlib
import signal

import pytest

from harness import groups, procs, varlink
from harness.config import command, pool, section
from harness.net import ask, free_port
from harness.probe import needs_root
from harness.settings import BROOD, INJECT, SLOW, WAIT, play
from harness.up import Up, listens, write_config

pytestmark = needs_root

# Which calls of one kind fail: some one of them, or all.
ONCE = ("1", "2", "5")
ALWAYS = ("1x*",)

# How the kernel may plausibly refuse what only `brood up` calls.
SETUP = {
    "bind": ("EADDRINUSE", "EACCES"),
    "chmod": ("EPERM",),
    "chown": ("EPERM",),
    "connect": ("EAGAIN",),
    "fchmod": ("EPERM",),
    "fcntl": ("EMFILE",),
    "flock": ("EAGAIN", "ENOLCK"),
    "getsockopt": ("ENOBUFS",),
    "lchown": ("EPERM",),
    "listen": ("EADDRINUSE",),
    "mkdir": ("EACCES", "ENOSPC"),
    "mkdirat": ("ENOSPC", "EACCES"),
    "newfstatat": ("EACCES", "ENOENT"),
    "openat": ("EMFILE", "EACCES"),
    "readlink": ("EACCES",),
    "setsockopt": ("ENOMEM", "EPERM"),
    "socket": ("EMFILE", "ENOBUFS"),
    "pipe2": ("EMFILE",),
}
# … and what cannot be removed then, so stays.
REMOVAL = {"rmdir": ("EBUSY",), "unlink": ("EPERM",), "unlinkat": ("EPERM",)}
# The loop has told that these are to be called.
LOOP = {
    "accept4": ("ECONNABORTED", "EINTR", "EMFILE"),
    "inotify_add_watch": ("ENOSPC",),
    "inotify_init1": ("EMFILE",),
    "inotify_rm_watch": ("EINVAL",),
    "recvfrom": ("ECONNRESET", "EINTR", "ENOMEM"),
    "recvmsg": ("EINTR", "ENOMEM"),
    "sendto": ("EAGAIN", "EINTR", "EPIPE", "ENOBUFS"),
}
# Between clone and exec, with descriptors to pass and a group to enter.
CHILD = {
    "close_range": ("ENOMEM",),
    "dup3": ("EBUSY",),
    "fcntl": ("EMFILE",),
    "openat": ("EMFILE", "ENOENT"),
    "write": ("EAGAIN", "EBUSY", "ENODEV"),
}
# No kernel goes on saying these for ever, and nobody could serve a client then.
A_WHILE = ("1x5",)
ENDLESS = {("accept4", "EINTR"), ("accept4", "ECONNABORTED"), ("accept4", "EMFILE"),
           ("recvfrom", "EINTR"), ("recvmsg", "EINTR"), ("recvmsg", "ENOMEM"),
           ("sendto", "EINTR"), ("sendto", "EAGAIN")}


def rows(table):
    return [pytest.param(call, error, id=f"{call}-{error}")
            for call, errors in table.items() for error in errors]


class Service:
    """A pool with sockets of both kinds, and another one that a reload adds."""

    def __init__(self, scratch):
        self.port = free_port()
        self.paths = [scratch / "made" / "web.sock", scratch / "late.sock"]
        self.slice = groups.of() / "faulty" if groups.writable() else None
        self.runtime = pathlib.Path(f"/run/brood-test-{os.getpid()}")
        self.voices = scratch / "notify"
        options = {"Slice": self.slice.name} if self.slice else {}
        self.head = section("Brood", ReadGroup="games", NotifySocket=self.voices, **options)

    def web(self, **directives):
        step = command(play("exit:0"))
        return pool("web", play("notify:READY=1", "serve:v1"), Workers=2, Type="notify",
                    ListenStream=[f"127.0.0.1:{self.port}", self.paths[0]], SocketGroup="games",
                    ExecStartPre=step, ExecReload=step, Restart="always", RestartSec="10ms",
                    TimeoutStartSec=f"{SLOW}s", RuntimeDirectory=self.runtime.name, **directives)

    def early(self):
        return [self.head, self.web()]

    def later(self):
        return [self.head, self.web(Environment="A=1"),
                pool("late", play("put:5=ready", "close:5", "serve:v2"), NotifyDescriptor=5,
                     Type="notify", ListenStream=self.paths[1], Restart="always",
                     RestartSec="10ms", TimeoutStartSec=f"{SLOW}s")]

    def left(self):
        """What is there although nobody serves any more."""
        found = [path for path in [*self.paths, self.runtime, *self.voices.glob("*")]
                 if os.path.lexists(path)]
        if self.slice and self.slice.exists():
            found += [*groups.below(self.slice), self.slice]
        return [str(path) for path in found]

    def clear(self):
        for path in [*self.paths, self.runtime, *self.voices.glob("*")]:
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
        if self.slice and self.slice.exists():
            for group in [*groups.below(self.slice), self.slice]:
                group.rmdir()


class Life:
    """The life of a service under one fault, as its clients see it."""

    def __init__(self, u, service, lasting):
        self.u = u
        self.service = service
        self.tries = 1 if lasting else 3
        self.patience = (0.3 if lasting else 5) * SLOW
        self.lasting = lasting

    def call_once(self, method, parameters):
        with self.u.connect() as client:
            client.send(method, parameters)
            return client.result(WAIT)

    def call(self, method, **parameters):
        """The answer. A call that the fault strikes may be answered with an error, or by closing
        the connection, and the next one is served; None where the fault lasts."""
        for _ in range(self.tries):
            try:
                return self.call_once(method, parameters)
            except TimeoutError as error:
                raise AssertionError(f"{method}: no answer\n{self.u.tail()}") from error
            except (varlink.Closed, varlink.Failure, ConnectionError, FileNotFoundError) as error:
                assert not self.u.ended, f"{method}: brood ended\n{self.u.tail()}"
                said = error
        assert self.lasting, f"{method}: {said!r}\n{self.u.tail()}"
        return None

    def change(self, method, **parameters):
        return self.call(method, timeout=self.patience, **parameters)

    def is_ready(self, name):
        done = self.change("Wait", pools=[name], **{"for": "ready"})
        return bool(done) and all(outcome["ok"] for outcome in done["outcomes"])

    def serves(self, name, *addresses):
        """Whether it is ready, and answers whoever asks."""
        ready = self.is_ready(name)
        assert ready or self.lasting, f"{name} is not ready:\n{self.u.tail()}"
        return ready and all(ask(address).text for address in addresses)

    def kill_one(self):
        status = self.call("Status", pool="web")
        workers = status["pools"][0]["workers_list"] if status else []
        for pid in [one["pid"] for one in workers if one.get("pid")][:1]:
            procs.kill(pid)
            procs.wait_gone(pid)  # until then it may take a customer with it

    def live(self):
        web, late = [("127.0.0.1", self.service.port), str(self.service.paths[0])], \
            str(self.service.paths[1])
        self.serves("web", *web)
        self.kill_one()
        self.serves("web", *web)
        self.change("ReloadPool", pools=["web"])
        self.u.configure(*self.service.later())
        self.change("ReloadConfig")
        self.change("Restart", pools=["web"], rolling=True)
        self.change("Scale", pool="web", workers=3)
        self.serves("web", *web)
        self.change("Stop", pools=["late"])
        self.change("Start", pools=["late"])
        self.serves("late", late)

    def shut_down(self):
        """By whoever asks; who does not hear of the end sees it."""
        try:
            self.call_once("Shutdown", {"timeout": self.patience})
        except (varlink.Closed, varlink.Failure, ConnectionError, FileNotFoundError):
            procs.kill(self.u.pid, signal.SIGTERM)


REASONS = ["another brood listens", *(os.strerror(number) for number in errno.errorcode)]


def check_refusal(u, fault):
    """Refused as a whole, with a line that says what failed, mostly in the kernel's words."""
    assert u.wait() in (1, 2), f"{fault}: status {u.status}\n{u.tail()}"
    said = [line for line in u.text().splitlines() if not line.startswith("{")]
    assert any(reason in line for line in said for reason in REASONS), f"{fault}: no line says why:\n{u.tail()}"


@pytest.fixture
def strike(start, scratch):
    """Lives one life after another, the n-th call failing in each, as long as it is struck; the last."""

    def begin(fault, children, loop):
        log = scratch / "log"
        log.unlink(missing_ok=True)
        config, path = scratch / "etc" / "brood.conf", scratch / "run" / "control.sock"
        service = Service(scratch)
        write_config(config, *service.early())
        u = start([INJECT, "--log", log, *(["--children"] if children else []), "--fault", fault,
                   "--", BROOD, "up", "-c", config, "--socket", path, "--log-format=json",
                   f"--loop={loop}"], kind=Up, config=config, path=path,
                  pid_source=lambda _injector: target(log))
        return u, service, log

    def one(fault, children, loop, lasting, may_leave):
        u, service, log = begin(fault, children, loop)
        procs.until(lambda: u.ended or listens(u.path), f"the start under {fault}")
        try:
            # Who is there already may still be refused: a pool is opened after the control socket.
            alive = not u.ended and starts(u)
            if alive:
                life = Life(u, service, lasting)
                life.live()
                life.shut_down()
                assert u.wait() in (0, 1), f"{fault}: status {u.status}\n{u.tail()}"
            else:
                check_refusal(u, fault)
            u.check()
            left = procs.descendants()
            assert not left, f"{fault}: left behind:\n{procs.describe(left)}\n{u.tail()}"
            left = [] if may_leave else service.left() + [str(u.path)] * os.path.lexists(u.path)
            assert not left, f"{fault}: left behind: {left}\n{u.tail()}"
        finally:
            if not procs.descendants():
                service.clear()
                u.path.unlink(missing_ok=True)
        return u if "\ninjected" in log.read_text() else None

    def function(call, error, which, children=False, loop="auto", may_leave=False):
        for when in which:
            u = one(f"{call}={error}@{when}", children, loop, "x" in when, may_leave)
            if not u:
                if when == which[0]:
                    pytest.skip(f"brood makes no {call} on this path")
                break
        return u

    return function


def target(log):
    """Whom the injector has started. Its log is a file: under some faults there is much of it."""
    procs.until(lambda: log.exists() and "\n" in log.read_text(), "the injector")
    return int(log.read_text().splitlines()[0].removeprefix("target "))


def starts(u):
    """The first answer comes when the start is over; False when it was refused."""
    for _ in range(3):
        try:
            with u.connect() as client:
                client.send("Status")
                client.receive(WAIT)
                return True
        except (varlink.Closed, ConnectionError, FileNotFoundError):
            pass
    try:
        procs.wait_gone(u.pid, timeout=0.2 * SLOW)
    except TimeoutError:
        return True
    return False


@pytest.mark.deadline(60)
@pytest.mark.parametrize("call, error", rows(SETUP))
def test_one_failing_call(strike, call, error):
    strike(call, error, ONCE)


@pytest.mark.deadline(60)
@pytest.mark.parametrize("call, error", rows(SETUP))
def test_failing_for_ever(strike, call, error):
    strike(call, error, ALWAYS)


def test_no_worker_can_be_heard(strike):
    """Their sockets cannot be had, from the first one on: those before it are of others."""
    u = strike("chmod", "EPERM", ("4x*",))
    failed = u.select_events("spawn-failed")
    assert failed and all("listen for notifications" in one["cause"] for one in failed)


@pytest.mark.deadline(60)
@pytest.mark.parametrize("call, error", rows(REMOVAL))
def test_what_cannot_be_removed(strike, call, error):
    strike(call, error, ONCE + ALWAYS, may_leave=True)


@pytest.mark.deadline(60)
@pytest.mark.parametrize("call, error", rows(LOOP))
def test_one_failing_call_of_the_loop(strike, loop, call, error):
    strike(call, error, ONCE + (A_WHILE if (call, error) in ENDLESS else ALWAYS), loop=loop)


@pytest.mark.deadline(60)
@pytest.mark.parametrize("call, error", rows(CHILD))
def test_one_failing_step_of_a_child(strike, call, error):
    strike(call, error, ONCE + (ALWAYS if call in ("dup3", "write") else ()), children=True)
