"""What a benchmark found, kept as JSON, and all of it as `docs/performance.md`.

Each benchmark module gives one `Section`; its docstring is the section's text, so
that what is measured is described where it is measured.
"""

import argparse
import importlib
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "build" / "benchmarks"
PAGE: Final = ROOT / "docs" / "performance.md"

LIBRARIES: Final = ("trio", "trio-websocket", "websockets", "msgspec", "apsw", "ccxt")

INTRODUCTION: Final = """\
# Performance

Written by `python -m benchmarks`; change the benchmarks, not this page. Absolute figures differ
from machine to machine: what counts is the ratio of figures that were measured side by side, in
turns, in one run. *CPU* is processor time (user and system) of the process that is measured.

Where a frame's time goes (processor time by thread, py-spy within it; full path, ten accounts,
either transport, on a machine with other work):

| thread | µs/frame | of it |
| --- | --- | --- |
| loop | 24 | book 31%, decoding 21%, preparing for the journal 13%, sink's worker 12%, wire 8% |
| journal | 20 | half under Python's lock (checksums, rows, ids), else SQLite and the kernel |
| checkpoints | 3 | the kernel |
| sink (`jsonl`) | 6 | reading what is behind from disk, write and fsync |

Python's lock lets one thread run at a time, but for SQLite and the kernel: the loop's 24 µs and
some 15 of the others bound the rate. What brought it there from 74 (trio-websocket) and 52
(websockets): plain text frames pass the protocol library by (18 and 4 µs); many rows a statement,
so that the journal asks for Python's lock once for all of them and works beside the loop
meanwhile, not in turns with it; recent records weighed by group; LBank's frames decoded in one
pass. For the tail of the latency ids are sealed by 1,024 in place of 4,096 and sorted by parts:
nobody waits for the 30 ms in which 65,536 were sorted. For quiet accounts heartbeats share
quarters of a second.

A sink's cursor gets to disk beside the next batch, and what settles within 50 ms makes one move.
Before, each batch waited for the group that was being written: under a burst a `jsonl` sink got
4,000 events/s while 20,000 were journalled, and caught up afterwards. In turns with the state
before it, on one noisy machine at 600/s (medians of three): p99 until `jsonl` accepted 22 ms, was
32; p50 6.9 ms, was 8.7; the journal's thread 240 µs a frame, was 408.

Checkpoints took a quarter of the writer's thread under a burst, 30 ms each, in which no group was
written. A thread of their own made 12 % more frames a second of it, in turns with the state before.
Python's threads take turns each millisecond, not each five: in five pairs of runs always faster, by
3 to 10 % (before checkpoints moved, it made no difference).

Under a burst a `jsonl` sink still falls behind, since its thread asks for Python's lock several
times a batch; beyond 10,000 events it reads from disk, at 5 µs an event. When the burst ends it
catches up at 50,000 to 90,000 a second.

Tried and left out, since it changed nothing or for the worse: more batches whose cursor is not on
disk yet (four or twenty in place of one), pages of 8 or 16 KiB (8 % of the writer's time, for a
journal that older versions read in another way), escaping an id's facts at once, keeping a venue's
text unescaped (half a microsecond; journals of version 1 hold it escaped), rows of the book without
field names (as much; a field added in the middle would be misread), structs made by position (half
a microsecond an order; nobody could read it), other words for an adapter's checks of its values,
counting events by runs (a tenth each).
"""


class Table(msgspec.Struct, frozen=True):
    """Rows under a heading."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class Plot(msgspec.Struct, frozen=True):
    """Bars, drawn by Mermaid wherever Markdown is shown with pictures."""

    title: str
    unit: str
    names: Sequence[str]
    values: Sequence[float]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """What one benchmark found."""

    title: str
    text: str
    command: str
    tables: Sequence[Table]
    plots: Sequence[Plot] = ()
    notes: Sequence[str] = ()
    """Verdicts: which target is met, and by how much one is missed."""
    measured_at: str = ""
    machine: str = ""


def measure_all(
    program: str, text: str | None, names: Sequence[str], otherwise: Sequence[str]
) -> None:
    """Measure what the command line names, or what is meant otherwise, and keep it.

    `program` and `text` are what ``--help`` says of it.
    """
    arguments = argparse.ArgumentParser(prog=f"python -m {program}", description=text)
    arguments.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    arguments.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    options = arguments.parse_args()
    for name in options.names or otherwise:
        print(f"== {name}", flush=True)
        keep(name, importlib.import_module(f"benchmarks.{name}").measure(quick=options.quick))


def keep(name: str, section: Section) -> None:
    """Put a section where `write_page` finds it."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    stamped = msgspec.structs.replace(section, measured_at=now, machine=machine())
    (RESULTS / f"{name}.json").write_bytes(msgspec.json.encode(stamped))


def write_page(names: Sequence[str]) -> None:
    """Write the page from the latest result of each benchmark."""
    standing = PAGE.read_text() if PAGE.exists() else ""
    PAGE.write_text("\n".join([INTRODUCTION, *_renewed(standing, names)]))


def write_figures(page: Path, mark: str, names: Sequence[str]) -> None:
    """Write the latest results into a page that people wrote, behind a mark in it."""
    written_by_hand, mark, standing = page.read_text().partition(mark)
    assert mark, f"{page} lacks the mark"
    page.write_text("\n".join([written_by_hand + mark, *_renewed("\n" + standing, names)]))


def _renewed(standing: str, names: Sequence[str]) -> Iterable[str]:
    """The sections of a page, each from its latest result; those without one stay as they are.

    Results lie in a folder that git does not keep: whoever runs one benchmark in a fresh
    clone leaves what others measured.
    """
    sections = {part.partition("\n")[0]: f"## {part}" for part in standing.split("\n## ")[1:]}
    for section in _latest(names):
        sections[section.title] = _section(section)
    return sections.values()


def _latest(names: Sequence[str]) -> list[Section]:
    paths = [RESULTS / f"{name}.json" for name in names]
    return [msgspec.json.decode(path.read_bytes(), type=Section) for path in paths if path.exists()]


def machine() -> str:
    """Processor, system, commit and versions, in one line."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} processors ({model}), {platform.system()} {platform.release()},"
        f" load {load}; Python {platform.python_version()}, {versions}; commit {commit}"
    )


def _section(section: Section) -> str:
    lines = [f"## {section.title}", "", section.text.strip(), ""]
    for table in section.tables:
        lines += [f"**{table.title}**", "", _row(table.columns), _row(["---"] * len(table.columns))]
        lines += [*map(_row, table.rows), ""]
    for plot in section.plots:
        lines += _plot(plot)
    lines += [f"- {note}" for note in section.notes]
    lines += ["", f"`{section.command}` on {section.measured_at}: {section.machine}.", ""]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plot(plot: Plot) -> list[str]:
    names = ", ".join(f'"{name}"' for name in plot.names)
    values = ", ".join(f"{value:g}" for value in plot.values)
    return [
        "```mermaid",
        "xychart-beta",
        f'    title "{plot.title}"',
        f"    x-axis [{names}]",
        f'    y-axis "{plot.unit}" 0 --> {max(plot.values) * 1.1:.0f}',
        f"    bar [{values}]",
        "```",
        "",
    ]
