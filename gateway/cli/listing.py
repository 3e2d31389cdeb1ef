"""`gateway list`: what this build can do."""

import json
from collections.abc import Callable, Iterable

import click
import msgspec

from gateway.errors import ConfigurationError


class Line(msgspec.Struct, frozen=True):
    """One thing that can be configured or watched."""

    name: str
    summary: str
    package: str | None = None


_as_json = click.option("--json", "as_json", is_flag=True, help="For programs.")


@click.group()
def command() -> None:
    """What this build can do; `gateway explain NAME` tells more of each."""


@command.command()
@_as_json
def venues(as_json: bool) -> None:
    """Exchanges that an account can name."""
    from gateway import registry

    _print(_specs(registry.VENUES, registry.venue_names(), registry.find_venue), as_json)


@command.command()
@_as_json
def sinks(as_json: bool) -> None:
    """Types that a sink can name."""
    from gateway import registry

    _print(_specs(registry.SINKS, registry.sink_names(), registry.find_sink), as_json)


@command.command()
@_as_json
def metrics(as_json: bool) -> None:
    """Metrics that Prometheus finds at /metrics."""
    from gateway.telemetry.metrics import CATALOGUE

    _print([Line(spec.exposed_name, spec.help) for spec in CATALOGUE], as_json)


def _specs(group: str, names: Iterable[str], find: Callable[[str], object]) -> list[Line]:
    return [_spec(group, name, find) for name in names]


def _spec(group: str, name: str, find: Callable[[str], object]) -> Line:
    from gateway.registry import package_of

    try:
        summary = str(getattr(find(name), "summary", ""))
    except ConfigurationError as error:  # a broken package must not hide the others
        summary = str(error)
    return Line(name, summary, package_of(group, name))


def _print(lines: Iterable[Line], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(line) for line in lines], indent=2))
        return
    rows = list(lines)
    width = max((len(line.name) for line in rows), default=0)
    for line in rows:
        package = f"  [{line.package}]" if line.package else ""
        click.echo(f"{line.name:<{width}}  {line.summary}{package}")
