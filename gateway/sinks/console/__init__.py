"""The `console` sink: events as readable lines on standard output.

`lines` makes the text (and serves `gateway tail`), `output` writes it without ever
blocking on a reader that stopped.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Literal

import msgspec

from gateway.contracts.sink import ACCEPTED, Item, SinkContext, SinkSpec, Verdict
from gateway.sinks.console.lines import format_line
from gateway.sinks.console.output import STDOUT, Output

__all__ = ["SINK", "ConsoleSettings", "ConsoleSink", "format_line", "open_console"]


class ConsoleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a `console` sink."""

    style: Literal["lines", "json"] = "lines"
    """`lines` for people; `json` writes each event as it is, one a line."""
    colour: Literal["auto", "always", "never"] = "auto"
    """`auto`: on a terminal, unless NO_COLOR is set."""


class ConsoleSink:
    """Writes each batch in one go."""

    def __init__(self, settings: ConsoleSettings, output: Output) -> None:
        self._settings = settings
        self._output = output

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Write all lines, or raise `SinkUnavailable` when nobody reads them."""
        await self._output.write(b"".join(self._line(item) for item in items))
        return [ACCEPTED] * len(items)

    def _line(self, item: Item) -> bytes:
        if self._settings.style == "json":
            return item.body + b"\n"
        colour = self._output.wants_colour(self._settings.colour)
        line = format_line(item.record.event(), colour=colour)
        return line.encode("utf-8", "backslashreplace") + b"\n"


@asynccontextmanager
async def open_console(
    settings: ConsoleSettings, context: SinkContext, *, descriptor: int = STDOUT
) -> AsyncIterator[ConsoleSink]:
    """Open the sink on `descriptor`, which stays open afterwards."""
    del context  # nothing of it is needed: no files, no secrets, no clock
    yield ConsoleSink(settings, Output(descriptor))


SINK: Final = SinkSpec(
    name="console",
    summary="Readable lines, or JSON, on standard output.",
    settings=ConsoleSettings,
    open=open_console,
    guarantees=(
        "An event is accepted once the terminal, pipe or file behind stdout took its line."
        " Lines come in order of seq. A line may come again after a crash or a stalled reader."
        " While the reader stands still or is gone, events wait in the journal."
    ),
    quick_start="sinks:\n  screen: {type: console}\n",
)
