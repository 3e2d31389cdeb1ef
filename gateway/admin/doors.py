"""The doors of the HTTP server: what is listened on, and who comes in by each.

Two of them: the one of `http.listen`, and `control.sock` in the state directory,
which is always there and where the kernel tells who knocks.
"""

import os
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

import trio

from gateway.admin.messages import Peer
from gateway.admin.settings import Address, HttpSettings, TcpAddress, TlsSettings, UnixAddress
from gateway.admin.unix_sockets import Credentials, listen_on_path, peer_credentials
from gateway.errors import ExitCode, GatewayError
from gateway.telemetry.happenings import Happening, Level

CONTROL_SOCKET: Final = "control.sock"

STRANGER_REFUSED: Final = Happening(
    "control_stranger_refused", Level.WARNING, "Another user tried to use control.sock."
)


class DoorShut(GatewayError):
    """A door cannot be opened: the address is taken, a certificate unreadable."""

    exit_code = ExitCode.FAILURE


class Door(Protocol):
    """One way in."""

    listeners: list[trio.SocketListener]
    address: str
    """For people: a URL, or `unix:` and a path."""

    async def admit(
        self, stream: trio.SocketStream, handshake_seconds: float
    ) -> tuple[trio.abc.Stream, Peer] | None:
        """Let a client in, or None when it is turned away."""

    def close(self) -> None:
        """Listen no more."""


class NetworkDoor:
    """TCP, with TLS where it is configured."""

    def __init__(self, listeners: list[trio.SocketListener], tls: ssl.SSLContext | None) -> None:
        self.listeners = listeners
        self._tls = tls
        host, port = listeners[0].socket.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.address = f"{'http' if tls is None else 'https'}://{shown}:{port}"

    async def admit(
        self, stream: trio.SocketStream, handshake_seconds: float
    ) -> tuple[trio.abc.Stream, Peer] | None:
        """Shake hands; a client that cannot, or dawdles, is gone."""
        try:
            host, port = stream.socket.getpeername()[:2]
            local_host = stream.socket.getsockname()[0]
        except OSError:
            return None
        peer = Peer(address=f"{host}:{port}", local_host=local_host, secure=self._tls is not None)
        if self._tls is None:
            return stream, peer
        secured = trio.SSLStream(stream, self._tls, server_side=True, https_compatible=True)
        with trio.move_on_after(handshake_seconds), suppress(trio.BrokenResourceError):
            await secured.do_handshake()
            return secured, peer
        return None

    def close(self) -> None:
        """Listen no more."""
        _close(self.listeners)


class UnixDoor:
    """A unix socket of `http.listen`: whoever may open the file may ask."""

    def __init__(self, listener: trio.SocketListener, path: Path) -> None:
        self.listeners = [listener]
        self.address = f"unix:{path}"
        self._path = path

    async def admit(
        self, stream: trio.SocketStream, handshake_seconds: float
    ) -> tuple[trio.abc.Stream, Peer] | None:
        """Let in everybody whom the file's permissions let through."""
        del handshake_seconds  # there is none
        return stream, Peer(address=_shown(peer_credentials(stream.socket)))

    def close(self) -> None:
        """Listen no more, and leave no dead file behind."""
        _close(self.listeners)
        self._path.unlink(missing_ok=True)


class ControlDoor(UnixDoor):
    """`control.sock`: for our own user and root.

    An operator who makes the state directory open to its group and to nobody else
    (mode 0750, systemd's `StateDirectoryMode=`) lets that group in as well.
    """

    def __init__(self, listener: trio.SocketListener, path: Path, group: int | None) -> None:
        super().__init__(listener, path)
        self._group = group

    async def admit(
        self, stream: trio.SocketStream, handshake_seconds: float
    ) -> tuple[trio.abc.Stream, Peer] | None:
        """Let in who is entitled, by the kernel's word."""
        del handshake_seconds
        who = peer_credentials(stream.socket)
        if who.uid not in (0, os.geteuid()) and self._group not in who.groups:
            STRANGER_REFUSED.emit(by=_shown(who))
            return None
        return stream, Peer(address=_shown(who), trusted=True)


@asynccontextmanager
async def open_doors(settings: HttpSettings, state_dir: Path) -> AsyncIterator[list[Door]]:
    """Listen on every door; close them, and remove their sockets, at the end."""
    doors: list[Door] = []
    try:
        doors.append(_open_control(state_dir / CONTROL_SOCKET))
        if settings.address is not None:
            doors.append(await _open_configured(settings.address, settings.tls))
        yield doors
    finally:
        for door in doors:
            door.close()


def _open_control(path: Path) -> ControlDoor:
    home = path.parent.stat()
    for_group = home.st_mode & stat.S_IXGRP and not home.st_mode & stat.S_IRWXO
    listener = _listen_on_path(path, 0o660 if for_group else 0o600)
    return ControlDoor(listener, path, home.st_gid if for_group else None)


async def _open_configured(address: Address, tls: TlsSettings | None) -> Door:
    if isinstance(address, UnixAddress):
        path = Path(address.path)
        return UnixDoor(_listen_on_path(path, 0o660), path)
    context = None if tls is None else _tls_context(tls)
    return NetworkDoor(await _listen_on_network(address), context)


async def _listen_on_network(address: TcpAddress) -> list[trio.SocketListener]:
    try:
        return await trio.open_tcp_listeners(address.port, host=address.host)
    except OSError as error:
        raise DoorShut(
            f"http.listen: cannot listen on {address.host}:{address.port}:"
            f" {error.strerror or error}; choose another address, or `http: null` for none"
        ) from None


def _listen_on_path(path: Path, mode: int) -> trio.SocketListener:
    try:
        listener = listen_on_path(path, mode)
    except OSError as error:
        raise DoorShut(f"cannot listen on {path}: {error.strerror or error}") from None
    listener.setblocking(False)
    return trio.SocketListener(trio.socket.from_stdlib_socket(listener))


def _tls_context(tls: TlsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise DoorShut(
            f"http.tls: cannot use {tls.certificate} with {tls.key}: {error.strerror or error}"
        ) from None
    return context


def _close(listeners: list[trio.SocketListener]) -> None:
    for listener in listeners:
        listener.socket.close()


def _shown(who: Credentials) -> str:
    return f"uid {who.uid}"
