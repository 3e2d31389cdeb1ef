"""The board: what a cluster asks of the engine that its gateways share.

Small notes under keys, each write numbered by the engine. A note is written by
compare-and-set, so two gateways can never both believe to have written it; a *kept*
note goes away by itself when its gateway no longer says it, by the engine's clock.
Two further things belong to the engine: the shared log of events, and the fence that
keeps a former owner out of it.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.contracts.sink import Item, Verdict
from gateway.errors import GatewayError


class BoardUnavailable(GatewayError):
    """The engine cannot be reached, or has no quorum. Nothing is taken or given meanwhile."""


class BoardForgot(BoardUnavailable):
    """What was acknowledged may be gone: everything that was read has to be read again."""


class Note(msgspec.Struct, frozen=True):
    """What stands under a key."""

    key: str
    value: bytes
    revision: int
    """Grows with every write to any key that begins as this one does, up to the first dot."""


class Logged(msgspec.Struct, frozen=True):
    """One event of the shared log."""

    epoch: int
    """Of the ownership under which it was made."""
    seq: int
    """Its place in that owner's journal."""
    body: bytes
    """The native event, `raw` included."""


class Board(Protocol):
    """Notes. Everything raises `BoardUnavailable` when the engine does not answer."""

    async def keep(self, key: str, value: bytes) -> None:
        """Say a kept note again: it stands for another `LEASE_SECONDS` from now."""

    async def let_go(self, key: str) -> None:
        """Take a kept note away before its time."""

    async def kept(self) -> dict[str, bytes]:
        """All kept notes that stand.

        Raises `BoardForgot`, once, where another server may have taken the engine's place.
        """

    async def read(self, key: str) -> Note | None:
        """What the last write left, whoever wrote it and wherever."""

    async def news(self, prefix: str, after: int) -> Sequence[Note]:
        """Notes under ``prefix.`` that were written after that revision, oldest first."""

    async def write(self, key: str, value: bytes, revision: int) -> int | None:
        """Write where the note still has this revision (0: where there is none).

        Gives the new revision, or None: somebody else wrote before.
        """


class Epochs(Protocol):
    """Under which ownership an event was made; each gateway knows its own."""

    def epoch_of(self, account: str, seq: int) -> int | None:
        """The epoch in which this gateway owned the account then; None where it did not."""

    def pass_over(self, account: str, event_id: str) -> None:
        """Note that the log does not take this event: the successor's word stands for it."""


class Log(Protocol):
    """The shared log: each fact once, in order per account."""

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """As a sink does (`gateway.contracts.sink`)."""

    async def fence(self, account: str, epoch: int, at_ns: int) -> bool:
        """Let no earlier epoch write in order any more; what it wrote until now stands.

        `at_ns` is when the epoch begins: what an earlier owner heard later is void.
        False where a later epoch has written: this one is a former one itself.
        """

    async def last_position(self, account: str) -> int:
        """Where the account's last message stands; 0 where there is none."""

    async def read(self, account: str, after: int) -> Sequence[Logged]:
        """The account's events behind that position, in order, without late ones."""


class Engine(msgspec.Struct, frozen=True):
    """An open engine."""

    board: Board
    log: Log
