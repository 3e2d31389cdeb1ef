"""Which stretches of time an account's pushes may have been missed in.

One object per account, shared by its connections. It is told when a connection
proves to be alive, comes up or goes down, and answers with `stream` events: a gap
opens when the *last* live connection is lost, and closes when REST has been read
for it. Pure but for the clock's stamps; `record` hands events and rows to the
journal in one step.
"""

from collections.abc import Callable, Sequence

import msgspec

from gateway.accounts.rows import BookChange, Gap, Rows, Section, StreamKey, change, load_stream
from gateway.clock import Clock
from gateway.events import identity
from gateway.events.model import Event, Kind, Origin, Stream, StreamReason, StreamStatus
from gateway.events.times import from_nanoseconds

Record = Callable[[Sequence[Event], Sequence[BookChange]], object]


class Coverage:
    """The account's `stream` events, and the gap that is open, if one is."""

    def __init__(self, account: str, venue: str, *, clock: Clock, record: Record) -> None:
        self._account = account
        self._venue = venue
        self._clock = clock
        self._record = record
        self._counter = 0
        self._live: tuple[int, ...] = ()
        self._saved_life_ns = 0
        self.life_ns = 0
        """The last proof of life, epoch ns; 0 before the first ever."""
        self.agreed_ns: int | None = None
        """When REST last agreed with the book: up to then, nothing is missing."""
        self.gap: Gap | None = None
        self.begun = False
        """True once the first snapshot was read."""
        self._promised = False
        """True once a consumer may have relied on us: a stream was live."""
        self.gaps_opened = 0
        self.gaps_unrecovered = 0

    def load(self, rows: Rows, *, seamless: bool = False) -> None:
        """Take over what an earlier run left, and open the gap that its end left behind.

        `seamless`: it left none, because we have been listening since before its end.
        """
        self._counter = load_stream(rows, StreamKey.COUNTER, int) or 0
        self.gap = load_stream(rows, StreamKey.GAP, Gap)
        self.life_ns = load_stream(rows, StreamKey.LIFE, int) or 0
        self.agreed_ns = load_stream(rows, StreamKey.AGREED, int)
        self._promised = self.begun = bool(load_stream(rows, StreamKey.BEGUN, bool))
        if self.gap is not None:
            # It is open; a stream that was live when the last run ended is no more.
            self.gap = msgspec.structs.replace(self.gap, until_ns=None)
            self.gaps_opened += 1
        elif self.begun and not seamless:
            self.open_gap(StreamReason.GATEWAY_DOWN, "the gateway was not running")

    @property
    def live_connections(self) -> int:
        """How many connections are live now."""
        return len(self._live)

    def prove(self, at_ns: int) -> None:
        """Note a proof of life: a frame, or an answered heartbeat."""
        # The newest proof, not the highest stamp: a clock that was set back would
        # leave a gap that begins in the future.
        self.life_ns = at_ns

    def came_up(self, connection: int) -> bool:
        """A connection is live: what was missed before can be read. True when it is the first.

        A gap that was opened in doubt of the connections that stood ends here too.
        """
        now_ns = self._clock.now_ns()
        first = not self._live
        self._live = (*self._live, connection)
        self._promised = True
        self.prove(now_ns)
        awaited = self.gap is not None and self.gap.until_ns is None
        if first or awaited:
            self.say(StreamStatus.LIVE, StreamReason.SUBSCRIBED)
        if self.gap is not None and (first or awaited):
            self._set_gap(msgspec.structs.replace(self.gap, until_ns=now_ns))
        return first

    def went_down(self, connection: int, reason: StreamReason, detail: str) -> bool:
        """A connection ended. True when it was the last live one: a gap is open now."""
        if connection not in self._live:
            return False
        self._live = tuple(each for each in self._live if each != connection)
        if self._live:
            return False
        self.open_gap(reason, detail)
        return True

    def open_gap(
        self,
        reason: StreamReason,
        detail: str | None = None,
        *,
        since_ns: int | None = None,
        in_doubt: bool = False,
    ) -> None:
        """Declare that pushes may be missed from `since_ns` (default: the last proof of life).

        An open gap stays as it is but for its end: what it will be closed with must
        reach up to the next live stream. `in_doubt` says that those which stand now
        cannot be trusted: it lasts until another is live.
        """
        until_ns = self._clock.now_ns() if self._live and not in_doubt else None
        if self.gap is not None and not self.gap.given_up:
            self._set_gap(msgspec.structs.replace(self.gap, until_ns=until_ns))
            return
        begin_ns = since_ns if since_ns is not None else self.life_ns
        if self.gap is not None:
            # Given up but never filled: the new reading goes back to its beginning.
            begin_ns = min(begin_ns, self.gap.since_ns)
        if not self._promised or not begin_ns:
            return
        self.gaps_opened += 1
        self.gap = Gap(since_ns=begin_ns, reason=reason, until_ns=until_ns)
        self._say_opened(reason, detail)

    def date_back(self, since_ns: int, detail: str) -> None:
        """Say of the open gap that it began earlier: its reading found what is older."""
        assert self.gap is not None
        self.gap = msgspec.structs.replace(self.gap, since_ns=since_ns)
        self._say_opened(StreamReason.CHECK_DISAGREED, detail)

    def extend(self, until_ns: int) -> None:
        """Let the open gap end later: its reading found what came after."""
        assert self.gap is not None
        self._set_gap(msgspec.structs.replace(self.gap, until_ns=until_ns))

    def close_gap(
        self, reason: StreamReason, *, complete: bool, recovered: int, detail: str | None
    ) -> None:
        """Declare what became of the open gap.

        With `complete=False` and reason `rest_unavailable` the gap is only given up:
        it is still read, and a later success closes it once more.
        """
        gap = self.gap
        assert gap is not None
        self.gap = (
            msgspec.structs.replace(gap, given_up=True)
            if reason is StreamReason.REST_UNAVAILABLE
            else None
        )
        if not complete:
            self.gaps_unrecovered += 1
        told = Stream(
            status=StreamStatus.GAP_CLOSED,
            reason=reason,
            since=from_nanoseconds(gap.since_ns),
            until=None if gap.until_ns is None else from_nanoseconds(gap.until_ns),
            recovered=recovered,
            complete=complete,
            detail=detail,
        )
        self._tell(told, self._gap_row())

    def agree(self, at_ns: int) -> None:
        """REST was read, and nothing that happened before `at_ns` is missing."""
        self.agreed_ns = at_ns
        self._record([], [self._row(StreamKey.AGREED, at_ns)])

    def begin(self) -> None:
        """The first snapshot was read: from now on every silence is a gap."""
        self.begun = True
        self._record(
            [], [self._row(StreamKey.BEGUN, True), self._row(StreamKey.LIFE, self.life_ns)]
        )

    def say(
        self,
        status: StreamStatus,
        reason: StreamReason,
        *,
        until_ns: int | None = None,
        detail: str | None = None,
    ) -> None:
        """Record what happened to the stream, where it changes nothing that is kept here."""
        until = None if until_ns is None else from_nanoseconds(until_ns)
        self._tell(Stream(status=status, reason=reason, until=until, detail=detail))

    def life_to_save(self) -> BookChange | None:
        """The row of the last proof of life, if it moved since it was last saved."""
        if self.life_ns == self._saved_life_ns:
            return None
        self._saved_life_ns = self.life_ns
        return self._row(StreamKey.LIFE, self.life_ns)

    def _set_gap(self, gap: Gap) -> None:
        self.gap = gap
        self._record([], [self._gap_row()])

    def _say_opened(self, reason: StreamReason, detail: str | None) -> None:
        assert self.gap is not None
        since = from_nanoseconds(self.gap.since_ns)
        opened = StreamStatus.GAP_OPENED
        told = Stream(status=opened, reason=reason, since=since, detail=detail)
        self._tell(told, self._gap_row())

    def _tell(self, told: Stream, *changes: BookChange) -> None:
        """Record one `stream` event; its persisted number makes its id unique."""
        self._counter += 1
        facts = (told.status.value, told.reason.value, told.since, told.until, str(self._counter))
        event = Event(
            id=identity.digest(self._account, self._venue, Kind.STREAM, facts),
            account=self._account,
            venue=self._venue,
            origin=Origin.GATEWAY,
            received_time=from_nanoseconds(self._clock.now_ns()),
            body=told,
        )
        self._record([event], [self._row(StreamKey.COUNTER, self._counter), *changes])

    def _gap_row(self) -> BookChange:
        return self._row(StreamKey.GAP, self.gap)

    def _row(self, key: StreamKey, value: object) -> BookChange:
        return change(self._account, Section.STREAM, key.value, value)
