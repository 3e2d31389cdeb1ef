"""How the WAL gets into the database while the writer goes on, and what of it can fail."""

import errno
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import apsw
import pytest

from gateway.errors import JournalBlocked, JournalFailed
from gateway.journal import JournalSettings, checkpoints
from gateway.journal import store as store_module
from gateway.journal.checkpoints import Checkpointer
from gateway.journal.opening import open_store
from gateway.journal.records import prepare
from gateway.journal.store import Addition, Store
from tests.doubles.events import fill_event

NUMBERS = count(1)
PAGE = 4_096
THREAD = "journal-checkpoints"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new one."""
    opened = open_store(tmp_path, JournalSettings(), 65_536).store
    yield opened
    opened.abandon()


def write_pages(store: Store, pages: int, *, tidy: bool = True) -> None:
    """Groups of an event of ten pages each."""
    for _ in range(pages // 10):
        [prepared] = prepare([fill_event(next(NUMBERS), raw="x" * (10 * PAGE))])
        store.write([Addition([prepared], ())])
        if tidy:
            store.tidy()


def size(tmp_path: Path, suffix: str = "") -> int:
    """Of one of the journal's files."""
    return (tmp_path / f"journal.db{suffix}").stat().st_size


def checkpointer_of(store: Store) -> Checkpointer:
    """The SQLite at hand is new enough for one."""
    assert store._checkpointer is not None
    return store._checkpointer


def break_checkpoints(store: Store, fault: Exception | Callable[[], object]) -> Callable[[], None]:
    """Have the checkpointer's fail, or do something else; the answer mends them."""
    checkpointer: Any = checkpointer_of(store)
    sound = checkpointer._connection

    class Broken:
        system_errno = errno.EIO

        def wal_checkpoint(self, *_: object, **__: object) -> tuple[int, int]:
            if isinstance(fault, Exception):
                raise fault
            fault()
            return 0, 0

        def __getattr__(self, name: str) -> Any:
            return getattr(sound, name)

    checkpointer._connection = Broken()

    def mend() -> None:
        checkpointer._connection = sound

    return mend


def test_the_log_is_folded_beside_the_writer(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What was written gets into the database without a checkpoint of the writer's."""
    monkeypatch.setattr(store, "_checkpoint", lambda: pytest.fail("the writer's own"))
    write_pages(store, 1_500)
    checkpointer_of(store).wait()

    assert size(tmp_path) > 900 * PAGE


def test_the_log_does_not_grow_for_ever(store: Store, tmp_path: Path):
    """Under a burst that never rests it begins anew all the same."""
    longest = 0
    for _ in range(24):
        write_pages(store, 1_000)
        longest = max(longest, size(tmp_path, "-wal"))

    assert longest < 14_000 * PAGE


def test_a_slow_disk_slows_the_writer(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Where checkpoints do not keep up, the log does not fill the disk instead."""
    monkeypatch.setattr(store_module, "_MOST_PAGES", 3_000)
    go_on, waits, checkpointer = threading.Event(), threading.Event(), checkpointer_of(store)
    wait = checkpointer.wait
    monkeypatch.setattr(checkpointer, "wait", lambda: (waits.set(), wait()))
    slow = break_checkpoints(store, lambda: go_on.wait(30))
    writer = threading.Thread(target=write_pages, args=(store, 6_000))
    writer.start()
    assert waits.wait(30)
    assert 3_000 * PAGE <= size(tmp_path, "-wal")
    assert size(tmp_path, "-wal") < 4_000 * PAGE

    slow()
    go_on.set()
    writer.join(30)
    assert not writer.is_alive()


def test_a_full_disk_is_told_once_and_then_tried_by_the_writer(store: Store, tmp_path: Path):
    """The writer alone finds out whether there is space again, and then all goes on as before."""
    mend = break_checkpoints(store, apsw.FullError("full"))
    write_pages(store, 1_500, tidy=False)
    store.tidy()
    checkpointer_of(store).wait()
    with pytest.raises(JournalBlocked):
        store.tidy()
    mend()
    before = size(tmp_path)
    store.tidy()

    assert size(tmp_path) > before
    write_pages(store, 1_500)
    checkpointer_of(store).wait()
    assert size(tmp_path) > before + 2_000 * PAGE


def test_any_other_failure_is_for_good(store: Store):
    """After an fsync that failed nobody knows what is on disk: the journal ends."""
    break_checkpoints(store, apsw.IOError("disk I/O error"))
    write_pages(store, 1_500, tidy=False)
    store.tidy()
    checkpointer_of(store).wait()
    for _ in range(2):
        with pytest.raises(JournalFailed):
            store.tidy()


def test_an_older_sqlite_leaves_it_to_the_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Before 3.51.3 two connections must not meet at the end of a log."""
    monkeypatch.setattr(checkpoints.apsw, "sqlite_lib_version", lambda: "3.51.2")
    store = open_store(tmp_path, JournalSettings(), 65_536).store
    assert THREAD not in names_of_threads()
    write_pages(store, 1_500)

    assert size(tmp_path) > 900 * PAGE
    store.close()


@pytest.mark.parametrize("end", [Store.close, Store.abandon])
def test_its_thread_ends_with_the_store(tmp_path: Path, end: Callable[[Store], None]):
    """Neither a stop nor a failure leaves a thread or an open file behind."""
    store = open_store(tmp_path, JournalSettings(), 65_536).store
    write_pages(store, 1_500)
    assert THREAD in names_of_threads()
    end(store)

    assert THREAD not in names_of_threads()
    assert not [name for name in open_files() if name.startswith(str(tmp_path))]


def names_of_threads() -> list[str]:
    """Of this process."""
    return [thread.name for thread in threading.enumerate()]


def open_files() -> list[str]:
    """Of this process."""
    folder = Path("/proc/self/fd")
    return [str(each.readlink()) for each in folder.iterdir() if each.is_symlink()]
