# SPDX-License-Identifier: MIT
"""`brood logs` and a running supervisor: where its logs are, and what is not in the files yet."""

import json
import os
import pathlib
import resource
import select
import shutil
import signal
import subprocess
import time

import pytest

from harness import procs, settings
from harness.config import pool
from harness.fake import Error, FakeSupervisor, status
from harness.fake import pool as pool_told
from harness.settings import environment, play
from harness.up import listens

CAT = shutil.which("cat")


class Source:
    """A worker that writes what the test wants, when it wants it: cat, from a FIFO."""

    def __init__(self, fifo):
        self.fifo = fifo()
        self.next = 0

    @property
    def words(self):
        return [CAT, str(self.fifo)]

    def write(self, text):
        os.write(self.fifo.fd, text.encode())

    def lines(self, count):
        """The next numbered lines; returns the text of all so far."""
        # A FIFO takes 64 KiB; cat may be held back.
        self.write("".join(f"line {n:05}\n" for n in range(self.next, self.next + count)))
        self.next += count
        return self.all()

    def all(self):
        return [f"line {n:05}" for n in range(self.next)]


@pytest.fixture
def source(fifo):
    return Source(fifo)


@pytest.fixture
def logs(scratch):
    path = scratch / "logs"
    path.mkdir()
    return path


def texts(out):
    """What stands behind the prefixes of lines of output."""
    return [row.split("] ", 1)[1][5:] for row in out.splitlines()]


def written(path):
    return path.read_text() if path.exists() else ""


def wait_written(path, text):
    procs.until(lambda: text in written(path), f"{text} in {path}")


def limit(u, size):
    """From that size on, a write to a file fails as on a full disk, with its beginning written."""
    hard = resource.prlimit(u.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(u.process.pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


def fill_disk(u, path, source, room=333):
    """The first lines are written, and the disk is full in the middle of a further one."""
    source.lines(20)
    wait_written(path, "line 00019\n")
    limit(u, path.stat().st_size + room)
    source.lines(100)
    u.wait_event("output-trouble")
    procs.until(lambda: len(texts(u.ctl("logs").out)) >= source.next, "all of it to be read")


def test_what_a_full_disk_keeps_in_memory_is_shown_once_and_in_order(up, source, logs):
    u = up(pool("web", source.words, LogDirectory=logs))
    path = logs / "web.log"
    fill_disk(u, path, source)
    assert "line 00100" not in written(path)
    assert texts(u.ctl("logs").out) == source.all()
    assert texts(u.ctl("logs", "web/0", "-n", "3").out) == source.all()[-3:]
    assert texts(u.ctl("logs", "--grep", "7$").out) == source.all()[7::10]
    assert texts(u.ctl("logs", "--since", "1h").out) == source.all()
    assert texts(u.ctl("logs", "--until", "1h").out) == []
    assert u.ctl("logs", "web/1").out == ""
    rows = u.ctl("logs", "--json").lines
    assert [row["text"] for row in rows] == source.all()
    assert {(row["pool"], row["worker"], row["stream"]) for row in rows} == {("web", 0, "out")}
    # Without the supervisor there is what is in the file.
    assert 20 <= len(u.ctl("logs", "--dir", logs).out.splitlines()) < 30
    limit(u, None)
    shown = None
    while shown is None or "line 00119" not in written(path):
        shown = texts(u.ctl("logs").out)
        assert shown == source.all()
    u.wait_event("output-healed")
    assert texts(written(path)) == source.all()


def test_a_file_system_without_room(up_once, source, scratch):
    """As above, but in earnest."""
    disk = scratch / "disk"
    disk.mkdir()
    mount = ["unshare", "--mount", "sh", "-c",
             f'mount -t tmpfs -o size=64k none {disk} && exec "$@"', "-"]
    if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("file systems may not be mounted here")
    u = up_once(pool("web", source.words, LogDirectory=disk), prefix=mount)
    there = pathlib.Path(f"/proc/{u.process.pid}/root/{disk}")
    inside = ["nsenter", f"--mount=/proc/{u.process.pid}/ns/mnt"]
    (there / "ballast").write_bytes(bytes(56 * 1024))
    source.lines(400)
    u.wait_event("output-trouble")
    procs.until(lambda: texts(u.ctl("logs", prefix=inside).out) == source.all(), "all lines")
    assert written(there / "web.log").count("line") < 200
    before = time.monotonic()
    u.call("PendingLogs")
    assert time.monotonic() - before < 0.25 * settings.SLOW
    (there / "ballast").unlink()
    while written(there / "web.log").count("line") < 400:
        assert texts(u.ctl("logs", prefix=inside).out) == source.all()
    assert texts(written(there / "web.log")) == source.all()


def test_each_sees_every_line_once_while_they_are_written_and_rotated(up_once, source, logs):
    u = up_once(pool("web", source.words, LogDirectory=logs, LogMaxSize="20K", LogFormat="json",
                     LogKeepSize="infinity"))
    seen = 0
    while source.next < 6000:
        source.lines(150)
        shown = [row["text"] for row in u.ctl("logs", "--json").lines]
        assert shown == source.all()[:len(shown)] and len(shown) >= seen
        seen = len(shown)
    procs.until(lambda: len(u.ctl("logs").out.splitlines()) == source.next, "the rest")
    assert len(list(logs.iterdir())) > 3


def test_an_unfinished_line_is_shown_as_such(up, source, logs):
    u = up(pool("web", source.words, LogDirectory=logs))
    source.lines(1)
    source.write("password: ")
    procs.until(lambda: "password" in u.ctl("logs").out, "the unfinished line")
    out = u.ctl("logs").out.splitlines()
    assert out[1].endswith("] out> password: ") and len(out) == 2
    assert u.ctl("logs", "--json").lines[1]["end"] == "unfinished"
    assert "password" not in written(logs / "web.log")
    assert "password" not in u.ctl("logs", "--dir", logs).out
    source.write("secret\n")
    wait_written(logs / "web.log", "out: password: secret\n")
    assert texts(u.ctl("logs").out) == ["line 00000", "password: secret"]


def test_nothing_has_been_written_at_all(up, source, logs):
    place = logs / "below"
    u = up(pool("web", source.words, LogDirectory=place))
    procs.until((place / "web.log").exists, "the file")
    shutil.rmtree(place)
    place.write_text("in the way")
    source.lines(3)
    u.wait_event("output-trouble")
    done = u.ctl("logs", status=None)
    assert "Not a directory" in done.err and done.status == 1
    place.unlink()
    u.wait_event("output-healed")
    assert texts(u.ctl("logs").out) == source.all()


class Follower:
    def __init__(self, u, *words):
        argv = [settings.BROOD, "logs", "--socket", str(u.path), "-f", *words]
        self.process = subprocess.Popen(argv, env=environment(), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.rest = b""

    def texts(self, n):
        end = time.monotonic() + settings.WAIT
        while self.rest.count(b"\n") < n:
            left = end - time.monotonic()
            ready = select.select([self.process.stdout], [], [], max(left, 0))[0]
            assert ready, f"only {self.rest!r}"
            self.rest += os.read(self.process.stdout.fileno(), 65536)
        rows = self.rest.decode().splitlines(keepends=True)
        self.rest = "".join(rows[n:]).encode()
        return texts("".join(rows[:n]))

    def end(self):
        self.process.terminate()
        out, err = self.process.communicate()
        assert self.rest + out == b"" and err == b""


def test_follow_shows_what_waits_and_not_again_when_it_is_written(up, source, logs):
    u = up(pool("web", source.words, LogDirectory=logs))
    path = logs / "web.log"
    fill_disk(u, path, source)
    followers = [Follower(u, "-n", "200"), Follower(u, "-n", "5")]
    assert followers[0].texts(120) == source.all()
    assert followers[1].texts(5) == source.all()[-5:]
    source.write("unfinished")
    limit(u, None)
    u.wait_event("output-healed")
    source.write(" no more\n")
    source.lines(50)
    for follower in followers:
        assert follower.texts(51) == ["unfinished no more", *source.all()[120:]]
        follower.end()


def test_follow_over_rotations_of_what_was_told(up_once, source, logs):
    """What is told while the disk is full is written into several files afterwards."""
    u = up_once(pool("web", source.words, LogDirectory=logs, LogMaxSize="4K"))
    path = logs / "web.log"
    source.lines(20)
    wait_written(path, "line 00019\n")
    limit(u, path.stat().st_size + 40)
    source.lines(400)
    u.wait_event("output-trouble")
    procs.until(lambda: len(texts(u.ctl("logs").out)) == source.next, "all of it to be read")
    follower = Follower(u, "-n", "1000")
    assert follower.texts(420) == source.all()
    limit(u, None)
    u.wait_event("output-healed")
    source.lines(10)
    assert follower.texts(10) == source.all()[420:]
    follower.end()
    assert len(list(logs.iterdir())) > 5


def test_follow_goes_on_when_what_was_told_never_comes(up_once, source, logs, start):
    """The supervisor is killed, and what it had in memory with it; another one goes on."""
    u = up_once(pool("web", source.words, LogDirectory=logs))
    path = logs / "web.log"
    fill_disk(u, path, source)
    follower = Follower(u, "-n", "200")
    assert follower.texts(120) == source.all()
    pids = list(u.worker_pids("web").values())
    u.signal(signal.SIGKILL)
    u.wait()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    procs.until(lambda: not listens(u.path), "the end of what the kernel still holds")
    assert not written(path).endswith("\n")
    other = up_once(pool("web", play("say:of another", "pause"), LogDirectory=logs))
    wait_written(path, "of another\n")
    assert follower.texts(1) == ["of another"]
    follower.end()
    other.stop()


# Where logs are.

def test_each_pool_has_its_directory(up_once, scratch, logs):
    (scratch / "other").mkdir()
    default = environment(LOGS_DIRECTORY=str(scratch / "default"))
    u = up_once(pool("web", play("say:of web", "pause"), LogDirectory=logs),
                pool("db", play("say:of db", "pause"), LogDirectory=scratch / "other"),
                pool("job", play("say:of job", "pause")), env=default)
    procs.until(lambda: len(u.ctl("logs").out.splitlines()) == 3, "all lines")
    assert sorted(texts(u.ctl("logs").out)) == ["of db", "of job", "of web"]
    assert texts(u.ctl("logs", "db").out) == ["of db"]
    assert texts(u.ctl("logs", "db", "job").out) in (["of db", "of job"], ["of job", "of db"])
    # One that is no more in the configuration, whose log is where logs are by default.
    (place,) = (scratch / "default").iterdir()
    (place / "gone.log").write_text("2026-11-22T19:00:00.000000Z gone/0 [1 #1] out: of gone\n")
    assert texts(u.ctl("logs", "gone").out) == ["of gone"]
    done = u.ctl("logs", "nobody", status=4)
    assert "no log of 'nobody'" in done.err
    # Nobody runs: by default, and as a configuration says.
    u.stop()
    assert sorted(texts(u.ctl("logs", env=default).out)) == ["of gone", "of job"]
    shown = u.ctl("logs", "-c", u.config, env=default).out
    assert sorted(texts(shown)) == ["of db", "of gone", "of job", "of web"]
    assert texts(u.ctl("logs", "-c", u.config, "web", env=default).out) == ["of web"]
    assert texts(u.ctl("logs", "web", "-c", u.config.parent, env=default).out) == ["of web"]
    u.config.write_text("[Pool web]\nWhat=\n")
    done = u.ctl("logs", "-c", u.config, env=default, status=2)
    assert "What" in done.err


def test_no_log_where_no_directory_is(up_once, scratch, logs):
    u = up_once(pool("web", play("say:of web", "pause"), LogDirectory=logs),
                env=environment(LOGS_DIRECTORY=str(scratch / "default")))
    done = u.ctl("logs", "nobody", status=4)
    assert f"no log of 'nobody' in {scratch}/default" in done.err


@pytest.mark.parametrize("where, hint", [
    ("null", "StandardOutput="), ("log", "LogDirectory=-")])
def test_output_that_is_in_no_file(up_once, where, hint):
    u = up_once(pool("web", play("pause"), StandardOutput=where, StandardError=where,
                     LogDirectory="-"))
    done = u.ctl("logs", "web", status=4)
    assert done.err.startswith("brood logs: the output of 'web' is not kept in files")
    assert hint in done.err
    assert hint in u.ctl("logs", status=4).err


@pytest.mark.parametrize("where, hint", [
    ("journal", "journalctl BROOD_POOL=web"), ("syslog", "handed to syslog")])
def test_daemons_are_named(cli, scratch, where, hint):
    web = pool_told("web", output={"stdout": where, "stderr": where})
    server = FakeSupervisor(scratch / "socket", {"Status": status(web)})
    try:
        (scratch / "logs").mkdir()
        done = cli("logs", "web", "--socket", server.path,
                   env=environment(LOGS_DIRECTORY=str(scratch / "logs")))
    finally:
        server.close()
    assert done.returncode == 4 and hint in done.stderr


# Supervisors that do not answer, or not as they should.

def test_a_stuck_supervisor_holds_nobody_up(up_once, source, logs):
    u = up_once(pool("web", source.words), env=environment(LOGS_DIRECTORY=str(logs)))
    source.lines(3)
    procs.until(lambda: texts(u.ctl("logs").out) == source.all(), "the lines")
    u.signal(signal.SIGSTOP)
    before = time.monotonic()
    done = u.ctl("logs", env=environment(LOGS_DIRECTORY=str(logs)))
    assert time.monotonic() - before < 5 * settings.SLOW
    u.signal(signal.SIGCONT)
    assert texts(done.out) == source.all()
    assert "has not answered" in done.err and "only what is in the files" in done.err


FILE = {"pool": "web", "known": True, "device": 0, "inode": 0, "size": 0, "cut": False}


def told(path, **changes):
    return {"files": [{**FILE, "path": str(path), **changes}]}


@pytest.fixture
def ask(cli, scratch):
    """brood logs, over a log with one line, where the supervisor answers that."""

    def function(answer, state=None, status_wanted=0):
        logs = scratch / "logs"
        logs.mkdir(exist_ok=True)
        (logs / "web.log").write_text("2026-11-22T19:00:00.000000Z web/0 [1 #1] out: in the file\n")
        web = pool_told("web", output={"stdout": "log", "stderr": "log", "directory": str(logs)})
        server = FakeSupervisor(scratch / "socket", {
            "Status": state or status(web), "PendingLogs": answer(logs / "web.log")})
        try:
            done = cli("logs", "--socket", server.path,
                       env=environment(LOGS_DIRECTORY=str(scratch / "elsewhere")))
        finally:
            server.close()
            os.unlink(scratch / "socket")
        assert done.returncode == status_wanted or status_wanted is None and done.returncode < 2
        return done

    return function


def test_an_old_supervisor(ask, scratch):
    unknown = Error("org.varlink.service.MethodNotFound", method="io.brood.PendingLogs")
    done = ask(lambda path: unknown)
    assert texts(done.stdout) == ["in the file"]
    assert "another version" in done.stderr and "only what is in the files" in done.stderr
    # One that does not say where its logs are either.
    socket = str(scratch / "socket").replace("%", "%25").replace("-", "%2d")
    place = scratch / "elsewhere" / socket.replace("/", "-")[1:]
    place.mkdir(parents=True)
    (place / "web.log").write_text("2026-11-22T19:00:00.000000Z web/0 [1 #1] out: elsewhere\n")
    assert texts(ask(lambda path: unknown, status(pool_told("web"))).stdout) == ["elsewhere"]


@pytest.mark.parametrize("answer", [
    lambda path: b"nonsense\0", lambda path: {"files": 3}, lambda path: {"files": [3, None, {}]},
    lambda path: told(path, pending="no Base64!"), lambda path: told(path, pending=7, inode="x"),
    lambda path: told(path.parent / ("x" * 300)), lambda path: told("web.log"),
    lambda path: told(path, known=None),
])
def test_answers_that_make_no_sense(ask, answer):
    assert texts(ask(answer, status_wanted=None).stdout)[:1] in (["in the file"], [])


def test_a_disk_that_does_not_answer_and_an_answer_that_is_cut(ask):
    done = ask(lambda path: told(path, known=False), status_wanted=1)
    assert texts(done.stdout) == ["in the file"] and "its disk does not answer" in done.stderr
    done = ask(lambda path: told(path, known=False, error="Permission denied"), status_wanted=1)
    assert "web.log: Permission denied; what waits" in done.stderr
    assert "disk" not in done.stderr

    def cut(path):
        status_of = os.stat(path)
        return told(path, cut=True, device=status_of.st_dev, inode=status_of.st_ino, size=10)

    done = ask(cut)
    assert done.stdout == "2026-11-22\n" and "only the beginning" in done.stderr


def test_a_file_that_was_packed_meanwhile_is_asked_for_again(ask):
    asked = []

    def answers(path):
        def answer(_parameters):
            seen = os.stat(path)
            asked.append(path)
            return told(path, device=seen.st_dev, inode=seen.st_ino + (len(asked) < 3), size=0)
        return answer

    assert ask(answers).stdout == "" and len(asked) == 3


# Opening files anew.

def test_reopen(up, source, logs):
    u = up(pool("web", source.words, LogDirectory=logs))
    source.lines(2)
    wait_written(logs / "web.log", "line 00001\n")
    os.rename(logs / "web.log", logs / "moved")
    u.ctl("logs", "--reopen")
    assert (logs / "web.log").exists()
    source.lines(1)
    wait_written(logs / "web.log", "line 00002\n")
    assert texts(written(logs / "moved")) == source.all()[:2]
    done = u.ctl("logs", "--reopen", "--socket", logs / "nobody", status=6)
    assert "nothing listens" in done.err


def test_json_of_the_method(up_once, source, logs):
    u = up_once(pool("web", source.words, LogDirectory=logs))
    source.lines(1)
    wait_written(logs / "web.log", "line 00000\n")
    (file,) = u.call("PendingLogs")["files"]
    seen = (logs / "web.log").stat()
    assert file == {"pool": "web", "path": str(logs / "web.log"), "known": True, "cut": False,
                    "device": seen.st_dev, "inode": seen.st_ino, "size": seen.st_size}
    assert json.dumps(u.call("PendingLogs", pools=["web"]))
