#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rules of the house that a compiler does not know, checked over the source tree.

    lint.py                            every check that needs nothing but the tree
    lint.py floors sizes               these only
    lint.py symbols NAME=ARCHIVE …     what the pure libraries need from outside

Each rule is one TAP line; what breaks it is on standard error, as FILE:LINE: what.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

from functions import functions_of

ROOT = pathlib.Path(__file__).resolve().parents[2]

FILE_LINES = 600
FUNCTION_LINES = 60

# What a floor may include besides itself; docs/architecture.md says why.
FLOORS = {
    'base': set(),
    'core': {'base'},
    'sys': {'base'},
    'wire': {'base'},
    'loop': {'sys', 'base'},
    'logs': {'core', 'sys', 'base'},
    'run': {'core', 'logs', 'loop', 'sys', 'base'},
    'ctl': {'wire', 'core', 'sys', 'base'},
    'conf': {'run', 'core', 'sys', 'base'},
    'up': {'conf', 'wire', 'run', 'core', 'loop', 'sys', 'base'},
    'api': {'run', 'core', 'loop', 'sys', 'base'},
    'bin': {'api', 'up', 'ctl', 'conf', 'wire', 'run', 'core', 'logs', 'loop', 'sys', 'base'},
}

# A header that is private to its folder.
PRIVATE = re.compile(r'(_internal|_backend)\.h$')

# Nothing here can reach the kernel, but for what `symbols` watches.
PURE_HEADERS = {
    'base': {'assert.h', 'ctype.h', 'errno.h', 'inttypes.h', 'limits.h', 'signal.h', 'stdarg.h',
             'stdbool.h', 'stddef.h', 'stdint.h', 'stdio.h', 'string.h', 'strings.h'},
    'core': {'assert.h', 'errno.h', 'inttypes.h', 'limits.h', 'stdbool.h', 'stddef.h', 'stdint.h',
             'stdio.h', 'string.h', 'sys/types.h'},
}

PURE_SYMBOLS = re.compile(
    r'(mem|str)[a-z_]+|v?snprintf|bcmp|sigabbrev_np'
    r'|__(mem|str|v?snprintf)[a-z]*_chk|__stack_chk_fail|__assert_fail|__ctype_b_loc'
    r'|__u?(div|mod)ti3|_GLOBAL_OFFSET_TABLE_'
    r'|_*(asan|ubsan|sanitizer|gcov|llvm)_.*|__start_.*|__stop_.*')

C_ROOTS = ('src', 'include', 'tests', 'bench', 'examples')
SKIPPED_DIRECTORIES = re.compile(r'\.git|build.*|__pycache__|\..*_cache|corpus')

# Spelt so that this file does not break its own rules.
UNFINISHED = re.compile(r'\b(TO' r'DO|FIX' r'ME|X' r'XX)\b')
FOREIGN_PATH = re.compile(r'(?<![\w.$}~-])/(home|Users|root|work)/[\w.-]')


def tree_files():
    for folder, folders, names in os.walk(ROOT):
        if 'build.ninja' in names:
            folders[:] = []
            continue
        folders[:] = sorted(f for f in folders if not SKIPPED_DIRECTORIES.fullmatch(f))
        for name in sorted(names):
            path = pathlib.Path(folder, name)
            if name != '.git' and not path.is_symlink() and b'\0' not in path.read_bytes():
                yield path


def c_files(*roots):
    return [path for path in tree_files()
            if path.suffix in ('.c', '.h') and path.relative_to(ROOT).parts[0] in roots]


def lines_of(path):
    return path.read_text(encoding='utf-8', errors='replace').split('\n')[:-1]


def at(path, line, text):
    return f'{path.relative_to(ROOT)}:{line}: {text}'


class Report:
    """TAP on standard output, so that `meson test` counts each rule."""

    def __init__(self):
        self.count = 0
        self.failed = False

    def rule(self, name, faults):
        faults = list(faults)
        self.count += 1
        self.failed |= bool(faults)
        print(f'{"not " if faults else ""}ok {self.count} - {name}')
        sys.stdout.flush()
        for fault in faults:
            print(fault, file=sys.stderr)

    def skip(self, name, reason):
        self.count += 1
        print(f'ok {self.count} - {name} # SKIP {reason}')


# floors

INCLUDE = re.compile(r'\s*#\s*include\s+([<"])([^>"]+)[>"]')


def includes():
    """(path, line number, is it one of ours, what)"""
    for path in c_files('src'):
        for number, line in enumerate(lines_of(path), 1):
            found = INCLUDE.match(line)
            if found:
                yield path, number, found[1] == '"', found[2]


def floor_of(path):
    return path.relative_to(ROOT / 'src').parts[0]


def wrong_edges():
    for path, number, ours, name in includes():
        floor = floor_of(path)
        target = name.split('/')[0]
        if floor not in FLOORS:
            yield at(path, number, f'floor {floor} is not in the table')
        elif not ours or (name == 'brood.h' and floor in ('api', 'bin')):
            continue
        elif not (ROOT / 'src' / name).is_file():
            yield at(path, number, f'"{name}" is not floor/file.h of a header in src')
        elif target != floor and target not in FLOORS[floor]:
            yield at(path, number, f'{floor} may not know "{name}"')
        elif target != floor and PRIVATE.search(name):
            yield at(path, number, f'"{name}" is private to {target}')


def impure_includes():
    for path, number, ours, name in includes():
        allowed = PURE_HEADERS.get(floor_of(path))
        if not ours and allowed is not None and name not in allowed:
            yield at(path, number, f'<{name}> is no header for {floor_of(path)}')


def cycles():
    edges = {}
    for path, _, ours, name in includes():
        if ours and path.suffix == '.h':
            edges.setdefault(str(path.relative_to(ROOT / 'src')), []).append(name)
    done, trail = set(), []

    def visit(header):
        if header in trail:
            yield ' → '.join(trail[trail.index(header):] + [header])
        elif header not in done:
            trail.append(header)
            for below in edges.get(header, ()):
                yield from visit(below)
            done.add(trail.pop())

    for header in sorted(edges):
        yield from visit(header)


def check_floors(report):
    report.rule('each include is one that its floor may use', wrong_edges())
    report.rule('no headers include each other in a circle', cycles())
    report.rule('base and core include no header of the system', impure_includes())


# sizes

def long_files():
    for path in tree_files():
        if path.suffix in ('.c', '.h', '.py') and len(lines_of(path)) > FILE_LINES:
            yield at(path, 1, f'{len(lines_of(path))} lines, at most {FILE_LINES}')


def long_functions():
    for path in c_files(*C_ROOTS):
        for name, line, length in functions_of(lines_of(path)):
            if length > FUNCTION_LINES:
                yield at(path, line, f'{name}: {length} lines, at most {FUNCTION_LINES}')


def check_sizes(report):
    report.rule(f'no file has more than {FILE_LINES} lines', long_files())
    report.rule(f'no function has more than {FUNCTION_LINES} lines', long_functions())


# text

def is_script(path, lines):
    return path.suffix in ('.py', '.sh') or (bool(lines) and lines[0].startswith('#!'))


def missing_licences():
    for path in tree_files():
        lines = lines_of(path)
        if path.suffix in ('.c', '.h'):
            wanted, where = '/* SPDX-License-Identifier: MIT */', 0
        elif is_script(path, lines) or path.name == 'meson.build':
            wanted, where = '# SPDX-License-Identifier: MIT', int(bool(lines) and lines[0][:2] == '#!')
        else:
            continue
        if len(lines) <= where or lines[where] != wanted:
            yield at(path, where + 1, f'no "{wanted}"')


def lines_with(wrong, what):
    for path in tree_files():
        for number, line in enumerate(lines_of(path), 1):
            if wrong(line):
                yield at(path, number, what)


def bad_endings():
    for path in tree_files():
        text = path.read_bytes()
        if text and not text.endswith(b'\n'):
            yield at(path, len(text.splitlines()), 'no newline at the end')
        elif text.endswith(b'\n\n'):
            yield at(path, len(text.splitlines()), 'an empty line at the end')


def check_text(report):
    report.rule('each source file names its licence first', missing_licences())
    report.rule('no blanks at the end of a line',
                lines_with(lambda line: line != line.rstrip(), 'trailing blanks'))
    report.rule('each file ends with one newline', bad_endings())
    report.rule('no tabs', lines_with(lambda line: '\t' in line, 'a tab'))
    report.rule('nothing is left unfinished',
                lines_with(UNFINISHED.search, 'unfinished work belongs in an issue'))
    report.rule('no paths of one machine', lines_with(FOREIGN_PATH.search, 'a path of one machine'))


# format

def check_format(report):
    name = 'clang-format has nothing to change'
    program = shutil.which('clang-format')
    if not program:
        report.skip(name, 'clang-format is not installed')
        return
    command = [program, '--dry-run', '-Werror', '--ferror-limit=1', *c_files(*C_ROOTS)]
    result = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    faults = [line for line in result.stderr.splitlines() if ': error: ' in line]
    report.rule(name, faults or result.stderr.splitlines() if result.returncode else [])


# docs

LINK = re.compile(r'\]\(([^)#\s]+)(?:#[^)\s]*)?\)')
EVENT = re.compile(r'\bX\([A-Z_]+, "([a-z-]+)", (?:ERROR|WARNING|INFO|DEBUG)\)')


def broken_links():
    for path in tree_files():
        if path.suffix != '.md':
            continue
        for number, line in enumerate(lines_of(path), 1):
            for target in LINK.findall(line):
                if '://' not in target and not (path.parent / target).exists():
                    yield at(path, number, f'{target} is not there')


def documentation(*pages):
    return ''.join(page.read_text(encoding='utf-8') for page in pages if page.exists())


def undocumented_events():
    source = documentation(ROOT / 'src/core/outbox.h', ROOT / 'src/run/report.h')
    page = documentation(ROOT / 'docs/log.md')
    for event in EVENT.findall(source):
        if f'`{event}`' not in page:
            yield f'docs/log.md: the event `{event}` is not there'


def undocumented_options():
    options = re.compile(r'^\s*\{"([a-z-]+)", (?:0|\'.\'), (?:true|false), ')
    pages = documentation(ROOT / 'README.md', *(ROOT / 'docs').glob('*.md'))
    for path in c_files('src'):
        for number, line in enumerate(lines_of(path), 1):
            found = options.match(line)
            if found and not re.search(rf'--{found[1]}\b', pages):
                yield at(path, number, f'--{found[1]} is in no page of the documentation')


def commands_without_page():
    source = (ROOT / 'src/bin/main.c').read_text(encoding='utf-8')
    pages = (ROOT / 'man/meson.build').read_text(encoding='utf-8')
    for command in re.findall(r'^    \{"([a-z-]+)", GROUP_', source, re.M):
        if command not in ('help', 'version') and f"'{command}'" not in pages:
            yield f'man/meson.build: there is no page for the command {command}'


def check_docs(report):
    report.rule('each link in the documentation leads somewhere', broken_links())
    report.rule('docs/log.md has every event', undocumented_events())
    report.rule('the documentation has every option', undocumented_options())
    report.rule('every command has a manual page', commands_without_page())


# symbols

def symbols(archive, *options):
    output = subprocess.run(['nm', '-P', *options, archive], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    return {line.split()[0] for line in output.splitlines() if len(line.split()) > 1}


def check_symbols(report, libraries):
    """Each library may use those before it, and what is pure."""
    known = set()
    for library in libraries:
        name, archive = library.split('=', 1)
        rule = f'{name} needs nothing that could reach the system'
        if not shutil.which('nm'):
            report.skip(rule, 'nm is not installed')
            continue
        known |= symbols(archive, '--defined-only')
        wanted = symbols(archive, '--undefined-only') - known
        report.rule(rule, (f'{name}: {symbol}' for symbol in sorted(wanted)
                           if not PURE_SYMBOLS.fullmatch(symbol)))


CHECKS = {
    'floors': check_floors,
    'sizes': check_sizes,
    'text': check_text,
    'format': check_format,
    'docs': check_docs,
}


def main(words):
    report = Report()
    if words[:1] == ['symbols']:
        check_symbols(report, words[1:])
    else:
        unknown = set(words) - set(CHECKS)
        if unknown:
            sys.exit(f'lint.py: no check is called {", ".join(sorted(unknown))}')
        for name in words or CHECKS:
            CHECKS[name](report)
    print(f'1..{report.count}')
    return 1 if report.failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
