"""From opening to closing: the lock, the files, the thread, and what a failure does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import trio

from gateway.clock import Clock
from gateway.errors import JournalBlocked
from gateway.journal import happenings
from gateway.journal.journal import Journal
from gateway.journal.lock import LOCK_NAME, hold_state_directory
from gateway.journal.meters import Meters
from gateway.journal.opening import Opened, open_store
from gateway.journal.privacy import settle_modes
from gateway.journal.reserve import Reserve
from gateway.journal.retention import Retirement
from gateway.journal.settings import DEFAULT_LIMITS, JournalSettings, Limits
from gateway.journal.writer import Writer
from gateway.telemetry.metrics import Metrics

RESERVE_NAME: Final = "journal.reserve"


@asynccontextmanager
async def open_journal(
    directory: Path,
    settings: JournalSettings,
    *,
    clock: Clock,
    metrics: Metrics,
    limits: Limits = DEFAULT_LIMITS,
) -> AsyncIterator[Journal]:
    """Hold the state directory and open its journal.

    Error handling: `StateDirectoryError` (another gateway has it, or it cannot be
    used) and `JournalDamaged` come before the body runs. When the disk fails later,
    the body is cancelled and `JournalFailed` or `JournalDamaged` comes out of here,
    whatever the body raised meanwhile.

    Resource handling: leaving writes everything that was taken and closes the
    files; a disk that does not answer is waited for `limits.close_seconds`.
    """
    with hold_state_directory(directory), trio.CancelScope() as body:
        reserve = Reserve(directory / RESERVE_NAME, limits.reserve_bytes)
        opened = await trio.to_thread.run_sync(_open, directory, settings, limits, reserve)
        settle_modes(directory, LOCK_NAME)
        store = opened.store
        retire = Retirement(settings.retain, clock)
        meters = Meters(metrics, clock)
        journal = Journal(
            directory,
            store.ledger,
            limits,
            meters,
            make_writer=partial(Writer, store, reserve, retire, limits),
            give_up=body.cancel,
        )
        meters.show(journal.status)
        if opened.healed:
            happenings.TAIL_HEALED.emit(last_seq=journal.last_seq)
        happenings.OPENED.emit(first_seq=journal.first_seq, last_seq=journal.last_seq)
        try:
            yield journal
        finally:
            await journal.aclose(limits.close_seconds)
            if journal.failure is not None and not isinstance(journal.failure, JournalBlocked):
                raise journal.failure


def _open(directory: Path, settings: JournalSettings, limits: Limits, reserve: Reserve) -> Opened:
    try:
        return open_store(directory, settings, limits.segment_ids)
    except JournalBlocked:
        # A full disk must not keep the gateway down: it starts blocked and says so.
        reserve.release()
        return open_store(directory, settings, limits.segment_ids)
