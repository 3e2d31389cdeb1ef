"""`gateway top`: a live screen of accounts, sinks, rates and gaps."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from gateway.admin.client import ControlClient, NotRunning
from gateway.admin.model import Status
from gateway.admin.summary import summarise, troubles
from gateway.cli.control import control_client
from gateway.cli.status_text import (
    ACCOUNT_COLUMNS,
    SINK_COLUMNS,
    account_row,
    fit,
    headline,
    sink_row,
)
from gateway.errors import ExtraMissing, GatewayError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_COLOURS: Final = {
    "live": "green", "running": "green", "recovering": "cyan", "connecting": "cyan",
    "backing off": "yellow", "retrying": "yellow", "paused": "yellow",
    "suspended": "bold red", "stopped": "dim",
}  # fmt: skip


@click.command("top")
@click.option("--every", default=1.0, show_default=True, help="Seconds between two looks.")
@click.option("--once", is_flag=True, help="Draw one screen and leave.")
def command(every: float, once: bool) -> None:
    """Watch the running gateway, until Ctrl-C."""
    try:
        from rich.console import Console
    except ImportError:
        raise ExtraMissing(
            "`gateway top` needs rich: pip install 'exchange-event-gateway[top]'"
        ) from None
    console = Console()
    if not once and not console.is_terminal:
        raise click.UsageError("a live screen needs a terminal; --once draws a single one")
    screen = Screen(control_client(), console)
    if once:
        screen.draw()  # rates take two looks
        time.sleep(every)
        console.print(screen.draw())
    else:
        _watch(screen, console, every)


def _watch(screen: "Screen", console: "Console", every: float) -> None:
    from rich.live import Live

    with Live(screen.draw(), console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(max(0.1, every))
                live.update(screen.draw(), refresh=True)
        except KeyboardInterrupt:
            return  # how one leaves a live screen


class Screen:
    """What is on the screen; remembers the last look to tell rates."""

    def __init__(self, client: ControlClient, console: "Console") -> None:
        self._client = client
        self._console = console
        self._before: tuple[int, Status] | None = None

    def draw(self) -> "RenderableType":
        """The whole screen, from a fresh look at the gateway."""
        from rich.console import Group
        from rich.text import Text

        now_ns = time.time_ns()
        try:
            status = self._client.get("/api/v1/status", Status)
        except NotRunning as error:
            if self._before is None:
                raise
            return Text(f"Connection lost: {error}", style="bold red")
        except GatewayError as error:
            return Text(f"Connection lost: {error}", style="bold red")
        rates = self._rates(now_ns, status)
        self._before = (now_ns, status)
        wrong = troubles(status)
        return Group(
            Text(headline(status, now_ns), style="bold"),
            Text(
                f"{summarise(status)}, {rates['']:.1f} events/s", style="red" if wrong else "green"
            ),
            Text(),
            self._accounts(status, rates, now_ns),
            Text(),
            self._sinks(status),
            Text("\n".join(f"! {each}" for each in wrong), style="red"),
        )

    def _accounts(self, status: Status, rates: dict[str, float], now_ns: int) -> "Table":
        rows = [
            (*account_row(name, account, now_ns), f"{rates.get(name, 0):.1f}")
            for name, account in status.accounts.items()
        ]
        return self._table((*ACCOUNT_COLUMNS, "EVENTS/S"), rows)

    def _sinks(self, status: Status) -> "Table":
        return self._table(SINK_COLUMNS, [sink_row(*each) for each in status.sinks.items()])

    def _table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="dim")
        header, rows = fit(header, rows, self._console.width)
        for name in header:
            table.add_column(name, no_wrap=True)
        for row in rows:
            table.add_row(*_coloured(row))
        return table

    def _rates(self, now_ns: int, status: Status) -> dict[str, float]:
        """Events per second since the last look: of each account, and of all under ''."""
        if self._before is None:
            return {"": 0.0}
        then_ns, before = self._before
        seconds = max(0.001, (now_ns - then_ns) / 1e9)
        rates = {
            name: max(0, account.events - before.accounts[name].events) / seconds
            for name, account in status.accounts.items()
            if name in before.accounts
        }
        rates[""] = max(0, status.journal.last_seq - before.journal.last_seq) / seconds
        return rates


def _coloured(cells: Sequence[str]) -> list[str]:
    """Cells as rich markup; names and words are ours, so nothing in them is markup."""
    return [f"[{_COLOURS[cell]}]{cell}[/]" if cell in _COLOURS else cell for cell in cells]
