# SPDX-License-Identifier: MIT
"""Where the programs under test are, and how patient the tests have to be."""

import os
import pathlib
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]

BROOD = os.path.abspath(os.environ.get("BROOD", ROOT / "build/src/bin/brood"))
HELPERS = os.path.abspath(os.environ.get("HELPERS", ROOT / "build/tests/helpers"))

WORKER = os.path.join(HELPERS, "worker")
INJECT = os.path.join(HELPERS, "inject")

# Sanitized binaries and loaded machines: every deadline is multiplied with this.
SLOW = float(os.environ.get("BROOD_TEST_SLOW", "1"))

# How long a single wait may take, and a whole test, before something must be wrong.
WAIT = 10 * SLOW
DEADLINE = 30 * SLOW


def sanitized():
    """Whether brood was built with AddressSanitizer."""
    with open(BROOD, "rb") as binary:
        return b"__asan_init" in binary.read()


# Where captured output goes of which no test says anything; each control socket has its own place.
LOGS = tempfile.TemporaryDirectory(prefix="brood-logs-")


def environment(**changes):
    """The environment for brood: the caller's, without what would change brood's behaviour."""
    result = {k: v for k, v in os.environ.items() if not k.startswith(("BROOD_", "NOTIFY_"))}
    result["LOGS_DIRECTORY"] = LOGS.name
    # Every directory of PATH can be searched by every user: what is not found is not found.
    result["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    # A sanitizer's report must not look like one of brood's own exit statuses.
    result["ASAN_OPTIONS"] = "exitcode=86"
    result["UBSAN_OPTIONS"] = "halt_on_error=1:exitcode=86:print_stacktrace=1"
    result.update({k: v for k, v in changes.items() if v is not None})
    return result


def play(*words):
    """The command of a worker that does these things in turn (see tests/helpers/worker.c)."""
    return [WORKER, *(str(word) for word in words)]


def around(*words):
    """What to put before a command, so that it starts in surroundings that these words make."""
    return [*play(*words), "exec"]
