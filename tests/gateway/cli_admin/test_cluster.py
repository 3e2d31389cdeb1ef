"""`gateway cluster`: who owns what, and what an operator may wish."""

import msgspec
import pytest

from gateway.cluster.status import ClusterStatus
from tests.doubles.house import MemoryHouse
from tests.gateway.cli_admin.conftest import Run


def test_status_shows_gateways_and_owners(run: Run, house: MemoryHouse):
    """Every gateway that lives, and who has each account."""
    house.join()

    ran = run("cluster", "status")

    assert 0 == ran.code
    for said in ("desk-1", "desk-2", "lbank-main", "fmex-hedge", "takes accounts"):
        assert said in ran.out


def test_a_dead_owner_is_a_failure(run: Run, house: MemoryHouse):
    """An account whose gateway is gone shows, and in the exit code too."""
    house.join(dead="desk-2")

    ran = run("cluster", "status")

    assert 1 == ran.code
    assert "desk-2 (gone)" in ran.out
    assert "account fmex-hedge has lost its gateway desk-2" in run("status").out


def test_status_for_programs_is_the_model(run: Run, house: MemoryHouse):
    """`--json` is the model, whole."""
    house.join()

    ran = run("cluster", "status", "--json")

    assert house.cluster == msgspec.json.decode(ran.out, type=ClusterStatus)


def test_without_a_cluster_it_says_so(run: Run, house: MemoryHouse):
    """A gateway that has all accounts to itself has no cluster to show."""
    ran = run("cluster", "status")

    assert (1, True) == (ran.code, "in no cluster" in ran.err)
    assert house.cluster is None


@pytest.mark.parametrize(
    ("arguments", "order"),
    [
        (("drain", "desk-2"), ("drain", "desk-2")),
        (("undrain", "desk-2"), ("undrain", "desk-2")),
        (("pin", "lbank-main", "desk-2"), ("pin desk-2", "lbank-main")),
        (("unpin", "lbank-main"), ("pin None", "lbank-main")),
        (("move", "lbank-main", "desk-2"), ("pin desk-2", "lbank-main")),
    ],
)
def test_a_wish_reaches_the_gateway(
    run: Run, house: MemoryHouse, arguments: tuple[str, ...], order: tuple[str, ...]
):
    """Each command is one order; `move` waits until it is done."""
    house.join()

    ran = run("cluster", *arguments)

    assert (0, [order]) == (ran.code, house.orders)


def test_an_unknown_gateway_is_refused(run: Run, house: MemoryHouse):
    """A name that no gateway has is told, and nothing changes."""
    house.join()

    ran = run("cluster", "drain", "desk-9")

    assert (1, []) == (ran.code, house.orders)
    assert "desk-9" in ran.err
