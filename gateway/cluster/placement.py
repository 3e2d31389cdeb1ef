"""Which gateway should own which account: pure, and the same answer everywhere.

Weighted rendezvous hashing with bounded loads. Every account ranks the gateways by a
hash of both names; it goes to the first in its ranking that has room. Nobody's past
is asked, so gateways that see the same members agree without a word, and a gateway
that joins or leaves moves little more than its own share.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

SLACK: Final = 0.1
"""How far above its fair share a gateway may be loaded. Less would move more accounts
when a gateway comes or goes; more would leave some gateways idle."""

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
    accounts: Iterable[str], gateways: Mapping[str, float], wishes: Wishes
) -> dict[str, tuple[str, ...]]:
    """Rank the owners of each account: its owner first, then who would follow.

    `gateways` are those that live and take accounts, by name, with their weights. A
    pin beats room. The result is empty where there is no gateway.
    """
    open_to_all = {name: weight for name, weight in gateways.items() if name not in wishes.drained}
    if not open_to_all:
        return {}
    rankings = {account: _ranked(account, open_to_all) for account in accounts}
    room = _rooms(len(rankings), open_to_all)
    placed: dict[str, tuple[str, ...]] = {}
    for account in _pinned_first(rankings, wishes.pins, open_to_all):
        ranking = rankings[account]
        pin = wishes.pins.get(account)
        owner = pin if pin in open_to_all else _first_with_room(ranking, room)
        assert owner is not None
        room[owner] -= 1
        placed[account] = (owner, *(name for name in ranking if name != owner))
    return placed


def _ranked(account: str, gateways: Mapping[str, float]) -> list[str]:
    return sorted(gateways, key=lambda name: (_score(account, name, gateways[name]), name))


def _score(account: str, gateway: str, weight: float) -> float:
    """Exponentially distributed with rate `weight`: the least of them is first by weight."""
    return -math.log(_uniform(f"{gateway}\0{account}")) / weight


def _uniform(text: str) -> float:
    """A number in (0, 1) that depends on the text alone, on every machine."""
    digest = blake2b(text.encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 0.5) / _HASHES


def _rooms(accounts: int, gateways: Mapping[str, float]) -> dict[str, int]:
    whole = sum(gateways.values())
    return {
        name: math.ceil((1 + SLACK) * accounts * weight / whole)
        for name, weight in gateways.items()
    }


def _pinned_first(
    accounts: Iterable[str], pins: Mapping[str, str], gateways: Mapping[str, float]
) -> list[str]:
    """Pins take their room first; then by hash, so that no name is favoured by the alphabet."""
    return sorted(
        accounts, key=lambda account: (pins.get(account) not in gateways, _uniform(account))
    )


def _first_with_room(ranking: Sequence[str], room: Mapping[str, int]) -> str:
    # Pins may have filled every room there is: then the first in the ranking is as good as any.
    return next((name for name in ranking if room[name] > 0), ranking[0])
