"""REST → what it told: after a gap, at the first start, and to compare.

FMEX tells all that a recovery needs: balances, positions, open and closed orders
and the executions of each (`order_history` reads the latter two). What could not
be proven is collected as a doubt, and a single doubt makes the result incomplete.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from adapters.fmex.calls import Calls, Reading
from adapters.fmex.endpoints import ACCOUNTS_PATH, OLD_POSITIONS_PATH, POSITIONS_PATH
from adapters.fmex.frames import (
    AccountRow,
    NotUnderstood,
    Results,
    decode_as,
    decode_position_row,
    instant,
)
from adapters.fmex.instruments import find_instrument
from adapters.fmex.normalise import tell_balance, tell_position
from adapters.fmex.order_history import OrderHistory
from adapters.fmex.refusals import NotFound
from adapters.fmex.venue_clock import VenueClock
from gateway.contracts.adapter import Finds, Known, Purpose, RecoveryPlan, RecoveryResult
from gateway.contracts.told import Told, ToldBalance, ToldPosition, ToldUnrecognized
from gateway.events.model import Position, PositionSide
from gateway.events.numbers import PlainDecimal, is_zero

_DOUBTS_SHOWN: Final = 5


def plan_recovery(
    known: Known, purpose: Purpose, since_ns: int | None, symbols: Sequence[str]
) -> RecoveryPlan:
    """Everything of the configured contracts, and each order known as open. Pure."""
    scope = tuple(symbol.upper() for symbol in symbols)
    in_scope = (
        order_id
        for order_id, order in known.open_orders.items()
        if order.venue_symbol is None or order.venue_symbol.upper() in scope
    )
    return RecoveryPlan(
        purpose=purpose,
        since_ns=since_ns,
        order_ids=tuple(in_scope),
        venue_symbols=scope,
        known=known,
    )


class Recovery:
    """One reading of one account."""

    def __init__(
        self,
        calls: Calls,
        plan: RecoveryPlan,
        finds: Finds,
        *,
        streams: Iterable[str],
        clock: VenueClock,
    ) -> None:
        self._calls = calls
        self._plan = plan
        self._finds = finds
        self._streams = frozenset(streams)
        self._clock = clock
        self._doubts: list[str] = []

    async def run(self) -> RecoveryResult:
        """Read what the plan asks for. Raises a `StreamError` when REST fails."""
        orders = OrderHistory(self._calls, self._plan, self._finds, self._clock, self._doubts)
        if self._plan.purpose is Purpose.ORDER:
            await orders.read_single()
        else:
            # Orders first: a balance that came before its fills would be an older one.
            if "orders" in self._streams:
                await orders.read_all()
            if "positions" in self._streams:
                await self._read_positions()
            if "account" in self._streams:
                await self._read_balances()
        shown = "; ".join(self._doubts[:_DOUBTS_SHOWN])
        more = len(self._doubts) - _DOUBTS_SHOWN
        detail = f"{shown}; and {more} more" if more > 0 else shown
        return RecoveryResult(complete=not self._doubts, detail=detail)

    async def _read_balances(self) -> None:
        reading = await self._calls.read(ACCOUNTS_PATH)
        rows = reading.read_as(dict[str, msgspec.Raw])
        told = [self._balance(currency, row) for currency, row in rows.items()]
        missing = set(self._plan.known.assets) - {currency.upper() for currency in rows}
        self._doubts += [f"FMEX lists no balance of {asset} any more" for asset in sorted(missing)]
        await self._hear([each for each in told if self._matters(each)], reading)

    def _balance(self, currency: str, row: msgspec.Raw) -> Told:
        raw = msgspec.json.encode({currency: row}).decode()
        try:
            parts = decode_as(tuple[msgspec.Raw, msgspec.Raw, msgspec.Raw], row)
            # The answer tells no time: the house compares it with what it knows.
            return tell_balance(AccountRow(currency, *parts), raw, None)
        except NotUnderstood as error:
            return self._misfit(error, raw)

    def _matters(self, told: Told) -> bool:
        """Leave out currencies that were never held."""
        if not isinstance(told, ToldBalance):
            return True
        balance = told.balance
        return not is_zero(balance.total) or balance.asset in self._plan.known.assets

    async def _read_positions(self) -> None:
        try:
            reading = await self._calls.read(POSITIONS_PATH)
        except NotFound:
            reading = await self._calls.read(OLD_POSITIONS_PATH)
        told = [self._position(row) for row in reading.read_as(Results).rows]
        listed = {each.venue_symbol for each in told if isinstance(each, ToldPosition)}
        gone = set(self._plan.known.held_symbols).intersection(self._plan.venue_symbols) - listed
        told += [_closed_position(symbol, reading) for symbol in sorted(gone)]
        await self._hear([each for each in told if self._is_followed(each)], reading)

    def _position(self, row: msgspec.Raw) -> Told:
        raw = str(row, "utf-8")
        try:
            position = decode_position_row(row)
            updated = instant(position.updated_at)
            return tell_position(position, raw, updated=updated, symbol=None)
        except NotUnderstood as error:
            return self._misfit(error, raw)

    def _is_followed(self, told: Told) -> bool:
        """Leave out contracts whose pushes nobody asked for."""
        if not isinstance(told, ToldPosition) or told.venue_symbol is None:
            return True
        return told.venue_symbol.upper() in self._plan.venue_symbols

    def _misfit(self, error: NotUnderstood, raw: str) -> ToldUnrecognized:
        self._doubts.append(f"a row could not be understood ({error.reason})")
        return ToldUnrecognized(reason=error.reason, frame=raw)

    async def _hear(self, told: Sequence[Told], reading: Reading) -> None:
        if told:
            await self._finds.hear(told, reading.received_ns, reading.sent_ns)


def _closed_position(symbol: str, reading: Reading) -> ToldPosition:
    """A position that was held and is no longer listed: FMEX may drop closed ones."""
    instrument = find_instrument(symbol)
    return ToldPosition(
        position=Position(side=PositionSide.FLAT, quantity=PlainDecimal("0")),
        symbol=instrument.symbol if instrument else None,
        venue_symbol=symbol,
        raw=str(reading.data, "utf-8"),
    )
