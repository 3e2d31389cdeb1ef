"""The truth: what the pretend exchange really did, whatever its streams told.

Facts are written in the gateway's words, straight from the ledgers, so that a
test can compare them with what a consumer holds. Each push notes which facts it
carried to which connection, and what became of it on the way.
"""

from collections import deque
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

import msgspec

MAX_FACTS: Final = 500_000
"""Oldest facts are forgotten beyond this, so that a simulator may run for weeks."""

Told = str | int | bool | None


class FactKind(StrEnum):
    """As the gateway's event kinds of the same name."""

    ORDER = "order"
    FILL = "fill"
    BALANCE = "balance"
    POSITION = "position"


class Fate(StrEnum):
    """What became of one push on one connection."""

    SENT = "sent"
    DELAYED = "delayed"
    REORDERED = "reordered"
    DUPLICATED = "duplicated"
    LOST = "lost"
    """Taken away by a fault."""


class Fact(msgspec.Struct, frozen=True, gc=False):
    """One thing that happened to one account."""

    number: int
    account: int
    kind: FactKind
    key: str
    """Order id, trade id, asset or symbol."""
    time_ms: int
    """By the venue's clock."""
    told: dict[str, Told]
    streamed: bool = True
    """False for a state that this venue's streams pass over in silence."""


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """One push of some facts to one connection."""

    facts: tuple[int, ...]
    connection: int
    fate: Fate
    at_seconds: float
    """Since the simulator started."""


class Truth:
    """The log of facts and deliveries, oldest first."""

    def __init__(self) -> None:
        self.facts: deque[Fact] = deque(maxlen=MAX_FACTS)
        self.deliveries: deque[Delivery] = deque(maxlen=MAX_FACTS)
        self._next = 1

    def record(
        self,
        account: int,
        kind: FactKind,
        key: str,
        time_ms: int,
        told: dict[str, Told],
        *,
        streamed: bool = True,
    ) -> int:
        """Write down a fact and give its number."""
        number = self._next
        self._next += 1
        self.facts.append(Fact(number, account, kind, key, time_ms, told, streamed))
        return number

    def note_delivery(
        self, facts: tuple[int, ...], connection: int, fate: Fate, at_seconds: float
    ) -> None:
        """Write down what became of a push."""
        self.deliveries.append(Delivery(facts, connection, fate, at_seconds))

    def of(self, account: int, kind: FactKind | None = None) -> list[Fact]:
        """The facts of one account, of one kind if asked."""
        return [
            fact
            for fact in self.facts
            if fact.account == account and (kind is None or fact.kind == kind)
        ]

    def last(self, account: int, kind: FactKind) -> dict[str, Fact]:
        """The newest fact per order, asset or symbol."""
        return {fact.key: fact for fact in self.of(account, kind)}

    def report(self, after: int, account: int | None) -> dict[str, Any]:
        """What `GET /_sim/truth` tells."""
        facts = [fact for fact in self.facts if fact.number > after]
        wanted = [fact for fact in facts if account is None or fact.account == account]
        return {
            "facts": wanted,
            "deliveries": _about(self.deliveries, {fact.number for fact in wanted}),
            "last": self._next - 1,
        }


def _about(deliveries: Iterable[Delivery], numbers: set[int]) -> list[Delivery]:
    return [delivery for delivery in deliveries if not numbers.isdisjoint(delivery.facts)]
