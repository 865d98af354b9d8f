# SPDX-License-Identifier: MIT
"""The fixtures of every test of the real binary.

Around each test: the test's process adopts what loses its parent, there is a deadline, and at the
end nothing may be left: no child, no zombie, no stranger. What is left is killed, and the test has
failed.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from . import groups, probe, procs, settings
from .fifo import Fifo
from .supervisor import Supervisor
from .up import Up, write_config


class DeadlineExpired(Exception):
    """The test took longer than it may."""


def pytest_configure(config):
    config.addinivalue_line("markers", "deadline(seconds): how long the whole test may take")


def pytest_collection_modifyitems(items):
    missing = [path for path in (settings.WORKER, settings.INJECT) if not os.path.exists(path)]
    if missing and items:
        pytest.exit(f"not built: {', '.join(missing)} (set HELPERS)", returncode=4)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Shows with each failure what brood had said until then."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for supervisor in getattr(item, "supervisors", []):
            report.sections.append((" ".join(supervisor.argv), supervisor.tail()))


@pytest.fixture(scope="session", autouse=True)
def own_group():
    """Each test process has a control group of its own, where there are any: tests that run side
    by side do not meet there."""
    group = groups.make(f"brood-test-{os.getpid()}")
    yield
    if group:
        groups.remove(group)


class Guard:
    """Deadline and clean end of one test."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.dump = None

    def start(self):
        procs.become_subreaper()
        signal.signal(signal.SIGALRM, self.expire)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def expire(self, _number, _frame):
        self.dump = procs.describe(procs.descendants())
        procs.kill_all()
        raise DeadlineExpired(f"not done within {self.seconds} s; processes:\n{self.dump}")

    def finish(self):
        signal.setitimer(signal.ITIMER_REAL, 0)
        left = procs.describe(procs.descendants())
        procs.kill_all()
        if left and self.dump is None:
            pytest.fail(f"processes were left behind:\n{left}", pytrace=False)


@pytest.fixture(autouse=True)
def guard(request):
    marker = request.node.get_closest_marker("deadline")
    result = Guard(marker.args[0] * settings.SLOW if marker else settings.DEADLINE)
    result.start()
    yield result
    result.finish()


@pytest.fixture
def scratch():
    """A directory that workers of any user may use."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="brood-test-"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def fifo(scratch):
    """Makes FIFOs: fifo() or fifo("name")."""
    made = []

    def make(name=None):
        made.append(Fifo(scratch / (name or f"fifo{len(made)}")))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(params=["uring", "epoll"])
def loop(request):
    if request.param == "uring" and probe.uring_refused():
        pytest.skip(f"io_uring is refused here: {probe.uring_refused()}")
    return request.param


@pytest.fixture
def start(guard, request):
    """Starts any brood command line; what still runs at the end gets SIGTERM and must end."""
    started = request.node.supervisors = []

    def function(argv, kind=Supervisor, **keywords):
        supervisor = kind(argv, **keywords)
        started.append(supervisor)
        return supervisor

    yield function
    for supervisor in started:
        try:
            supervisor.stop()
        finally:
            supervisor.check()


@pytest.fixture
def brood(start, loop):
    """Starts `brood run OPTIONS -- CMD`, once for each loop: brood("-n", 3, cmd=play("pause"))."""

    def function(*options, cmd, prefix=(), log="json", **keywords):
        argv = [*prefix, settings.BROOD, "run", f"--loop={loop}"]
        if log:
            argv.append(f"--log-format={log}")
        return start([*argv, *options, "--", *cmd], **keywords)

    return function


def starter_of_up(start, scratch, *fixed):
    def function(*sections, options=(), prefix=(), log="json", config="brood.conf", path=None,
                 wait=True, **keywords):
        file = scratch / "etc" / config
        path = path or scratch / "run" / "control.sock"
        write_config(file, *sections)
        argv = [*prefix, settings.BROOD, "up", "-c", file, "--socket", path, *fixed]
        if log:
            argv.append(f"--log-format={log}")
        u = start([*argv, *options], kind=Up, config=file, path=path, **keywords)
        if wait:
            u.wait_listening()
        return u

    return function


@pytest.fixture
def up(start, loop, scratch):
    """Starts `brood up`, once for each loop: up(pool("web", play("pause"), Workers=3), …)."""
    return starter_of_up(start, scratch, f"--loop={loop}")


@pytest.fixture
def up_once(start, scratch):
    """Like up, with the loop that brood takes by itself: where the loop makes no difference."""
    return starter_of_up(start, scratch)


@pytest.fixture
def first_process(brood):
    """Like brood, as PID 1 of a namespace of its own (pids in hellos are the namespace's)."""
    namespace = probe.pid_namespace()
    if not namespace:
        pytest.skip("this user may make no pid namespace here")

    def target(unshare):
        def init():
            found = [pid for pid in procs.children(unshare) if settings.BROOD in procs.command(pid)]
            return found or (not procs.alive(unshare) and [None])

        return procs.until(init, "the first process of the namespace")[0]

    def function(*options, cmd, **keywords):
        return brood(*options, cmd=cmd, prefix=namespace, pid_source=target, **keywords)

    return function


@pytest.fixture
def inject(brood, fifo):
    """Like brood, under faults: inject(["clone3=EAGAIN@2"], "-n", 3, cmd=…) → supervisor, log.

    With children=True the faults strike brood's descendants instead; `before` goes before all."""

    def function(faults, *options, cmd, children=False, before=(), **keywords):
        log = fifo()
        prefix = [*before, settings.INJECT, "--log", str(log)]
        prefix += ["--children"] if children else []
        for fault in faults:
            prefix += ["--fault", fault]

        def target(_injector):
            word, pid = log.line().split()
            assert word == "target"
            return int(pid)

        supervisor = brood(*options, cmd=cmd, prefix=[*prefix, "--"], pid_source=target, **keywords)
        return supervisor, log

    return function


@pytest.fixture
def cli(guard):
    """Runs a brood command line to its end; the result has status, out and err."""

    def function(*words, prefix=(), env=None, cwd=None, **keywords):
        argv = [str(word) for word in (*prefix, settings.BROOD, *words)]
        done = subprocess.run(
            argv, env=env or settings.environment(), cwd=cwd, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=settings.WAIT, check=False, **keywords,
        )
        assert not any(report.decode() in done.stderr for report in
                       (b"AddressSanitizer", b"LeakSanitizer", b"runtime error:")), done.stderr
        return done

    return function
