"""A third party's sink with the worst of defects: it blocks the loop of its host."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
import trio

from gateway.contracts.sink import ACCEPTED, Item, SinkContext, SinkSpec, Verdict

_STEP_SECONDS: Final = 0.1


class BlockingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a `blocking` sink."""

    block_when: Path
    """While this file exists, a delivery blocks the loop."""


class BlockingSink:
    """Takes everything, until it blocks."""

    def __init__(self, settings: BlockingSettings) -> None:
        self._settings = settings

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Accept, or hold up the whole process."""
        await trio.lowlevel.checkpoint()
        while self._settings.block_when.exists():
            time.sleep(_STEP_SECONDS)  # noqa: ASYNC251 # the defect itself
        return [ACCEPTED] * len(items)


@asynccontextmanager
async def open_blocking(
    settings: BlockingSettings, _context: SinkContext
) -> AsyncIterator[BlockingSink]:
    """Open the sink."""
    yield BlockingSink(settings)


SINK: Final = SinkSpec(
    name="blocking",
    summary="Blocks the loop when told to.",
    settings=BlockingSettings,
    open=open_blocking,
)
