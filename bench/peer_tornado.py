# SPDX-License-Identifier: MIT
"""N copies of a program under Tornado: peer_tornado.py N PROGRAM.

fork_processes() is meant for Python code; here its children become the same worker that everybody
else runs, so that it can be compared.
"""

import os
import sys

from tornado.process import fork_processes

fork_processes(int(sys.argv[1]), max_restarts=sys.maxsize)
os.execv(sys.argv[2], sys.argv[2:])
