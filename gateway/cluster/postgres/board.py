"""Notes in tables: leases by the server's clock, ownerships by compare-and-set."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from gateway.cluster.board import Note
from gateway.cluster.notes import LEASE_SECONDS
from gateway.cluster.postgres.connection import Line
from gateway.cluster.postgres.pulse import Pulse
from gateway.sinks.postgres.connection import Connection
from gateway.wire.pauses import boot_seconds

PAGE: Final = 10_000
"""Notes read with one question, which is to be answered in time."""

_KEEP: Final = """
    INSERT INTO cluster_members (name, value, said_at) VALUES (%s, %s, clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, said_at = clock_timestamp()
"""
_LET_GO: Final = "DELETE FROM cluster_members WHERE name = %s"

# Neither older than a lease nor of a time to come: the clock may have been set either way.
_KEPT: Final = """
    SELECT server.now, server.started_at, member.name, member.value
    FROM (SELECT clock_timestamp() AS now, pg_postmaster_start_time() AS started_at) AS server
    LEFT JOIN cluster_members AS member
    ON member.said_at > server.now - %(lease)s AND member.said_at < server.now + %(lease)s
"""
_READ: Final = "SELECT value, revision FROM cluster_notes WHERE key = %s"
_NEWS: Final = """
    SELECT key, value, revision FROM cluster_notes
    WHERE topic = %s AND revision > %s ORDER BY revision LIMIT %s
"""

# The row of `cluster_revisions` is locked until the transaction is over, so that notes of a
# topic become visible in the order of their revisions: whoever has seen one has seen all
# before it. Microseconds since 1970 keep them growing where a standby takes over that lacks
# the last of them, so that nobody mistakes another write for the one that it knew.
_REVISION: Final = """
    WITH turn AS (
        INSERT INTO cluster_revisions (topic, newest)
        VALUES (%(topic)s, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
        ON CONFLICT (topic) DO UPDATE
        SET newest = greatest(cluster_revisions.newest + 1, excluded.newest)
        RETURNING newest
    )
"""
_WRITE_FIRST: Final = f"""{_REVISION}
    INSERT INTO cluster_notes (key, topic, revision, value)
    SELECT %(key)s, %(topic)s, turn.newest, %(value)s FROM turn
    ON CONFLICT (key) DO NOTHING RETURNING revision
"""  # noqa: S608 (put together from constants)
_WRITE: Final = f"""{_REVISION}
    UPDATE cluster_notes AS note SET value = %(value)s, revision = turn.newest FROM turn
    WHERE note.key = %(key)s AND note.revision = %(revision)s RETURNING note.revision
"""  # noqa: S608 (the same)


class PostgresBoard:
    """Implements `gateway.cluster.board.Board`.

    Each question is one statement, so that a gateway which is paused in the middle of one
    holds no lock.
    """

    def __init__(self, leases: Line, notes: Line) -> None:
        self._leases = leases
        self._notes = notes
        self._pulse = Pulse()

    async def keep(self, key: str, value: bytes) -> None:
        """See the contract."""
        await self._leases.ask(lambda connection: connection.execute(_KEEP, (key, value)))

    async def let_go(self, key: str) -> None:
        """See the contract."""
        await self._leases.ask(lambda connection: connection.execute(_LET_GO, (key,)))

    async def kept(self) -> dict[str, bytes]:
        """See the contract."""

        def read(connection: Connection) -> dict[str, bytes]:
            asked_at = boot_seconds()
            lease = timedelta(seconds=LEASE_SECONDS)
            rows = connection.execute(_KEPT, {"lease": lease}).fetchall()
            now, started_at, *_ = rows[0]
            self._pulse.feel(now, started_at, asked_at)
            return {name: value for _, _, name, value in rows if name is not None}

        return await self._notes.ask(read)

    async def read(self, key: str) -> Note | None:
        """See the contract."""

        def read(connection: Connection) -> Note | None:
            row = connection.execute(_READ, (key,)).fetchone()
            return None if row is None else Note(key, *row)

        return await self._notes.ask(read)

    async def news(self, prefix: str, after: int) -> Sequence[Note]:
        """See the contract."""
        found: list[Note] = []
        while True:
            position = found[-1].revision if found else after
            page = await self._notes.ask(partial(_news, topic=prefix, after=position))
            found += page
            if len(page) < PAGE:
                return found

    async def write(self, key: str, value: bytes, revision: int) -> int | None:
        """See the contract."""
        topic = key.partition(".")[0]
        values = {"key": key, "topic": topic, "value": value, "revision": revision}

        def write(connection: Connection) -> int | None:
            row = connection.execute(_WRITE if revision else _WRITE_FIRST, values).fetchone()
            return None if row is None else int(row[0])

        return await self._notes.ask(write)


def _news(connection: Connection, topic: str, after: int) -> list[Note]:
    return [Note(*row) for row in connection.execute(_NEWS, (topic, after, PAGE))]
