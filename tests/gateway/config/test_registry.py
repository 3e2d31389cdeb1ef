"""Names of venues and sinks find their packages."""

from pathlib import Path

import pytest

from gateway import registry
from gateway.errors import ConfigurationError, ExitCode
from gateway.registry import BrokenPackage, UnknownName, did_you_mean


def test_our_own_and_other_peoples_venues_are_listed() -> None:
    """A third party's entry point is as good as ours."""
    assert {"acme", "fmex", "lbank"} <= set(registry.venue_names())
    assert {"console", "jsonl", "pigeon"} <= set(registry.sink_names())


def test_a_third_partys_venue_is_found() -> None:
    """Its spec comes from its package, which can be named."""
    assert registry.find_venue("acme").title == "Acme"
    assert registry.package_of(registry.VENUES, "acme") == "acme-gateway 1.4"


def test_an_unknown_name_has_a_hint() -> None:
    """A near name is suggested; otherwise all are listed."""
    with pytest.raises(UnknownName, match=r"unknown venue 'acmee' .did you mean"):
        registry.find_venue("acmee")
    with pytest.raises(UnknownName, match=r"installed: console, jsonl, .*pigeon"):
        registry.find_sink("zebra")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("acme-broken", "RuntimeError: the loft is empty"),
        ("acme-nothing", "is no VenueSpec"),
        ("acme-clash", "options that every venue has: proxy"),
    ],
)
def test_a_broken_package_is_named(name: str, reason: str) -> None:
    """The message says whose package it is: nobody should search ours for the cause."""
    with pytest.raises(BrokenPackage, match=f"of package acme-gateway 1.4 is broken: .*{reason}"):
        registry.find_venue(name)


def test_one_name_in_two_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is guessed where two packages offer the same name."""
    info = tmp_path / "other-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[gateway.adapters]\nacme = other:VENUE\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(BrokenPackage, match=r"several packages: acme-gateway 1\.4, other 2\.0"):
        registry.find_venue("acme")


def test_these_are_mistakes_of_configuration() -> None:
    """Whatever the registry raises ends with exit code 78."""
    assert issubclass(UnknownName, ConfigurationError)
    assert ConfigurationError.exit_code == ExitCode.CONFIGURATION


@pytest.mark.parametrize(
    ("word", "hint"), [("pears", 'did you mean "pairs"?'), ("PAIRS", 'did you mean "pairs"?')]
)
def test_hints(word: str, hint: str) -> None:
    """A slip of the finger is recognised."""
    assert did_you_mean(word, ["key", "pairs"]) == hint


def test_no_hint_is_better_than_a_wild_one() -> None:
    """A word that only shares letters is not suggested."""
    assert did_you_mean("path", ["batch", "pairs"]) is None
