"""The `jsonl` sink: one event a line, appended to a file and fsynced.

`file` keeps the file whole whatever the disk or another program does to it,
`rotation` decides when it is full, `tidying` compresses and removes behind that.
"""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import trio

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import ACCEPTED, Item, SinkContext, SinkSpec, Verdict
from gateway.errors import SinkUnavailable
from gateway.sinks.jsonl.file import LineFile
from gateway.sinks.jsonl.rotation import Keeping, Rotation, rotation_problems
from gateway.sinks.jsonl.tidying import Tidier
from gateway.sinks.one_thread import OneThread

__all__ = ["SINK", "JsonlSettings", "JsonlSink", "open_jsonl"]

CLOSE_SECONDS: Final = 1.0
"""How long closing may wait for a disk that hangs."""


class JsonlSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a `jsonl` sink."""

    path: str
    """The file, relative to `state_dir`. Folders on the way are made."""
    rotate: Rotation | None = None
    """When to put the file aside and begin another; by default it only grows."""
    compress: bool = True
    """Gzip files that were put aside."""
    keep: Keeping | None = None
    """How many files that were put aside to keep, or for how long; by default all."""

    def problems(self) -> list[tuple[str, str]]:
        """Mistakes that no type shows: the key, and what is wrong with it."""
        found = [] if self.path.strip("/. ") else [("path", "must name a file")]
        return found + rotation_problems(self.rotate, self.keep)


class JsonlSink:
    """Appends each batch in a thread and answers when it is on disk."""

    def __init__(self, file: LineFile, tidier: Tidier, settled_seq: int) -> None:
        self._file = file
        self._tidier = tidier
        self._settled_seq = settled_seq
        self._thread = OneThread()

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Append and fsync all lines, or leave none of them and raise `SinkUnavailable`."""
        lines = [item.body + b"\n" for item in items]
        on_purpose = bool(items) and items[0].record.seq <= self._settled_seq
        append = partial(self._file.append, lines, on_purpose=on_purpose)
        try:
            rotated = await self._thread.run(append)
        except OSError as error:
            raise SinkUnavailable(f"cannot write {self._file.path}: {error.strerror}") from error
        self._file.confirm()
        if rotated:
            self._tidier.wake()
        return [ACCEPTED] * len(items)

    async def aclose(self) -> None:
        """Close the file, unless a hanging disk still holds it."""
        await self._thread.finish(self._file.close, CLOSE_SECONDS)


@asynccontextmanager
async def open_jsonl(settings: JsonlSettings, context: SinkContext) -> AsyncIterator[JsonlSink]:
    """Open the sink. The file itself is opened by the first delivery."""
    path = context.state_dir / settings.path
    tidier = Tidier(path, compress=settings.compress, keep=settings.keep, clock=context.clock)
    file = LineFile(path, settings.rotate, context.clock)
    sink = JsonlSink(file, tidier, context.settled_seq)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tidier.run, name=f"sink:{context.name}:tidier")
        tidier.wake()  # what a crash left half done
        try:
            yield sink
        finally:
            nursery.cancel_scope.cancel()
            await sink.aclose()


async def probe_jsonl(settings: JsonlSettings, context: SinkContext) -> list[ProbeFinding]:
    """Tell whether the file's folder can be written to, leaving nothing behind."""
    folder = (context.state_dir / settings.path).parent
    try:
        await trio.to_thread.run_sync(_try_folder, folder)
    except OSError as error:
        return [ProbeFinding(what="folder", ok=False, detail=f"{folder}: {error.strerror}")]
    return [ProbeFinding(what="folder", ok=True, detail=str(folder))]


def _try_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # Without a name: other sinks may try the same folder right now.
    with tempfile.TemporaryFile(dir=folder):
        pass


SINK: Final = SinkSpec(
    name="jsonl",
    summary="One event a line, appended to a file, with rotation.",
    settings=JsonlSettings,
    open=open_jsonl,
    probe=probe_jsonl,
    writes_to=lambda settings: settings.path,
    guarantees=(
        "An event is accepted once its line is fsynced. Lines come in order of seq and are never"
        " torn: a half line that a crash left is removed before the next is written. Events of"
        " the batches in flight at a crash are recognised in the file and not written again."
    ),
    quick_start="sinks:\n  events: {type: jsonl, path: events.jsonl}\n",
)
