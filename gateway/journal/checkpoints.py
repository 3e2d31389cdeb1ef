"""Folding the write-ahead log into the database, beside the writer and not in turns with it.

A checkpoint of a thousand pages takes 30 ms, in which no group could be written: a quarter
of the writer's time under a burst, and every hundredth event's delay under a light load.
So a thread of its own does it, over a connection of its own. There is never more than one
at work: while this one is busy the writer leaves checkpoints alone.
"""

import queue
import threading
from pathlib import Path
from typing import Final

import apsw

from gateway.errors import JournalBlocked, JournalError
from gateway.journal.database import connect_checkpointer, let_go, our_errors
from gateway.journal.settings import Durability

_FIXED: Final = (3, 51, 3)
"""Before this SQLite a checkpoint beside a writer could corrupt the database, very rarely:
https://www.sqlite.org/wal.html#walresetbug"""
_CLOSE_SECONDS: Final = 5.0


class Checkpointer:
    """The thread. Everything but `_run` is called in the writer's thread."""

    def __init__(self, path: Path, durability: Durability) -> None:
        self.folded = 0
        """Frames of the log that need not be copied any more, as of the last checkpoint."""
        self._connection: Final = connect_checkpointer(path, durability)
        self._wanted: Final[queue.SimpleQueue[bool]] = queue.SimpleQueue()
        self._idle: Final = threading.Event()
        self._idle.set()
        self._failure: JournalError | None = None
        self._thread: Final = threading.Thread(
            target=self._run, name="journal-checkpoints", daemon=True
        )
        self._thread.start()

    @property
    def is_busy(self) -> bool:
        """Whether a checkpoint is under way."""
        return not self._idle.is_set()

    def wait(self) -> None:
        """Wait for the one that is under way."""
        self._idle.wait()

    def begin(self) -> None:
        """Begin a checkpoint, if none is under way."""
        if not self.is_busy:
            self._idle.clear()
            self._wanted.put(True)

    def raise_failure(self) -> None:
        """Raise what the last checkpoint failed of; `JournalBlocked` once."""
        failure = self._failure
        if isinstance(failure, JournalBlocked):
            self._failure = None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """End it, after the checkpoint that is under way."""
        self._wanted.put(False)
        # One that hangs in the disk is left behind; its thread keeps no process.
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while self._wanted.get():
            try:
                with our_errors(self._connection):
                    self._checkpoint()
            except JournalError as failure:
                self._failure = failure
            self._idle.set()
        let_go(self._connection)

    def _checkpoint(self) -> None:
        try:
            _, self.folded = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.BusyError:
            return  # another program does it


def open_checkpointer(path: Path, durability: Durability) -> Checkpointer | None:
    """One for this database, or None where the SQLite at hand is not up to it."""
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    return Checkpointer(path, durability) if version >= _FIXED else None
