# SPDX-License-Identifier: MIT
"""The words of the worker that speak to a supervisor, tried against a small one of the test's own."""

import array
import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess

import pytest

from harness import procs
from harness.net import SUMMARY, Load, Visitor
from harness.settings import play

SO_PASSCRED = 16


@pytest.fixture
def notify(scratch):
    """A notification socket; its receive() gives (message, pid of the sender, descriptors)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, SO_PASSCRED, 1)
        receiver.settimeout(10)
        receiver.bind(str(scratch / "notify"))

        def receive():
            message, control, _, _ = receiver.recvmsg(4096, 4096)
            pid, fds = None, array.array("i")
            for _, kind, data in control:
                if kind == socket.SCM_RIGHTS:
                    fds.frombytes(data[: len(data) // fds.itemsize * fds.itemsize])
                else:
                    pid = array.array("i", data)[0]
            return message.decode(), pid, list(fds)

        yield str(scratch / "notify"), receive


def sender(path, *words):
    return subprocess.Popen(play(*words), env={"NOTIFY_SOCKET": path})


def test_notify_says_its_text(notify):
    path, receive = notify
    process = sender(path, "notify:READY=1\nSTATUS=here")
    assert receive() == ("READY=1\nSTATUS=here", process.pid, [])
    assert process.wait() == 0


def test_notify_from_a_child_that_is_gone(notify):
    path, receive = notify
    process = sender(path, "fork", "(", "notify:READY=1", ")", "pause")
    message, pid, _ = receive()
    assert message == "READY=1" and pid != process.pid
    procs.kill_all()


def test_notify_with_descriptors(notify):
    path, receive = notify
    process = sender(path, "notify-fds:3=READY=1")
    message, _, fds = receive()
    assert message == "READY=1" and len(fds) == 3
    for fd in fds:
        os.close(fd)
    assert process.wait() == 0


def test_store_hands_over_its_content(notify):
    path, receive = notify
    process = sender(path, "store:state=kept")
    message, _, (fd,) = receive()
    assert message == "FDSTORE=1\nFDNAME=state"
    assert os.pread(fd, 100, 0) == b"kept"
    os.close(fd)
    assert process.wait() == 0


def test_barrier_waits(notify, fifo):
    path, receive = notify
    done = fifo()
    process = sender(path, "barrier", f"line:{done}=passed")
    message, _, (fd,) = receive()
    assert message == "BARRIER=1" and done.empty()
    os.close(fd)
    assert done.line() == "passed"
    assert process.wait() == 0


def test_stored_content_is_read_back(fifo):
    """read:FD=FIFO: what a later generation finds behind the descriptor that it was given."""
    said = fifo()
    fd = os.memfd_create("stored")
    os.write(fd, b"kept")
    process = subprocess.Popen(play(f"read:{fd}={said}"), pass_fds=[fd])
    assert said.line() == "kept"
    assert process.wait() == 0
    os.close(fd)


def test_sleep_lasts():
    process = subprocess.Popen(play("sleep:60000"))
    assert not select.select([os.pidfd_open(process.pid)], [], [], 0.05)[0]
    process.kill()
    process.wait()


@contextlib.contextmanager
def server(*sockets, names="web", words=("serve:v1",)):
    """The worker with these sockets as a supervisor would hand them over."""
    def place():
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(sockets)),
                          LISTEN_FDNAMES=names, BROOD_WORKER="3", BROOD_GENERATION="2")
        high = [os.dup2(one.fileno(), 100 + i) for i, one in enumerate(sockets)]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)

    pid = os.fork()
    if pid == 0:
        place()
        os.execv(play()[0], play(*words))
    try:
        yield pid
    finally:
        procs.kill(pid)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def test_serve_answers_everything(scratch):
    path = str(scratch / "sock")
    with socket.create_server(("127.0.0.1", 0)) as tcp, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, \
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as packets:
        udp.bind(("127.0.0.1", 0))
        packets.bind(path)
        packets.listen()
        with server(tcp, udp, packets, names="web:dns:unix") as pid:
            with socket.create_connection(tcp.getsockname(), timeout=10) as client:
                client.sendall(b"who\n")
                assert client.makefile().read() == f"{pid} 3 2 - v1\n"
            with socket.create_connection(tcp.getsockname(), timeout=10) as client:
                for _ in range(2):
                    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    answer = client.recv(4096).decode()
                    assert answer.startswith("HTTP/1.1 200") and "keep-alive" in answer
                    assert answer.endswith(f"{pid} 3 2 http v1\n")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(10)
                client.sendto(b"who", udp.getsockname())
                assert client.recv(4096).decode() == f"{pid} 3 2 dns v1\n"
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
                client.settimeout(10)
                client.connect(path)
                client.send(b"who\n")
                assert client.recv(4096).decode() == f"{pid} 3 2 - v1\n"


def test_serve_ends_without_a_loss():
    with socket.create_server(("127.0.0.1", 0)) as tcp, server(tcp) as pid:
        with socket.create_connection(tcp.getsockname(), timeout=10) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert "keep-alive" in client.recv(4096).decode()
            os.kill(pid, signal.SIGTERM)
            procs.until(lambda: "close" in ask(client), "the last answer")
            assert client.recv(4096) == b""
        assert os.waitpid(pid, 0)[1] == 0


def ask(client):
    client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    return client.recv(4096).decode()


def test_serve_wants_its_own_sockets():
    done = subprocess.run(play("serve:x"), capture_output=True, check=False,
                          env={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
    assert done.returncode == 99 and b"LISTEN_PID is 1" in done.stderr


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_serve_hands_over_under_load(scratch):
    """Two servers one after another on one socket, with load on it all the time: none is lost."""
    (scratch / "summary.lua").write_text(SUMMARY)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as tcp:
        port = tcp.getsockname()[1]
        load, visitor = Load(port, str(scratch / "summary.lua")), Visitor(port)
        with contextlib.ExitStack() as stack, load, visitor:
            for number in range(4):
                pid = stack.enter_context(server(tcp, words=(f"serve:v{number}",)))
                if number:
                    os.kill(previous, signal.SIGTERM)
                    assert os.waitpid(previous, 0)[1] == 0
                procs.until(lambda n=number: visitor.texts[f"v{n}"] > 100, "requests")
                previous = pid
    assert load.errors() == {} and visitor.failures == []
