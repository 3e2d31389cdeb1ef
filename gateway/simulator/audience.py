"""Everybody who is connected, and the carrying of pushes to those who subscribed."""

from collections.abc import Callable

from gateway.simulator import frames
from gateway.simulator.connection import ClientConnection
from gateway.simulator.dialect import Push
from gateway.simulator.truth import Truth


class Audience:
    """The open WebSocket connections."""

    def __init__(self, truth: Truth, elapsed: Callable[[], float]) -> None:
        self.met = 0
        """How many connections there have been."""
        self._truth = truth
        self._elapsed = elapsed
        self._connections: list[ClientConnection] = []

    def enter(self, connection: ClientConnection) -> None:
        """Let a connection hear pushes."""
        self._connections.append(connection)

    def leave(self, connection: ClientConnection) -> None:
        """Forget a connection that has ended."""
        self._connections.remove(connection)

    def of(self, account: int | None) -> list[ClientConnection]:
        """The connections of one account, or all."""
        return [c for c in self._connections if account is None or c.account == account]

    def publish(self, push: Push) -> None:
        """Carry one push to everybody who wants it, and note what became of it."""
        prepared: dict[bool, bytes] = {}
        for connection in self._connections:
            if connection.session is None or not connection.session.wants(push):
                continue
            deflate = connection.deflate
            if deflate not in prepared:
                prepared[deflate] = frames.text_frame(push.text, deflate=deflate)
            fate = connection.push(push.account, prepared[deflate])
            self._truth.note_delivery(push.facts, connection.number, fate, self._elapsed())
