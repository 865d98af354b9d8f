# SPDX-License-Identifier: MIT
"""Sockets that brood opens once and hands over: they outlive every worker."""

import contextlib
import os
import pathlib
import socket
import stat
import struct

import pytest

from harness import procs
from harness.config import pool
from harness.net import Customer, ask, ask_local, free_port, has_ipv6
from harness.probe import needs_root
from harness.settings import play

STREAM, DATAGRAM, PACKETS = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")


def serving(*words, name="web", **directives):
    return pool(name, play(*words, "serve:v1"), **{"Restart": "always", **directives})


# --- kinds and addresses


@pytest.mark.parametrize("value, address", [
    ("{port}", ("127.0.0.1",)), ("127.0.0.1:{port}", ("127.0.0.1",)),
    ("0.0.0.0:{port}", ("127.0.0.2",)),
    pytest.param("{port}", ("::1",), marks=needs_ipv6, id="port alone, by IPv6"),
    pytest.param("[::1]:{port}", ("::1",), marks=needs_ipv6)])
def test_tcp(up_once, value, address):
    port = free_port()
    u = up_once(serving(ListenStream=value.format(port=port)))
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    answer = ask((*address, port), family)
    assert answer.pid == u.worker_pids("web")[0]


def test_udp(up):
    port = free_port(DATAGRAM)
    u = up(serving(ListenDatagram=f"127.0.0.1:{port}"))
    assert ask_local(port, kind=DATAGRAM).pid == u.worker_pids("web")[0]


@pytest.mark.parametrize("directive, kind", [
    ("ListenStream", STREAM), ("ListenDatagram", DATAGRAM), ("ListenSequentialPacket", PACKETS)])
def test_unix(up_once, scratch, directive, kind):
    path = scratch / "sock"
    u = up_once(serving(SocketMode="0600", **{directive: path}))
    assert ask(str(path), kind=kind).pid == u.worker_pids("web")[0]
    facts = os.stat(path)
    assert stat.S_ISSOCK(facts.st_mode) and stat.S_IMODE(facts.st_mode) == 0o600


@pytest.mark.parametrize("kind, directive", [
    (STREAM, "ListenStream"), (PACKETS, "ListenSequentialPacket")])
def test_abstract(up_once, kind, directive):
    name = f"brood-test-{os.getpid()}-{directive}"
    u = up_once(serving(**{directive: "@" + name}))
    assert ask("\0" + name, kind=kind).pid == u.worker_pids("web")[0]


def test_unix_socket_is_for_all_by_default(up_once, scratch):
    up_once(serving(ListenStream=scratch / "sock"))
    assert stat.S_IMODE(os.stat(scratch / "sock").st_mode) == 0o666


@needs_root
def test_owner_of_a_unix_socket(up_once, scratch):
    up_once(serving(ListenStream=scratch / "sock", SocketUser="nobody", SocketGroup="games",
                    SocketMode="0660"))
    facts = os.stat(scratch / "sock")
    assert (facts.st_uid, facts.st_gid) == (65534, 60) and stat.S_IMODE(facts.st_mode) == 0o660


def test_stale_unix_socket(up_once, scratch):
    path = str(scratch / "sock")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    up_once(serving(ListenStream=path))
    assert ask(path).text == "v1"


def test_specifiers_in_the_address(up_once, scratch):
    up_once(serving(ListenStream=f"{scratch}/%p.sock"))
    assert ask(f"{scratch}/web.sock").text == "v1"


def test_several_sockets_in_order(up_once, scratch, fifo):
    report, ports = fifo(), [free_port(), free_port()]
    up_once(serving(f"report:{report}", ListenStream=[f"127.0.0.1:{ports[0]}", scratch / "sock",
                                                      f"127.0.0.1:{ports[1]}"],
                    FileDescriptorName="shop"))
    seen = report.report()
    assert seen["env"]["LISTEN_FDS"] == "3" and seen["env"]["LISTEN_PID"] == str(seen["pid"])
    assert seen["env"]["LISTEN_FDNAMES"] == "shop:shop:shop"
    assert set(seen["fds"]) == set(range(6))
    assert [ask_local(port).text for port in ports] == ["v1", "v1"] and ask(str(scratch / "sock"))
    for port, fd in ((ports[0], 3), (ports[1], 5)):
        assert inode_of_tcp(port) in seen["fds"][fd]["target"]
        # As systemd has it: blocking, whoever wants it otherwise sets it.
        assert not seen["fds"][fd]["flags"] & os.O_NONBLOCK


def inode_of_tcp(port):
    """As "[123]", of the socket that listens there."""
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(FileNotFoundError):
            for line in pathlib.Path(name).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[1].endswith(f":{port:04X}") and fields[3] == "0A":
                    return f"[{fields[9]}]"
    return None


def test_name_is_the_pool_by_default(up_once, fifo):
    report = fifo()
    up_once(serving(f"report:{report}", ListenStream=f"127.0.0.1:{free_port()}", name="shop"))
    assert report.report()["env"]["LISTEN_FDNAMES"] == "shop"


def test_all_workers_share_it(up):
    port = free_port()
    u = up(serving(ListenStream=f"127.0.0.1:{port}", Workers=4))
    pids = set(u.worker_pids("web").values())
    seen = set()
    procs.until(lambda: seen.add(ask_local(port).pid) or len(seen) > 1, "a second one's answer")
    assert seen <= pids


def test_nobody_else_gets_it(up_once, fifo):
    """A worker of another pool, and a command of the same one, have their own descriptors only."""
    report = fifo()
    up_once(serving(ListenStream=f"127.0.0.1:{free_port()}"),
            pool("other", play(f"report:{report}", "pause")))
    seen = report.report()
    assert set(seen["fds"]) == {0, 1, 2} and "LISTEN_FDS" not in seen["env"]


@pytest.mark.parametrize("backlog", [7])
def test_backlog(up_once, backlog):
    port = free_port()
    u = up_once(pool("web", play("pause"), ListenStream=f"127.0.0.1:{port}", Backlog=backlog))
    u.ctl("wait", "web", "--for=ready")
    with contextlib.ExitStack() as stack:
        for _ in range(backlog + 5):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        done = pathlib.Path("/proc/net/tcp").read_text()
        waiting = [line.split() for line in done.splitlines()
                   if f"0100007F:{port:04X}" in line.split()[1] and line.split()[3] == "0A"]
        assert int(waiting[0][4].split(":")[1], 16) == backlog + 1  # the kernel takes one more


# --- they stay


def test_connection_waits_for_a_restart(up):
    """Nobody is refused while there is no worker: the next one serves what has come meanwhile."""
    port = free_port()
    u = up(serving("until:1", "(", "pause", ")", ListenStream=f"127.0.0.1:{port}",
                   RestartSec="200ms"))
    u.wait_event("ready", pool="web")
    procs.kill(u.worker_pids("web")[0])
    assert ask_local(port).generation == 2


def test_never_refused_over_restarts(up):
    port = free_port()
    u = up(serving("limit:CORE=0", ListenStream=f"127.0.0.1:{port}"))
    u.ctl("wait", "web", "--for=ready")
    with Customer(("127.0.0.1", port)) as customer:
        for _ in range(10):
            served = len(customer.answers)
            procs.until(lambda n=served: len(customer.answers) > n + 5, "customers")
            u.ctl("restart", "web")
    assert not customer.failures, customer.failures
    assert len({answer.pid for answer in customer.answers}) >= 10


def test_listens_while_it_is_stopped(up_once):
    """A stop by hand does not close the door: who comes waits for the start."""
    port = free_port()
    u = up_once(serving(ListenStream=f"127.0.0.1:{port}"))
    inode = inode_of_tcp(port)
    u.ctl("stop", "web")
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"who\n")
        u.ctl("start", "web")
        client.settimeout(10)
        assert b"v1" in client.recv(1000)
    assert inode_of_tcp(port) == inode


def test_stays_over_a_reload(up_once):
    port = free_port()
    u = up_once(serving(ListenStream=f"127.0.0.1:{port}"))
    inode = inode_of_tcp(port)
    with Customer(("127.0.0.1", port)) as customer:
        u.configure(pool("web", play("serve:v2"), Restart="always",
                         ListenStream=f"127.0.0.1:{port}", Workers=2))
        u.ctl("reload")
        procs.until(lambda: customer.answers and customer.answers[-1].text == "v2", "the new one")
    assert not customer.failures and inode_of_tcp(port) == inode


def test_flags_of_the_workers_stay_over_a_reload(up_once):
    """They share O_NONBLOCK: who has set it would stand still in an accept that another was quicker at."""
    port = free_port()

    def web(**directives):
        return pool("web", play("serve"), ListenStream=f"127.0.0.1:{port}", **directives)

    u = up_once(web())
    pid = u.worker_pids("web")[0]

    def is_non_blocking():
        with open(f"/proc/{pid}/fdinfo/3") as file:
            (flags,) = [row.split()[1] for row in file if row.startswith("flags:")]
        return int(flags, 8) & os.O_NONBLOCK

    procs.until(is_non_blocking, "the worker to serve")
    u.configure(web(Restart="always"))
    assert "updated" in u.ctl("reload").out
    assert is_non_blocking() and u.worker_pids("web") == {0: pid}


def test_socket_that_a_reload_adds_and_takes(up_once):
    one, two = free_port(), free_port()
    u = up_once(serving(ListenStream=f"127.0.0.1:{one}"))
    inode = inode_of_tcp(one)
    u.configure(serving(ListenStream=[f"127.0.0.1:{one}", f"127.0.0.1:{two}"]))
    u.ctl("reload")
    assert ask_local(one).text == ask_local(two).text == "v1" and inode_of_tcp(one) == inode
    u.configure(serving(ListenStream=f"127.0.0.1:{two}"))
    u.ctl("reload")
    assert ask_local(two).text == "v1"
    # The roll is done once the new worker serves; the old one has the socket until it has ended.
    procs.until(lambda: inode_of_tcp(one) is None, "the end of who still held the socket")


def test_closed_at_the_end(up_once, scratch):
    port, path = free_port(), scratch / "sock"
    u = up_once(serving(ListenStream=[f"127.0.0.1:{port}", path]))
    assert ask_local(port).text == "v1"
    assert u.stop() == 0
    assert inode_of_tcp(port) is None and not path.exists()


def test_port_that_is_taken(up_once):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        u = up_once(serving(ListenStream=f"127.0.0.1:{port}"), wait=False)
        assert u.wait() != 0
        assert str(port) in u.text() and "another process" in u.text()


def test_reload_to_a_port_that_is_taken(up_once):
    """Says why, and the pool serves on where it did."""
    port = free_port()
    u = up_once(serving(ListenStream=f"127.0.0.1:{port}"))
    pid = ask_local(port).pid
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        u.configure(serving(ListenStream=[f"127.0.0.1:{port}", f"127.0.0.1:{taken}"]))
        done = u.ctl("reload", status=1)
        assert str(taken) in done.err
    assert ask_local(port).pid == pid


# --- one for each worker


def test_reuse_port(up):
    port = free_port()
    u = up(serving(ListenStream=f"127.0.0.1:{port}", Workers=3, ReusePort=True))
    u.ctl("wait", "web", "--for=ready")
    seen = set()
    procs.until(lambda: seen.add(ask_local(port).worker) or len(seen) == 3, "an answer of each")
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()
    assert sum(f"0100007F:{port:04X} 00000000:0000 0A" in line for line in lines) == 3


def test_reuse_port_of_a_scaled_pool(up_once):
    """A worker more has a socket of its own; with the last of a place its socket goes."""
    port = free_port()
    u = up_once(serving(ListenStream=f"127.0.0.1:{port}", Workers=2, ReusePort=True))
    for count in (4, 1, 0, 2):
        u.ctl("scale", "web", str(count))
        seen = set()
        for _ in range(20 if count > 0 else 0):
            seen.add(ask_local(port).worker)
        procs.until(lambda: count == 0 or seen.add(ask_local(port).worker) or len(seen) == count,
                    "an answer of each")


def test_reuse_port_keeps_its_queue_over_a_restart(up_once):
    """The socket of a place outlives its worker: what waits there is served by the next one."""
    port = free_port()
    u = up_once(serving(ListenStream=f"127.0.0.1:{port}", Workers=3, ReusePort=True))
    u.ctl("wait", "web", "--for=ready")
    with Customer(("127.0.0.1", port)) as customer:
        for number in (0, 1, 2):
            u.ctl("restart", f"web/{number}")
        served = len(customer.answers)
        procs.until(lambda: len(customer.answers) > served + 20, "customers")
    assert not customer.failures, customer.failures


# --- on demand


def test_on_demand_on_the_socket_of_each_worker(up_once):
    """Whichever of them the kernel chooses, the pool starts; also after a change of their number."""
    port = free_port()
    u = up_once(serving(ListenStream=f"127.0.0.1:{port}", OnDemand=True, ReusePort=True, Workers=8),
                wait=False)
    u.wait_listening()
    u.ctl("scale", "web", "16")
    assert u.facts("web")["state"] == "stopped"
    assert ask_local(port).text == "v1"


def test_sockets_change_while_a_connection_is_waited_for(up_once):
    ports = [free_port(), free_port()]
    listens = [f"127.0.0.1:{port}" for port in ports]
    u = up_once(serving(ListenStream=listens[0], OnDemand=True), wait=False)
    u.wait_listening()
    for count in (2, 1, 2):
        u.configure(serving(ListenStream=listens[:count], OnDemand=True))
        u.ctl("reload")
    assert u.facts("web")["state"] == "stopped"
    assert ask_local(ports[1]).text == "v1"


def test_on_demand(up):
    port = free_port()
    u = up(serving(ListenStream=f"127.0.0.1:{port}", OnDemand=True))
    assert u.worker_pids("web") == {} and not u.select_events("started")
    answer = ask_local(port)
    assert answer.text == "v1" and u.worker_pids("web") == {0: answer.pid}


def test_on_demand_by_datagram(up_once):
    port = free_port(DATAGRAM)
    u = up_once(serving(ListenDatagram=f"127.0.0.1:{port}", OnDemand=True))
    assert ask_local(port, kind=DATAGRAM).pid == u.worker_pids("web")[0]


def test_on_demand_again_after_a_clean_end(up_once):
    """A worker that has ended by itself comes back with the next connection."""
    port = free_port()
    u = up_once(serving(ListenStream=f"127.0.0.1:{port}", OnDemand=True, Restart="no"))
    first = ask_local(port).pid
    procs.kill(first, 15)
    u.wait_event("exited", pid=first)
    assert ask_local(port).pid != first


def test_on_demand_costs_nothing_meanwhile(up_once):
    """A connection that nobody takes, since its worker fails, does not keep brood busy."""
    port = free_port()
    u = up_once(pool("web", play("exit:1"), Restart="no", OnDemand=True,
                     ListenStream=f"127.0.0.1:{port}"))
    with socket.create_connection(("127.0.0.1", port)):
        u.wait_event("exited", pool="web")
        u.wait_state("web", "failed")
        before = procs.context_switches(u.pid)
        with pytest.raises(AssertionError):
            u.wait_event("never", timeout=0.3)
        assert procs.context_switches(u.pid) - before < 50


# --- options of the socket


def test_options_of_tcp(up_once):
    port = free_port()
    u = up_once(serving(ListenStream=f"127.0.0.1:{port}"))
    u.ctl("wait", "web", "--for=ready")
    fd = procs_fd(u.worker_pids("web")[0], 3)
    with socket.socket(fileno=fd) as copy:
        assert copy.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        assert struct.unpack("i", copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN, 4))[0]


def procs_fd(pid, number):
    """A copy of another process's descriptor (pidfd_getfd)."""
    pidfd = os.pidfd_open(pid)
    fd = procs.libc.syscall(438, pidfd, number, 0)
    os.close(pidfd)
    if fd < 0:
        pytest.skip("this user may not take descriptors of other processes")
    return fd
