"""`gateway simulate VENUE`: a pretend exchange to test a consumer with."""

import signal
from pathlib import Path
from typing import get_args

import click
import msgspec
import trio

from gateway import registry
from gateway.config.docstrings import attribute_docs
from gateway.contracts.adapter import VenueSpec
from gateway.errors import GatewayError
from gateway.simulator import (
    Dialect,
    Scenario,
    Simulator,
    load_dialect,
    load_scenario,
    open_simulator,
)
from gateway.simulator.control import HELP


class CannotListen(GatewayError):
    """The address is taken or not ours."""


@click.command()
@click.argument("venue")
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:0", help="Port 0 takes any.")
@click.option(
    "--scenario",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Faults on a timeline, switches, rates; examples stand in docs/scenarios.",
)
@click.option("--seed", type=int, help="The same seed gives the same market.")
@click.option("--accounts", type=click.IntRange(1, 1000), help="How many; 2 by default.")
@click.option("--rate", type=click.FloatRange(0, 10_000), help="Changes per second and account.")
@click.option("--switches", is_flag=True, help="Show what the scenario can switch, and end.")
def command(
    venue: str,
    listen: str,
    path: Path | None,
    seed: int | None,
    accounts: int | None,
    rate: float | None,
    *,
    switches: bool,
) -> None:
    """Serve a pretend VENUE (lbank or fmex) on this machine until Ctrl-C.

    It speaks the exchange's documented REST and WebSocket, checks signatures, and
    has a lively market with made-up accounts; their keys and a ready section for
    gateway.yaml are printed.
    """
    dialect = load_dialect(_venue(venue))
    if switches:
        _show_switches(dialect)
        return
    scenario = load_scenario(path) if path else Scenario(venue=dialect.name)
    given = {"seed": seed, "accounts": accounts, "rate": rate}
    changes = {name: value for name, value in given.items() if value is not None}
    scenario = msgspec.structs.replace(scenario, **changes)
    trio.run(_serve, dialect, scenario, *_address(listen))


def _venue(name: str) -> VenueSpec:
    try:
        return registry.find_venue(name)
    except registry.UnknownName as error:
        raise click.BadParameter(str(error), param_hint="VENUE") from None


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter("expected HOST:PORT such as 127.0.0.1:9000", param_hint="--listen")
    return host.strip("[]"), int(port)


async def _serve(dialect: Dialect, scenario: Scenario, host: str, port: int) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        try:
            async with open_simulator(dialect, host=host, port=port, scenario=scenario) as venue:
                click.echo(_introduction(dialect, venue))
                await anext(signals)
        except OSError as error:
            raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror}") from None


def _introduction(dialect: Dialect, venue: Simulator) -> str:
    title = f" ({venue.scenario.title})" if venue.scenario.title else ""
    lines = [
        f"# A pretend {dialect.name}{title}; Ctrl-C ends it.",
        f"#   REST       {venue.rest_url}",
        f"#   WebSocket  {venue.websocket_url}",
        f"#   Control    {venue.rest_url}/_sim",
        *(f"#     {path}: {what}" for path, what in HELP.items()),
        "",
        "# For gateway.yaml. The keys are made up: they open nothing but this.",
        "accounts:",
    ]
    names = [f"{dialect.name}-{index + 1}" for index in range(len(venue.credentials))]
    return (
        "\n".join(lines)
        + "\n"
        + "".join(venue.configuration(name, index) for index, name in enumerate(names))
    )


def _show_switches(dialect: Dialect) -> None:
    meanings = attribute_docs(dialect.switches)
    for field in msgspec.structs.fields(dialect.switches):
        words = [str(word) for word in get_args(field.type)]
        allowed = f" ({' | '.join(words)})" if words else ""
        click.echo(f"{field.name}: {field.default}{allowed}\n    {meanings.get(field.name, '')}")
