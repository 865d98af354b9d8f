# SPDX-License-Identifier: MIT
"""When a worker counts as ready, and what else it may say about itself."""

import os
import shutil
import stat

import pytest

from harness import procs
from harness.config import pool, section
from harness.probe import needs_root
from harness.settings import play
from harness.up import DONE, FAILED

READY = "notify:READY=1"


def notifying(name, *words, **directives):
    return pool(name, play(*words), Type="notify", **directives)


def test_not_ready_before_it_says_so(up, fifo):
    hello, go = fifo("hello"), fifo("go")
    u = up(notifying("web", f"hello:{hello}", f"await:{go}", READY, "pause"))
    hello.hello()
    assert u.worker("web")["state"] == "starting" and u.facts("web")["ready"] == 0
    assert u.facts("web")["state"] == "starting" and not u.select_events("ready")
    go.release()
    u.wait_event("ready", pool="web")
    assert u.worker("web")["state"] == "ready" and u.facts("web")["state"] == "up"


@pytest.mark.parametrize("place", [None, "path", "abstract"])
def test_socket_of_either_kind(up_once, fifo, scratch, place):
    report = fifo()
    brood = [] if place is None else [section("Brood", NotifySocket={
        "path": str(scratch / "notify"), "abstract": "abstract"}[place])]
    u = up_once(*brood, notifying("web", f"report:{report}", READY, "pause"))
    path = report.report()["env"]["NOTIFY_SOCKET"]
    if place == "path":
        assert path.startswith(str(scratch / "notify"))
        assert stat.S_ISSOCK(os.stat(path).st_mode)
    if place == "abstract":
        assert path.startswith("@")
    u.wait_event("ready", pool="web")
    assert u.stop() == 0
    assert not os.path.exists(path)


@needs_root
def test_sender_without_rights(up_once, scratch):
    u = up_once(section("Brood", NotifySocket=str(scratch / "notify")),
                notifying("web", READY, "pause", User="nobody"))
    u.wait_event("ready", pool="web")


def test_simple_is_ready_when_it_runs(up_once):
    u = up_once(pool("web", play("pause"), Type="simple"))
    u.wait_event("ready", pool="web")


def test_exec_that_fails(up_once, scratch):
    program = scratch / "program"
    program.write_text("#!/nosuch/interpreter\n")
    program.chmod(0o755)
    u = up_once(pool("web", [program], Type="exec", Restart="no"))
    row = u.wait_event("exited", pool="web")
    assert row["cause_kind"] == "exec" and row["exit_status"] == 127
    assert u.facts("web")["ready"] == 0 and not u.select_events("ready")


def test_end_before_readiness(up_once):
    u = up_once(notifying("web", "exit:0", Restart="no"))
    procs.until(lambda: u.worker("web")["state"] in ("done", "failed"), "the end")
    assert not u.select_events("ready")
    assert u.ctl("start", "web", status=FAILED).err


def test_oneshot_is_up_when_it_is_done(up_once, fifo):
    go, hello = fifo("go"), fifo("hello")
    u = up_once(pool("job", play(f"hello:{hello}", f"await:{go}"), Type="oneshot", Restart="no"))
    hello.hello()
    assert u.worker("job")["state"] == "starting"
    go.release()
    u.wait_state("job", "done")
    u.ctl("wait", "job", "--for=ready", status=DONE)


def test_line_on_a_descriptor(up, fifo):
    """As s6 has it: a newline, or not."""
    hello, go = fifo("hello"), fifo("go")
    u = up(notifying("web", f"hello:{hello}", f"await:{go}", "put:5=ready", "close:5", "pause",
                     NotifyDescriptor=5))
    hello.hello()
    assert u.worker("web")["state"] == "starting"
    go.release()
    u.wait_event("ready", pool="web")


def test_descriptor_that_is_closed_in_silence(up_once):
    u = up_once(notifying("web", "close:5", "pause", NotifyDescriptor=5, TimeoutStartSec="100ms",
                          Restart="no"))
    assert u.wait_event("exited", pool="web")["cause_kind"] == "start-timeout"
    assert not u.select_events("ready")


# --- who may speak


def test_child_may_not_by_default(up_once, fifo):
    hello = fifo()
    u = up_once(notifying("web", "fork", "(", READY, f"hello:{hello}", "pause", ")", "pause",
                          TimeoutStartSec="200ms", Restart="no"))
    hello.hello()
    assert u.wait_event("exited", pool="web")["cause_kind"] == "start-timeout"


@pytest.mark.parametrize("access", ["all", "exec"])
def test_access(up_once, access):
    """exec: the main process and its commands; all: whatever belongs to the worker."""
    u = up_once(notifying("web", "fork", "(", READY, "pause", ")", "pause", NotifyAccess=access,
                          TimeoutStartSec="300ms" if access == "exec" else "20s", Restart="no"))
    if access == "all":
        u.wait_event("ready", pool="web")
    else:
        assert u.wait_event("exited", pool="web")["cause_kind"] == "start-timeout"


def test_child_that_is_gone_at_once(up):
    """The kernel's credentials tell who it was, though there is no such process any more."""
    u = up(notifying("web", "repeat:1", "(", "fork", "(", READY, ")", ")", "pause",
                     NotifyAccess="all", Workers=20))
    u.wait_event("ready", nth=20, pool="web")


def test_main_process_that_is_gone_at_once(up):
    """What it said before its end is not lost."""
    u = up(notifying("job", "notify:READY=1\nSTATUS=all done", "exit:3", Restart="no", Workers=10))
    for number in range(10):
        u.wait_event("exited", pool="job", worker=number)
        order = [event for event, worker in u.order("ready", "exited") if worker == number]
        assert order == ["ready", "exited"]


@needs_root
def test_stranger_may_not(up_once, fifo, scratch):
    """Somebody else's process on the worker's own socket."""
    report = fifo("report")
    u = up_once(section("Brood", NotifySocket=str(scratch / "notify")),
                notifying("web", f"report:{report}", "pause", NotifyAccess="all", User="nobody",
                          TimeoutStartSec="500ms", Restart="no"))
    path = report.report()["env"]["NOTIFY_SOCKET"]
    import subprocess
    subprocess.run(play("user:12345", READY), env={"NOTIFY_SOCKET": path}, check=False)
    assert u.wait_event("exited", pool="web")["cause_kind"] == "start-timeout"


def test_other_worker_may_not_speak_for_it(up_once, fifo):
    """Each worker has its own socket and says nothing about its neighbours."""
    report = fifo()
    u = up_once(notifying("web", f"report:{report}", "only:0", "(", READY, ")", "pause", Workers=2))
    paths = {report.report()["env"]["NOTIFY_SOCKET"] for _ in range(2)}
    u.wait_event("ready", pool="web", worker=0)
    assert len(paths) == 2
    assert u.worker("web", 1)["state"] == "starting"


# --- what it may say


def test_status_text(up_once):
    u = up_once(notifying("web", "notify:STATUS=serving 3 clients", READY, "pause"))
    u.wait_event("ready", pool="web")
    assert u.worker("web")["status"] == "serving 3 clients"
    assert "serving 3 clients" in u.ctl("status", "web").out


def test_status_text_with_control_characters(up_once):
    u = up_once(notifying("web", "notify:STATUS=a\033[31mb\tc\nREADY=1", "pause"))
    u.wait_event("ready", pool="web")
    assert "\033" not in u.ctl("status", "web").out


def test_error_that_it_tells_of(up_once):
    """ERRNO= is shown for as long as no later process runs, after the end, too."""
    u = up_once(notifying("web", "notify:ERRNO=2", "exit:1", Restart="no"))
    u.wait_state("web", "failed")
    assert u.worker("web")["errno"] == 2
    assert "No such file or directory" in u.ctl("status", "web/0").out


def test_stopping_is_shown(up_once, fifo):
    hello = fifo("hello")
    u = up_once(notifying("web", READY, "notify:STOPPING=1", "barrier", f"hello:{hello}", "pause"))
    hello.hello()
    assert u.worker("web")["stopping"]
    assert "says it is stopping" in u.ctl("status", "web/0").out


def test_reloading(up_once, fifo):
    hello, go = fifo("hello"), fifo("go")
    u = up_once(notifying("web", READY, "notify:RELOADING=1\nMONOTONIC_USEC=1", "barrier",
                          f"hello:{hello}", f"await:{go}", READY, "barrier", f"hello:{hello}",
                          "pause"))
    hello.hello()
    assert u.worker("web")["reloading"] and u.worker("web")["state"] == "ready"
    go.release()
    hello.hello()
    assert not u.worker("web")["reloading"]
    u.check_count(1, "ready")


def test_stopping_by_itself(up_once, fifo):
    """Who says STOPPING=1 is no longer ready, and is started again when it has gone."""
    hello, go = fifo("hello"), fifo("go")
    u = up_once(notifying("web", READY, "until:1", "(", "notify:STOPPING=1", "barrier",
                          f"hello:{hello}", f"await:{go}", "exit:0", ")", "pause",
                          Restart="always"))
    hello.hello()
    assert u.worker("web")["state"] != "failed" and u.facts("web")["workers"] == 1
    go.release()
    u.wait_event("ready", nth=2, pool="web")


def test_main_process_cannot_be_moved(up_once, fifo):
    hello = fifo()
    u = up_once(notifying("web", f"notify:MAINPID={os.getpid()}\nREADY=1", "barrier",
                          f"hello:{hello}", "pause"))
    assert u.worker("web")["pid"] == hello.hello().pid
    u.ctl("restart", "web")
    assert os.getpid() != hello.hello().pid


def test_start_timeout(up):
    u = up(notifying("web", "pause", TimeoutStartSec="100ms", Restart="no"))
    row = u.wait_event("exited", pool="web")
    assert row["cause_kind"] == "start-timeout" and row["ran"] >= 0.1
    u.wait_state("web", "failed")
    assert u.worker("web")["cause"]["kind"] == "start-timeout"


def test_start_timeout_of_one_that_will_not_go(up_once):
    u = up_once(notifying("web", "ignore:TERM", "pause", TimeoutStartSec="50ms",
                          TimeoutStopSec="50ms", Restart="no"))
    row = u.wait_event("exited", pool="web")
    assert row["cause_kind"] == "start-timeout" and "SIGKILL" in row["cause"]


def test_start_timeout_is_a_failure_that_is_restarted(up_once, fifo):
    hello = fifo()
    u = up_once(notifying("web", f"hello:{hello}", "until:1", "(", "pause", ")", READY, "pause",
                          TimeoutStartSec="50ms", Restart="on-failure"))
    assert [hello.hello().generation for _ in range(2)] == [1, 2]
    u.wait_event("ready", pool="web")


def test_more_time(up_once):
    """EXTEND_TIMEOUT_USEC: as long as it asks, it gets on."""
    u = up_once(notifying("web", "repeat:8", "(", "notify:EXTEND_TIMEOUT_USEC=200000", "sleep:50",
                          ")", READY, "pause", TimeoutStartSec="150ms", Restart="no"))
    u.wait_event("ready", pool="web")
    assert not u.select_events("exited")


def test_more_time_is_not_for_ever(up_once):
    u = up_once(notifying("web", "notify:EXTEND_TIMEOUT_USEC=200000", "pause",
                          TimeoutStartSec="100ms", Restart="no"))
    assert 0.2 <= u.wait_event("exited", pool="web")["ran"] < 5


@needs_root
def test_systemd_notify_in_a_shell(up_once):
    """As root it speaks in its parent's name; its barrier comes in its own, and is no offence."""
    if not shutil.which("systemd-notify"):
        pytest.skip("no systemd-notify here")
    script = "systemd-notify --ready --status=up; exec sleep 1000"
    u = up_once(pool("web", ["/bin/sh", "-c", script], Type="notify"))
    u.ctl("wait", "web", "--for=ready")
    assert u.worker("web")["status"] == "up"
    assert not u.select_events("unheard")


def test_barrier(up_once, fifo):
    """Whoever has passed it knows that what was said before has taken effect."""
    hello = fifo()
    u = up_once(notifying("web", "notify:STATUS=before\nREADY=1", "barrier", f"hello:{hello}",
                          "pause", Workers=5))
    for one in hello.hellos(5):
        worker = u.worker("web", one.worker)
        assert (worker["state"], worker["status"]) == ("ready", "before")


def test_descriptors_with_a_message_are_closed(up_once, fifo):
    """Those that nobody asked for do not stay in brood."""
    hello = fifo()
    u = up_once(notifying("web", "repeat:50", "(", "notify-fds:20=STATUS=x", ")", READY, "barrier",
                          f"hello:{hello}", "pause"))
    hello.hello()
    assert len(os.listdir(f"/proc/{u.pid}/fd")) < 100


@pytest.mark.parametrize("message", [
    "", "\n\n\n", "READY", "=", "READY=0", "READY=11", "STATUS=" + "x" * 3000, "X" * 4000,
    "WATCHDOG_USEC=-1", "EXTEND_TIMEOUT_USEC=99999999999999999999", "ERRNO=abc", "\x01\x02",
    "FDSTORE=1", "BARRIER=1\nREADY=1"], ids=lambda text: repr(text[:30]))
def test_nonsense(up_once, fifo, message):
    hello = fifo()
    u = up_once(notifying("web", f"notify:{message}", READY, f"hello:{hello}", "pause"))
    hello.hello()
    u.wait_event("ready", pool="web")


def test_flood(up_once, fifo):
    """One that never stops talking does not keep the others from being served."""
    hello = fifo()
    u = up_once(notifying("loud", READY, "repeat:100000000", "(", "notify:STATUS=talk", ")"),
                pool("web", play(f"hello:{hello}", "pause")))
    u.wait_event("ready", pool="loud")
    for _ in range(5):
        procs.kill(hello.hello().pid)
    assert hello.hello().generation == 6


# --- the descriptor store


def test_store_comes_back(up, fifo):
    report, content = fifo("report"), fifo("content")
    u = up(notifying("web", "until:1", "(", "store:state=kept by brood", "barrier", READY,
                     f"report:{report}", "pause", ")", f"report:{report}",
                     f"read:3={content}", READY, "pause", FileDescriptorStoreMax=4,
                     Restart="always"))
    first = report.report()
    assert "LISTEN_FDS" not in first["env"]
    procs.kill(first["pid"])
    second = report.report()
    assert second["env"]["LISTEN_FDS"] == "1" and second["env"]["LISTEN_FDNAMES"] == "state"
    assert second["env"]["LISTEN_PID"] == str(second["pid"])
    assert content.line() == "kept by brood"


def test_store_is_bounded(up_once, fifo):
    hello, report = fifo("hello"), fifo("report")
    u = up_once(notifying("web", "until:1", "(", "repeat:9", "(", "store:a=x", ")", "barrier",
                          f"hello:{hello}", "pause", ")", f"report:{report}", READY, "pause",
                          FileDescriptorStoreMax=3, Restart="always"))
    procs.kill(hello.hello().pid)
    env = report.report()["env"]
    assert (env["LISTEN_FDS"], env["LISTEN_FDNAMES"]) == ("3", "a:a:a")
    assert u.stop() == 0


def test_store_removes_by_name(up_once, fifo):
    hello, report = fifo("hello"), fifo("report")
    up_once(notifying("web", "until:1", "(", "store:a=1", "store:b=2", "store:a=3",
                      "notify:FDSTOREREMOVE=1\nFDNAME=a", "barrier", f"hello:{hello}", "pause",
                      ")", f"report:{report}", READY, "pause", FileDescriptorStoreMax=9,
                      Restart="always"))
    procs.kill(hello.hello().pid)
    env = report.report()["env"]
    assert (env["LISTEN_FDS"], env["LISTEN_FDNAMES"]) == ("1", "b")


def test_no_store_by_default(up_once, fifo):
    hello, report = fifo("hello"), fifo("report")
    up_once(notifying("web", "until:1", "(", "store:a=1", "barrier", f"hello:{hello}", "pause",
                      ")", f"report:{report}", READY, "pause", Restart="always"))
    procs.kill(hello.hello().pid)
    assert "LISTEN_FDS" not in report.report()["env"]
