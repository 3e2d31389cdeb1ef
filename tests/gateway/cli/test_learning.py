"""`list`, `explain`, `schema` and `completion`: what this build can do."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.telemetry.metrics import CATALOGUE

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("venues", {"lbank", "fmex"}),
        ("sinks", {"console", "jsonl"}),
        ("metrics", {"gateway_reconnects_total", "gateway_ready", "gateway_venue_lag_seconds"}),
    ],
)
def test_lists(what: str, names: set[str], run: Run) -> None:
    """For people and for programs, the same names."""
    shown = {line.split()[0] for line in run("list", what).out.splitlines()}
    told = {one["name"] for one in json.loads(run("list", what, "--json").out)}

    assert names <= shown
    assert shown == told


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lbank", "credentials.api_key"),
        ("fmex", "Streams:"),
        ("jsonl", "Guarantees:"),
        ("journal.retain.age", "default 14d"),
        ("accounts.connections", "at least 1, at most 2; default 1"),
        ("sinks.retry.initial", "default 250ms"),
        ("lbank.key.life", "default 1h"),
        ("gateway_reconnects", "a counter, labels: account, reason"),
        ("gateway_ready", "a gauge"),
        ("disk_full", "a reason of a stream event"),
        ("journal_opened", "a log line"),
        ("78", "mistakes"),
        ("exit-codes", " 77  A secret cannot be read."),
    ],
)
def test_explain(name: str, expected: str, run: Run) -> None:
    """Whatever an operator reads somewhere can be asked for by its name."""
    outcome = run("explain", name)

    assert outcome.code == 0
    assert expected in outcome.out


def test_every_metric_is_explained() -> None:
    """The catalogue has a help for each."""
    assert all(spec.help for spec in CATALOGUE)


@pytest.mark.parametrize("what", ["events", "config"])
def test_schemas_are_json(what: str, run: Run) -> None:
    """Both are JSON Schema of the current draft."""
    schema = json.loads(run("schema", what).out)

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, run: Run) -> None:
    """A script for each shell, which asks us for the words."""
    assert "_GATEWAY_COMPLETE" in run("completion", shell).out
