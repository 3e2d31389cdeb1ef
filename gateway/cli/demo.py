"""`gateway demo`: two pretend venues and the gateway on them, in one process.

No configuration, no network, no account. What it runs is the real gateway with
a real `gateway.yaml`, which stays in the demo's directory to look at.
"""

import random
import shutil
import signal
import socket
import sys
import tempfile
from collections import Counter
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from pathlib import Path
from typing import Final

import click
import msgspec
import trio

from gateway import registry
from gateway.app import open_gateway
from gateway.cli.options import duration
from gateway.config import load_config
from gateway.contracts.values import Seconds
from gateway.events.model import Kind
from gateway.journal import open_reader
from gateway.simulator import Scenario, Simulator, load_dialect, open_simulator
from gateway.simulator.steps import Drop, RefuseConnect
from gateway.telemetry import logs

ACCOUNTS_PER_VENUE: Final = 2
CHANGES_PER_SECOND: Final = 0.7
"""Of each account: lively, and still readable."""

CUTS_SECONDS: Final = {"fmex": 10, "lbank": 40}
"""When each venue drops its first account once: a gap is what there is most to see of."""
DEAF_SECONDS: Final = Seconds(4)
"""How long it then takes no connection: long enough to miss something."""

STATUS_PAGE: Final = "127.0.0.1:8780"

_HEAD: Final = """\
# Written by `gateway demo`. The keys are made up and open nothing but the pretend venues.
name: demo
state_dir: {directory}
http: {{listen: {listen}}}
sinks:
  screen: {{type: console, start: earliest}}
  events: {{type: jsonl, path: events.jsonl, start: earliest}}
accounts:
"""


@click.command()
@click.option("--for", "seconds", metavar="DURATION", help="End by itself, as in 30s.")
@click.option(
    "--dir",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where journal and configuration go; by default a new temporary directory.",
)
def command(seconds: str | None, directory: Path | None) -> None:
    """Simulated LBank and FMEX venues on loopback, two accounts each, and the gateway on them.

    Prints events as they come and serves the status page, until Ctrl-C.
    """
    limit = duration(seconds) if seconds is not None else None
    place = directory or Path(tempfile.mkdtemp(prefix="gateway-demo-"))
    place.mkdir(parents=True, exist_ok=True)
    logs.configure("warning")
    directory = place.resolve()
    trio.run(_run, directory, limit)
    _tell(directory)


async def _run(directory: Path, limit: float | None) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with AsyncExitStack() as stack:
            path = directory / "gateway.yaml"
            text = _HEAD.format(directory=directory, listen=_free_address())
            for name in ("lbank", "fmex"):
                venue = await stack.enter_async_context(_open_venue(name))
                text += _accounts_of(name, venue)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o600)
            config = load_config(path)
            # Made-up keys stand in the file on purpose: no warnings about that.
            config = msgspec.structs.replace(config, warnings=())
            await stack.enter_async_context(open_gateway(config, path))
            _greet(config.http.listen, directory)
            with trio.move_on_after(limit if limit is not None else float("inf")):
                await anext(signals)


def _open_venue(name: str) -> AbstractAsyncContextManager[Simulator]:
    dialect = load_dialect(registry.find_venue(name))
    scenario = Scenario(
        title="demo",
        # Another market each time, so that a second run in one directory tells new facts.
        seed=random.SystemRandom().randrange(1 << 30),
        accounts=ACCOUNTS_PER_VENUE,
        rate=CHANGES_PER_SECOND,
        timeline=(
            Drop(at=Seconds(CUTS_SECONDS[name]), account=0),
            RefuseConnect(at=Seconds(CUTS_SECONDS[name]), lasting=DEAF_SECONDS, account=0),
        ),
    )
    return open_simulator(dialect, scenario=scenario)


def _accounts_of(venue_name: str, venue: Simulator) -> str:
    return "".join(
        venue.configuration(f"{venue_name}-{index + 1}", index)
        for index in range(ACCOUNTS_PER_VENUE)
    )


def _free_address() -> str:
    """The usual address of the status page, or any free port if that is taken."""
    host, _, port = STATUS_PAGE.rpartition(":")
    for candidate in (int(port), 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((host, candidate))
                return f"{host}:{probe.getsockname()[1]}"
    return STATUS_PAGE


def _greet(listen: str | None, directory: Path) -> None:
    click.echo(f"Two pretend venues, four accounts. Status page: http://{listen}/", err=True)
    click.echo(
        "Each venue will drop one connection: watch the gap being declared and filled.", err=True
    )
    click.echo(f"Configuration and journal: {directory}   Ctrl-C ends.\n", err=True)


def _tell(directory: Path) -> None:
    """What the journal holds: read when all has stopped, since stopping writes events too."""
    counts: Counter[Kind] = Counter()
    last_seq = 0
    with open_reader(directory) as reader:
        while records := reader.read(last_seq, 1000):
            counts.update(record.kind for record in records)
            last_seq = records[-1].seq
    kinds = ", ".join(f"{counts[kind]} {kind.value}" for kind in Kind if counts[kind])
    click.echo(f"\nSaw {counts.total()} events: {kinds}.", err=True)
    click.echo(f"Journal: {directory} (to seq {last_seq}); look again with", err=True)
    click.echo(f"  {_own_name()} -c {directory / 'gateway.yaml'} tail", err=True)


def _own_name() -> str:
    """How this command is called from the shell it was called from."""
    return "gateway" if shutil.which("gateway") else sys.argv[0]
