# SPDX-License-Identifier: MIT
"""What this kernel and this user may do, so that a test that cannot run says why."""

import ctypes
import functools
import os
import subprocess

import pytest

SYS_IO_URING_SETUP = 425


@functools.cache
def uring_refused():
    """Why io_uring cannot be used here, or None."""
    params = ctypes.create_string_buffer(120)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(SYS_IO_URING_SETUP, 1, params)
    if fd < 0:
        return os.strerror(ctypes.get_errno())
    os.close(fd)
    return None


@functools.cache
def pid_namespace():
    """The command before which a program becomes PID 1 of a namespace, or None."""
    base = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    for words in (base, [*base[:1], "--user", "--map-root-user", *base[1:]]):
        try:
            if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
                return words
        except FileNotFoundError:
            return None
    return None


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may do this")


def effective_capability(number):
    """Whether this process has a capability."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> number & 1)
    return False
