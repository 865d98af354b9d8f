# SPDX-License-Identifier: MIT
"""libbrood as a program's author meets it: what its tests share.

The programs of tests/api are driven from outside, each with the shared and the static library."""

import pathlib
import subprocess

import pytest

from harness.settings import HELPERS, ROOT, WAIT, environment

BUILD = pathlib.Path(HELPERS).parents[1]
API = BUILD / "tests/api"
LIBRARY = BUILD / "src/api"
EXAMPLES = BUILD / "examples"
HEADER = ROOT / "include/brood.h"

REPORTS = ("AddressSanitizer", "LeakSanitizer", "runtime error:")


@pytest.fixture(params=["shared", "static"])
def program(request):
    """The path of a test program, linked in this way."""
    return lambda name: str(API / (name if request.param == "shared" else f"{name}-static"))


@pytest.fixture
def launch(guard):
    """Starts a program; at the end it must be gone and have said nothing bad."""
    launched = []

    def function(*argv, **keywords):
        process = subprocess.Popen(
            [str(word) for word in argv], env=environment(), stderr=subprocess.PIPE,
            **{"stdin": subprocess.DEVNULL, **keywords})
        launched.append(process)
        return process

    yield function
    for process in launched:
        if process.poll() is None:
            process.kill()
        _, text = process.communicate(timeout=WAIT)
        text = text.decode() if isinstance(text, bytes) else text
        assert not any(report in text for report in REPORTS), text
