"""What the scenarios counted, kept for the table in `docs/reliability.md`.

A test that takes the fixture `results` notes what it did to the gateway and what
came of it. The notes of each test, with its outcome, become one line under
`build/reliability/`; `python -m tests.scenarios.table` makes the table of the
newest line of each test, so a failure that came after a success shows.
"""

import os
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

NOTES: Final = Path(__file__).parents[2] / "build" / "reliability" / "notes.jsonl"

Figure = int | float | str


class Form(StrEnum):
    """How much of a fault was tried."""

    SHORT = "short"
    CI = "ci"
    SOAK = "soak"

    @property
    def command(self) -> str:
        """What runs it."""
        return {"short": "make test", "ci": "make scenarios", "soak": "make soak"}[self.value]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of one test."""

    row: int
    """The number of the promise in `docs/reliability.md`."""
    fault: str
    form: Form
    figures: dict[str, Figure]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one test."""

    test: str
    at: datetime
    outcome: str
    """``passed``, ``failed`` or ``skipped``."""
    reason: str = ""
    """Why it was skipped."""
    notes: list[Note] = []


class Results:
    """The fixture `results`."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def note(self, row: int, fault: str, form: str, **figures: Figure) -> None:
        """Keep what was counted; call it last, when everything has been asserted.

        `form` is ``short``, ``CI`` or ``soak``; the names of figures are shown with
        spaces for underscores: ``results.note(1, "SIGKILL under load", "CI", kills=100)``.
        """
        self.notes.append(Note(row=row, fault=fault, form=Form(form.lower()), figures=figures))


def keep(test: str, outcome: str, reason: str, notes: list[Note]) -> None:
    """Append a line; one write, since tests run beside each other."""
    line = msgspec.json.encode(
        Outcome(test=test, at=datetime.now(UTC), outcome=outcome, reason=reason, notes=notes)
    )
    NOTES.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(NOTES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line + b"\n")
    finally:
        os.close(descriptor)


def newest() -> list[Outcome]:
    """The newest outcome of each test that there still is."""
    if not NOTES.exists():
        return []
    lines = NOTES.read_bytes().splitlines()
    outcomes = [msgspec.json.decode(line, type=Outcome) for line in lines]
    newest_of = {outcome.test: outcome for outcome in outcomes}
    here = NOTES.parents[2]
    return [each for each in newest_of.values() if (here / each.test.partition("::")[0]).exists()]
