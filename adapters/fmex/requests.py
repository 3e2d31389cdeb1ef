"""The commands that we send on the socket."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Final

import msgspec

from adapters.fmex.endpoints import TOPICS_PER_COMMAND

STREAMS: Final = ("account", "orders", "positions")
"""Names allowed in `streams:`."""


def wanted_topics(streams: Iterable[str], symbols: Iterable[str]) -> tuple[str, ...]:
    """The topics of these streams; `orders` and `positions` have one per contract."""
    symbols = [symbol.lower() for symbol in symbols]
    topics: list[str] = []
    for stream in streams:
        match stream:
            case "account":
                topics.append("account")
            case "orders":
                topics += [f"order.{symbol}" for symbol in symbols]
            case "positions":
                topics += [f"position.{symbol}" for symbol in symbols]
    return tuple(dict.fromkeys(topics))


def subscribe_commands(topics: Sequence[str]) -> Iterator[str]:
    """Commands of at most 20 topics each, numbered so that an answer names its command."""
    for number, start in zip(count(1), range(0, len(topics), TOPICS_PER_COMMAND), strict=False):
        yield _command("sub", topics[start : start + TOPICS_PER_COMMAND], f"sub-{number}")


def ping_command(now_ms: int) -> str:
    """A heartbeat; the answer tells the venue's time and how far ours is off."""
    return _command("ping", [now_ms], "ping")


def _command(cmd: str, args: Sequence[str | int], command_id: str) -> str:
    return msgspec.json.encode({"id": command_id, "cmd": cmd, "args": args}).decode()
