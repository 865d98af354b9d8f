# SPDX-License-Identifier: MIT
"""The last lines of stderr, wherever the end of a process is shown."""

import os
import signal

from harness import procs
from harness.config import pool
from harness.settings import play

LAST = "bad index \x1b[31m7\nAborted by test"


def crash(u, name="web", number=0):
    """Ends the process of a worker, and waits for the next one."""
    before = u.worker(name, number)
    os.kill(before["pid"], signal.SIGKILL)
    procs.until(lambda: u.worker(name, number)["generation"] > before["generation"]
                and u.worker(name, number)["state"] == "ready", "the next process")


def talker(*words):
    return play("put:2=bad index \x1b[31m7", "put:2=Aborted by test", *words, "pause")


def test_status_and_events_have_them(up, fifo):
    said = fifo()
    u = up(pool("web", talker(f"hello:{said}"), Workers=2))
    said.hellos(2)
    assert "stderr" not in u.worker("web")
    crash(u)
    assert u.worker("web")["stderr"] == LAST
    assert "stderr" not in u.worker("web", 1)
    (event,) = [one for one in u.ctl("events", "web").lines if one["event"] == "exited"]
    assert event["stderr"] == LAST and event["cause"] == "killed by SIGKILL"
    (found,) = u.ctl("status", "--json", "web/0").json["pools"]
    assert found["workers_list"][0]["stderr"] == LAST
    shown = u.ctl("status", "web/0").out.splitlines()
    at = next(i for i, line in enumerate(shown) if "Last end" in line)
    first, second = shown[at + 1:at + 3]
    assert first.split(None, 2) == ["Its", "stderr", "bad index \\x1b[31m7"]
    assert second.strip() == "Aborted by test" and second.index("Aborted") == first.index("bad")


def test_they_belong_to_the_last_end(up_once, fifo):
    """A roll and a scaling make new processes, which have no past of their own."""
    said = fifo()
    u = up_once(pool("web", talker(f"hello:{said}"), Workers=2))
    said.hellos(2)
    crash(u, number=1)
    crash(u)
    u.ctl("restart", "--rolling", "web")
    for one in u.workers("web"):
        assert ("stderr" in one) == bool(one.get("cause")), one
    u.ctl("scale", "web", "1")
    u.ctl("scale", "web", "2")
    assert "stderr" not in u.worker("web", 1) and not u.worker("web", 1).get("cause")
