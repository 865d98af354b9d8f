# SPDX-License-Identifier: MIT
"""What the system and the fault tests stand on: processes, FIFOs, the supervisor under test.

Nothing in here sleeps for a guess. A test waits for what it wants to see (a line in a FIFO, an
event in brood's log, the end of a process), and each wait has an end.
"""
