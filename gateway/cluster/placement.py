"""Which gateway should own which account: pure, and the same answer everywhere.

Weighted rendezvous hashing with bounded loads. Every account ranks the gateways by a
hash of both names; it goes to the first in its ranking that has room. Nobody's past
is asked, so gateways that see the same members agree without a word, and a gateway
that joins or leaves moves little more than its own share.

The hashes of a hundred thousand accounts take seconds. They are kept: a gateway that
comes costs its own alone, and one that goes none. All is worked out part by part, so
that whoever does it can say meanwhile that it lives.
"""

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

SLACK: Final = 0.1
"""How far above its fair share a gateway may be loaded. Less would move more accounts
when a gateway comes or goes; more would leave some gateways idle."""

PART: Final = 1000
"""Accounts that are looked at in one go: about a millisecond."""

_HASHES: Final = float(2**64)


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What operators asked for; it outlives every gateway."""

    pins: dict[str, str] = msgspec.field(default_factory=dict)
    """Account → the gateway that is to own it, while that one is there."""
    drained: tuple[str, ...] = ()
    """Gateways that are to own nothing, by name, sorted."""

    def with_pin(self, account: str, gateway: str | None) -> "Wishes":
        """The same with this pin, or with None without one."""
        pins = {name: pin for name, pin in self.pins.items() if name != account}
        if gateway is not None:
            pins[account] = gateway
        return msgspec.structs.replace(self, pins=pins)

    def with_drained(self, gateway: str, *, drained: bool) -> "Wishes":
        """The same with this gateway drained, or not."""
        others = {name for name in self.drained if name != gateway}
        kept = others | {gateway} if drained else others
        return msgspec.structs.replace(self, drained=tuple(sorted(kept)))


def place(
    accounts: Iterable[str], gateways: Mapping[str, float], wishes: Wishes, *, ranks: int = 1
) -> dict[str, tuple[str, ...]]:
    """Place accounts for once, in one go (see `Placement.work_out`)."""
    placement = Placement(accounts)
    for _ in placement.work_out(gateways, wishes, ranks=ranks):
        pass
    return placement.placed


class Placement:
    """Who owns which of these accounts, worked out anew for whoever is there."""

    def __init__(self, accounts: Iterable[str]) -> None:
        self._accounts = list(accounts)
        self._is_ordered = False
        self._scores: dict[tuple[str, float], array[float]] = {}
        """What each account, in order, makes of a gateway of that weight."""
        self.placed: dict[str, tuple[str, ...]] = {}
        """By account its owner first, then who would follow, as last worked out."""

    def work_out(
        self, gateways: Mapping[str, float], wishes: Wishes, *, ranks: int = 1
    ) -> Iterator[None]:
        """Place every account, part by part; `placed` tells how once this has come to its end.

        `gateways` are those that live and take accounts, by name, with their weights; so
        many `ranks` of them are told per account. A pin beats room. Nothing is placed
        where there is no gateway.
        """
        there = sorted(one for one in gateways.items() if one[0] not in wishes.drained)
        yield from self._order()
        yield from self._score(there)
        room = _rooms(len(self._accounts), dict(there))
        pins = {account: name for account, name in wishes.pins.items() if name in room}
        for account in self._accounts if pins else ():
            if account in pins:
                room[pins[account]] -= 1  # before all others
        names = [name for name, _ in there]
        placed: dict[str, tuple[str, ...]] = {}
        columns = [self._scores[one] for one in there]
        for account, scores in zip(self._accounts, zip(*columns, strict=True), strict=False):
            if len(placed) % PART == 0:
                yield
            owner = pins.get(account) or _take_room(names, scores, room)
            placed[account] = (owner, *_followers(owner, names, scores, ranks))
        self.placed = placed

    def _order(self) -> Iterator[None]:
        """By hash, so that room goes by no alphabet."""
        if self._is_ordered:
            return
        hashed: list[tuple[float, str]] = []
        for part in self._parts():
            hashed += [(_uniform(account.encode()), account) for account in part]
            yield
        self._accounts = [account for _, account in sorted(hashed)]
        self._is_ordered = True

    def _score(self, gateways: Sequence[tuple[str, float]]) -> Iterator[None]:
        """Exponentially distributed with rate `weight`: the least of them is first by weight."""
        self._scores = {one: known for one, known in self._scores.items() if one in gateways}
        for gateway, weight in gateways:
            if (gateway, weight) in self._scores:
                continue
            scores = array("d")
            beginning = f"{gateway}\0".encode()
            for part in self._parts():
                scores.extend(
                    -math.log(_uniform(beginning + account.encode())) / weight for account in part
                )
                yield
            self._scores[gateway, weight] = scores

    def _parts(self) -> Iterator[Sequence[str]]:
        for first in range(0, len(self._accounts), PART):
            yield self._accounts[first : first + PART]


def _uniform(text: bytes) -> float:
    """A number in (0, 1) that depends on the text alone, on every machine."""
    digest = blake2b(text, digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 0.5) / _HASHES


def _rooms(accounts: int, gateways: Mapping[str, float]) -> dict[str, int]:
    whole = sum(gateways.values())
    return {
        name: math.ceil((1 + SLACK) * accounts * weight / whole)
        for name, weight in gateways.items()
    }


def _take_room(names: Sequence[str], scores: Sequence[float], room: dict[str, int]) -> str:
    """The first in the account's ranking that has room, which is one less then."""
    owner = names[scores.index(min(scores))]
    if room[owner] <= 0:
        # Pins may have filled every room there is: then the first is as good as any.
        owner = next((name for name in _ranked(names, scores) if room[name] > 0), owner)
    room[owner] -= 1
    return owner


def _followers(
    owner: str, names: Sequence[str], scores: Sequence[float], ranks: int
) -> Sequence[str]:
    if ranks == 1:
        return ()
    return [name for name in _ranked(names, scores) if name != owner][: ranks - 1]


def _ranked(names: Sequence[str], scores: Sequence[float]) -> list[str]:
    """Those with the least scores first; names are sorted, and so decide between equals."""
    return [name for _, name in sorted(zip(scores, names, strict=True))]
