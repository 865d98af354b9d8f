# SPDX-License-Identifier: MIT
"""The control socket from a Varlink implementation that is not ours: Debian's for Go."""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from harness import procs
from harness.config import pool
from harness.settings import HELPERS, WAIT, play

SOURCE = pathlib.Path(__file__).parent / "varlink_client" / "main.go"
LIBRARY = pathlib.Path("/usr/share/gocode/src/github.com/varlink/go/varlink")

pytestmark = [
    pytest.mark.deadline(120),
    pytest.mark.skipif(not shutil.which("go") or not LIBRARY.is_dir(),
                       reason="golang-go or golang-github-varlink-go-dev is not installed")]


def is_built(program):
    return program.exists() and program.stat().st_mtime >= SOURCE.stat().st_mtime


@pytest.fixture(scope="session")
def program():
    """The client, built once for all test processes and kept beside the other helpers."""
    place = pathlib.Path(HELPERS) / "varlink-go"
    place.mkdir(exist_ok=True)
    result = place / "client"
    if is_built(result):
        return str(result)
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_built(result):
            env = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode",
                   "GOCACHE": str(place / "cache"), "GOFLAGS": "", "HOME": str(place)}
            subprocess.run(["go", "build", "-o", result, SOURCE], env=env, check=True)
    return str(result)


@pytest.fixture
def client(program, up_once, fifo):
    """client(WORDS…) → (exit status, lines); client.u is the supervisor."""
    hello = fifo("hello")
    u = up_once(pool("web", play(f"hello:{hello}", "pause"), Workers=2))
    hello.hellos(2)
    u.ctl("wait", "web", "--for=ready")

    def function(*words):
        done = subprocess.run([program, f"unix:{u.path}", *map(str, words)], text=True,
                              capture_output=True, timeout=WAIT * 2, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()

    function.u, function.hello, function.program = u, hello, program
    return function


def call(client, method, **parameters):
    status, lines = client("call", f"io.brood.{method}", json.dumps(parameters))
    assert status == 0, lines
    return json.loads(lines[0])


def test_introspection(client):
    status, lines = client("info")
    assert status == 0 and "io.brood" in json.loads(lines[0])["interfaces"]
    status, lines = client("describe", "io.brood")
    assert status == 0 and lines[0] == "interface io.brood"
    for method in ("Status", "Start", "Stop", "Restart", "Reset", "ReloadPool", "ReloadConfig",
                   "Scale", "Signal", "Wait", "Events", "Shutdown"):
        assert f"method {method}" in lines
    assert {"error NoSuchPool", "error PermissionDenied", "type Worker"} <= set(lines)
    status, lines = client("describe", "org.varlink.service")
    assert status == 0 and "method GetInfo" in lines


def test_calls(client):
    u = client.u
    (web,) = call(client, "Status", pool="web")["pools"]
    assert {one["worker"]: one["pid"] for one in web["workers_list"]} == u.worker_pids("web")
    call(client, "Scale", pool="web", workers=3)
    assert sorted(u.worker_pids("web")) == [0, 1, 2]
    call(client, "Restart", pools=["web"], worker=1)
    (outcome,) = call(client, "Stop", pools=["web"])["outcomes"]
    assert outcome["ok"] and u.pids() == []


def test_errors(client):
    status, (line,) = client("call", "io.brood.Status", '{"pool":"none"}')
    assert status == 1 and line.startswith("io.brood.NoSuchPool")
    assert json.loads(line.split(" ", 1)[1])["known"] == ["web"]
    for method in ("io.none.Method", "io.brood.None"):
        status, lines = client("call", method, "{}")
        assert status == 1 and "NotFound" in lines[0]


def test_stream(client):
    process = subprocess.Popen(
        [client.program, f"unix:{client.u.path}", "more", "1000", "io.brood.Events",
         '{"follow":true,"pools":["web"]}'], stdout=subprocess.PIPE, text=True)
    rows = (json.loads(line)["event"] for line in process.stdout)
    assert next(rows)["event"] == "started"
    pid = client.u.worker_pids("web")[0]
    procs.kill(pid)
    assert any(row["event"] == "exited" and row["pid"] == pid for row in rows)
    process.kill()
    process.wait()


def test_one_way(client):
    status, _ = client("oneway", "io.brood.Scale", '{"pool":"web","workers":4,"wait":false}')
    assert status == 0
    procs.until(lambda: len(client.u.worker_pids("web")) == 4, "the fourth")
