"""A status as rows of text, for `gateway status` and `gateway top`."""

from collections.abc import Sequence
from typing import Final

from gateway.accounts.status import AccountStatus
from gateway.admin.model import Status
from gateway.delivery.status import SinkStatus
from gateway.events.times import Timestamp, to_nanoseconds

ACCOUNT_COLUMNS: Final = (
    "ACCOUNT", "VENUE", "STATE", "FOR", "HEARD", "LAST EVENT", "KEY LEFT", "GAPS", "RECONNECTS",
    "EVENTS",
)  # fmt: skip
SINK_COLUMNS: Final = (
    "SINK", "TYPE", "STATE", "PENDING", "DELIVERED", "FILTERED", "DROPPED", "DEAD LETTERS",
)  # fmt: skip

EXPENDABLE: Final = ("RECONNECTS", "VENUE", "FILTERED", "LAST EVENT", "FOR", "TYPE", "EVENTS")
"""What a narrow terminal can do without, least important first."""

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
"""A header and its rows."""

_SECOND_NS: Final = 1_000_000_000
_UNITS: Final = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def headline(status: Status, now_ns: int) -> str:
    """Which gateway, for how long, and its journal."""
    gateway, journal = status.gateway, status.journal
    state = "ready" if gateway.ready else "not ready"
    held = f"{journal.first_seq:,} to {journal.last_seq:,}"
    return (
        f"{gateway.name} {gateway.version}, up {span(gateway.started, now_ns)}, {state};"
        f" journal {held if journal.last_seq >= journal.first_seq else 'empty'},"
        f" {size(journal.bytes)}, {size(journal.free_bytes)} free"
    )


def account_row(name: str, account: AccountStatus, now_ns: int) -> tuple[str, ...]:
    """One account, in the order of `ACCOUNT_COLUMNS`."""
    gaps = account.gaps
    shown = f"{gaps.open} open, {gaps.total} in all" if gaps.open else f"{gaps.total}"
    if gaps.unrecovered:
        shown += f", {gaps.unrecovered} unproven"
    return (
        name,
        account.venue,
        account.state.replace("_", " "),
        span(account.since, now_ns),
        ago(account.last_proof_of_life, now_ns),
        ago(account.last_event, now_ns),
        left(account.key_expires, now_ns),
        shown,
        f"{account.reconnects:,}",
        f"{account.events:,}",
    )


def sink_row(name: str, sink: SinkStatus) -> tuple[str, ...]:
    """One sink, in the order of `SINK_COLUMNS`."""
    counts = (sink.pending, sink.delivered, sink.filtered, sink.dropped, sink.dead_letters)
    return (name, sink.type, sink.state, *(f"{count:,}" for count in counts))


def align(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with columns as wide as their widest cell."""
    widths = _widths(header, rows)
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]


def fit(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Table:
    """The table without expendable columns, as far as it takes to fit into `width`."""
    for name in EXPENDABLE:
        widths = _widths(header, rows)
        if sum(widths) + 2 * len(widths) <= width:
            break
        if name in header:
            gone = header.index(name)
            header = [cell for at, cell in enumerate(header) if at != gone]
            rows = [[cell for at, cell in enumerate(row) if at != gone] for row in rows]
    return header, rows


def _widths(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]


def span(since: Timestamp, now_ns: int) -> str:
    """How long it has been, in its two largest units: ``3 h 12 min``."""
    return _duration(max(0, now_ns - to_nanoseconds(since)) // _SECOND_NS)


def ago(when: Timestamp | None, now_ns: int) -> str:
    """How long ago, or that it never was."""
    return "never" if when is None else f"{span(when, now_ns)} ago"


def left(until: Timestamp | None, now_ns: int) -> str:
    """How much time is left."""
    if until is None:
        return "-"
    seconds = (to_nanoseconds(until) - now_ns) // _SECOND_NS
    return _duration(seconds) if seconds > 0 else "expired"


def size(count: int) -> str:
    """Bytes with a unit: ``73.0 MiB``."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def _duration(seconds: int) -> str:
    for place, (unit, length) in enumerate(_UNITS):
        if seconds >= length:
            text = f"{seconds // length} {unit}"
            smaller = _UNITS[place + 1 : place + 2]
            rest = seconds % length // smaller[0][1] if smaller else 0
            return f"{text} {rest} {smaller[0][0]}" if rest else text
    return "0 s"
