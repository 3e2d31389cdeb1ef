"""`gateway status`: accounts, sinks and journal of a running gateway."""

import time
from collections.abc import Iterator

import click
import msgspec

from gateway.admin.client import NotRunning
from gateway.admin.model import Status
from gateway.admin.summary import summarise, troubles
from gateway.cli.control import control_client
from gateway.cli.status_text import (
    ACCOUNT_COLUMNS,
    SINK_COLUMNS,
    account_row,
    align,
    headline,
    sink_row,
)

FINE, DEGRADED, DOWN = 0, 1, 2


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def command(as_json: bool) -> int:
    """Show how the running gateway does.

    Exit code 0: all is well. 1: degraded, and the lines at the end say why. 2: no
    gateway runs on this configuration's state directory.
    """
    try:
        status = control_client().get("/api/v1/status", Status)
    except NotRunning as error:
        click.echo(str(error), err=True)
        return DOWN
    wrong = troubles(status)
    if as_json:
        click.echo(msgspec.json.encode(status))
    else:
        for line in render(status, wrong, time.time_ns()):
            click.echo(line)
    return DEGRADED if wrong else FINE


def render(status: Status, wrong: list[str], now_ns: int) -> Iterator[str]:
    """The status for people; colours go when the output is no terminal."""
    yield headline(status, now_ns)
    yield click.style(summarise(status), fg="red" if wrong else "green", bold=True)
    if status.accounts:
        yield ""
        rows = [account_row(name, each, now_ns) for name, each in status.accounts.items()]
        yield from align(ACCOUNT_COLUMNS, rows)
    if status.sinks:
        yield ""
        rows = [sink_row(name, each) for name, each in status.sinks.items()]
        yield from align(SINK_COLUMNS, rows)
    if wrong:
        yield ""
        yield from (click.style(f"! {each}", fg="red") for each in wrong)
