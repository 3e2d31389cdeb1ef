"""The shared log in a table: in order per account, each event once.

An account's row in `cluster_heads` says how far its log is and which epoch is its newest.
Whoever writes locks that row first, so positions become visible in their order, and an
epoch is compared in the transaction that writes: what a paused or cut-off owner still has
in its buffers is refused its place by the server, and goes in as late.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

import msgspec
import psycopg
from psycopg import errors

from gateway.cluster.board import Epochs, Logged
from gateway.cluster.late import is_goodbye, is_void
from gateway.cluster.postgres.connection import Line
from gateway.contracts.sink import ACCEPTED, Item, Refused, Verdict
from gateway.events.times import from_nanoseconds
from gateway.sinks.postgres.connection import Connection, said_by
from gateway.sinks.postgres.database import ABOUT_THE_ROW
from gateway.sinks.postgres.inserts import text_of

PAUSE_LIMIT: Final = timedelta(seconds=1.5)
"""A gateway that is paused inside a transaction loses its locks after this, so that its
successor can set its fence."""

PAGE: Final = 1000
"""Events read with one question."""

# The first statement of a transaction, before anything is locked.
_LIMIT_PAUSES: Final = "SELECT set_config('idle_in_transaction_session_timeout', %s, true)"
_ADD_HEADS: Final = """
    INSERT INTO cluster_heads (account, position, epoch)
    SELECT account, 0, 0 FROM unnest(%s::text[]) AS account ORDER BY account
    ON CONFLICT (account) DO NOTHING
"""
# Always in the same order, so that two gateways never wait for each other.
_LOCK_HEADS: Final = """
    SELECT account, position, epoch FROM cluster_heads
    WHERE account = ANY(%s) ORDER BY account FOR UPDATE
"""
_NOW: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_MOVE_HEADS: Final = """
    UPDATE cluster_heads AS head SET position = moved.position, epoch = moved.epoch
    FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS moved(account, position, epoch)
    WHERE head.account = moved.account
"""
_HELD: Final = "SELECT id FROM cluster_log WHERE id = ANY(%s)"
# One statement for a batch: the server would take three times as long for one a row.
_ADD: Final = """
    INSERT INTO cluster_log
    (account, position, epoch, seq, late_for, id, kind, received_time, event)
    SELECT account, position, epoch, seq, late_for, id, kind, received_time, event
    FROM json_to_recordset(%s) AS told(
        account text, position bigint, epoch bigint, seq bigint, late_for bigint,
        id text, kind text, received_time timestamptz, event json
    )
"""
_ADD_FENCE: Final = """
    INSERT INTO cluster_fences (account, epoch, begins_ns) VALUES (%s, %s, %s)
    ON CONFLICT DO NOTHING
"""
_FENCED: Final = """
    SELECT begins_ns FROM cluster_fences WHERE account = %s AND epoch > %s ORDER BY epoch LIMIT 1
"""
_POSITION: Final = "SELECT position FROM cluster_heads WHERE account = %s"
_READ: Final = """
    SELECT position, epoch, seq, event::text FROM cluster_log
    WHERE account = %s AND position > %s AND late_for IS NULL ORDER BY position LIMIT %s
"""


class Head(msgspec.Struct):
    """How far an account's log is."""

    position: int
    epoch: int


class Row(msgspec.Struct, frozen=True):
    """A row of `cluster_log`."""

    account: str
    position: int
    epoch: int
    seq: int
    late_for: int | None
    id: str
    kind: str
    received_time: str
    event: msgspec.Raw


class PostgresLog:
    """Implements `gateway.cluster.board.Log`."""

    def __init__(self, notes: Line, events: Line, epochs: Epochs) -> None:
        self._notes = notes
        self._events = events
        self._epochs = epochs

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """See the contract."""
        ours = [(item, self._epoch_of(item)) for item in items]
        refused = await self._events.ask(
            lambda connection: _tell_all(
                connection, [(item, e) for item, e in ours if e], self._epochs
            )
        )
        return [refused.get(item.record.id, ACCEPTED) for item in items]

    async def fence(self, account: str, epoch: int, at_ns: int) -> bool:
        """See the contract."""

        def fence(connection: Connection) -> bool:
            with connection.transaction():
                heads = lock_heads(connection, [account])
                if heads[account].epoch > epoch:
                    return False
                connection.execute(_ADD_FENCE, (account, epoch, at_ns))
                heads[account].epoch = epoch
                _move_heads(connection, heads)
            return True

        return await self._notes.ask(fence)

    async def last_position(self, account: str) -> int:
        """See the contract."""

        def read(connection: Connection) -> int:
            row = connection.execute(_POSITION, (account,)).fetchone()
            return 0 if row is None else int(row[0])

        return await self._notes.ask(read)

    async def read(self, account: str, after: int) -> Sequence[Logged]:
        """See the contract."""
        found: list[Logged] = []
        position = after
        while True:
            page = await self._notes.ask(partial(_page, account=account, after=position))
            found += [Logged(epoch, seq, event.encode()) for _, epoch, seq, event in page]
            if len(page) < PAGE:
                return found
            position = page[-1][0]

    def _epoch_of(self, item: Item) -> int | None:
        """None for what was made outside of any ownership: not ours to tell the others."""
        if is_goodbye(item.record):
            return None
        return self._epochs.epoch_of(item.record.account, item.record.seq)


def _page(connection: Connection, account: str, after: int) -> list[tuple[Any, ...]]:
    return connection.execute(_READ, (account, after, PAGE)).fetchall()


def _tell_all(
    connection: Connection, told: Sequence[tuple[Item, int]], epochs: Epochs
) -> dict[str, Refused]:
    """All in one transaction; the culprits by id, where the table takes some for no repeat."""
    try:
        _tell(connection, told, epochs)
    except ABOUT_THE_ROW as error:
        if len(told) == 1:
            [(item, _)] = told
            return {item.record.id: _refused(error)}
        return {
            key: why for one in told for key, why in _tell_all(connection, [one], epochs).items()
        }
    return {}


def _refused(error: psycopg.Error) -> Refused:
    reason = "too_large" if isinstance(error, errors.ProgramLimitExceeded) else "value"
    return Refused(reason=reason, excerpt=said_by(error))


def _tell(connection: Connection, told: Sequence[tuple[Item, int]], epochs: Epochs) -> None:
    if not told:
        return
    ids = [item.record.id for item, _ in told]
    with connection.transaction():
        heads = lock_heads(connection, [item.record.account for item, _ in told])
        [(now,)] = connection.execute(_NOW).fetchall()
        held = {row[0] for row in connection.execute(_HELD, (ids,))}
        rows: list[Row] = []
        for item, epoch in told:
            head = heads[item.record.account]
            if item.record.id in held:
                continue
            if _is_void(connection, item, epoch, head):
                epochs.pass_over(item.record.account, item.record.id)
                continue
            held.add(item.record.id)
            rows.append(_row(item, epoch, head, now))
        connection.execute(_ADD, (text_of(msgspec.json.encode(rows)),))
        _move_heads(connection, heads)


def lock_heads(connection: Connection, accounts: Sequence[str]) -> dict[str, Head]:
    """The heads of these accounts, which nobody else can move until the transaction is over."""
    names = sorted(set(accounts))
    connection.execute(_LIMIT_PAUSES, (f"{PAUSE_LIMIT / timedelta(milliseconds=1):.0f}ms",))
    connection.execute(_ADD_HEADS, (names,))
    rows = connection.execute(_LOCK_HEADS, (names,)).fetchall()
    return {account: Head(position, epoch) for account, position, epoch in rows}


def _move_heads(connection: Connection, heads: Mapping[str, Head]) -> None:
    positions = [head.position for head in heads.values()]
    connection.execute(_MOVE_HEADS, (list(heads), positions, [one.epoch for one in heads.values()]))


def _is_void(connection: Connection, item: Item, epoch: int, head: Head) -> bool:
    if epoch >= head.epoch:
        return False
    row = connection.execute(_FENCED, (item.record.account, epoch)).fetchone()
    return is_void(item.record, 0 if row is None else int(row[0]))


def _row(item: Item, epoch: int, head: Head, now: int) -> Row:
    """At the next position of its account.

    Positions are the microseconds of the server's clock where those are ahead, so that they
    go on growing where a standby takes over that lacks the last of them.
    """
    record, late = item.record, epoch < head.epoch
    head.position = max(head.position + 1, now)
    late_for = head.epoch if late else None
    head.epoch = max(head.epoch, epoch)
    return Row(
        account=record.account,
        position=head.position,
        epoch=epoch,
        seq=record.seq,
        late_for=late_for,
        id=record.id,
        kind=record.kind,
        received_time=from_nanoseconds(record.received_ns),
        event=msgspec.Raw(item.body),
    )
