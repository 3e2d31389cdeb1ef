"""One connection to PostgreSQL: questions in a thread, one at a time, each with a deadline.

It is thrown away after any trouble with it, and the next question makes another, to
whichever server takes writes.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import psycopg
import trio
from psycopg import errors

from gateway.cluster.board import BoardUnavailable
from gateway.cluster.postgres.tables import see_to_tables
from gateway.cluster.settings import ClusterSettings
from gateway.errors import SecretUnreadable
from gateway.sinks.one_thread import OneThread
from gateway.sinks.postgres.connection import Connection, connect, cut, hang_up, said_by
from gateway.sinks.postgres.settings import PostgresSettings

ANSWER_SECONDS: Final = 2.0
"""How long an answer may take, the wait for its turn included: shorter than the lease."""

TELL_SECONDS: Final = 10.0
"""The same for a batch of events, which nobody's lease waits for."""

CLOSE_SECONDS: Final = 1.0

T = TypeVar("T")


class Line:
    """A connection, made when there is something to ask."""

    def __init__(self, settings: ClusterSettings, seconds: float) -> None:
        self._seconds = seconds
        self._server = _as_of_a_sink(settings)
        self._thread = OneThread()
        self._turn = trio.Lock()
        self._connection: Connection | None = None

    async def ask(self, work: Callable[[Connection], T]) -> T:
        """Let it work in the thread. Raises `BoardUnavailable`.

        What it wrote may stand all the same where the answer was lost: everything that is
        asked of the engine can be asked again.
        """
        with trio.move_on_after(self._seconds):
            async with self._turn:
                return await self._answer(work)
        raise BoardUnavailable("PostgreSQL does not answer, or a standby that it waits for")

    async def aclose(self) -> None:
        """Close the connection."""
        await self._thread.finish(self._close, CLOSE_SECONDS)

    async def _answer(self, work: Callable[[Connection], T]) -> T:
        is_over = False
        try:
            answer = await self._thread.run(self._use, work)
            is_over = True
        except psycopg.Error as error:
            is_over = True
            raise BoardUnavailable(_describe(error, self._server.schema)) from None
        except SecretUnreadable as error:
            is_over = True
            raise BoardUnavailable(str(error)) from None
        finally:
            if not is_over and self._connection is not None:
                cut(self._connection)  # ends the call that we leave behind
        return answer

    # --- in the thread ---------------------------------------------------------------

    def _use(self, work: Callable[[Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = connect(self._server, self._seconds)
                self._connection.autocommit = True
                see_to_tables(self._connection, self._server.schema)
            return work(self._connection)
        except (psycopg.Error, BoardUnavailable):
            self._close()
            raise

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            hang_up(connection)


def _as_of_a_sink(settings: ClusterSettings) -> PostgresSettings:
    assert settings.username is not None
    return PostgresSettings(
        servers=tuple(str(peer) for peer in settings.peers()),
        database=settings.database,
        username=settings.username,
        password=settings.password,
        tls=settings.tls,
        ca_file=settings.ca_file,
        schema=settings.name,
    )


def _describe(error: psycopg.Error, schema: str) -> str:
    match error:
        case errors.InsufficientPrivilege() | errors.InvalidSchemaName():
            remedy = f" (the user needs the schema {schema} and its tables, or CREATE to make them)"
        case _ if "authentication failed" in str(error):
            remedy = " (look at `username` and `password`)"
        case _:
            remedy = ""
    return f"PostgreSQL: {said_by(error)}{remedy}"
