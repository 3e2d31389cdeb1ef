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

_SECOND_NS: Final = 1_000_000_000
_UNITS: Final = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def headline(status: Status, now_ns: int) -> str:
    """Which gateway, for how long, and its journal."""
    gateway, journal = status.gateway, status.journal
    state = "ready" if gateway.ready else "not ready"
    return (
        f"{gateway.name} {gateway.version}, up {span(gateway.started, now_ns)}, {state};"
        f" journal {journal.first_seq:,} to {journal.last_seq:,},"
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
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


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
