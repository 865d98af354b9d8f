# SPDX-License-Identifier: MIT
"""Pidfiles as any other program sees them: a number in a file, and a POSIX record lock on it."""

import contextlib
import fcntl
import os
import struct

from . import procs

FLOCK = "hhxxxxqqixxxx"


def holder(path):
    """The pid that holds the lock, None when nobody does."""
    with open(path) as file:
        lock = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, lock))
        return None if kind == fcntl.F_UNLCK else pid


def number(path):
    """What the file says; its form is checked, too."""
    with open(path) as file:
        text = file.read()
    assert text == f"{int(text)}\n", text
    return int(text)


@contextlib.contextmanager
def ending(pid):
    """A daemon that the test adopted: killed and taken at the end of the block."""
    try:
        yield pid
    finally:
        procs.kill(pid)
        procs.wait_gone(pid)
