"""Sends each batch in one round trip, over a client that is thrown away after any trouble.

A reply that is late, or that a cancelled delivery did not wait for, can so never be
taken for the answer to another batch.
"""

from collections.abc import Sequence
from itertools import count

import trio
from coredis.exceptions import RedisError

from gateway.contracts.sink import ACCEPTED, Item, Later, SinkContext, Verdict
from gateway.sinks.redis.client import Client, open_client
from gateway.sinks.redis.settings import RedisSettings
from gateway.sinks.redis.trouble import as_unavailable, describe
from gateway.sinks.redis.writer import Result, Writer


class RedisSink:
    """Speaks to one Redis, whatever its topology."""

    def __init__(
        self, nursery: trio.Nursery, settings: RedisSettings, context: SinkContext
    ) -> None:
        self._nursery = nursery
        self._settings = settings
        self._context = context
        self._clean = context.redactor.redact
        self._writer = Writer(settings)
        self._spell: Spell | None = None
        self._attempts = count()

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Add all to their streams; on one server either all or none of them."""
        done = False
        try:
            with as_unavailable(self._clean):
                client = await self._connected()
                queued = await self._send(client, items)
                verdicts = [await self._verdict(results) for results in queued]
            done = verdicts.count(ACCEPTED) == len(items)
            return verdicts
        finally:
            if not done:
                self._drop()

    async def _send(self, client: Client, items: Sequence[Item]) -> list[list[Result]]:
        now_ns = self._context.clock.now_ns()
        # A transaction keeps a batch whole; no cluster has one over several nodes.
        atomic = self._settings.topology != "cluster"
        async with client.pipeline(transaction=atomic, raise_on_error=False) as pipe:
            return [self._writer.queue(pipe, item, now_ns) for item in items]

    async def _verdict(self, results: Sequence[Result]) -> Verdict:
        try:
            for result in results:
                await result
        except RedisError as error:
            # Never about the event: the server is full, loading, read-only, or the key is taken.
            return Later(reason=self._clean(describe(error)))
        return ACCEPTED

    async def _connected(self) -> Client:
        if self._spell is None:
            self._spell = Spell()
            self._nursery.start_soon(self._hold, self._spell)
        await self._spell.begun.wait()
        if self._spell.client is None:
            raise self._spell.error or trio.BrokenResourceError
        return self._spell.client

    async def _hold(self, spell: "Spell") -> None:
        """Keep a client open until it is dropped.

        A client holds a nursery, which no delivery that may be cancelled can carry; and it
        reports a cancelled attempt to connect as a failed one.
        """
        try:
            with spell.scope:
                attempt = next(self._attempts)
                async with open_client(self._settings, self._context, attempt=attempt) as client:
                    await client.ping()
                    spell.client = client
                    spell.begun.set()
                    await trio.sleep_forever()
        except Exception as error:  # noqa: BLE001 (the delivery that waits for it raises it)
            spell.error = error
        finally:
            spell.begun.set()

    def _drop(self) -> None:
        if self._spell is not None:
            self._spell.scope.cancel()
            self._spell = None


class Spell:
    """The life of one client."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.begun = trio.Event()
        """It is connected, or failed to."""
        self.client: Client | None = None
        self.error: Exception | None = None
