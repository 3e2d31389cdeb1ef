"""How a sink is doing, as `status` tells it."""

from enum import StrEnum

import msgspec

from gateway.events.times import Timestamp, from_nanoseconds
from gateway.journal import Journal, SinkPosition


class SinkState(StrEnum):
    """What a sink's worker is doing."""

    RUNNING = "running"
    RETRYING = "retrying"
    """The last attempt failed; events wait."""
    PAUSED = "paused"
    """Somebody asked for it; events wait."""
    STOPPED = "stopped"
    """Disabled, removed, or the gateway is stopping."""


class SinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One sink in `status`; recorded = delivered + filtered + dropped + dead_letters + pending."""

    type: str
    state: SinkState
    delivered_seq: int
    """The last seq that is settled."""
    recorded: int
    """Events journalled since the sink's cursor started."""
    delivered: int
    filtered: int
    dropped: int
    dead_letters: int
    """Held now."""
    pending: int
    replayed: int
    """Sent again on request; counted apart."""
    last_error: str | None = None
    last_error_at: Timestamp | None = None
    retry_at: Timestamp | None = None
    """When the next attempt begins, while it waits for that."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a status that is not counted."""

    state: SinkState
    last_error: str | None = None
    last_error_ns: int | None = None
    retry_ns: int | None = None


def status_of(position: SinkPosition, journal: Journal, health: Health) -> SinkStatus:
    """The status of a sink that was last seen at `position`.

    Retention may have given up events since: a sink that is down or paused learns of
    that when it goes on, who asks for its status learns of it now.
    """
    lost = max(0, journal.first_seq - 1 - position.cursor)
    cursor, last_seq = position.cursor + lost, journal.last_seq
    return SinkStatus(
        type=position.type,
        state=health.state,
        delivered_seq=cursor,
        recorded=last_seq - position.start_seq,
        delivered=position.delivered,
        filtered=position.filtered,
        dropped=position.dropped + lost,
        dead_letters=position.dead_letters,
        pending=last_seq - cursor,
        replayed=position.replayed,
        last_error=health.last_error,
        last_error_at=_stamp(health.last_error_ns),
        retry_at=_stamp(health.retry_ns),
    )


def _stamp(at_ns: int | None) -> Timestamp | None:
    return None if at_ns is None else from_nanoseconds(at_ns)
