"""The simulator: one pretend venue as a server on loopback.

`open_simulator` gives it to tests, to `gateway simulate` and to `gateway demo`.
Here everything meets: the venue's dialect, the stage it plays on, the server at
the door and the director behind the scenes.
"""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import trio

from gateway.clock import WALL_CLOCK, Clock
from gateway.errors import ConfigurationError
from gateway.simulator.audience import Audience
from gateway.simulator.control import Control
from gateway.simulator.dialect import Dialect, Stage
from gateway.simulator.director import Director
from gateway.simulator.faults import Faults
from gateway.simulator.scenario import Scenario
from gateway.simulator.server import Server
from gateway.simulator.steps import AnyStep, ClockSkew, Drop, Inject, Switch
from gateway.simulator.truth import Truth
from gateway.wire.onefailure import open_single_failure_nursery

QUIET: Final = Scenario(rate=0)
"""Nothing happens unless somebody asks for it: what most tests want."""


class Simulator:
    """A running pretend venue."""

    def __init__(
        self, dialect: Dialect, scenario: Scenario, clock: Clock, nursery: trio.Nursery
    ) -> None:
        start = trio.current_time()
        self.truth = Truth()
        self.faults = Faults(_dice("faults", scenario))
        self._audience = Audience(self.truth, lambda: trio.current_time() - start)
        self.venue = dialect.open(
            Stage(
                scenario=scenario,
                rng=_dice("market", scenario),
                now_ms=partial(_venue_time_ms, clock, self.faults),
                elapsed=trio.current_time,
                truth=self.truth,
                faults=self.faults,
                publish=self._audience.publish,
            )
        )
        self._director = Director(
            self.venue, self._audience, self.faults, nursery, _dice("director", scenario),
            scenario.rate,
        )  # fmt: skip
        control = Control(self.venue, self.truth, self.faults, self._audience, self._director)
        self._server = Server(
            self.venue, dialect.websocket_path, scenario, self.faults, self._audience,
            control.answer,
        )  # fmt: skip
        for number, step in enumerate(scenario.timeline):
            try:
                self._director.check(step)
            except ConfigurationError as error:
                raise ConfigurationError(f"timeline[{number}].{error}") from None
        self.scenario = scenario
        self.websocket_path = dialect.websocket_path
        self.host, self.port = "127.0.0.1", 0

    @property
    def rest_url(self) -> str:
        """Root of the REST paths."""
        return f"http://{self.host}:{self.port}"

    @property
    def websocket_url(self) -> str:
        """Where streams are opened."""
        return f"ws://{self.host}:{self.port}{self.websocket_path}"

    @property
    def credentials(self) -> list[tuple[str, str]]:
        """Made-up key and secret of each account."""
        return [(account.api_key, account.secret) for account in self.venue.accounts]

    @property
    def connections(self) -> int:
        """How many WebSocket connections are open."""
        return len(self._audience.of(None))

    @property
    def connections_met(self) -> int:
        """How many WebSocket connections were ever tried."""
        return self._audience.met

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Serve one client on any stream; a pair in memory allows virtual time."""
        await self._server.serve(stream)

    def do(self, step: AnyStep) -> None:
        """Perform one step now, as if the timeline had come to it.

        Raises `ConfigurationError` for a step that this venue cannot perform.
        """
        self._director.check(step)
        self._director.perform(step)

    def cut(self, account: int | None = None) -> None:
        """Cut the connections of one account, or all, without a closing frame."""
        self.do(Drop(account=account))

    def inject(self, text: str, account: int | None = None) -> None:
        """Send a text frame as it stands."""
        self.do(Inject(text=text, account=account))

    def set_switch(self, name: str, value: str | float | bool) -> None:
        """Set a switch of the venue."""
        self.do(Switch(name=name, value=value))

    def trade(self, account: int = 0, count: int = 1) -> None:
        """Let the market do something to an account now."""
        self._director.trade(account, count)

    def heal(self) -> None:
        """End every fault that lasts."""
        self.faults.end()

    def state(self, account: int = 0) -> dict[str, Any]:
        """What the account truly holds."""
        return self.venue.state(account)

    def configuration(self, name: str, account: int = 0) -> str:
        """The account as it would stand in gateway.yaml."""
        return self.venue.configuration(name, account, self.rest_url, self.websocket_url)

    async def play(self) -> None:
        """Run market and timeline for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._director.run_market)
            nursery.start_soon(self._director.run_timeline, self.scenario.timeline)


@asynccontextmanager
async def open_simulator(
    dialect: Dialect,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    scenario: Scenario = QUIET,
    clock: Clock = WALL_CLOCK,
) -> AsyncIterator[Simulator]:
    """Listen, and play the scenario until the block is left.

    Raises `ConfigurationError` when the scenario is not for this venue, and
    `OSError` when the port is taken.
    """
    if scenario.venue not in (None, dialect.name):
        raise ConfigurationError(f"this scenario is for {scenario.venue}, not for {dialect.name}")
    async with open_single_failure_nursery() as nursery:
        simulator = Simulator(dialect, scenario, clock, nursery)
        listeners = await trio.open_tcp_listeners(port, host=host)
        simulator.host, simulator.port = host, listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, simulator.serve, listeners)
        nursery.start_soon(simulator.play)
        yield simulator
        nursery.cancel_scope.cancel()


def _venue_time_ms(clock: Clock, faults: Faults) -> int:
    skew = faults.find(ClockSkew, None)
    return clock.now_ns() // 1_000_000 + (0 if skew is None else round(skew.by * 1000))


def _dice(purpose: str, scenario: Scenario) -> random.Random:
    """Chance of its own for each purpose, so that a fault does not change the market."""
    return random.Random(f"{purpose} {scenario.seed}")  # noqa: S311 - a game, no secret
