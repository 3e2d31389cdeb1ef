"""A name in `gateway.yaml` → an installed venue or sink.

Venues stand in the entry point group ``gateway.adapters``, sinks in
``gateway.sinks``; our own are registered in the same way as a third party's. A
package is imported when it is named, never before.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Final, TypeVar

import msgspec

from gateway.contracts.adapter import AccountOptions, VenueSpec
from gateway.contracts.sink import SinkOptions, SinkSpec
from gateway.errors import ConfigurationError

VENUES: Final = "gateway.adapters"
SINKS: Final = "gateway.sinks"

_NEAR: Final = 0.7
"""Similarity of words worth a hint: `pears` and `pairs` have 0.8, `path` and `batch` 0.67."""

Spec = TypeVar("Spec", VenueSpec, SinkSpec)


class UnknownName(ConfigurationError):
    """No installed package offers a venue or sink of this name."""

    def __init__(self, what: str, name: str, names: Iterable[str]) -> None:
        known = sorted(names)
        self.message = f"unknown {what}"
        self.hint = did_you_mean(name, known) or f"installed: {', '.join(known) or 'none'}"
        super().__init__(f"{self.message} {name!r} ({self.hint})")


class BrokenPackage(ConfigurationError):
    """A package offers the name but cannot be used; the message names the package."""


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the nearest known word, if one is near."""
    near = get_close_matches(word.lower(), list(known), n=1, cutoff=_NEAR)
    return f'did you mean "{near[0]}"?' if near else None


def venue_names() -> list[str]:
    """Installed venues, by name."""
    return _names(VENUES)


def sink_names() -> list[str]:
    """Installed sink types, by name."""
    return _names(SINKS)


def find_venue(name: str) -> VenueSpec:
    """Import the venue `name`. Raises `UnknownName` or `BrokenPackage`."""
    return _find(VENUES, "venue", name, VenueSpec, AccountOptions)


def find_sink(name: str) -> SinkSpec:
    """Import the sink type `name`. Raises `UnknownName` or `BrokenPackage`."""
    return _find(SINKS, "sink type", name, SinkSpec, SinkOptions)


def package_of(group: str, name: str) -> str:
    """The distribution that offers `name`, with its version."""
    return next((_package(entry) for entry in entry_points(group=group, name=name)), "unknown")


def _names(group: str) -> list[str]:
    return sorted(entry_points(group=group).names)


def _find(
    group: str, what: str, name: str, wanted: type[Spec], options: type[msgspec.Struct]
) -> Spec:
    # An editable install beside an older wheel lists the same entry point twice.
    offers = {entry.value: entry for entry in entry_points(group=group, name=name)}
    if not offers:
        raise UnknownName(what, name, _names(group))
    if len(offers) > 1:
        packages = ", ".join(sorted(_package(entry) for entry in offers.values()))
        raise BrokenPackage(f"{what} {name!r} is offered by several packages: {packages}")
    [entry] = offers.values()
    spec = _load(entry, what)
    if not isinstance(spec, wanted) or spec.name != name:
        raise _broken(entry, what, f"{entry.value} is no {wanted.__name__} named {name!r}")
    clash = set(_field_names(spec.settings)) & set(_field_names(options))
    if clash:
        repeated = ", ".join(sorted(clash))
        raise _broken(entry, what, f"options that every {what} has: {repeated}")
    return spec


def _load(entry: EntryPoint, what: str) -> object:
    try:
        return entry.load()
    except Exception as error:  # a stranger's module may raise anything
        raise _broken(entry, what, f"{type(error).__name__}: {error}") from error


def _broken(entry: EntryPoint, what: str, reason: str) -> BrokenPackage:
    return BrokenPackage(f"{what} {entry.name!r} of package {_package(entry)} is broken: {reason}")


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "unknown"


def _field_names(struct: type[msgspec.Struct]) -> Iterable[str]:
    return (field.encode_name for field in msgspec.structs.fields(struct))
