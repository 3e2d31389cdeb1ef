#!/usr/bin/env python3
"""Write the references in this folder from the code: ``docs/generate.py [--check]``.

`configuration.md`, `events.md` and `metrics.md` are made of the settings structs,
the event model and the catalogue of metrics, with the docstring that stands under
each field. A test checks that what is committed is up to date.
"""

import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import get_args, get_type_hints

from gateway import registry
from gateway.config import reference
from gateway.config.docstrings import attribute_docs, summary
from gateway.config.reference import Option
from gateway.errors import ExitCode
from gateway.events.model import BODY_TYPES, SCHEMA_VERSION, Kind, Origin, StreamReason
from gateway.events.numbers import PlainDecimal
from gateway.events.times import Timestamp
from gateway.telemetry.metrics import CATALOGUE

DOCS = Path(__file__).parent
OURS = "exchange-event-gateway "
"""Packages of other people have their own documentation."""

BEGIN = "<!-- from the code: docs/generate.py -->"
END = "<!-- end -->"
NOTE = "<!-- Made by docs/generate.py from the code: change it there, then run that. -->\n"

CONFIGURATION = """\
# Configuration reference

`gateway.yaml` is looked for in the current directory, then in `/etc/gateway`; `-c FILE` names
another. `gateway check` tells every mistake with file, line and column. The annotated example
is [gateway.yaml](../gateway.yaml); an editor completes with `gateway schema config`.

- **Durations** are written `250ms` `30s` `5m` `12h` `14d`, **sizes** `512B` `64KiB` `10GiB`.
- **Text is taken as written**: `no`, `010` and `12:30` stay what they look like.
- **A secret** is `{env: NAME}`, `{file: PATH}` or `{credential: NAME}`, the last a systemd
  credential (`$CREDENTIALS_DIRECTORY/NAME`). The secret itself works too and draws a warning.
- **Names** of accounts and sinks are 1 to 40 of `a-z 0-9 _ -` and start with a letter or digit.
- **`include`** names files, or patterns, beside the main file; they hold `accounts` and `sinks`
  and nothing else. The same name in two files is a mistake.
- **`defaults`** holds options by venue, for every account of that venue; an account's own
  options win, key by key.
- YAML aliases, tags, second documents and repeated keys are mistakes.
"""

EVENTS = f"""\
# Event reference, schema {SCHEMA_VERSION}

One JSON object per event. A field that does not apply, or that the venue did not tell, is
`null` and never guessed. Every price, quantity, fee and rate is a string that holds a plain
decimal with all digits that the venue sent. A later minor version adds fields; a major one
changes meanings. `gateway schema events` prints the JSON Schema.

| field | type | meaning |
|---|---|---|
| `schema` | text | `"{SCHEMA_VERSION}"` |
| `id` | text | 32 lower-case hex characters: the same fact has the same id everywhere |
| `seq` | integer | position in this gateway's journal: 1, 2, 3 … without holes |
| `kind` | text | which of the bodies below |
| `account` | text | name of the account in `gateway.yaml` |
| `venue` | text | name of the venue |
| `symbol` | text or null | unified: spot `ETH/BTC`, perpetual swap `BTC/USD:BTC` |
| `venue_symbol` | text or null | as the venue writes it |
| `origin` | text | how the gateway came to know, see below |
| `venue_time` | time or null | when it happened, by the venue's clock; milliseconds |
| `received_time` | time | when the frame was read here; microseconds |
| the kind's name | object | the body, see below |
| `raw` | text | the venue's own text; only with `include_raw: true` |
"""


def main() -> int:
    """Write the files; with ``--check`` tell which are out of date instead."""
    check = sys.argv[1:] == ["--check"]
    stale = []
    for name, text in documents().items():
        path = DOCS / name
        if check:
            stale += [name] if not path.exists() or path.read_text() != text else []
        else:
            path.write_text(text)
    if stale:
        sys.stderr.write(f"out of date: {', '.join(stale)}; run docs/generate.py\n")
    return len(stale)


def documents() -> dict[str, str]:
    """Every generated file, by name; of the pages about sinks, the part between the marks."""
    return {
        "configuration.md": NOTE + "\n" + "\n".join(configuration()),
        "events.md": NOTE + "\n" + "\n".join(events()),
        "metrics.md": NOTE + "\n" + "\n".join(metrics()),
        **{f"sinks/{path.name}": sink_page(path) for path in marked_sink_pages()},
    }


def configuration() -> Iterator[str]:
    """The lines of configuration.md."""
    yield CONFIGURATION
    yield "## The gateway\n"
    yield from options_table(reference.gateway_options())
    yield "\n## Every account: `accounts.NAME`\n"
    yield from options_table(reference.account_options())
    for venue in map(registry.find_venue, ours(registry.VENUES, registry.venue_names())):
        yield f"\n## Accounts of {venue.title}: `venue: {venue.name}`\n"
        yield f"{venue.summary} Streams: {', '.join(f'`{one}`' for one in venue.streams)}.\n"
        yield from options_table(reference.own_options(venue))
    yield "\n## Every sink: `sinks.NAME`\n"
    yield from options_table(reference.sink_options())
    for sink in map(registry.find_sink, ours(registry.SINKS, registry.sink_names())):
        yield f"\n## Sinks of type `{sink.name}`\n"
        yield f"{sink.summary} {sink.guarantees}\n"
        yield from options_table(reference.own_options(sink))
    yield "\n## Exit codes\n"
    yield from table(
        ("code", "meaning"),
        ((str(code.value), attribute_docs(ExitCode)[code.name]) for code in ExitCode),
    )
    yield ""


def marked_sink_pages() -> list[Path]:
    """The pages about sinks with a part that is made here."""
    return [path for path in sorted(DOCS.glob("sinks/*.md")) if BEGIN in path.read_text()]


def sink_page(path: Path) -> str:
    """The page with the part between the marks made anew; the rest is written by hand."""
    spec = registry.find_sink(path.stem)
    before, _, rest = path.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    needs = f"Needs `pip install 'exchange-event-gateway[{spec.extra}]'`.\n\n"
    parts = [
        f"\n{spec.summary} {needs if spec.extra is not None else ''}".rstrip(),
        f"\n\n```yaml\n{spec.quick_start}```\n\n{spec.guarantees}\n\n",
        "\n".join(options_table(reference.own_options(spec))),
        "\n\nOptions of every sink: [configuration](../configuration.md#every-sink-sinksname).\n",
    ]
    return f"{before}{BEGIN}{''.join(parts)}{END}{after}"


def events() -> Iterator[str]:
    """The lines of events.md."""
    yield EVENTS
    for kind, body in BODY_TYPES.items():
        yield f"## `{kind}`\n"
        yield f"{summary(body)}\n"
        hints, meanings = get_type_hints(body), attribute_docs(body)
        yield from table(
            ("field", "type", "meaning"),
            (
                (f"`{field}`", type_words(hints[field]), meanings.get(field, ""))
                for field in body.__struct_fields__
            ),
        )
        yield ""
    yield "## Words\n"
    vocabularies: list[type[Enum]] = [Kind, Origin, *enums()]
    for words in vocabularies:
        yield f"**{words.__name__}**: {summary(words)}\n"
        yield from enum_lines(words)
        yield ""


def metrics() -> Iterator[str]:
    """The lines of metrics.md."""
    yield "# Metrics\n"
    yield "At `GET /metrics`, for Prometheus. Labels are names from `gateway.yaml`.\n"
    yield from table(
        ("metric", "type", "labels", "meaning"),
        (
            (
                f"`{spec.exposed_name}`",
                spec.type.value,
                ", ".join(f"`{label}`" for label in spec.labels),
                spec.help,
            )
            for spec in CATALOGUE
        ),
    )
    yield ""


def ours(group: str, names: Iterable[str]) -> list[str]:
    """The names that this distribution offers."""
    return [name for name in names if registry.package_of(group, name).startswith(OURS)]


def options_table(options: Iterable[Option]) -> Iterator[str]:
    """Options as a table."""
    yield from table(
        ("option", "type", "default", "meaning"),
        (
            (
                f"`{option.path}`",
                option.wants,
                "must be given" if option.default is None else f"`{option.default}`",
                option.meaning,
            )
            for option in options
        ),
    )


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """A Markdown table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def enums() -> list[type[Enum]]:
    """The enums that bodies use, each once, in order of appearance."""
    found: dict[type[Enum], None] = {}
    for body in BODY_TYPES.values():
        for hint in get_type_hints(body).values():
            for one in (hint, *get_args(hint)):
                if isinstance(one, type) and issubclass(one, Enum):
                    found[one] = None
    return list(found)


def enum_lines(words: type[Enum]) -> Iterator[str]:
    """An enum as a list; its meanings where there are any."""
    meanings = attribute_docs(words)
    if not meanings and words is not StreamReason:
        yield " ".join(f"`{word.value}`" for word in words)
        return
    for word in words:
        meaning = meanings.get(word.name)
        yield f"- `{word.value}`" + (f": {meaning}" if meaning else "")


def type_words(hint: object) -> str:
    """A field's type for a reader."""
    names = {PlainDecimal: "decimal", Timestamp: "time", str: "text", bool: "boolean"}
    parts = get_args(hint) or (hint,)
    words = [
        "null" if part is type(None) else names.get(part, getattr(part, "__name__", str(part)))
        for part in parts
    ]
    return " or ".join({"int": "integer"}.get(word, word) for word in words)


if __name__ == "__main__":
    sys.exit(main())
