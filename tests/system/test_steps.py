# SPDX-License-Identifier: MIT
"""The commands around the main one: before it, after it is ready, at a reload, after its end."""

import pytest

from harness import procs
from harness.config import Raw, command, pool
from harness.probe import needs_root
from harness.settings import play
from harness.up import DONE, FAILED


@pytest.fixture
def story(fifo):
    """A FIFO into which each command writes its line, and how to say so."""
    told = fifo("story")

    def says(text, *words, prefix=""):
        return command([*play(f"line:{told}={text}"), *words], prefix)

    told.says = says
    return told


def main(story, *words):
    return play(f"line:{story}=main", *words)


def test_order(up, story):
    u = up(pool("web", main(story, "notify:READY=1", "pause"), Type="notify",
                ExecStartPre=[story.says("pre 1"), story.says("pre 2")],
                ExecStartPost=[story.says("post 1"), story.says("post 2")],
                ExecStopPost=[story.says("stop-post 1"), story.says("stop-post 2")]))
    assert story.lines(5) == ["pre 1", "pre 2", "main", "post 1", "post 2"]
    u.ctl("wait", "web", "--for=ready")
    u.ctl("stop", "web")
    assert story.lines(2) == ["stop-post 1", "stop-post 2"] and story.empty()


def test_each_ends_before_the_next_begins(up_once, story, fifo):
    go = fifo("go")
    u = up_once(pool("web", main(story, "pause"),
                     ExecStartPre=story.says("pre", f"await:{go}")))
    assert story.line() == "pre"
    assert u.worker("web")["state"] == "preparing" and story.empty()
    go.release()
    assert story.line() == "main"


def test_pre_that_fails(up_once, story):
    u = up_once(pool("web", main(story, "pause"), Restart="no",
                     ExecStartPre=[story.says("pre 1", "exit:3"), story.says("pre 2")],
                     ExecStopPost=story.says("stop-post")))
    assert story.lines(2) == ["pre 1", "stop-post"]
    u.wait_state("web", "failed")
    assert story.empty() and u.worker("web")["cause"]["exit_status"] == 3
    assert "ExecStartPre" in u.ctl("start", "web", status=FAILED).err


def test_pre_that_may_fail(up_once, story):
    u = up_once(pool("web", main(story, "pause"),
                     ExecStartPre=[story.says("pre", "exit:3", prefix="-")]))
    assert story.lines(2) == ["pre", "main"]
    u.ctl("wait", "web", "--for=ready")


def test_pre_is_run_again_with_each_start(up_once, story, fifo):
    hello = fifo("hello")
    up_once(pool("web", play(f"hello:{hello}", "until:2", "(", "exit:1", ")", "pause"),
                 Restart="always", ExecStartPre=story.says("pre")))
    assert [hello.hello().generation for _ in range(3)] == [1, 2, 3]
    assert story.lines(3) == ["pre"] * 3


def test_pre_that_hangs(up_once, story):
    u = up_once(pool("web", main(story, "pause"), Restart="no", TimeoutStartSec="100ms",
                     ExecStartPre=story.says("pre", "pause")))
    u.wait_state("web", "failed")
    assert u.worker("web")["cause"]["kind"] == "start-timeout" and story.lines(1) == ["pre"]


def test_stop_during_a_pre(up_once, story):
    u = up_once(pool("web", main(story, "pause"), ExecStartPre=story.says("pre", "pause"),
                     ExecStopPost=story.says("stop-post")))
    assert story.line() == "pre"
    u.ctl("stop", "web")
    assert story.line() == "stop-post" and u.pids() == []


def test_post_that_fails(up_once, story):
    """The start has failed then, and the main process is taken back."""
    u = up_once(pool("web", main(story, "notify:READY=1", "pause"), Type="notify", Restart="no",
                     ExecStartPost=story.says("post", "exit:4")))
    u.wait_state("web", "failed")
    assert story.lines(2) == ["main", "post"] and u.pids() == []


def test_post_sees_the_main_process(up_once, fifo):
    report, hello = fifo("report"), fifo("hello")
    up_once(pool("web", play(f"hello:{hello}", "pause"),
                 ExecStartPost=command(play(f"report:{report}"))))
    assert report.report()["env"]["MAINPID"] == str(hello.hello().pid)


@pytest.mark.parametrize("words, result, code, status", [
    (["exit:0"], "success", "exited", "0"), (["exit:7"], "exit-code", "exited", "7"),
    (["raise:KILL"], "signal", "killed", "KILL")])
def test_stop_post_is_told_how_it_ended(up_once, fifo, words, result, code, status):
    report = fifo()
    up_once(pool("web", play(*words), Restart="no",
                 ExecStopPost=command(play(f"report:{report}"))))
    env = report.report()["env"]
    assert (env["SERVICE_RESULT"], env["EXIT_CODE"], env["EXIT_STATUS"]) == (result, code, status)


def test_stop_post_comes_before_the_restart(up_once, story):
    up_once(pool("web", play(f"line:{story}=main", "until:1", "(", "exit:1", ")", "pause"),
                 Restart="always", ExecStopPost=story.says("stop-post")))
    assert story.lines(3) == ["main", "stop-post", "main"]


def test_stop_post_that_hangs(up_once, story):
    u = up_once(pool("web", main(story, "pause"), TimeoutStopSec="100ms",
                     ExecStopPost=[story.says("1", "pause"), story.says("2")]))
    assert story.line() == "main"
    u.ctl("stop", "web", status=None)
    assert story.line() == "1"
    assert u.worker("web")["state"] == "stopped" and u.pids() == []


def test_reload_commands(up_once, fifo):
    told, hello = fifo("told"), fifo("hello")
    u = up_once(pool("web", play(f"tell:HUP={told}", f"hello:{hello}", "pause"),
                     ExecReload=[command(["/bin/true"]),
                                 command(["/bin/kill", "-HUP", Raw("$MAINPID")])]))
    pid = hello.hello().pid
    u.ctl("wait", "web", "--for=ready")
    for _ in range(3):
        u.ctl("reload", "web", status=DONE)
        assert told.line() == f"HUP {pid}"
    u.check_count(3, "reloaded", pool="web")


def test_reload_that_fails_ends_at_the_first(up_once, story):
    u = up_once(pool("web", main(story, "pause"),
                     ExecReload=[story.says("1", "exit:9"), story.says("2")]))
    u.ctl("wait", "web", "--for=ready")
    assert story.line() == "main"
    u.ctl("reload", "web", status=FAILED)
    assert story.line() == "1" and story.empty()
    assert u.worker("web")["state"] == "ready"


def test_oneshot_with_several_commands(up_once, story):
    u = up_once(pool("job", main(story), Type="oneshot", Restart="no").replace(
        "ExecStart=", f"ExecStart={story.says('first')}\nExecStart=", 1))
    u.wait_state("job", "done")
    assert story.lines(2) == ["first", "main"]


@needs_root
def test_privileged_command(up_once, fifo):
    """With + a command keeps what User= takes from the others."""
    one, two, three = fifo("one"), fifo("two"), fifo("three")
    up_once(pool("web", play(f"report:{three}", "pause"), User="nobody",
                 ExecStartPre=[command(play(f"report:{one}"), prefix="+"),
                               command(play(f"report:{two}"))]))
    assert [each.report()["uid"] for each in (one, two, three)] == [0, 65534, 65534]


def test_commands_of_each_worker(up_once, story):
    up_once(pool("web", main(story, "pause"), Workers=3,
                 ExecStartPre=f"{play()[0]} line:{story}=pre-%i"))
    lines = story.lines(6)
    assert sorted(line for line in lines if line != "main") == ["pre-0", "pre-1", "pre-2"]


def test_what_a_command_leaves_behind(up_once, fifo):
    """A pre command's child does not live on beside the worker when that is stopped."""
    hello = fifo()
    u = up_once(pool("web", play("pause"), ExecStartPre=command(
        play("fork", "(", "session", f"hello:{hello}", "pause", ")"))))
    pid = hello.hello().pid
    u.ctl("wait", "web", "--for=ready")
    u.ctl("stop", "web")
    procs.until(lambda: not procs.alive(pid), "the child's end")
