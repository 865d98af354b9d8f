# SPDX-License-Identifier: MIT
"""A supervisor that says what it is told to say: the other end for tests of the client."""

import json
import socket
import threading

SILENCE = object()


class Error:
    def __init__(self, name, **parameters):
        self.name, self.parameters = name, parameters


class FakeSupervisor:
    """Listens on `path`. `answers` has for each method of io.brood (or None, for all others) what
    comes: parameters; an Error; bytes, sent as they are before the connection is closed; a list of
    any of these; SILENCE; or a function of the parameters that gives one of them."""

    def __init__(self, path, answers):
        self.path, self.answers = str(path), answers
        self.calls = []
        self.lock = threading.Lock()
        self.connections = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def close(self):
        for one in [self.listener, *self.connections]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join()
        for one in [self.listener, *self.connections]:
            one.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            self.threads.append(threading.Thread(target=self.serve, args=[connection], daemon=True))
            self.threads[-1].start()

    def serve(self, connection):
        data = b""
        try:
            while chunk := connection.recv(65536):
                data += chunk
                while b"\0" in data:
                    message, data = data.split(b"\0", 1)
                    self.answer(connection, json.loads(message))
        except OSError:
            pass

    def answer(self, connection, call):
        name = call["method"].removeprefix("io.brood.")
        parameters = call.get("parameters", {})
        with self.lock:
            self.calls.append((name, parameters))
        answer = self.answers.get(name, self.answers.get(None, SILENCE))
        if callable(answer):
            answer = answer(parameters)
        replies = answer if isinstance(answer, list) else [answer]
        for i, reply in enumerate(replies):
            if reply is SILENCE:
                continue
            if isinstance(reply, bytes):
                connection.sendall(reply)
                connection.shutdown(socket.SHUT_RDWR)
                return
            connection.sendall(self.encode(reply, i + 1 < len(replies)))

    @staticmethod
    def encode(reply, continues):
        if isinstance(reply, Error):
            message = {"error": reply.name, "parameters": reply.parameters}
        else:
            message = {"parameters": reply}
        if continues:
            message["continues"] = True
        return json.dumps(message).encode() + b"\0"

    def asked(self, name):
        """The parameters of each call of this method."""
        with self.lock:
            return [parameters for called, parameters in self.calls if called == name]


def worker(pool, number, **changes):
    return {
        "pool": pool, "worker": number, "role": "holder", "state": "ready", "generation": 1,
        "pid": None, "since": 61.0, "uptime": 61.0, "restarts": 0, "cause": None, "status": None,
        "reloading": False, "cgroup": None, **changes,
    }


def cause(text="killed by SIGSEGV", status=139):
    return {"kind": "signal", "text": text, "exit_status": status, "signal": "SIGSEGV"}


def pool(name, workers=(), **changes):
    ready = sum(one["state"] == "ready" for one in workers)
    return {
        "name": name, "state": "up", "wanted": True, "workers": len(workers), "ready": ready,
        "restarts": sum(one["restarts"] for one in workers), "rolling": False,
        "command": "/usr/bin/worker --port 80%i", "origin": "/etc/brood/web.conf:3",
        "workers_list": list(workers), **changes,
    }


def status(*pools):
    """An answer to Status, that of a supervisor that knows these pools."""
    brood = {"pid": 17, "version": "0.1.0", "started": 0.0, "socket": "/run/brood/control.sock",
             "loop": "uring", "configuration": 1}

    def answer(parameters):
        wanted, number = parameters.get("pool"), parameters.get("worker")
        found = [dict(one) for one in pools if wanted in (None, one["name"])]
        if wanted and not found:
            return Error("io.brood.NoSuchPool", pool=wanted, known=[one["name"] for one in pools])
        if number is not None:
            for one in found:
                one["workers_list"] = [w for w in one["workers_list"] if w["worker"] == number]
            if not found[0]["workers_list"]:
                return Error("io.brood.NoSuchWorker", pool=wanted, worker=number)
        return {"brood": brood, "pools": found}

    return answer


def outcome(name, text, number=None, ok=True):
    return {"pool": name, "worker": number, "ok": ok, "state": "ready", "text": text}
