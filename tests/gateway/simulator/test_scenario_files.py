"""Scenario files: what is read, and what a mistake is told."""

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from adapters.fmex.simulator import SIMULATOR as FMEX
from adapters.lbank.simulator import SIMULATOR as LBANK
from gateway.errors import ConfigurationError
from gateway.simulator import Scenario, load_scenario, open_simulator, steps
from gateway.simulator.scenario import parse_scenario

MISTAKES = {
    "": "s.yaml:1:1: a scenario is a mapping, as in docs/scenarios",
    "- 1": "s.yaml:1:1: a scenario is a mapping, as in docs/scenarios",
    "rate: [1": "s.yaml: not YAML",
    "rat: 1": "s.yaml:1:1: Object contains unknown field `rat`",
    "rate: fast": "s.yaml:1:7: rate: Expected `float`, got `str`",
    "accounts: 0": "s.yaml:1:1: accounts: between 1 and 1000",
    "rate: -1": "s.yaml:1:1: rate: between 0 and 10000",
    "timeline:\n  - {at: 3x, do: drop}": (
        "s.yaml:2:10: timeline[0].at: not a duration such as 250ms, 30s, 5m or 1h: '3x'"
    ),
    "timeline:\n  - {do: drop}\n  - {do: drup}": (
        "s.yaml:3:10: timeline[1].do: Invalid value 'drup' (did you mean \"drop\"?)"
    ),
    "timeline:\n  - {do: dance}": "s.yaml:2:10: timeline[0].do: Invalid value 'dance' (one of",
    "timeline:\n  - {at: 1s}": ("s.yaml:2:5: timeline[0]: Object missing required field `do`"),
    "timeline:\n  - {do: lose, shore: 0.5}": (
        "s.yaml:2:5: timeline[0]: Object contains unknown field `shore`"
    ),
    "timeline:\n  - do: garbage\n    kind: n": "s.yaml:3:11: timeline[0].kind: Invalid enum value",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_names_its_place(text: str):
    """File, line and column stand before what is wrong."""
    with pytest.raises(ConfigurationError) as told:
        parse_scenario(text, "s.yaml")
    assert str(told.value).startswith(MISTAKES[text])


def test_a_file_that_cannot_be_read(tmp_path: Path):
    """A missing file is a mistake, not a traceback."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_scenario(tmp_path / "none.yaml")


def test_durations_and_defaults():
    """Durations have units; what is not said has a default."""
    scenario = parse_scenario("timeline: [{at: 5m, do: silence, for: 250ms, account: 1}]")
    assert scenario.timeline == (steps.Silence(at=300, lasting=0.25, account=1),)
    assert (scenario.rate, scenario.accounts) == (1.0, 2)


@given(st.text() | st.recursive(st.text(max_size=3) | st.integers(), st.lists).map(yaml.safe_dump))
def test_any_text_is_a_scenario_or_a_mistake(text: str):
    """Whatever stands in the file, nothing but a `ConfigurationError` comes of it."""
    with contextlib.suppress(ConfigurationError):
        assert isinstance(parse_scenario(text), Scenario)


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        (Scenario(venue="lbank"), "this scenario is for lbank, not for fmex"),
        (Scenario(switches={"helo": True}), "switches: Object contains unknown field `helo`"),
        (Scenario(switches={"hello": "yes"}), "switches.hello: Expected `bool`, got `str`"),
        (Scenario(timeline=(steps.ExpireKey(),)), "no stream keys"),
        (Scenario(timeline=(steps.Drop(account=2),)), "there are 2, counted from 0"),
        (Scenario(timeline=(steps.Switch(name="hello", value=3),)), "switches.hello"),
    ],
)
async def test_a_scenario_that_does_not_fit_the_venue(
    autojump_clock: MockClock, scenario: Scenario, message: str
):
    """Wrong venue, wrong switches and impossible steps are refused before anything starts."""
    with pytest.raises(ConfigurationError) as told:
        async with open_simulator(FMEX, scenario=scenario):
            pass
    assert message in str(told.value)


async def test_failures_of_the_user_of_a_simulator_come_out_as_they_are(
    autojump_clock: MockClock,
):
    """An error raised inside the block is not wrapped in a group."""
    with pytest.raises(LookupError, match="mine"):
        async with open_simulator(LBANK):
            raise LookupError("mine")
