"""Notes in two key-value buckets: one forgets by itself, by the server's clock."""

import asyncio
from collections.abc import Sequence
from typing import Any

import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import Header

from gateway.cluster.board import Note
from gateway.cluster.nats.connection import ANSWER_SECONDS, WRONG_LAST, Connection


class NatsBoard:
    """Implements `gateway.cluster.board.Board`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._members = f"$KV.{connection.members}."
        self._notes = f"$KV.{connection.notes}."

    async def keep(self, key: str, value: bytes) -> None:
        """See the contract."""

        async def publish(jetstream: JetStreamContext) -> None:
            await jetstream.publish(f"{self._members}{key}", value)

        await self._connection.ask(publish)

    async def let_go(self, key: str) -> None:
        """See the contract."""

        async def purge(jetstream: JetStreamContext) -> None:
            headers = {"KV-Operation": "PURGE", Header.ROLLUP.value: "sub"}
            await jetstream.publish(f"{self._members}{key}", headers=headers)

        await self._connection.ask(purge)

    async def kept(self) -> dict[str, bytes]:
        """See the contract."""
        bucket = f"KV_{self._connection.members}"

        async def read(jetstream: JetStreamContext) -> dict[str, bytes]:
            info = await jetstream.stream_info(bucket, subjects_filter=">")
            subjects = sorted(info.state.subjects or {})
            found = await asyncio.gather(*(_last(jetstream, bucket, one) for one in subjects))
            return {
                note.key.removeprefix(self._members): note.value
                for note in found
                if note is not None and note.value
            }

        return await self._connection.ask(read)

    async def read(self, key: str) -> Note | None:
        """See the contract."""
        bucket = f"KV_{self._connection.notes}"

        async def read(jetstream: JetStreamContext) -> Note | None:
            return await _last(jetstream, bucket, f"{self._notes}{key}")

        found = await self._connection.ask(read)
        return None if found is None else Note(key, found.value, found.revision)

    async def news(self, prefix: str, after: int) -> Sequence[Note]:
        """See the contract."""
        bucket, filter_ = f"KV_{self._connection.notes}", f"{self._notes}{prefix}.>"

        async def read(jetstream: JetStreamContext) -> list[Note]:
            found = [] if after else await self._all(jetstream, prefix)
            position = found[-1].revision if found else after
            while (note := await _next(jetstream, bucket, filter_, position)) is not None:
                position = note.revision
                found.append(Note(note.key.removeprefix(self._notes), note.value, position))
            return found

        return await self._connection.ask(read)

    async def _all(self, jetstream: JetStreamContext, prefix: str) -> list[Note]:
        """What stands there, in one go: one by one a hundred thousand notes take minutes.

        It may come from a server that lags behind; what that one lacks is asked for next.
        """
        notes = await jetstream.key_value(self._connection.notes)
        watcher: Any = await notes.watch(f"{prefix}.>")  # its methods have no types
        found: list[Note] = []
        try:
            while (entry := await watcher.updates(ANSWER_SECONDS)) is not None:
                found.append(Note(entry.key, entry.value or b"", entry.revision or 0))
        finally:
            await watcher.stop()
        return found

    async def write(self, key: str, value: bytes, revision: int) -> int | None:
        """See the contract."""
        headers = {Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(revision)}

        async def publish(jetstream: JetStreamContext) -> int | None:
            try:
                answer = await jetstream.publish(f"{self._notes}{key}", value, headers=headers)
            except nats.js.errors.APIError as error:
                if error.err_code in WRONG_LAST:
                    return None
                raise
            return answer.seq

        return await self._connection.ask(publish)


async def _last(jetstream: JetStreamContext, stream: str, subject: str) -> Note | None:
    """From the leader, which has everything."""
    try:
        found = await jetstream.get_last_msg(stream, subject)
    except nats.js.errors.NotFoundError:
        return None
    return Note(subject, found.data or b"", found.seq or 0)


async def _next(jetstream: JetStreamContext, stream: str, subject: str, after: int) -> Note | None:
    try:
        found = await jetstream.get_msg(stream, after + 1, subject=subject, next=True)
    except nats.js.errors.NotFoundError:
        return None
    return Note(found.subject or "", found.data or b"", found.seq or 0)
