# SPDX-License-Identifier: MIT
"""The spawn plan, each step as the worker itself sees its result."""

import grp
import os
import pwd
import signal

import pytest

from harness import procs
from harness.probe import effective_capability, needs_root
from harness.settings import environment, play

CHOWN, NET_BIND_SERVICE, SYS_NICE = 0, 10, 23


@pytest.fixture
def seen(brood, fifo):
    """Runs a worker under these options; its report."""

    def function(*options, words=(), **keywords):
        report = fifo()
        b = brood(*options, cmd=play(f"report:{report}", *words), **keywords)
        result = report.report()
        result["brood"] = b.pid
        assert b.wait() == 0, b.text()
        return result

    return function


def capabilities(report, key):
    return int(report["status"][key], 16)


# --- environment


def test_environment_is_inherited_and_added_to(seen):
    env = seen("--env", "SHOP=open", "--env", "EMPTY=", "--env", "A=b=c",
               env=environment(OUTER="there"))["env"]
    assert (env["SHOP"], env["EMPTY"], env["A"], env["OUTER"]) == ("open", "", "b=c", "there")


def test_later_environment_wins(seen):
    assert seen("--env", "X=1", "--env", "X=2", env=environment(X="0"))["env"]["X"] == "2"


def test_clear_environment(seen):
    env = seen("--clear-env", "--env", "ONLY=this", env=environment(OUTER="there"))["env"]
    assert set(env) == {"ONLY", "BROOD_POOL", "BROOD_WORKER", "BROOD_WORKERS", "BROOD_GENERATION"}


def test_unset_environment(seen):
    env = seen("--unset-env", "OUTER", "--unset-env", "NEVER",
               env=environment(OUTER="x", INNER="y"))
    assert "OUTER" not in env["env"] and env["env"]["INNER"] == "y"


def test_environment_file(seen, scratch):
    path = scratch / "env"
    path.write_text("# a comment\n\nFROM_FILE=yes\nSPACED=two words\nOUTER=over\n")
    env = seen("--env-file", path, env=environment(OUTER="there"))["env"]
    assert (env["FROM_FILE"], env["SPACED"], env["OUTER"]) == ("yes", "two words", "over")


# --- files


def test_working_directory(seen, scratch):
    assert seen("--chdir", scratch)["cwd"] == str(scratch)


def test_working_directory_is_kept(seen, scratch):
    assert seen(cwd=scratch)["cwd"] == str(scratch)


def test_command_is_looked_up_where_brood_was_started(seen, scratch, brood, fifo):
    report = fifo()
    (scratch / "mine").symlink_to(play()[0])
    (scratch / "below").mkdir()
    b = brood(cmd=["./mine", f"report:{report}"], cwd=scratch)
    assert report.report()["cwd"] == str(scratch)
    assert b.wait() == 0


@pytest.mark.parametrize("mask", ["077", "0", "0022", "777"])
def test_umask(seen, mask):
    assert seen("--umask", mask)["umask"] == int(mask, 8)


def test_stdin_is_null_by_default(seen):
    assert seen()["fds"][0]["target"] == "/dev/null"


def test_stdin_inherited(seen, scratch):
    path = scratch / "input"
    path.write_text("")
    with open(path) as file:
        assert seen("--stdin", "inherit", stdin=file)["fds"][0]["target"] == str(path)


def test_stdin_from_a_file(seen, scratch):
    path = scratch / "input"
    path.write_text("")
    facts = seen("--stdin", f"file:{path}")["fds"][0]
    assert facts["target"] == str(path)
    assert facts["flags"] & os.O_ACCMODE == os.O_RDONLY


@pytest.mark.parametrize("name, fd", [("stdout", 1), ("stderr", 2)])
def test_output_kinds(seen, scratch, name, fd):
    path = scratch / "out"
    path.write_text("before\n")
    line = [f"put:{fd}=said"]
    facts = seen(f"--{name}", f"append:{path}", words=line)["fds"][fd]
    assert facts["target"] == str(path) and facts["flags"] & os.O_APPEND
    assert path.read_text() == "before\nsaid\n"
    seen(f"--{name}", f"truncate:{path}", words=line)
    assert path.read_text() == "said\n"
    assert seen(f"--{name}", "null")["fds"][fd]["target"] == "/dev/null"
    fresh = scratch / "fresh"
    seen(f"--{name}", f"file:{fresh}", words=line)
    assert fresh.read_text() == "said\n"


def test_output_is_inherited_by_default(seen, scratch):
    path = scratch / "out"
    with open(path, "w") as file:
        report = seen(words=["say:hello"], stdout=file)
    assert report["fds"][1]["target"] == str(path)
    assert path.read_text() == "hello\n"


def test_inherited_descriptors_stay_blocking(seen):
    """O_NONBLOCK belongs to the open file that all share: brood may not set it for its own ends."""
    report = seen()
    assert not report["fds"][2]["flags"] & os.O_NONBLOCK


def test_both_outputs_in_one_file(seen, scratch):
    path = scratch / "out"
    seen("--stdout", f"append:{path}", "--stderr", f"append:{path}",
         words=["put:1=one", "put:2=two", "put:1=three"])
    assert path.read_text() == "one\ntwo\nthree\n"


# --- groups and sessions


def test_session(seen):
    report = seen("--session")
    assert report["sid"] == report["pgid"] == report["pid"]


def test_no_session_by_default(seen):
    report = seen()
    assert report["sid"] == os.getsid(0) and report["pgid"] == report["pid"]


# --- who


@needs_root
@pytest.mark.parametrize("user", ["nobody", "65534"])
def test_user(seen, user):
    report = seen("--user", user)
    entry = pwd.getpwnam("nobody")
    assert report["uid"] == report["euid"] == entry.pw_uid
    assert report["gid"] == report["egid"] == entry.pw_gid
    assert set(report["groups"]) <= set(os.getgrouplist("nobody", entry.pw_gid))
    assert all(capabilities(report, key) == 0 for key in ("CapInh", "CapPrm", "CapEff", "CapAmb"))


@needs_root
def test_user_that_has_no_name(seen):
    report = seen("--user", "54321", "--group", "54322")
    assert (report["uid"], report["gid"]) == (54321, 54322)
    assert 0 not in report["groups"]


@needs_root
def test_group_and_groups(seen):
    report = seen("--user", "nobody", "--group", "daemon", "--groups", "games,12345")
    assert report["gid"] == report["egid"] == grp.getgrnam("daemon").gr_gid
    assert sorted(report["groups"]) == sorted({grp.getgrnam("games").gr_gid, 12345}
                                              | (set(report["groups"]) & {report["gid"]}))


@needs_root
def test_group_without_user(seen):
    report = seen("--group", "daemon")
    assert report["uid"] == 0 and report["gid"] == grp.getgrnam("daemon").gr_gid


@needs_root
@pytest.mark.parametrize("names", ["cap_chown,cap_net_bind_service",
                                   "CAP_CHOWN,CAP_NET_BIND_SERVICE"])
def test_bounding_set(seen, names):
    report = seen("--bounding-caps", names)
    wanted = 1 << CHOWN | 1 << NET_BIND_SERVICE
    assert capabilities(report, "CapBnd") == wanted
    assert capabilities(report, "CapEff") == wanted


@needs_root
def test_ambient_set_survives_the_change_of_user(seen):
    report = seen("--user", "nobody", "--ambient-caps", "cap_net_bind_service")
    wanted = 1 << NET_BIND_SERVICE
    assert report["uid"] == 65534
    for key in ("CapAmb", "CapEff", "CapPrm", "CapInh"):
        assert capabilities(report, key) == wanted, key


@needs_root
def test_both_sets(seen):
    report = seen("--user", "nobody", "--bounding-caps", "cap_chown,cap_net_bind_service",
                  "--ambient-caps", "cap_chown")
    assert capabilities(report, "CapBnd") == 1 << CHOWN | 1 << NET_BIND_SERVICE
    assert capabilities(report, "CapAmb") == 1 << CHOWN


def test_no_new_privileges(seen):
    assert seen()["status"]["NoNewPrivs"] == "0"
    assert seen("--no-new-privs")["status"]["NoNewPrivs"] == "1"


# --- how much


def test_limits(seen):
    limits = seen("--limit", "NOFILE=100:200", "--limit", "CORE=0", "--limit", "FSIZE=1000000")
    assert limits["limits"]["NOFILE"] == [100, 200]
    assert limits["limits"]["CORE"][0] == 0
    assert limits["limits"]["FSIZE"][0] == 1000000


def test_limit_infinity(seen):
    assert seen("--limit", "FSIZE=infinity")["limits"]["FSIZE"][0] == "infinity"


def test_nice(seen):
    assert seen("--nice", "7")["nice"] == 7


@pytest.mark.skipif(not effective_capability(SYS_NICE), reason="needs CAP_SYS_NICE")
def test_negative_nice(seen):
    assert seen("--nice=-5")["nice"] == -5


@pytest.mark.parametrize("text", ["0", "0-0", "0,0"])
def test_cpus(seen, text):
    if 0 not in os.sched_getaffinity(0):
        pytest.skip("CPU 0 is not usable here")
    assert seen("--cpus", text)["cpus"] == [0]


def test_oom_score(seen):
    assert seen("--oom-score", "500")["oom_score"] == 500


def test_oom_score_of_brood_stays(brood, fifo):
    """The memory that a child shares until exec must not hand its score on to brood."""
    def score(pid):
        with open(f"/proc/{pid}/oom_score_adj") as file:
            return int(file.read())

    before, hello = score("self"), fifo("hello")
    b = brood("--oom-score", str(before + 100), cmd=play(f"hello:{hello}", "pause"))
    assert score(hello.hello().pid) == before + 100
    assert score(b.pid) == before
    assert b.stop() == 0


@pytest.mark.parametrize("options", [[], pytest.param(["--user", "nobody"], marks=needs_root)])
def test_parent_death_signal(seen, options):
    report = seen("--parent-death-signal", "SIGUSR1", *options)
    assert report["death_signal"] == signal.SIGUSR1


def test_parent_death_signal_arrives(brood, fifo):
    hello, told = fifo("hello"), fifo("told")
    b = brood("--parent-death-signal", "USR1",
              cmd=play(f"tell:USR1={told}", f"hello:{hello}", "pause"))
    pid = hello.hello().pid
    b.signal(signal.SIGKILL)
    assert b.wait() == -signal.SIGKILL
    assert told.line() == f"USR1 {pid}"
    procs.kill(pid)
    procs.wait_gone(pid)


@needs_root
def test_everything_at_once(seen, scratch):
    report = seen("--user", "nobody", "--group", "daemon", "--groups", "games", "--ambient-caps",
                  "cap_chown", "--bounding-caps", "cap_chown", "--no-new-privs", "--limit",
                  "NOFILE=64:64", "--nice", "3", "--cpus", "0", "--oom-score", "100",
                  "--parent-death-signal", "TERM", "--session", "--umask", "027", "--chdir",
                  scratch, "--stdout", f"append:{scratch}/out", "--stderr", "null", "--clear-env",
                  "--env", "A=1")
    assert (report["uid"], report["umask"], report["nice"], report["cpus"]) == (65534, 0o27, 3, [0])
    assert report["limits"]["NOFILE"] == [64, 64]
    assert report["death_signal"] == signal.SIGTERM and report["oom_score"] == 100
    assert report["sid"] == report["pid"] and report["cwd"] == str(scratch)
    assert capabilities(report, "CapEff") == 1 << CHOWN
    assert report["status"]["NoNewPrivs"] == "1"
    assert set(report["fds"]) == {0, 1, 2}


# --- placeholders


def test_placeholders(brood, fifo, scratch):
    report = fifo()
    b = brood("-n", 2, "--name", "shop", "--env", "WHO=%p-%i/%w.%g", "--stdout",
              f"append:{scratch}/out.%i", "--chdir", scratch,
              cmd=play(f"report:{report}", "say:%i of %w in %p, run %g: 100%% %d %"))
    for seen in (report.report(), report.report()):
        number = seen["env"]["BROOD_WORKER"]
        assert seen["env"]["WHO"] == f"shop-{number}/2.1"
        assert seen["argv"][2] == f"say:{number} of 2 in shop, run 1: 100% %d %"
    assert b.wait() == 0
    for number in (0, 1):
        said = (scratch / f"out.{number}").read_text()
        assert said == f"{number} of 2 in shop, run 1: 100% %d %\n"


def test_placeholder_of_the_generation_follows_restarts(brood, fifo):
    report = fifo()
    b = brood(cmd=play(f"report:{report}", "until:2", "(", "exit:1", ")", "say:%g"),
              log="json")
    assert [report.report()["argv"][-1] for _ in range(1)] == ["say:1"]
    b.stop()


def test_placeholder_in_the_directory(brood, fifo, scratch):
    report = fifo()
    for number in (0, 1):
        (scratch / f"d{number}").mkdir()
    b = brood("-n", 2, "--chdir", f"{scratch}/d%i", cmd=play(f"report:{report}"))
    for seen in (report.report(), report.report()):
        assert seen["cwd"] == f"{scratch}/d{seen['env']['BROOD_WORKER']}"
    assert b.wait() == 0


def test_literal(seen, brood, fifo):
    report = fifo()
    b = brood("--literal", "--env", "WHO=%i", cmd=play(f"report:{report}", "say:%i%%"))
    told = report.report()
    assert told["argv"][-1] == "say:%i%%" and told["env"]["WHO"] == "%i"
    assert b.wait() == 0
