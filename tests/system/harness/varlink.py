# SPDX-License-Identifier: MIT
"""A Varlink client of the tests' own: JSON objects that end with a NUL, over a unix socket."""

import contextlib
import json
import select
import socket
import time

from . import settings

INTERFACE = "io.brood"


class Failure(Exception):
    """The service answered with an error."""

    def __init__(self, name, parameters):
        super().__init__(f"{name} {parameters}")
        self.name = name.removeprefix(INTERFACE + ".")
        self.parameters = parameters


class Closed(Exception):
    """The service closed the connection."""


class Client:
    """One connection. Messages can be sent as bytes, too, whatever they are."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.buffer = b""
        try:
            # With a timeout Python does not wait for room in the queue of those to be accepted.
            self.socket.connect(str(path))
            self.socket.settimeout(settings.WAIT)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, method, parameters=None, **flags):
        if "." not in method:
            method = f"{INTERFACE}.{method}"
        message = {"method": method, "parameters": parameters or {}, **flags}
        self.send_bytes(json.dumps(message).encode() + b"\0")

    def receive(self, timeout=None):
        """The next message as it is. Closed when there will be none."""
        end = time.monotonic() + (settings.WAIT if timeout is None else timeout)
        while b"\0" not in self.buffer:
            left = end - time.monotonic()
            if left < 0 or not select.select([self.socket], [], [], left)[0]:
                raise TimeoutError(f"no answer: {self.buffer[:200]!r}")
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed(self.buffer[:200])
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def result(self, timeout=None):
        message = self.receive(timeout)
        if "error" in message:
            raise Failure(message["error"], message.get("parameters", {}))
        return message.get("parameters", {})

    def call(self, method, timeout=None, **parameters):
        """The reply's parameters, or Failure."""
        self.send(method, {k: v for k, v in parameters.items() if v is not None})
        return self.result(timeout)

    def closed(self, timeout=None):
        """Whether the service closes the connection, whatever it says before."""
        try:
            while True:
                self.receive(timeout)
        except (Closed, ConnectionResetError):
            return True
        except TimeoutError:
            return False


@contextlib.contextmanager
def crowd(path, count):
    """So many connections that say nothing."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Client(path)) for _ in range(count)]
