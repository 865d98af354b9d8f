# SPDX-License-Identifier: MIT
"""Each directive takes effect on a real process: what the worker itself sees of it.

What a directive may say, and what is refused, is the affair of test_check.py.
"""

import grp
import os
import pwd
import signal
import socket

import pytest

from harness import procs
from harness.config import Raw, command, pool, section
from harness.probe import effective_capability, needs_root
from harness.settings import environment, play

CHOWN, NET_BIND_SERVICE, SYS_NICE, SYS_RESOURCE = 0, 10, 23, 24

raise_limits = pytest.mark.skipif(not effective_capability(SYS_RESOURCE),
                                  reason="needs CAP_SYS_RESOURCE")
negative_nice = pytest.mark.skipif(not effective_capability(SYS_NICE), reason="needs CAP_SYS_NICE")


@pytest.fixture
def seen(up_once, fifo):
    """Runs one worker with these directives; its report."""

    def function(words=(), brood=None, before=(), **directives):
        report = fifo()
        u = up_once(*before, pool("web", [*play(f"report:{report}"), *words, "pause"], **directives),
                    **(brood or {}))
        result = report.report()
        result["brood"] = u
        return result

    return function


def capabilities(report, key):
    return int(report["status"][key], 16)


def mask(*numbers):
    return sum(1 << number for number in numbers)


ROWS = [
    # --- environment
    ({"Environment": "A=1 B=2"}, lambda r: (r["env"]["A"], r["env"]["B"]) == ("1", "2")),
    ({"Environment": ["A=1", "B=2", "A=3"]}, lambda r: (r["env"]["A"], r["env"]["B"]) == ("3", "2")),
    ({"Environment": ["A=1", "", "B=2"]}, lambda r: "A" not in r["env"] and r["env"]["B"] == "2"),
    ({"Environment": '"A=two words" \'B=x "y"\''},
     lambda r: (r["env"]["A"], r["env"]["B"]) == ("two words", 'x "y"')),
    ({"Environment": r'"A=tab\there" B=hex\x41'},
     lambda r: (r["env"]["A"], r["env"]["B"]) == ("tab\there", "hexA")),
    ({"Environment": '"A=%p/%i of %w, 100%%"'}, lambda r: r["env"]["A"] == "web/0 of 1, 100%"),
    ({"Environment": "A=%H"}, lambda r: r["env"]["A"] == socket.gethostname()),
    ({"Environment": "A=x$HOME"}, lambda r: r["env"]["A"] == "x$HOME"),
    ({"UnsetEnvironment": "OUTER"}, lambda r: "OUTER" not in r["env"] and r["env"]["PATH"]),
    # --- places
    ({"WorkingDirectory": "/usr"}, lambda r: r["cwd"] == "/usr"),
    ({"WorkingDirectory": "-/nosuch"}, lambda r: r["cwd"] == "/"),
    ({"UMask": "0027"}, lambda r: r["umask"] == 0o027),
    ({"StandardInput": "null"}, lambda r: r["fds"][0]["target"] == "/dev/null"),
    ({"StandardOutput": "null"}, lambda r: r["fds"][1]["target"] == "/dev/null"),
    ({"StandardError": "null"}, lambda r: r["fds"][2]["target"] == "/dev/null"),
    # --- how much
    ({"LimitNOFILE": "100:200"}, lambda r: r["limits"]["NOFILE"] == [100, 200]),
    ({"LimitNOFILE": "300"}, lambda r: r["limits"]["NOFILE"] == [300, 300]),
    ({"LimitFSIZE": "1M"}, lambda r: r["limits"]["FSIZE"] == [1 << 20, 1 << 20]),
    ({"LimitCPU": "1min"}, lambda r: r["limits"]["CPU"] == [60, 60]),
    ({"LimitCORE": "0"}, lambda r: r["limits"]["CORE"] == [0, 0]),
    pytest.param({"LimitNICE": "+5"}, lambda r: r["limits"]["NICE"][0] == 15, marks=raise_limits),
    ({"LimitSTACK": "infinity"}, lambda r: r["limits"]["STACK"][0] == "infinity"),
    ({"Nice": "7"}, lambda r: r["nice"] == 7),
    pytest.param({"Nice": "-5"}, lambda r: r["nice"] == -5, marks=negative_nice),
    ({"CPUAffinity": "0"}, lambda r: r["cpus"] == [0]),
    ({"OOMScoreAdjust": "500"}, lambda r: r["oom_score"] == 500),
    # --- rights
    ({"NoNewPrivileges": "yes"}, lambda r: r["status"]["NoNewPrivs"] == "1"),
    ({"NoNewPrivileges": "no"}, lambda r: r["status"]["NoNewPrivs"] == "0"),
    pytest.param({"User": "nobody"}, lambda r: (r["uid"], r["gid"]) == (
        pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid), marks=needs_root),
    pytest.param({"User": "54321", "Group": "54322"},
                 lambda r: (r["uid"], r["gid"]) == (54321, 54322), marks=needs_root),
    pytest.param({"User": "nobody", "SupplementaryGroups": "games 12345"},
                 lambda r: {grp.getgrnam("games").gr_gid, 12345} <= set(r["groups"]),
                 marks=needs_root),
    pytest.param({"Group": "daemon"}, lambda r: (r["uid"], r["gid"]) == (
        0, grp.getgrnam("daemon").gr_gid), marks=needs_root),
    pytest.param({"User": "nobody"}, lambda r: (
        r["env"]["USER"], r["env"]["LOGNAME"], r["env"]["HOME"], r["env"]["SHELL"]) == (
        "nobody", "nobody", pwd.getpwnam("nobody").pw_dir, pwd.getpwnam("nobody").pw_shell),
        marks=needs_root),
    pytest.param({"CapabilityBoundingSet": "CAP_CHOWN CAP_NET_BIND_SERVICE"},
                 lambda r: capabilities(r, "CapBnd") == mask(CHOWN, NET_BIND_SERVICE),
                 marks=needs_root),
    pytest.param({"CapabilityBoundingSet": ["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]},
                 lambda r: capabilities(r, "CapBnd") == mask(CHOWN, NET_BIND_SERVICE),
                 marks=needs_root),
    pytest.param({"CapabilityBoundingSet": "~CAP_CHOWN"},
                 lambda r: not capabilities(r, "CapBnd") & mask(CHOWN)
                 and capabilities(r, "CapBnd") & mask(NET_BIND_SERVICE), marks=needs_root),
    pytest.param({"CapabilityBoundingSet": ""}, lambda r: capabilities(r, "CapBnd") == 0,
                 marks=needs_root),
    pytest.param({"User": "nobody", "AmbientCapabilities": "CAP_NET_BIND_SERVICE"},
                 lambda r: capabilities(r, "CapEff") == mask(NET_BIND_SERVICE)
                 and capabilities(r, "CapAmb") == mask(NET_BIND_SERVICE), marks=needs_root),
    # --- brood's own
    ({"ParentDeathSignal": "USR1"}, lambda r: r["death_signal"] == signal.SIGUSR1),
    ({}, lambda r: int(r["status"]["SigIgn"], 16) == 0 and int(r["status"]["SigBlk"], 16) == 0),
    ({}, lambda r: set(r["fds"]) == {0, 1, 2} and r["fds"][0]["target"] == "/dev/null"),
]


def name_of(value):
    return " ".join(f"{k}={v}" for k, v in value.items()) or "nothing" \
        if isinstance(value, dict) else ""


@pytest.mark.parametrize("directives, holds", ROWS, ids=name_of)
def test_directive(seen, directives, holds):
    report = seen(brood={"env": environment(OUTER="there")}, **directives)
    report.pop("brood")
    assert holds(report), report


# --- what needs files


def test_environment_file(seen, scratch):
    path = scratch / "env"
    path.write_text('# a comment\n; another\n\nA=plain\nB="two words"\nC=one \\\ntwo\nD=\n')
    env = seen(EnvironmentFile=path, Environment="A=over E=kept")["env"]
    # As systemd has it: the file is stronger than Environment=.
    assert (env["A"], env["B"], env["C"], env["D"], env["E"]) == (
        "plain", "two words", "one two", "", "kept")


def test_environment_file_that_may_be_missing(seen, scratch):
    path = scratch / "env"
    path.write_text("A=1\n")
    assert seen(EnvironmentFile=["-/nosuch/file", path])["env"]["A"] == "1"


def test_pass_environment(seen):
    env = seen(PassEnvironment="OUTER", brood={"env": environment(OUTER="there")})["env"]
    assert env["OUTER"] == "there"


@pytest.mark.parametrize("kind, content", [
    ("append", "before\nsaid\n"), ("truncate", "said\n"), ("file", "said\ne\n")])
def test_output_into_a_file(seen, scratch, kind, content):
    path = scratch / "out"
    path.write_text("before\n")
    report = seen(words=["put:1=said"], StandardOutput=f"{kind}:{path}")
    assert report["fds"][1]["target"] == str(path)
    procs.until(lambda: path.read_text() == content, f"{content!r} in the file")


def test_output_file_of_each_worker(up_once, scratch):
    up_once(pool("web", play("say:here", "pause"), Workers=2,
                 StandardOutput=f"append:{scratch}/out.%i"))
    for number in (0, 1):
        path = scratch / f"out.{number}"
        procs.until(lambda: path.exists() and path.read_text() == "here\n", f"the text in {path}")


def test_error_into_the_same_file(seen, scratch):
    path = scratch / "out"
    seen(words=["put:1=one", "put:2=two"], StandardOutput=f"append:{path}",
         StandardError=f"append:{path}")
    procs.until(lambda: path.read_text() == "one\ntwo\n", "both lines")


def test_input_from_a_file(seen, scratch):
    path = scratch / "in"
    path.write_text("text")
    facts = seen(StandardInput=f"file:{path}")["fds"][0]
    assert facts["target"] == str(path)


@needs_root
def test_root_directory(up_once, scratch):
    """A static program in a root of its own: only its exit status comes out."""
    jail = scratch / "jail"
    (jail / "bin").mkdir(parents=True)
    (jail / "bin/true").write_bytes(static_true())
    (jail / "bin/true").chmod(0o755)
    u = up_once(pool("job", ["/bin/true"], RootDirectory=jail, Restart="no", Type="exec"))
    u.wait_state("job", "done")


def static_true():
    """A program that needs no other file: exit(0)."""
    import struct
    code = b"\xb8\x3c\x00\x00\x00\x31\xff\x0f\x05"
    if os.uname().machine != "x86_64":
        pytest.skip("a program for x86-64")
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01" + bytes(9), 2, 62, 1, 0x400078,
                       64, 0, 0, 64, 56, 1, 0, 0, 0)
    part = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 120 + len(code), 120 + len(code),
                       4096)
    return head + part + code


@needs_root
@pytest.mark.parametrize("kind, variable", [
    ("Runtime", "RUNTIME_DIRECTORY"), ("State", "STATE_DIRECTORY"), ("Cache", "CACHE_DIRECTORY"),
    ("Logs", "LOGS_DIRECTORY")])
def test_directories_of_the_pool(seen, kind, variable):
    name = f"brood-test-{os.getpid()}"
    place = {"Runtime": "/run", "State": "/var/lib", "Cache": "/var/cache", "Logs": "/var/log"}[kind]
    path = f"{place}/{name}"
    environ = environment()
    environ.pop("XDG_RUNTIME_DIR", None)
    try:
        report = seen(User="nobody", brood={"env": environ},
                      **{f"{kind}Directory": name, f"{kind}DirectoryMode": "0750"})
        facts = os.stat(path)
        assert (facts.st_uid, facts.st_mode & 0o7777) == (65534, 0o750)
        assert report["env"][variable] == path
        assert report["brood"].stop() == 0
        assert os.path.exists(path) == (kind != "Runtime")
    finally:
        if os.path.exists(path):
            os.rmdir(path)


# --- the command line itself


@pytest.mark.parametrize("words, argv", [
    (Raw('one "two three" \'four five\''), ["one", "two three", "four five"]),
    (Raw(r'tab\there "a\nb" \x41'), ["tab\there", "a\nb", "A"]),
    (Raw('$ONE'), ["1"]),
    (Raw('$MANY'), ["a", "b c"]),
    (Raw('${MANY}'), ["a 'b c'"]),
    (Raw('x${ONE}y'), ["x1y"]),
    (Raw('$$ONE %%i'), ["$ONE", "%i"]),
    (Raw('$NOTHING after'), ["after"]),
    (Raw('x${NOTHING}y'), ["xy"]),
    (Raw('first \\\n    second'), ["first", "second"]),
    (Raw('first \\\n# a comment in between\n  second'), ["first", "second"]),
    (Raw('"quoted ; semicolon" a;b'), ["quoted ; semicolon", "a;b"]),
], ids=str)
def test_words_of_the_command(seen, words, argv):
    report = seen(words=["pause", words], Environment='ONE=1 "MANY=a \'b c\'"')
    assert report["argv"][3:-1] == argv


def test_no_expansion(up_once, fifo):
    report = fifo()
    line = command([*play(f"report:{report}", "pause"), Raw("$ONE ${ONE}")], prefix=":")
    up_once(section("Pool web", ExecStart=line, Environment="ONE=1"))
    assert report.report()["argv"][-2:] == ["$ONE", "${ONE}"]


def test_other_name_of_the_program(up_once, fifo):
    report = fifo()
    path, *words = play(f"report:{report}", "pause")
    up_once(section("Pool web", ExecStart=command([path, "other", *words], prefix="@")))
    assert report.report()["argv"][0] == "other"


def test_failure_that_is_no_failure(up_once):
    u = up_once(section("Pool job", ExecStart=command(play("exit:3"), prefix="-"), Restart="no"))
    u.wait_state("job", "done")


# --- policies: what happens at an end


@pytest.mark.parametrize("directives, words, again", [
    ({"Restart": "no"}, ["exit:1"], False),
    ({"Restart": "always"}, ["exit:0"], True),
    ({"Restart": "on-failure"}, ["exit:0"], False),
    ({"Restart": "on-failure"}, ["exit:1"], True),
    ({"Restart": "on-failure"}, ["raise:SEGV"], True),
    ({"Restart": "on-success"}, ["exit:0"], True),
    ({"Restart": "on-success"}, ["exit:1"], False),
    ({"Restart": "on-abnormal"}, ["exit:1"], False),
    ({"Restart": "on-abnormal"}, ["raise:KILL"], True),
    ({"Restart": "on-abort"}, ["raise:SEGV"], True),
    ({"Restart": "on-abort"}, ["exit:1"], False),
    ({"Restart": "on-watchdog"}, ["raise:SEGV"], False),
    ({"Restart": "on-failure", "SuccessExitStatus": "3 SIGUSR1"}, ["exit:3"], False),
    ({"Restart": "on-failure", "SuccessExitStatus": "3 SIGUSR1"}, ["raise:USR1"], False),
    ({"Restart": "always", "RestartPreventExitStatus": "5 SIGKILL"}, ["exit:5"], False),
    ({"Restart": "always", "RestartPreventExitStatus": "5 SIGKILL"}, ["raise:KILL"], False),
    ({"Restart": "no", "RestartForceExitStatus": "7"}, ["exit:7"], True),
], ids=str)
def test_restart(up_once, fifo, directives, words, again):
    hello = fifo()
    u = up_once(pool("job", play(f"hello:{hello}", "until:1", "(", *words, ")", "pause"),
                     **directives))
    hello.hello()
    if again:
        assert hello.hello().generation == 2
    else:
        procs.until(lambda: u.worker("job")["state"] in ("done", "failed"), "the end")
        assert hello.empty()


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT", "PIPE"])
def test_signals_that_are_clean_ends_of_a_service(up_once, fifo, name):
    """For a .service file on-failure means what it does for systemd."""
    hello = fifo()
    u = up_once(section("Service", Restart="on-failure", ExecStart=command(play(
        f"hello:{hello}", "until:1", "(", f"raise:{name}", ")", "pause"))), config="job.service")
    hello.hello()
    procs.until(lambda: u.worker("job")["state"] == "done", "the end")
    assert hello.empty()


def test_restart_delay(up_once):
    u = up_once(pool("job", play("exit:1"), Restart="always", RestartSec="300ms",
                     RestartJitter=0))
    u.wait_event("started", generation=2)
    assert [row["delay"] for row in u.select_events("backoff")][:1] == [0.3]


def test_restart_delay_grows_in_steps(up_once):
    u = up_once(pool("job", play("exit:1"), Restart="always", RestartSec="10ms", RestartSteps=2,
                     RestartMaxDelaySec="40ms", RestartJitter=0))
    u.wait_event("backoff", nth=4)
    delays = [row["delay"] for row in u.select_events("backoff")][:4]
    assert delays == pytest.approx([0.01, 0.02, 0.04, 0.04], rel=0.02)


def test_start_limit(up_once):
    u = up_once(pool("job", play("exit:1"), Restart="always", RestartSec="1ms", StartLimitBurst=3,
                     StartLimitIntervalSec="60s"))
    assert "start limit" in u.wait_event("given-up")["reason"]
    u.check_count(3, "started")
    assert u.worker("job")["state"] == "failed"


def test_max_restarts_of_the_pool(up_once):
    u = up_once(pool("job", play("only:0", "(", "exit:1", ")", "pause"), Workers=2, MaxRestarts=2,
                     Restart="always", RestartSec="1ms"))
    u.wait_event("restart-limit")
    u.check_count(3, "started", worker=0)


def test_kill_signal(up_once, fifo):
    told = fifo()
    u = up_once(pool("web", play(f"tell:USR2={told}", "quit:TERM=1", f"line:{told}=here",
                                 "pause"),
                     KillSignal="SIGUSR2", TimeoutStopSec="50ms"))
    assert told.line() == "here"
    u.ctl("stop", "web", status=None)
    assert told.line().startswith("USR2 ")


def test_final_kill_signal(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", play("ignore:TERM", f"hello:{hello}", "pause"),
                     TimeoutStopSec="50ms", FinalKillSignal="SIGQUIT"))
    hello.hello()
    u.ctl("stop", "web", status=None)
    assert u.wait_event("exited", pool="web")["signal"] == "SIGQUIT"


def test_no_final_kill(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", play("ignore:TERM", f"hello:{hello}", "pause"),
                     TimeoutStopSec="50ms", SendSIGKILL=False))
    pid = hello.hello().pid
    u.ctl("stop", "web", "--timeout", "1s", status=None)
    assert procs.alive(pid)
    procs.kill(pid)
    u.stop()
    procs.wait_gone(pid)


@pytest.mark.parametrize("mode, child", [
    ("control-group", True), ("mixed", False), ("process", False)])
def test_kill_mode(up_once, fifo, mode, child):
    told, hello = fifo("told"), fifo("hello")
    u = up_once(pool("web", play("fork", "(", f"tell:TERM={told}", f"hello:{hello}", "pause",
                                 ")", "quit:TERM=0", f"hello:{hello}", "pause"),
                     KillMode=mode, TimeoutStopSec="100ms"))
    first, second = hello.hellos(2)
    child_pid = next(pid for pid in (first.pid, second.pid)
                     if pid != u.worker_pids("web")[0])
    u.ctl("stop", "web", "--timeout", "5s", status=None)
    assert u.worker("web")["state"] == "stopped"
    assert told.empty() != child
    assert procs.alive(child_pid) == (mode == "process")
    procs.kill(child_pid)


@pytest.mark.parametrize("ends", [False, True])
def test_end_leftovers(up_once, fifo, ends):
    hello, told = fifo("hello"), fifo("told")
    u = up_once(pool("web", play("until:1", "(", "orphan", "(", f"tell:TERM={told}",
                                 f"hello:{hello}", "pause", ")", f"hello:{hello}", "pause", ")",
                                 f"hello:{hello}", "pause"),
                     EndLeftovers=ends, TimeoutStopSec="200ms"))
    first = {one.pid for one in hello.hellos(2)}
    pid = u.worker_pids("web")[0]
    (child,) = first - {pid}
    procs.kill(pid)
    assert hello.hello().pid == u.worker_pids("web")[0]
    assert procs.alive(child) == (not ends)
    assert told.empty() != ends
    u.ctl("stop", "web", status=None)
    assert not procs.alive(child)


def test_runtime_max(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", play(f"hello:{hello}", "pause"), RuntimeMaxSec="100ms", Restart="no"))
    hello.hello()
    row = u.wait_event("exited", pool="web")
    assert row["cause_kind"] == "runtime" and row["ran"] >= 0.1
    u.wait_state("web", "failed")


def test_timeout_of_a_oneshot(up_once):
    u = up_once(pool("job", play("pause"), Type="oneshot", TimeoutStartSec="100ms", Restart="no"))
    assert u.wait_event("exited", pool="job")["cause_kind"] == "start-timeout"
