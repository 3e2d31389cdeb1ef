"""Options of a webhook, and where its URL leads."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from gateway.contracts.values import Secret
from gateway.wire.addresses import Address
from gateway.wire.proxies import parse_proxy

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e\t]*", re.ASCII)
_OURS: Final = frozenset(
    {
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    }
)


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a `webhook` sink."""

    url: str | Secret
    """Where to POST, `https://…`; a secret where the address itself gives access."""
    secrets: tuple[Secret, ...] = ()
    """Signing keys (Standard Webhooks), `whsec_` and Base64; several while one is changed."""
    mode: Literal["single", "batch"] = "single"
    """`single`: one event per request; `batch`: a JSON array of up to `batch.events`."""
    headers: dict[str, str | Secret] = {}
    """Sent with every request, such as `authorization`."""
    ca_file: Path | None = None
    """Trust the certificates in this PEM file, instead of those that the system trusts."""
    proxy: str | None = None
    """`http://…` or `socks5://…`; by default HTTPS_PROXY and NO_PROXY."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Mistakes that no type shows: the key, and what is wrong with it."""
        if isinstance(self.url, str):
            yield from (("url", problem) for problem in _url_problems(self.url))
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(name):
                yield f"headers.{name}", "not a name of an HTTP header"
            elif name.lower() in _OURS:
                yield f"headers.{name}", "the gateway itself sets this header"
            elif isinstance(value, str) and not _HEADER_VALUE.fullmatch(value):
                yield f"headers.{name}", "only printable ASCII can stand in a header"
        if self.proxy is not None:
            try:
                parse_proxy(self.proxy)
            except ValueError as error:
                yield "proxy", str(error)


class Target(msgspec.Struct, frozen=True):
    """Where a URL leads."""

    origin: str
    """``https://host:port``."""
    address: Address


def parse_url(url: str) -> Target:
    """Read an HTTP URL. Raises `ValueError` that does not show it."""
    problem = next(_url_problems(url), None)
    if problem is not None:
        raise ValueError(problem)
    parts = urlsplit(url)
    assert parts.hostname is not None  # looked at above
    secure = parts.scheme == "https"
    address = Address(
        host=parts.hostname,
        port=parts.port or (443 if secure else 80),
        secure=secure,
        resource=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )
    return Target(f"{parts.scheme}://{address.host_header}", address)


def _url_problems(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it is what checks it
    except ValueError:
        yield "not a URL: look at the host and the port"
        return
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        yield "write https://HOST/PATH (or http:// inside your own network)"
    elif parts.username is not None:
        yield "no user name here: write `headers: {authorization: {env: NAME}}`"
    elif not all("!" <= character <= "~" for character in url):
        yield "percent-encode what is not printable ASCII"
