"""Which proxy carries a connection: the account's own, the environment's, or none."""

import ipaddress
import urllib.request
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from gateway.errors import ConnectFailed

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class ProxyAddress(msgspec.Struct, frozen=True):
    """A proxy and, maybe, the credentials for it."""

    scheme: str
    """``http`` ``https`` (CONNECT) or ``socks5``; names are resolved by the proxy."""
    host: str
    port: int
    username: str | None = None
    password: str | None = None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    __repr__ = __str__


def parse_proxy(url: str) -> ProxyAddress:
    """Read a proxy's URL. Raises `ValueError` that does not show it, nor its password."""
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError("a proxy is written http://host:port or socks5://host:port")
    return ProxyAddress(
        scheme=parts.scheme.removesuffix("h"),
        host=parts.hostname,
        port=parts.port or _DEFAULT_PORTS[parts.scheme],
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def choose_proxy(host: str, *, secure: bool, configured: str | None) -> ProxyAddress | None:
    """The proxy for a connection to `host`; None when it is to be direct.

    What is configured wins. Else HTTPS_PROXY or HTTP_PROXY, then ALL_PROXY decide
    (lower case first, as in curl), unless NO_PROXY lists the host. A loopback host
    never goes through a proxy of the environment: it would reach the proxy's own.
    """
    url = configured if configured is not None else _from_environment(host, secure=secure)
    if url is None:
        return None
    try:
        return parse_proxy(url)
    except ValueError:
        where = "proxy" if configured is not None else "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY"
        raise ConnectFailed(
            "proxy", f"{where}: write http://host:port or socks5://host:port"
        ) from None


def _from_environment(host: str, *, secure: bool) -> str | None:
    if is_loopback(host):
        return None
    proxies = urllib.request.getproxies_environment()
    if urllib.request.proxy_bypass(host, proxies):
        return None
    url = proxies.get("https" if secure else "http") or proxies.get("all")
    # "proxy.corp:3128" without a scheme is common and means HTTP.
    return url if not url or "://" in url else f"http://{url}"


def is_loopback(host: str) -> bool:
    """True for localhost and the loopback networks."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
