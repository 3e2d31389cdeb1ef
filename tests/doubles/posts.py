"""What a webhook's receiver reads and answers, whichever HTTP it speaks."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec


class Post(msgspec.Struct, frozen=True):
    """One request, read whole."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    def events(self) -> list[Any]:
        """The events in it, one or a batch."""
        held = json.loads(self.body)
        return held if isinstance(held, list) else [held]

    def ids(self) -> list[str]:
        """Their ids."""
        return [event["id"] for event in self.events()]


class Reply(msgspec.Struct, frozen=True):
    """What the receiver says."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    delay_seconds: float = 0.0
    cut: bool = False
    """Close the connection instead of answering."""


Opinion = Callable[[Post], Awaitable[Reply]]
"""Answers a request."""
