"""A file of whole lines: appended to, fsynced, healed, followed when it is moved.

Everything here blocks and is called in a thread, one call at a time.
"""

import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.clock import Clock
from gateway.sinks.jsonl.rotation import Rotation, rotated_path
from gateway.telemetry.happenings import Happening, Level

MODE: Final = 0o640
"""Events tell positions and balances: nobody but the group may read along."""
BLOCK_BYTES: Final = 64 * 1024
"""Step of the search for the last whole line."""
TAIL_BYTES: Final = 24 * 1024 * 1024
"""So far back stands what may come again: the batch in flight and two whose cursor was on its
way to disk, of at most 8 MiB each. It is read at a start, and after a failed append."""

TORN_LINE_REMOVED = Happening(
    "jsonl_torn_line_removed",
    Level.WARNING,
    "A half-written last line was cut off; its event is delivered again.",
)


class LineFile:
    """The file at `path`, opened anew whenever what stands there is no longer ours."""

    def __init__(self, path: Path, rotation: Rotation | None, clock: Clock) -> None:
        self.path = path
        self._rotation = rotation
        self._clock = clock
        self._descriptor: int | None = None
        self._doubtful = True
        """Appends may have reached the disk although nobody was told so."""
        self._more_behind = False
        """The file goes on behind the lines that came last, with more that may come again."""

    def append(self, lines: Sequence[bytes], *, on_purpose: bool = False) -> bool:
        """Put `lines` on disk; True when a full file was put aside for them.

        Until `confirm`, a call that brings them again finds them there; so does the first
        one, unless it brings them again `on_purpose`. On an `OSError` the file ends where
        it ended before, as far as the disk lets itself be written to; whatever is left is
        healed by the next call.
        """
        rotated = self._open_current(sum(map(len, lines)))
        descriptor = self._descriptor
        assert descriptor is not None
        if self._doubtful and not on_purpose:
            count, self._more_behind = _already_there(descriptor, lines)
            lines = lines[count:]
        self._doubtful = True
        end = os.fstat(descriptor).st_size
        try:
            _write_all(descriptor, b"".join(lines))
            os.fdatasync(descriptor)
        except OSError:
            # After a failed fsync the kernel may have dropped the pages and call the
            # next fsync a success: forget this descriptor, and write again.
            _cut_back(descriptor, end)
            self.close()
            raise
        return rotated

    def confirm(self) -> None:
        """Whoever asked for the last append has seen its end.

        Not said in the thread that appends: one that was left behind, because its time
        was over, ends without anybody who hears of it.
        """
        self._doubtful = self._more_behind

    def close(self) -> None:
        """Close the file, if open; the next append opens it again."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _open_current(self, coming_bytes: int) -> bool:
        if self._descriptor is not None and not _stands_at(self._descriptor, self.path):
            self.close()  # moved or removed, as logrotate does
        if self._descriptor is None:
            self._descriptor = _open(self.path)
            self._doubtful = True
        if self._rotation is None:
            return False
        status = os.fstat(self._descriptor)
        now_ns = self._clock.now_ns()
        if not self._rotation.is_due(status.st_size, status.st_mtime_ns, coming_bytes, now_ns):
            return False
        # The new name is on disk when the folder is synced for the new file.
        self.path.rename(rotated_path(self.path, now_ns))
        self.close()
        self._descriptor = _open(self.path)
        return True


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(path, flags, MODE)
    try:
        _lock(descriptor)
        _heal(descriptor, path)
        sync_folder(path.parent)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(error.errno, "another sink or program writes to this file") from error


def _heal(descriptor: int, path: Path) -> None:
    size = os.fstat(descriptor).st_size
    end = _end_of_last_line(descriptor, size)
    if end == size:
        return
    os.ftruncate(descriptor, end)
    os.fdatasync(descriptor)
    TORN_LINE_REMOVED.emit(path=str(path), removed_bytes=size - end)


def _end_of_last_line(descriptor: int, size: int) -> int:
    block_end = size
    while block_end > 0:
        block_start = max(0, block_end - BLOCK_BYTES)
        newline = os.pread(descriptor, block_end - block_start, block_start).rfind(b"\n")
        if newline >= 0:
            return block_start + newline + 1
        block_end = block_start
    return 0


def _already_there(descriptor: int, lines: Sequence[bytes]) -> tuple[int, bool]:
    """How many of the first `lines` end the file, byte for byte, and whether more follows them.

    So an append whose answer was lost is not written twice, nor are batches that were
    accepted right before a crash and come again in other portions. Comparing text, not
    seq, keeps this right when a journal was replaced.
    """
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, min(size, TAIL_BYTES), max(0, size - TAIL_BYTES))
    at = tail.rfind(b"\n" + lines[0]) + 1
    if at == 0 and not tail.startswith(lines[0]):
        return 0, False
    count = 0
    while count < len(lines) and tail.startswith(lines[count], at):
        at += len(lines[count])
        count += 1
    if at == len(tail) or count == len(lines):
        return count, at < len(tail)
    return 0, False  # something else follows: it was sent again on purpose


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _cut_back(descriptor: int, end: int) -> None:
    # When even this fails, the first error is the one to tell, and opening heals.
    with suppress(OSError):
        os.ftruncate(descriptor, end)


def _stands_at(descriptor: int, path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino)


def sync_folder(folder: Path) -> None:
    """Make new, renamed and removed names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
