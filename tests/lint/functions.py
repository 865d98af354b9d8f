# SPDX-License-Identifier: MIT
"""The functions of a C file, by their shape.

clang-format guarantees it: a definition begins in the first column, its head ends in `) {`, and
nothing but its own closing brace stands in the first column until it is over.
"""

import re

HEAD = re.compile(r'[A-Za-z_]')
NAME = re.compile(r'(\w+)\(')


def functions_of(lines):
    """Yields (name, first line, number of lines), head and braces included."""
    first = body = None
    for number, line in enumerate(lines, 1):
        if body:
            if line == '}':
                name = NAME.search(' '.join(lines[first - 1:body]))
                yield name[1] if name else '?', first, number - first + 1
                first = body = None
            continue
        if HEAD.match(line):
            first = number
        elif not line.startswith(' '):
            first = None
        if first and line.endswith(') {'):
            body = number
