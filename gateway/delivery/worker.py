"""One loop per sink: open it, read on, deliver, until told otherwise.

Everything a sink does wrong ends here: a hung delivery is cut, a crash is told
once and tried again, and no other sink notices. What the *journal* raises is
passed on, because it concerns the house.
"""

import math
from collections import deque

import trio

from gateway.contracts.sink import ConfiguredSink, Sink, SinkContext
from gateway.delivery.attempt import describe
from gateway.delivery.batch import Batch
from gateway.delivery.courier import Courier
from gateway.delivery.errands import Errand
from gateway.delivery.feed import Feed, Overtaken
from gateway.delivery.policy import Result, Trouble
from gateway.delivery.status import SinkState, SinkStatus, status_of
from gateway.delivery.steering import Steering, Wish
from gateway.delivery.surroundings import Surroundings
from gateway.errors import JournalError, SinkUnavailable
from gateway.journal import SinkPosition
from gateway.telemetry.redaction import Redactor


class Worker:
    """Serves one configured sink until it is told to end."""

    def __init__(
        self,
        configured: ConfiguredSink,
        position: SinkPosition,
        around: Surroundings,
        *,
        errands_only: bool = False,
    ) -> None:
        self.configured = configured
        self._steering = Steering()
        self.courier = Courier(configured, position, around, self._steering)
        self.feed = Feed(around.journal, configured.options)
        self._journal = around.journal
        self._clock = around.clock
        self._state_dir = around.state_dir
        self._redactor = Redactor(around.redactor)
        self._errands_only = errands_only
        self._scope = trio.CancelScope()
        self._drain_to = 0
        self._batch: Batch | None = None
        self._errands: deque[Errand] = deque()
        self._ended = trio.Event()

    # --- for whoever commands it ----------------------------------------------

    async def stop(self) -> None:
        """Have it end once the delivery in flight is answered, and wait for that."""
        self._steering.steer(Wish.STOP)
        await self._ended.wait()

    async def drain(self) -> None:
        """Have it end once it delivered what the journal holds now; a paused one at once."""
        self._drain_to = self._journal.last_seq
        self._steering.steer(Wish.STOP if self.paused else Wish.DRAIN)
        await self._ended.wait()

    async def cut(self) -> None:
        """End it now; a batch in flight comes again after the next start."""
        self._scope.cancel()
        await self._ended.wait()

    def pause(self) -> None:
        """Send nothing more after the delivery in flight, until `resume`."""
        self._steering.steer(Wish.PAUSE)

    def resume(self) -> None:
        """Go on where it was."""
        self._steering.steer(Wish.RUN)

    @property
    def paused(self) -> bool:
        """Whether it was told to pause."""
        return self._steering.wish is Wish.PAUSE

    async def send_again(self, errand: Errand) -> None:
        """Have an errand run, and wait until that is done or cannot be."""
        self._errands.append(errand)
        self._steering.nudge()
        try:
            await errand.ended.wait()
        finally:
            if errand in self._errands:
                self._errands.remove(errand)

    def status(self) -> SinkStatus:
        """How the sink is doing."""
        state = None
        if self._ended.is_set():
            state = SinkState.STOPPED
        elif self.paused:
            state = SinkState.PAUSED
        health = self.courier.pulse.health(state)
        return status_of(self.courier.position, self._journal, health)

    def show_pending(self) -> None:
        """Set the gauges right before a scrape."""
        pending = self.status().pending
        oldest_ns = None if self._batch is None else self._batch.oldest_ns()
        self.courier.meter.show_pending(pending, oldest_ns)

    # --- the loop -------------------------------------------------------------

    async def run(self) -> None:
        """Deliver until told to end. Raises only what the journal raises."""
        try:
            async with self.courier.progress.kept():
                with self._scope:
                    await self._run()
        finally:
            for errand in self._errands:
                errand.end(completed=False)
            self._ended.set()

    async def _run(self) -> None:
        while self._goes_on():
            if self.paused:
                await self._steering.wait_for_other(Wish.PAUSE)
            else:
                await self._open_and_serve()

    def _goes_on(self) -> bool:
        match self._steering.wish:
            case Wish.DRAIN:
                return not self._errands_only and self.courier.cursor < self._drain_to
            case Wish.STOP:
                return False
            case _:
                return True

    async def _open_and_serve(self) -> None:
        timeout = self.configured.options.timeout
        # One scope for both, since a sink may keep a nursery open in between.
        limit = trio.CancelScope(deadline=trio.current_time() + timeout)
        try:
            with limit:
                async with self.configured.spec.open(
                    self.configured.settings, self._context()
                ) as sink:
                    limit.deadline = math.inf
                    await self._serve(sink)
                    limit.deadline = trio.current_time() + timeout
        except Exception as error:
            if _concerns_the_house(error):
                raise
            await self.courier.failed(_trouble_of(error), error)
        if limit.cancelled_caught:
            message = f"not opened or closed within {timeout:g} s"
            await self.courier.failed(Trouble(result=Result.TIMEOUT, message=message))

    def _context(self) -> SinkContext:
        return SinkContext(
            name=self.configured.name,
            state_dir=self._state_dir,
            options=self.configured.options,
            clock=self._clock,
            redactor=self._redactor,
            settled_seq=self.courier.cursor,
        )

    async def _serve(self, sink: Sink) -> None:
        while self._goes_on() and not self.paused:
            if self._errands:
                await self._errand_step(sink, self._errands[0])
            if self._errands_only:
                await self._wait_for_errand()
            elif not self._errands or self._has_more():
                await self._live_step(sink)

    def _has_more(self) -> bool:
        return self._batch is not None or self.courier.cursor < self._journal.last_seq

    async def _wait_for_errand(self) -> None:
        if not self._errands:
            with self._steering.cut(idle=True):
                await trio.sleep_forever()

    async def _errand_step(self, sink: Sink, errand: Errand) -> None:
        if not await self.courier.run_errand(sink, errand) and errand in self._errands:
            self._errands.remove(errand)
            errand.end(completed=True)

    async def _live_step(self, sink: Sink) -> None:
        if self._batch is None:
            await self._gather()
        if self._batch is not None:
            await self.courier.carry(sink, self._batch)
            if self._batch.done:
                self._batch = None

    async def _gather(self) -> None:
        hurry = self._steering.wish is Wish.DRAIN or bool(self._errands)
        try:
            with self._steering.cut(idle=True):
                self._batch = await self.feed.gather(self.courier.cursor, hurry=hurry)
        except Overtaken as overtaken:
            await self.courier.catch_up(overtaken.record_seq - 1)


def _trouble_of(error: Exception) -> Trouble:
    if isinstance(error, SinkUnavailable):
        return Trouble(
            result=Result.LATER,
            message=str(error),
            retry_after_seconds=error.retry_after_seconds,
        )
    return Trouble(result=Result.CRASHED, message=describe(error))


def _concerns_the_house(error: Exception) -> bool:
    # A sink that keeps a nursery wraps whatever passes through it.
    if isinstance(error, ExceptionGroup):
        return error.subgroup(JournalError) is not None
    return isinstance(error, JournalError)
