"""`gateway reload`: as SIGHUP, but waits and tells the result."""

import click

from gateway.admin.model import ReloadResult
from gateway.cli.control import control_client


@click.command("reload")
def command() -> None:
    """Make the running gateway read its configuration anew.

    Fails when the gateway refuses it; the old configuration is then still in force.
    """
    result = control_client().post("/api/v1/reload", ReloadResult)
    click.echo(result.message)
    for word, addresses in (
        ("added", result.added),
        ("changed", result.changed),
        ("removed", result.removed),
    ):
        for address in addresses:
            click.echo(f"  {word} {address}")
