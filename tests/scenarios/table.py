"""Renew the table in `docs/reliability.md` from the newest runs.

``python -m tests.scenarios.table``: what stands between the two marks is replaced,
everything else in that file is written by hand.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from tests.scenarios.results import Figure, Note, Outcome, newest

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN: Final = "<!-- counted: begin (python -m tests.scenarios.table) -->"
END: Final = "<!-- counted: end -->"

STREAM_ROWS: Final = range(10, 20)
RANDOM: Final = "random scripts"
"""Hundreds of notes: only the second table tells them, together."""

Line = tuple[Note, Outcome]


def main() -> None:
    """Write the page anew."""
    outcomes = newest()
    if not outcomes:
        sys.exit("nothing was counted yet: run `make test` or `make scenarios` first")
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not end:
        sys.exit(f"{PAGE} lacks the marks {BEGIN} and {END}")
    table = "\n".join(render(outcomes))
    PAGE.write_text(f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}", encoding="utf-8")


def render(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The table, and below it what failed or could not be run."""
    lines = [(note, outcome) for outcome in outcomes for note in outcome.notes]
    lines.sort(key=lambda line: (line[0].row, line[0].fault, line[0].form.command))
    told_here = [line for line in lines if not line[0].fault.startswith(RANDOM)]
    yield "| # | fault | command | counted | date | outcome |"
    yield "|---|---|---|---|---|---|"
    for row, group in groupby(told_here, key=lambda line: line[0].row):
        yield from (_cells(row, line) for line in group)
    yield from _render_streams([note for note, outcome in lines if outcome.outcome == "passed"])
    for outcome in outcomes:
        if outcome.outcome == "skipped":
            yield f"\nNot on this machine: `{outcome.test}` ({outcome.reason})."
        elif outcome.outcome != "passed" and not outcome.notes:
            yield f"\nFailed on {outcome.at:%Y-%m-%d}: `{outcome.test}`."


def _render_streams(notes: Sequence[Note]) -> Iterator[str]:
    """Per fault of a stream, all its runs together: the longest times, and what was lost."""
    yield "\n### Streams: how long until a fault is noticed and healed\n"
    yield "| # | fault | runs | to notice, at most | to heal, at most | lost | doubled |"
    yield "|---|---|---|---|---|---|---|"
    streams = [note for note in notes if note.row in STREAM_ROWS and "lost" in note.figures]
    for (row, fault), group in groupby(streams, key=lambda note: (note.row, note.fault)):
        runs = [note.figures for note in group]
        times = [_longest(runs, name) for name in ("seconds_to_notice", "seconds_to_heal")]
        sums = [sum(int(run.get(name, 0)) for run in runs) for name in ("lost", "doubled")]
        yield "| " + " | ".join(map(str, (row, fault, len(runs), *times, *sums))) + " |"


def _longest(runs: Sequence[dict[str, Figure]], name: str) -> str:
    known = [float(run[name]) for run in runs if name in run]
    return f"{max(known):g} s" if known else "not timed"


def _cells(row: int, line: Line) -> str:
    note, outcome = line
    counted = ", ".join(
        f"{_number(figure)} {name.replace('_', ' ')}" for name, figure in note.figures.items()
    )
    cells = (row, note.fault, f"`{note.form.command}`", counted, f"{outcome.at:%Y-%m-%d}")
    return "| " + " | ".join(str(cell) for cell in (*cells, outcome.outcome)) + " |"


def _number(figure: Figure) -> str:
    return figure if isinstance(figure, str) else f"{figure:,}"


if __name__ == "__main__":
    main()
