# SPDX-License-Identifier: MIT
"""Completion: what the program offers, and that each shell shows it."""

import os
import shutil
import subprocess

import pytest

from harness import procs
from harness.fake import FakeSupervisor, pool, status, worker
from harness.settings import BROOD, ROOT, WAIT, environment

COMMANDS = ["run", "daemonize", "pidfile", "status", "top", "events", "start", "stop", "restart",
            "reload", "reset", "scale", "signal", "wait", "shutdown", "check", "config",
            "completion", "help", "version"]


@pytest.fixture
def supervisor(scratch):
    made = FakeSupervisor(scratch / "socket", {"Status": status(
        pool("web", [worker("web", i) for i in range(3)]), pool("worker", []), pool("db", []))})
    yield made
    made.close()


@pytest.fixture
def offered(cli):
    """What the program offers after these words."""

    def function(*words, env=None):
        done = cli("completion", "--", *words, env=env)
        assert done.returncode == 0 and done.stderr == ""
        return [line.split("\t")[0] for line in done.stdout.splitlines()]

    return function


def test_every_command_is_offered(offered):
    assert set(COMMANDS) <= set(offered(""))
    assert offered("st") == ["status", "start", "stop"]
    assert offered("nothing") == [] and offered("nothing", "") == []


def test_every_option_of_every_command_is_offered(cli, offered):
    for command in set(COMMANDS) - {"help", "version"}:
        text = cli(command, "--help").stdout
        words = {word.strip(",[]").split("[")[0].split("=")[0] for line in text.splitlines()
                 if line.startswith(("  -", "      --")) for word in line.split()[:2]}
        names = {word for word in words if word.startswith("--")}
        assert names and names == set(offered(command, "-")), command


@pytest.mark.parametrize("words, expected", [
    (["run", "--restart", "on-f"], ["on-failure"]),
    (["run", "--restart=on-f"], ["--restart=on-failure"]),
    (["run", "--restart", "=", "on-f"], ["on-failure"]),
    (["config", ""], ["show"]),
    (["config", "show", ""], [":directories"]),
    (["check", ""], [":files", ":directories"]),
    (["help", "ru"], ["run"]),
    (["help", "dir"], ["directives"]),
    (["help", "ExecStartP"], ["ExecStartPre", "ExecStartPost"]),
    (["run", "--loop", "="], ["auto", "uring", "epoll"]),
    (["run", "--workers", ""], []),
    (["run", "-n", "4", ""], [":command 3"]),
    (["run", "-n", "4", "--", "ls", "-"], [":command 4"]),
    (["run", "--name=x", "ls", "-l", ""], [":command 2"]),
    (["run", "--user", ""], [":users"]),
    (["run", "--group", ""], [":groups"]),
    (["run", "--chdir", ""], [":directories"]),
    (["run", "--env-file=x"], [":files"]),
    (["run", "--stop-signal", "SIGUS"], ["SIGUSR1", "SIGUSR2"]),
    (["run", "--stop-signal", "US"], ["USR1", "USR2"]),
    (["wait", "-f", ""], ["ready", "stopped", "failed"]),
    (["wait", "--for=f"], ["--for=failed"]),
    (["pidfile", ""], ["status", "stop", "restart", "signal"]),
    (["pidfile", "stop", ""], [":files"]),
    (["pidfile", "--timeout", "3", "signal", "x.pid", "HU"], ["HUP"]),
    (["pidfile", "stop", "x.pid", "HU"], []),
    (["completion", ""], ["bash", "zsh", "fish"]),
    (["top", ""], []),
    (["status", "--", "--"], []),
])
def test_arguments(offered, words, expected):
    assert offered(*words) == expected


@pytest.mark.parametrize("words, expected", [
    (["status", ""], ["web", "worker", "db"]),
    (["status", "w"], ["web", "worker"]),
    (["stop", "db", "w"], ["web", "worker"]),
    (["status", "web/"], ["web/0", "web/1", "web/2"]),
    (["restart", "--rolling", "web/1"], ["web/1"]),
    (["scale", "d"], ["db"]),
    (["scale", "web", ""], []),
    (["events", ""], ["web", "worker", "db"]),
    (["signal", "web", "db"], ["db"]),
    (["signal", "web", "HU"], ["HUP"]),
    (["status", "nothing/"], []),
])
def test_pools_of_the_running_supervisor(offered, supervisor, words, expected):
    assert offered(*words, env=environment(BROOD_SOCKET=supervisor.path)) == expected


def test_the_socket_of_the_line_is_asked(offered, supervisor):
    assert offered("status", "--socket", supervisor.path, "d") == ["db"]
    assert offered("status", f"--socket={supervisor.path}", "d") == ["db"]
    assert offered("status", "--socket", "=", supervisor.path, "d") == ["db"]


def test_candidates_tell_what_they_are(cli, supervisor):
    done = cli("completion", "--", "status", "w", env=environment(BROOD_SOCKET=supervisor.path))
    assert done.stdout.splitlines()[0] == "web\tup, 3 of 3 ready"


def test_nobody_is_kept_waiting(cli, scratch):
    """Nothing listens, or what listens says nothing: no pools, and no complaints."""
    done = cli("completion", "--", "status", "--socket", scratch / "nothing", "")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    silent = FakeSupervisor(scratch / "silent", {})
    try:
        done = cli("completion", "--", "status", "--socket", silent.path, "")
    finally:
        silent.close()
    assert (done.stdout, done.stderr) == ("", "")


def test_unknown_shell(cli):
    done = cli("completion", "bahs")
    assert done.returncode == 2 and "did you mean 'bash'" in done.stderr
    assert cli("completion").returncode == 2


# The shells.

@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request):
    return need(request.param)


def need(name):
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    return name


@pytest.fixture
def script(cli, scratch):
    """The script of a shell, as a file."""

    def function(name):
        path = scratch / f"brood.{name}"
        path.write_text(cli("completion", name).stdout)
        return path

    return function


def nothing_left():
    procs.reap()
    return not procs.children()


def in_shell(argv, supervisor=None, **variables):
    """Runs a shell in which `brood` is the one under test."""
    if supervisor:
        variables["BROOD_SOCKET"] = supervisor.path
    path = f"{os.path.dirname(BROOD)}:{os.environ['PATH']}"
    done = subprocess.run(argv, env=environment(PATH=path, **variables), capture_output=True,
                          text=True, timeout=WAIT, stdin=subprocess.DEVNULL, check=False)
    assert done.stderr == "" and done.returncode == 0, done.stderr
    procs.until(nothing_left, "the end of what the shell did not wait for")
    return done.stdout.splitlines()


def test_the_script_is_the_file_and_has_no_errors(shell, script):
    path = script(shell)
    source = ROOT / "src/bin/completion" / f"brood.{shell}"
    assert path.read_text() == source.read_text()
    assert in_shell([shell, "-n", path]) == []


BASH = """
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_brood brood
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("words, expected", [
    (["st"], ["status", "start", "stop"]),
    (["status", "w"], ["web", "worker"]),
    (["status", "web/"], ["web/0", "web/1", "web/2"]),
    (["wait", "--for", "=", "re"], ["ready"]),
    (["wait", "--for", "="], ["ready", "stopped", "failed"]),
    (["run", "--", "unsha"], ["unshare"]),
])
def test_bash(script, supervisor, words, expected):
    argv = [need("bash"), "--norc", "-c", BASH, "bash", str(script("bash")), "brood", *words]
    assert sorted(set(in_shell(argv, supervisor))) == sorted(expected)


def test_bash_completes_files(script, scratch):
    (scratch / "a b.pid").touch()
    argv = [need("bash"), "--norc", "-c", BASH, "bash", str(script("bash")), "brood", "pidfile",
            "stop", f"{scratch}/a"]
    assert in_shell(argv) == [f"{scratch}/a b.pid"]


@pytest.mark.parametrize("line, expected", [
    ("brood sta", ["start", "status"]),
    ("brood status w", ["web", "worker"]),
    ("brood status web/", ["web/0", "web/1", "web/2"]),
    ("brood wait --for=re", ["--for=ready"]),
    ("brood wait --for re", ["ready"]),
    ("brood restart --rol", ["--rolling"]),
    ("brood run -- unshar", ["unshare"]),
    ("brood run unshar", ["unshare"]),
])
def test_fish(script, scratch, supervisor, line, expected):
    argv = [need("fish"), "--no-config", "-c", "source $argv[1]; complete -C $argv[2]",
            str(script("fish")), line]
    lines = in_shell(argv, supervisor, HOME=str(scratch))
    assert sorted(line.split("\t")[0] for line in lines) == expected


def test_fish_shows_what_candidates_mean(script, scratch):
    argv = [need("fish"), "--no-config", "-c", "source $argv[1]; complete -C 'brood sta'",
            str(script("fish"))]
    assert "start\tstart pools or workers" in in_shell(argv, HOME=str(scratch))


# Completion works in an interactive shell only: one on a terminal of its own, driven by another.
ZSH = r"""
zmodload zsh/zpty
zpty -b inner zsh -f -i
send() { zpty -w inner "$1" }
send "PS1= PROMPT= RPS1=; unsetopt zle_bracketed_paste 2>/dev/null; autoload -Uz compinit"
send "compinit -u -d $2/dump; source $1; stty columns 200"
send "zstyle ':completion:*' list-prompt ''; zstyle ':completion:*' menu no; LISTMAX=1000"
send "show() { print -r -- \"<<\$BUFFER>>\"; zle -I; zle redisplay }; zle -N show; bindkey '^X' show"
send "print rea''dy"
zpty -r -m inner out '*ready*'
zpty -w -n inner "$3"$'\t\t'
zpty -w -n inner $'\x18'
zpty -r -m inner out '*>>*'
print -r -- "$out"
zpty -d inner
"""


@pytest.mark.parametrize("line, expected", [
    ("brood rest", ["<<brood restart >>"]),
    ("brood sta", ["status", "what runs", "start pools or workers"]),
    ("brood status web/", ["web/0", "web/1", "web/2"]),
    ("brood restart --rol", ["<<brood restart --rolling >>"]),
    ("brood wait --for=re", ["<<brood wait --for=ready >>"]),
    ("brood run -- unshar", ["<<brood run -- unshare >>"]),
])
def test_zsh(script, scratch, supervisor, line, expected):
    argv = [need("zsh"), "-f", "-c", ZSH, "zsh", str(script("zsh")), str(scratch), line]
    text = "\n".join(in_shell(argv, supervisor, HOME=str(scratch), TERM="dumb"))
    assert all(word in text for word in expected), text
