"""A sink by a third party: one file per event, named by its id.

A repeated event replaces its own file, so a consumer never sees one twice. Events above
`limit` are refused for good and go to the dead letters.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final

import msgspec
import trio

from gateway.contracts.sink import ACCEPTED, Item, Refused, SinkContext, SinkSpec, Verdict
from gateway.errors import SinkUnavailable


class FolderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a `folder` sink."""

    folder: str
    """Where the files go, relative to `state_dir`."""
    limit: Annotated[int, msgspec.Meta(ge=1)] = 1_000_000
    """The largest event that is taken, in bytes."""


class FolderSink:
    """Writes a batch in a thread, so that a slow disk delays nobody."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Answer for each event. `SinkUnavailable` means: the whole batch, later."""
        try:
            return await trio.to_thread.run_sync(self._write, items, abandon_on_cancel=True)
        except OSError as error:
            raise SinkUnavailable(f"cannot write to {self._folder}: {error.strerror}") from error

    def _write(self, items: Sequence[Item]) -> list[Verdict]:
        self._folder.mkdir(parents=True, exist_ok=True)
        return [self._write_one(item) for item in items]

    def _write_one(self, item: Item) -> Verdict:
        if len(item.body) > self._limit:
            return Refused(reason="too_large", excerpt=f"{len(item.body)} bytes")
        path = self._folder / f"{item.record.id}.json"
        new = path.with_suffix(".new")
        new.write_bytes(item.body)
        new.rename(path)
        return ACCEPTED


@asynccontextmanager
async def open_folder(settings: FolderSettings, context: SinkContext) -> AsyncIterator[FolderSink]:
    """Open the sink; the folder itself is made by the first delivery."""
    yield FolderSink(context.state_dir / settings.folder, settings.limit)


SINK: Final = SinkSpec(
    name="folder",
    summary="One file per event, named by its id.",
    settings=FolderSettings,
    open=open_folder,
    guarantees="A repeat replaces its own file. Not fsynced: a loss of power may lose files.",
    quick_start="sinks:\n  files: {type: folder, folder: events}\n",
)
