"""The way to a venue that begins with a name and TLS, and all that can be wrong with it."""

import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import trio
import trustme

from gateway.simulator import Simulator

ZONE: Final = "exchange.test"
NAME_SERVER: Final = "127.77.0.53"
_LONG_LOOK_UP: Final = "timeout:30 attempts:3"
"""The system's resolver waits longer than any limit of the gateway's."""
_LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)


class Trouble(StrEnum):
    """What a door's way is blocked by; each has a name of its own in the zone."""

    NO_SUCH_NAME = "unknown"
    NO_ANSWER = "failing"
    RESOLVER_HANGS = "hanging"
    EXPIRED = "expired"
    WRONG_HOST = "elsewhere"
    UNKNOWN_CA = "stranger"
    ENDLESS_HANDSHAKE = "mute"

    @property
    def host(self) -> str:
        """The name that the account knows its venue by."""
        return f"{self}.{ZONE}"


_BAD_CERTIFICATES: Final = {Trouble.EXPIRED, Trouble.WRONG_HOST, Trouble.UNKNOWN_CA}

REASONS: Final = {
    Trouble.NO_SUCH_NAME: "dns: Name or service not known",
    Trouble.NO_ANSWER: "dns: Temporary failure in name resolution",
    Trouble.RESOLVER_HANGS: "dns: no answer within",
    Trouble.EXPIRED: "tls: the certificate was refused: certificate has expired",
    Trouble.WRONG_HOST: "tls: the certificate was refused: Hostname mismatch",
    Trouble.UNKNOWN_CA: "tls: the certificate was refused: unable to get local issuer",
    Trouble.ENDLESS_HANDSHAKE: "tls: no answer within",
}
"""What a person has to read in the log."""


class FrontDoor:
    """Names and certificates of one venue, good or troubled, one way for each trouble."""

    def __init__(self, venue: Simulator, directory: Path) -> None:
        self.is_troubled = False
        self.unverified = 0
        """How often a client said something over TLS that it should not have trusted."""
        self.ports: dict[Trouble, int] = {}
        self.resolv_conf = directory / "resolv.conf"
        self.resolv_conf.write_text(f"nameserver {NAME_SERVER}\noptions {_LONG_LOOK_UP}\n")
        self.authority = directory / "authority.pem"
        self._venue = venue
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(str(self.authority))

    async def serve(self, trouble: Trouble, stream: trio.SocketStream) -> None:
        """Let one client in, or give it the trouble."""
        if self.is_troubled and trouble is Trouble.ENDLESS_HANDSHAKE:
            while await stream.receive_some():
                pass
            return
        secured = trio.SSLStream(
            stream, self._context(trouble), server_side=True, https_compatible=True
        )
        try:
            if self.is_troubled and trouble in _BAD_CERTIFICATES:
                self.unverified += bool(await secured.receive_some())
            else:
                await self._venue.serve(secured)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        finally:
            await trio.aclose_forcefully(secured)

    def _context(self, trouble: Trouble) -> ssl.SSLContext:
        ca, host, until = self._ca, trouble.host, None
        if self.is_troubled and trouble is Trouble.UNKNOWN_CA:
            ca = trustme.CA()
        if self.is_troubled and trouble is Trouble.WRONG_HOST:
            host = "another.test"
        if self.is_troubled and trouble is Trouble.EXPIRED:
            until = _LONG_AGO
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert(host, not_after=until).configure_cert(context)
        return context

    def answer(self, question: bytes) -> bytes | None:
        """What the name server says; None for silence."""
        name, kind = _asked(question)
        trouble = Trouble(name.partition(".")[0])
        if self.is_troubled and trouble is Trouble.RESOLVER_HANGS:
            return None
        code = 0
        if self.is_troubled:
            code = {Trouble.NO_SUCH_NAME: 3, Trouble.NO_ANSWER: 2}.get(trouble, 0)
        return _reply(question, code, has_address=kind == _A and code == 0)


@asynccontextmanager
async def open_front_door(venue: Simulator, directory: Path) -> AsyncIterator[FrontDoor]:
    """Serve names and TLS, without trouble at first."""
    door = FrontDoor(venue, directory)
    async with trio.open_nursery() as nursery:
        names = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        await names.bind((NAME_SERVER, 53))
        nursery.start_soon(_serve_names, door, names)
        for trouble in Trouble:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            door.ports[trouble] = listener.socket.getsockname()[1]
            nursery.start_soon(_serve_clients, door, trouble, listener)
        yield door
        nursery.cancel_scope.cancel()


async def _serve_clients(door: FrontDoor, trouble: Trouble, listener: trio.SocketListener) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await door.serve(trouble, stream)

    await trio.serve_listeners(serve, [listener])


# --- names (RFC 1035) --------------------------------------------------------

_A: Final = 1
_HEADER_BYTES: Final = 12


async def _serve_names(door: FrontDoor, names: trio.socket.SocketType) -> None:
    with names:
        while True:
            question, client = await names.recvfrom(512)
            if (answer := door.answer(question)) is not None:
                await names.sendto(answer, client)


def _asked(question: bytes) -> tuple[str, int]:
    """The name and the kind of record."""
    labels, at = [], _HEADER_BYTES
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode())
        at += 1 + length
    (kind,) = struct.unpack_from("!H", question, at + 1)
    return ".".join(labels).lower(), kind


def _reply(question: bytes, code: int, *, has_address: bool) -> bytes:
    end = question.index(0, _HEADER_BYTES) + 5  # the name's last byte, kind and class
    flags = 0x8180 | code  # an answer, with recursion
    header = question[:2] + struct.pack("!5H", flags, 1, int(has_address), 0, 0)
    address = struct.pack("!3HIH", 0xC00C, _A, 1, 1, 4) + socket.inet_aton("127.0.0.1")
    return header + question[_HEADER_BYTES:end] + (address if has_address else b"")
