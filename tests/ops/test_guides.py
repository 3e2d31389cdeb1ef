"""README and guides, followed by a reader who does what they say, on pretend exchanges."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from gateway import registry
from gateway.simulator import Scenario, Simulator, load_dialect, open_simulator
from tests.doubles.receiver import Post, Receiver, Reply, open_receiver
from tests.ops.distributions import REPOSITORY, Distributions, copy_tracked
from tests.ops.guides import blocks, commands, follow, script

README = REPOSITORY / "README.md"
GUIDES = [REPOSITORY / "docs" / name for name in ("getting-started.md", "operations.md")]
INSTALLING = ("make ", "python3 -m venv", ". ", "pip install")
AS_ROOT = ("sudo ", "packaging/")
"""Followed by test_debian_package.py, in a machine of its own."""
MORE_SINKS = """\
  desk: {{type: webhook, url: "{url}", start: earliest, stream_events: false}}
  old: {{type: jsonl, path: old.jsonl}}
"""
WORDS = {"SINK": "desk", "OLD_SINK": "old", "NUMBER": "1"}


def picky(post: Post) -> Reply:
    """A desk that refuses every tenth event for good."""
    return Reply(400 if json.loads(post.body)["seq"] % 10 == 0 else 200)


@asynccontextmanager
async def open_exchange() -> AsyncIterator[Simulator]:
    """A lively LBank with one account."""
    dialect = load_dialect(registry.find_venue("lbank"))
    scenario = Scenario(seed=11, accounts=1, rate=4)
    async with open_simulator(dialect, scenario=scenario) as venue:
        yield venue


def settle(directory: Path, page: Path, venue: Simulator, desk: Receiver) -> dict[str, str]:
    """Write the page's configuration, for the pretend exchange; the words to fill in."""
    [least] = [text for text in blocks(page, "yaml") if "accounts:" in text]
    rest, socket = venue.rest_url, venue.websocket_url
    there = f"    endpoints: {{rest: '{rest}', websocket: '{socket}'}}\n"
    text = least.replace("sinks:\n", f"{there}sinks:\n") + MORE_SINKS.format(url=desk.url)
    (directory / "gateway.yaml").write_text("http: {listen: '127.0.0.1:0'}\n" + text)
    key, secret = venue.credentials[0]
    return WORDS | {"KEY": key, "SECRET": secret}


def of_this_venv() -> dict[str, str]:
    """An environment in which `gateway` is the one of this test."""
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.mark.scenarios
@pytest.mark.timeout(300)
async def test_the_guides_can_be_followed(tmp_path: Path):
    """Getting started, then operations: every command of both, in one folder."""
    (tmp_path / "docs").symlink_to(REPOSITORY / "docs")
    lines = [line for page in GUIDES for line in commands(page)]
    own = [line for line in lines if not line.startswith(INSTALLING + AS_ROOT)]
    async with open_exchange() as venue, open_receiver() as desk:
        desk.reply = picky
        words = settle(tmp_path, GUIDES[0], venue, desk)
        text = script(own, words)
        told = await trio.to_thread.run_sync(partial(follow, text, tmp_path, of_this_venv()))

    assert "0 findings" in told


@pytest.mark.timeout(300)
async def test_the_readme_can_be_followed(tmp_path: Path):
    """Every command of the README but for installing."""
    async with open_exchange() as venue, open_receiver() as desk:
        words = settle(tmp_path, README, venue, desk)
        environment = of_this_venv() | {
            "LBANK_API_KEY": words["KEY"],
            "LBANK_SECRET": words["SECRET"],
        }
        own = [line for line in commands(README) if not line.startswith(INSTALLING)]
        await trio.to_thread.run_sync(partial(follow, script(own, words), tmp_path, environment))


@pytest.mark.scenarios
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("usual_port")
async def test_the_readme_begins_in_an_empty_clone(tmp_path: Path):
    """`make demo` sets everything up by itself; afterwards the command is in the shell."""
    clone = copy_tracked(tmp_path / "clone")
    own = [line for line in commands(README) if line.startswith(INSTALLING)]
    text = script([*own, "gateway --version"], {"PATH_OF_PROJECT": "."})

    told = await trio.to_thread.run_sync(partial(follow, text, clone, {"DEMO": "--for 3s"}))

    assert "gateway 0." in told


@pytest.mark.scenarios
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("usual_port")
async def test_the_first_page_installs(distributions: Distributions, tmp_path: Path):
    """Into an empty environment, with all that `gateway top` needs."""
    own = [line for line in commands(GUIDES[0]) if line.startswith(INSTALLING)]
    text = script([*own, "gateway demo --for 1s"], {"PATH_OF_PROJECT": str(distributions.wheel)})

    await trio.to_thread.run_sync(partial(follow, text, tmp_path, {}))
