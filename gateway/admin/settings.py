"""The `http` section: where the gateway listens, and who may ask."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

import msgspec

from gateway.contracts.values import Secret

_UNIX: Final = "unix:"


class TcpAddress(msgspec.Struct, frozen=True):
    """A host and a port; port 0 lets the system choose one."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """True when only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


class UnixAddress(msgspec.Struct, frozen=True):
    """A socket in the file system."""

    path: str

    @property
    def loopback(self) -> bool:
        """A unix socket never leaves the machine."""
        return True


Address = TcpAddress | UnixAddress


def parse_listen(text: str) -> Address:
    """Read ``127.0.0.1:8780``, ``[::1]:8780`` or ``unix:/run/gateway/http.sock``.

    Raises `ValueError` with a sentence for a person.
    """
    if text.startswith(_UNIX):
        path = text.removeprefix(_UNIX)
        if not path.startswith("/"):
            raise ValueError(
                "a unix socket needs an absolute path, as in unix:/run/gateway/http.sock"
            )
        return UnixAddress(path)
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host or (":" in host and not text.startswith("[")):
        raise ValueError("expected HOST:PORT, [IPV6]:PORT or unix:/PATH")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise ValueError("the port is a number from 0 to 65535")
    return TcpAddress(host, int(port))


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate that the HTTP server shows."""

    certificate: str
    """Path of the certificate chain, PEM."""
    key: str
    """Path of its private key, PEM."""


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where health, metrics, status and events are served."""

    listen: str | None = "127.0.0.1:8780"
    """``HOST:PORT``, ``[IPV6]:PORT``, ``unix:/PATH``, or null for none."""
    token: Secret | None = None
    """What a client shows as bearer token; required off loopback."""
    tls: TlsSettings | None = None
    """Serve HTTPS with this certificate."""
    hosts: tuple[str, ...] = ()
    """Further names under which it is reached: of DNS, of a reverse proxy."""

    @property
    def address(self) -> Address | None:
        """`listen`, parsed."""
        return None if self.listen is None else parse_listen(self.listen)

    def problems(self) -> Iterator[tuple[str, str]]:
        """What types cannot say: the form of `listen`, and a token off loopback."""
        try:
            address = self.address
        except ValueError as error:
            yield "listen", str(error)
            return
        if address is not None and not address.loopback and self.token is None:
            yield "listen", "off loopback a token is required: add token: {file: PATH}"
