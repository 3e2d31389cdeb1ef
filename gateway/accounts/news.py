"""What a report is, as the book hears it, and what it adds.

`Heard` and `News` are the two ends of the book; the `Scribe` puts an account's
name to events and rows, so that the parts of the book only say what is new.
"""

from typing import Any

import msgspec

from gateway.accounts.rows import BookChange, Section, change
from gateway.events import identity
from gateway.events.identity import Facts
from gateway.events.model import Body, Event, Kind, Origin
from gateway.events.times import Timestamp, from_nanoseconds
from gateway.telemetry.redaction import Redactor


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """The circumstances of a report."""

    origin: Origin
    received_ns: int
    as_of_ns: int | None = None
    """For REST: when the request was sent. None for a push."""
    now_ns: int = 0
    """For REST: when the book is asked; pushes may have come since the answer was read."""
    since_ns: int | None = None
    """For a recovery: only what happened after this, by the venue's clock, is news."""

    def crossed(self, known_ns: int) -> bool:
        """Tell whether something received then may be newer than this REST answer.

        It came between question and answer. A stamp from the future, left by a clock
        that was set back, proves nothing and must not silence REST until then.
        """
        return self.as_of_ns is not None and self.as_of_ns <= known_ns <= self.now_ns


class News(msgspec.Struct, kw_only=True):
    """What a report added."""

    events: list[Event] = msgspec.field(default_factory=list)
    changes: list[BookChange] = msgspec.field(default_factory=list)
    stale: int = 0
    duplicate: int = 0
    trades_missing: list[str] = msgspec.field(default_factory=list)
    """Orders whose trades must be asked by REST."""
    uncertain: list[str] = msgspec.field(default_factory=list)
    """Orders first seen by a recovery whose fills before and after the gap cannot be told apart."""
    holdings_in_doubt: bool = False
    """A state was told once more, and only REST can show whether the account came back to it."""
    unrecognized: list[str] = msgspec.field(default_factory=list)
    """Reasons, one per frame not understood."""
    unknown_words: int = 0


class Source(msgspec.Struct, frozen=True, gc=False):
    """What an event says about where it comes from."""

    raw: str
    venue_time: Timestamp | None = None
    symbol: str | None = None
    venue_symbol: str | None = None


class Scribe:
    """Writes events and rows in the name of one account."""

    def __init__(self, account: str, venue: str, redactor: Redactor) -> None:
        self._account = account
        self._venue = venue
        self.redactor = redactor

    def id_of(self, kind: Kind, facts: Facts) -> str:
        """The id of an event with these facts."""
        return identity.digest(self._account, self._venue, kind, facts)

    def change(self, news: News, section: Section, key: str, value: Any) -> None:
        """Write a row, or delete it with None."""
        news.changes.append(change(self._account, section, key, value))

    def emit(self, news: News, heard: Heard, event_id: str, body: Body, source: Source) -> None:
        """Write an event."""
        news.events.append(
            Event(
                id=event_id,
                account=self._account,
                venue=self._venue,
                symbol=source.symbol,
                venue_symbol=source.venue_symbol,
                origin=heard.origin,
                venue_time=source.venue_time,
                received_time=from_nanoseconds(heard.received_ns),
                body=body,
                raw=self.redactor.redact(source.raw),
            )
        )
