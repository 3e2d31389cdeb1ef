"""The file of a `jsonl` sink, read on as it grows: a scenario asks for it many times a second."""

from pathlib import Path

import msgspec

from tests.scenarios.oracle import Delivered


class EventFile:
    """What stands in the file, whole lines only."""

    def __init__(self) -> None:
        self._begin = 0
        """Offset of the page's first line."""
        self._end = 0
        """Offset behind the last whole line that was read."""
        self._events: list[Delivered] = []

    def read(self, path: Path) -> list[Delivered]:
        """Every event of this page so far."""
        if not path.exists():
            return []
        if path.stat().st_size < self._end:
            # The sink cut back what it could not fsync.
            self._end = self._begin
            self._events.clear()
        with path.open("rb") as file:
            file.seek(self._end)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._end += len(whole + newline)
        self._events += map(msgspec.json.decode, whole.splitlines())
        return list(self._events)

    def turn_page(self) -> None:
        """Forget what was read: a run of hours would not fit into memory."""
        self._begin = self._end
        self._events.clear()
