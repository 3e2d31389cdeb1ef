"""`gateway sink pause|resume|forget NAME`."""

import click

from gateway.admin.model import Done
from gateway.cli.control import control_client
from gateway.cli.options import confirm


@click.group("sink")
def command() -> None:
    """Act on a sink of the running gateway; each order leaves a line in its log."""


@command.command("pause")
@click.argument("name")
def pause(name: str) -> None:
    """Stop delivering to sink NAME. Its events wait in the journal."""
    _order(name, "pause")


@command.command("resume")
@click.argument("name")
def resume(name: str) -> None:
    """Deliver to sink NAME again, from where it was."""
    _order(name, "resume")


@command.command("forget")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask; without a terminal nobody is asked.")
def forget(name: str, yes: bool) -> None:
    """Drop the place and the dead letters of sink NAME."""
    if not yes:
        confirm(f"Forget how far {name} is, and drop its dead letters?")
    _order(name, "forget")


def _order(name: str, verb: str) -> None:
    click.echo(control_client().post(f"/api/v1/sinks/{name}/{verb}", Done).message)
