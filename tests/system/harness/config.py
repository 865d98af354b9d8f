# SPDX-License-Identifier: MIT
"""Configuration text for `brood up`, built from what a test means."""


class Raw(str):
    """A word of a command that stands in the file as it is: "%i", "$MAINPID"."""


def quote(word):
    """One word of a command line, so that the program gets it unchanged."""
    if isinstance(word, Raw):
        return str(word)
    text = str(word)
    for sign, spelt in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("%", "%%"), ("$", "$$")):
        text = text.replace(sign, spelt)
    return f'"{text}"'


def command(words, prefix=""):
    """The value of ExecStart= and its kin; `prefix` is "-" or another flag."""
    first, *rest = words
    return " ".join([f"{prefix}{first}", *(quote(word) for word in rest)])


def text_of(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def section(header, **directives):
    """[HEADER] with its directives in order; a list stands for a key that is repeated."""
    lines = [f"[{header}]"]
    for key, value in directives.items():
        values = value if isinstance(value, list) else [value]
        lines += [f"{key}={text_of(one)}" for one in values]
    return "\n".join(lines) + "\n\n"


def pool(name, words, **directives):
    """A [Pool NAME] that runs these words."""
    return section(f"Pool {name}", ExecStart=command(words), **directives)
