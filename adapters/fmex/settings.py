"""FMEX's own options of an account."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from adapters.fmex.endpoints import REST_URL, SIGN_URL, WEBSOCKET_URL
from gateway.contracts.adapter import DEFAULT_CHECK_SECONDS
from gateway.contracts.values import Seconds, Secret
from gateway.wire.addresses import url_problem

_SYMBOL: Final = re.compile(r"[a-z0-9]+_[a-z0-9]+", re.ASCII)


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """A key pair. Reading rights are enough."""

    api_key: Secret
    """The API key (`FC-ACCESS-KEY`)."""
    secret: Secret
    """The secret that signs; it never leaves this machine."""


class RecoverySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How REST is used beside the stream."""

    every: Seconds = DEFAULT_CHECK_SECONDS
    """How often a quiet account is compared with REST."""


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where to connect."""

    rest: str = REST_URL
    """Base of the REST calls."""
    websocket: str = WEBSOCKET_URL
    """The private stream."""
    sign: str = SIGN_URL
    """The host that signatures name: the venue's own, also behind a mirror or proxy."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The options that an account has because its venue is FMEX."""

    credentials: Credentials
    """The key pair of this account."""
    symbols: tuple[str, ...] = ("btcusd_p",)
    """Contracts to follow, in lower case as the topics name them."""
    recovery: RecoverySettings = RecoverySettings()
    """How REST is used beside the stream."""
    endpoints: Endpoints = Endpoints()
    """Where to connect: another host for a mirror, a test network or the simulator."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Mistakes that types cannot see: the option's path and what is wrong."""
        if not self.symbols:
            yield "symbols", "name at least one contract, for example btcusd_p"
        for symbol in self.symbols:
            if not _SYMBOL.fullmatch(symbol):
                yield "symbols", f"{symbol!r} is no contract; write it as in btcusd_p, lower case"
        if self.recovery.every <= 0:
            yield "recovery.every", "must be longer than nothing, for example 5m"
        yield from _url_problems("endpoints.rest", self.endpoints.rest, "https", "http")
        yield from _url_problems("endpoints.websocket", self.endpoints.websocket, "wss", "ws")
        yield from _url_problems("endpoints.sign", self.endpoints.sign, "https", "http")


def _url_problems(key: str, url: str, *schemes: str) -> Iterator[tuple[str, str]]:
    if problem := url_problem(url, *schemes):
        yield key, problem
