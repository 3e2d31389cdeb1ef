"""What stands on the board, and under which keys. Frozen, and no I/O."""

import zlib
from typing import Final, TypeVar

import msgspec

from gateway.cluster.placement import Wishes

LEASE_SECONDS: Final = 4.0
"""How long a gateway counts as alive after it last said so, by the engine's clock. It
must be noticed, taken over and live again within 10 s."""

RENEW_SECONDS: Final = 1.0
"""How often it says so: three may be lost."""

WISHES: Final = "wishes"
OWNERS: Final = "owners"
BOOKS: Final = "books"
LIVES: Final = "lives"

_T = TypeVar("_T")


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway that lives; a kept note under its name."""

    name: str
    session: str
    """Made anew at each start: shows two gateways that use one name."""
    version: str
    weight: float = 1.0
    leaving: bool = False
    """It stops: nothing new, and what it has is to be taken from it."""
    clock_ns: int = 0
    """Its clock as it said so; 0: an earlier version, which does not tell."""


class Ownership(msgspec.Struct, frozen=True, kw_only=True):
    """Who owns an account."""

    epoch: int
    """Grows by one with each change of owner: the fencing token."""
    owner: str
    """Void when no member has that name."""
    successor: str | None = None
    """A gateway that stands by, live, to be handed the account."""
    taken_from: str | None = None
    """The owner that died; None where it was handed over, or is the first."""

    def handed_to(self, gateway: str) -> "Ownership":
        """The next epoch, given by the owner."""
        return Ownership(epoch=self.epoch + 1, owner=gateway)

    def taken_by(self, gateway: str) -> "Ownership":
        """The next epoch, after the owner's death.

        Who took it and could not begin takes it again: from the same one who died.
        """
        dead = self.taken_from if self.owner == gateway and self.taken_from else self.owner
        return Ownership(epoch=self.epoch + 1, owner=gateway, taken_from=dead or None)


class BookCopy(msgspec.Struct, frozen=True, kw_only=True):
    """An account's book, as its owner wrote it down."""

    epoch: int
    seq: int
    """Everything up to here in that owner's journal is in it, and in the shared log."""
    position: int
    """Where in the shared log to look for what came after."""
    rows: dict[str, dict[str, bytes]]
    """By section and key."""


class Lives(msgspec.Struct, frozen=True):
    """The last proof of life of every account that a gateway runs, epoch ns."""

    by_account: dict[str, int]


def owner_key(account: str) -> str:
    """Where an account's ownership stands."""
    return f"{OWNERS}.{account}"


def book_key(account: str) -> str:
    """Where a copy of an account's book stands."""
    return f"{BOOKS}.{account}"


def lives_key(gateway: str) -> str:
    """Where a gateway notes its accounts' proofs of life."""
    return f"{LIVES}.{gateway}"


def encode(note: Member | Ownership | Wishes | Lives) -> bytes:
    """A note for people too: JSON."""
    return msgspec.json.encode(note)


def decode(value: bytes, note_type: type[_T]) -> _T:
    """Read a note."""
    return msgspec.json.decode(value, type=note_type)


def encode_book(book: BookCopy) -> bytes:
    """A book is large: packed."""
    return zlib.compress(msgspec.msgpack.encode(book), level=1)


def decode_book(value: bytes) -> BookCopy:
    """Read a book."""
    return msgspec.msgpack.decode(zlib.decompress(value), type=BookCopy)
