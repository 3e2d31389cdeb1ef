"""`gateway replay`: send a stretch of the journal to a sink again, with the same ids."""

import click

from gateway.admin.model import Done, ReplayOrder
from gateway.cli.house import act_on_stopped, running
from gateway.cli.options import instant
from gateway.events.times import Timestamp, from_nanoseconds


def bound(text: str) -> int | Timestamp:
    """A seq, or a time of receipt as `--since` takes it."""
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        return from_nanoseconds(instant(text))
    except click.BadParameter as error:
        raise click.BadParameter(f"{error.message}; or a seq such as 4711") from None


@click.command()
@click.option("--sink", required=True, metavar="NAME", help="The sink that gets the events.")
@click.option("--from", "start", required=True, type=bound, help="A seq, a time, or 10m for ago.")
@click.option("--to", "end", type=bound, help="The same; by default up to the newest event.")
@click.option("--dry-run", is_flag=True, help="Only count.")
def command(sink: str, start: int | Timestamp, end: int | Timestamp | None, dry_run: bool) -> None:
    """Send a stretch of the journal to a sink again, through its filters.

    Both ends are included. The ids stay the same and the sink's place does not
    move, so a consumer that goes by ids sees nothing twice. Works on a stopped
    gateway too.
    """
    if isinstance(start, int) and isinstance(end, int) and start > end:
        raise click.BadParameter("lies before --from", param_hint="--to")
    order = ReplayOrder(start=start, end=end, dry_run=dry_run)
    client = running()
    if client is not None:
        click.echo(client.post(f"/api/v1/sinks/{sink}/replay", Done, order).message)
        return
    count = act_on_stopped(lambda steward: steward.replay(sink, order), sinks=[sink])
    click.echo(f"sink {sink}: {count} events {'would be sent' if dry_run else 'sent'} again")
