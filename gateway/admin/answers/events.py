"""Events: a page of them, or all that come (Server-Sent Events)."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
import trio

from gateway.admin.house import EventLog
from gateway.admin.messages import Problem, Reply, Request, Streaming, json_reply
from gateway.admin.model import EventPage
from gateway.admin.outbox import Outbox
from gateway.admin.routes import LARGEST, Call, Parameter, Route
from gateway.contracts.sink import Record
from gateway.events.model import Kind

EVENT_STREAM: Final = "text/event-stream"
COMMENT_SECONDS: Final = 15
"""A quiet stream says something this often, so that proxies and readers know it lives."""
BREATH_SECONDS: Final = 0.1
"""A reader gets at most ten pieces a second: with hundreds of them, a wake-up of each
for every commit would leave the loop no time for anything else."""
PAGE_DEFAULT, PAGE_LIMIT = 100, 1000
SCAN_LIMIT: Final = 20_000
"""Events that one request looks through for those that its filters want."""
_STEP: Final = 256

_KINDS: Final = "|".join(Kind)
_FILTERS: Final = (
    Parameter(name="account", meaning="Only these accounts, separated by commas"),
    Parameter(
        name="kind",
        meaning=f"Only these kinds, separated by commas: {', '.join(Kind)}",
        schema={"type": "string", "pattern": f"^(({_KINDS})(,({_KINDS}))*)?$"},
    ),
)
_SINCE: Final[dict[str, Any]] = {"type": "integer", "minimum": 0, "maximum": LARGEST}


class Filter(msgspec.Struct, frozen=True):
    """Which events a reader wants; None is all."""

    accounts: frozenset[str] | None
    kinds: frozenset[str] | None

    def wants(self, record: Record) -> bool:
        """Whether the reader is to see this event."""
        return (self.accounts is None or record.account in self.accounts) and (
            self.kinds is None or record.kind in self.kinds
        )


class EventAnswers:
    """`/api/v1/events` and `/events`."""

    def __init__(self, journal: EventLog) -> None:
        self._journal = journal

    def routes(self) -> list[Route]:
        """What this answers."""
        limit = {"type": "integer", "minimum": 1, "maximum": PAGE_LIMIT, "default": PAGE_DEFAULT}
        return [
            Route(
                method="GET",
                path="/api/v1/events",
                summary="Events after `since_seq`; go on with `next_seq` until it is `last_seq`",
                answer=self._page,
                gives=EventPage,
                parameters=(
                    Parameter(name="since_seq", meaning="Exclusive; 0 if absent", schema=_SINCE),
                    Parameter(name="limit", meaning="At most so many", schema=limit),
                    *_FILTERS,
                ),
                problems=(HTTPStatus.BAD_REQUEST,),
            ),
            Route(
                method="GET",
                path="/events",
                summary="Events as they come; `Last-Event-ID` resumes without hole or repeat",
                answer=self._follow,
                gives=EVENT_STREAM,
                parameters=(
                    Parameter(
                        name="since_seq",
                        meaning="Where to begin without `Last-Event-ID`; from now if absent",
                        schema=_SINCE,
                    ),
                    *_FILTERS,
                ),
                problems=(HTTPStatus.BAD_REQUEST,),
            ),
        ]

    async def _page(self, call: Call) -> Reply:
        wanted = _filter(call)
        limit = call.integer("limit", PAGE_DEFAULT, low=1, high=PAGE_LIMIT)
        since = next_seq = call.integer("since_seq", 0)
        events: list[msgspec.Raw] = []
        while len(events) < limit and next_seq - since < SCAN_LIMIT:
            records = await self._journal.read(next_seq, _STEP)
            if not records:
                break
            for record in records:
                next_seq = record.seq
                if wanted.wants(record):
                    events.append(msgspec.Raw(record.native(include_raw=False)))
                    if len(events) == limit:
                        break
        return json_reply(
            EventPage(
                events=events,
                next_seq=next_seq,
                first_seq=self._journal.first_seq,
                last_seq=self._journal.last_seq,
                epoch=self._journal.epoch,
            )
        )

    async def _follow(self, call: Call) -> Streaming:
        cursor = _last_event_id(call.request)
        if cursor is None:
            cursor = call.integer("since_seq", self._journal.last_seq)
        follower = _Follower(self._journal, _filter(call), cursor)
        return Streaming(content_type=EVENT_STREAM, produce=follower.run)


class _Follower:
    """One reader of `/events`. Its place is `cursor`; the journal is its queue."""

    def __init__(self, journal: EventLog, wanted: Filter, cursor: int) -> None:
        self._journal = journal
        self._wanted = wanted
        self._cursor = cursor
        self._told = cursor
        self._comment_at = 0.0

    async def run(self, outbox: Outbox) -> None:
        """Send events until cancelled."""
        await self._say(outbox, f": journal {self._journal.epoch}\n\n".encode())
        await self._check_place(outbox)
        while True:
            records = await self._journal.read(self._cursor, _STEP)
            if records:
                await self._send(outbox, records)
                if len(records) < _STEP:  # it has caught up
                    await trio.sleep(BREATH_SECONDS)
            if trio.current_time() >= self._comment_at:
                await self._say(outbox, self._sign_of_life())
            if not records:
                with trio.move_on_at(self._comment_at):
                    await self._journal.wait_past(self._cursor)

    async def _check_place(self, outbox: Outbox) -> None:
        # A place that this journal has not reached is a place in another journal:
        # ours was begun anew, and all of it is news to this reader.
        before_first = self._journal.first_seq - 1
        if not before_first <= self._cursor <= self._journal.last_seq:
            self._cursor = before_first
            await self._say(outbox, self._truncated())

    async def _send(self, outbox: Outbox, records: Sequence[Record]) -> None:
        # `seq` has no holes, so a jump means that retention has been here.
        if records[0].seq > self._cursor + 1:
            await self._say(outbox, self._truncated())
        lines = [
            b"id: %d\nevent: %b\ndata: %b\n\n"
            % (record.seq, record.kind.encode(), record.native(include_raw=False))
            for record in records
            if self._wanted.wants(record)
        ]
        self._cursor = records[-1].seq
        if lines:
            self._told = self._cursor
            await self._say(outbox, b"".join(lines))

    async def _say(self, outbox: Outbox, data: bytes) -> None:
        await outbox.put(data)
        self._comment_at = trio.current_time() + COMMENT_SECONDS

    def _truncated(self) -> bytes:
        about = {"first_seq": self._journal.first_seq, "epoch": self._journal.epoch}
        return b"event: truncated\ndata: %b\n\n" % msgspec.json.encode(about)

    def _sign_of_life(self) -> bytes:
        if self._told == self._cursor:
            return b": alive\n\n"
        # Much may have passed that the filters left out. The id moves the reader's
        # place, so that it does not resume from where nothing is left to resume.
        self._told = self._cursor
        return b": alive\nid: %d\n\n" % self._cursor


def _filter(call: Call) -> Filter:
    kinds = call.words("kind")
    for kind in kinds or ():
        if kind not in tuple(Kind):
            raise Problem(
                HTTPStatus.BAD_REQUEST,
                f"kind: there is no kind {kind[:40]!r}",
                todo=f"One or more of {', '.join(Kind)}, separated by commas.",
            )
    return Filter(call.words("account"), kinds)


def _last_event_id(request: Request) -> int | None:
    text = request.headers.get("last-event-id", "")
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    raise Problem(HTTPStatus.BAD_REQUEST, "Last-Event-ID: expected the seq of an event")
