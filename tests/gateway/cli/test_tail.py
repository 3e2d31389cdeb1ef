"""`gateway tail` and `gateway journal info` on a stopped gateway's journal."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from gateway.clock import WALL_CLOCK
from gateway.events.model import Balance, Event, Fill, Origin
from gateway.events.numbers import PlainDecimal
from gateway.events.times import Timestamp, from_milliseconds
from gateway.journal import JournalSettings, open_journal
from gateway.telemetry.metrics import Metrics

Write = Callable[..., Path]
Run = Callable[..., Any]

FIRST_MS = int(time.time() - 86_400) * 1000
"""When the first of our events was received; each later one came a second after.
Yesterday, so that retention leaves them alone."""

EVENTS = 2500


def received(number: int) -> str:
    """When the event of this number was received."""
    return from_milliseconds(FIRST_MS + 1000 * (number - 1))


def event(number: int) -> Event:
    """Odd ones are fills of `one`, even ones balances of `two`."""
    one = PlainDecimal("1")
    body = (
        Fill(order_id=f"o{number}", price=one, quantity=one, derived=False)
        if number % 2
        else Balance(asset="BTC", available=one, held=one, total=one)
    )
    return Event(
        id=f"{number:032x}",
        account="one" if number % 2 else "two",
        venue="v",
        symbol="ETH/BTC" if number % 2 else None,
        venue_symbol="eth_btc" if number % 2 else None,
        origin=Origin.PUSH,
        received_time=Timestamp(received(number)),
        body=body,
        raw="{}",
    )


async def fill_journal(directory: Path, numbers: Sequence[int]) -> None:
    """Record these events."""
    settings, metrics = JournalSettings(), Metrics()
    async with open_journal(directory, settings, clock=WALL_CLOCK, metrics=metrics) as journal:
        ticket = await journal.append([event(number) for number in numbers])
        await ticket.wait()


@pytest.fixture(scope="module", name="state_dir")
def _state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("state")
    trio.run(partial(fill_journal, directory, range(1, EVENTS + 1)))
    return directory


@pytest.fixture(name="tail")
def _tail(state_dir: Path, write: Write, run: Run) -> Run:
    """The seqs that `gateway tail` shows with these options."""
    path = write(f"state_dir: {state_dir}\n")

    def seqs(*options: object) -> list[int]:
        outcome = run("-c", path, "tail", "--json", *options)
        assert outcome.code == 0
        return [json.loads(line)["seq"] for line in outcome.out.splitlines()]

    return seqs


def test_the_newest_ten(tail: Run) -> None:
    """As tail(1), without options."""
    assert list(range(EVENTS - 9, EVENTS + 1)) == tail()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-n", 3], [2498, 2499, 2500]),
        (["-n", 0], []),
        (["-n", 2, "--account", "one"], [2497, 2499]),
        (["-n", 2, "--kind", "balance"], [2498, 2500]),
        (["-n", 2, "--kind", "balance", "--kind", "fill"], [2499, 2500]),
        (["-n", 2, "--symbol", "eth_btc"], [2497, 2499]),
        (["-n", 2, "--symbol", "ETH/BTC"], [2497, 2499]),
        (["-n", 2, "--symbol", "BTC/USDT"], []),
        (["-n", 2, "--account", "one", "--kind", "balance"], []),
        (["--from-seq", 2499], [2499, 2500]),
        (["--from-seq", 2490, "-n", 1], [2500]),
        (["--from-seq", 2499, "--account", "one"], [2499]),
        (["--from-seq", 99999], []),
        (["--since", received(2499)], [2499, 2500]),
        (["--since", received(2499).removesuffix("Z")], [2499, 2500]),
        (["--since", received(2499).replace("Z", "+00:00")], [2499, 2500]),
        (["--since", "10m"], []),
    ],
)
def test_filters(options: list[object], expected: list[int], tail: Run) -> None:
    """Filters meet; the newest are shown, oldest first."""
    assert expected == tail(*options)


@pytest.mark.parametrize("options", [["--from-seq", 1], ["--since", "2020-01-01"], ["-n", 9999]])
def test_everything(options: list[object], tail: Run) -> None:
    """No hole and no repeat over many reads."""
    assert list(range(1, EVENTS + 1)) == tail(*options)


def test_lines_for_people(state_dir: Path, write: Write, run: Run) -> None:
    """Without --json, the lines of the console sink."""
    outcome = run("-c", write(f"state_dir: {state_dir}\n"), "tail", "-n", 2)

    fill, balance = outcome.out.splitlines()
    assert "ETH/BTC" in fill
    assert "balance" in balance
    assert "\x1b" not in outcome.out


def test_raw_only_on_request(state_dir: Path, write: Write, run: Run) -> None:
    """The venue's own text stays in the journal unless it is asked for."""
    path = write(f"state_dir: {state_dir}\n")

    plain = json.loads(run("-c", path, "tail", "-n", 1, "--json").out)
    raw = json.loads(run("-c", path, "tail", "-n", 1, "--json", "--raw").out)

    assert "raw" not in plain
    assert raw["raw"] == "{}"


def test_a_directory_without_a_journal(write: Write, tmp_path: Path, run: Run) -> None:
    """Exit 73 and what to look at."""
    outcome = run("-c", write(f"state_dir: {tmp_path}/none\n"), "tail")

    assert outcome.code == 73
    assert "holds no journal" in outcome.err


def interruptible() -> None:
    """Let Ctrl-C mean what it means at a terminal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_following(write: Write, tmp_path: Path) -> None:
    """With -f, events that come later are shown as they come; an interrupt is the orderly end."""
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    trio.run(fill_journal, state_dir, [1, 2])
    path = write(f"state_dir: {state_dir}\n")
    command = [sys.executable, "-m", "gateway", "-c", str(path), "tail", "-n1", "-f", "--json"]
    # Whoever runs the tests in the background has them ignore SIGINT, and so its children.
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,  # noqa: PLW1509 - it resets a signal, and no thread runs here
    ) as process:
        try:
            assert process.stdout is not None
            first = json.loads(process.stdout.readline())
            trio.run(fill_journal, state_dir, [3, 4])
            later = [json.loads(process.stdout.readline()) for _ in range(2)]
        finally:
            # It never ends by itself, and leaving the block waits for its end.
            process.send_signal(signal.SIGINT)

    assert process.returncode == 0
    assert [one["seq"] for one in (first, *later)] == [2, 3, 4]


def test_journal_info(state_dir: Path, write: Write, run: Run) -> None:
    """What the journal holds, for people and for programs."""
    path = write(f"state_dir: {state_dir}\n")

    shown = json.loads(run("-c", path, "journal", "info", "--json").out)

    assert (shown["first_seq"], shown["last_seq"], shown["sinks"]) == (1, EVENTS, [])
    assert shown["bytes"] > 0
    assert f"events     1 to {EVENTS}" in run("-c", path, "journal", "info").out
