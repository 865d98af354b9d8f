# SPDX-License-Identifier: MIT
"""`brood up`: many pools from files, one supervisor; its start, its socket and its end."""

import os
import signal
import socket
import stat

import pytest

from harness import procs
from harness.config import Raw, command, pool, section
from harness.pidfiles import ending, number
from harness.probe import needs_root
from harness.settings import BROOD, environment, play
from harness.up import Up, listens, write_config


def greeting(fifo, *words):
    return play(f"hello:{fifo}", *words, "pause")


@pytest.fixture
def refused(scratch, cli):
    """Runs `brood up` on a file that it must refuse; what it says, with the file's name cut off."""

    def function(*sections, options=(), config="brood.conf"):
        file = scratch / "etc" / config
        write_config(file, *sections)
        done = cli("up", "-c", file, "--socket", scratch / "socket", *options)
        assert done.returncode != 0 and not (scratch / "socket").exists(), done
        return done.stderr.replace(str(file), "FILE")

    return function


def test_pools_run_side_by_side(up, fifo):
    web, job = fifo("web"), fifo("job")
    u = up(pool("web", greeting(web), Workers=3), pool("job", greeting(job)))
    assert {hello.worker for hello in web.hellos(3)} == {0, 1, 2}
    pids = {web: u.worker_pids("web"), job: u.worker_pids("job")}
    assert pids[job] == {0: job.hello().pid} and len(pids[web]) == 3
    assert sorted(u.pids()) == sorted([*pids[web].values(), *pids[job].values()])
    assert u.stop() == 0


def test_worker_knows_its_pool(up_once, fifo):
    report = fifo()
    up_once(pool("web", play(f"report:{report}", "pause"), Workers=2))
    seen = [report.report()["env"] for _ in range(2)]
    assert {one["BROOD_POOL"] for one in seen} == {"web"}
    assert {one["BROOD_WORKER"] for one in seen} == {"0", "1"}
    assert {one["BROOD_WORKERS"] for one in seen} == {"2"}


def test_restarts_each_pool_by_its_own_rules(up, fifo):
    always, never = fifo("always"), fifo("never")
    u = up(pool("always", play(f"hello:{always}", "until:2", "(", "exit:1", ")", "pause"),
                Restart="always"),
           pool("never", play(f"hello:{never}", "exit:1"), Restart="no"))
    assert [always.hello().generation for _ in range(3)] == [1, 2, 3]
    u.wait_event("given-up", pool="never")
    assert u.worker("never")["state"] == "failed" and never.hello() and never.empty()


def test_service_file_becomes_a_pool(up_once, fifo):
    hello = fifo()
    u = up_once(section("Unit", Description="A shop", After="network.target"),
                section("Service", ExecStart=command(greeting(hello))),
                section("Install", WantedBy="multi-user.target"), config="shop.service")
    assert u.worker_pids("shop") == {0: hello.hello().pid}


def test_directory(start, scratch, fifo):
    """brood.conf, service files, and conf.d over them."""
    main, extra, unit = fifo("main"), fifo("extra"), fifo("unit")
    etc = scratch / "etc"
    write_config(etc / "brood.conf", pool("main", greeting(main), Workers=1))
    write_config(etc / "unit.service", section("Service", ExecStart=command(greeting(unit))))
    (etc / "conf.d").mkdir()
    write_config(etc / "conf.d/10-more.conf", section("Pool main", Workers=3))
    write_config(etc / "conf.d/20-last.conf", section("Pool main", Workers=2),
                 pool("extra", greeting(extra)))
    path = scratch / "socket"
    u = start([BROOD, "up", "--socket", path, etc], kind=Up, config=None, path=path)
    u.wait_listening()
    main.hellos(2), extra.hello(), unit.hello()
    assert len(u.worker_pids("main")) == 2
    assert sorted(one["name"] for one in u.call("Status")["pools"]) == ["extra", "main", "unit"]


def test_options_after_the_directory(start, scratch, fifo):
    hello, path = fifo(), scratch / "socket"
    write_config(scratch / "etc/brood.conf", pool("web", greeting(hello)))
    u = start([BROOD, "up", scratch / "etc", "--socket", path, "-q"], kind=Up, config=None,
              path=path)
    u.wait_listening()
    hello.hello()


def test_drop_ins_of_a_service(up_once, scratch, fifo):
    report = fifo()
    drop_in = scratch / "etc" / "shop.service.d" / "local.conf"
    (scratch / "etc").mkdir(mode=0o755)
    write_config(drop_in, section("Service", Environment="WHERE=drop-in"))
    up_once(section("Service", ExecStart=command(play(f"report:{report}", "pause")),
                    Environment=["WHERE=file", "OTHER=kept"]), config="shop.service")
    env = report.report()["env"]
    assert (env["WHERE"], env["OTHER"]) == ("drop-in", "kept")


def test_several_files(start, scratch, fifo):
    one, two = fifo("one"), fifo("two")
    write_config(scratch / "etc/one.conf", pool("one", greeting(one)))
    write_config(scratch / "etc/two.conf", pool("two", greeting(two)))
    path = scratch / "socket"
    u = start([BROOD, "up", "-c", scratch / "etc/one.conf", "-c", scratch / "etc/two.conf",
               "--socket", path], kind=Up, config=None, path=path)
    one.hello(), two.hello()
    assert u.stop() == 0


def test_defaults_are_for_every_pool(up_once, fifo):
    report = fifo()
    up_once(section("Defaults", Environment="FROM=defaults", Nice=3),
            pool("a", play(f"report:{report}", "pause")),
            pool("b", play(f"report:{report}", "pause"), Nice=5))
    seen = {one["env"]["BROOD_POOL"]: one for one in (report.report(), report.report())}
    assert {one["env"]["FROM"] for one in seen.values()} == {"defaults"}
    assert (seen["a"]["nice"], seen["b"]["nice"]) == (3, 5)


# --- what is refused


def test_unknown_directive(refused):
    said = refused("[Pool web]\nExecStart=/bin/true\nWorkerz=3\n")
    assert "FILE:3: error:" in said and "Workers" in said


def test_all_errors_at_once(refused):
    said = refused("[Pool web]\nExecStart=/bin/true\nRestartSec=soon\nNice=loud\n[Bool x]\n")
    assert all(f"FILE:{line}: error:" in said for line in (3, 4, 5)), said


def test_pool_without_a_command(refused):
    assert "ExecStart" in refused("[Pool web]\nWorkers=2\n")


def test_forking_services_are_explained(refused):
    said = refused("[Service]\nType=forking\nExecStart=/bin/true\n", config="old.service")
    assert "FILE:2: error:" in said and "foreground" in said


def test_not_enforced_is_said(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", greeting(hello), PrivateTmp=True))
    hello.hello()
    u.wait_event("ready", pool="web")
    assert "PrivateTmp" in u.text() and "not enforced" in u.text()


def test_strict_refuses_what_is_not_enforced(refused):
    said = refused(pool("web", ["/bin/true"], PrivateTmp=True), options=["--strict"])
    assert "PrivateTmp" in said


def test_missing_file(cli, scratch):
    done = cli("up", "-c", scratch / "none.conf", "--socket", scratch / "socket")
    assert done.returncode != 0 and f"{scratch}/none.conf" in done.stderr


@needs_root
@pytest.mark.parametrize("mode", [0o666, 0o664])
def test_files_that_others_may_write(scratch, cli, mode):
    file = scratch / "etc/brood.conf"
    write_config(file, pool("web", ["/bin/true"]))
    if mode == 0o664:
        os.chown(file, 0, 12345)
    file.chmod(mode)
    done = cli("up", "-c", file, "--socket", scratch / "socket")
    assert done.returncode != 0 and str(file) in done.stderr


@needs_root
def test_files_of_others(scratch, cli):
    file = scratch / "etc/brood.conf"
    write_config(file, pool("web", ["/bin/true"]))
    os.chown(file, 65534, 65534)
    done = cli("up", "-c", file, "--socket", scratch / "socket")
    assert done.returncode != 0 and str(file) in done.stderr


# --- the socket


def test_socket_is_private(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", greeting(hello)))
    assert stat.S_IMODE(os.stat(u.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(u.path.parent).st_mode) == 0o700
    assert u.stop() == 0
    assert not os.path.exists(u.path)


def test_second_supervisor_is_refused(up_once, fifo, cli):
    u = up_once(pool("web", greeting(fifo())))
    u.ctl("wait", "web", "--for=ready")
    done = cli("up", "-c", u.config, "--socket", u.path)
    assert done.returncode != 0 and str(u.pid) in done.stderr and str(u.path) in done.stderr
    assert u.facts("web")["ready"] == 1


def test_stale_socket_is_replaced(up_once, scratch, fifo):
    (scratch / "run").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(scratch / "run/control.sock"))
    u = up_once(pool("web", greeting(fifo())))
    assert len(u.workers("web")) == 1


def test_other_file_in_the_socket_place_is_kept(scratch, cli):
    (scratch / "precious").write_text("data")
    write_config(scratch / "etc/brood.conf", pool("web", ["/bin/true"]))
    done = cli("up", "-c", scratch / "etc/brood.conf", "--socket", scratch / "precious")
    assert done.returncode != 0 and "precious" in done.stderr
    assert (scratch / "precious").read_text() == "data"


@pytest.mark.parametrize("variables, place", [
    ({"BROOD_SOCKET": "{}/here.sock"}, "here.sock"),
    ({"XDG_RUNTIME_DIR": "{}"}, "brood/control.sock"),
])
def test_default_places_of_the_socket(start, cli, scratch, fifo, variables, place):
    variables = {key: value.format(scratch) for key, value in variables.items()}
    write_config(scratch / "etc/brood.conf", pool("web", greeting(fifo())))
    u = start([BROOD, "up", "-c", scratch / "etc/brood.conf"], kind=Up, config=None,
              path=scratch / place, env=environment(**variables))
    u.wait_listening()
    done = cli("status", env=environment(**variables))
    assert done.returncode == 0 and "web" in done.stdout


# --- the end


def test_stays_when_its_pools_have_ended(up):
    u = up(pool("job", play("exit:0"), Restart="no"), pool("bad", play("exit:3"), Restart="no"))
    u.wait_state("job", "done")
    u.wait_state("bad", "failed")
    assert u.worker("bad")["cause"]["exit_status"] == 3
    assert not u.ended
    u.stop()


def test_exit_when_done(up):
    u = up(section("Brood", ExitWhenDone=True), pool("job", play("exit:0"), Restart="no"),
           wait=False)
    assert u.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_stop_signals(up, fifo, number):
    hello = fifo()
    u = up(pool("web", greeting(hello), Workers=2), pool("job", greeting(hello)))
    hello.hellos(3)
    u.signal(number)
    assert u.wait() == 0
    assert not listens(u.path)


def test_asked_twice_it_is_quick(up, fifo):
    hello = fifo()
    u = up(pool("web", play("ignore:TERM", f"hello:{hello}", "pause"), TimeoutStopSec="60s"))
    pid = hello.hello().pid
    u.signal(signal.SIGTERM)
    u.wait_event("stopping", pool="web")
    u.signal(signal.SIGTERM)
    u.wait()
    assert not procs.alive(pid)


def test_stop_takes_everything_that_descends(up, fifo):
    hello = fifo()
    u = up(pool("web", play("fork", "(", "session", f"hello:{hello}", "pause", ")",
                            "orphan", "(", f"hello:{hello}", "pause", ")",
                            f"hello:{hello}", "pause")))
    pids = [one.pid for one in hello.hellos(3)]
    assert u.stop() == 0
    assert not any(procs.alive(pid) for pid in pids)


def test_hangup_reads_the_configuration_again(up, fifo):
    hello = fifo()
    u = up(pool("web", greeting(hello)))
    first = hello.hello()
    u.configure(pool("web", greeting(hello)), pool("more", greeting(hello)))
    u.signal(signal.SIGHUP)
    second = hello.hello()
    assert u.worker_pids("more") == {0: second.pid} and u.worker_pids("web") == {0: first.pid}


def test_daemon(scratch, cli, fifo):
    hello, pidfile, path = fifo(), scratch / "up.pid", scratch / "socket"
    write_config(scratch / "etc/brood.conf", pool("web", greeting(hello)))
    done = cli("up", "--daemon", "--pidfile", pidfile, "--log-file", scratch / "log", "-c",
               scratch / "etc/brood.conf", "--socket", path)
    assert done.returncode == 0, done.stderr
    with ending(number(pidfile)):
        worker = hello.hello()
        assert procs.stat(worker.pid)[1] == number(pidfile)
        assert cli("shutdown", "--socket", path).returncode == 0
        assert not procs.alive(worker.pid)


@pytest.mark.parametrize("is_link", [False, True])
def test_instance_of_a_unit_by_its_name(start, scratch, fifo, is_link):
    """The file of an instance is its template's, linked or not; the name is what was asked for."""
    hello, path = fifo(), scratch / "socket"
    write_config(scratch / "etc/web@.service",
                 section("Service", ExecStart=command(greeting(hello))))
    if is_link:
        (scratch / "etc/web@blue.service").symlink_to("web@.service")
    u = start([BROOD, "up", "--socket", path, "-c", "etc/web@blue.service"], kind=Up, config=None,
              path=path, cwd=scratch)
    u.wait_listening()
    assert u.worker_pids("web@blue") == {0: hello.hello().pid}


def test_placeholders_in_the_command(up_once, fifo):
    report = fifo()
    up_once(pool("shop", [*play(f"report:{report}"), Raw("say:%i/%w-%p-%g"), "pause"], Workers=2))
    seen = [report.report() for _ in range(2)]
    assert {one["argv"][2] for one in seen} == {"say:0/2-shop-1", "say:1/2-shop-1"}


def test_template(up_once, fifo):
    """One definition, several instances; each is a pool with a name of its own."""
    report = fifo()
    u = up_once(section("Pool shop@", Nice=2, ExecStart=command(
                    [*play(f"report:{report}"), Raw("say:%I"), "pause"])),
                section("Pool shop@north"), section("Pool shop@south", Nice=4))
    seen = {one["env"]["BROOD_POOL"]: (one["argv"][2], one["nice"])
            for one in (report.report(), report.report())}
    assert seen == {"shop@north": ("say:north", 2), "shop@south": ("say:south", 4)}
    assert sorted(one["name"] for one in u.call("Status")["pools"]) == ["shop@north", "shop@south"]
