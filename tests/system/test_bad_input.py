# SPDX-License-Identifier: MIT
"""What a user gets wrong: one clear line that names the thing, and the documented status."""

import os

import pytest

from harness import procs
from harness.settings import play

RUN = ["run"]


def one_line(done):
    """The only line on stderr."""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("brood"), done.stderr
    return lines[0]


def failed(b, nth=1, **fields):
    """The nth start that failed between clone and exec."""
    return b.wait_event("exited", cause_kind="exec", nth=nth, **fields)


# --- commands that cannot run


def test_command_not_found(cli):
    done = cli("run", "--", "nosuchcommand")
    assert done.returncode == 127
    assert one_line(done).startswith("brood run: exec nosuchcommand: ")


def test_path_not_found(cli):
    done = cli("run", "-n", 3, "--", "/nowhere/nothing", "x")
    assert done.returncode == 127
    assert "/nowhere/nothing: No such file or directory" in one_line(done)


def test_not_executable(cli, scratch):
    path = scratch / "plain"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o644)
    done = cli("run", "--", path)
    assert done.returncode == 126
    assert f"{path}: Permission denied" in one_line(done)


def test_directory_as_command(cli, scratch):
    done = cli("run", "--", scratch)
    assert done.returncode == 126
    assert str(scratch) in one_line(done)


def test_not_executable_in_path_is_passed_over(cli, scratch):
    """As a shell does: a later directory of PATH may have the right one."""
    for name, mode in (("a", 0o644), ("b", 0o755)):
        (scratch / name).mkdir()
        (scratch / name / "tool").write_text("#!/bin/sh\nexit 0\n")
        (scratch / name / "tool").chmod(mode)
    env = {**os.environ, "PATH": f"{scratch}/a:{scratch}/b:{os.environ['PATH']}"}
    assert cli("run", "--", "tool", env=env).returncode == 0
    env["PATH"] = f"{scratch}/a:{os.environ['PATH']}"
    done = cli("run", "--", "tool", env=env)
    assert done.returncode == 126
    assert "tool: Permission denied" in one_line(done)


def test_empty_command_name(cli):
    done = cli("run", "--", "")
    assert done.returncode in (2, 127)
    one_line(done)


def test_interpreter_that_is_missing(brood, scratch):
    path = scratch / "script"
    path.write_text("#!/nowhere/interpreter\n")
    path.chmod(0o755)
    b = brood("--restart", "no", cmd=[path])
    assert b.wait() in (126, 127)
    assert failed(b)["cause"].startswith(f"exec {path}: No such file or directory")


def test_text_without_an_interpreter_goes_to_the_shell(brood, scratch):
    """As with execvp and every shell."""
    path = scratch / "text"
    path.write_text("exit $1\n")
    path.chmod(0o755)
    assert brood("--restart", "no", cmd=[path, "7"]).wait() == 7


def test_file_that_is_no_program(brood, scratch):
    path = scratch / "binary"
    path.write_bytes(b"\x7fELF" + bytes(60))
    path.chmod(0o755)
    b = brood("--restart", "no", cmd=[path])
    assert b.wait() in (126, 127)
    b.check()


def test_command_that_vanishes_is_tried_again(brood, fifo, scratch):
    """Gone at the restart, back a while later: backoff heals, and the log says what was missing."""
    hello = fifo()
    link = scratch / "program"
    link.symlink_to(play()[0])
    b = brood("--backoff", "20ms..50ms", cmd=[link, f"hello:{hello}", "pause"])
    pid = hello.hello().pid
    link.unlink()
    procs.kill(pid)
    assert failed(b, nth=3)["cause"] == f"exec {link}: No such file or directory"
    link.symlink_to(play()[0])
    hello.hello()
    b.stop()


# --- steps of the plan that fail in the child


def test_directory_that_goes_and_comes(brood, fifo, scratch):
    hello = fifo()
    late = scratch / "late"
    late.mkdir()
    b = brood("--backoff", "20ms..50ms", "--chdir", late, cmd=play(f"hello:{hello}", "pause"))
    pid = hello.hello().pid
    late.rmdir()
    procs.kill(pid)
    assert failed(b, nth=3)["cause"] == f"chdir {late}: No such file or directory"
    late.mkdir()
    hello.hello()
    assert b.stop() == 0


@pytest.mark.parametrize("options", [["--chdir", "/no/such"], ["--stdout", "append:/no/such/out"]])
def test_what_never_worked_is_told_at_once(brood, options):
    """A pool whose very first start cannot work ends with the reason instead of trying for ever."""
    b = brood("--backoff", "none", *options, cmd=["true"])
    assert b.wait() in (125, 126)
    assert "/no/such" in failed(b)["cause"] and "No such file or directory" in failed(b)["cause"]


def test_output_that_cannot_be_opened(brood, fifo, scratch):
    hello = fifo()
    directory = scratch / "logs"
    directory.mkdir()
    b = brood("-n", 2, "--backoff", "20ms..50ms", "--stdout", f"append:{directory}/out",
              cmd=play(f"hello:{hello}", "pause"))
    first = hello.hellos(2)
    directory.rename(scratch / "moved")
    procs.kill(first[0].pid)
    assert f"{directory}/out: No such file" in failed(b, worker=first[0].worker, nth=3)["cause"]
    assert procs.alive(first[1].pid)
    directory.mkdir()
    assert hello.hello().worker == first[0].worker
    assert b.stop() == 0


def test_one_worker_that_cannot_start_leaves_the_others_alone(brood, fifo, scratch):
    hello = fifo()
    for name in ("d0", "d1"):
        (scratch / name).mkdir()
    b = brood("-n", 2, "--backoff", "20ms..50ms", "--chdir", f"{scratch}/d%i",
              cmd=play(f"hello:{hello}", "pause"))
    first = {h.worker: h.pid for h in hello.hellos(2)}
    (scratch / "d0").rmdir()
    procs.kill(first[0])
    failed(b, worker=0, nth=3)
    assert procs.alive(first[1])
    procs.kill(first[1])
    assert hello.hello()[1:] == (1, 2)
    b.stop()


def test_step_that_is_not_permitted(brood):
    """A user who may not: named by its step, no worker, an unclean end."""
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    b = brood("--restart", "no", "--user", "0", cmd=["true"],
              prefix=prefix if os.geteuid() == 0 else ())
    assert b.wait() in (125, 126)
    assert "not permitted" in b.text()


# --- usage


@pytest.mark.parametrize("words, expected", [
    (["run", "--wrokers", "3", "--", "true"],
     "brood run: unknown option '--wrokers'; did you mean '--workers'?"),
    (["run", "--bakoff=1s", "true"],
     "brood run: unknown option '--bakoff'; did you mean '--backoff'?"),
    (["run", "--max-restart", "1", "--", "true"],
     "brood run: unknown option '--max-restart'; did you mean '--max-restarts'?"),
    (["daemonize", "--pidfiel", "x", "--", "true"],
     "brood daemonize: unknown option '--pidfiel'; did you mean '--pidfile'?"),
])
def test_unknown_option_suggests_the_nearest(cli, words, expected):
    done = cli(*words)
    assert done.returncode == 2
    assert one_line(done) == expected


@pytest.mark.parametrize("word, right", [("rnu", "run"), ("daemonise", "daemonize"),
                                         ("pidfil", "pidfile")])
def test_unknown_command_suggests_the_nearest(cli, word, right):
    done = cli(word)
    assert done.returncode == 2
    assert f"'{word}'" in one_line(done) and f"'{right}'" in done.stderr


def test_option_that_is_like_nothing(cli):
    done = cli("run", "--xyzzyplugh", "--", "true")
    assert done.returncode == 2
    assert "'--xyzzyplugh'" in one_line(done) and "did you mean" not in done.stderr


@pytest.mark.parametrize("word, values", [
    ("--workers", ["0", "-1", "x", "", "1.5", "99999999999999999999", "4294967297", "3x", " 3"]),
    ("--restart", ["sometimes", "", "On-Failure"]),
    ("--success-exit", ["256", "-1", "SIGNOPE", "0,,1", "x"]),
    ("--prevent-exit", ["300", "SIGNOPE"]),
    ("--backoff", ["soon", "-1s", "10s..1s", "base=", "speed=3", "jitter=200%", "1s..",
                   "factor=0", "base=99999999999999999999s"]),
    ("--start-limit", ["5", "5/", "/5s", "0/5s", "x/5s", "5/x", "-1/5s"]),
    ("--start-limit-action", ["panic"]),
    ("--max-restarts", ["-1", "x", "99999999999999999999"]),
    ("--stop-signal", ["SIGNOPE", "0", "65", "-1", ""]),
    ("--stop-timeout", ["x", "-1s", ""]),
    ("--kill-mode", ["all"]),
    ("--forward", ["SIGNOPE", "SIGKILL"]),
    ("--umask", ["8", "09", "x", "10000", "-1"]),
    ("--stdin", ["pipe", "file:", ""]),
    ("--stdout", ["append:", "socket", "file"]),
    ("--env", ["NOVALUE", "=x", ""]),
    ("--limit", ["NOFILE", "NOPE=1", "NOFILE=x", "NOFILE=-1", "NOFILE=20:10", "NOFILE="]),
    ("--nice", ["20", "-21", "x"]),
    ("--cpus", ["x", "-1", "3-1", "99999", ""]),
    ("--oom-score", ["1001", "-1001", "x"]),
    ("--parent-death-signal", ["SIGNOPE"]),
    ("--loop", ["select", ""]),
    ("--log-level", ["verbose", "8", "-1", ""]),
    ("--log-format", ["xml"]),
    ("--user", ["nosuchuser", ""]),
    ("--group", ["nosuchgroup"]),
    ("--groups", ["nosuchgroup", "games,nosuchgroup"]),
    ("--bounding-caps", ["cap_nope"]),
    ("--ambient-caps", ["cap_nope"]),
    ("--env-file", ["/no/such/file"]),
])
def test_bad_values(cli, word, values):
    """Each value alone: status 2, one line that names the option and the value.

    Of what is looked up (users, files, …) the kind of thing says enough."""
    wrong = []
    thing = {"--env-file": "environment file"}.get(word, word.strip("-").removesuffix("s"))
    thing = {"bounding-cap": "capability", "ambient-cap": "capability"}.get(thing, thing)
    for value in values:
        done = cli("run", f"{word}={value}", "--", "true")
        lines = done.stderr.splitlines()
        if (done.returncode != 2 or len(lines) != 1 or not lines[0].startswith("brood run: ")
                or thing not in lines[0] or value.split(",")[-1] not in lines[0]):
            wrong.append(f"{word}={value}: status {done.returncode}, {done.stderr!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("word, value, nearest", [
    ("--log-level", "wraning", "warning"), ("--log-level", "inf", "info"),
    ("--log-format", "jason", "json"), ("--restart", "allways", "always"),
    ("--kill-mode", "grup", "group"),
])
def test_nearest_value(cli, word, value, nearest):
    done = cli("run", word, value, "--", "true")
    assert done.returncode == 2
    assert done.stderr.endswith(f"not '{value}'; did you mean '{nearest}'?\n"), done.stderr


@pytest.mark.parametrize("words", [["run"], ["run", "--"], ["run", "-n", "3"], ["run", "-n"],
                                   ["run", "--workers"], ["daemonize"], ["pidfile"],
                                   ["pidfile", "status"], ["pidfile", "nonsense", "/x"],
                                   ["run", "--quiet=yes", "--", "true"], ["run", "-z", "true"]])
def test_words_that_are_missing_or_too_many(cli, words):
    done = cli(*words)
    assert done.returncode == 2
    one_line(done)


def test_loop_by_the_environment(cli):
    done = cli("run", "--", "true", env={**os.environ, "BROOD_LOOP": "select"})
    assert done.returncode == 2
    assert "BROOD_LOOP" in one_line(done) and "select" in done.stderr
    assert cli("run", "--", "true", env={**os.environ, "BROOD_LOOP": "epoll"}).returncode == 0


def test_options_end_at_the_first_word(cli):
    done = cli("run", "-q", "echo", "-n", "--workers")
    assert done.returncode == 0 and done.stdout == "--workers"


def test_ways_to_write_an_option(cli):
    for words in (["-n2"], ["-n", "2"], ["--workers", "2"], ["--workers=2"]):
        done = cli("run", *words, "--", "echo", "hi")
        assert done.returncode == 0 and done.stdout == "hi\nhi\n", words


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["daemonize", "--help"],
                                   ["pidfile", "--help"], ["--version"]])
def test_help(cli, words):
    done = cli(*words)
    assert done.returncode == 0
    assert "brood" in done.stdout and not done.stderr
