# SPDX-License-Identifier: MIT
"""Each command of the client: what it does, how it ends, what it says."""

import json
import time

import pytest

from harness import procs
from harness.config import Raw, command, pool
from harness.settings import SLOW, environment, play
from harness.up import BUSY, DONE, FAILED, NO_SUCH, NOBODY, TIMED_OUT, USAGE


@pytest.fixture
def web(up_once, fifo):
    """Three workers that serve, and a pool that has failed."""
    hello = fifo("hello")
    u = up_once(pool("web", play(f"hello:{hello}", "pause"), Workers=3),
                pool("bad", play("exit:3"), Restart="no"))
    u.hello = hello
    u.first = {one.worker: one.pid for one in hello.hellos(3)}
    u.ctl("wait", "web", "--for=ready")
    u.wait_state("bad", "failed")
    return u


def stubborn(hello):
    return play("ignore:TERM", f"hello:{hello}", "pause")


# --- status


def test_status_for_programs(web):
    status = web.ctl("status", "--json").json
    assert status["brood"]["pid"] == web.pid
    pools = {one["name"]: one for one in status["pools"]}
    assert pools["web"]["state"] == "up" and pools["bad"]["state"] == "failed"
    assert (pools["web"]["workers"], pools["web"]["ready"]) == (3, 3)
    workers = {one["worker"]: one for one in pools["web"]["workers_list"]}
    assert {number: one["pid"] for number, one in workers.items()} == web.first
    for one in workers.values():
        assert (one["state"], one["generation"], one["restarts"]) == ("ready", 1, 0)
        assert 0 <= one["uptime"] < 60
    (bad,) = pools["bad"]["workers_list"]
    assert bad["state"] == "failed" and bad["cause"]["exit_status"] == 3
    assert not bad.get("pid")


def test_status_measures_the_tree(web):
    (one,) = web.ctl("status", "web/1", "--json").json["pools"][0]["workers_list"]
    assert one["memory"] > 0 and one["cpu"] >= 0


def test_status_for_people(web):
    pools = web.ctl("status").out
    assert "\033" not in pools and "3/3" in pools and "exit status 3" in pools
    lines = [line for line in web.ctl("status", "web").out.splitlines()
             if str(web.first[1]) in line]
    assert len(lines) == 1 and "ready" in lines[0] and "web/1" in lines[0]


def test_status_of_one_pool(web):
    (one,) = web.ctl("status", "web", "--json").json["pools"]
    assert one["name"] == "web" and len(one["workers_list"]) == 3
    (one,) = web.ctl("status", "web/2", "--json").json["pools"]
    assert [row["pid"] for row in one["workers_list"]] == [web.first[2]]


def test_restarts_are_counted(web):
    procs.kill(web.first[0])
    again = web.hello.hello()
    one = web.wait_state("web", "ready") and web.worker("web")
    assert (one["pid"], one["generation"], one["restarts"]) == (again.pid, 2, 1)
    assert one["cause"]["signal"] == "SIGKILL"
    assert "SIGKILL" in web.ctl("status", "web").out


# --- stop and start


def test_stop_and_start(web):
    web.ctl("stop", "web")
    assert not any(procs.alive(pid) for pid in web.first.values())
    assert web.facts("web")["state"] == "stopped"
    assert web.hello.empty()
    web.ctl("start", "web")
    assert web.facts("web")["ready"] == 3
    assert set(web.worker_pids("web").values()) == {one.pid for one in web.hello.hellos(3)}


def test_stop_one_worker(web):
    web.ctl("stop", "web/1")
    assert [one["state"] for one in web.workers("web")] == ["ready", "stopped", "ready"]
    assert not procs.alive(web.first[1]) and procs.alive(web.first[0])
    web.ctl("start", "web/1")
    assert web.hello.hello().worker == 1


def test_all(web):
    web.ctl("stop", "--all")
    assert {one["state"] for one in web.call("Status")["pools"]} <= {"stopped", "failed"}
    assert web.pids() == []
    web.ctl("start", "web")


def test_what_is_so_already(web):
    web.ctl("start", "web")
    assert web.worker_pids("web") == web.first
    web.ctl("stop", "web")
    web.ctl("stop", "web")


def test_start_that_fails(up_once, scratch):
    program = scratch / "program"
    program.write_text("#!/nosuch/interpreter\n")
    program.chmod(0o755)
    u = up_once(pool("bad", [program], Restart="no"))
    u.wait_state("bad", "failed")
    done = u.ctl("start", "bad", status=FAILED)
    assert "bad" in done.err and "No such file" in done.err


def test_outcome_for_programs(up_once):
    u = up_once(pool("bad", play("notify:STATUS=dying", "exit:7"), Restart="no", Type="notify"))
    u.wait_state("bad", "failed")
    done = u.ctl("start", "bad", "--json", status=FAILED)
    (outcome,) = done.json["outcomes"]
    assert (outcome["pool"], outcome["ok"]) == ("bad", False) and "7" in outcome["text"]


def test_no_wait(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", stubborn(hello), TimeoutStopSec="60s"))
    pid = hello.hello().pid
    u.ctl("stop", "web", "--no-wait")
    u.wait_event("stopping", pool="web")
    assert procs.alive(pid)
    procs.kill(pid)
    u.ctl("wait", "web", "--for=stopped")


def test_timeout(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", stubborn(hello), TimeoutStopSec="60s"))
    pid = hello.hello().pid
    done = u.ctl("stop", "web", "--timeout", "100ms", status=TIMED_OUT)
    assert "web" in done.err
    procs.kill(pid)
    u.ctl("wait", "web", "--for=stopped")


def test_many_at_once(up_once, fifo):
    """Five pools that take 300 ms to stop do not take 1.5 s."""
    hello = fifo()
    u = up_once(*(pool(f"p{i}", stubborn(hello), TimeoutStopSec="300ms") for i in range(5)))
    hello.hellos(5)
    begin = time.monotonic()
    u.ctl("stop", *(f"p{i}" for i in range(5)), status=None)
    assert time.monotonic() - begin < 1 * SLOW
    assert u.pids() == []


def test_several_clients_wait_at_once(up_once, fifo):
    hello, go = fifo("hello"), fifo("go")
    u = up_once(pool("web", play(f"hello:{hello}", f"await:{go}", "notify:READY=1", "pause"),
                     Type="notify"))
    hello.hello()
    waiting = [u.start_ctl("wait", "web", "--for=ready") for _ in range(3)]
    assert u.ctl("status", "web", "--json").json["pools"][0]["ready"] == 0
    assert all(one.running() for one in waiting)
    go.release()
    assert [one.finish().status for one in waiting] == [DONE] * 3


def test_stop_that_somebody_else_undoes(up_once, fifo):
    """It is told that it did not come to what was asked for; it does not wait for ever."""
    hello = fifo()
    u = up_once(pool("web", stubborn(hello), TimeoutStopSec="200ms"))
    hello.hello()
    stopping = u.start_ctl("stop", "web")
    u.wait_event("stopping", pool="web")
    u.ctl("start", "web")
    assert hello.hello().generation == 2
    done = stopping.finish(2)
    assert done.status in (FAILED, BUSY) and "web" in done.err


# --- restart


def test_restart(web):
    web.ctl("restart", "web")
    again = {one.worker: one.pid for one in web.hello.hellos(3)}
    assert web.worker_pids("web") == again and not set(again.values()) & set(web.first.values())
    assert [one["restarts"] for one in web.workers("web")] == [0, 0, 0]


def test_restart_of_one_worker(web):
    web.ctl("restart", "web/2")
    again = web.hello.hello()
    assert web.worker_pids("web") == {**web.first, 2: again.pid}


def test_restart_is_no_failure(up_once, fifo):
    """By hand, as often as one likes: neither backoff nor start limit count it."""
    hello = fifo()
    u = up_once(pool("web", play(f"hello:{hello}", "pause"), StartLimitBurst=3,
                     StartLimitIntervalSec="60s", RestartSec="30s"))
    for generation in range(1, 8):
        assert hello.hello().generation == generation
        u.ctl("restart", "web")
    assert u.worker("web")["state"] == "ready"


def test_restart_during_a_backoff(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", play(f"hello:{hello}", "until:1", "(", "exit:1", ")", "pause"),
                     Restart="always", RestartSec="60s"))
    hello.hello()
    u.wait_state("web", "backing-off")
    u.ctl("restart", "web")
    assert hello.hello().generation == 2 and hello.empty()


def test_restart_beside_an_automatic_one_makes_no_double(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", play(f"hello:{hello}", "pause"), Restart="always"))
    for _ in range(10):
        pid = hello.hello().pid
        u.ctl("wait", "web", "--for=ready")
        asked = u.start_ctl("restart", "web")
        procs.kill(pid)
        assert asked.finish().status == DONE
        newest = u.worker("web")
        while not hello.empty():
            hello.hello()
        assert u.pids() == [newest["pid"]]
        procs.kill(newest["pid"])


# --- scale, signal, reset


@pytest.mark.parametrize("words, count", [("5", 5), ("+1", 4), ("-2", 1), ("3", 3)])
def test_scale(web, words, count):
    web.ctl("scale", "web", words)
    assert web.facts("web")["workers"] == count
    pids = web.worker_pids("web")
    assert sorted(pids) == list(range(count)) and len(web.pids()) == count
    kept = min(3, count)
    assert {n: pids[n] for n in range(kept)} == {n: web.first[n] for n in range(kept)}


@pytest.mark.parametrize("words", ["-4", "many", "0x3", "-0.5", ""])
def test_scale_to_nonsense(web, words):
    done = web.ctl("scale", "web", words, status=None)
    assert done.status in (USAGE, BUSY) and done.err
    assert web.worker_pids("web") == web.first


def test_signal(up_once, fifo):
    told, hello = fifo("told"), fifo("hello")
    u = up_once(pool("web", play(f"tell:USR1={told}", f"hello:{hello}", "pause"), Workers=2))
    pids = {one.worker: one.pid for one in hello.hellos(2)}
    u.ctl("signal", "web/1", "USR1")
    assert told.line() == f"USR1 {pids[1]}"
    u.ctl("signal", "web", "-s", "SIGUSR1")
    assert sorted(told.lines(2)) == sorted(f"USR1 {pid}" for pid in pids.values())


def test_signal_that_is_none(web):
    assert "WURST" in web.ctl("signal", "web", "WURST", status=USAGE).err


def test_reset(up_once):
    u = up_once(pool("bad", play("exit:1"), Restart="always", RestartSec="1ms", StartLimitBurst=2,
                     StartLimitIntervalSec="60s"))
    u.wait_state("bad", "failed")
    u.ctl("reset", "bad")
    assert u.worker("bad")["state"] == "stopped"
    assert u.facts("bad")["state"] == "stopped"
    u.check_count(2, "started")


# --- wait


def test_wait_for_ready(up_once, fifo):
    go, hello = fifo("go"), fifo("hello")
    u = up_once(pool("web", play(f"hello:{hello}", f"await:{go}", "notify:READY=1", "pause"),
                     Type="notify", Workers=2))
    hello.hellos(2)
    waiting = u.start_ctl("wait", "web", "--for=ready")
    go.release()
    procs.until(lambda: u.facts("web")["ready"] == 1, "the first")
    assert waiting.running()
    go.release()
    assert waiting.finish().status == DONE


def test_wait_for_stopped(web):
    waiting = web.start_ctl("wait", "web", "--for=stopped")
    web.ctl("stop", "web")
    assert waiting.finish().status == DONE


def test_wait_for_failed(up_once, fifo):
    go = fifo("go")
    u = up_once(pool("job", play(f"await:{go}", "exit:1"), Restart="no"))
    waiting = u.start_ctl("wait", "job", "--for=failed")
    go.release()
    done = waiting.finish()
    assert done.status == DONE and done.out == "job: failed\n"


def test_wait_in_vain(web):
    web.ctl("wait", "web", "--for=stopped", "--timeout", "50ms", status=TIMED_OUT)


def test_wait_for_what_cannot_come(web):
    """A pool that has failed will not be ready by itself."""
    done = web.ctl("wait", "bad", "--for=ready", "--timeout", "5s", status=FAILED)
    assert "bad" in done.err


# --- events


def test_events_that_have_been(web):
    rows = web.ctl("events").lines
    assert web.ctl("events", "--json").lines[:len(rows)] == rows
    assert [row["seq"] for row in rows] == sorted({row["seq"] for row in rows})
    started = [row for row in rows if row["event"] == "started" and row["pool"] == "web"]
    assert {row["worker"]: row["pid"] for row in started} == web.first
    (exited,) = [row for row in rows if row["event"] == "exited"]
    assert (exited["pool"], exited["exit_status"], exited["cause_kind"]) == ("bad", 3, "exit")
    assert exited["ran"] > 0 and exited["rusage"]["max_rss"] > 0
    assert exited["rusage"]["user"] + exited["rusage"]["system"] >= 0


def test_events_of_one_pool(web):
    assert {row["pool"] for row in web.ctl("events", "bad").lines} == {"bad"}


def test_events_as_they_come(web):
    following = web.start_ctl("events", "--follow", "web")
    rows = iter(lambda: json.loads(following.process.stdout.readline()), None)
    seen = {(row["event"], row.get("worker")) for _, row in zip(range(3), rows)}
    assert ("started", 0) in seen or ("started", 1) in seen
    procs.kill(web.first[1])
    for row in rows:
        if row["event"] == "exited":
            break
    assert (row["worker"], row["signal"], row["pid"]) == (1, "SIGKILL", web.first[1])
    web.ctl("stop", "web/2")
    for row in rows:
        if row["event"] == "stopped":
            break
    assert row["worker"] == 2
    following.process.kill()
    following.finish()


# --- reload of a pool, shutdown


def test_reload_of_a_pool(up_once, fifo):
    told, hello = fifo("told"), fifo("hello")
    u = up_once(pool("web", play(f"tell:HUP={told}", f"hello:{hello}", "pause"), Workers=2,
                     ExecReload=command(["/bin/kill", "-HUP", Raw("$MAINPID")])))
    pids = [one.pid for one in hello.hellos(2)]
    u.ctl("wait", "web", "--for=ready")
    u.ctl("reload", "web")
    assert sorted(told.lines(2)) == sorted(f"HUP {pid}" for pid in pids)
    assert sorted(u.worker_pids("web").values()) == sorted(pids)


def test_reload_that_fails(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", play(f"hello:{hello}", "pause"), ExecReload="/bin/false"))
    hello.hello()
    u.ctl("wait", "web", "--for=ready")
    assert "web" in u.ctl("reload", "web", status=FAILED).err


def test_reload_without_a_command(web):
    assert "ExecReload" in web.ctl("reload", "web", status=BUSY).err


def test_shutdown(web):
    web.ctl("shutdown")
    assert not any(procs.alive(pid) for pid in web.first.values())
    web.wait()


def test_shutdown_waits_for_all(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", stubborn(hello), TimeoutStopSec="100ms"))
    pid = hello.hello().pid
    u.ctl("shutdown", status=None)
    assert not procs.alive(pid)
    u.wait()


# --- mistakes


@pytest.mark.parametrize("words", [
    ["status", "wbe"], ["start", "wbe"], ["stop", "wbe"], ["restart", "wbe"], ["reload", "wbe"],
    ["reset", "wbe"], ["scale", "wbe", "2"], ["signal", "wbe", "TERM"],
    ["wait", "wbe", "--for=ready"], ["status", "web/7"], ["stop", "web/3"], ["events", "wbe"]],
    ids=" ".join)
def test_no_such_pool(web, words):
    done = web.ctl(*words, status=NO_SUCH)
    assert words[1] in done.err and (words[1] != "wbe" or "web" in done.err.replace("wbe", ""))
    assert web.worker_pids("web") == web.first


@pytest.mark.parametrize("words", [
    ["start"], ["stop"], ["scale", "web"], ["signal", "web"], ["wait", "web", "--for=lunch"],
    ["stop", "web", "--timeout", "soon"], ["status", "--wrong"], ["scale", "web", "1", "2"],
    ["stop", "web/x"], ["stop", "/1"], ["stop", "web", "--all"]], ids=" ".join)
def test_usage(web, words):
    done = web.ctl(*words, status=USAGE)
    assert done.err and not done.out
    assert web.worker_pids("web") == web.first


@pytest.mark.parametrize("words", [
    ["status"], ["start", "x"], ["stop", "x"], ["restart", "x"], ["reload"], ["scale", "x", "1"],
    ["signal", "x", "TERM"], ["reset", "x"], ["wait", "x", "--for=ready"], ["events"],
    ["shutdown"], ["top"]], ids=" ".join)
def test_nobody_listens(cli, scratch, words):
    done = cli(words[0], "--socket", scratch / "none", *words[1:])
    assert done.returncode == NOBODY and str(scratch / "none") in done.stderr


def test_other_place_of_the_socket(web, cli):
    assert cli("status", env=environment(BROOD_SOCKET=str(web.path))).returncode == DONE


def test_half_a_word_names_no_pool(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", play(f"hello:{hello}", "pause")),
                pool("web2", play(f"hello:{hello}", "pause")))
    hello.hellos(2)
    u.ctl("wait", "--all", "--for=ready")
    u.ctl("stop", "web")
    assert u.facts("web2")["state"] == "up"
