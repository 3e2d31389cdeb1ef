"""Unix sockets: listening on a path, and who is at the other end."""

import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
import trio

BACKLOG: Final = 1024
"""A connect to a full backlog fails at once on a Unix socket, and hundreds may follow events."""
_SO_PEERGROUPS: Final = 59
"""Of <asm/socket.h>, since Linux 4.13; Python has no name for it."""
_UCRED: Final = struct.Struct("iII")
_GROUPS_BYTES: Final = 1024
"""256 groups: more than Python lets us ask for at once are beyond belief."""


class PathTaken(OSError):
    """Something that is not a stale socket of ours stands at the path."""


class Credentials(msgspec.Struct, frozen=True):
    """Who the kernel says connected."""

    uid: int
    groups: frozenset[int]


def listen_on_path(path: Path, mode: int) -> socket.socket:
    """A listening socket at `path`, with these permissions from its first moment.

    A socket that nobody listens on any more is replaced. Raises `PathTaken` when
    something else stands there, and `OSError`.
    """
    _clear_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_name(path) as name:
            listener.bind(name)
            # Nobody can connect before `listen`, so there is no moment in between.
            path.chmod(mode)
            listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def connect_to_path(path: Path, timeout_seconds: float) -> socket.socket:
    """A connected socket. Raises `OSError`."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_seconds)
        with short_name(path) as name:
            connection.connect(name)
    except BaseException:
        connection.close()
        raise
    return connection


def peer_credentials(connection: trio.socket.SocketType) -> Credentials:
    """Who is at the other end, as the kernel knows it."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    _pid, uid, gid = _UCRED.unpack(told)
    groups = {gid}
    with suppress(OSError):  # an older kernel, or too many: the primary group has to do
        packed = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BYTES)
        groups.update(struct.unpack(f"{len(packed) // 4}I", packed))
    return Credentials(uid, frozenset(groups))


@contextmanager
def short_name(path: Path) -> Iterator[str]:
    """A name for `path` that fits into the 107 bytes which a socket address has."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _clear_stale(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise PathTaken(f"{path} exists and is no socket")
        connect_to_path(path, timeout_seconds=1).close()
    except FileNotFoundError:
        return
    except ConnectionRefusedError:
        path.unlink()
        return
    raise PathTaken(f"another process listens on {path}")
