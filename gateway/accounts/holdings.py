"""Balances and positions of one account, as last known.

A push is an event of its own; what REST reads is one only where it differs from
what is known, since REST repeats what is known and lists what is empty.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.accounts.news import Heard, News, Scribe, Source
from gateway.accounts.rows import KnownBalance, KnownPosition, Rows, Section, load_section
from gateway.contracts.told import ToldBalance, ToldPosition
from gateway.events import identity
from gateway.events.identity import Facts
from gateway.events.model import Balance, Kind, Origin, Position, PositionSide
from gateway.events.numbers import compare, is_zero
from gateway.events.times import Timestamp, to_nanoseconds

MILLISECOND_NS: Final = 10**6
"""How finely venues tell the time."""

SUPERSEDED_MAX: Final = 64
"""States of one asset that a venue may tell within one millisecond and repeat later."""

_Key = tuple[Kind, str]
"""A balance by its asset, or a position by the venue's symbol."""


class Holdings:
    """What the account holds."""

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe
        self.balances: dict[str, KnownBalance] = {}
        """By asset, upper case."""
        self.positions: dict[str, KnownPosition] = {}
        """By the venue's symbol."""
        self.in_doubt: dict[_Key, Balance | Position] = {}
        """What a push told once more, after another state of the same millisecond: a late double,
        or the account came back to it. Only the next push or REST shows which."""

    def load(self, rows: Rows) -> None:
        """Take over what an earlier run knew."""
        self.balances = load_section(rows, Section.BALANCE)
        self.positions = load_section(rows, Section.POSITION)

    def held_symbols(self) -> tuple[str, ...]:
        """Contracts with a position that is not flat."""
        return tuple(
            sorted(
                name
                for name, held in self.positions.items()
                if name and held.body.side is not PositionSide.FLAT
            )
        )

    def would_be_news(self, told: ToldBalance | ToldPosition, heard: Heard) -> bool:
        """Tell whether taking this state would make an event."""
        known: KnownBalance | KnownPosition | None
        if isinstance(told, ToldBalance):
            known = self.balances.get(told.balance.asset)
            facts = identity.balance_facts(told.balance, told.venue_time)
            event_id = self._state_id(Kind.BALANCE, facts, told, known, heard)
        else:
            known = self.positions.get(told.venue_symbol or "")
            facts = identity.position_facts(told.position, told.venue_symbol, told.venue_time)
            event_id = self._state_id(Kind.POSITION, facts, told, known, heard)
        return event_id is not None and self._differs_or_matters(told, known, heard)

    def apply_balance(self, told: ToldBalance, heard: Heard, news: News) -> None:
        """Take the balance of an asset."""
        known = self.balances.get(told.balance.asset)
        facts = identity.balance_facts(told.balance, told.venue_time)
        event_id = self._state_id(Kind.BALANCE, facts, told, known, heard)
        if event_id is None or not self._differs_or_matters(told, known, heard):
            news.duplicate += 1
            self._note_repeated(told, facts, known, heard, news)
            return
        self.in_doubt.pop((Kind.BALANCE, told.balance.asset), None)
        self.balances[told.balance.asset] = KnownBalance(
            body=told.balance,
            event_id=event_id,
            venue_time=_newest_time(told, known, heard),
            received_ns=heard.as_of_ns or heard.received_ns,
            superseded=superseded_ids(told.venue_time, known),
            was_read=heard.as_of_ns is not None and told.venue_time is not None,
        )
        asset = told.balance.asset
        self._scribe.change(news, Section.BALANCE, asset, self.balances[asset])
        source = Source(told.raw, told.venue_time)
        self._scribe.emit(news, heard, event_id, told.balance, source)

    def apply_position(self, told: ToldPosition, heard: Heard, news: News) -> None:
        """Take the position in a contract."""
        key = told.venue_symbol or ""
        known = self.positions.get(key)
        facts = identity.position_facts(told.position, told.venue_symbol, told.venue_time)
        event_id = self._state_id(Kind.POSITION, facts, told, known, heard)
        if event_id is None or not self._differs_or_matters(told, known, heard):
            news.duplicate += 1
            self._note_repeated(told, facts, known, heard, news)
            return
        self.in_doubt.pop((Kind.POSITION, key), None)
        self.positions[key] = KnownPosition(
            body=told.position,
            symbol=told.symbol,
            event_id=event_id,
            venue_time=_newest_time(told, known, heard),
            received_ns=heard.as_of_ns or heard.received_ns,
            superseded=superseded_ids(told.venue_time, known),
            was_read=heard.as_of_ns is not None and told.venue_time is not None,
        )
        self._scribe.change(news, Section.POSITION, key, self.positions[key])
        source = Source(told.raw, told.venue_time, told.symbol, told.venue_symbol)
        self._scribe.emit(news, heard, event_id, told.position, source)

    def came_back(self, told: ToldBalance | ToldPosition) -> bool:
        """Whether REST tells what a push had told once more: then it was no late double."""
        key, body = _told(told)
        doubted = self.in_doubt.get(key)
        return doubted is not None and _same_values(body, doubted)

    def settle(self, doubts: Mapping[_Key, Balance | Position]) -> None:
        """REST was compared: what was in doubt before is no longer."""
        for key, body in doubts.items():
            if self.in_doubt.get(key) is body:
                del self.in_doubt[key]

    def _note_repeated(
        self,
        told: ToldBalance | ToldPosition,
        facts: Facts,
        known: KnownBalance | KnownPosition | None,
        heard: Heard,
        news: News,
    ) -> None:
        """Doubt the state where a push repeats one of its predecessors.

        A socket that only lags behind another, or sends all twice, ends with the newest
        state as well, and that ends the doubt.
        """
        if known is None or heard.origin is not Origin.PUSH:
            return
        key, body = _told(told)
        event_id = self._scribe.id_of(body.KIND, facts)
        if event_id in known.superseded:
            self.in_doubt[key] = body
            news.holdings_in_doubt = True
        elif event_id == known.event_id:
            self.in_doubt.pop(key, None)

    def _state_id(
        self,
        kind: Kind,
        facts: Facts,
        told: ToldBalance | ToldPosition,
        known: KnownBalance | KnownPosition | None,
        heard: Heard,
    ) -> str | None:
        """The id of a state, or None where it is older than or the same as the known one."""
        if told.venue_time is None:
            if known is not None and heard.crossed(known.received_ns):
                return None
            facts = identity.replacing(facts, known.event_id if known is not None else None)
        elif known is not None and _is_outdated(told.venue_time, known, heard):
            return None
        event_id = self._scribe.id_of(kind, facts)
        if known is None or (event_id != known.event_id and event_id not in known.superseded):
            return event_id
        if event_id == known.event_id or heard.as_of_ns is None or heard.crossed(known.received_ns):
            # Told before. The journal would drop it, and the book alone would believe it.
            return None
        # Asked for after all that was heard: the account came back to it.
        return self._scribe.id_of(kind, identity.replacing(facts, known.event_id))

    @staticmethod
    def _differs_or_matters(
        told: ToldBalance | ToldPosition,
        known: KnownBalance | KnownPosition | None,
        heard: Heard,
    ) -> bool:
        """Whether a state read by REST is worth an event; a push always is.

        REST repeats what is known and lists what is empty: neither is news.
        """
        if heard.origin is Origin.PUSH:
            return True
        body: Any = told.balance if isinstance(told, ToldBalance) else told.position
        if known is not None:
            return not _same_values(body, known.body)
        return not is_zero(body.total if isinstance(told, ToldBalance) else body.quantity)


def _is_outdated(venue_time: Timestamp, known: KnownBalance | KnownPosition, heard: Heard) -> bool:
    """Whether a state of that time can only be older than the known one.

    REST tells how a millisecond ended that was over when it was asked. Pushes of that same
    millisecond that lay in a full socket meanwhile lead up to it.
    """
    if known.venue_time is None or venue_time > known.venue_time:
        return False
    if venue_time < known.venue_time:
        return True
    over_ns = to_nanoseconds(venue_time) + MILLISECOND_NS
    return heard.as_of_ns is None and known.was_read and over_ns <= known.received_ns


def _newest_time(
    told: ToldBalance | ToldPosition, known: KnownBalance | KnownPosition | None, heard: Heard
) -> Timestamp | None:
    """The time that a later push must reach: what is older comes late.

    A reading without a time leaves it alone, unless it lies in the future: then
    the venue's clock was set back, and may not silence the pushes to come.
    """
    if told.venue_time is not None or known is None or known.venue_time is None:
        return told.venue_time
    return known.venue_time if to_nanoseconds(known.venue_time) <= heard.now_ns else None


def superseded_ids(
    venue_time: Timestamp | None, known: KnownBalance | KnownPosition | None
) -> tuple[str, ...]:
    """Which ids of the newest venue time are no longer the state, once this one is."""
    if known is None or (venue_time is not None and venue_time != known.venue_time):
        return ()
    return (*known.superseded, known.event_id)[-SUPERSEDED_MAX:]


def _told(told: ToldBalance | ToldPosition) -> tuple[_Key, Balance | Position]:
    if isinstance(told, ToldBalance):
        return (Kind.BALANCE, told.balance.asset), told.balance
    return (Kind.POSITION, told.venue_symbol or ""), told.position


_TIMES: Final = frozenset({"updated_time", "reason"})


def _same_values(left: Any, right: Any) -> bool:
    """Equal numbers are equal however they are written; times and causes do not count."""
    for name in left.__struct_fields__:
        mine, other = getattr(left, name), getattr(right, name)
        if mine == other or name in _TIMES:
            continue
        if not isinstance(mine, str) or not isinstance(other, str):
            return False
        if not _same_number(mine, other):
            return False
    return True


def _same_number(left: str, right: str) -> bool:
    try:
        return compare(left, right) == 0  # type: ignore[arg-type]  # words fail, and are unequal
    except ArithmeticError:
        return False
