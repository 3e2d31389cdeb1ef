"""One account while it runs: what its connections and its recovery share.

`Account` joins the pure parts (book, coverage) with the journal, in single steps
that no cancellation can cut in two: wait for room first, then take the reports
into the book and hand events and rows over at once.
"""

from collections.abc import Callable, Sequence

import trio

from gateway.accounts import happenings
from gateway.accounts.book import Book
from gateway.accounts.coverage import Coverage
from gateway.accounts.news import Heard, News
from gateway.accounts.rows import BookChange
from gateway.accounts.standby import StandBy
from gateway.accounts.status import AccountCells, AccountState, AccountStatus, GapCounts
from gateway.clock import Clock
from gateway.contracts.adapter import (
    Adapter,
    AdapterContext,
    Commons,
    ConfiguredAccount,
    ConnectGate,
    RequestGate,
)
from gateway.contracts.told import Told
from gateway.events.model import Event, StreamReason, StreamStatus
from gateway.events.times import Timestamp, from_nanoseconds
from gateway.journal import Journal, Ticket
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.redaction import REDACTOR, Redactor


class PatientGate:
    """The connect gate, as one account sees it: waiting for a turn is not being slow.

    A thousand accounts of one host wait for minutes; the time limit of a session
    that is being opened stands still meanwhile.
    """

    def __init__(self, gate: ConnectGate) -> None:
        self._gate = gate
        self.limits: frozenset[trio.CancelScope] = frozenset()
        """Of the sessions that are being opened."""

    async def wait_turn(self, host: str, per_second: float) -> None:
        """See `gateway.contracts.adapter.ConnectGate`."""
        left = {scope: scope.deadline - trio.current_time() for scope in self.limits}
        for scope in left:
            scope.deadline = float("inf")
        try:
            await self._gate.wait_turn(host, per_second)
        finally:
            for scope in self.limits.intersection(left):  # the others are live meanwhile
                scope.deadline = trio.current_time() + left[scope]


class Account:
    """State and journal access of one configured account."""

    def __init__(
        self,
        configured: ConfiguredAccount,
        *,
        journal: Journal,
        clock: Clock,
        metrics: Metrics,
        connect_gate: ConnectGate,
        request_gate: RequestGate,
        commons: Commons,
        standby: StandBy | None = None,
    ) -> None:
        self.configured = configured
        self.standby = standby
        """Not None while it only listens, and its book is not its own yet."""
        self.name = configured.name
        self.clock = clock
        self.cells = AccountCells(metrics, self.name)
        self._metrics = metrics
        self._journal = journal
        redactor = Redactor(REDACTOR)
        self.gate = PatientGate(connect_gate)
        self.adapter: Adapter = configured.spec.open(
            configured.settings,
            AdapterContext(
                account=self.name,
                options=configured.options,
                clock=clock,
                metrics=metrics,
                redactor=redactor,
                connect_gate=self.gate,
                request_gate=request_gate,
                commons=commons,
            ),
        )
        venue = configured.spec.name
        self.book = Book(self.name, venue, reconcile=self.adapter.reconcile, redactor=redactor)
        self.coverage = Coverage(self.name, venue, clock=clock, record=self.record)
        self.orders_to_mend: dict[str, None] = {}
        """Orders whose trades REST must tell, oldest first."""
        self.on_doubt: Callable[[StreamReason], None] = _ignore
        """What to do when the streams are in doubt: the supervisor replaces them."""
        self.work_waiting = trio.Event()
        """Set whenever recovery may have something to do."""
        self.reconnects = 0
        self._events = 0
        self._last_frame_ns = 0
        self._last_event_ns = 0
        self.is_suspended = False
        self._state = AccountState.CONNECTING
        self._state_since = from_nanoseconds(clock.now_ns())
        self.detail: str | None = None

    async def load(self) -> None:
        """Take over what earlier runs knew."""
        rows = await self._journal.load_book(self.name)
        self.book.load(rows)
        self.coverage.load(rows)

    async def admit(self, *, seamless: bool) -> None:
        """Stand by no longer: the book in the journal is ours; take what was held into it."""
        standby = self.standby
        assert standby is not None
        rows = await self._journal.load_book(self.name)
        self.book.load(rows)
        self.coverage.load(rows, seamless=seamless)
        standby.is_over = True
        for number in list(standby.connections):
            self.came_up(number)
        while standby.held:
            await self.hear(*standby.held.popleft())
        self.standby = None

    # --- reports in ----------------------------------------------------------

    async def hear(self, told: Sequence[Told], heard: Heard) -> tuple[News, Ticket]:
        """Take reports into the book and hand what is new to the journal."""
        if not self._journal.has_room:
            began = trio.current_time()
            await self._journal.wait_room()
            self.cells.append_wait.inc(trio.current_time() - began)
        news = self.book.apply(told, heard)
        ticket = self.record(news.events, news.changes)
        self._count(news)
        return news, ticket

    def record(self, events: Sequence[Event], changes: Sequence[BookChange]) -> Ticket:
        """Hand events and changed rows to the journal, as one step."""
        if events:
            self._events += len(events)
            self._last_event_ns = self.clock.now_ns()
        return self._journal.append_nowait(events, changes)

    def frames_read(self, count: int, received_ns: int) -> None:
        """Note that frames arrived."""
        self._last_frame_ns = received_ns
        self.cells.frames.inc(count)
        self.coverage.prove(received_ns)

    def agree(self, at_ns: int) -> None:
        """REST was read, and nothing that happened before `at_ns` is missing."""
        self.coverage.agree(at_ns)
        self.book.agreed_ns = at_ns

    def venue_ns(self, at_ns: int | None) -> int | None:
        """An instant of our clock by the venue's, for comparing with what it stamped."""
        offset = self.adapter.clock_offset_seconds()
        if at_ns is None or offset is None:
            return at_ns
        return at_ns + int(offset * 1e9)

    def _count(self, news: News) -> None:
        self.cells.stale.inc(news.stale)
        self.cells.duplicates.inc(news.duplicate)
        for reason in news.unrecognized:
            self.cells.unrecognized(reason).inc()
            happenings.UNRECOGNIZED.emit(account=self.name, reason=reason)
        if news.unknown_words:
            self._metrics.cell("gateway_unknown_words", self.name).inc(news.unknown_words)
            happenings.UNKNOWN_WORD.emit(account=self.name)
        if news.trades_missing:
            self.orders_to_mend.update(dict.fromkeys(news.trades_missing))
        if news.trades_missing or news.holdings_in_doubt:
            self.wake_recovery()

    # --- stream state ----------------------------------------------------------

    def came_up(self, connection: int) -> None:
        """A connection is live."""
        if self.standby is not None and not self.standby.is_over:
            self.standby.came_up(connection, self.clock.now_ns())
            return
        happenings.LIVE.emit(account=self.name, connection=connection)
        self.coverage.came_up(connection)
        self.detail = None
        self.is_suspended = False
        self.show_state()
        self.wake_recovery()

    def went_down(self, connection: int, reason: StreamReason, detail: str) -> None:
        """A connection that was live is no more."""
        if self.standby is not None:
            self.standby.went_down(connection)
        if self.coverage.went_down(connection, reason, detail):
            happenings.GAP_OPENED.emit(account=self.name, reason=reason)
        self.detail = detail
        self.show_state()
        self.wake_recovery()

    def suspend(self, detail: str) -> None:
        """The venue refused the credentials and no connection is left. Said once."""
        self.detail = detail
        if self.standby is None and not self.is_suspended:
            self.is_suspended = True
            self.coverage.say(StreamStatus.SUSPENDED, StreamReason.LOGIN_REFUSED, detail=detail)

    def wake_recovery(self) -> None:
        """Let the recovery look at what there is to do."""
        self.work_waiting.set()
        self.work_waiting = trio.Event()

    def show_state(self, resting: AccountState | None = None) -> None:
        """Work the state out; `resting` is what to show while nothing is live."""
        if self.coverage.live_connections:
            gap = self.coverage.gap
            open_gap = gap is not None and not gap.given_up
            state = AccountState.RECOVERING if open_gap else AccountState.LIVE
        else:
            state = resting or AccountState.CONNECTING
        if state is not self._state:
            self._state = state
            self._state_since = from_nanoseconds(self.clock.now_ns())
        self.cells.show_state(state)
        self.cells.gap_open.set(self.coverage.gap is not None)

    # --- for people and metrics ------------------------------------------------

    def status(self) -> AccountStatus:
        """The model of `gateway status`."""
        coverage = self.coverage
        return AccountStatus(
            venue=self.configured.spec.name,
            state=self._state,
            since=self._state_since,
            last_frame=_stamp(self._last_frame_ns),
            last_event=_stamp(self._last_event_ns),
            last_proof_of_life=_stamp(coverage.life_ns),
            last_agreement=_stamp(coverage.agreed_ns),
            connections=coverage.live_connections,
            key_expires=_stamp(self.adapter.key_expires_ns()),
            gaps=GapCounts(
                open=int(coverage.gap is not None),
                total=coverage.gaps_opened,
                unrecovered=coverage.gaps_unrecovered,
            ),
            reconnects=self.reconnects,
            events=self._events,
            detail=self.detail,
        )

    def update_gauges(self) -> None:
        """Set what is only read at a scrape."""
        self.cells.last_frame.set(self._last_frame_ns / 1e9)
        self.cells.last_life.set(self.coverage.life_ns / 1e9)
        expires_ns = self.adapter.key_expires_ns()
        if expires_ns is not None:
            self.cells.key_expires.set(expires_ns / 1e9)
        offset = self.adapter.clock_offset_seconds()
        if offset is not None:
            self.cells.clock_offset.set(offset)


def _stamp(at_ns: int | None) -> Timestamp | None:
    return from_nanoseconds(at_ns) if at_ns else None


def _ignore(_reason: StreamReason) -> None:
    """Until a supervisor takes the account, nobody acts on doubts."""
