"""`gateway replay`, `gateway dlq` and `gateway journal verify`, stopped and running."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import Record
from gateway.events.model import Balance, Event, Origin
from gateway.events.numbers import PlainDecimal
from gateway.events.times import from_nanoseconds
from gateway.journal import DeadLetter, JournalSettings, open_journal
from gateway.telemetry.metrics import Metrics

Write = Callable[..., Path]
Run = Callable[..., Any]

EVENTS = 6


def event(number: int) -> Event:
    """One balance."""
    one = PlainDecimal("1")
    return Event(
        id=f"{number:032x}",
        account="a",
        venue="v",
        origin=Origin.PUSH,
        received_time=from_nanoseconds(time.time_ns()),
        body=Balance(asset="BTC", available=one, held=one, total=one),
    )


async def prepare(directory: Path) -> None:
    """A journal of six events; the sink took all but the second and the fifth."""
    settings, metrics = JournalSettings(), Metrics()
    async with open_journal(directory, settings, clock=WALL_CLOCK, metrics=metrics) as journal:
        await journal.register_sink(
            "events", "jsonl", "earliest", holds_retention=True, overflow="drop_oldest"
        )
        ticket = await journal.append([event(number) for number in range(1, EVENTS + 1)])
        await ticket.wait()
        dead = [letter(record) for record in await journal.read(0, EVENTS) if record.seq in (2, 5)]
        await journal.advance("events", EVENTS, delivered=EVENTS - 2, filtered=0, dead=dead)


def letter(record: Record) -> DeadLetter:
    """A record that the sink refused."""
    return DeadLetter(
        sink="events",
        record=record,
        reason="400",
        excerpt="no such field",
        first_try_ns=time.time_ns(),
        last_try_ns=time.time_ns(),
    )


@pytest.fixture(name="path")
def _path(tmp_path: Path, write: Write) -> Path:
    trio.run(partial(prepare, tmp_path))
    return write(
        f"state_dir: {tmp_path}\nhttp: null\nsinks: {{events: {{type: jsonl, path: e.jsonl}}}}\n"
    )


@pytest.fixture(name="running")
def _running(path: Path):
    """The gateway itself, in a process of its own."""
    command = [sys.executable, "-m", "gateway", "-c", str(path), "run"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "gateway_ready" in line:
                break
        yield process
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


def taken(path: Path) -> list[int]:
    """The seqs in the sink's file."""
    file = path.with_name("e.jsonl")
    return [json.loads(line)["seq"] for line in file.read_text().splitlines()]


@pytest.mark.parametrize("state", ["stopped", "running"])
def test_replay(state: str, path: Path, run: Run, request: pytest.FixtureRequest) -> None:
    """A range goes to the sink again, ends included, whether a gateway runs or not."""
    if state == "running":
        request.getfixturevalue("running")

    outcome = run("-c", path, "replay", "--sink", "events", "--from", 3, "--to", 5)

    assert (0, "sink events: 3 events sent again\n") == (outcome.code, outcome.out)
    assert [3, 4, 5] == taken(path)


@pytest.mark.parametrize("state", ["stopped", "running"])
def test_dry_run(state: str, path: Path, run: Run, request: pytest.FixtureRequest) -> None:
    """Only counts."""
    if state == "running":
        request.getfixturevalue("running")

    outcome = run("-c", path, "replay", "--sink", "events", "--from", "10m", "--dry-run")

    assert outcome.out == f"sink events: {EVENTS} events would be sent again\n"
    assert not path.with_name("e.jsonl").exists()


def test_replay_to_a_sink_that_is_not_there(path: Path, run: Run) -> None:
    """Exit 1, and the name."""
    outcome = run("-c", path, "replay", "--sink", "evnts", "--from", 1)

    assert outcome.code == 1
    assert "evnts" in outcome.err


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        (["--from", "5", "--to", "4"], "lies before --from"),
        (["--from", "soon"], "or a seq such as"),
    ],
)
def test_bounds_that_make_no_sense(bounds: list[str], told: str, path: Path, run: Run) -> None:
    """Exit 2, as for every mistake on the command line."""
    outcome = run("-c", path, "replay", "--sink", "events", *bounds)

    assert outcome.code == 2
    assert told in outcome.err


def test_dead_letters_are_listed(path: Path, run: Run) -> None:
    """One line each, oldest first; as JSON for programs."""
    lines = run("-c", path, "dlq", "list").out.splitlines()
    told = [json.loads(line) for line in run("-c", path, "dlq", "list", "--json").out.splitlines()]

    assert ["  seq 2  ", "  seq 5  "] == [line[line.index("  seq") :][:9] for line in lines]
    assert [("events", 2, "400"), ("events", 5, "400")] == [
        (one["sink"], one["seq"], one["reason"]) for one in told
    ]
    assert run("-c", path, "dlq", "list", "--sink", "other").out == ""


def test_a_dead_letter_is_shown(path: Path, run: Run) -> None:
    """With the event, and what the sink answered."""
    number = json.loads(run("-c", path, "dlq", "list", "--json").out.splitlines()[0])["number"]

    shown = run("-c", path, "dlq", "show", number)

    assert "the sink answered: no such field" in shown.out
    assert '"seq": 2' in shown.out
    assert run("-c", path, "dlq", "show", 999).code == 1


def test_all_dead_letters_of_a_sink_are_shown(path: Path, run: Run) -> None:
    """As objects for programs, one a line, each with its event."""
    shown = run("-c", path, "dlq", "show", "--sink", "events", "--json").out.splitlines()

    assert [2, 5] == [json.loads(line)["event"]["seq"] for line in shown]
    assert run("-c", path, "dlq", "show", "--sink", "other").out == ""


@pytest.mark.parametrize("state", ["stopped", "running"])
def test_dead_letters_are_sent_again(
    state: str, path: Path, run: Run, request: pytest.FixtureRequest
) -> None:
    """After the mend they are accepted, and are dead no longer."""
    if state == "running":
        request.getfixturevalue("running")

    outcome = run("-c", path, "dlq", "replay")

    assert (0, "2 dead letters accepted\n") == (outcome.code, outcome.out)
    assert [2, 5] == taken(path)
    assert run("-c", path, "dlq", "list").out == ""


@pytest.mark.parametrize("state", ["stopped", "running"])
def test_dead_letters_are_dropped(
    state: str, path: Path, run: Run, request: pytest.FixtureRequest
) -> None:
    """By number; the others stay."""
    if state == "running":
        request.getfixturevalue("running")
    numbers = [
        json.loads(line)["number"]
        for line in run("-c", path, "dlq", "list", "--json").out.splitlines()
    ]

    outcome = run("-c", path, "dlq", "drop", "--yes", numbers[0])

    assert outcome.out == "1 dead letters dropped\n"
    assert len(run("-c", path, "dlq", "list").out.splitlines()) == 1


@pytest.mark.parametrize("state", ["stopped", "running"])
@pytest.mark.parametrize("order", ["drop", "replay"])
@pytest.mark.parametrize(
    ("chosen", "told"),
    [(["1", "2", "77"], "there is no dead letter 77"), (["--sink", "evnts"], "no sink evnts")],
)
def test_what_is_not_there_is_not_half_done(
    chosen: list[str], told: str, order: str, state: str, path: Path, run: Run,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    """A number or a name mistyped: exit 1, and nothing was dropped or sent."""
    if state == "running":
        request.getfixturevalue("running")

    outcome = run("-c", path, "dlq", order, *chosen)

    assert outcome.code == 1
    assert told in outcome.err
    assert len(run("-c", path, "dlq", "list").out.splitlines()) == 2


def test_a_script_is_not_asked(path: Path, run: Run) -> None:
    """Where standard input is no terminal, nobody could answer."""
    outcome = run("-c", path, "dlq", "drop", "--sink", "events")

    assert (0, "2 dead letters dropped\n") == (outcome.code, outcome.out)


def test_a_sound_journal(path: Path, run: Run) -> None:
    """Every record is what was written."""
    outcome = run("-c", path, "journal", "verify")

    assert (0, f"{EVENTS} records, 0 findings\n") == (outcome.code, outcome.out)


def test_a_damaged_journal(path: Path, run: Run) -> None:
    """Exit 65, and a sentence that says what is wrong."""
    database = path.with_name("journal.db")
    data = bytearray(database.read_bytes())
    position = data.index(b'"available":"1"')
    data[position + 13] = ord("7")
    database.write_bytes(data)

    outcome = run("-c", path, "journal", "verify", "--json")

    assert outcome.code == 65
    assert "is not what was written" in json.loads(outcome.out)["findings"][0]


def test_a_place_without_a_journal(write: Write, tmp_path: Path, run: Run) -> None:
    """No command makes a journal by the way: exit 73."""
    path = write(f"state_dir: {tmp_path}/none\nsinks: {{events: {{type: jsonl, path: e}}}}\n")

    assert run("-c", path, "replay", "--sink", "events", "--from", 1).code == 73
    assert not (tmp_path / "none").exists()
