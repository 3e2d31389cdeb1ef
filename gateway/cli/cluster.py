"""`gateway cluster`: who owns what among gateways that share the accounts."""

import time
from collections.abc import Iterator
from typing import Final

import click
import msgspec

from gateway.admin.client import ControlClient
from gateway.admin.model import Done, PinOrder, Status
from gateway.cli.control import control_client
from gateway.cli.status_text import align
from gateway.cluster import ClusterStatus
from gateway.errors import GatewayError

MOVE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.2

_MEMBERS: Final = ("GATEWAY", "VERSION", "ACCOUNTS", "WEIGHT", "STATE")
_ACCOUNTS: Final = ("ACCOUNT", "OWNER", "EPOCH", "PINNED", "MOVES TO")


@click.group("cluster")
def command() -> None:
    """Act on the gateways that share the accounts. Any of them can be asked."""


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def show(as_json: bool) -> int:
    """Show the gateways, and who owns which account.

    Exit code 0: every account has an owner who lives. 1: not so, or the engine does
    not answer.
    """
    status = _status(control_client())
    if as_json:
        click.echo(msgspec.json.encode(status))
    else:
        for line in _render(status):
            click.echo(line)
    whole = status.reachable and all(one.alive for one in status.accounts.values())
    return 0 if whole else 1


@command.command("drain")
@click.argument("gateway")
def drain(gateway: str) -> None:
    """Have others own the accounts of GATEWAY, without a gap, until it is undrained."""
    click.echo(control_client().post(f"/api/v1/gateways/{gateway}/drain", Done).message)


@command.command("undrain")
@click.argument("gateway")
def undrain(gateway: str) -> None:
    """Let GATEWAY have its share of the accounts again."""
    click.echo(control_client().post(f"/api/v1/gateways/{gateway}/undrain", Done).message)


@command.command("pin")
@click.argument("account")
@click.argument("gateway")
def pin(account: str, gateway: str) -> None:
    """Have ACCOUNT owned by GATEWAY whenever that one is there."""
    click.echo(_pin(control_client(), account, gateway).message)


@command.command("unpin")
@click.argument("account")
def unpin(account: str) -> None:
    """Let ACCOUNT go where there is room."""
    click.echo(_pin(control_client(), account, None).message)


@command.command("move")
@click.argument("account")
@click.argument("gateway")
def move(account: str, gateway: str) -> None:
    """Pin ACCOUNT to GATEWAY, and wait until it is there: live before the old owner lets go."""
    client = control_client()
    _pin(client, account, gateway)
    deadline = time.monotonic() + MOVE_SECONDS
    while time.monotonic() < deadline:
        owned = _status(client).accounts.get(account)
        if owned is not None and owned.owner == gateway:
            click.echo(f"account {account}: owned by {gateway}, epoch {owned.epoch}")
            return
        time.sleep(POLL_SECONDS)
    raise GatewayError(
        f"account {account} has not moved within {MOVE_SECONDS:.0f} s; it stays pinned to {gateway}"
        " (look at `gateway cluster status` and at that gateway's log)"
    )


def _pin(client: ControlClient, account: str, gateway: str | None) -> Done:
    return client.post(f"/api/v1/accounts/{account}/pin", Done, PinOrder(gateway=gateway))


def _status(client: ControlClient) -> ClusterStatus:
    cluster = client.get("/api/v1/status", Status).cluster
    if cluster is None:
        raise GatewayError("this gateway is in no cluster (`cluster:` in its configuration)")
    return cluster


def _render(status: ClusterStatus) -> Iterator[str]:
    yield f"cluster {status.name} on {status.engine}"
    if not status.reachable:
        yield click.style("! the engine does not answer: this is as it was last seen", fg="red")
    yield ""
    rows = [
        (name, one.version, str(one.accounts), f"{one.weight:g}", _state(one.leaving, one.drained))
        for name, one in status.members.items()
    ]
    yield from align(_MEMBERS, rows)
    yield ""
    owners = [
        (
            name,
            one.owner if one.alive else f"{one.owner} (gone)",
            str(one.epoch),
            one.pinned or "-",
            one.successor or "-",
        )
        for name, one in status.accounts.items()
    ]
    yield from align(_ACCOUNTS, owners)


def _state(leaving: bool, drained: bool) -> str:
    if leaving:
        return "leaving"
    return "drained" if drained else "takes accounts"
