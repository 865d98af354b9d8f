# SPDX-License-Identifier: MIT
"""Ports and clients for what brood listens on."""

import collections
import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time

from . import settings

Answer = collections.namedtuple("Answer", "pid worker generation name text")

LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def free_port(kind=socket.SOCK_STREAM):
    """A port that nobody has: below those that the kernel gives to clients, and told to nobody
    else by the number of this process."""
    base = 10000 + os.getpid() * 17 % 20000
    for port in range(base, base + 1000):
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, kind) as probe:
            probe.bind(("0.0.0.0", port))
            if port not in free_port.given:
                free_port.given.add(port)
                return port
    raise RuntimeError("no free port")


free_port.given = set()


def parse(text):
    pid, worker, generation, name, said = text.split()
    return Answer(int(pid), *(None if word == "-" else int(word) for word in (worker, generation)),
                  name, said)


def ask(address, family=socket.AF_INET, kind=socket.SOCK_STREAM):
    """What `serve:` answers there. An address that is a path or begins with \\0 is a unix one."""
    if not isinstance(address, tuple):
        family = socket.AF_UNIX
    with socket.socket(family, kind) as client:
        client.settimeout(settings.WAIT)
        if kind == socket.SOCK_DGRAM and family == socket.AF_UNIX:
            client.bind("")
        client.connect(address)
        client.send(b"who\n")
        return parse(client.recv(4096).decode())


def ask_local(port, **keywords):
    return ask(("127.0.0.1", port), **keywords)


class Customer:
    """Somebody who asks again and again, one connection each time, and counts what went wrong."""

    def __init__(self, address):
        self.address = address
        self.answers = []
        self.failures = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def run(self):
        while not self.over.is_set():
            try:
                self.answers.append(ask(self.address))
            except (OSError, ValueError) as error:
                self.failures.append(error)
            time.sleep(0.001)

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(settings.WAIT)


class Visitor:
    """An HTTP client that keeps its connection until the server says `close`."""

    def __init__(self, port):
        self.port = port
        self.count = 0
        self.failures = []
        self.texts = collections.Counter()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def run(self):
        client = None
        while not self.over.is_set():
            try:
                if not client:
                    client = socket.create_connection(("127.0.0.1", self.port), settings.WAIT)
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                head, body = self.read_answer(client)
                self.texts[parse(body).text] += 1
                self.count += 1
                if "Connection: close" in head:
                    client.close()
                    client = None
            except (OSError, ValueError) as error:
                self.failures.append(error)
                client = None
        if client:
            client.close()

    @staticmethod
    def read_answer(client):
        data = b""
        while b"\r\n\r\n" not in data or not data.endswith(b"\n") or data.endswith(b"\r\n"):
            piece = client.recv(4096)
            if not piece:
                raise ConnectionResetError(f"the answer ended after {data!r}")
            data += piece
        head, body = data.decode().split("\r\n\r\n", 1)
        return head, body

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(settings.WAIT)


# What wrk prints at its end.
SUMMARY = """
done = function(summary, latency, requests)
    io.write(string.format(
        '\\n{"requests":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\\n',
        summary.requests, summary.errors.connect, summary.errors.read, summary.errors.write,
        summary.errors.status, summary.errors.timeout))
end
"""


class Load:
    """wrk against a port, for as long as the block takes (at most a minute)."""

    def __init__(self, port, script, connections=16):
        self.argv = ["wrk", "-t1", f"-c{connections}", "-d60s", "--timeout", "10s", "-s", script,
                     f"http://127.0.0.1:{port}/"]

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)  # it prints its summary then
        out, _ = self.process.communicate(timeout=settings.WAIT)
        self.result = json.loads(out.strip().splitlines()[-1])

    def errors(self):
        return {key: value for key, value in self.result.items() if key != "requests" and value}
