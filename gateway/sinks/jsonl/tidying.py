"""Behind the rotation: compress files that were put aside, remove old ones.

Compression never shows half a file: it writes aside, fsyncs, renames, and only
then removes the original. What a crash leaves half done is done again at the next
start. Events wait for none of this.
"""

import gzip
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from gateway.clock import Clock
from gateway.sinks.jsonl.file import sync_folder
from gateway.sinks.jsonl.rotation import Keeping, compressed_path, rotated_files
from gateway.telemetry.happenings import Happening, Level

CHUNK_BYTES: Final = 1024 * 1024
"""Step of compression; between two steps it looks whether it was cancelled."""
COMPRESS_LEVEL: Final = 6
"""zlib's own default: 9 takes three times as long for two per cent."""

TIDYING_FAILED = Happening(
    "jsonl_tidying_failed",
    Level.WARNING,
    "A rotated file could not be compressed or removed; tried again at the next rotation.",
)


class Tidier:
    """Looks after the files that were put aside from `path`."""

    def __init__(self, path: Path, *, compress: bool, keep: Keeping | None, clock: Clock) -> None:
        self._path = path
        self._compress = compress
        self._keep = keep
        self._clock = clock
        self._wake, self._woken = trio.open_memory_channel[None](1)

    def wake(self) -> None:
        """Ask for one round."""
        # Blocked means: a round that was asked for before has not begun, and will do.
        with suppress(trio.WouldBlock):
            self._wake.send_nowait(None)

    async def run(self) -> None:
        """One round each time somebody asks, until cancelled."""
        limiter = trio.CapacityLimiter(1)
        async for _ in self._woken:
            try:
                await trio.to_thread.run_sync(self._round, limiter=limiter)
            except OSError as error:
                TIDYING_FAILED.emit(path=str(self._path), error=str(error))

    def _round(self) -> None:
        if self._keep is not None:
            for file in self._keep.surplus(rotated_files(self._path), self._clock.now_ns()):
                file.unlink()
        if self._compress:
            for file in rotated_files(self._path):
                if file.suffix != ".gz":
                    _compress(file)


def _compress(file: Path) -> None:
    target = compressed_path(file)
    unfinished = target.with_name(target.name + ".part")
    status = file.stat()
    with file.open("rb") as source, unfinished.open("wb") as sink:
        os.fchmod(sink.fileno(), status.st_mode & 0o777)
        with gzip.GzipFile("", "wb", COMPRESS_LEVEL, sink, mtime=status.st_mtime) as packed:
            while chunk := source.read(CHUNK_BYTES):
                trio.from_thread.check_cancelled()
                packed.write(chunk)
        sink.flush()
        os.fsync(sink.fileno())
    shutil.copystat(file, unfinished)  # `keep.age` counts from the last event, not from now
    unfinished.rename(target)
    sync_folder(target.parent)
    file.unlink()
