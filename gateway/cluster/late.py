"""What a former owner may still tell once another owns the account. Pure."""

from gateway.contracts.sink import Record
from gateway.events.model import Balance, Fill, Kind, Origin, Position


def is_void(record: Record) -> bool:
    """Whether its successor's word stands in place of this event.

    The successor derives what follows from two states anew, from where the shared log
    ended, and it alone says how far the account's picture can be trusted. All else was
    told by the venue, and is a fact whoever heard it.
    """
    if record.kind is Kind.STREAM:
        return True
    event = record.event()
    match event.body:
        case Fill():
            return event.body.derived
        case Balance() | Position():
            return event.origin is not Origin.PUSH
        case _:
            return False
