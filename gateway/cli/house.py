"""Acting on sinks and dead letters, whether a gateway runs or not.

A running one is asked through its control socket. On a stopped one's state the
command itself opens the journal, under the same lock, and only the sinks it needs;
new events stay where they are.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from gateway.admin.client import ControlClient
from gateway.cli.control import state_directory
from gateway.cli.options import config_path, loaded_config
from gateway.clock import WALL_CLOCK
from gateway.config import Config
from gateway.config.secrets import find_secrets, learn_secrets
from gateway.delivery import open_delivery
from gateway.journal import open_journal, open_reader
from gateway.journal.lock import is_held
from gateway.steward import Steward
from gateway.telemetry import logs
from gateway.telemetry.metrics import Metrics

Answer = TypeVar("Answer")


def running() -> ControlClient | None:
    """A client of the gateway that holds the configured state directory, if one does."""
    directory = state_directory()
    return ControlClient(directory) if is_held(directory) else None


def act_on_stopped(
    order: Callable[[Steward], Awaitable[Answer]], *, sinks: Iterable[str] = ()
) -> Answer:
    """Carry out an order on a stopped gateway's state, with these sinks of it open.

    A sink that is down is tried again until it takes the events, or until Ctrl-C.
    """
    config = loaded_config()
    logs.configure("warning")  # of a start and a stop that are none, nobody wants to hear

    async def carry_out() -> Answer:
        async with open_stopped(config, sinks) as steward:
            return await order(steward)

    with open_reader(config.state_dir):
        pass  # a directory without a journal is a mistake, not an order to make one
    return trio.run(carry_out)


@asynccontextmanager
async def open_stopped(config: Config, sinks: Iterable[str]) -> AsyncIterator[Steward]:
    """The journal and the named sinks, without accounts and without new deliveries."""
    metrics = Metrics()
    async with (
        open_journal(
            config.state_dir, config.journal, clock=WALL_CLOCK, metrics=metrics
        ) as journal,
        open_delivery(
            journal, clock=WALL_CLOCK, metrics=metrics, state_dir=config.state_dir
        ) as delivery,
    ):
        for name in sinks:
            sink = config.sinks.get(name)
            if sink is not None and sink.options.enabled:
                learn_secrets(find_secrets(sink.settings, f"sinks.{name}"))
                await delivery.start(sink, errands_only=True)
        yield Steward(
            config,
            config_path(),
            journal=journal,
            delivery=delivery,
            metrics=metrics,
            clock=WALL_CLOCK,
        )
