"""Every state of an order, where others show the latest.

A pretend LBank sends orders that are placed and then fill in four steps, five frames
each, one behind the other, as fast as they are taken. `ccxt.pro` `watch_orders` keeps
one state per order and gives what it has when its task gets to run; the gateway
delivers each state and each trade. Counted are the different states (order, quantity
filled, status) that come out, of those sent. All on the same server, in turns.
"""

from typing import Final

from benchmarks.full_path import ACCOUNTS, TRANSPORTS, Run, run_ccxt, run_gateway
from benchmarks.report import Section, Table

FRAMES: Final = 20_000
STATES: Final = 5


def measure(*, quick: bool) -> Section:
    """Run both on every number of accounts."""
    rows = []
    for accounts in ACCOUNTS[:1] if quick else ACCOUNTS:
        for transport in TRANSPORTS:
            run, _ = run_gateway("lbank", transport, accounts, FRAMES, STATES)
            rows.append(_row(f"gateway, {transport}", accounts, run))
        rows.append(_row("ccxt.pro `watch_orders`", accounts, run_ccxt(accounts, FRAMES, STATES)))
    head = ("", "accounts", "frames/s", "CPU µs/frame", "states shown")
    return Section(
        title="Successive states of the same orders",
        text=__doc__ or "",
        command="python -m benchmarks order_states",
        tables=[Table("LBank, five states an order", head, rows)],
        notes=[
            "The gateway writes two events for four of five frames here, the order and its fill."
        ],
    )


def _row(name: str, accounts: int, run: Run) -> tuple[str, ...]:
    shown = f"{run.shown / run.frames:.0%}"
    return (name, str(accounts), f"{run.rate:,.0f}", f"{run.cpu_micros:.1f}", shown)
