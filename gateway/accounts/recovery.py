"""Reading REST: for the first snapshot, for gaps, for single orders, and to compare.

One task per account, which does one thing at a time and only while a stream is
live: subscribe first, then read, so that nothing falls between. Live pushes are
journalled meanwhile; the book puts both in their place.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec
import trio

from gateway.accounts import happenings
from gateway.accounts.account import Account
from gateway.accounts.finds import Comparison, Reading
from gateway.contracts.adapter import Purpose, RecoveryPlan, RecoveryResult
from gateway.contracts.told import Told
from gateway.errors import RateLimited, StreamError
from gateway.events.model import Origin, StreamReason
from gateway.events.times import Timestamp, to_nanoseconds
from gateway.wire.backoff import Backoff

GIVE_UP_SECONDS: Final = 600.0
"""While REST fails for longer, the gap is closed with `complete: false`, and tried on."""

RETRY_INITIAL_SECONDS: Final = 1.0
RETRY_MAX_SECONDS: Final = 60.0
RETRY_LEAST_SECONDS: Final = 0.2

ATTEMPT_SECONDS: Final = 900.0
"""One reading, all pages of all pairs included. Each request has its own shorter limit."""

BOUNDS_SLACK_NS: Final = 2 * 10**9
"""How far outside of a gap a find may be stamped: REST cuts times to seconds, and a push
is on its way for a moment. What lies further out shows that the gap was longer."""

GRACE_SECONDS: Final = 5.0
"""What REST tells may still be on its way as a push: only after this is it missing."""

DOUBT_SECONDS: Final = 2.0
"""So long a balance may be in doubt before REST is asked: mostly a push comes to settle it."""

DOUBT_AGAIN_SECONDS: Final = 20.0
"""Between two comparisons for the sake of doubts: a venue that sends all twice makes many."""


Read = Callable[[], Awaitable[None]]
"""One of the readings."""


class Recovery:
    """The reading task of one account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._requested = False
        self._backoff = Backoff(RETRY_INITIAL_SECONDS, RETRY_MAX_SECONDS)
        self._gap_met_at: float | None = None
        """When the open gap was first met with a live stream, by Trio's clock."""
        self._gap_finds: list[Reading] = []
        self._rested_since = 0.0
        """When the last reading ended, by Trio's clock."""
        self._doubtful_since: float | None = None
        self._compared_at = float("-inf")

    def request(self) -> None:
        """Read everything now (`gateway account recover`)."""
        self._requested = True
        self._account.wake_recovery()

    async def run(self) -> None:
        """Do what there is to do, until cancelled."""
        self._rested_since = trio.current_time()
        while True:
            await self._read_while_live(await self._wait_work())
            self._rested_since = trio.current_time()

    async def _read_while_live(self, read: Read) -> None:
        # Apart from `run`, whose variables would keep the nursery until the next reading.
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._cancel_when_deaf, scope)
                await read()
                nursery.cancel_scope.cancel()

    async def _cancel_when_deaf(self, scope: trio.CancelScope) -> None:
        """A reading without a live stream proves nothing: stop it."""
        while self._account.coverage.live_connections:
            await self._account.work_waiting.wait()
        scope.cancel()

    async def _wait_work(self) -> Read:
        """Wait until there is something to read, and a live stream beside it.

        A plain wait, without a task of its own: all but a few accounts are here.
        """
        account = self._account
        while True:
            comparison_at = float("inf")
            if account.coverage.live_connections:
                read = self._due()
                if read is not None:
                    return read
                if account.coverage.gap is None:
                    comparison_at = self._next_comparison()
            with trio.move_on_at(comparison_at) as waiting:
                await account.work_waiting.wait()
            if waiting.cancelled_caught:
                return self._check

    def _next_comparison(self) -> float:
        """When REST is to be compared with the book, by Trio's clock: in doubt soon."""
        seconds = self._account.adapter.check_seconds()
        regular = float("inf") if seconds is None else self._rested_since + seconds
        if not self._account.book.holdings.in_doubt:
            self._doubtful_since = None
            return regular
        if self._doubtful_since is None:
            self._doubtful_since = trio.current_time()
        soon = self._doubtful_since + DOUBT_SECONDS
        return min(regular, max(soon, self._compared_at + DOUBT_AGAIN_SECONDS))

    def _due(self) -> Read | None:
        account = self._account
        gap = account.coverage.gap
        if gap is not None:
            # While the streams that stand are in doubt: subscribe first, then read.
            return None if gap.until_ns is None else self._read_gap
        if not account.coverage.begun:
            return self._read_snapshot
        if account.orders_to_mend:
            return self._mend_orders
        if self._requested:
            self._requested = False
            account.coverage.open_gap(
                StreamReason.REQUESTED, "asked for", since_ns=self._last_agreement_ns()
            )
            happenings.GAP_OPENED.emit(account=account.name, reason=StreamReason.REQUESTED)
            return self._due()
        return None

    # --- the four readings ------------------------------------------------------

    async def _read_snapshot(self) -> None:
        began_ns = self._account.clock.now_ns()
        reading = Reading(self._account, Origin.SNAPSHOT, None)
        result = await self._attempt(Purpose.SNAPSHOT, None, reading)
        if result is not None:
            self._account.coverage.begin()
            self._account.agree(began_ns)
            self._account.show_state()

    async def _read_gap(self) -> None:
        account = self._account
        gap = account.coverage.gap
        assert gap is not None
        if self._gap_met_at is None:
            self._gap_met_at = trio.current_time()
        account.show_state()
        began_ns = account.clock.now_ns()
        # Pushes may have been lost in silence before the gap: only the last agreement
        # of REST is sure, and the next one will look no further back than this reading.
        since_ns = min(gap.since_ns, self._last_agreement_ns())
        reading = Reading(account, Origin.RECOVERY, since_ns)
        self._gap_finds.append(reading)
        result = await self._attempt(Purpose.GAP, since_ns, reading)
        if account.coverage.gap is None:
            return
        if result is not None:
            await self._close_gap(reading, result, since_ns, began_ns)
            account.agree(began_ns)
        elif not gap.given_up and trio.current_time() - self._gap_met_at > GIVE_UP_SECONDS:
            await self._give_up()

    async def _close_gap(
        self, reading: Reading, result: RecoveryResult, since_ns: int, began_ns: int
    ) -> None:
        account = self._account
        recovered = await self._recovered()
        doubts = [result.detail] if result.detail else []
        if reading.uncertain:
            orders = ", ".join(reading.uncertain[:5])
            doubts.append(f"fills before and after the gap cannot be told apart: {orders}")
        complete = result.complete and not reading.uncertain
        gap = account.coverage.gap
        if gap is None:
            return
        if self._is_older(recovered, gap.since_ns):
            account.coverage.date_back(since_ns, "REST told what pushes had not, before the gap")
            gap = account.coverage.gap or gap
        if gap.until_ns is not None and self._is_later(recovered, gap.until_ns):
            # Pushes went on being lost while REST could not be read.
            account.coverage.extend(max(gap.until_ns, began_ns))
            gap = account.coverage.gap or gap
        until_ns = gap.until_ns or account.clock.now_ns()
        account.cells.gap_seconds.inc(max(0, until_ns - gap.since_ns) / 1e9)
        self._settle(
            StreamReason.RECOVERED if complete else StreamReason.PARTLY_UNREADABLE,
            complete=complete,
            recovered=len(recovered),
            detail="; ".join(doubts) or None,
        )
        self._gap_met_at = None
        self._gap_finds.clear()

    async def _give_up(self) -> None:
        self._settle(
            StreamReason.REST_UNAVAILABLE,
            complete=False,
            recovered=len(await self._recovered()),
            detail=f"REST has failed for {GIVE_UP_SECONDS / 60:.0f} minutes; it is tried on",
        )

    def _settle(
        self, reason: StreamReason, *, complete: bool, recovered: int, detail: str | None
    ) -> None:
        account = self._account
        account.coverage.close_gap(reason, complete=complete, recovered=recovered, detail=detail)
        account.cells.gap_closed(complete=complete)
        happening = happenings.GAP_CLOSED if complete else happenings.GAP_UNRECOVERED
        happening.emit(account=account.name, recovered=recovered, detail=detail)
        account.show_state()

    async def _mend_orders(self) -> None:
        account = self._account
        order_ids = tuple(account.orders_to_mend)
        reading = Reading(account, Origin.RECOVERY, None)
        known = account.book.known(account.clock.now_ns())
        plan = RecoveryPlan(purpose=Purpose.ORDER, order_ids=order_ids, known=known)
        result = await self._read(plan, reading)
        if result is not None and result.complete:
            for order_id in order_ids:
                account.orders_to_mend.pop(order_id, None)
            return
        if result is not None or self._backoff.attempts > 3:
            # What single questions cannot answer is a gap like any other.
            account.orders_to_mend.clear()
            account.coverage.open_gap(
                StreamReason.CHECK_DISAGREED,
                "a push told of trades that neither pushes nor REST showed",
                since_ns=self._last_agreement_ns(),
            )
            happenings.GAP_OPENED.emit(account=account.name, reason=StreamReason.CHECK_DISAGREED)

    async def _check(self) -> None:
        """Compare REST with the book; disagreement means that pushes are missing."""
        account = self._account
        began_ns, since_ns = account.clock.now_ns(), self._last_agreement_ns()
        doubts = dict(account.book.holdings.in_doubt)
        self._compared_at = trio.current_time()
        comparison = Comparison(account, since_ns)
        result = await self._attempt(Purpose.CHECK, since_ns, comparison)
        if result is None:
            return
        missing = self._missing(comparison)
        if missing:
            await trio.sleep(GRACE_SECONDS)
            await self._hear_returns(comparison)
            missing = self._missing(comparison)
        account.book.holdings.settle(doubts)
        if not missing:
            # What happened while it was read is the next one's to confirm.
            account.agree(began_ns)
            return
        happenings.CHECK_DISAGREED.emit(account=account.name, rows=len(missing))
        account.coverage.open_gap(
            StreamReason.CHECK_DISAGREED,
            f"REST tells {len(missing)} things that no push told",
            since_ns=self._last_agreement_ns(),
            in_doubt=True,
        )
        happenings.GAP_OPENED.emit(account=account.name, reason=StreamReason.CHECK_DISAGREED)
        account.on_doubt(StreamReason.CHECK_DISAGREED)

    async def _hear_returns(self, comparison: Comparison) -> None:
        """Take what a push had told that looked like a late double: no push is missing."""
        account = self._account
        for told, heard in comparison.rows:
            if account.book.came_back(told):
                now_ns = account.clock.now_ns()
                await account.hear([told], msgspec.structs.replace(heard, now_ns=now_ns))

    def _missing(self, comparison: Comparison) -> list[Told]:
        """What of the rows is news even now, with the pushes that came meanwhile."""
        book, now_ns = self._account.book, self._account.clock.now_ns()
        return [
            each
            for told, heard in comparison.rows
            for each in book.would_be_news([told], msgspec.structs.replace(heard, now_ns=now_ns))
        ]

    # --- one attempt -------------------------------------------------------------

    async def _attempt(
        self, purpose: Purpose, since_ns: int | None, finds: Reading | Comparison
    ) -> RecoveryResult | None:
        account = self._account
        known = account.book.known(account.clock.now_ns())
        plan = account.adapter.plan_recovery(known, purpose, since_ns)
        return await self._read(plan, finds)

    async def _read(self, plan: RecoveryPlan, finds: Reading | Comparison) -> RecoveryResult | None:
        """Read by the plan; None when REST failed, after a pause that grows."""
        account = self._account
        try:
            with trio.fail_after(ATTEMPT_SECONDS):
                result = await account.adapter.recover(plan, finds)
        except (StreamError, trio.TooSlowError) as error:
            delay = self._delay_after(error)
            happenings.RECOVERY_FAILED.emit(
                account=account.name,
                purpose=plan.purpose,
                error=str(error) or f"longer than {ATTEMPT_SECONDS:.0f} s",
                retry_seconds=round(delay, 3),
            )
            await self._count_time(delay)
            return None
        self._backoff.reset()
        return result

    def _delay_after(self, error: Exception) -> float:
        told = error.retry_after_seconds if isinstance(error, RateLimited) else None
        return max(self._backoff.next_delay(), told or 0.0, RETRY_LEAST_SECONDS)

    async def _count_time(self, delay: float) -> None:
        """Wait, but not past the moment at which an unread gap has to be given up."""
        gap = self._account.coverage.gap
        if gap is not None and not gap.given_up and self._gap_met_at is not None:
            left = self._gap_met_at + GIVE_UP_SECONDS - trio.current_time()
            delay = min(delay, max(left, 0.0) + 0.001)
        await trio.sleep(delay)

    async def _recovered(self) -> list[Timestamp | None]:
        """When each find happened, of all attempts to read the open gap."""
        return [at for reading in self._gap_finds for at in await reading.recovered()]

    def _is_older(self, recovered: Iterable[Timestamp | None], gap_since_ns: int) -> bool:
        """Whether a find happened before the gap, beyond what clocks and rounding explain."""
        bound_ns = (self._account.venue_ns(gap_since_ns) or gap_since_ns) - BOUNDS_SLACK_NS
        return any(at is not None and to_nanoseconds(at) < bound_ns for at in recovered)

    def _is_later(self, recovered: Iterable[Timestamp | None], gap_until_ns: int) -> bool:
        """Whether a find happened after the gap's end, beyond what clocks and rounding explain."""
        bound_ns = (self._account.venue_ns(gap_until_ns) or gap_until_ns) + BOUNDS_SLACK_NS
        return any(at is not None and to_nanoseconds(at) > bound_ns for at in recovered)

    def _last_agreement_ns(self) -> int:
        """The last reading that agreed: all that is certain when a subscription is in doubt.

        A later push proves only itself: another topic, or the push before it, may
        have been lost all the same.
        """
        coverage = self._account.coverage
        return coverage.agreed_ns or coverage.life_ns
