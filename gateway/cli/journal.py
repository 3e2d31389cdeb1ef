"""`gateway journal`: what is on disk, and whether it is sound."""

import json
import shutil
from pathlib import Path

import click
import msgspec

from gateway.cli.options import loaded_config
from gateway.cli.status_text import size
from gateway.errors import ExitCode
from gateway.journal import SinkPosition
from gateway.journal.reader import open_reader
from gateway.journal.verify import verify as check_everything


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """The journal as it lies on disk."""

    directory: str
    epoch: str
    first_seq: int
    last_seq: int
    bytes: int
    free_bytes: int
    sinks: list[SinkPosition]


@click.group()
def command() -> None:
    """Ranges, sizes, integrity and cursors of the journal; running or stopped."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def info(as_json: bool) -> None:
    """Show what the journal holds and where each sink is."""
    sizes = _measure(loaded_config().state_dir)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(sizes), indent=2))
        return
    click.echo(f"directory  {sizes.directory}")
    click.echo(f"epoch      {sizes.epoch}")
    click.echo(f"events     {sizes.first_seq} to {sizes.last_seq}")
    click.echo(f"size       {size(sizes.bytes)}, {size(sizes.free_bytes)} free")
    for sink in sizes.sinks:
        pending = sizes.last_seq - sink.cursor
        click.echo(
            f"sink       {sink.name} ({sink.type}): at {sink.cursor}, pending {pending},"
            f" delivered {sink.delivered}, filtered {sink.filtered}, dropped {sink.dropped},"
            f" dead letters {sink.dead_letters}"
        )


@command.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def verify(as_json: bool) -> None:
    """Check every record, every id and every count; exit 65 when something is damaged."""
    verdict = check_everything(loaded_config().state_dir)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(verdict), indent=2))
    else:
        for finding in verdict.findings:
            click.echo(finding, err=True)
        click.echo(f"{verdict.records} records, {len(verdict.findings)} findings")
    if verdict.findings:
        click.get_current_context().exit(ExitCode.JOURNAL_DAMAGED)


@command.command()
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
def backup(target: Path) -> None:
    """Write a whole copy of this moment to FILE, beside a running gateway too.

    To restore it, put it as journal.db into an empty state directory.
    """
    with open_reader(loaded_config().state_dir) as reader:
        reader.back_up(target.absolute())
        last_seq = reader.ledger().next_seq - 1
    click.echo(f"{target}: {size(target.stat().st_size)}, events to at least {last_seq}")


def _measure(directory: Path) -> Sizes:
    with open_reader(directory) as reader:
        ledger = reader.ledger()
        return Sizes(
            directory=str(directory),
            epoch=ledger.epoch,
            first_seq=ledger.first_seq,
            last_seq=ledger.next_seq - 1,
            bytes=sum(path.stat().st_size for path in directory.glob("journal.*")),
            free_bytes=shutil.disk_usage(directory).free,
            sinks=reader.sink_positions(),
        )
