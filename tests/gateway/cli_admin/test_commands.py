"""The commands that speak to a running gateway."""

from pathlib import Path

import msgspec
import pytest

from gateway.accounts.status import AccountState
from gateway.admin.client import ControlClient, OrderRefused
from gateway.admin.model import Done, LetterPage, ReloadResult, ReplayOrder, Status
from gateway.delivery.status import SinkState
from tests.doubles.house import MemoryHouse, account_status, sink_status
from tests.gateway.cli_admin.conftest import Run

ORDERS = [
    (("account", "reconnect", "lbank-main"), ("reconnect", "lbank-main")),
    (("account", "recover", "lbank-main"), ("recover", "lbank-main")),
    (("sink", "pause", "desk"), ("pause", "desk")),
    (("sink", "resume", "desk"), ("resume", "desk")),
    (("reload",), ("reload",)),
]


def test_status_of_a_gateway_that_does_well(run: Run, house: MemoryHouse):
    """Exit 0, and a table of accounts and sinks."""
    ran = run("status")

    assert ran.code == 0
    assert "2 of 2 accounts live, 2 sinks" in ran.out
    assert "lbank-main" in ran.out
    assert "desk" in ran.out


def test_status_of_a_degraded_gateway_says_why(run: Run, house: MemoryHouse):
    """Exit 1, and a line for each trouble."""
    house.accounts["fmex-hedge"] = account_status(AccountState.SUSPENDED)
    house.sinks["desk"] = sink_status(SinkState.RETRYING)

    ran = run("status")

    assert ran.code == 1
    assert "! account fmex-hedge is suspended" in ran.out
    assert "! sink desk is retrying" in ran.out
    assert "1 of 2 accounts live, 2 sinks (1 failing)" in ran.out


def test_what_was_switched_off_is_no_trouble(run: Run, house: MemoryHouse):
    """Disabled accounts and sinks do not make a gateway degraded."""
    house.accounts["fmex-hedge"] = account_status(AccountState.STOPPED)
    house.sinks["desk"] = sink_status(SinkState.STOPPED)

    assert run("status").code == 0


def test_status_for_programs_is_the_model(run: Run, house: MemoryHouse):
    """`--json` prints exactly what HTTP answers."""
    ran = run("status", "--json")

    assert msgspec.json.decode(ran.out, type=Status) == house.status()


def test_status_without_a_gateway_is_down(run: Run, config: Path):
    """Exit 2, and a sentence that says what to do."""
    ran = run("status")

    assert (ran.code, ran.out) == (2, "")
    assert "no gateway runs here" in ran.err
    assert "gateway run" in ran.err


def test_status_works_while_the_file_is_broken(run: Run, config: Path, house: MemoryHouse):
    """Who has just broken the file of a running gateway can still ask how it does."""
    config.write_text(config.read_text() + "acounts: {}\n", encoding="utf-8")

    assert run("status").code == 0


@pytest.mark.parametrize(("arguments", "order"), ORDERS)
def test_an_order_reaches_the_gateway(
    run: Run, house: MemoryHouse, arguments: tuple[str, ...], order: tuple[str, ...]
):
    """Exit 0 and one line of what was done."""
    ran = run(*arguments)

    assert (ran.code, house.orders) == (0, [order])
    assert ran.out.count("\n") == 1


@pytest.mark.parametrize(("arguments", "order"), ORDERS)
def test_an_order_without_a_gateway_fails(
    run: Run, config: Path, arguments: tuple[str, ...], order: tuple[str, ...]
):
    """Exit 1, and the same sentence."""
    ran = run(*arguments)

    assert ran.code == 1
    assert "no gateway runs here" in ran.err


def test_a_refused_order_says_why_and_what_to_do(run: Run, house: MemoryHouse):
    """The gateway's own sentence, exit 1."""
    wrong_name = run("account", "recover", "nobody")
    too_soon = run("sink", "forget", "desk", "--yes")

    assert (wrong_name.code, too_soon.code) == (1, 1)
    assert "configured: lbank-main, fmex-hedge" in wrong_name.err
    assert "pause it first" in too_soon.err


def test_a_refused_reload_fails_with_the_mistakes(run: Run, house: MemoryHouse):
    """`systemctl reload` and scripts see it by the exit code."""
    house.next_reload = ReloadResult(ok=False, message="gateway.yaml:1:1: unknown key")

    ran = run("reload")

    assert ran.code == 1
    assert "gateway.yaml:1:1: unknown key" in ran.err
    assert "stays in force" in ran.err


def test_a_reload_tells_what_changed(run: Run, house: MemoryHouse):
    """One line per account and sink."""
    house.next_reload = ReloadResult(
        ok=True, message="1 added, 1 changed", added=("sink:desk",), changed=("account:a",)
    )

    assert run("reload").out.splitlines() == [
        "1 added, 1 changed",
        "  added sink:desk",
        "  changed account:a",
    ]


def test_top_draws_a_screen(run: Run, house: MemoryHouse):
    """Accounts, sinks and rates, once."""
    ran = run("top", "--once", "--every", "0.1")

    assert ran.code == 0
    assert "0.0 events/s" in ran.out
    assert "lbank-main" in ran.out


def test_top_needs_a_terminal(run: Run):
    """A live screen into a pipe would show nothing: usage, and what to do instead."""
    ran = run("top")

    assert ran.code == 2
    assert "--once" in ran.err


def test_the_client_carries_bodies_and_queries(house: MemoryHouse, tmp_path: Path):
    """What `dlq` and `replay` need of it."""
    client = ControlClient(tmp_path / "var")

    done = client.post("/api/v1/sinks/desk/replay", Done, ReplayOrder(start=0, dry_run=True))
    page = client.get("/api/v1/dead-letters", LetterPage, sink="desk", after=None)

    assert (done.count, page.dead_letters) == (1, ())
    with pytest.raises(OrderRefused, match="no dead letter"):
        client.get("/api/v1/dead-letters/9", LetterPage)
