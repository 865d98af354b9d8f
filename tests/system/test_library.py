# SPDX-License-Identifier: MIT
"""libbrood as files: its names, its header, its installation; and the examples."""

import re
import shutil
import signal
import socket
import subprocess

import pytest

from harness import procs, settings
from harness.settings import ROOT, WAIT, environment, play
from library import API, BUILD, EXAMPLES, HEADER, LIBRARY, launch  # noqa: F401

@pytest.fixture
def example(launch):
    def function(name, *words):
        if not (EXAMPLES / name).exists():
            pytest.skip(f"{name} is not built: its library is missing")
        return launch(EXAMPLES / name, *words, stdout=subprocess.PIPE, text=True)

    return function


def talk(port, *lines):
    """What the echo server answers, line by line, until it ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as connection:
        stream = connection.makefile("rw")
        for line in lines:
            stream.write(line + "\n")
        stream.flush()
        answers = [stream.readline().rstrip("\n") for _ in range(len(lines) + 1)]
    return answers


def test_echo_prefork(example):
    server = example("echo-prefork", 0, 2)
    port = int(re.fullmatch(r"listening on port (\d+)\n", server.stdout.readline())[1])
    tasks = {server.stdout.readline().split()[1] for _ in range(2)}
    assert tasks == {"0", "1"}
    first = talk(port, "hello", "world")
    assert first[0] in ("task 0", "task 1") and first[1:] == ["hello", "world"]
    crashed = talk(port, "crash")[0]
    assert server.stdout.readline().startswith(f"{crashed} is process"), "the same number again"
    assert talk(port, "again")[1] == "again"
    server.terminate()
    assert server.wait(WAIT) == -signal.SIGTERM


def test_embed_libevent(example, fifo):
    hello = fifo()
    program = example("embed-libevent", 2, *play(f"hello:{hello}", "pause"))
    first = hello.hellos(2)
    procs.kill(first[0].pid)
    assert hello.hello().generation == 2
    program.send_signal(signal.SIGHUP)
    assert sorted(row.generation for row in hello.hellos(2)) == [2, 3]
    program.terminate()
    assert program.wait(WAIT) == 0
    text = program.stdout.read()
    assert f"worker/{first[0].worker} exited" in text
    assert "worker rolling\n" in text and text.endswith("worker ended\n"), text


def names_of(*nm):
    out = subprocess.run(["nm", *map(str, nm)], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in out.splitlines() if len(line.split()) == 3}


def test_map_and_header_agree():
    exported = set(re.findall(r"^ +(brood_\w+);$", (ROOT / "src/brood.map").read_text(), re.M))
    declared = set(re.findall(
        r"^BROOD_PUBLIC[^;(]*?(brood_\w+)\(", HEADER.read_text(), re.M))
    assert exported == declared


def test_nothing_else_is_exported():
    declared = set(re.findall(r"(brood_\w+)\(", HEADER.read_text()))
    shared = names_of("-D", "--defined-only", LIBRARY / "libbrood.so") - {"BROOD_0.1"}
    static = names_of("-g", "--defined-only", LIBRARY / "libbrood.a")
    assert shared == static
    assert shared <= declared
    assert all(name.startswith("brood_") for name in shared)


def test_no_name_of_ours_clashes():
    done = subprocess.run([API / "api-clash-static"], capture_output=True, text=True, check=False,
                          env=environment(), timeout=WAIT)
    assert (done.returncode, done.stdout) == (0, "buffer_add of the program\n"), done.stderr


def test_public_names_only_in_the_header():
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    defined = set(re.findall(r"^#define (\w+)", text, re.M)) - {"BROOD_H"}
    assert all(name.startswith("BROOD_") for name in defined)
    assert all(name.startswith("brood_") for name in re.findall(r"^(?:struct|enum) (\w+)", text, re.M))


@pytest.mark.parametrize("compiler, standard", [
    ("gcc", "c99"), ("gcc", "c17"), ("clang", "c11"),
    ("g++", "c++11"), ("g++", "c++20"), ("clang++", "c++17"),
])
def test_the_header_compiles(compiler, standard, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} here")
    source = tmp_path / ("x.c" if standard.startswith("c1") or standard == "c99" else "x.cc")
    source.write_text('#include <brood.h>\n'
                      'int main(void) { return brood_task_id() == BROOD_PARENT; }\n')
    done = subprocess.run(
        [compiler, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
         f"-I{HEADER.parent}", "-fsyntax-only", source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.deadline(120)
def test_installed(tmp_path):
    if not shutil.which("meson") or not shutil.which("pkg-config"):
        pytest.skip("needs meson and pkg-config")
    if settings.sanitized():
        pytest.skip("a sanitised library wants a sanitised program")
    done = subprocess.run(
        ["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", tmp_path],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pc = next(tmp_path.rglob("brood.pc"))
    libdir = pc.parent.parent
    env = environment(PKG_CONFIG_PATH=str(pc.parent), PKG_CONFIG_SYSROOT_DIR=str(tmp_path))

    def flags(*words):
        return subprocess.run(["pkg-config", *words, "brood"], env=env, capture_output=True,
                              text=True, check=True).stdout.split()

    source = ROOT / "tests/api/clash.c"
    shared, static = tmp_path / "shared", tmp_path / "static"
    subprocess.run(["cc", source, "-o", shared, *flags("--cflags", "--libs")], check=True)
    private = [word for word in flags("--static", "--libs") if word != "-lbrood"]
    subprocess.run(["cc", source, "-o", static, *flags("--cflags"), "-l:libbrood.a",
                    f"-L{libdir}", *private], check=True)
    for path in (shared, static):
        subprocess.run([path], env=environment(LD_LIBRARY_PATH=str(libdir)), check=True,
                       stdout=subprocess.DEVNULL, timeout=WAIT)
    needed = subprocess.run(["readelf", "-d", shared], capture_output=True, text=True, check=True)
    assert "libbrood.so.0" in needed.stdout
