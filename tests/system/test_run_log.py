# SPDX-License-Identifier: MIT
"""`brood run --log`: what workers write, with where it came from, on standard output or in files."""

import os
import re
import signal
import subprocess
import time

import pytest

from harness import procs, settings
from harness.terminal import Terminal

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z ([\w.-]+)/(\d+) \[(\d+) #(\d+)( orphan)?\] "
                  r"(out|err)([:+$~!]) (.*)")


def run(*words):
    return subprocess.run([settings.BROOD, "run", *words], capture_output=True, text=True,
                          timeout=settings.WAIT, check=False)


def show(directory):
    return subprocess.run([settings.BROOD, "logs", "--dir", directory], capture_output=True,
                          text=True, timeout=settings.WAIT, check=True).stdout


def script(text):
    return ["sh", "-c", text]


def await_text(path, wanted, brood_):
    """The writer is a thread of brood's: its files are looked at until they have it."""
    while wanted not in (path.read_text() if path.exists() else ""):
        assert not brood_.ended
        os.sched_yield()
    return path.read_text()


def test_lines_on_standard_output():
    result = run("-n", "2", "--restart", "no", "--name", "web", "--log", "-", "--",
                 *script("echo $BROOD_WORKER; echo bad >&2; printf torn"))
    rows = [LINE.fullmatch(row).groups() for row in result.stdout.splitlines()]
    for worker in "01":
        mine = [row for row in rows if row[1] == worker]
        assert {row[0] for row in mine} == {"web"} and len({row[2] for row in mine}) == 1
        assert [row[5:] for row in mine if row[5] == "out"] == [
            ("out", ":", worker), ("out", "$", "torn")]
        assert [row[5:] for row in mine if row[5] == "err"] == [("err", ":", "bad")]
    assert result.returncode == 0
    assert "\nbad" not in result.stderr


def test_colours_on_a_terminal():
    command = [settings.BROOD, "run", "-n", "2", "--quiet", "--log", "-", "--name", "web", "--",
               *script("printf 'a\\033b %i\\n'")]
    with Terminal(command) as terminal:
        terminal.wait_text("b 0")
        terminal.wait_text("b 1")
        assert terminal.finish() == 0
    heads = [row for row in terminal.text.splitlines() if "web/" in row]
    assert len(heads) == 2 and all("a\\x1bb" in row and "\033[" in row for row in heads)
    assert len({re.search(r"\033\[[\d;]*m", row).group() for row in heads}) == 2


def test_rotation_loses_nothing(tmp_path):
    result = run("-n", "4", "--log", str(tmp_path / "new" / "logs"), "--log-max-size", "64K",
                 "--name", "web", "--",
                 *script("i=0; while [ $i -lt 3000 ]; do echo n$i; i=$((i+1)); done"))
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "new" / "logs").glob("web.log.*"))) > 4
    rows = [LINE.fullmatch(row).groups() for row in show(tmp_path / "new" / "logs").splitlines()]
    for worker in "0123":
        assert [row[7] for row in rows if row[1] == worker] == [f"n{i}" for i in range(3000)]


@pytest.mark.parametrize("style", ["text", "json", "raw"])
def test_all_of_it_is_there_at_the_end(tmp_path, style):
    """A pipe may be full when its worker ends, and brood with it."""
    result = run("-q", "--log", str(tmp_path), "--log-style", style, "--name", "web", "--",
                 *script("seq 1 100000; echo the end"))
    assert result.returncode == 0, result.stderr
    texts = show(tmp_path).splitlines()
    assert [row.split(": ")[-1] for row in texts] == [
        *(str(n) for n in range(1, 100001)), "the end"]


def test_what_dies_at_once_again_and_again(tmp_path):
    result = run("-q", "--restart", "always", "--backoff", "none", "--max-restarts", "3000",
                 "--log", str(tmp_path), "--name", "web", "--",
                 *settings.play("say:here I am", "exit:1"))
    assert result.returncode == 1, result.stderr
    rows = [LINE.fullmatch(row).groups() for row in show(tmp_path).splitlines()]
    assert [(int(row[3]), row[7]) for row in rows] == [(n, "here I am") for n in range(1, 3002)]


def test_what_is_rotated_is_compressed(brood, tmp_path):
    b = brood("--name", "web", "--log", tmp_path, "--log-max-size", "64K",
              cmd=script("seq 1 5000; exec sleep 1000"))
    procs.until(lambda: [one for one in tmp_path.glob("web.log.*") if one.suffix in (".zst", ".gz")],
                "a compressed file")
    b.stop()


@pytest.mark.parametrize("style, name", [("json", "web.log"), ("raw", "web@0.out.log")])
def test_styles(tmp_path, style, name):
    assert run("--log", str(tmp_path), "--log-style", style, "--name", "web", "--",
               *script("echo hello")).returncode == 0
    text = (tmp_path / name).read_text()
    assert text == "hello\n" if style == "raw" else '"text":"hello"}\n' in text


def test_reopened_and_not_forwarded(brood, tmp_path):
    """SIGUSR1 would end this worker."""
    go = tmp_path / "go"
    os.mkfifo(go)
    log = tmp_path / "web.log"
    b = brood("--name", "web", "--log", tmp_path,
              cmd=script(f"echo one; read x <{go}; echo two; exec sleep 1000"))
    await_text(log, "one\n", b)
    log.rename(tmp_path / "moved")
    b.signal(signal.SIGUSR1)
    while not log.exists():
        assert not b.ended
        os.sched_yield()
    go.write_text("\n")
    assert "one" not in await_text(log, "two\n", b)
    assert not b.select_events("exited")
    b.stop()


def test_forwarded_where_it_is_asked_for(brood, tmp_path):
    b = brood("--name", "web", "--forward", "USR1", "--log", tmp_path, "--restart", "no",
              cmd=script("trap 'echo told; exit 0' USR1; echo up; while :; do sleep 0.05; done"))
    await_text(tmp_path / "web.log", "up\n", b)
    b.signal(signal.SIGUSR1)
    assert b.wait() == 0
    assert "out: told\n" in (tmp_path / "web.log").read_text()


def test_last_words_of_a_crash(brood, tmp_path):
    b = brood("--log", tmp_path, "--restart", "no",
              cmd=script("echo no; printf 'one\\ntwo\\n' >&2; kill -SEGV $$"))
    assert b.wait_event("exited")["stderr"] == "one\ntwo"
    b.wait()


def test_last_words_that_need_escapes(brood, tmp_path):
    b = brood("--log", tmp_path, "--restart", "no",
              cmd=script("head -c 5000 /dev/zero | tr '\\0' '\\1' >&2; exit 1"))
    assert b.wait_event("exited")["stderr"] == "\1" * 1024
    b.wait()


def test_a_slow_reader_gets_all(brood):
    """More than the pipe holds is left when the worker has ended; the reader takes its time."""
    read_end, write_end = os.pipe()
    b = brood("--log", "-", cmd=script("seq 1 5000"), stdout=write_end)
    os.close(write_end)
    b.wait_event("ended")
    time.sleep(1.2)  # longer than one attempt of the writer's
    with open(read_end, encoding="utf-8") as file:
        assert [row.split()[-1] for row in file] == [str(i) for i in range(1, 5001)]
    assert b.wait() == 0
    assert not b.select_events("output-lost")


def test_what_is_left_behind_is_heard_to_its_end(tmp_path):
    """Its last line is written after the last worker has ended, when it is told to stop."""
    up, done = tmp_path / "up", tmp_path / "done"
    os.mkfifo(up)
    left = (f"trap 'echo bye && touch {done}; exit 0' TERM; echo >{up}; "
            "while :; do sleep 0.05; done")
    result = run("--log", str(tmp_path), "--name", "web", "--restart", "no", "--",
                 *script(f'setsid sh -c "$0" & read x <{up}; echo first'), left)
    assert result.returncode == 0, result.stderr
    assert done.exists()
    rows = [LINE.fullmatch(row).groups() for row in show(tmp_path).splitlines()]
    assert [(row[4], row[7]) for row in rows if row[5] == "out"] == [
        (None, "first"), (" orphan", "bye")]


def test_nobody_waits_for_a_reader_that_has_gone(brood):
    read_end, write_end = os.pipe()
    b = brood("--log", "-", cmd=script("seq 1 100000"), stdout=write_end)
    os.close(write_end)
    os.close(read_end)
    assert b.wait() == 0
    assert "Broken pipe" in b.wait_event("output-trouble")["reason"]


def test_what_cannot_be_written_is_said(brood):
    with open("/dev/full", "wb") as full:
        b = brood("--log", "-", cmd=script("echo lost"), stdout=full)
    assert b.wait() == 0
    b.wait_event("output-lost")


def test_what_goes_elsewhere_is_left_alone(tmp_path):
    result = run("--stderr", f"file:{tmp_path}/own", "--log", str(tmp_path), "--name", "web", "--",
                 *script("echo out; echo err >&2"))
    assert result.returncode == 0
    assert (tmp_path / "own").read_text() == "err\n"
    assert [row[-3:] for row in show(tmp_path).splitlines()] == ["out"]


def test_a_relative_directory_of_a_daemon(tmp_path):
    done = tmp_path / "done"
    os.mkfifo(done)
    subprocess.run([settings.BROOD, "run", "--daemon", "--log", "logs", "--name", "web", "--",
                    *script(f"echo hello; echo >{done}")],
                   cwd=tmp_path, check=True, timeout=settings.WAIT)
    done.read_text()
    log = tmp_path / "logs" / "web.log"
    # The daemon is ours to wait for: this process adopts what has lost its parent.
    os.waitpid(-1, 0)
    assert "out: hello\n" in log.read_text()


@pytest.mark.parametrize("words, said", [
    (["--log", "/dev/null"], "cannot write logs to /dev/null: Not a directory"),
    (["--log", "-", "--log-style", "json"], "go with --log DIR"),
    (["--log-keep", "3"], "go with --log DIR"),
    (["--log", "/tmp", "--name", "a/b"], "has a slash"),
    (["--log", "/tmp", "--log-style", "xml"], "text, json or raw"),
])
def test_refused(words, said):
    result = run(*words, "--", "true")
    assert result.returncode == 2
    assert said in result.stderr
