"""A PostgreSQL in which gateways meet, and its shared log as a consumer reads it."""

from collections.abc import Sequence
from typing import Final

import msgspec
import trio

from tests.doubles.servers.postgres import PostgresServer
from tests.scenarios.cluster import PASSWORD, Meeting
from tests.scenarios.cluster_log import Message, SharedLog

DATABASE: Final = "desk"

_HEADS: Final = "SELECT account, position FROM gateway.cluster_heads ORDER BY account"
_NEXT: Final = """
    SELECT position, event::text, epoch, late_for IS NOT NULL FROM gateway.cluster_log
    WHERE account = %s AND position > %s ORDER BY position
"""


class PostgresSharedLog(SharedLog):
    """Account by account, each on from the position where the last reading ended."""

    def __init__(self, servers: Sequence[PostgresServer]) -> None:
        super().__init__()
        self._servers = servers
        self._positions: dict[str, int] = {}

    async def read(self) -> list[Message]:
        await trio.to_thread.run_sync(self._read_on)
        return self._page

    def _read_on(self) -> None:
        server = next(one for one in self._servers if one.running)
        for account, head in server.ask(_HEADS, database=DATABASE):
            after = self._positions.get(account, 0)
            if head <= after:
                continue
            for row in server.ask(_NEXT, account, after, database=DATABASE):
                self._positions[account], event, epoch, late = row
                self._page.append(Message(msgspec.json.decode(event), epoch, late))


def meet_in_postgres(server: PostgresServer, *standbys: PostgresServer) -> Meeting:
    """A database of that server, for one cluster."""
    servers = (server, *standbys)
    server.add_database(DATABASE, PASSWORD)
    options = f"""\
  engine: postgres
  url: postgresql://{",".join(one.address for one in servers)}/{DATABASE}
  username: {DATABASE}
"""
    return Meeting(options=options, log=PostgresSharedLog(servers))
