"""Whatever stands in the file, the answer is mistakes or a configuration."""

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import Config, InvalidConfiguration, Mistake, load_config

NAMES = """accounts sinks defaults include log level http listen journal retain age size a b venue
acme credentials api_key secret env file pairs all key life refresh depth lot speed names desks
type pigeon console lofts street kinds fill enabled true null ~ 0 1 -1 1.5 5m 10GiB .nan 1e999"""
WORDS = st.sampled_from(NAMES.split())
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(WORDS, st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(WORDS, st.text(max_size=5)), inner, max_size=5),
    ),
    max_leaves=30,
)
ACCOUNTS = st.fixed_dictionaries(
    {"accounts": st.dictionaries(WORDS, st.dictionaries(WORDS, VALUES, max_size=6), max_size=3)},
    optional={"sinks": VALUES, "defaults": VALUES, "http": VALUES, "journal": VALUES},
)
YAMLISH = st.text(alphabet="ab:-? ,[]{}&*!|>'\"%#@\n\t~01é\x07", max_size=80)


def judge(data: bytes) -> None:
    """Load, and check the one promise: a `Config`, or mistakes that each have a place."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "gateway.yaml")
        path.write_bytes(data)
        mistakes = mistakes_of(path)
    assert all(one.line >= 1 and one.column >= 1 for one in mistakes)
    assert all(len(str(one).splitlines()) == 1 for one in mistakes)


def mistakes_of(path: Path) -> tuple[Mistake, ...]:
    """None for a valid configuration."""
    try:
        assert isinstance(load_config(path), Config)
    except InvalidConfiguration as error:
        return error.mistakes
    return ()


no_fixture_check = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None
)


@no_fixture_check
@given(YAMLISH)
def test_any_text(text: str) -> None:
    """Text that is nearly YAML never gives a traceback."""
    judge(text.encode())


@no_fixture_check
@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    """Bytes never give a traceback."""
    judge(data)


@no_fixture_check
@given(VALUES)
def test_any_value(value: Any) -> None:
    """Any YAML value at the top never gives a traceback."""
    judge(yaml.safe_dump(value).encode())


@no_fixture_check
@given(ACCOUNTS)
def test_any_value_at_the_right_place(value: Any) -> None:
    """Known keys with any value under them never give a traceback."""
    judge(yaml.safe_dump(value).encode())
