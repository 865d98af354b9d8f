# SPDX-License-Identifier: MIT
"""Fault injection: the real binary while the kernel says no. See ../system/harness/fixtures.py."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))

from harness.fixtures import *  # noqa: E402,F401,F403
