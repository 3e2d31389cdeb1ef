"""Carries batches to one sink, and keeps the account of what became of them.

The cursor moves only over what the sink accepted, what the filters left out, and
what the dead letters hold; see `batch` for a batch that was accepted in part, and
`progress` for how it gets to disk.
"""

from collections.abc import Sequence

import trio

from gateway.contracts.sink import ConfiguredSink, Item, Sink
from gateway.delivery import happenings
from gateway.delivery.attempt import Answer, attempt
from gateway.delivery.batch import Batch, Refusal
from gateway.delivery.errands import Errand
from gateway.delivery.meter import OVERFLOW, SinkMeter
from gateway.delivery.policy import Result, Trouble, wait_seconds
from gateway.delivery.progress import Progress, Settled
from gateway.delivery.pulse import Pulse
from gateway.delivery.steering import Steering
from gateway.delivery.surroundings import Surroundings
from gateway.journal import DeadLetter, SinkPosition
from gateway.wire.backoff import Backoff


class Courier:
    """One sink's way from a batch to a settled position."""

    def __init__(
        self,
        configured: ConfiguredSink,
        position: SinkPosition,
        around: Surroundings,
        steering: Steering,
    ) -> None:
        self.position = position
        """As it is on disk."""
        self.cursor = position.cursor
        """The last seq that is settled, on disk or on its way there."""
        self.meter = SinkMeter(configured.name, around.metrics, around.clock)
        self.pulse = Pulse(configured.name, around.clock, around.redactor, self.meter)
        self._name = configured.name
        self._timeout = configured.options.timeout
        self._journal = around.journal
        most_events = configured.options.batch.events
        self.progress = Progress(configured.name, around.journal, most_events, self._on_disk)
        self._clock = around.clock
        self._steering = steering
        retry = configured.options.retry
        self._backoff = Backoff(retry.initial, max(retry.initial, retry.max))
        self.meter.moved(position)

    async def carry(self, sink: Sink, batch: Batch) -> None:
        """Deliver what is left of a batch, once, and settle what was settled."""
        items = batch.unsettled()
        if not items:
            await self._advance(batch)
            return
        answer = await self._attempt(sink, items)
        settled = batch.settle(answer.verdicts, self._clock.now_ns())
        await self._advance(batch)
        await self._react(answer, items, progress=settled > 0)

    async def run_errand(self, sink: Sink, errand: Errand) -> bool:
        """Deliver a batch of what is sent again; False when nothing is left of it."""
        # After a crash nothing then stands between what was settled and what comes again.
        await self.progress.wait_on_disk()
        items = await errand.items()
        if not items:
            return False
        answer = await self._attempt(sink, items)
        progress = await errand.settle(answer.verdicts)
        await self._react(answer, items, progress=progress)
        return True

    async def catch_up(self, gone_seq: int) -> None:
        """Follow a cursor that retention moved; count as dropped what it did not."""
        await self.progress.wait_on_disk()
        await self.look_up()
        missing = gone_seq - self.position.cursor
        if missing > 0:
            happenings.OVERTAKEN.emit(sink=self._name, events=missing, to_seq=gone_seq)
            position = await self._journal.advance(
                self._name, gone_seq, delivered=0, filtered=0, dropped=missing
            )
            self.meter.dropped(missing, OVERFLOW)
            self.moved(position)

    async def look_up(self) -> None:
        """Learn what others did to the position: retention, or a resolved dead letter."""
        for position in await self._journal.sink_positions():
            # What was read may be older than what `advance` answered meanwhile.
            if position.name == self._name and position.cursor >= self.position.cursor:
                self.moved(position)

    def moved(self, position: SinkPosition) -> None:
        """Take a newer position."""
        self.position = position
        self.cursor = max(self.cursor, position.cursor)  # retention moves it as well
        self.meter.moved(position)

    async def failed(
        self, trouble: Trouble, crash: Exception | None = None, *, progress: bool = False
    ) -> None:
        """Note trouble, and wait until the sink is to be tried again."""
        delay = wait_seconds(trouble, self._backoff, progress=progress)
        self.pulse.failed(trouble, delay, crash if trouble.result is Result.CRASHED else None)
        with self._steering.cut(idle=False):
            await trio.sleep(delay)

    async def _attempt(self, sink: Sink, items: Sequence[Item]) -> Answer:
        self.pulse.trying()
        answer = await attempt(sink, items, self._timeout)
        self.meter.attempted(answer.result)
        return answer

    async def _advance(self, batch: Batch) -> None:
        step = batch.step()
        if step is None:
            return
        dead = [self._dead_letter(refusal, batch) for refusal in step.refused]
        self.cursor = max(self.cursor, step.to_seq)
        await self.progress.take(Settled(step, dead))

    def _on_disk(self, position: SinkPosition, dead: Sequence[DeadLetter]) -> None:
        self.moved(position)
        self._tell_dead(dead)

    async def _react(self, answer: Answer, items: Sequence[Item], *, progress: bool) -> None:
        if answer.trouble is not None:
            await self.failed(answer.trouble, answer.crash, progress=progress)
            return
        self._backoff.reset()
        self.pulse.worked()
        self.meter.accepted(items[0])

    def _dead_letter(self, refusal: Refusal, batch: Batch) -> DeadLetter:
        now_ns = self._clock.now_ns()
        return DeadLetter(
            sink=self._name,
            record=refusal.item.record,
            reason=refusal.verdict.reason,
            excerpt=self.pulse.clean(refusal.verdict.excerpt),
            attempts=refusal.attempts,
            first_try_ns=now_ns if batch.first_try_ns is None else batch.first_try_ns,
            last_try_ns=now_ns,
        )

    def _tell_dead(self, dead: Sequence[DeadLetter]) -> None:
        for letter in dead:
            self.meter.dead_lettered(letter.reason)
        if dead:
            happenings.DEAD_LETTERS.emit(
                sink=self._name,
                events=len(dead),
                reason=dead[0].reason,
                excerpt=dead[0].excerpt,
                first_seq=dead[0].record.seq,
            )
