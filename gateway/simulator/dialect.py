"""What a venue's dialect is to the simulator, and what the simulator hands to it.

A dialect (``adapters/<venue>/simulator``) knows the exchange: signatures, paths,
frames, ledgers. The engine knows sockets, time, chance and faults. Nothing in a
dialect waits: it answers at once, and the engine decides when and whether the
answer goes out.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl

import msgspec

from gateway.simulator.faults import Faults
from gateway.simulator.scenario import Scenario
from gateway.simulator.truth import Truth


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request."""

    method: str
    path: str
    raw_query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        """The decoded query."""
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The decoded form body."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class SimulatedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Made-up credentials of one account."""

    index: int
    api_key: str
    secret: str


class Push(msgspec.Struct, frozen=True, gc=False):
    """One frame about one account, for whoever subscribed to its topic."""

    account: int
    topic: str
    symbol: str
    text: str
    facts: tuple[int, ...]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine hands to a venue."""

    scenario: Scenario
    rng: random.Random
    """For the market alone, so that a seed always gives the same one."""
    now_ms: Callable[[], int]
    """The venue's own clock, which a fault may set wrong."""
    elapsed: Callable[[], float]
    """Seconds on Trio's clock: for lives of keys and limits of rates."""
    truth: Truth
    faults: Faults
    publish: Callable[[Push], None]


class Peer(Protocol):
    """One WebSocket connection, as a dialect sees it."""

    account: int | None
    """Set by the dialect once it knows who that is."""

    @property
    def number(self) -> int:
        """Counted from 1."""

    @property
    def address(self) -> str:
        """The client's address, for venues that echo it."""

    def say(self, text: str) -> None:
        """Send an answer, unless a fault keeps it."""

    def close(self, code: int, reason: str) -> None:
        """Close in good order, after what was said before."""


class Session(Protocol):
    """What one WebSocket connection means to a dialect."""

    def hear(self, frame: str | bytes) -> None:
        """Take one message of the client."""

    def wants(self, push: Push) -> bool:
        """Tell whether this push is subscribed to."""

    def forget(self) -> None:
        """Lose every subscription, without a word."""

    async def attend(self) -> None:
        """Keep time for this connection (heartbeats, deadlines) until cancelled."""


class Venue(Protocol):
    """One running pretend exchange."""

    accounts: Sequence[SimulatedAccount]
    switches: Any
    """The venue's own struct of switches, as they stand now; the engine may replace it."""

    @property
    def has_stream_keys(self) -> bool:
        """Whether there are keys that `expire_key` and `void_key` could concern."""

    def answer(self, request: Request) -> Reply:
        """Answer a REST request."""

    def reject(self, code: int) -> Reply:
        """The venue's way of refusing a request with one of its codes."""

    def admit(self, request: Request, peer: Peer) -> Session | Reply:
        """Open a session for an upgrade request, or refuse it."""

    def move_market(self, account: int) -> None:
        """Let one thing happen to an account."""

    def expire_keys(self, account: int | None) -> int:
        """Let the stream keys reach the end of their life; gives how many."""

    def void_keys(self, account: int | None) -> int:
        """Destroy the stream keys; gives how many."""

    def load_frames(self, account: int, count: int, states: int) -> list[str]:
        """Frames for a blast: each different, none of them in any ledger.

        `states` successive ones are about the same order.
        """

    def state(self, account: int) -> dict[str, Any]:
        """What the account holds now, in the gateway's words."""

    def configuration(self, name: str, account: int, rest_url: str, websocket_url: str) -> str:
        """The account as it would stand in gateway.yaml."""


class Dialect(Protocol):
    """What `VenueSpec.simulator` names."""

    @property
    def name(self) -> str:
        """The venue's name, as in `venue:`."""

    @property
    def websocket_path(self) -> str:
        """Where streams are upgraded."""

    @property
    def switches(self) -> type[msgspec.Struct]:
        """What the documents leave open: fields with their default, one docstring each."""

    def open(self, stage: Stage) -> Venue:
        """Start a venue. Raises `ConfigurationError` for switches it does not have."""
