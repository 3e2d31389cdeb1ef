"""What `gateway.yaml` may say about an LBank account, beside what every account may say."""

import re
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from adapters.lbank import endpoints
from gateway.contracts.adapter import DEFAULT_CHECK_SECONDS
from gateway.contracts.values import Seconds, Secret
from gateway.wire.addresses import url_problem

Signature = Literal["hmac-sha256", "rsa", "md5"]
ApiVersion = Literal["v2", "v1"]

_PAIR: Final = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)+", re.ASCII)
_SIGNATURES: Final[dict[ApiVersion, tuple[Signature, ...]]] = {
    "v2": ("hmac-sha256", "rsa"),
    "v1": ("rsa", "md5"),
}


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """An API key pair, as created on LBank's API page."""

    api_key: Secret
    """The API key."""
    secret: Secret
    """The secret key. For `rsa`: the private key, Base64 (PKCS#8), with or without PEM lines."""
    signature: Signature = "hmac-sha256"
    """How requests are signed: the method chosen when the key was created."""


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """How the state is read by REST."""

    pairs: tuple[str, ...] = ()
    """Pairs always read after a gap, beside those seen; LBank cannot be asked for all pairs."""
    every: Seconds = DEFAULT_CHECK_SECONDS
    """How often the state is compared by REST though nothing seems wrong."""


class StreamKey(msgspec.Struct, frozen=True, kw_only=True):
    """The stream key (subscribeKey) that a subscription needs."""

    life: Seconds = Seconds(endpoints.KEY_LIFE_SECONDS)
    """How long LBank keeps a key that nobody refreshes."""
    refresh: Seconds = Seconds(endpoints.KEY_REFRESH_SECONDS)
    """At what age it is refreshed."""
    destroy: bool = False
    """Close the key at shutdown. It is not known whether that cuts other streams of the account."""


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where LBank is reached."""

    rest: str = endpoints.REST_URL
    """Root of the REST interface."""
    websocket: str = endpoints.WEBSOCKET_URL
    """Address of the socket, trailing slash included."""
    api: ApiVersion = "v2"
    """Version of the REST interface; `v1` is the one of 2019."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of an LBank account."""

    credentials: Credentials
    """The API key pair; permission to read is enough as far as is known."""
    pairs: Literal["all"] | tuple[str, ...] = "all"
    """Pairs to follow, as LBank writes them (`eth_btc`), or `all`."""
    recovery: Recovery = Recovery()
    """How the state is read by REST after a gap and without one."""
    key: StreamKey = StreamKey()
    """Life of the stream key."""
    endpoints: Endpoints = Endpoints()
    """Where LBank is reached."""

    @property
    def listed_pairs(self) -> tuple[str, ...]:
        """The pairs named one by one; none for `all`."""
        return () if self.pairs == "all" else self.pairs

    def problems(self) -> Iterator[tuple[str, str]]:
        """Mistakes that only show in several values together: (key, what to do)."""
        yield from _pair_problems("pairs", self.listed_pairs)
        if self.pairs == ():
            yield "pairs", "names no pair; write all, or the pairs to follow"
        yield from _pair_problems("recovery.pairs", self.recovery.pairs)
        yield from self._key_problems()
        allowed = _SIGNATURES[self.endpoints.api]
        if self.credentials.signature not in allowed:
            yield (
                "credentials.signature",
                f"API {self.endpoints.api} takes {' or '.join(allowed)}",
            )
        yield from _url_problems("endpoints.rest", self.endpoints.rest, "https", "http")
        yield from _url_problems("endpoints.websocket", self.endpoints.websocket, "wss", "ws")

    def _key_problems(self) -> Iterator[tuple[str, str]]:
        if self.recovery.every <= 0:
            yield "recovery.every", "must be longer than 0s"
        if self.key.refresh <= 0:
            yield "key.refresh", "must be longer than 0s"
        elif self.key.refresh >= self.key.life:
            yield "key.refresh", "must be shorter than key.life, or every key lapses"


def _pair_problems(key: str, pairs: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for index, pair in enumerate(pairs):
        if not _PAIR.fullmatch(pair):
            yield f"{key}[{index}]", f"{pair!r} is no pair as LBank writes it, for example eth_btc"


def _url_problems(key: str, url: str, *schemes: str) -> Iterator[tuple[str, str]]:
    if problem := url_problem(url, *schemes):
        yield key, problem
