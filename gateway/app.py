"""The only place where everything meets: a ladder of `async with`.

Lifetime is indentation. What stands further in stops first: accounts are cancelled
and say their goodbyes in the journal; sinks get `shutdown.drain` to take what is
there; the journal closes last. Nothing here knows how any of it works.
"""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Final

import msgspec
import trio

from gateway import __version__, heap, systemd, watch
from gateway.accounts import Roster, open_roster
from gateway.admin.server import open_admin
from gateway.admin.summary import summarise
from gateway.clock import WALL_CLOCK, Clock
from gateway.cluster import Cluster, open_cluster
from gateway.config import Config
from gateway.delivery import Delivery, open_delivery
from gateway.journal import Journal, open_journal
from gateway.steward import Steward
from gateway.telemetry.happenings import Happening, Level
from gateway.telemetry.metrics import Metrics
from gateway.wire.keepalive import every
from gateway.wire.limits import HostGate
from gateway.wire.resolver import install_resolver

STATUS_SECONDS: Final = 5.0
"""How often systemd's status line is renewed; the watchdog is fed at least as often."""

STARTING = Happening("gateway_starting", Level.INFO, "The gateway begins to open its parts.")
READY = Happening("gateway_ready", Level.INFO, "Everything is open; events are being journalled.")
STOPPING = Happening("gateway_stopping", Level.INFO, "A signal, or its caller, asked it to stop.")
STOPPED = Happening("gateway_stopped", Level.INFO, "Everything is closed.")
CONFIG_WARNING = Happening(
    "config_warning", Level.WARNING, "The configuration works, but is probably not what is meant."
)


class Gateway(msgspec.Struct, frozen=True):
    """A running gateway, for whoever opened it."""

    journal: Journal
    delivery: Delivery
    roster: Roster
    steward: Steward
    metrics: Metrics


@asynccontextmanager
async def open_gateway(
    config: Config, path: Path, *, clock: Clock = WALL_CLOCK, hurry: trio.Event | None = None
) -> AsyncIterator[Gateway]:
    """Run a gateway for as long as the block runs.

    `path` is the file that a reload reads again. Setting `hurry` cuts the draining
    of the sinks short. What could not be delivered waits for the next start.
    """
    heap.keep_dense()
    install_resolver()
    STARTING.emit(version=__version__, name=config.name, state_dir=str(config.state_dir))
    for warning in config.warnings:
        CONFIG_WARNING.emit(warning=str(warning))
    metrics = Metrics()
    async with (
        open_journal(config.state_dir, config.journal, clock=clock, metrics=metrics) as journal,
        open_delivery(
            journal, clock=clock, metrics=metrics, state_dir=config.state_dir
        ) as delivery,
        watch.open_watch(metrics, stall_seconds=_stall_seconds()),
        heap.open_trimming(),
        _open_cluster(config, journal, delivery, clock, metrics) as cluster,
    ):
        steward = Steward(
            config,
            path,
            journal=journal,
            delivery=delivery,
            cluster=cluster,
            metrics=metrics,
            clock=clock,
        )
        await steward.serve_sinks(config)
        async with open_admin(config.http, steward, state_dir=config.state_dir, clock=clock):
            async with _open_accounts(config, steward, clock, cluster, hurry) as roster:
                await steward.run_accounts(config, roster)
                steward.welcome(roster)
                READY.emit(accounts=len(config.accounts), sinks=len(config.sinks))
                try:
                    yield Gateway(journal, delivery, roster, steward, metrics)
                finally:
                    steward.leave()
            # The accounts' goodbyes are taken but may not be on disk yet.
            await journal.append_nowait([]).wait()
            await _drain(delivery, steward.config.shutdown.drain, hurry)
    STOPPED.emit()


@asynccontextmanager
async def _open_cluster(
    config: Config, journal: Journal, delivery: Delivery, clock: Clock, metrics: Metrics
) -> AsyncIterator[Cluster | None]:
    """Its place in a cluster, or None for a gateway that has all accounts to itself."""
    if config.cluster is None:
        yield None
        return
    async with open_cluster(
        config.name,
        config.cluster,
        journal=journal,
        delivery=delivery,
        clock=clock,
        metrics=metrics,
    ) as cluster:
        await cluster.learn(config.accounts)
        yield cluster


@asynccontextmanager
async def _open_accounts(
    config: Config,
    steward: Steward,
    clock: Clock,
    cluster: Cluster | None,
    hurry: trio.Event | None,
) -> AsyncIterator[Roster]:
    """The roster, which a cluster fills by itself and empties before it closes."""
    async with (
        open_roster(
            journal=steward.journal,
            clock=clock,
            metrics=steward.metrics,
            connect_gate=HostGate(),
            heartbeat_seconds=config.heartbeat,
        ) as roster,
        nullcontext() if cluster is None else cluster.keeping(roster, hurry),
    ):
        yield roster


async def run(config: Config, path: Path) -> None:
    """The daemon: until SIGTERM or SIGINT; SIGHUP reloads; a second signal hurries."""
    hurry = trio.Event()
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    with trio.open_signal_receiver(*signals) as received:
        async with trio.open_nursery() as nursery:
            async with open_gateway(config, path, hurry=hurry) as gateway:
                nursery.start_soon(_keep_systemd_informed, gateway)
                await _obey(received, gateway.steward)
                STOPPING.emit()
                systemd.stopping()
                nursery.start_soon(_hurry_on_signal, received, hurry)
            nursery.cancel_scope.cancel()


async def _keep_systemd_informed(gateway: Gateway) -> None:
    """The status line, and the watchdog's food: only while loop and writer both live."""
    await _tell_ready(gateway)
    seconds = min(systemd.watchdog_seconds() or STATUS_SECONDS, STATUS_SECONDS)
    events = gateway.journal.last_seq
    was_ok = True
    async for _ in every(seconds):
        health = gateway.steward.health()
        if health.ok:
            systemd.alive()
        elif was_ok:
            watch.report_unhealthy(health.reason)
        was_ok = health.ok
        if systemd.is_listening():  # with a thousand accounts the line takes a while to make
            rate = (gateway.journal.last_seq - events) / seconds
            systemd.status(f"{summarise(gateway.steward.status())}, {rate:.0f} events/s")
        events = gateway.journal.last_seq


async def _tell_ready(gateway: Gateway) -> None:
    """Ready is who journals: a start on a full disk waits for space, as long as it takes."""
    while gateway.journal.blocked:
        systemd.starting(summarise(gateway.steward.status()), 3 * STATUS_SECONDS)
        with trio.move_on_after(STATUS_SECONDS):
            await gateway.journal.wait_unblocked()
    systemd.ready(summarise(gateway.steward.status()))


def _stall_seconds() -> float:
    """When the stacks are written: before systemd acts."""
    half = systemd.watchdog_seconds()
    return watch.STALL_SECONDS if half is None else min(watch.STALL_SECONDS, 1.5 * half)


async def _obey(received: AsyncIterator[int], steward: Steward) -> None:
    """Reload at each SIGHUP; return at the first other signal."""
    async for number in received:
        if number != signal.SIGHUP:
            return
        if not steward.readiness().ok:
            await steward.reload()  # systemd still waits for the start
            continue
        systemd.reloading()
        result = await steward.reload()
        systemd.ready(result.message)


async def _hurry_on_signal(received: AsyncIterator[int], hurry: trio.Event) -> None:
    async for number in received:
        if number != signal.SIGHUP:
            hurry.set()
            return


async def _drain(delivery: Delivery, seconds: float, hurry: trio.Event | None) -> None:
    """Deliver what can be within the time; a second signal leaves it to the next start."""
    async with trio.open_nursery() as nursery:
        if hurry is not None:
            nursery.start_soon(_cancel_on, hurry, nursery.cancel_scope)
        await delivery.drain(seconds)
        nursery.cancel_scope.cancel()


async def _cancel_on(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
