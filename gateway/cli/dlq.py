"""`gateway dlq`: dead letters, the events that a sink refused for good."""

import json
from collections.abc import Iterator

import click
import msgspec

from gateway.admin.model import Done, LetterChoice
from gateway.cli.house import act_on_stopped, running
from gateway.cli.options import confirm, loaded_config
from gateway.errors import GatewayError
from gateway.events.times import from_nanoseconds
from gateway.journal import DeadLetter, JournalReader, open_reader

_as_json = click.option("--json", "as_json", is_flag=True, help="For programs.")
_of_sink = click.option("--sink", metavar="NAME", help="Only those of this sink.")
_numbers = click.argument("numbers", nargs=-1, type=click.IntRange(min=1))


@click.group()
def command() -> None:
    """Dead letters: events that a sink refused for good, kept with the reason."""


@command.command("list")
@_of_sink
@_as_json
def show_all(sink: str | None, as_json: bool) -> None:
    """List dead letters, oldest first."""
    with open_reader(loaded_config().state_dir) as reader:
        for letter in _letters(reader, sink):
            click.echo(json.dumps(_for_programs(letter)) if as_json else _line(letter))


@command.command()
@_of_sink
@_numbers
@_as_json
def show(sink: str | None, numbers: tuple[int, ...], as_json: bool) -> None:
    """Show dead letters whole: the event, and what the sink answered.

    All, those of a sink, or by NUMBERS.
    """
    missing = set(numbers)
    with open_reader(loaded_config().state_dir) as reader:
        for letter in _letters(reader, sink):
            if not numbers or letter.number in missing:
                _show(letter, as_json=as_json)
                missing.discard(letter.number or 0)
    if missing:
        which = ", ".join(str(number) for number in sorted(missing))
        raise GatewayError(f"there is no dead letter {which}: `gateway dlq list` shows them")


@command.command()
@_of_sink
@_numbers
def replay(sink: str | None, numbers: tuple[int, ...]) -> None:
    """Offer dead letters to their sinks again: all, those of a sink, or by NUMBERS.

    What the sink accepts is dead no longer. Works on a stopped gateway too.
    """
    choice = LetterChoice(sink=sink, numbers=numbers or None)
    client = running()
    if client is not None:
        click.echo(client.post("/api/v1/dead-letters/replay", Done, choice).message)
        return
    count = act_on_stopped(
        lambda steward: steward.replay_dead_letters(choice.sink, choice.numbers),
        sinks=_sinks_with_letters(choice),
    )
    click.echo(f"{count} dead letters accepted")


@command.command()
@_of_sink
@_numbers
@click.option("--yes", is_flag=True, help="Do not ask; without a terminal nobody is asked.")
def drop(sink: str | None, numbers: tuple[int, ...], yes: bool) -> None:
    """Give dead letters up for good: all, those of a sink, or by NUMBERS."""
    if not yes:
        which = f"{len(numbers)} dead letters" if numbers else f"all of {sink or 'every sink'}"
        confirm(f"Drop {which}? They cannot be had back.")
    choice = LetterChoice(sink=sink, numbers=numbers or None)
    client = running()
    if client is not None:
        click.echo(client.post("/api/v1/dead-letters/drop", Done, choice).message)
        return
    count = act_on_stopped(lambda steward: steward.drop_dead_letters(choice.sink, choice.numbers))
    click.echo(f"{count} dead letters dropped")


def _show(letter: DeadLetter, *, as_json: bool) -> None:
    event = letter.record.native(include_raw=False)
    if as_json:
        click.echo(json.dumps(_for_programs(letter) | {"event": json.loads(event)}))
        return
    click.echo(_line(letter))
    click.echo(f"first try {from_nanoseconds(letter.first_try_ns)}, {letter.attempts} attempts")
    click.echo(f"the sink answered: {letter.excerpt or '(nothing)'}")
    click.echo(msgspec.json.format(event, indent=2))


def _letters(reader: JournalReader, sink: str | None) -> Iterator[DeadLetter]:
    after = 0
    while page := reader.dead_letters(sink, after):
        yield from page
        after = page[-1].number or after


def _sinks_with_letters(choice: LetterChoice) -> list[str]:
    with open_reader(loaded_config().state_dir) as reader:
        chosen = (
            letter.sink
            for letter in _letters(reader, choice.sink)
            if choice.numbers is None or letter.number in choice.numbers
        )
        return list(dict.fromkeys(chosen))


def _line(letter: DeadLetter) -> str:
    record = letter.record
    return (
        f"{letter.number}  {from_nanoseconds(letter.last_try_ns)}  {letter.sink}"
        f"  seq {record.seq}  {record.account}  {record.kind}  {letter.reason}"
    )


def _for_programs(letter: DeadLetter) -> dict[str, object]:
    record = letter.record
    return {
        "number": letter.number,
        "sink": letter.sink,
        "seq": record.seq,
        "event_id": record.id,
        "kind": record.kind.value,
        "account": record.account,
        "symbol": record.symbol,
        "reason": letter.reason,
        "excerpt": letter.excerpt,
        "attempts": letter.attempts,
        "first_try": from_nanoseconds(letter.first_try_ns),
        "last_try": from_nanoseconds(letter.last_try_ns),
    }
