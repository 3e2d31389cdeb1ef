"""When a file is full, and what it is called afterwards. Pure but for looking around.

A file put aside is ``events.20261122T130211.123456Z.jsonl``, and once compressed
has ``.gz`` behind that; names sort by time.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from gateway.contracts.values import Bytes, Seconds
from gateway.events.times import from_nanoseconds

_STAMP: Final = r"\d{8}T\d{6}\.\d{6}Z"
_NS: Final = 1_000_000_000


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """When to put the file aside; whichever comes first."""

    size: Bytes | None = None
    """Before it would grow beyond this."""
    every: Seconds | None = None
    """At each full period of UTC: `1h` at the hour, `1d` at midnight. A quiet file
    waits for its next event."""

    def is_due(self, size: int, changed_ns: int, coming_bytes: int, now_ns: int) -> bool:
        """Tell whether a file of this size and age is full. An empty one never is."""
        if size == 0:
            return False
        if self.size is not None and size + coming_bytes > self.size:
            return True
        if self.every is None:
            return False
        period_ns = int(self.every * _NS)
        return changed_ns // period_ns != now_ns // period_ns


class Keeping(msgspec.Struct, frozen=True, kw_only=True):
    """Which files that were put aside to keep; what fails either test is removed."""

    files: int | None = None
    """At most so many."""
    age: Seconds | None = None
    """None older than this."""

    def surplus(self, files: Sequence[Path], now_ns: int) -> set[Path]:
        """Which of `files`, oldest first, to remove."""
        found = set() if self.files is None else set(files[: max(0, len(files) - self.files)])
        if self.age is not None:
            oldest_ns = now_ns - int(self.age * _NS)
            found |= {file for file in files if file.stat().st_mtime_ns < oldest_ns}
        return found


def rotation_problems(rotate: Rotation | None, keep: Keeping | None) -> list[tuple[str, str]]:
    """Mistakes in a configuration that no type shows."""
    problems = []
    if rotate is not None and rotate.size is None and rotate.every is None:
        problems.append(("rotate", "needs `size`, `every` or both"))
    if rotate is not None and rotate.size is not None and rotate.size <= 0:
        problems.append(("rotate.size", "must be more than 0"))
    if rotate is not None and rotate.every is not None and rotate.every < 1:
        problems.append(("rotate.every", "must be at least 1s"))
    if keep is not None and rotate is None:
        problems.append(("keep", "keeps rotated files, but `rotate` is not set"))
    if keep is not None and keep.files is not None and keep.files < 0:
        problems.append(("keep.files", "must not be negative"))
    return problems


def rotated_path(path: Path, now_ns: int) -> Path:
    """A free name beside `path` for its contents so far."""
    while True:
        stamp = re.sub("[-:]", "", from_nanoseconds(now_ns))
        found = path.with_name(f"{path.stem}.{stamp}{path.suffix}")
        if not found.exists() and not compressed_path(found).exists():
            return found
        now_ns += 1000  # the clock stood still or was set back; a microsecond later is free


def rotated_files(path: Path) -> list[Path]:
    """Every file that was put aside from `path`, oldest first."""
    wanted = re.compile(rf"{re.escape(path.stem)}\.{_STAMP}{re.escape(path.suffix)}(\.gz)?")
    with suppress(FileNotFoundError):
        return sorted(file for file in path.parent.iterdir() if wanted.fullmatch(file.name))
    return []


def compressed_path(file: Path) -> Path:
    """What a file that was put aside is called once compressed."""
    return file.with_name(file.name + ".gz")
