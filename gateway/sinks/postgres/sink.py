"""Inserts each batch in a thread, and ends a call that the time limit has left behind."""

from collections.abc import Sequence
from typing import Final

import msgspec
import psycopg
import trio

from gateway.contracts.sink import Item, Refused, SinkContext, Verdict
from gateway.errors import SinkUnavailable
from gateway.sinks.postgres.connection import describe
from gateway.sinks.postgres.database import Database
from gateway.sinks.postgres.settings import PostgresSettings

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
        # One thread at a time: a call that was cut must end before the next begins.
        self._limiter = trio.CapacityLimiter(1)

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Insert all that the tables take, or nothing and raise `SinkUnavailable`."""
        records = [item.record for item in items]
        done = False
        try:
            verdicts = await trio.to_thread.run_sync(
                self._database.add, records, limiter=self._limiter, abandon_on_cancel=True
            )
            done = True
        except psycopg.Error as error:
            done = True
            raise SinkUnavailable(self._clean(describe(error))) from None
        finally:
            if not done:
                self._database.cut()
        return [self._cleaned(verdict) for verdict in verdicts]

    async def aclose(self) -> None:
        """Close the connection."""
        with trio.move_on_after(CLOSE_SECONDS, shield=True):
            await trio.to_thread.run_sync(
                self._database.close, limiter=self._limiter, abandon_on_cancel=True
            )

    def _cleaned(self, verdict: Verdict) -> Verdict:
        if isinstance(verdict, Refused):
            return msgspec.structs.replace(verdict, excerpt=self._clean(verdict.excerpt))
        return verdict
