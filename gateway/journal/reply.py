"""Answers that the writer's thread owes to tasks in the loop."""

from typing import Generic, TypeVar

import trio

from gateway.errors import GatewayError
from gateway.journal.records import Committed

T = TypeVar("T")


class Reply(Generic[T]):
    """What the writer will answer to one request."""

    __slots__ = ("_answer", "_error", "_settled")

    def __init__(self) -> None:
        self._settled = trio.Event()
        self._answer: T | None = None
        self._error: GatewayError | None = None

    async def wait(self) -> T:
        """Wait for it. Raises `JournalError` when the request was refused or lost."""
        await self._settled.wait()
        if self._error is not None:
            raise self._error
        return self._answer  # type: ignore[return-value]  # settled: it is there

    def settle(self, answer: T) -> None:
        """Give the answer; called by the journal."""
        self._answer = answer
        self._settled.set()

    def fail(self, error: GatewayError) -> None:
        """Give an error instead; called by the journal."""
        self._error = error
        self._settled.set()


Ticket = Reply[Committed]
"""Shows that events were taken; `wait` returns once they are on disk."""
