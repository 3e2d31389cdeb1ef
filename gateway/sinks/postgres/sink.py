"""Inserts each batch in a thread, and ends a call that the time limit has left behind."""

from collections.abc import Sequence
from typing import Final

import psycopg

from gateway.contracts.sink import Item, SinkContext, Verdict
from gateway.errors import SinkUnavailable
from gateway.sinks.one_thread import OneThread
from gateway.sinks.postgres.connection import describe
from gateway.sinks.postgres.database import Database
from gateway.sinks.postgres.settings import PostgresSettings
from gateway.sinks.redacted import redacted

CLOSE_SECONDS: Final = 2.0
"""How long closing may take."""


class PostgresSink:
    """Speaks to one database."""

    def __init__(self, settings: PostgresSettings, context: SinkContext) -> None:
        self._database = Database(
            settings,
            include_raw=context.options.include_raw,
            timeout_seconds=context.options.timeout,
        )
        self._clean = context.redactor.redact
        self._thread = OneThread()

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Insert all that the tables take, or nothing and raise `SinkUnavailable`."""
        records = [item.record for item in items]
        done = False
        try:
            verdicts = await self._thread.run(self._database.add, records)
            done = True
        except psycopg.Error as error:
            done = True
            raise SinkUnavailable(self._clean(describe(error))) from None
        finally:
            if not done:
                self._database.cut()
        return [redacted(verdict, self._clean) for verdict in verdicts]

    async def aclose(self) -> None:
        """Close the connection."""
        await self._thread.finish(self._database.close, CLOSE_SECONDS)
