#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the pages of section 3 from the comments of the public header.

    header.py brood.h --list                 the pages' file names
    header.py brood.h DIRECTORY VERSION      writes them

Each part of the header (between its ruled lines) is one page, named after its first function or,
where it has none, as PAGES says; every other function of it is a page that leads there.
"""

import pathlib
import re
import sys

RULE = re.compile(r"/\* -{20,}\n \* (?P<title>.*?)\n(?P<text>.*?) \*/\n", re.S)
COMMENT = re.compile(r"/\*(.*?)\*/\s*", re.S)
FUNCTION = re.compile(r"^BROOD_PUBLIC (?P<text>[^;{}]*?\b(?P<name>brood_\w+)\([^;]*\));", re.M)

# What a part's page is called, and what it says in one line.
PAGES = {
    "": ("libbrood", "daemons, pre-forked workers and supervised processes"),
    "Events": ("brood_event", "what a supervisor tells of its workers"),
    "Becoming a daemon": ("brood_daemonize", "turn this program into a daemon"),
    "Pre-forking": ("brood_fork_processes", "run this program as several processes"),
    "The supervisor": ("brood_supervisor", "keep other programs alive from an event loop"),
}


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.M)


def body(comment):
    """A comment's text without its stars; what is indented deeper stays as it is."""
    lines = [re.sub(r"^ ?\* ?", "", line).rstrip() for line in comment.strip().split("\n")]
    out, literal = [], False
    for line in lines:
        code = line.startswith("    ")
        if code != literal and (code or line):
            out.append(".EX" if code else ".EE")
            literal = code
        item = re.match(r"- (.*)", line.strip()) if not code else None
        if item:
            out += ['.IP "\\(bu" 2', escape(item[1])]
        elif not line and not literal:
            out.append(".PP")
        else:
            out.append(escape(line if code else line.strip()))
    return "\n".join(out + ([".EE"] if literal else []))


def literal(code):
    return f".EX\n{escape(code.strip())}\n.EE"


def declarations(part):
    """(comment, code) pairs: what a comment is followed by, up to the next comment at the margin."""
    found, comment, code = [], "", []
    for piece in re.split(r"^(/\*.*?\*/)\n", part, flags=re.S | re.M):
        if piece.startswith("/*"):
            comment = piece[2:-2]
        elif piece.strip():
            found.append((comment, piece.strip()))
            comment = ""
    return found


def one_line(declaration):
    return re.sub(r"\s+", " ", declaration).replace("( ", "(")


def page(name, brief, title, text, part, version):
    out = [f'.TH {name.upper()} 3 "" "brood {version}"', ".nh", ".ad l", ".SH NAME",
           f"{name} \\- {escape(brief)}", ".SH SYNOPSIS", ".nf", "#include <brood.h>",
           "cc \\fIfile.c\\fR $(pkg\\-config \\-\\-cflags \\-\\-libs brood)", ".fi"]
    functions = [match for match in FUNCTION.finditer(part)]
    if functions:
        out += [".PP", ".nf", *(escape(one_line(m["text"]) + ";") for m in functions), ".fi"]
    out += [".SH DESCRIPTION", body(text)]
    for comment, code in declarations(part):
        names = [match["name"] for match in FUNCTION.finditer(code)]
        kind = re.match(r"(struct|enum|typedef|#define)\s+([\w() *]*)", code)
        heading = ", ".join(f"{n}()" for n in names) or (kind and kind[0].split("(")[0].strip())
        out += [f".SS {escape(heading or title)}"]
        if not names or "{" in code:
            out += literal(FUNCTION.sub("", code)).split("\n")
        if comment.strip():
            out += [".PP"] * (out[-1] == ".EE") + [body(comment)]
    out += [".SH SEE ALSO", ".BR libbrood (3),", ".BR brood (1)"]
    return "\n".join(out) + "\n", [match["name"] for match in functions]


def parts_of(text):
    """(title, overview, text) of each part of the header."""
    text = text[: text.rindex("#ifdef __cplusplus")]
    rules = list(RULE.finditer(text))
    first = text[: rules[0].start()]
    yield "", COMMENT.findall(first)[1], first[first.index("#define BROOD_NEVER") :]
    for rule, after in zip(rules, [*rules[1:], None]):
        part = text[rule.end() : after.start() if after else len(text)]
        yield rule["title"].split(":")[0].rstrip("."), f"{rule['title']}\n{rule['text']}", part


def pages(header, version):
    """File name → content."""
    made = {}
    for title, overview, part in parts_of(pathlib.Path(header).read_text(encoding="utf-8")):
        name, brief = PAGES[title]
        content, functions = page(name, brief, title, overview, part, version)
        for function in functions:
            made[f"{function}.3"] = f".so man3/{name}.3\n"
        made[f"{name}.3"] = content
    return made


def main(header, directory, version=""):
    made = pages(header, version)
    if directory == "--list":
        print("\n".join(sorted(made)))
        return
    for name, content in made.items():
        (pathlib.Path(directory) / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
