"""What is not for the shared log: goodbyes, and what a successor's word replaces. Pure."""

from gateway.contracts.sink import Record
from gateway.events.model import Balance, Fill, Kind, Origin, Position, Stream, StreamReason


def is_goodbye(record: Record) -> bool:
    """Whether this only tells this gateway's own sinks that the account goes on elsewhere."""
    if record.kind is not Kind.STREAM:
        return False
    body = record.event().body
    return isinstance(body, Stream) and body.reason is StreamReason.MOVED


def is_void(record: Record, fenced_ns: int) -> bool:
    """Whether its successor's word stands in place of this event.

    What was heard after the successor's fence lies in the gap that it declared, or it heard
    the same; told late it would stand before what it came after.

    The successor derives what follows from two states anew, from where the shared log
    ended, and it alone says how far the account's picture can be trusted. All else was
    told by the venue, and is a fact whoever heard it.
    """
    if record.kind is Kind.STREAM or record.received_ns >= fenced_ns:
        return True
    event = record.event()
    match event.body:
        case Fill():
            return event.body.derived
        case Balance() | Position():
            return event.origin is not Origin.PUSH
        case _:
            return False
