"""What the API answers with: frozen structs, encoded as they stand.

The first half is the model of `gateway status --json`.
"""

from typing import Annotated, Final

import msgspec

from gateway.accounts.status import AccountStatus
from gateway.cluster.status import ClusterStatus
from gateway.delivery.status import SinkStatus
from gateway.events.model import Balance, Kind, Order, Position, StreamReason
from gateway.events.times import Timestamp, to_datetime
from gateway.journal.records import JournalStatus

EXAMPLE_TIME: Final = "2026-11-02T08:00:00Z"

Seq = Annotated[int, msgspec.Meta(ge=0)]
"""A place in the journal."""

TimeText = Annotated[Timestamp, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""An instant in a request: RFC 3339, of any precision and zone."""


class GatewayStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The process."""

    name: str
    version: str
    started: Timestamp
    ready: bool


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Everything at a glance."""

    gateway: GatewayStatus
    accounts: dict[str, AccountStatus]
    sinks: dict[str, SinkStatus]
    journal: JournalStatus
    cluster: ClusterStatus | None = None
    """The gateways that share the accounts; None for one that has them all."""


class HeldPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position as the gateway knows it now."""

    symbol: str | None
    venue_symbol: str | None
    position: Position


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that is not final, as the gateway knows it now."""

    symbol: str | None
    venue_symbol: str | None
    order: Order


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """One account: what it holds, and how far that picture can be trusted."""

    account: str
    stream: AccountStatus
    """The picture is whole while `stream.gaps.open` is 0 and the gateway lives."""
    balances: tuple[Balance, ...]
    positions: tuple[HeldPosition, ...]
    open_orders: tuple[OpenOrder, ...]


class GapSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which pushes of an account may have been missed."""

    account: str
    since: Timestamp
    until: Timestamp | None = None
    """None while the gap is open."""
    reason: StreamReason
    complete: bool | None = None
    """True: all was found by REST. False: something may be missing. None: still open."""
    recovered: int | None = None


class GapList(msgspec.Struct, frozen=True, kw_only=True):
    """Gaps of the last 24 hours."""

    gaps: tuple[GapSpan, ...]
    whole: bool
    """False when there are more events in that time than were looked at."""


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events after `since_seq`, oldest first."""

    events: list[msgspec.Raw]
    next_seq: int
    """Ask again with `since_seq` set to this."""
    first_seq: int
    """Oldest event that the journal still has."""
    last_seq: int
    epoch: str
    """Names the journal: another epoch, another numbering."""


class ReloadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a reload did."""

    ok: bool
    message: str
    """A sentence for a person; the mistakes, one a line, when it failed."""
    added: tuple[str, ...] = ()
    """Addresses such as `account:lbank-main` or `sink:desk`."""
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """An order of an operator that was carried out."""

    message: str
    count: int | None = None
    """How many events it concerned, where it concerned events."""


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of a health probe."""

    ok: bool
    reason: str
    """In words: why not, or that all is well."""


class LetterView(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter: an event that a sink refused for good."""

    number: int
    sink: str
    seq: int
    event_id: str
    kind: Kind
    account: str
    symbol: str | None
    reason: str
    excerpt: str
    """The beginning of what the sink answered."""
    attempts: int
    first_try: Timestamp
    last_try: Timestamp
    event: msgspec.Raw | None = None
    """The event itself; only where one letter is asked for."""


class LetterPage(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters in order of their numbers."""

    dead_letters: tuple[LetterView, ...]
    next_after: int | None
    """Ask again with `after` set to this; None at the end."""


class LetterChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters an order is about: these numbers, those of a sink, or (``{}``) all."""

    sink: str | None = None
    numbers: tuple[int, ...] | None = None


class PinOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an account is to be."""

    gateway: str | None
    """A gateway of the cluster; null takes the pin away."""


class ReplayOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of the journal to send again, with the same ids."""

    start: Seq | TimeText = msgspec.field(name="from")
    """A seq, or a time (by `received_time`); inclusive."""
    end: Seq | TimeText | None = msgspec.field(name="to", default=None)
    """Inclusive; the newest event when left out."""
    dry_run: bool = False
    """Count only."""

    def __post_init__(self) -> None:
        """Refuse what is neither a seq nor a time."""
        for name, bound in (("from", self.start), ("to", self.end)):
            if isinstance(bound, str) and not _is_time(bound):
                raise ValueError(f"`{name}`: expected a seq, or a time such as {EXAMPLE_TIME}")


def _is_time(text: str) -> bool:
    try:
        return to_datetime(Timestamp(text)).tzinfo is not None
    except ValueError:
        return False


class ProblemView(msgspec.Struct, frozen=True, kw_only=True):
    """An error, after RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    """What was wrong, and where."""
    todo: str | None = None
    """What to do about it."""
