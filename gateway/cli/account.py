"""`gateway account reconnect|recover NAME`."""

import click

from gateway.admin.model import Done
from gateway.cli.control import control_client


@click.group("account")
def command() -> None:
    """Act on an account of the running gateway; each order leaves a line in its log."""


@command.command("reconnect")
@click.argument("name")
def reconnect(name: str) -> None:
    """Replace the connections of account NAME: the new ones live before the old ones go."""
    _order(name, "reconnect")


@command.command("recover")
@click.argument("name")
def recover(name: str) -> None:
    """Read by REST what account NAME may have missed."""
    _order(name, "recover")


def _order(name: str, verb: str) -> None:
    click.echo(control_client().post(f"/api/v1/accounts/{name}/{verb}", Done).message)
