"""What the next message will say, and a file in which it survives a crash.

Bounded however many events it is about: some of them in words, the others as numbers.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from gateway.events.model import Event, Kind, Order, Stream, StreamStatus
from gateway.sinks.notify.sentences import sentence
from gateway.telemetry.happenings import Happening, Level

MODE: Final = 0o640
"""Messages tell trades and balances: nobody but the group may read along."""

UNREADABLE = Happening(
    "notify_digest_unreadable",
    Level.WARNING,
    "A message that waited in a file could not be read back; it is left out.",
)

_PLURALS: Final = {
    Kind.ORDER: "orders",
    Kind.FILL: "fills",
    Kind.BALANCE: "balances",
    Kind.POSITION: "positions",
    Kind.STREAM: "stream events",
    Kind.UNRECOGNIZED: "unrecognized frames",
}
_URGENT: Final = frozenset({StreamStatus.GAP_OPENED, StreamStatus.SUSPENDED})


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """A message in the making."""

    lines: tuple[str, ...] = ()
    more: dict[str, int] = {}
    """How many there are beyond the lines, by what they are."""
    urgent: bool = False
    """Something in it needs a person."""

    @property
    def total(self) -> int:
        """How many events it is about."""
        return len(self.lines) + sum(self.more.values())

    @property
    def title(self) -> str:
        """What a phone shows first."""
        return f"Exchange gateway: {self.total} event{'' if self.total == 1 else 's'}"

    @property
    def text(self) -> str:
        """The message."""
        if not self.more:
            return "\n".join(self.lines)
        counts = ", ".join(f"{number} {what}" for what, number in self.more.items())
        return "\n".join((*self.lines, f"… and {sum(self.more.values())} more: {counts}"))

    def plus(self, events: Sequence[Event], most_lines: int) -> "Digest":
        """The same with more events."""
        room = max(0, most_lines - len(self.lines))
        more = dict(self.more)
        for event in events[room:]:
            what = _PLURALS[event.kind]
            more[what] = more.get(what, 0) + 1
        return Digest(
            lines=(*self.lines, *(sentence(event) for event in events[:room])),
            more=more,
            urgent=self.urgent or any(_is_urgent(event) for event in events),
        )


class DigestFile:
    """Keeps a digest that waits for its time. Everything here blocks."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Digest:
        """What was kept; an empty digest where there is nothing."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Digest)
        except FileNotFoundError:
            return Digest()
        except (OSError, msgspec.DecodeError) as error:
            UNREADABLE.emit(path=str(self.path), error=str(error))
            return Digest()

    def keep(self, digest: Digest) -> None:
        """Have it on disk when this returns. Raises `OSError`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f"{self.path.name}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, MODE)
        with open(descriptor, "wb") as file:  # noqa: PTH123 (it is open already)
            file.write(msgspec.json.encode(digest))
            file.flush()
            os.fsync(descriptor)
        fresh.rename(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def drop(self) -> None:
        """Forget it. Where that fails, the message may come once more after a restart."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def _is_urgent(event: Event) -> bool:
    body = event.body
    if isinstance(body, Order):
        return body.liquidation is True
    return isinstance(body, Stream) and body.status in _URGENT
