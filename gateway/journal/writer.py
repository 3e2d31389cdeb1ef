"""The journal's thread: takes what waits, writes it as one group, tells the loop.

Alone, a request is written at once; under load, whatever came in during one
commit makes up the next, so the price of an fsync is shared by as many as wait.

It is a thread of its own, not one of Trio's workers: sinks that hang could take
all of those. It talks to the loop only by `Announce`, which must not block.

Of failures it knows two kinds. No space: the group is kept and tried again, and
blocks that were kept aside for this are released, so that the gaps which the
sources declare can still be written. Anything else: the connection is never used
again, since after a failed fsync nobody knows what is on disk.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gateway.errors import JournalBlocked, JournalError, JournalFailed
from gateway.journal import commands
from gateway.journal.reserve import Reserve
from gateway.journal.retention import Retired, Retirement
from gateway.journal.settings import Limits
from gateway.journal.store import Request, Store, Written


class Job(msgspec.Struct, frozen=True, eq=False):
    """A request on its way through the thread, with its weight in a group."""

    request: Request
    events: int = 0
    bytes: int = 0


_LOOK_AHEAD: Final = Job(commands.pass_by)
"""Wakes the thread for what was put ahead; never part of a group."""


class GroupWritten(msgspec.Struct, frozen=True):
    """A group is on disk."""

    jobs: Sequence[Job]
    written: Written
    seconds: float


class SpaceChanged(msgspec.Struct, frozen=True):
    """The disk is full, or no longer."""

    full: bool


class WriterFailed(msgspec.Struct, frozen=True):
    """Nothing more will be written, and what was put since the last group was not."""

    error: JournalError


class WriterStopped(msgspec.Struct, frozen=True):
    """The thread ends; its last word."""


News = GroupWritten | Retired | SpaceChanged | WriterFailed | WriterStopped
Announce = Callable[[News], None]


class Writer:
    """The thread. `put` and `stop` are called from the loop, everything else in the thread."""

    def __init__(
        self,
        store: Store,
        reserve: Reserve,
        retire: Retirement,
        limits: Limits,
        announce: Announce,
    ) -> None:
        self._store: Final = store
        self._reserve: Final = reserve
        self._retire: Final = retire
        self._limits: Final = limits
        self._announce: Final = announce
        self._queue: Final[queue.SimpleQueue[Job | None]] = queue.SimpleQueue()
        self._ahead: Final[deque[Job]] = deque()
        self._stopping: Final = threading.Event()
        self._drained = False
        self._full = False
        self._retire_at = 0.0
        self.last_life: float = time.monotonic()
        """When the thread last showed that it is not stuck in a system call."""

    def start(self) -> None:
        """Begin. A daemon thread: a disk that never answers must not keep the process."""
        threading.Thread(target=self._run, name="journal-writer", daemon=True).start()

    def put(self, job: Job, *, ahead: bool = False) -> None:
        """Hand over a request; never blocks. `ahead`: it need not wait for those before it."""
        if ahead:
            self._ahead.append(job)
            self._queue.put(_LOOK_AHEAD)
        else:
            self._queue.put(job)

    def stop(self) -> None:
        """Write what was put so far, then end."""
        self._stopping.set()
        self._queue.put(None)

    def _run(self) -> None:
        try:
            self._work()
            self._store.close()
        except JournalError as error:
            self._store.abandon()
            self._announce(WriterFailed(error))
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to
            self._store.abandon()
            failure = JournalFailed(f"journal: the writer broke: {error!r}")
            failure.__cause__ = error
            self._announce(WriterFailed(failure))
        self._announce(WriterStopped())

    def _work(self) -> None:
        if not self._reserve.make():
            self._give_reserve()
        busy = False
        while not self._drained:
            group = self._take(patient=not busy)
            if group:
                self._write(group)
            busy = self._tidy()

    def _take(self, *, patient: bool) -> list[Job]:
        """What waits, up to a group's bounds; nothing when there is none."""
        group = self._take_ahead()
        # Who is in a hurry does not wait for many others.
        most = self._limits.group_events
        if group:
            most = min(most, self._limits.hurried_events)
        events = size = 0
        try:
            while events < most and size < self._limits.group_bytes:
                self.last_life = time.monotonic()
                job = self._queue.get(patient and not group, self._limits.retry_seconds)
                if job is None:
                    self._drained = True
                    break
                if job is _LOOK_AHEAD:
                    group += self._take_ahead()
                    continue
                group.append(job)
                events += job.events
                size += job.bytes
        except queue.Empty:
            pass
        return group

    def _take_ahead(self) -> list[Job]:
        return [self._ahead.popleft() for _ in range(len(self._ahead))]

    def _write(self, group: Sequence[Job]) -> None:
        requests = [job.request for job in group]
        written = None
        while written is None:
            begun = time.monotonic()
            try:
                written = self._store.write(requests)
            except JournalBlocked:
                self._wait_for_space()
            else:
                self._announce(GroupWritten(group, written, time.monotonic() - begun))

    def _tidy(self) -> bool:
        """Take a step of housekeeping; True when there is more of it."""
        if self._full and not self._reserve.make():
            # What is left is for the last words.
            return False
        try:
            more = self._retire_if_due() or self._store.tidy()
        except JournalBlocked:
            # The groups are safe in the WAL; the database file will get them later.
            self._give_reserve()
            return False
        if self._full:
            self._full = False
            self._announce(SpaceChanged(full=False))
        return more

    def _retire_if_due(self) -> bool:
        if time.monotonic() < self._retire_at:
            return False
        [retired] = self._store.write([self._retire]).results
        if isinstance(retired, JournalError):
            raise retired
        assert isinstance(retired, Retired)
        self._announce(retired)
        if not retired.more:
            self._retire_at = time.monotonic() + self._limits.retention_seconds
        return retired.more

    def _wait_for_space(self) -> None:
        """Return when another try makes sense; at once after the reserve was given."""
        self.last_life = time.monotonic()
        if self._give_reserve():
            return
        if self._stopping.wait(self._limits.retry_seconds):
            raise JournalBlocked("the disk stayed full until the gateway stopped")

    def _give_reserve(self) -> bool:
        """Leave its blocks to the last words; False when the disk was full before."""
        self._reserve.release()
        if self._full:
            return False
        self._full = True
        self._announce(SpaceChanged(full=True))
        return True
