"""Ends and a router between them, on which packets can be lost.

No FIN and no RST comes over a path that is gone, and nobody in user space can play
that: here the kernel of a router forwards no more, and says nothing. Each end and the
router are network namespaces of their own, so that nothing else is touched.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import Final

import pytest

needs_private_network = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "nsenter", "ip", "tc"))),
    reason="needs root, unshare and iproute2 to make a private network",
)

_NEW_NETWORK: Final = 0x40000000
"""CLONE_NEWNET (sched.h)."""


class PrivateNetwork:
    """Named ends, each in a subnet of its own behind one router."""

    def __init__(self, router: int, ends: Mapping[str, int]) -> None:
        self._router = router
        self._holders = dict(ends)
        self._subnets = {name: f"10.77.{n}" for n, name in enumerate(ends, start=1)}
        for name in ends:
            self._connect(name)
        _run_in(router, "echo 1 > /proc/sys/net/ipv4/ip_forward")

    def _connect(self, end: str) -> None:
        holder, subnet, link = self._holders[end], self._subnets[end], self._link(end)
        _run_in(self._router, f"ip link add {link} type veth peer name eth0 netns {holder}")
        _run_in(self._router, f"ip addr add {subnet}.1/24 dev {link} && ip link set {link} up")
        _run_in(holder, f"ip addr add {subnet}.2/24 dev eth0 && ip link set eth0 up")
        _run_in(holder, f"ip route add default via {subnet}.1")

    def _link(self, end: str) -> str:
        return f"to{self._holders[end]}"

    def address(self, end: str) -> str:
        """Where the others reach it."""
        return f"{self._subnets[end]}.2"

    def prefix(self, end: str) -> tuple[str, ...]:
        """Put before a command, which then runs at that end."""
        return ("nsenter", f"--net={_namespace(self._holders[end])}")

    def enter(self, end: str) -> None:
        """Move the calling thread there for good: its new sockets are that end's."""
        with _namespace(self._holders[end]).open() as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _NEW_NETWORK) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def listen(self, end: str) -> socket.socket:
        """A listening socket at that end, for this process."""
        made: list[socket.socket] = []

        def make() -> None:
            self.enter(end)
            made.append(socket.create_server((self.address(end), 0), backlog=512))

        # Only this thread moves, and the socket stays where it was made.
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]

    def lose_packets(self, ends: Iterable[str], others: Iterable[str]) -> None:
        """Throw every packet away between these and those from now on, in both directions."""
        pairs = [(one, other) for one, other in product(ends, others) if one != other]
        both = {*pairs, *((other, one) for one, other in pairs)}
        rules = [
            f"ip rule add from {self._subnets[one]}.0/24 to {self._subnets[other]}.0/24 blackhole"
            for one, other in sorted(both)
        ]
        _run_in(self._router, " && ".join(rules))

    def slow_down(self, end: str, bits_per_second: int) -> None:
        """Let what goes to that end crawl: it queues up for as long as two seconds."""
        limit = f"rate {bits_per_second}bit burst 4kb latency 2s"
        _run_in(self._router, f"tc qdisc replace dev {self._link(end)} root tbf {limit}")

    def pass_packets(self) -> None:
        """Let every packet through again, at once."""
        drop = "ip rule | grep -q blackhole && ip rule del blackhole"
        _run_in(self._router, f"while {drop}; do :; done")
        for end in self._holders:
            quick = f"tc qdisc del dev {self._link(end)} root 2>/dev/null || true"
            _run_in(self._router, quick)


@contextmanager
def open_private_network(ends: Sequence[str]) -> Iterator[PrivateNetwork]:
    """Make one, and end it; a machine that makes none skips the test."""
    with ExitStack() as stack:
        router = stack.enter_context(_open_namespace())
        holders = {name: stack.enter_context(_open_namespace()) for name in ends}
        try:
            network = PrivateNetwork(router, holders)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"this machine makes no private network, not even for root: {error.stderr}")
        yield network


@contextmanager
def _open_namespace() -> Iterator[int]:
    """A process that holds a new network namespace; gives its pid."""
    hold = "ip link set lo up && echo ready && exec sleep infinity"
    command = ["unshare", "--net", "sh", "-c", hold]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as holder:
        assert holder.stdout is not None
        try:
            if holder.stdout.readline() != b"ready\n":
                pytest.skip("this machine makes no network namespaces, not even for root")
            yield holder.pid
        finally:
            holder.kill()


def _namespace(holder: int) -> Path:
    return Path(f"/proc/{holder}/ns/net")


def _run_in(holder: int, command: str) -> None:
    enter = ["nsenter", f"--net={_namespace(holder)}", "sh", "-c", command]
    subprocess.run(enter, check=True, capture_output=True, text=True)
