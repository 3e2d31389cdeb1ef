"""A look into the write-ahead log by hand, before SQLite opens it.

After a crash SQLite takes the WAL up to the last commit whose frames all have the
right checksums, and silently leaves out the rest. Rightly so when a write was cut
short; but a bit that flipped in the middle would cost every transaction behind
it, though each was acknowledged. So the frames behind the first bad one are read
too: a commit there, sound by itself, tells that the log had gone on.

The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
A frame's checksum runs on from the one before it, and each frame carries it; so a
frame can be judged by its predecessor's stored checksum alone.
"""

import struct
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from gateway.journal.schema import PAGE_BYTES

_HEADER: Final = struct.Struct(">8I")
_FRAME_HEADER: Final = struct.Struct(">6I")
_FRAME_BYTES: Final = _FRAME_HEADER.size + PAGE_BYTES
_MAGIC: Final = 0x377F0682
"""With the lowest bit set, checksums read the words big-endian."""
_WORD: Final = 0xFFFFFFFF

Sums = tuple[int, int]


class WalFinding(msgspec.Struct, frozen=True):
    """What the log looks like."""

    torn: bool = False
    """A write was cut short: something stands there that is no whole transaction."""
    damaged_frame: int | None = None
    """The first bad frame though commits follow; 0 is the file's header."""
    commits_behind: int = 0
    """How many transactions SQLite would leave out."""


class _Frame(msgspec.Struct, frozen=True):
    is_commit: bool
    is_sound: bool
    """By the stored checksum of the frame before it."""
    is_written: bool
    """At least its salts are of this log; else nothing of it ever reached the disk."""


def inspect(path: Path) -> WalFinding:
    """Judge a WAL file; a missing or empty one is sound."""
    try:
        with path.open("rb") as file:
            return _inspect(file)
    except FileNotFoundError:
        return WalFinding()


def _inspect(file: BinaryIO) -> WalFinding:
    # Frame by frame: beside a backup the log grows by all that is written meanwhile.
    header = file.read(_HEADER.size)
    read_frame = partial(file.read, _FRAME_BYTES)
    if not any(frame.strip(b"\0") for frame in iter(read_frame, b"")):
        return WalFinding(torn=bool(header))
    if not _is_header_sound(header):
        # It was synced before any frame was written: it can only have rotted.
        return WalFinding(damaged_frame=0)
    file.seek(_HEADER.size)
    return _judge(list(_frames(header, iter(read_frame, b""))))


def _judge(frames: list[_Frame]) -> WalFinding:
    sound = sum(1 for _ in takewhile(lambda frame: frame.is_sound, frames))
    behind = frames[sound:]
    commits = sum(frame.is_sound and frame.is_commit for frame in behind)
    if commits == 0:
        is_cut_short = any(frame.is_written for frame in behind)
        return WalFinding(torn=is_cut_short or _has_open_end(frames[:sound]))
    if commits == 1 and not behind[0].is_written:
        # Power was lost while the pages of one transaction reached the disk in
        # another order than they were written. It was never acknowledged.
        return WalFinding(torn=True)
    return WalFinding(damaged_frame=sound + 1, commits_behind=commits)


def _has_open_end(frames: list[_Frame]) -> bool:
    return bool(frames) and not frames[-1].is_commit


def _is_header_sound(header: bytes) -> bool:
    magic, *_, sum_1, sum_2 = _HEADER.unpack(header)
    if magic & ~1 != _MAGIC:
        return False
    return _checksum(header[:-8], (0, 0), magic) == (sum_1, sum_2)


def _frames(header: bytes, frames: Iterable[bytes]) -> Iterator[_Frame]:
    magic, _, _, _, salt_1, salt_2, *header_sums = _HEADER.unpack(header)
    before: Sums = (header_sums[0], header_sums[1])
    for frame in takewhile(lambda frame: len(frame) == _FRAME_BYTES, frames):
        _, commit, own_1, own_2, *own_sums = _FRAME_HEADER.unpack_from(frame)
        stored: Sums = (own_sums[0], own_sums[1])
        is_sound = (own_1, own_2) == (salt_1, salt_2)
        if is_sound:
            sums = _checksum(frame[:8], before, magic)
            sums = _checksum(frame[_FRAME_HEADER.size :], sums, magic)
            is_sound = sums == stored
        is_written = own_1 == salt_1 or own_2 == salt_2
        yield _Frame(commit != 0, is_sound, is_written)
        before = stored


def _checksum(data: bytes, sums: Sums, magic: int) -> Sums:
    words = struct.unpack(f"{'>' if magic & 1 else '<'}{len(data) // 4}I", data)
    first, second = sums
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & _WORD
        second = (second + odd + first) & _WORD
    return first, second
