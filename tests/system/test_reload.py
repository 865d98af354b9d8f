# SPDX-License-Identifier: MIT
"""`brood reload`: the difference between two configurations is applied, and nothing else."""

import pytest

from harness import procs
from harness.config import command, pool, section
from harness.settings import play
from harness.up import DONE, FAILED


@pytest.fixture
def shop(up_once, fifo):
    """Two pools; web() gives the section of one with changes."""
    hello = fifo("hello")

    def web(*words, **directives):
        directives = {"Workers": 2, "Restart": "always", **directives}
        return pool("web", play(*words, f"hello:{hello}", "pause"), **directives)

    other = pool("other", play("pause"), Workers=2)
    u = up_once(web(), other)
    u.web, u.other, u.hello = web, other, hello
    u.first = {one.worker: one.pid for one in hello.hellos(2)}
    u.ctl("wait", "--all", "--for=ready")
    u.others = u.worker_pids("other")
    return u


def reload(u, *sections, status=DONE):
    u.configure(*sections)
    done = u.ctl("reload", "--json", status=status)
    return {one["pool"]: one["what"] for one in done.json["changes"]} if status == DONE else done


def test_nothing_has_changed(shop):
    changes = reload(shop, shop.web(), shop.other)
    assert set(changes.values()) <= {"unchanged"}
    assert shop.worker_pids("web") == shop.first and shop.worker_pids("other") == shop.others


def test_layout_is_no_change(shop):
    """Comments, order and another way to write the same number."""
    text = shop.web(RestartSec="1min 30s")
    reload(shop, text, shop.other)
    again = "# new\n" + shop.other + text.replace("1min 30s", "90").replace("Workers=2", "Workers = 2")
    assert set(reload(shop, again).values()) <= {"unchanged", "updated"}
    assert shop.worker_pids("web") == shop.first


def test_count(shop):
    assert reload(shop, shop.web(Workers=4), shop.other)["web"] == "scaled"
    pids = shop.worker_pids("web")
    assert len(pids) == 4 and {n: pids[n] for n in (0, 1)} == shop.first
    reload(shop, shop.web(Workers=1), shop.other)
    assert shop.worker_pids("web") == {0: shop.first[0]}
    assert shop.worker_pids("other") == shop.others


def test_rules_alone(shop):
    """They hold from now on; the processes go on as they are."""
    assert reload(shop, shop.web(Restart="no"), shop.other)["web"] == "updated"
    assert shop.worker_pids("web") == shop.first
    procs.kill(shop.first[1])
    shop.wait_state("web", "failed", number=1)


def test_command(shop):
    changes = reload(shop, shop.web("block:USR1"), shop.other)
    assert changes["web"] == "rolled" and changes.get("other", "unchanged") == "unchanged"
    again = {one.worker: one.pid for one in shop.hello.hellos(2)}
    assert shop.worker_pids("web") == again and shop.hello.empty()
    assert shop.worker_pids("other") == shop.others
    assert [one["restarts"] for one in shop.workers("web")] == [0, 0]


def test_environment(shop):
    assert reload(shop, shop.web(Environment="A=1"), shop.other)["web"] == "rolled"
    shop.hello.hellos(2)


def test_environment_file_whose_content_changed(shop, scratch):
    path = scratch / "env"
    path.write_text("A=1\n")
    reload(shop, shop.web(EnvironmentFile=path), shop.other)
    shop.hello.hellos(2)
    path.write_text("A=2\n")
    assert reload(shop, shop.web(EnvironmentFile=path), shop.other)["web"] == "rolled"
    shop.hello.hellos(2)


def test_all_in_one(shop):
    """A changed command and a changed count at once."""
    reload(shop, shop.web("block:USR1", Workers=3), shop.other)
    assert sorted(one.worker for one in shop.hello.hellos(3)) == [0, 1, 2]
    assert sorted(shop.worker_pids("web")) == [0, 1, 2]


def test_pool_that_comes(shop):
    assert reload(shop, shop.web(), shop.other, pool("new", play("pause")))["new"] == "added"
    assert shop.facts("new")["ready"] == 1
    assert shop.worker_pids("web") == shop.first


def test_pool_that_goes(shop):
    assert reload(shop, shop.other)["web"] == "removed"
    assert not any(procs.alive(pid) for pid in shop.first.values())
    assert [one["name"] for one in shop.call("Status")["pools"]] == ["other"]
    assert shop.worker_pids("other") == shop.others


def test_pool_that_comes_back(shop):
    reload(shop, shop.other)
    reload(shop, shop.web(), shop.other)
    assert {one.worker for one in shop.hello.hellos(2)} == {0, 1}


def test_stopped_pool_stays_stopped(shop):
    shop.ctl("stop", "web")
    reload(shop, shop.web("block:USR1", Workers=3), shop.other)
    assert shop.facts("web")["state"] == "stopped" and shop.hello.empty()
    shop.ctl("start", "web")
    assert len(shop.hello.hellos(3)) == 3


def test_scaled_by_hand_stays_scaled(shop):
    """A count that was set by hand outlives a reload that does not touch it."""
    shop.ctl("scale", "web", "3")
    shop.hello.hello()
    reload(shop, shop.web(RestartSec="7s"), shop.other)
    assert len(shop.worker_pids("web")) == 3


@pytest.mark.parametrize("text, says", [
    ("[Pool web]\nExecStart=/bin/true\nWorkerz=2\n", ":3: error:"),
    ("[Pool web]\nExecStart=/bin/true\nRestartSec=soon\n", ":3: error:"),
    ("[Pool web]\n", "ExecStart"),
    ("[Pool web\nExecStart=/bin/true\n", ":1: error:"),
    ("what is this\n", ":1: error:"),
    # What only shows when a process is to be made of it.
    ("[Pool web]\nExecStart=/bin/true\nUser=nosuchuser\n", "nosuchuser"),
    ("[Pool web]\nExecStart=/nosuch/program\n", "/nosuch/program"),
    ("[Pool web]\nExecStart=/bin/true\nListenStream=127.0.0.1:99999999\n", "99999999"),
    ("[Pool web]\nExecStart=/bin/true\nWorkingDirectory=nosuch\n", ":3: error:"),
])
def test_invalid_file_changes_nothing(shop, text, says):
    done = reload(shop, text, shop.other.replace("[Pool other]", "[Pool new]"),
                  status=FAILED)
    assert says in done.err and str(shop.config) in done.err
    assert shop.worker_pids("web") == shop.first and shop.worker_pids("other") == shop.others
    assert len(shop.call("Status")["pools"]) == 2
    assert reload(shop, shop.web(), shop.other)  # and the next good one is taken


def test_missing_file_changes_nothing(shop):
    shop.config.unlink()
    done = shop.ctl("reload", status=FAILED)
    assert str(shop.config) in done.err
    assert shop.worker_pids("web") == shop.first


def test_invalid_file_by_signal(shop):
    shop.configure("[Pool web]\nWorkerz=2\n")
    shop.signal(1)
    procs.until(lambda: "Workerz" in shop.text(), "the word in the log")
    assert shop.worker_pids("web") == shop.first


def test_new_command_that_does_not_come_up(up_once, fifo):
    """With surge the old workers serve on, and the reload says that it failed."""
    hello = fifo()

    def web(*words):
        return pool("web", play(*words, f"hello:{hello}", "notify:READY=1", "pause"), Workers=3,
                    Type="notify", RollingSurge=1)

    u = up_once(web())
    hello.hellos(3)
    u.ctl("wait", "web", "--for=ready")
    first = u.worker_pids("web")
    for _ in range(2):  # asked for once more, it is tried once more
        done = reload(u, web("exit:1"), status=FAILED)
        assert "web" in done.err
        assert u.worker_pids("web") == first and u.facts("web")["ready"] == 3
    # What dies now comes back as it was.
    procs.kill(first[1])
    assert hello.hello().worker == 1


@pytest.mark.parametrize("surge", [0, 1])
def test_given_up_worker_is_tried_with_the_new_command(up_once, fifo, surge):
    """What is reloaded to mend a pool mends it; where it does not, the reload says so."""
    hello = fifo()

    def web(*words):
        return pool("web", play(*words), Workers=2, Restart="no", RollingSurge=surge)

    u = up_once(web("exit:1"))
    for number in range(2):
        u.wait_state("web", "failed", number=number)
    done = reload(u, web("exit:2"), status=FAILED)
    assert "web" in done.err
    assert reload(u, web(f"hello:{hello}", "pause"))["web"] == "started"
    assert {one.worker for one in hello.hellos(2)} == {0, 1}
    assert u.facts("web")["ready"] == 2 and hello.empty()


def test_reload_during_a_reload(shop):
    """Two at once are served one after the other, or the second is refused: never mixed."""
    shop.configure(shop.web("block:USR1"), shop.other)
    both = [shop.start_ctl("reload") for _ in range(2)]
    assert sorted(one.finish().status for one in both) in ([0, 0], [0, 8])
    shop.hello.hellos(2)
    procs.until(lambda: len(shop.pids()) == 4, "the old ones' end")
    assert shop.hello.empty()


def test_reload_is_refused_nothing_while_a_worker_backs_off(up_once, fifo):
    """New rules reach a worker that waits for its restart."""
    hello = fifo()

    def web(delay):
        return pool("web", play(f"hello:{hello}", "until:1", "(", "exit:1", ")", "pause"),
                    Restart="always", RestartSec=delay)

    u = up_once(web("60s"))
    hello.hello()
    u.wait_state("web", "backing-off")
    reload(u, web("10ms"))
    u.ctl("restart", "web")
    assert hello.hello().generation == 2


def test_service_file_in_a_directory_that_is_gone(start, scratch, fifo):
    from harness.settings import BROOD
    from harness.up import Up, write_config
    hello, etc, path = fifo(), scratch / "etc", scratch / "socket"
    for name in ("one", "two"):
        write_config(etc / f"{name}.service",
                     section("Service", ExecStart=command(play(f"hello:{hello}", "pause"))))
    u = start([BROOD, "up", "--socket", path, etc], kind=Up, config=None, path=path)
    u.wait_listening()
    hello.hellos(2)
    kept = u.worker_pids("one")
    (etc / "two.service").unlink()
    u.ctl("reload")
    assert [one["name"] for one in u.call("Status")["pools"]] == ["one"]
    assert u.worker_pids("one") == kept
