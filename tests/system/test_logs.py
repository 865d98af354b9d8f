# SPDX-License-Identifier: MIT
"""`brood logs`: what it finds in files, with nobody running, and while they are rotated."""

import datetime
import gzip
import json
import os
import pathlib
import pty
import shutil
import subprocess
import time

import pytest

from harness import settings

ZERO = datetime.datetime(2026, 11, 22, 19, 0, tzinfo=datetime.timezone.utc)


def stamp(second, form="%Y-%m-%dT%H:%M:%S.%fZ"):
    return (ZERO + datetime.timedelta(seconds=second)).strftime(form)


def line(second, text, pool="web", worker=0, pid=100, generation=1, mark=":", stream="out"):
    return f"{stamp(second)} {pool}/{worker} [{pid} #{generation}] {stream}{mark} {text}\n"


def as_json(second, text, worker=0):
    return json.dumps({"time": stamp(second), "pool": "web", "worker": worker, "pid": 100,
                       "generation": 1, "stream": "out", "text": text}) + "\n"


class Logs:
    """A directory of logs, written as brood writes them."""

    def __init__(self, path):
        self.path = path
        self.sequence = 0

    def put(self, name, *lines):
        (self.path / name).write_text("".join(lines))

    def append(self, *lines, name="web.log"):
        with open(self.path / name, "a", encoding="utf-8") as file:
            file.write("".join(lines))

    def rotate(self, second, packing="", name="web.log"):
        self.sequence += 1
        rotated = self.path / f"{name}.{stamp(second, '%Y%m%dT%H%M%SZ')}-{self.sequence:06}"
        os.rename(self.path / name, rotated)
        if packing == "gz":
            data = gzip.compress(rotated.read_bytes())
            pathlib.Path(f"{rotated}.gz").write_bytes(data)
            rotated.unlink()
        elif packing == "zst":
            subprocess.run(["zstd", "-q", "--rm", rotated], check=True)
        (self.path / name).touch()
        return rotated

    def command(self, *words):
        return [settings.BROOD, "logs", "--dir", str(self.path), *words]

    def run(self, *words, status=0):
        result = subprocess.run(self.command(*words), capture_output=True, text=True, check=False)
        assert result.returncode == status, result.stderr
        return result

    def show(self, *words):
        return self.run(*words).stdout

    def run_bytes(self):
        return subprocess.run(self.command(), capture_output=True, check=True).stdout

    def texts(self, *words):
        return [row.split("] ", 1)[1][5:] for row in self.show(*words).splitlines()]


@pytest.fixture
def logs(tmp_path):
    return Logs(tmp_path)


def numbered(first, end, **more):
    return [line(n, f"n{n}", **more) for n in range(first, end)]


def names(first, end):
    return [f"n{n}" for n in range(first, end)]


def fill(logs):
    """Three rotated files, each packed in another way, and the one that is written to."""
    logs.append(*numbered(0, 10))
    logs.rotate(9, "gz")
    logs.append(*numbered(10, 20))
    logs.rotate(19, "zst" if shutil.which("zstd") else "gz")
    logs.append(*numbered(20, 30))
    logs.rotate(29)
    logs.append(*numbered(30, 40))


def test_all_files_in_order(logs):
    fill(logs)
    assert logs.show() == "".join(numbered(0, 40))


@pytest.mark.parametrize("n", [0, 1, 10, 15, 25, 39, 40, 1000])
def test_the_last_lines(logs, n):
    fill(logs)
    assert logs.texts("-n", str(n)) == names(max(0, 40 - n), 40)


def test_since_and_until(logs):
    fill(logs)
    assert logs.texts("--since", stamp(15), "--until", stamp(32)) == names(15, 33)
    assert logs.texts("--since", "@" + str(int(ZERO.timestamp()) + 35)) == names(35, 40)
    assert logs.texts("--since", "10min") == []
    assert logs.texts("--until", stamp(3), "-n", "2") == names(2, 4)


def test_grep_is_about_the_text(logs):
    fill(logs)
    assert logs.texts("--grep", "^n[12]5$") == ["n15", "n25"]
    assert logs.texts("--grep", "web") == []
    assert logs.texts("--grep", "3", "-n", "3") == ["n37", "n38", "n39"]


def test_pools_are_merged_by_time(logs):
    logs.put("web.log", line(1, "a"), line(4, "d"), line(5, "e"))
    logs.put("job.log", line(2, "b", pool="job"), line(3, "c", pool="job", worker=7))
    assert logs.texts() == ["a", "b", "c", "d", "e"]
    assert logs.texts("-n", "3") == ["c", "d", "e"]
    assert logs.texts("job") == ["b", "c"]
    assert logs.texts("job/7") == ["c"]
    assert logs.texts("job/7", "web", "-n", "3") == ["c", "d", "e"]


def test_clocks_that_jump_do_not_disorder_one_log(logs):
    logs.put("web.log", line(5, "first"), line(2, "second"), line(6, "third"))
    assert logs.texts() == ["first", "second", "third"]


def test_previous_is_the_process_before_the_last(logs):
    logs.append(line(0, "old"))
    logs.append(line(1, "crash", pid=101, generation=2), line(1, "other", worker=1, pid=300))
    logs.rotate(1)
    logs.append(line(2, "started", pid=102, generation=3, mark="!"),
                line(3, "late", pid=101, generation=2).replace("#2]", "#2 orphan]"))
    assert logs.texts("--previous") == ["crash", "late"]
    assert logs.texts("web/1", "--previous") == []


def test_text_and_json_can_be_mixed(logs):
    logs.put("web.log", line(1, "text"), as_json(2, 'quote " and \u00e9', worker=3))
    assert logs.texts() == ["text", 'quote " and \u00e9']
    rows = [json.loads(row) for row in logs.show("--json").splitlines()]
    assert [(row["worker"], row["text"]) for row in rows] == [(0, "text"), (3, 'quote " and \u00e9')]
    assert rows[0]["time"] == stamp(1)


def test_raw_logs_are_shown_as_they_are(logs):
    logs.put("web@3.out.log", "one\n", "two")
    logs.put("web@4.err.log", "three\n")
    assert logs.show("web/3") == "one\ntwo\n"
    row = json.loads(logs.show("web/4", "--json"))
    assert (row["pool"], row["worker"], row["stream"]) == ("web", 4, "err")


def test_foreign_and_torn_lines_are_not_lost(logs):
    logs.put("web.log", line(1, "a"), "2026-11-22T19:00:01.0 torn\n", "{}\n", "{\"time\":3\n",
             line(2, "b"))
    assert logs.show().splitlines()[1:4] == ["2026-11-22T19:00:01.0 torn", "{}", '{"time":3']


def test_a_copy_beside_its_original_is_read_once(logs):
    logs.append(line(0, "a"))
    rotated = logs.rotate(0)
    pathlib.Path(f"{rotated}.gz").write_bytes(gzip.compress(rotated.read_bytes()))
    pathlib.Path(f"{rotated}.zst.part").write_bytes(b"unfinished")
    assert logs.texts() == ["a"]


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(logs):
    logs.put("web.log", line(1, "a"))
    assert "there is no log of 'wbe'" in logs.run("wbe", status=4).stderr
    assert "No such file or directory" in logs.run("--dir", "/nonexistent", status=1).stderr
    assert "--grep '('" in logs.run("--grep", "(", status=2).stderr
    assert "--since" in logs.run("--since", "whenever", status=2).stderr
    assert "web/x" in logs.run("web/x", status=2).stderr


class Follower:
    def __init__(self, logs, *words):
        self.process = subprocess.Popen(logs.command("-f", *words), stdout=subprocess.PIPE,
                                        text=True)

    def texts(self, n):
        return [self.process.stdout.readline().rstrip("\n").split("] ", 1)[1][5:]
                for _ in range(n)]

    def end(self):
        self.process.terminate()
        rest = self.process.communicate()[0]
        assert rest == ""


def test_follow_begins_with_the_last_lines_and_goes_on(logs):
    fill(logs)
    follower = Follower(logs)
    assert follower.texts(10) == names(30, 40)
    logs.append(line(40, "n40"))
    assert follower.texts(1) == ["n40"]
    logs.append(line(41, "n41")[:-3])
    logs.append(line(41, "n41")[-3:])
    assert follower.texts(1) == ["n41"]
    follower.end()


def test_follow_ends_with_the_time_asked_for(logs):
    """A second too late for the line, which nobody waits for."""
    fill(logs)
    follower = Follower(logs, "-n", "1", "--until", f"@{int(time.time()) + 1}")
    assert follower.texts(1) == names(39, 40)
    assert follower.process.wait(settings.WAIT) == 0
    assert follower.process.stdout.read() == ""


@pytest.mark.parametrize("packing", ["", "gz"])
def test_follow_goes_on_over_rotations(logs, packing):
    logs.append(*numbered(0, 3))
    logs.rotate(2)
    logs.append(*numbered(3, 5))
    follower = Follower(logs, "-n", "1")
    assert follower.texts(1) == ["n4"]
    at = 5
    for step in range(40):
        for _ in range(step % 3):
            logs.append(*numbered(at, at + 2))
            at += 2
            logs.rotate(at, packing)
        logs.append(*numbered(at, at + 1))
        at += 1
        if step % 4 == 0:
            logs.put("other.log")  # something else that happens
    assert follower.texts(at - 5) == names(5, at)
    follower.end()


def test_follow_waits_for_a_log_that_is_not_there_yet(logs):
    logs.put("job.log", line(1, "x", pool="job"))
    logs.put("no.log", line(1, "y", pool="no"))
    follower = Follower(logs, "web", "job", "-n", "1")
    assert follower.texts(1) == ["x"]
    logs.append(line(2, "not wanted", pool="no"), name="no.log")
    logs.append(line(3, "first"))
    assert follower.texts(1) == ["first"]
    logs.append(line(4, "second"))
    assert follower.texts(1) == ["second"]
    follower.end()


def on_terminal(logs, *words):
    main, other = pty.openpty()
    subprocess.run(logs.command(*words), stdout=other, check=True,
                   env={"PATH": os.environ["PATH"]})
    os.close(other)
    shown = os.read(main, 4096)
    os.close(main)
    return shown.decode()  # a lone byte of eight bits, which might be CSI, would be refused


CONTROLS = b"\x1b[31mred \x9b1m \xc2\x9b1m \t\xc3\xa9"
SHOWN = r"\x1b[31mred \x9b1m \xc2\x9b1m " + "\t\xe9"


def test_terminals_get_no_control_characters_of_lines_without_tags(logs):
    """In files of raw, and in one of text that something else has written to."""
    (logs.path / "web@0.out.log").write_bytes(CONTROLS + b"\n")
    assert on_terminal(logs) == SHOWN + "\r\n"
    assert logs.run_bytes() == CONTROLS + b"\n"
    assert "\\u009b1m" in on_terminal(logs, "--json")


def test_terminals_get_no_control_characters_of_eight_bits(logs):
    (logs.path / "web.log").write_bytes(line(1, "").encode()[:-1] + CONTROLS + b"\n")
    assert on_terminal(logs).endswith(SHOWN + "\r\n")


def test_terminals_get_no_control_characters(logs):
    logs.put("web.log", line(1, "bell \x07 and \x1b[31mred"))
    shown = on_terminal(logs)
    assert "bell \\x07 and \\x1b[31mred" in shown
    assert shown.startswith("\x1b[32m2026-")
