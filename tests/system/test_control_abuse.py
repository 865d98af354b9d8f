# SPDX-License-Identifier: MIT
"""Clients that are broken, slow or ill-meaning: the others are served, and memory stays bounded."""

import contextlib
import json
import random
import select
import socket
import time

import pytest

from harness import procs
from harness.config import pool
from harness.settings import SLOW, play, sanitized
from harness.varlink import Client, Closed, Failure, crowd

QUICK = 0.05 * SLOW


@pytest.fixture
def u(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", play(f"hello:{hello}", "pause"), Workers=2))
    hello.hellos(2)
    return u


def check_served(u):
    """Another client's answers: of twenty, all but the odd one at once (the machine is shared)."""
    times = []
    for _ in range(20):
        begin = time.monotonic()
        assert u.call("Status", pool="web")["pools"][0]["workers"] == 2
        times.append(time.monotonic() - begin)
    assert sorted(times)[-3] < QUICK, times


def memory(u):
    """Bytes of brood's own."""
    return int(procs.status(u.pid, "VmRSS").split()[0]) * 1024


STATUS = json.dumps({"method": "io.brood.Status", "parameters": {}}).encode()

GARBAGE = {
    "no json": b"hello\0",
    "empty": b"\0",
    "many empty": b"\0" * 1000,
    "array": b"[]\0",
    "number": b"3\0",
    "null": b"null\0",
    "no method": b"{}\0",
    "method is a number": b'{"method":3}\0',
    "method is null": b'{"method":null}\0',
    "no such interface": b'{"method":"org.example.Nothing"}\0',
    "no such method": b'{"method":"io.brood.Nothing"}\0',
    "no dot": b'{"method":"Status"}\0',
    "parameters are a list": b'{"method":"io.brood.Status","parameters":[1]}\0',
    "parameter of a wrong kind": b'{"method":"io.brood.Status","parameters":{"pool":7}}\0',
    "huge number": b'{"method":"io.brood.Scale","parameters":{"pool":"web","workers":1e999}}\0',
    "number beyond 64 bits":
        b'{"method":"io.brood.Scale","parameters":{"pool":"web","workers":99999999999999999999}}\0',
    "no utf-8": b'{"method":"io.brood.Status","parameters":{"pool":"\xff\xfe"}}\0',
    "half a surrogate": b'{"method":"io.brood.Status","parameters":{"pool":"\\ud800"}}\0',
    "nul in a string": b'{"method":"io.brood.Status","parameters":{"pool":"a\\u0000b"}}\0',
    "deep": b"[" * 5000 + b"]" * 5000 + b"\0",
    "deep parameters": b'{"method":"io.brood.Status","parameters":' + b'{"a":' * 3000 + b"1"
                       + b"}" * 3001 + b"\0",
    "cut off": b'{"method":"io.br\0',
    "two at once, one wrong": STATUS + b"\0" + b"nonsense\0",
    "the same key twice": b'{"method":"io.brood.Status","method":"io.brood.Shutdown"}\0',
    "words after the object": STATUS + b" and more\0",
    "binary": bytes(range(1, 256)) * 8 + b"\0",
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_garbage(up_once, data):
    u = up_once(pool("web", play("pause"), Workers=2))
    with u.connect() as client:
        client.send_bytes(data)
        # An error for this one, or the end of the connection; never silence, never more than that.
        with contextlib.suppress(Closed):
            for _ in range(data.count(b"\0") if data.strip(b"\0") else 1):
                message = client.receive(timeout=5)
                assert "error" in message or data.startswith(STATUS) or b'"method",' in data, message
    check_served(u)


def test_random_bytes(u):
    source = random.Random(7)
    for _ in range(100):
        with u.connect() as client:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.send_bytes(source.randbytes(source.randrange(1, 3000)))
    check_served(u)


def test_mutated_messages(u):
    """A good message with bytes changed, cut or doubled, on one connection after another."""
    source = random.Random(11)
    good = json.dumps({"method": "io.brood.Wait", "parameters": {
        "pools": ["web"], "worker": 1, "for": "ready", "timeout": 0.5}}).encode()
    for _ in range(200):
        data = bytearray(good)
        for _ in range(source.randrange(1, 6)):
            at = source.randrange(len(data))
            data[at:at + source.randrange(3)] = source.randbytes(source.randrange(3))
        with u.connect() as client:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.send_bytes(bytes(data) + b"\0")
    check_served(u)


def test_message_in_single_bytes(u):
    with u.connect() as client:
        for byte in STATUS + b"\0":
            client.send_bytes(bytes([byte]))
        assert client.result()["pools"]


def test_half_a_message(u):
    """It costs nobody anything, however long it stays."""
    with u.connect() as half:
        half.send_bytes(STATUS[:20])
        check_served(u)
        half.send_bytes(STATUS[20:] + b"\0")
        assert half.result()["pools"]


def test_client_that_goes_in_the_middle(u):
    for cut in range(0, len(STATUS), 5):
        with u.connect() as client:
            client.send_bytes(STATUS[:cut])
    with u.connect() as client:
        client.send("Wait", {"pools": ["web"], "for": "stopped"})
    check_served(u)


def test_end_of_the_writing_side(u):
    """What was asked before is answered all the same."""
    with u.connect() as client:
        client.send("Status")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.result()["pools"]


def test_pipelined_calls_are_answered_in_order(u):
    with u.connect() as client:
        for name in ("web", "none", "web"):
            client.send("Status", {"pool": name})
        assert client.result()["pools"][0]["name"] == "web"
        with pytest.raises(Failure, match="NoSuchPool"):
            client.result()
        assert client.result()["pools"][0]["name"] == "web"


@pytest.mark.deadline(60)
def test_huge_message(u):
    """64 MB without an end: the connection is closed long before, and the memory was never taken."""
    check_served(u)
    before = memory(u)
    with u.connect() as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(64):
                client.send_bytes(b"x" * (1 << 20))
        assert client.closed()
    check_served(u)
    if not sanitized():
        assert memory(u) - before < 16 << 20


def test_idle_clients(u):
    check_served(u)
    before = memory(u)
    with crowd(u.path, 500) as clients:
        check_served(u)
        assert clients[0].call("Status")["pools"] and clients[499].call("Status")["pools"]
        if not sanitized():
            assert memory(u) - before < 32 << 20
    check_served(u)


@pytest.mark.deadline(60)
def test_more_clients_than_there_may_be(u):
    """However many come: brood lives, its workers are restarted, and those who went make room."""
    with contextlib.ExitStack() as stack:
        try:
            for _ in range(3000):
                client = Client.__new__(Client)
                client.buffer = b""
                client.socket = socket.socket(socket.AF_UNIX)
                stack.callback(client.socket.close)
                client.socket.setblocking(False)
                client.socket.connect(str(u.path))
        except BlockingIOError:
            pass  # the queue of those that wait to be accepted is full
        except OSError as error:
            assert error.errno == 24, error  # our own descriptors
        pid = next(iter(u.pids()))
        procs.kill(pid)
        u.wait_event("exited", pid=pid)
        u.wait_event("started", generation=2)
    procs.until(lambda: served(u), "room for a new client")
    check_served(u)


def served(u):
    with contextlib.suppress(OSError, Closed):
        return u.call("Status")["pools"]
    return False


ENOUGH = 64 << 20


def push(client, data):
    """Sends this again and again until nobody takes it any more; how many bytes were."""
    client.socket.setblocking(False)
    sent = 0
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while sent < ENOUGH and select.select([], [client.socket], [], 0.3)[1]:
            sent += client.socket.send(data)
    return sent


def test_client_that_never_reads(u):
    """Its answers pile up to a bound; then it is dropped or no longer listened to."""
    check_served(u)
    before = memory(u)
    with u.connect() as client:
        assert push(client, (STATUS + b"\0") * 1000) < ENOUGH
        check_served(u)
        if not sanitized():
            assert memory(u) - before < 32 << 20
    check_served(u)


def test_follower_that_never_reads(up_once, scratch):
    """Events for it are dropped and counted; the workers it should hear of are not slowed."""
    # A program with a long path that cannot be executed: quick, and few events are many bytes.
    program = scratch.joinpath(*["x" * 200] * 5, "program")
    program.parent.mkdir(parents=True)
    program.write_text("#!/nosuch/interpreter\n")
    program.chmod(0o755)
    u = up_once(pool("web", play("pause"), Workers=2),
                pool("storm", [program], StartLimitBurst=0), log=None)
    with u.connect() as client:
        client.send("Events", {"follow": True}, more=True)
        client.receive()
        with u.connect() as other:
            for _ in range(800):
                assert not other.call("Start", pools=["storm"])["outcomes"][0]["ok"]
        check_served(u)
        rows = []
        with contextlib.suppress(TimeoutError):
            while not rows or rows[-1]["event"] != "missed":
                rows.append(client.result(timeout=1)["event"])
        assert rows[-1]["event"] == "missed" and len(rows) > 100


def test_many_waiting_calls_on_one_connection(u):
    """The first of them is not answered yet: the others wait, unread, and cost brood nothing."""
    call = json.dumps({"method": "io.brood.Wait", "parameters": {
        "pools": ["web"], "for": "stopped"}}).encode() + b"\0"
    with u.connect() as client:
        assert push(client, call * 1000) < 4 << 20
        check_served(u)


def test_commands_of_everybody_at_once(u):
    """Contradictory wishes side by side: one outcome, no double, no worker lost."""
    words = [["restart", "web"], ["scale", "web", "4"], ["stop", "web/0"], ["restart", "web"],
             ["start", "web"], ["scale", "web", "2"], ["restart", "web/1"], ["start", "web"]]
    running = [u.start_ctl(*each, "--timeout", "3s") for each in words * 2]
    for one in running:
        assert one.finish().status in (0, 1, 4, 8)
    u.ctl("scale", "web", "3")
    u.ctl("start", "web")
    assert sorted(u.worker_pids("web")) == [0, 1, 2]
    procs.until(lambda: sorted(u.pids()) == sorted(u.worker_pids("web").values()), "no other one")


# --- introspection


def test_describes_itself(u):
    with u.connect() as client:
        info = client.call("org.varlink.service.GetInfo")
        assert {"org.varlink.service", "io.brood"} <= set(info["interfaces"])
        assert info["product"] and info["version"] and info["vendor"] and info["url"]
        text = client.call("org.varlink.service.GetInterfaceDescription",
                           interface="io.brood")["description"]
    assert text.lstrip().startswith(("#", "interface io.brood"))
    for method in ("Status", "Start", "Stop", "Restart", "Reset", "ReloadPool", "ReloadConfig",
                   "Scale", "Signal", "Wait", "Events", "Shutdown"):
        assert f"method {method}(" in text


@pytest.mark.parametrize("method, parameters, error", [
    ("org.varlink.service.GetInterfaceDescription", {"interface": "org.none"},
     "org.varlink.service.InterfaceNotFound"),
    ("org.none.Method", {}, "org.varlink.service.InterfaceNotFound"),
    ("io.brood.None", {}, "org.varlink.service.MethodNotFound"),
    ("io.brood.Scale", {"pool": 3}, "org.varlink.service.InvalidParameter"),
    ("io.brood.Wait", {"pools": ["web"], "for": "lunch"}, "org.varlink.service.InvalidParameter"),
    ("io.brood.Status", {"pool": "none"}, "NoSuchPool"),
    ("io.brood.Status", {"pool": "web", "worker": 9}, "NoSuchWorker"),
    ("io.brood.Stop", {"pools": ["web", "none"]}, "NoSuchPool"),
])
def test_errors_have_names(u, method, parameters, error):
    pids = u.worker_pids("web")
    with u.connect() as client:
        client.send(method, parameters)
        with pytest.raises(Failure) as caught:
            client.result()
    assert caught.value.name == error
    # A call that names something wrong does nothing at all.
    assert u.worker_pids("web") == pids


def test_one_way_calls_are_not_answered(u):
    with u.connect() as client:
        client.send("Status", oneway=True)
        client.send("Status", {"pool": "web"})
        assert [one["name"] for one in client.result()["pools"]] == ["web"]
        with pytest.raises(TimeoutError):
            client.receive(timeout=0.05)


def test_events_need_more(u):
    """A stream for a caller that takes one reply is refused, as Varlink wants it."""
    with u.connect() as client:
        client.send("Events", {"follow": True})
        assert client.receive()["error"] == "org.varlink.service.ExpectedMore"
