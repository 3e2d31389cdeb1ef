"""`gateway explain NAME`: what a name means, wherever it stands."""

import pkgutil
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from importlib import import_module
from itertools import chain
from typing import TypeVar

import click

import gateway
from gateway import registry
from gateway.config import reference
from gateway.config.docstrings import attribute_docs
from gateway.config.reference import Option
from gateway.contracts.adapter import VenueSpec
from gateway.contracts.sink import SinkSpec
from gateway.errors import ConfigurationError, ExitCode
from gateway.events.model import StreamReason
from gateway.telemetry import happenings, metrics

Topic = tuple[str, str]
"""A name, and the text that explains it."""

Spec = TypeVar("Spec", VenueSpec, SinkSpec)


@click.command()
@click.argument("name")
def command(name: str) -> None:
    """Explain a venue, sink, option, metric, log line, stream reason or exit code.

    An option is named by its path, as in journal.retain.age or lbank.key.life.
    """
    topics = list(
        chain(_venues(), _sinks(), _options(), _metrics(), _reasons(), _happenings(), _exit_codes())
    )
    texts = [text for topic, text in topics if topic == name]
    if not texts:
        near = get_close_matches(name, dict(topics), n=3)
        hint = f" (did you mean {' or '.join(near)}?)" if near else ""
        raise click.UsageError(f"nothing here is called {name!r}{hint}")
    click.echo("\n\n".join(texts))


def _venues() -> Iterator[Topic]:
    for spec in _working(registry.venue_names(), registry.find_venue):
        facts = [
            f"{spec.name}: a venue ({spec.title}). {spec.summary}",
            f"Streams: {', '.join(spec.streams)}",
        ]
        yield spec.name, _with_options(facts, spec, "every account", reference.account_options())


def _sinks() -> Iterator[Topic]:
    for spec in _working(registry.sink_names(), registry.find_sink):
        facts = [f"{spec.name}: a sink. {spec.summary}"]
        if spec.guarantees:
            facts.append(f"Guarantees: {spec.guarantees}")
        if spec.extra is not None:
            facts.append(f"Needs: pip install 'exchange-event-gateway[{spec.extra}]'")
        yield spec.name, _with_options(facts, spec, "every sink", reference.sink_options())


def _options() -> Iterator[Topic]:
    yield from _option_topics("", reference.gateway_options())
    yield from _option_topics("accounts.", reference.account_options())
    yield from _option_topics("sinks.", reference.sink_options())
    for venue in _working(registry.venue_names(), registry.find_venue):
        yield from _option_topics(f"{venue.name}.", reference.own_options(venue))
    for sink in _working(registry.sink_names(), registry.find_sink):
        yield from _option_topics(f"{sink.name}.", reference.own_options(sink))


def _metrics() -> Iterator[Topic]:
    for spec in metrics.CATALOGUE:
        labels = ", ".join(spec.labels) or "none"
        text = f"{spec.exposed_name}: a {spec.type}, labels: {labels}.\n{spec.help}"
        yield from ((name, text) for name in dict.fromkeys([spec.exposed_name, spec.name]))


def _reasons() -> Iterator[Topic]:
    meanings = attribute_docs(StreamReason)
    for reason in StreamReason:
        yield reason.value, f"{reason.value}: a reason of a stream event. {meanings[reason.name]}"


def _happenings() -> Iterator[Topic]:
    """Log lines of every part, which is known once every part was imported."""
    for module in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if not module.name.endswith("__main__"):  # which would take over SIGHUP
            _import(module.name)
    for one in happenings.CATALOGUE.values():
        yield one.code, f"{one.code}: a log line, level {one.level}. {one.meaning}"


def _import(name: str) -> None:
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        # A sink whose client library is not installed: it has nothing to log here.
        if str(error.name).startswith("gateway"):
            raise


def _exit_codes() -> Iterator[Topic]:
    meanings = attribute_docs(ExitCode)
    lines = [f"{code.value:>3}  {meanings[code.name]}" for code in ExitCode]
    yield "exit-codes", "Exit codes of all commands:\n" + "\n".join(lines)
    for code in ExitCode:
        yield str(code.value), f"{code.value}: an exit code. {meanings[code.name]}"


def _working(names: Iterable[str], find: Callable[[str], Spec]) -> Iterator[Spec]:
    for name in names:
        try:
            yield find(name)
        except ConfigurationError:
            continue  # `gateway list` names the broken package


def _with_options(
    facts: list[str], spec: VenueSpec | SinkSpec, everyone: str, shared: list[Option]
) -> str:
    blocks = ["\n".join(facts)]
    if own := reference.own_options(spec):
        blocks.append(f"Options of {spec.name}:\n{_option_lines(own)}")
    blocks.append(f"Options of {everyone}:\n{_option_lines(shared)}")
    if spec.quick_start:
        blocks.append(f"For example:\n{spec.quick_start.strip()}")
    return "\n\n".join(blocks)


def _option_topics(prefix: str, options: Iterable[Option]) -> Iterator[Topic]:
    for option in options:
        path = f"{prefix}{option.path}"
        default = "must be given" if option.default is None else f"default {option.default}"
        yield path, f"{path}: an option; {option.wants}; {default}.\n{option.meaning}".rstrip()


def _option_lines(options: Iterable[Option]) -> str:
    lines = []
    for option in options:
        default = "must be given" if option.default is None else f"default {option.default}"
        lines.append(f"  {option.path}  ({option.wants}; {default})")
        if option.meaning:
            lines.append(f"      {option.meaning}")
    return "\n".join(lines)
