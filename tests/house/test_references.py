"""The documents keep up with the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config import reference
from gateway.config.docstrings import attribute_docs
from gateway.config.reference import Option, nested_struct
from gateway.config.settings import GatewaySettings
from gateway.config.shapes import fields_of
from gateway.contracts.adapter import AccountOptions
from gateway.contracts.sink import SinkOptions
from gateway.registry import find_sink, find_venue

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"

OURS = ("lbank", "fmex")
OUR_SINKS = (
    "console",
    "jsonl",
    "kafka",
    "mqtt",
    "nats",
    "notify",
    "parquet",
    "postgres",
    "redis",
    "sqlite",
    "webhook",
)


def every_option() -> list[Option]:
    """Each option of each part."""
    options = [
        *reference.gateway_options(),
        *reference.account_options(),
        *reference.sink_options(),
    ]
    for venue in OURS:
        options += reference.own_options(find_venue(venue))
    for sink in OUR_SINKS:
        options += reference.own_options(find_sink(sink))
    return options


def test_the_references_are_up_to_date() -> None:
    """docs/generate.py would change nothing."""
    done = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("sink", OUR_SINKS)
def test_every_sink_has_a_page(sink: str) -> None:
    """With its options, an example and what is guaranteed, made from the code."""
    assert "<!-- from the code" in (DOCS / "sinks" / f"{sink}.md").read_text()


def test_the_examples_are_what_the_guide_shows() -> None:
    """What docs/extending.md shows of the two packages stands in them, word by word."""
    guide = (DOCS / "extending.md").read_text()
    shown = re.findall(r"```(?:toml|python)\n(.*?)```", guide, re.DOTALL)
    examples = DOCS / "examples"
    packages = [path.read_text() for path in (*examples.glob("*/*.py"), *examples.glob("*/*.toml"))]

    assert len(shown) >= 3
    for text in shown:
        assert any(text.strip() in package for package in packages), text


def test_tables_of_tests_name_tests() -> None:
    """Each test that a README of the tests names is there."""
    tests = REPOSITORY / "tests"
    named = {
        name
        for readme in tests.rglob("README.md")
        for name in re.findall(r"`(test_\w+)`", readme.read_text())
    }
    defined = {
        name
        for path in tests.rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    suites = "".join(path.read_text() for path in (tests / "contracts").glob("sink_*.py"))

    assert {name for name in named - defined if f"def {name}(" not in suites} == set()


@pytest.mark.parametrize("option", every_option(), ids=lambda option: option.path)
def test_every_option_is_explained(option: Option) -> None:
    """Each has a docstring under its field, and stands in the reference."""
    assert option.meaning
    assert f"`{option.path}`" in (DOCS / "configuration.md").read_text()


def test_every_field_of_every_settings_struct_is_explained() -> None:
    """Sections too: a person who asks gets a sentence."""
    structs = [GatewaySettings, AccountOptions, SinkOptions]
    structs += [find_venue(venue).settings for venue in OURS]
    structs += [find_sink(sink).settings for sink in OUR_SINKS]
    missing = []
    while structs:
        struct = structs.pop()
        for field in fields_of(struct).values():
            if not attribute_docs(struct).get(field.attribute):
                missing.append(f"{struct.__module__}.{struct.__name__}.{field.attribute}")
            inner = nested_struct(field.shape)
            structs += [] if inner is None else [inner]

    assert missing == []
