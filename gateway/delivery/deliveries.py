"""All sinks of a gateway: who runs, who is paused, and what was asked of them."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from gateway.clock import Clock
from gateway.contracts.sink import ConfiguredSink
from gateway.contracts.values import Fingerprints, fingerprints
from gateway.delivery import happenings
from gateway.delivery.errands import DeadLetterSource, Errand, Range, RangeSource, ReplayReport
from gateway.delivery.feed import Feed
from gateway.delivery.meter import DISCARDED
from gateway.delivery.status import Health, SinkState, SinkStatus, status_of
from gateway.delivery.surroundings import Surroundings
from gateway.delivery.worker import Worker
from gateway.errors import GatewayError
from gateway.journal import Journal, SinkPosition
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.redaction import REDACTOR, Redactor

_DROPPED_AT_ONCE: Final = 1_000
"""Dead letters in one transaction: events wait behind it."""


class SinkCommandRefused(GatewayError):
    """Root of what commands about sinks raise; the message says what to do."""


class SinkUnknown(SinkCommandRefused):
    """No sink of that name is running, or known to the journal."""


class SinkNotReady(SinkCommandRefused):
    """The sink is not in a state for that command."""


class Delivery:
    """The workers of all sinks. Made by `open_delivery`."""

    def __init__(self, around: Surroundings, nursery: trio.Nursery) -> None:
        self._around = around
        self._journal = around.journal
        self._nursery = nursery
        self._workers: dict[str, Worker] = {}
        self._prints: dict[str, Fingerprints] = {}
        """Of each worker's secrets when it began: a rotated file is a change."""
        self._idle: dict[str, SinkPosition] = {}
        """Sinks without a worker that the journal knows: disabled, removed or stopped."""

    # --- configuration --------------------------------------------------------

    async def start(
        self, configured: ConfiguredSink, *, errands_only: bool = False, paused: bool = False
    ) -> None:
        """Begin to serve a sink, from where it was; a disabled one only shows in `status`.

        `errands_only` leaves new events alone: for `gateway replay` and `gateway dlq`
        on a stopped gateway.
        """
        name, options = configured.name, configured.options
        if not options.enabled:
            await self._release(name)
            return
        position = await self._journal.register_sink(
            name, options.type, options.start, holds_retention=True, overflow=options.overflow
        )
        self._idle.pop(name, None)
        worker = Worker(configured, position, self._around, errands_only=errands_only)
        self._workers[name] = worker
        self._prints[name] = fingerprints(configured.settings)
        if paused:
            worker.pause()
        self._nursery.start_soon(worker.run, name=f"sink:{name}")
        happenings.STARTED.emit(sink=name, type=options.type, cursor=position.cursor)

    async def stop(self, name: str) -> None:
        """End a sink's worker in order: the delivery in flight is answered first."""
        worker = self._workers.pop(name)
        await worker.stop()
        self._idle[name] = worker.courier.position
        happenings.STOPPED.emit(sink=name, cursor=worker.courier.position.cursor)

    async def reconfigure(self, sinks: Mapping[str, ConfiguredSink]) -> None:
        """Serve exactly `sinks`. Those that did not change never notice."""
        changed = [
            name
            for name, worker in self._workers.items()
            if sinks.get(name) != worker.configured
            or fingerprints(worker.configured.settings) != self._prints[name]
        ]
        paused = {name for name in changed if self._workers[name].paused}
        async with trio.open_nursery() as nursery:
            for name in changed:
                nursery.start_soon(self.stop, name)
        # Those that an earlier run served and nobody configures any more hold back nothing.
        for name in list(self._idle):
            if name not in sinks:
                await self._release(name)
        for name, configured in sinks.items():
            if name not in self._workers:
                await self.start(configured, paused=name in paused)

    async def _release(self, name: str) -> None:
        await self.learn_idle()
        if name in self._idle:
            await self._journal.release_sink(name)
        self._around.metrics.forget("sink", name)

    async def drain(self, seconds: float) -> dict[str, int]:
        """Deliver what can be within `seconds`, then end every worker.

        Gives what is left, by sink; it waits for the next start.
        """
        workers = dict(self._workers)
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                for worker in workers.values():
                    nursery.start_soon(worker.drain)
        left = {}
        for name, worker in workers.items():
            await worker.cut()
            if pending := worker.status().pending:
                left[name] = pending
                happenings.UNDELIVERED.emit(sink=name, events=pending)
        return left

    async def learn_idle(self) -> None:
        """Look up which sinks the journal knows that have no worker."""
        for position in await self._journal.sink_positions():
            if position.name not in self._workers:
                self._idle[position.name] = position

    # --- commands -------------------------------------------------------------

    def pause(self, name: str) -> None:
        """Send a sink nothing more after the delivery in flight; its events wait."""
        self._worker(name).pause()
        happenings.PAUSED.emit(sink=name)

    def resume(self, name: str) -> None:
        """Let a paused sink go on where it was."""
        self._worker(name).resume()
        happenings.RESUMED.emit(sink=name)

    async def forget(self, name: str) -> None:
        """Let the journal forget a sink's place and dead letters.

        Only of a sink that is paused, which then begins anew as `start` says, or
        that is not served at all.
        """
        worker = self._workers.get(name)
        if worker is not None:
            if not worker.paused:
                raise SinkNotReady(f"sink {name} is running: pause it, or disable it, first")
            await self.stop(name)
        await self.learn_idle()
        if name not in self._idle:
            raise SinkUnknown(f"the journal knows no sink {name}")
        await self._journal.forget_sink(name)
        del self._idle[name]
        happenings.FORGOTTEN.emit(sink=name)
        if worker is not None:
            await self.start(worker.configured, paused=True)

    async def replay(self, name: str, wanted: Range, *, dry_run: bool = False) -> ReplayReport:
        """Send a range again, with the same ids, through the sink's filters."""
        worker = self._worker(name)
        feed = Feed(self._journal, worker.configured.options)
        errand = Errand(RangeSource(self._journal, name, feed, wanted))
        if dry_run:
            return await errand.rehearse()
        return await self._send_again(worker, errand)

    async def dlq_replay(self, name: str, numbers: Sequence[int] | None = None) -> ReplayReport:
        """Send dead letters again: those with the given numbers, or all of the sink.

        What is accepted counts as delivered; what is refused again stays.
        """
        worker = self._worker(name)
        source = DeadLetterSource(self._journal, name, worker.feed, numbers)
        return await self._send_again(worker, Errand(source))

    async def dlq_drop(self, numbers: Sequence[int]) -> int:
        """Give dead letters up; how many there were."""
        resolved: Counter[str] = Counter()
        for begin in range(0, len(numbers), _DROPPED_AT_ONCE):
            part = numbers[begin : begin + _DROPPED_AT_ONCE]
            resolved.update(await self._journal.resolve_dead_letters(part, "dropped"))
        for name in resolved.keys() & self._workers.keys():
            courier = self._workers[name].courier
            courier.meter.dropped(resolved[name], DISCARDED)
            await courier.look_up()
        await self.learn_idle()
        happenings.DISCARDED.emit(events=resolved.total())
        return resolved.total()

    async def _send_again(self, worker: Worker, errand: Errand) -> ReplayReport:
        if worker.paused:
            raise SinkNotReady(f"sink {worker.configured.name} is paused: resume it first")
        await worker.send_again(errand)
        await worker.courier.look_up()
        if not errand.completed:
            raise SinkNotReady(f"sink {worker.configured.name} stopped before all was sent again")
        report = errand.report()
        happenings.REPLAYED.emit(sink=worker.configured.name, sent=report.sent)
        return report

    # --- what is seen ---------------------------------------------------------

    def status(self) -> dict[str, SinkStatus]:
        """Every sink that is configured or that the journal knows, by name."""
        stopped = Health(state=SinkState.STOPPED)
        found = {
            name: status_of(position, self._journal, stopped)
            for name, position in self._idle.items()
        }
        found |= {name: worker.status() for name, worker in self._workers.items()}
        return dict(sorted(found.items()))

    def cursor(self, name: str) -> int:
        """The last seq that a running sink has settled. Raises `SinkUnknown`."""
        return self._worker(name).courier.position.cursor

    def show_pending(self) -> None:
        """Set the gauges right before a scrape."""
        for worker in self._workers.values():
            worker.show_pending()

    def _worker(self, name: str) -> Worker:
        if name not in self._workers:
            known = ", ".join(sorted(self._workers)) or "none"
            raise SinkUnknown(f"no sink {name} is running (running: {known})")
        return self._workers[name]


@asynccontextmanager
async def open_delivery(
    journal: Journal,
    *,
    clock: Clock,
    metrics: Metrics,
    state_dir: Path,
    redactor: Redactor = REDACTOR,
) -> AsyncIterator[Delivery]:
    """A delivery without sinks; `start` or `reconfigure` brings them.

    Leaving it ends every worker where it stands; call `drain` first. What the
    journal raises in a worker comes out here.
    """
    around = Surroundings(
        journal=journal, clock=clock, metrics=metrics, state_dir=state_dir, redactor=redactor
    )
    async with trio.open_nursery() as nursery:
        delivery = Delivery(around, nursery)
        await delivery.learn_idle()
        metrics.before_scrape(delivery.show_pending)
        yield delivery
        nursery.cancel_scope.cancel()
