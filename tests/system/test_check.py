# SPDX-License-Identifier: MIT
"""brood check and brood config show: the verdict on a configuration, and what it comes to."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from harness.settings import BROOD, environment

UNITS = sorted(pathlib.Path("/lib/systemd/system").glob("*.service"))
ROOT = os.geteuid() == 0


def run(*words, cwd=None):
    return subprocess.run([BROOD, *map(str, words)], capture_output=True, text=True, errors="replace",
                          cwd=cwd, env=environment(), timeout=60)


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def settings(*words):
    result = run("config", "show", "--json", *words)
    assert result.returncode == 0, result.stderr
    return {pool["name"]: pool for pool in json.loads(result.stdout)["pools"]}


def value(pool, name):
    found = [s for s in pool["settings"] if s["name"] == name]
    assert len(found) == 1, found
    return found[0]["value"], found[0]["file"] and os.path.basename(found[0]["file"]), found[0]["line"]


def test_a_good_one_says_nothing(tmp_path):
    conf = write(tmp_path / "brood.conf", "[Pool web]\nExecStart=/bin/true\n")
    result = run("check", conf)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert run("check", tmp_path).returncode == 0


def test_errors_have_file_line_and_the_nearest_word(tmp_path):
    conf = write(tmp_path / "brood.conf", "[Pool web]\nExecStart=/bin/true\n\nRestrat=no\nNice=x\n")
    result = run("check", conf)
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        f"{conf}:4: error: unknown directive 'Restrat'; did you mean 'Restart'?",
        f"{conf}:5: error: Nice=: expected a whole number from -20 to 19, not 'x'",
    ]


def test_what_would_fail_at_the_start_is_found(tmp_path):
    conf = write(tmp_path / "brood.conf", "[Pool a]\nExecStart=/nonexistent/program\n"
                 "[Pool b]\nExecStart=/bin/true\nUser=nobody-of-this-name\n")
    result = run("check", conf)
    assert result.returncode == 1
    assert f"{conf}:2: error: exec /nonexistent/program: No such file" in result.stderr
    assert "user 'nobody-of-this-name' does not exist" in result.stderr


def test_what_is_not_enforced_is_a_warning_or_strictly_an_error(tmp_path):
    unit = write(tmp_path / "web.service", "[Service]\nExecStart=/bin/true\nPrivateTmp=yes\n")
    result = run("check", unit)
    assert result.returncode == 0
    assert f"{unit}:3: warning: PrivateTmp= is not enforced" in result.stderr
    result = run("check", "--strict", unit)
    assert result.returncode == 1
    assert f"{unit}:3: error: PrivateTmp=" in result.stderr


def test_messages_as_json(tmp_path):
    conf = write(tmp_path / "brood.conf", "[Pool web]\nExecStart=/bin/true\nNice=\"\\x01\"\n")
    result = run("check", "--json", conf)
    message = json.loads(result.stdout)
    assert (message["severity"], message["file"], message["line"]) == ("error", str(conf), 3)


def test_nothing_there(tmp_path):
    assert run("check", tmp_path / "none").returncode == 1
    assert run("check", tmp_path).returncode == 1
    assert run("check", tmp_path, "/").returncode == 2
    assert run("config", "show", "-c", tmp_path / "none").returncode == 1


def test_drop_ins_in_their_order(tmp_path):
    write(tmp_path / "brood.conf", "[Defaults]\nNice=1\n[Pool web]\nExecStart=/bin/true\nUMask=1\n")
    write(tmp_path / "conf.d/20.conf", "[Pool web]\nNice=3\nEnvironment=B=2\n")
    write(tmp_path / "conf.d/10.conf", "[Pool web]\nNice=2\nEnvironment=A=1\n")
    write(tmp_path / "conf.d/ignored.txt", "nonsense\n")
    for words in (["-c", tmp_path / "brood.conf"], [f"{tmp_path}/"]):
        web = settings(*words)["web"]
        assert value(web, "Nice") == ("3", "20.conf", 2)
        assert value(web, "UMask") == ("1", "brood.conf", 5)
        assert value(web, "Restart") == ("on-failure", None, 0)
        assert [s["value"] for s in web["settings"] if s["name"] == "Environment"] == ["A=1", "B=2"]


def test_units_templates_and_their_drop_ins(tmp_path):
    write(tmp_path / "web@.service", "[Service]\nExecStart=/bin/echo %i\n")
    os.symlink("web@.service", tmp_path / "web@blue.service")
    write(tmp_path / "web@.service.d/a.conf", "[Service]\nNice=1\n")
    write(tmp_path / "web@blue.service.d/a.conf", "[Service]\nNice=2\n")
    write(tmp_path / "conf.d/a.conf", "[Pool web@green]\nWorkers=3\n")
    pools = settings(f"{tmp_path}/")
    assert set(pools) == {"web@blue", "web@green"}
    assert value(pools["web@blue"], "Nice")[0] == "2"
    assert value(pools["web@blue"], "ExecStart")[0] == "/bin/echo blue"
    assert value(pools["web@green"], "Workers")[0] == "3"
    # A file that is not there is made from its template.
    os.unlink(tmp_path / "conf.d/a.conf")
    assert set(settings("-c", tmp_path / "web@red.service")) == {"web@red"}


def test_what_is_shown_reads_back_the_same(tmp_path):
    conf = write(tmp_path / "a/brood.conf", "[Brood]\nExitWhenDone=yes\n[Pool web]\nWorkers=2\n"
                 "ExecStart=/bin/echo \"a b\" %i 100%% $$x\nRestartSec=1min 30s\nUser=root\n")
    once = run("config", "show", "-c", conf).stdout
    twice = run("config", "show", "-c", write(tmp_path / "b/brood.conf", once)).stdout

    def without_comments(text):
        return [line for line in text.splitlines() if not line.startswith("#")]

    assert without_comments(once) == without_comments(twice)
    assert f"# {conf}:5\nExecStart=/bin/echo \"a b\" %i 100%% $$x\n" in once


def test_one_pool_is_shown_or_named(tmp_path):
    conf = write(tmp_path / "brood.conf", "[Pool web]\nExecStart=/bin/true\n[Pool api]\nExecStart=/x\n")
    assert run("config", "show", "-c", conf, "api").stdout.startswith("[Pool api]\n")
    result = run("config", "show", "-c", conf, "wbe")
    assert result.returncode == 4
    assert "did you mean 'web'?" in result.stderr


@pytest.mark.skipif(not ROOT, reason="only root has to be careful whom it believes")
@pytest.mark.parametrize("path, mode, owner, reason", [
    ("d/brood.conf", 0o666, 0, "can be written by everybody"),
    ("d/brood.conf", 0o644, 65534, "is owned by another user"),
    ("d", 0o777, 0, "its directory can be written by everybody"),
    ("d", 0o755, 65534, "its directory is owned by another user"),
    ("d/conf.d/x.conf", 0o646, 0, "can be written by everybody"),
    ("d", 0o1777, 0, None),
    ("d/brood.conf", 0o664, 0, None),
])
def test_unsafe_files_are_refused(tmp_path, path, mode, owner, reason):
    conf = write(tmp_path / "d/brood.conf", "[Pool web]\nExecStart=/bin/true\n")
    write(tmp_path / "d/conf.d/x.conf", "")
    os.chown(tmp_path / path, owner, 0)
    os.chmod(tmp_path / path, mode)
    result = run("check", conf)
    assert result.returncode == (1 if reason else 0), result.stderr
    assert not reason or reason in result.stderr


@pytest.mark.parametrize("text, told", [
    (b"[Pool web]\nExecStart=/bin/true\n\0", "has a NUL byte"),
    (b"# " + b"x" * (1 << 20), "is larger than 1 MiB"),
    (b"\xff\xfe nonsense", "expected KEY=VALUE"),
], ids=["nul", "large", "bytes"])
def test_what_is_no_text(tmp_path, text, told):
    conf = tmp_path / "brood.conf"
    conf.write_bytes(text)
    result = run("check", conf)
    assert result.returncode == 1
    assert told in result.stderr


# What brood refuses of Debian's own units, and why; all others it takes, with warnings.
REFUSALS = ("Type=forking is not supported", "terminals are not opened", "has no ExecStart=",
            "DynamicUser=yes is not supported", "does not exist", "exec /", "environment file")


@pytest.mark.skipif(not UNITS, reason="no units here")
def test_units_of_the_system(tmp_path):
    for unit in UNITS:
        copy = shutil.copyfile(unit, tmp_path / unit.name)
        result = run("check", copy)
        os.unlink(copy)
        assert result.returncode in (0, 1), (unit, result)
        for line in result.stderr.splitlines():
            assert ": warning: " in line or any(known in line for known in REFUSALS), line


@pytest.mark.parametrize("name", ["redis-server", "haproxy", "lighttpd"])
def test_servers_are_taken_as_they_are(name):
    unit = pathlib.Path(f"/lib/systemd/system/{name}.service")
    if not unit.exists():
        pytest.skip("not installed")
    result = run("check", unit)
    assert result.returncode == 0, result.stderr


START = "ExecStart=/bin/true\n"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
@pytest.mark.parametrize("lines, good", [
    (START, True),
    ("", False),
    (START + START, False),
    ("Type=oneshot\n" + START + START, True),
    (START + "ExecStart=\n" + START, True),
    (START + "Restart=always\n", True),
    ("Type=oneshot\nRestart=always\n" + START, False),
    ("Type=oneshot\nRestart=on-success\n" + START, False),
    ("Type=oneshot\nRestart=on-failure\n" + START, True),
    ("ExecStart=-@/bin/true name 'a b' \"c\\td\" \\x41\n", True),
    ("ExecStart=bin/true\n", False),
    ("ExecStart=/bin/true 'open\n", False),
    ("ExecStart=/nonexistent/program\n", False),
    ("ExecStart=true\n", True),
    ("Type=oneshot\nExecStart=/bin/true a ; /bin/true b\n", True),
    ("ExecStart=/bin/true \\; b\n", True),
    ("ExecStart=/bin/echo \\\n  # comment\n  a\n", True),
    (START + "Environment=A=1 'B=2 3' \"C=4\"\n", True),
    (START + "LimitNOFILE=1024:4096\nLimitCPU=10min\nLimitNICE=+5\n", True),
    (START + "TimeoutSec=1min 30s\nWatchdogSec=500ms\nRuntimeMaxSec=infinity\n", True),
    (START + "SuccessExitStatus=143 TEMPFAIL SIGKILL\n", True),
    (START + "KillSignal=QUIT\nKillMode=mixed\n", True),
    (START + "CapabilityBoundingSet=~CAP_SYS_ADMIN\nAmbientCapabilities=CAP_CHOWN\n", True),
    (START + "UMask=0027\nNice=-5\nOOMScoreAdjust=500\nCPUAffinity=0\n", True),
    (START + "MemoryMax=64M\nTasksMax=10\nCPUQuota=50%\nCPUWeight=200\n", True),
    (START + "StandardOutput=append:/tmp/x\nStandardInput=null\n", True),
])
def test_systemd_says_the_same(tmp_path, lines, good):
    unit = write(tmp_path / "brood-test.service", "[Service]\n" + lines)
    ours = run("check", unit)
    theirs = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True,
                            text=True, timeout=60)
    complaints = [line for line in theirs.stderr.splitlines() if "brood-test.service" in line]
    assert (ours.returncode == 0) == good, ours.stderr
    assert (theirs.returncode == 0 and not complaints) == good, theirs.stderr


def test_help_for_a_directive():
    result = run("help", "Restart")
    assert result.returncode == 0
    assert result.stdout.startswith("Restart=WHEN ")
    assert "in a .service file no" in result.stdout
    assert run("help", "Slice").stdout.count("Slice=NAME") == 2
    assert "did you mean 'Restart'?" in run("help", "Restrat").stderr
    assert "  ExecStart=COMMAND" in run("help", "directives").stdout


def test_unit_file_beside_a_conf_d_that_is_about_others(tmp_path):
    unit = write(tmp_path / "app.service", "[Service]\nExecStart=/bin/true\n")
    write(tmp_path / "conf.d/other.conf", "[Pool other]\nWorkers=3\n")
    done = run("check", unit)
    assert (done.returncode, done.stderr) == (0, "")
