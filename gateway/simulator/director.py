"""The director: performs steps, by the timeline or on demand, and keeps the market moving."""

import math
import random
from collections.abc import Iterable, Sequence
from decimal import localcontext
from functools import singledispatchmethod
from typing import Final

import trio

from gateway.errors import ConfigurationError
from gateway.simulator import frames, garbage, steps
from gateway.simulator.arithmetic import EXACT
from gateway.simulator.audience import Audience
from gateway.simulator.connection import ClientConnection
from gateway.simulator.dialect import Venue
from gateway.simulator.faults import Faults
from gateway.simulator.scenario import change_switch
from gateway.simulator.steps import AnyStep

_BLAST_CHUNK: Final = 1_000
_SHORTEST_PAUSE_SECONDS: Final = 0.01
"""At higher rates several moves share one pause."""


class Director:
    """Everything that makes something happen on the stage."""

    def __init__(
        self,
        venue: Venue,
        audience: Audience,
        faults: Faults,
        nursery: trio.Nursery,
        rng: random.Random,
        rate: float,
    ) -> None:
        self._venue = venue
        self._audience = audience
        self._faults = faults
        self._nursery = nursery
        self._rng = rng
        self._rate = rate
        self._rate_changed = trio.Event()

    def check(self, step: AnyStep) -> None:
        """Raise `ConfigurationError` for a step that this venue cannot perform."""
        accounts = len(self._venue.accounts)
        if step.account is not None and not 0 <= step.account < accounts:
            raise ConfigurationError(f"account: there are {accounts}, counted from 0")
        if isinstance(step, steps.Switch):
            change_switch(self._venue.switches, step.name, step.value)
        if isinstance(step, steps.ExpireKey | steps.VoidKey) and not self._venue.has_stream_keys:
            raise ConfigurationError("this venue has no stream keys")

    # --- steps -------------------------------------------------------------------

    @singledispatchmethod
    def perform(self, step: AnyStep) -> None:
        """Do what one step says; it was checked. A fault that lasts is put in force."""
        assert isinstance(step, steps.Lasting)
        self._faults.begin(step)

    @perform.register
    def _(self, step: steps.Drop) -> None:
        for connection in self._met(step):
            connection.cut(step.how)

    @perform.register
    def _(self, step: steps.Close) -> None:
        for connection in self._met(step):
            connection.close(step.code, step.reason)

    @perform.register
    def _(self, step: steps.HalfOpen) -> None:
        for connection in self._met(step):
            connection.hold_half_open(float("inf") if step.lasting is None else step.lasting)

    @perform.register
    def _(self, step: steps.LoseSubscription) -> None:
        for connection in self._met(step):
            if connection.session is not None:
                connection.session.forget()

    @perform.register
    def _(self, step: steps.ExpireKey) -> None:
        self._faults.note(step, self._venue.expire_keys(step.account))

    @perform.register
    def _(self, step: steps.VoidKey) -> None:
        self._faults.note(step, self._venue.void_keys(step.account))

    @perform.register
    def _(self, step: steps.Garbage) -> None:
        self._send(step, garbage.garbage_frames(step.kind, step.count))

    @perform.register
    def _(self, step: steps.Inject) -> None:
        self._send(step, [frames.text_frame(step.text)])

    @perform.register
    def _(self, step: steps.Oversize) -> None:
        self._send(step, [garbage.oversize_frame(step.size)])

    @perform.register
    def _(self, step: steps.Fragments) -> None:
        self._send(step, garbage.endless_fragments(step.size))

    @perform.register
    def _(self, step: steps.DeflateBomb) -> None:
        self._send(step, [garbage.deflate_bomb(step.size)])

    @perform.register
    def _(self, step: steps.Switch) -> None:
        self._venue.switches = change_switch(self._venue.switches, step.name, step.value)

    @perform.register
    def _(self, step: steps.Rate) -> None:
        self._set_rate(step.per_second)

    @perform.register
    def _(self, step: steps.Trade) -> None:
        for account in self._accounts(step.account):
            self.trade(account, step.count)

    @perform.register
    def _(self, step: steps.Blast) -> None:
        for connection in self._met(step):
            if step.per_second is None:
                self._nursery.start_soon(self._blast, connection, step.frames, step.states)
            else:
                self._nursery.start_soon(self._pace, connection, step, step.per_second)

    def trade(self, account: int, count: int) -> None:
        """Let the market move now."""
        with localcontext(EXACT):
            for _ in range(count):
                self._venue.move_market(account)

    # --- tasks ---------------------------------------------------------------------

    async def run_market(self) -> None:
        """Let something happen to a random account, now and then, for ever."""
        due = trio.current_time() + self._pause()
        while True:
            self._rate_changed = trio.Event()
            pause = max(due - trio.current_time(), _SHORTEST_PAUSE_SECONDS)
            with trio.move_on_after(pause) as waited:
                await self._rate_changed.wait()
            if not waited.cancelled_caught:
                due = trio.current_time() + self._pause()
                continue
            # What a short pause delays is made up for by the next ones, not in one burst.
            for _ in range(math.ceil(_SHORTEST_PAUSE_SECONDS * self._per_second)):
                if due <= trio.current_time():
                    self.trade(self._rng.randrange(len(self._venue.accounts)), 1)
                    due += self._pause()

    async def run_timeline(self, timeline: Iterable[AnyStep]) -> None:
        """Perform each step at its time, counted from now."""
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            for step in timeline:
                nursery.start_soon(self._perform_at, step, start + step.at)

    async def _perform_at(self, step: AnyStep, when: float) -> None:
        await trio.sleep_until(when)
        self.perform(step)
        while step.every:
            when += step.every
            await trio.sleep_until(when)
            self.perform(step)

    async def _blast(self, connection: ClientConnection, count: int, states: int) -> None:
        account = connection.account or 0
        chunk = _BLAST_CHUNK // states * states  # an order belongs to one connection
        while count > 0:
            texts = self._venue.load_frames(account, min(count, chunk), states)
            connection.send_bytes(b"".join(frames.text_frame(text) for text in texts))
            await connection.wait_drained()
            count -= chunk

    async def _pace(
        self, connection: ClientConnection, step: steps.Blast, per_second: float
    ) -> None:
        # Not in step with the other connections: their frames would come in bursts.
        begin = trio.current_time() + self._rng.random() / per_second
        due: list[str] = []
        for number in range(step.frames):
            await trio.sleep_until(begin + number / per_second)
            due = due or self._venue.load_frames(connection.account or 0, step.states, step.states)
            connection.send_bytes(frames.text_frame(due.pop(0)))

    # --- small print -----------------------------------------------------------------

    @property
    def _per_second(self) -> float:
        return self._rate * len(self._venue.accounts)

    def _pause(self) -> float:
        return self._rng.expovariate(self._per_second) if self._per_second else float("inf")

    def _set_rate(self, per_second: float) -> None:
        self._rate = per_second
        self._rate_changed.set()

    def _accounts(self, account: int | None) -> Sequence[int]:
        return range(len(self._venue.accounts)) if account is None else (account,)

    def _met(self, step: steps.Step) -> list[ClientConnection]:
        """The connections that a step concerns; counts them."""
        connections = self._audience.of(step.account)
        self._faults.note(step, len(connections))
        return connections

    def _send(self, step: steps.Step, wrong: Iterable[bytes]) -> None:
        data = list(wrong)
        for connection in self._met(step):
            for frame in data:
                connection.send_bytes(frame)
