"""The accounts of this gateway, each in a task of its own in one nursery.

The roster starts and stops them, closes all of them while the journal cannot
write, and runs the timers that they share, so that a thousand quiet accounts cost
one timer and not a thousand.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import msgspec
import trio

from gateway.accounts import happenings
from gateway.accounts.account import Account
from gateway.accounts.standby import StandBy
from gateway.accounts.status import AccountStatus
from gateway.accounts.supervisor import Ending, Supervisor
from gateway.clock import Clock
from gateway.contracts.adapter import ConfiguredAccount, ConnectGate
from gateway.contracts.changes import changes_between
from gateway.contracts.values import Fingerprints, fingerprints
from gateway.events.model import StreamReason, StreamStatus
from gateway.journal import Journal
from gateway.telemetry.metrics import Metrics
from gateway.wire.commons import HostCommons
from gateway.wire.keepalive import every
from gateway.wire.limits import RequestLimits
from gateway.wire.pauses import PauseDetector

SAVE_LIFE_EVERY_SECONDS: Final = 10.0
"""How often the last proof of life of every account is persisted."""

PAUSE_SECONDS: Final = 30.0
"""A process that did not run for longer has missed a heartbeat."""

_MOVED = Ending(StreamReason.MOVED, "another gateway of the cluster owns the account now")
_REMOVED = Ending(StreamReason.STOPPED, "the account was removed or disabled")
_CHANGED = Ending(StreamReason.RECONFIGURED, "a reload changed the account", says_stopped=False)
_BLOCKED = {
    "disk_full": Ending(StreamReason.DISK_FULL, "the disk is full", says_stopped=False),
    "sink_blocked": Ending(
        StreamReason.SINK_BLOCKED,
        "a sink with `overflow: block` holds the journal at its size limit",
        says_stopped=False,
    ),
}


class Wanted(msgspec.Struct, frozen=True):
    """A configured account; a rotated secret file makes another of it."""

    configured: ConfiguredAccount
    secrets: Fingerprints


def enabled(accounts: Mapping[str, ConfiguredAccount]) -> dict[str, Wanted]:
    """Those that are to run somewhere, each with its secrets as they are now."""
    return {
        name: Wanted(each, fingerprints(each.settings))
        for name, each in accounts.items()
        if each.options.enabled
    }


class _Running(msgspec.Struct, frozen=True):
    account: Account
    supervisor: Supervisor
    scope: trio.CancelScope


class Roster:
    """Every running account, by name."""

    def __init__(
        self,
        nursery: trio.Nursery,
        *,
        journal: Journal,
        clock: Clock,
        metrics: Metrics,
        connect_gate: ConnectGate,
        heartbeat_seconds: float | None,
    ) -> None:
        self._nursery = nursery
        self._journal = journal
        self._clock = clock
        self._metrics = metrics
        self._connect_gate = connect_gate
        self._request_limits = RequestLimits()
        self._commons = HostCommons()
        self._heartbeat_seconds = heartbeat_seconds
        self._wanted: dict[str, Wanted] = {}
        self._running: dict[str, _Running] = {}
        self._ending: dict[str, trio.Event] = {}
        """Of each account that is being stopped: set when it has ended."""
        self._accounts: dict[str, Account] = {}
        """Every wanted account as it was last opened, running or not."""
        metrics.before_scrape(self._update_gauges)

    # --- what is configured ------------------------------------------------------

    async def reconfigure(self, accounts: Mapping[str, ConfiguredAccount]) -> dict[str, list[str]]:
        """Run exactly these accounts. What did not change keeps its sockets.

        Returns the names by what became of them: added, removed, changed, unchanged.
        """
        old, wanted = self._wanted, enabled(accounts)
        changes = changes_between(old, wanted)
        self._wanted = wanted
        async with trio.open_nursery() as nursery:
            for name in changes["removed"]:
                nursery.start_soon(self._stop, name, _REMOVED)
            for name in changes["changed"]:
                nursery.start_soon(self._stop, name, _CHANGED)
        for name in changes["removed"]:
            self._accounts.pop(name, None)
            self._metrics.forget("account", name)
        if not self._journal.blocked:
            await self._start_missing()
        for name in changes["unchanged"]:
            if name in self._running:
                self._running[name].supervisor.nudge_if_suspended()
        return changes

    # --- one by one, for a cluster --------------------------------------------------

    async def add(self, configured: ConfiguredAccount, *, standing_by: bool = False) -> None:
        """Run one more account; `standing_by` lets it only listen until it is admitted."""
        name = configured.name
        self._wanted[name] = Wanted(configured, fingerprints(configured.settings))
        if standing_by:
            await self._start(configured, StandBy())
        elif not self._journal.blocked:
            await self._start(configured)

    async def drop(self, name: str) -> None:
        """Run an account no more: another gateway does."""
        await self._stop(name, _MOVED)
        self._wanted.pop(name, None)
        self._accounts.pop(name, None)
        self._metrics.forget("account", name)

    # --- control -----------------------------------------------------------------

    def names(self) -> list[str]:
        """Of every wanted account."""
        return list(self._wanted)

    def is_running(self, name: str) -> bool:
        """False while its task is stopped: the journal is blocked."""
        return name in self._running

    def reconnect(self, name: str) -> None:
        """Replace the account's connections, make before break. `KeyError` if unknown."""
        self._running[name].supervisor.reconnect()

    def recover(self, name: str) -> None:
        """Read REST for the account now. `KeyError` if unknown."""
        self._running[name].supervisor.recovery.request()

    def account(self, name: str) -> Account | None:
        """A wanted account, for its book."""
        return self._accounts.get(name)

    def status(self) -> dict[str, AccountStatus]:
        """Of every wanted account, but for those that only stand by."""
        return {
            name: account.status()
            for name, account in self._accounts.items()
            if account.standby is None
        }

    # --- tasks ---------------------------------------------------------------------

    async def run_shared_timers(self) -> None:
        """Persist proofs of life, give signs of life, notice pauses, obey the journal."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._save_lives)
            nursery.start_soon(self._watch_pauses)
            nursery.start_soon(self._obey_journal)
            if self._heartbeat_seconds is not None:
                nursery.start_soon(self._give_signs_of_life, self._heartbeat_seconds)

    async def _save_lives(self) -> None:
        async for _ in every(SAVE_LIFE_EVERY_SECONDS):
            rows = [each.account.coverage.life_to_save() for each in self._running.values()]
            changed = [row for row in rows if row is not None]
            if changed and not self._journal.blocked:
                self._journal.append_nowait([], changed)

    async def _give_signs_of_life(self, seconds: float) -> None:
        async for _ in every(seconds):
            for running in self._running.values():
                if running.account.coverage.live_connections:
                    running.account.coverage.say(StreamStatus.ALIVE, StreamReason.HEARTBEAT)

    async def _watch_pauses(self) -> None:
        """After a pause, what the sockets still hold proves nothing: open all of them anew."""
        await PauseDetector(PAUSE_SECONDS).run(self._after_pause)

    def _after_pause(self, seconds: float) -> None:
        happenings.PAUSED.emit(seconds=round(seconds, 1))
        began_ns = self._clock.now_ns() - int(seconds * 1e9)
        for running in self._running.values():
            coverage = running.account.coverage
            coverage.open_gap(
                StreamReason.PROCESS_PAUSED,
                f"the gateway did not run for {seconds:.0f} s",
                # What was read from the socket since it ran again proves nothing about then.
                since_ns=min(coverage.life_ns, began_ns),
                in_doubt=True,
            )
            running.supervisor.replace_all(StreamReason.PROCESS_PAUSED)

    async def _obey_journal(self) -> None:
        """Sources pause while the journal cannot write: sockets closed, a gap declared."""
        while True:
            await self._journal.wait_blocked()
            reason = self._journal.status().blocked_reason or "disk_full"
            happenings.SOURCES_PAUSED.emit(reason=reason)
            await self._stop_all(_BLOCKED.get(reason, _BLOCKED["disk_full"]))
            await self._journal.wait_unblocked()
            happenings.SOURCES_RESUMED.emit()
            await self._start_missing()

    async def _stop_all(self, ending: Ending) -> None:
        async with trio.open_nursery() as nursery:
            for name, running in list(self._running.items()):
                if running.account.standby is None:
                    nursery.start_soon(self._stop, name, ending)
                else:
                    # Who cannot journal takes nothing over.
                    nursery.start_soon(self.drop, name)

    async def _stop(self, name: str, ending: Ending) -> None:
        running = self._running.get(name)
        if running is None:
            return
        running.supervisor.ending = ending
        running.scope.cancel()
        if name not in self._ending:
            self._ending[name] = trio.Event()
        await self._ending[name].wait()

    async def _start_missing(self) -> None:
        for name, wanted in self._wanted.items():
            if name not in self._running:
                await self._start(wanted.configured)

    async def _start(self, configured: ConfiguredAccount, standby: StandBy | None = None) -> None:
        account = Account(
            configured,
            journal=self._journal,
            clock=self._clock,
            metrics=self._metrics,
            connect_gate=self._connect_gate,
            request_gate=self._request_limits,
            commons=self._commons,
            standby=standby,
        )
        if standby is None:
            await account.load()
        running = _Running(account, Supervisor(account), trio.CancelScope())
        self._running[configured.name] = running
        self._accounts[configured.name] = account
        self._nursery.start_soon(
            self._run, configured.name, running, name=f"account:{configured.name}"
        )

    async def _run(self, name: str, running: _Running) -> None:
        try:
            with running.scope:
                await running.supervisor.run()
        finally:
            del self._running[name]
            if name in self._ending:
                self._ending.pop(name).set()

    def _update_gauges(self) -> None:
        for running in self._running.values():
            running.account.update_gauges()


@asynccontextmanager
async def open_roster(
    *,
    journal: Journal,
    clock: Clock,
    metrics: Metrics,
    connect_gate: ConnectGate,
    heartbeat_seconds: float | None = None,
) -> AsyncIterator[Roster]:
    """Keep accounts until the block ends; then each says its goodbye in the journal."""
    async with trio.open_nursery() as nursery:
        roster = Roster(
            nursery,
            journal=journal,
            clock=clock,
            metrics=metrics,
            connect_gate=connect_gate,
            heartbeat_seconds=heartbeat_seconds,
        )
        nursery.start_soon(roster.run_shared_timers, name="accounts:timers")
        try:
            yield roster
        finally:
            nursery.cancel_scope.cancel()
