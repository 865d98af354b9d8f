# SPDX-License-Identifier: MIT
"""What becomes of the output of pools that a configuration defines."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from harness import probe, procs, settings
from harness.config import pool, section
from harness.settings import play
from harness.up import FAILED

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z ([\w.@-]+)/(\d+) \[(\d+) #(\d+)( orphan)?\] "
                  r"(out|err)([:+$~!]) (.*)")


def script(text):
    return ["/bin/sh", "-c", text]


STOP = "exec sleep 1000"


def content(path):
    try:
        return path.read_text()
    except FileNotFoundError:  # not made yet, or rotated this very moment
        return ""


def rows_of(path):
    """pool, worker, pid, generation, orphan, stream, mark, text of each line."""
    return [LINE.fullmatch(row).groups() for row in content(path).splitlines()]


def texts_of(path, stream=None):
    return [row[7] for row in rows_of(path) if stream in (None, row[5])]


def await_texts(path, wanted, stream=None):
    """The writer is a thread of brood's: its files are looked at until they have it all."""
    procs.until(lambda: len(texts_of(path, stream)) >= len(wanted), f"{wanted} in {path}")
    assert texts_of(path, stream) == wanted


@pytest.fixture
def logs(scratch):
    return scratch / "log"


# --- where to

def test_log_is_what_happens_unasked(up):
    """Each control socket has a directory of its own below the one for all."""
    u = up(pool("web", script("echo out; echo err >&2; " + STOP)))
    escaped = str(u.path)[1:].replace("%", "%25").replace("-", "%2d").replace("/", "-")
    log = os.path.join(settings.LOGS.name, escaped, "web.log")
    await_texts(type(u.path)(log), ["out", "err"])


def test_tags(up, logs):
    u = up(pool("web", script("echo $BROOD_WORKER; echo bad >&2; printf torn; exit 1"), Workers=2,
                Restart="no", LogDirectory=logs))
    for worker in (0, 1):
        u.wait_event("given-up", worker=worker)
    procs.until(lambda: len(rows_of(logs / "web.log")) == 6, "six lines")
    for worker in (0, 1):
        mine = [row for row in rows_of(logs / "web.log") if row[1] == str(worker)]
        assert {row[:2] + row[3:5] for row in mine} == {("web", str(worker), "1", None)}
        assert {int(row[2]) for row in mine} == {u.wait_event("started", worker=worker)["pid"]}
        assert [row[5:] for row in mine if row[5] == "out"] == [
            ("out", ":", str(worker)), ("out", "$", "torn")]
        assert [row[5:] for row in mine if row[5] == "err"] == [("err", ":", "bad")]


@pytest.mark.parametrize("output, error, kept", [
    ("log", "null", ["out"]), ("null", "log", ["err"]), ("inherit", "log", ["err"])])
def test_streams_go_their_own_way(up, logs, output, error, kept):
    u = up(pool("web", script("echo out; echo err >&2; " + STOP), LogDirectory=logs,
                StandardOutput=output, StandardError=error), stdout=subprocess.DEVNULL)
    await_texts(logs / "web.log", kept)
    u.ctl("shutdown")
    assert u.wait() == 0 and texts_of(logs / "web.log") == kept


def test_a_file_of_its_own(up, logs, scratch):
    up(pool("web", script("echo out; echo err >&2; " + STOP), LogDirectory=logs,
            StandardOutput=f"append:{scratch}/%p.%i.out"))
    await_texts(logs / "web.log", ["err"])
    assert content(scratch / "web.0.out") == "out\n"


@pytest.mark.parametrize("directives, where", [
    ({"StandardOutput": "log"}, "log"),
    ({"StandardOutput": "log", "StandardError": "inherit"}, "log"),
    ({"StandardOutput": "append:{}/own"}, "own"),
])
def test_in_a_unit_errors_go_where_output_goes(up_once, logs, scratch, directives, where):
    directives = {key: value.format(scratch) for key, value in directives.items()}
    up_once(section("Service", ExecStart=f"/bin/sh -c 'echo out; echo err >&2; {STOP}'",
                    LogDirectory=logs, **directives), config="web.service")
    if where == "log":
        await_texts(logs / "web.log", ["out", "err"])
    else:
        procs.until(lambda: content(scratch / where) == "out\nerr\n", "both streams")


def test_on_standard_output_of_brood(up, scratch):
    with open(scratch / "all", "wb") as all_:
        up(section("Defaults", LogDirectory="-"), pool("web", script("echo a; " + STOP)),
           pool("job", script("echo b >&2; " + STOP)), stdout=all_)
    procs.until(lambda: len(rows_of(scratch / "all")) == 2, "both lines")
    assert {row[0] + row[5] + row[7] for row in rows_of(scratch / "all")} == {"webouta", "joberrb"}


@pytest.mark.parametrize("name, form", [
    ("web.log", "json"), ("web@0.out.log", "raw")])
def test_formats(up, logs, name, form):
    up(pool("web", script("echo hello; " + STOP), LogDirectory=logs, LogFormat=form,
            LogMode="0600"))
    path = logs / name
    text = procs.until(lambda: content(path), "a line")
    assert text == "hello\n" if form == "raw" else json.loads(text)["text"] == "hello"
    assert path.stat().st_mode & 0o777 == 0o600


@probe.needs_root
def test_another_owner(up_once, logs):
    up_once(pool("web", script("echo hello; " + STOP), LogDirectory=logs, LogUser="nobody"))
    await_texts(logs / "web.log", ["hello"])
    status = (logs / "web.log").stat()
    assert status.st_uid == 65534 and status.st_gid == 65534


@probe.needs_root
def test_output_opened_by_its_name(up_once, logs):
    """/dev/stdout is opened anew, with the rights of the worker."""
    up_once(pool("web", script("echo hello >/dev/stdout; " + STOP), LogDirectory=logs,
                 User="nobody"))
    await_texts(logs / "web.log", ["hello"])


# --- daemons that take logs

# What a program is started in, so that it finds a syslog daemon and a journal, or neither.
SURROUNDINGS = """
set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/journal
[ -z "$JOURNAL" ] || ln -s "$JOURNAL" /run/systemd/journal/socket
mkdir /run/dev
mount -t tmpfs none /run/dev
for node in null zero urandom random tty; do
    touch /run/dev/$node
    mount --bind /dev/$node /run/dev/$node
done
ln -s /proc/self/fd /run/dev/fd
[ -z "$SYSLOG" ] || ln -s "$SYSLOG" /run/dev/log
mount --move /run/dev /dev
exec "$@"
"""


@contextlib.contextmanager
def daemon(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taker:
        taker.bind(str(path))
        taker.settimeout(settings.WAIT)
        yield taker


@pytest.fixture
def surrounded(up):
    """Like up, with a syslog daemon and a journal at these paths."""
    prefix = ["unshare", "-m", "sh", "-c", SURROUNDINGS, "sh"]
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("file systems may not be mounted here")

    def function(*sections, syslog="", journal=""):
        return up(*sections, prefix=prefix,
                  env=settings.environment(SYSLOG=str(syslog), JOURNAL=str(journal)))

    return function


def test_syslog(surrounded, scratch):
    with daemon(scratch / "syslog") as taker:
        surrounded(pool("web", script("echo hello; " + STOP), StandardOutput="syslog",
                        StandardError="null", SyslogIdentifier="shop", SyslogFacility="local3",
                        SyslogLevel="notice"), syslog=scratch / "syslog")
        message = taker.recv(4096).decode()
    assert re.fullmatch(r'<157>1 \S+Z \S+ shop \d+ - \[brood@32473 pool="web" worker="0" '
                        r'generation="1" stream="out"\] hello', message), message


def test_journal(surrounded, scratch):
    with daemon(scratch / "journal") as taker:
        surrounded(pool("web", script("echo hello >&2; " + STOP), StandardOutput="null",
                        StandardError="journal"), journal=scratch / "journal")
        fields = taker.recv(4096).decode().splitlines()
    assert {"MESSAGE=hello", "PRIORITY=4", "SYSLOG_FACILITY=3", "SYSLOG_IDENTIFIER=web",
            "BROOD_POOL=web", "BROOD_WORKER=0", "BROOD_STREAM=err"} <= set(fields)


@pytest.mark.parametrize("target, missing", [
    ("journal", "there is no journal"), ("syslog", "there is no syslog daemon")])
def test_without_a_daemon_files_are_taken(surrounded, logs, target, missing):
    u = surrounded(pool("web", script("echo hello; " + STOP), StandardOutput=target,
                        StandardError="null", LogDirectory=logs))
    await_texts(logs / "web.log", ["hello"])
    said = u.wait_event("configuration")["reason"]
    assert f"StandardOutput={target} is taken as log" in said and missing in said
    assert f"{u.config}:3: warning" in said


def test_without_a_place_for_files_output_is_inherited(up, scratch):
    """Nobody has asked for files: who may write none shall not wait for them."""
    with open(scratch / "out", "wb") as out:
        u = up(pool("web", script("echo hello; " + STOP), StandardError="null"), stdout=out,
               env=settings.environment(LOGS_DIRECTORY="/dev/null"))
    procs.until(lambda: content(scratch / "out") == "hello\n", "the line")
    said = u.wait_event("configuration")["reason"]
    assert "pool web: StandardOutput=log is taken as inherit, no LogDirectory= is given" in said
    assert "/dev/null/" in said and "Not a directory" in said


# --- what changes while it runs

def two_lines(fifo):
    """Says something whenever it is told to, and whose life it is."""
    return script(f"exec 3<>{fifo}; while read -r line <&3; do echo $line $BROOD_GENERATION; done")


def test_how_much_is_kept_changes_at_once(up, logs, scratch):
    order = scratch / "order"
    os.mkfifo(order)
    rules = {"LogDirectory": logs, "LogCompress": "no"}
    u = up(pool("web", two_lines(order), **rules))
    pids = u.worker_pids("web")
    order.write_text("one\n")
    await_texts(logs / "web.log", ["one 1"])

    u.configure(pool("web", two_lines(order), LogMaxSize="60", LogKeep=2, **rules))
    assert "updated" in u.ctl("reload").out
    for word in ("two", "three", "four", "five"):
        order.write_text(f"{word}\n")
        procs.until(lambda: texts_of(logs / "web.log") == [f"{word} 1"], f"{word} in a new file")
    assert u.worker_pids("web") == pids
    procs.until(lambda: len(list(logs.glob("web.log.*"))) == 2, "two rotated files")
    assert sorted(text for one in logs.glob("web.log.*") for text in texts_of(one)) == [
        "four 1", "three 1"]


def test_another_place_takes_new_processes(up, logs, scratch):
    order = scratch / "order"
    os.mkfifo(order)
    u = up(pool("web", two_lines(order), LogDirectory=logs))
    order.write_text("one\n")
    await_texts(logs / "web.log", ["one 1"])
    u.configure(pool("web", two_lines(order), LogDirectory=scratch / "other"))
    assert "1 of 1 worker ready" in u.ctl("reload").out
    u.wait_event("exited", generation=1)  # which reads the same orders
    order.write_text("two\n")
    await_texts(scratch / "other" / "web.log", ["two 2"])
    assert texts_of(logs / "web.log") == ["one 1"]


def test_what_is_wrong_changes_nothing(up, logs):
    good = pool("web", play("pause"), LogDirectory=logs)
    u = up(good)
    pids = u.worker_pids("web")
    u.configure(good + "LogOverflow=wait\n")
    assert "LogOverflow" in u.ctl("reload", status=FAILED).err
    u.configure(good + "LogUser=nobody-of-that-name\n")
    assert "nobody-of-that-name" in u.ctl("reload", status=FAILED).err
    assert u.worker_pids("web") == pids


def test_moved_files_are_opened_anew(up, logs, scratch):
    order = scratch / "order"
    os.mkfifo(order)
    u = up(pool("web", two_lines(order), LogDirectory=logs))
    order.write_text("one\n")
    await_texts(logs / "web.log", ["one 1"])
    (logs / "web.log").rename(logs / "moved")
    u.signal(signal.SIGUSR1)
    procs.until((logs / "web.log").exists, "a new file")
    order.write_text("two\n")
    await_texts(logs / "web.log", ["two 1"])
    assert texts_of(logs / "moved") == ["one 1"]


def test_last_words_of_a_stop(up, logs):
    u = up(pool("web", script("trap 'seq 1 50000; echo bye; exit 0' TERM; echo up; "
                              "while :; do sleep 0.05; done"), LogDirectory=logs))
    await_texts(logs / "web.log", ["up"])
    u.ctl("shutdown")
    assert u.wait() == 0
    assert texts_of(logs / "web.log", "out") == ["up", *(str(n) for n in range(1, 50001)), "bye"]


# --- who writes too much, and who does not let go

@pytest.mark.parametrize("mode", ["control-group", "process"])
def test_an_orphan_holds_nothing_up(up, logs, scratch, mode):
    """What still holds the output of a dead process is heard, and told from its successor."""
    order = scratch / "order"
    os.mkfifo(order)
    u = up(pool("web", script(f"[ $BROOD_GENERATION -gt 1 ] && {STOP}; "
                              f"setsid sh -c 'read -r line <{order}; echo $line' & "
                              "echo gone; exit 1"), Restart="always", KillMode=mode,
                LogDirectory=logs))
    u.wait_event("started", generation=2)
    order.write_text("late\n")
    procs.until(lambda: len(rows_of(logs / "web.log")) == 2, "the orphan's line")
    first, late = rows_of(logs / "web.log")
    assert first[4:] == (None, "out", ":", "gone") and late[4:] == (" orphan", "out", ":", "late")
    assert first[2:4] == late[2:4]


def test_a_limited_rate_is_said(up, logs):
    up(pool("web", script("seq 1 100; sleep 0.3; echo after; " + STOP), LogDirectory=logs,
            LogRateLimitBurst=10, LogRateLimitIntervalSec="200ms"))
    await_texts(logs / "web.log", [
        *(str(n) for n in range(1, 11)),
        "90 lines suppressed: more than 10 within 200ms (LogRateLimitBurst=)", "after"])


@pytest.fixture
def full_disk(scratch):
    """A small disk with no room; writes what it is to do with each line to a FIFO of its own."""
    place = scratch / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place],
                             capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("file systems may not be mounted here")
    ballast = place / "ballast"
    with contextlib.suppress(OSError), open(ballast, "wb") as file:
        while True:
            file.write(b"x" * 4096)
            file.flush()
    yield place, ballast
    subprocess.run(["umount", "-l", place], check=True)


LOUD = "i=0; while [ $i -lt 10000 ]; do echo a line that is long enough $i; i=$((i+1)); done; "


def test_a_full_disk_blocks_only_who_writes(up, full_disk, fifo):
    disk, ballast = full_disk
    done, hello = fifo(), fifo()
    u = up(pool("loud", script(LOUD + f"echo done >{done}; " + STOP), LogDirectory=disk,
                LogMaxSize="32K", LogKeep=1, LogCompress="no"),
           pool("calm", play(f"hello:{hello}", "pause"), Restart="always", LogDirectory=disk))
    hello.hello()
    trouble = u.wait_event("output-trouble")["reason"]
    assert trouble.startswith(f"{disk}/loud.log: No space left on device")
    for _ in range(3):
        procs.kill(u.worker_pids("calm")[0])
        hello.hello()
    assert done.empty() and len(u.select_events("output-trouble")) == 1
    assert u.facts("loud")["output"]["held_back"] == 1
    assert f"{disk}, 1 stream held back" in u.ctl("status", "loud").out
    assert u.facts("calm")["output"]["held_back"] == 0
    ballast.unlink()
    assert done.line() == "done"
    u.wait_event("output-healed")
    u.ctl("shutdown")
    assert u.wait() == 0
    kept = [one for path in (*sorted(disk.glob("loud.log.*")), disk / "loud.log")
            for one in texts_of(path)]
    assert kept == [f"a line that is long enough {i}" for i in range(10000 - len(kept), 10000)]


def test_a_full_disk_drops_and_says_how_much(up, full_disk, fifo):
    disk, ballast = full_disk
    done = fifo()
    u = up(pool("loud", script(LOUD + f"echo done >{done}; " + STOP), LogDirectory=disk,
                LogOverflow="drop", LogBuffer="4K"))
    assert done.line() == "done"
    dropped = procs.until(lambda: u.facts("loud")["output"]["dropped_lines"], "dropped lines")
    assert re.search(rf"{disk}, \d+ lines dropped", u.ctl("status", "loud").out)
    ballast.unlink()
    u.wait_event("output-healed")
    u.ctl("shutdown")
    assert u.wait() == 0
    rows = rows_of(disk / "loud.log")
    missing = [int(re.match(r"(\d+) lines are missing", row[7])[1]) for row in rows if row[6] == "!"]
    assert sum(missing) >= dropped and sum(missing) + sum(row[6] == ":" for row in rows) == 10000
