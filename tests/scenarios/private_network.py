"""Two ends and a router between them, on which packets can be lost.

No FIN and no RST comes over a path that is gone, and nobody in user space can play
that: here the kernel of a router forwards no more, and says nothing. All three are
network namespaces of their own, so that nothing else is touched.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

needs_private_network = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "nsenter", "ip"))),
    reason="needs root, unshare and iproute2 to make a private network",
)

_NEW_NETWORK: Final = 0x40000000
"""CLONE_NEWNET (sched.h)."""
_CLIENT: Final = "10.77.1"
_SERVER: Final = "10.77.2"


class PrivateNetwork:
    """A client's end, a router and a server's end, by the processes that hold them."""

    def __init__(self, client: int, router: int, server: int) -> None:
        self.prefix = ("nsenter", f"--net={_namespace(client)}")
        """Put before a command, which then runs at the client's end."""
        self._router = router
        self._server = server
        self._connect(client, _CLIENT)
        self._connect(server, _SERVER)
        self.pass_packets()

    def _connect(self, end: int, subnet: str) -> None:
        name = f"to{end}"
        link = f"ip link add {name} type veth peer name eth0 netns {end}"
        _run_in(self._router, f"{link} && ip addr add {subnet}.1/24 dev {name}")
        _run_in(self._router, f"ip link set {name} up")
        _run_in(end, f"ip addr add {subnet}.2/24 dev eth0 && ip link set eth0 up")
        _run_in(end, f"ip route add default via {subnet}.1")

    def listen(self) -> socket.socket:
        """A listening socket at the server's end, for this process."""
        made: list[socket.socket] = []
        # Only the calling thread moves, and the socket stays where it was made.
        thread = threading.Thread(target=self._listen, args=(made,))
        thread.start()
        thread.join()
        return made[0]

    def _listen(self, made: list[socket.socket]) -> None:
        with _namespace(self._server).open() as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _NEW_NETWORK) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        made.append(socket.create_server((f"{_SERVER}.2", 0)))

    def lose_packets(self) -> None:
        """Throw every packet away from now on, in both directions."""
        _run_in(self._router, "echo 0 > /proc/sys/net/ipv4/ip_forward")

    def pass_packets(self) -> None:
        """Let packets through again."""
        _run_in(self._router, "echo 1 > /proc/sys/net/ipv4/ip_forward")


@contextmanager
def open_private_network() -> Iterator[PrivateNetwork]:
    """Make one, and end it; a machine that makes none skips the test."""
    with ExitStack() as stack:
        holders = [stack.enter_context(_open_namespace()) for _ in range(3)]
        try:
            network = PrivateNetwork(*holders)
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
