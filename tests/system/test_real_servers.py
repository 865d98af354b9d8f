# SPDX-License-Identifier: MIT
"""Debian's own servers, run from the unit files that Debian gives them.

The unit file is used as it is; a drop-in moves it to a configuration of the test's own, on a free
port, which is a copy of Debian's with other paths.
"""

import contextlib
import http.client
import os
import pathlib
import re
import resource
import signal
import socket

import pytest

from harness import procs
from harness.net import free_port
from harness.probe import effective_capability, needs_root
from harness.settings import BROOD, WAIT
from harness.up import DONE, Up, write_config

pytestmark = [needs_root, pytest.mark.deadline(40)]

UNITS = pathlib.Path("/lib/systemd/system")
SYS_RESOURCE = 24
WORDS = "hello from the test\n"


def needs(program, unit):
    return pytest.mark.skipif(not os.path.exists(program) or not (UNITS / unit).exists(),
                              reason=f"{program} is not installed")


def get(port):
    """The page, or None while nobody serves it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        return answer.read().decode() if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def changed(text, *changes):
    """Debian's configuration with these changes, each of which must find something."""
    for pattern, replacement in changes:
        text, count = re.subn(pattern, lambda _, r=replacement: r, text, flags=re.M)
        assert count, pattern
    return text


@pytest.fixture
def unit(start, scratch):
    """Runs a unit file of Debian's with a drop-in."""

    def function(name, drop_in, *options):
        etc = scratch / "etc"
        write_config(etc / f"{name}.service", (UNITS / f"{name}.service").read_text())
        if drop_in:
            write_config(etc / f"{name}.service.d" / "test.conf", drop_in)
        path = scratch / "socket"
        u = start([BROOD, "up", "--socket", path, "--log-format=json", *options, etc], kind=Up,
                  config=etc, path=path)
        u.wait_listening()
        return u

    return function


def check_life(u, name, serves):
    """What every server has to survive: start, restart, the death of its first process, stop."""
    u.ctl("wait", name, "--for=ready", status=DONE)
    procs.until(serves, "the first answer")
    first = u.worker_pids(name)[0]
    u.ctl("restart", name)
    procs.until(serves, "an answer after the restart")
    second = u.worker_pids(name)[0]
    assert second != first and not procs.alive(first)
    below = [pid for pid in procs.descendants(u.pid)]
    u.ctl("stop", name)
    assert not serves() and not any(procs.alive(pid) for pid in below)
    u.ctl("start", name)
    procs.until(serves, "an answer after the start")


# --- lighttpd


@pytest.fixture
def lighttpd(unit, scratch):
    port = free_port()
    (scratch / "www").mkdir()
    (scratch / "www/index.html").write_text(WORDS)
    (scratch / "www").chmod(0o755)
    (scratch / "lighttpd.conf").write_text(changed(
        pathlib.Path("/etc/lighttpd/lighttpd.conf").read_text(),
        (r'^(server.document-root.*=).*', f'server.document-root = "{scratch}/www"'),
        (r'^server.upload-dirs.*', f'server.upload-dirs = ( "{scratch}" )'),
        (r'^server.errorlog .*', f'server.errorlog = "{scratch}/error.log"'),
        (r'^server.pid-file .*', f'server.pid-file = "{scratch}/pid"'),
        (r'^server.port .*', f'server.port = {port}\nserver.bind = "127.0.0.1"'),
        (r'^include_shell .*use-ipv6.*\n', '')))
    u = unit("lighttpd", f"""[Service]
ExecStartPre=
ExecStartPre=/usr/sbin/lighttpd -tt -f {scratch}/lighttpd.conf
ExecStart=
ExecStart=/usr/sbin/lighttpd -D -f {scratch}/lighttpd.conf
""")
    u.serves = lambda: get(port) == WORDS
    return u


@needs("/usr/sbin/lighttpd", "lighttpd.service")
def test_lighttpd(lighttpd):
    check_life(lighttpd, "lighttpd", lighttpd.serves)


@needs("/usr/sbin/lighttpd", "lighttpd.service")
def test_lighttpd_is_restarted_and_reloaded(lighttpd):
    u = lighttpd
    u.ctl("wait", "lighttpd", "--for=ready")
    procs.until(u.serves, "the first answer")
    pid = u.worker_pids("lighttpd")[0]
    u.ctl("reload", "lighttpd")
    procs.until(u.serves, "an answer after the reload")
    assert u.worker_pids("lighttpd") == {0: pid}
    procs.kill(pid, signal.SIGSEGV)
    u.wait_event("exited", pid=pid)
    procs.until(u.serves, "an answer after the crash")
    assert u.worker("lighttpd")["restarts"] == 1


# --- redis


def limit_that_may_be_set():
    """Its unit file asks for more descriptors than a container may have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return "" if hard >= 65535 or effective_capability(SYS_RESOURCE) else f"LimitNOFILE={hard}"


def ping(port):
    with contextlib.suppress(OSError):
        with socket.create_connection(("127.0.0.1", port), WAIT) as client:
            client.sendall(b"PING\r\n")
            return client.recv(100) == b"+PONG\r\n"
    return False


@needs("/usr/bin/redis-server", "redis-server.service")
def test_redis(unit, scratch):
    """Type=notify with an unprivileged user, no capabilities and a runtime directory."""
    port = free_port()
    (scratch / "data").mkdir()
    (scratch / "data").chmod(0o777)
    (scratch / "redis.conf").write_text(changed(
        pathlib.Path("/etc/redis/redis.conf").read_text(),
        (r"^port .*", f"port {port}"), (r"^bind .*", "bind 127.0.0.1"),
        (r"^pidfile .*", f"pidfile {scratch}/data/pid"),
        (r"^logfile .*", f"logfile {scratch}/data/log"), (r"^dir .*", f"dir {scratch}/data")))
    (scratch / "redis.conf").chmod(0o666)
    name = f"brood-test-{os.getpid()}"
    u = unit("redis-server", f"""[Service]
ExecStart=
ExecStart=/usr/bin/redis-server {scratch}/redis.conf --supervised systemd --daemonize no
RuntimeDirectory=
RuntimeDirectory={name}
{limit_that_may_be_set()}
""")
    u.ctl("wait", "redis-server", "--for=ready", status=DONE)
    assert ping(port), "ready before it serves"
    pid = u.worker_pids("redis-server")[0]
    facts = os.stat(f"/run/{name}")
    assert facts.st_mode & 0o7777 == 0o2755 and facts.st_uid != 0
    assert procs.status(pid, "Uid").split()[0] == str(facts.st_uid)
    assert int(procs.status(pid, "CapBnd"), 16) == 0 and procs.status(pid, "NoNewPrivs") == "1"
    u.wait_event("ready", pool="redis-server")
    for word in ("PrivateTmp", "ProtectSystem", "SystemCallFilter"):
        assert word in u.text(), "what is not enforced has to be said"
    check_life(u, "redis-server", lambda: ping(port))
    assert u.stop() == 0
    assert not os.path.exists(f"/run/{name}")


# --- haproxy


@needs("/usr/sbin/haproxy", "haproxy.service")
def test_haproxy(unit, scratch):
    """Variables in the command, a master with workers, two reload commands, an exit status that
    is none of failure."""
    port = free_port()
    (scratch / "haproxy.cfg").write_text(changed(
        pathlib.Path("/etc/haproxy/haproxy.cfg").read_text(),
        (r"stats socket .*", f"stats socket {scratch}/admin.sock mode 660 level admin"),
        (r"^\s*log /dev/log.*\n", "")) + f"""
listen web
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain string "{WORDS.strip()}\\n"
""")
    u = unit("haproxy", f"""[Service]
Environment="CONFIG={scratch}/haproxy.cfg" "PIDFILE={scratch}/pid"
Environment="EXTRAOPTS=-S {scratch}/master.sock"
""")
    check_life(u, "haproxy", lambda: get(port) == WORDS)
    pid = u.worker_pids("haproxy")[0]
    before = set(procs.children(pid))
    u.ctl("reload", "haproxy", status=DONE)
    # Its master executes itself anew, and a SIGTERM that comes between the two is lost: only a
    # worker of the new one says that it hears.
    procs.until(lambda: before.isdisjoint(procs.children(pid, zombies=False)), "a new worker")
    procs.until(lambda: get(port) == WORDS, "an answer after the reload")
    assert u.worker_pids("haproxy") == {0: pid}
    u.ctl("stop", "haproxy", status=DONE)
    assert u.worker("haproxy")["state"] == "stopped"
    assert get(port) is None


# --- nginx


def nginx_conf(scratch, port):
    (scratch / "www").mkdir()
    (scratch / "www/index.html").write_text(WORDS)
    path = scratch / "nginx.conf"
    path.write_text(changed(
        pathlib.Path("/etc/nginx/nginx.conf").read_text(),
        (r"^pid .*", f"pid {scratch}/pid;"), (r"^worker_processes .*", "worker_processes 2;"),
        (r"^error_log .*", f"error_log {scratch}/error.log;"),
        (r"access_log .*", "access_log off;"),
        (r"^include /etc/nginx/modules-enabled.*\n", ""),
        (r"include /etc/nginx/sites-enabled/.*",
         f"server {{ listen 127.0.0.1:{port}; root {scratch}/www; }}")))
    return path


def nginx_drop_in(conf):
    return f"""[Service]
Type=exec
ExecStartPre=
ExecStartPre=/usr/sbin/nginx -t -q -c {conf} -g 'daemon off;'
ExecStart=
ExecStart=/usr/sbin/nginx -c {conf} -g 'daemon off;'
ExecReload=
ExecReload=/bin/kill -HUP $MAINPID
ExecStop=
KillSignal=SIGQUIT
Restart=on-failure
"""


@needs("/usr/sbin/nginx", "nginx.service")
def test_nginx_as_it_is_forks(cli):
    """Its unit file says Type=forking: brood says what to do instead."""
    done = cli("check", UNITS / "nginx.service")
    assert done.returncode == 1 and "forking" in done.stderr and "foreground" in done.stderr


@needs("/usr/sbin/nginx", "nginx.service")
def test_nginx(unit, scratch):
    port = free_port()
    u = unit("nginx", nginx_drop_in(nginx_conf(scratch, port)))
    check_life(u, "nginx", lambda: get(port) == WORDS)
    pid = u.worker_pids("nginx")[0]
    before = set(procs.children(pid))
    u.ctl("reload", "nginx")
    procs.until(lambda: before.isdisjoint(procs.children(pid, zombies=False)), "new workers")
    procs.until(lambda: get(port) == WORDS, "an answer after the reload")
    assert u.worker_pids("nginx") == {0: pid}


@needs("/usr/sbin/nginx", "nginx.service")
def test_nginx_whose_master_is_killed(unit, scratch):
    """Its workers live on and hold the port: they have to go before a new one can serve."""
    port = free_port()
    u = unit("nginx", nginx_drop_in(nginx_conf(scratch, port)))
    procs.until(lambda: get(port) == WORDS, "the first answer")
    master = u.worker_pids("nginx")[0]
    orphans = procs.children(master, zombies=False)
    procs.kill(master)
    u.wait_event("exited", pid=master)
    procs.until(lambda: not any(procs.alive(pid) for pid in orphans), "the end of its workers")
    procs.until(lambda: get(port) == WORDS, "an answer of the new one")
    assert u.worker_pids("nginx")[0] != master


@needs("/usr/sbin/nginx", "nginx.service")
def test_nginx_with_a_wrong_configuration(unit, scratch):
    """ExecStartPre= finds the mistake, and the outcome says so."""
    conf = nginx_conf(scratch, free_port())
    conf.write_text(conf.read_text().replace("sendfile on;", "sendfile perhaps;"))
    u = unit("nginx", nginx_drop_in(conf) + "Restart=no\n")
    u.wait_state("nginx", "failed")
    done = u.ctl("start", "nginx", status=1)
    assert "ExecStartPre" in done.err


@pytest.mark.parametrize("name", ["lighttpd", "redis-server", "haproxy"])
def test_units_as_they_are_pass_the_check(cli, name):
    if not (UNITS / f"{name}.service").exists():
        pytest.skip("not installed")
    done = cli("check", UNITS / f"{name}.service")
    assert done.returncode == 0, done.stderr
    assert ": error:" not in done.stderr
