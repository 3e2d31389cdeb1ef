"""The cluster as one gateway sees it, and what follows from that: pure.

Every gateway decides for itself, from the same notes by the same rules; where two look
at different moments, compare-and-set lets one of them through.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec

from gateway.cluster.notes import Member, Ownership
from gateway.cluster.placement import Placement, Wishes


class Owned(msgspec.Struct, frozen=True):
    """An ownership, and the revision to write it against."""

    ownership: Ownership
    revision: int


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What stands on the board."""

    members: Mapping[str, Member]
    """Those who live, by name."""
    owners: Mapping[str, Owned]
    """By account; an owner who is no member is dead."""
    wishes: Wishes = Wishes()
    is_steady: bool = True
    """We have had our own lease for as long as a lease lasts. Until then others may be silent
    for the reason for which we were: a restart of all at once, or of the engine."""

    @property
    def takers(self) -> dict[str, float]:
        """Gateways that take accounts, with their weights."""
        return {name: one.weight for name, one in self.members.items() if not one.leaving}


class Presence(StrEnum):
    """How an account is present in this gateway."""

    ABSENT = "absent"
    STANDING_BY = "standing_by"
    """Connecting, not live yet."""
    READY = "ready"
    """Standing by, and live."""
    RUNNING = "running"


class Act(StrEnum):
    """What to do about one account."""

    RUN = "run"
    """It is ours: run it."""
    TAKE = "take"
    """Nobody has it: make it ours."""
    STAND_BY = "stand_by"
    """Connect and listen, to be handed the account or to follow its owner."""
    ASK = "ask"
    """We are live: ask its owner to hand it over."""
    WITHDRAW = "withdraw"
    """We have asked for what should not be ours any more: say so before we stop listening."""
    ADMIT = "admit"
    """It was handed to us while we stood by."""
    HAND_OVER = "hand_over"
    """Its successor is live: let go of it."""
    GIVE_UP = "give_up"
    """It belongs to somebody else, or to nobody: have nothing to do with it."""


class Plan:
    """Who should own what, worked out anew only where something it depends on has changed."""

    def __init__(self, me: str, *, replicas: int = 1) -> None:
        self._me = me
        self._replicas = replicas
        self.mine: frozenset[str] = frozenset()
        """What is this gateway's to own, or to listen to beside its owner."""
        self._accounts: frozenset[str] = frozenset()
        self._placement = Placement(())
        self._made_of: tuple[frozenset[str], dict[str, float], Wishes] | None = None

    def renew(self, accounts: frozenset[str], view: View) -> Iterator[None]:
        """Let it fit what is there, part by part; with many accounts it takes a while."""
        made_of = (accounts, view.takers, view.wishes)
        if made_of == self._made_of:
            return
        if accounts != self._accounts:
            self._accounts, self._placement = accounts, Placement(accounts)
        yield from self._placement.work_out(view.takers, view.wishes, ranks=self._replicas)
        self.mine = frozenset(name for name, ranked in self.placed.items() if self._me in ranked)
        self._made_of = made_of

    @property
    def placed(self) -> Mapping[str, tuple[str, ...]]:
        """By account: its owner first, then who listens beside it."""
        return self._placement.placed


def decide(
    me: str,
    view: View,
    placed: Mapping[str, tuple[str, ...]],
    presences: Mapping[str, Presence],
) -> Iterator[tuple[str, Act]]:
    """What there is to do now, account by account; nothing where all is as it should be.

    `presences` names the accounts that are configured and enabled; who is placed elsewhere,
    is another's and absent here may be left out.
    """
    for account, presence in presences.items():
        act = _decide_one(me, view, placed.get(account, ()), account, presence)
        if act is not None and (view.is_steady or _is_about_mine(act, presence)):
            yield account, act


def _is_about_mine(act: Act, presence: Presence) -> bool:
    """What follows from the account's own note, whoever else is there."""
    return act in (Act.RUN, Act.ADMIT) or (act is Act.GIVE_UP and presence is Presence.RUNNING)


def _decide_one(
    me: str, view: View, wanted: tuple[str, ...], account: str, presence: Presence
) -> Act | None:
    owned = view.owners.get(account)
    if owned is not None and owned.ownership.owner == me:
        return _of_mine(view, wanted, owned.ownership, presence)
    if presence is Presence.RUNNING:
        return Act.GIVE_UP if owned is not None else Act.TAKE
    if me not in wanted:
        return _of_others(me, owned, presence)
    is_first = wanted[0] == me
    if owned is None or owned.ownership.owner not in view.members:
        return Act.TAKE if is_first else None
    if presence is Presence.ABSENT:
        return Act.STAND_BY
    asks = is_first and presence is Presence.READY and owned.ownership.successor != me
    return Act.ASK if asks else None


def _of_others(me: str, owned: Owned | None, presence: Presence) -> Act | None:
    if presence is Presence.ABSENT:
        return None
    asked = owned is not None and owned.ownership.successor == me
    return Act.WITHDRAW if asked else Act.GIVE_UP


def _of_mine(
    view: View, wanted: tuple[str, ...], ownership: Ownership, presence: Presence
) -> Act | None:
    match presence:
        case Presence.ABSENT:
            return Act.RUN
        case Presence.STANDING_BY | Presence.READY:
            return Act.ADMIT
    successor = ownership.successor
    if successor in view.members and wanted[:1] == (successor,):
        return Act.HAND_OVER
    return None
