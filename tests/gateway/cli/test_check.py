"""`gateway check`: exit codes, streams and JSON."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., Path]
Run = Callable[..., Any]

SOUND = """\
state_dir: {folder}
accounts:
  a:
    venue: fmex
    credentials: {{api_key: {{env: CHECK_KEY}}, secret: {{env: CHECK_SECRET}}}}
    endpoints: {{rest: "http://127.0.0.1:9", websocket: "ws://127.0.0.1:9/", sign: "http://127.0.0.1:9"}}
sinks:
  events: {{type: jsonl, path: events.jsonl}}
"""


@pytest.fixture(name="sound")
def _sound(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHECK_KEY", "key-canary-1")
    monkeypatch.setenv("CHECK_SECRET", "secret-canary-2")
    return write(SOUND.format(folder=tmp_path))


def test_a_sound_configuration(sound: Path, run: Run) -> None:
    """Exit 0 and one line on stdout."""
    outcome = run("check", "-c", sound)

    assert (0, f"{sound}: 1 account, 1 sink: valid\n", "") == (
        outcome.code,
        outcome.out,
        outcome.err,
    )


def test_the_file_may_be_named_before_the_command(sound: Path, run: Run) -> None:
    """`-c` is understood on both sides of the command."""
    assert run("-c", sound, "check").code == 0


def test_mistakes(write: Write, run: Run) -> None:
    """Exit 78; every mistake is a line on stderr that an editor can jump to."""
    path = write("nam: x\nlog: {level: loud}\n")

    outcome = run("check", "-c", path)

    assert outcome.code == 78
    assert outcome.err.splitlines() == [
        f'{path}:1:1: nam: unknown key (did you mean "name"?)',
        f"{path}:2:14: log.level: expected debug, info, warning or error",
    ]


def test_an_unreadable_secret(sound: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 77; the reference is named, and what is wrong with it."""
    monkeypatch.delenv("CHECK_SECRET")

    outcome = run("check", "-c", sound)

    assert outcome.code == 77
    assert "accounts.a.credentials.secret: env:CHECK_SECRET: not set or empty" in outcome.err


def test_warnings(write: Write, run: Run) -> None:
    """Warnings are shown; they matter with --deny-warnings only."""
    path = write("name: x\n")

    assert run("check", "-c", path).code == 0
    outcome = run("check", "-c", path, "--deny-warnings")
    assert outcome.code == 3
    assert "warning: " in outcome.err
    assert "accounts: no account is enabled" in outcome.err


def test_json(write: Write, run: Run) -> None:
    """For programs: everything in one object on stdout, whatever the outcome."""
    outcome = run("check", "-c", write("nam: x\n"), "--json")

    shown = json.loads(outcome.out)
    assert (outcome.code, shown["ok"], shown["exit_code"]) == (78, False, 78)
    assert shown["mistakes"][0] | {"file": ""} == {
        "file": "",
        "line": 1,
        "column": 1,
        "path": "nam",
        "message": "unknown key",
        "hint": 'did you mean "name"?',
    }


def test_connect_to_a_venue_that_is_not_there(sound: Path, run: Run) -> None:
    """Exit 69; the venue is named with the reason, the sink is well, no secret shows."""
    outcome = run("check", "-c", sound, "--connect", "--timeout", "10")

    assert outcome.code == 69
    assert "FAILED  accounts.a" in outcome.err
    assert "ok      sinks.events" in outcome.out
    assert "canary" not in outcome.out + outcome.err


def test_a_peer_that_never_answers_is_given_up(sound: Path, run: Run) -> None:
    """Each peer has its time; nobody waits for ever."""
    outcome = run("check", "-c", sound, "--connect", "--timeout", "0.000001")

    assert outcome.code == 69
    assert "no answer within 1e-06 s" in outcome.err
