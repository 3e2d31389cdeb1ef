"""Properties of the placement, over random clusters."""

import math
from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gateway.cluster.placement import PART, SLACK, Placement, Wishes, place

NAMES = st.integers(1, 40).map(lambda number: f"gateway-{number}")
GATEWAYS = st.dictionaries(NAMES, st.sampled_from([0.5, 1.0, 2.0]), min_size=1, max_size=8)
ACCOUNTS = st.integers(0, 150).map(lambda many: [f"account-{n}" for n in range(many)])
NOTHING = Wishes()


def owners(
    accounts: list[str], gateways: dict[str, float], wishes: Wishes = NOTHING
) -> dict[str, str]:
    """Just the first of each ranking."""
    return {name: ranked[0] for name, ranked in place(accounts, gateways, wishes).items()}


@given(ACCOUNTS, GATEWAYS)
def test_each_account_ranks_every_gateway_once(accounts: list[str], gateways: dict[str, float]):
    """Every account has an owner, and all others in the order in which they would follow."""
    placed = place(accounts, gateways, NOTHING, ranks=len(gateways))

    assert set(accounts) == set(placed)
    assert all(sorted(gateways) == sorted(ranked) for ranked in placed.values())


@given(ACCOUNTS, GATEWAYS)
def test_nobody_is_loaded_beyond_its_share(accounts: list[str], gateways: dict[str, float]):
    """No gateway owns more than its weighted share and the slack."""
    whole = sum(gateways.values())

    for name, owned in Counter(owners(accounts, gateways).values()).items():
        assert math.ceil((1 + SLACK) * len(accounts) * gateways[name] / whole) >= owned


@given(ACCOUNTS, GATEWAYS, st.randoms())
def test_the_answer_depends_on_no_order(
    accounts: list[str], gateways: dict[str, float], random: Random
):
    """Gateways that know the same, in whatever order, agree."""
    shuffled = random.sample(accounts, len(accounts))
    turned = dict(reversed(gateways.items()))

    assert place(accounts, gateways, NOTHING) == place(shuffled, turned, NOTHING)


@given(ACCOUNTS, GATEWAYS, st.data())
def test_pins_and_drains_are_obeyed(
    accounts: list[str], gateways: dict[str, float], data: st.DataObject
):
    """A pinned account is where it is pinned; a drained gateway owns nothing."""
    drained = data.draw(st.sampled_from([(), (min(gateways),)]))
    left = sorted(set(gateways) - set(drained))
    pins = data.draw(
        st.dictionaries(st.sampled_from(accounts or ["none"]), st.sampled_from(left or ["none"]))
    )

    placed = owners(accounts, gateways, Wishes(pins=pins, drained=drained))

    assert not set(drained) & set(placed.values())
    if left:
        assert set(accounts) == set(placed)
        assert all(placed[name] == pin for name, pin in pins.items() if name in placed)


def test_a_pin_to_an_absent_gateway_waits():
    """While the gateway of a pin is away, its account goes where it would go without."""
    wishes = Wishes(pins={"a": "away"})

    assert owners(["a"], {"one": 1.0, "two": 1.0}) == owners(
        ["a"], {"one": 1.0, "two": 1.0}, wishes
    )


def test_with_nobody_there_nothing_is_placed():
    """No gateway, or none that takes accounts: no owner."""
    assert {} == place(["a"], {}, NOTHING)
    assert {} == place(["a"], {"one": 1.0}, Wishes(drained=("one",)))


@given(st.integers(2, 9))
def test_a_gateway_that_joins_moves_little(gateways: int):
    """What moves is the share of the newcomer and few accounts more."""
    accounts = [f"account-{number}" for number in range(1000)]
    before = {f"gateway-{number}": 1.0 for number in range(gateways)}
    after = before | {"newcomer": 1.0}

    old, new = owners(accounts, before), owners(accounts, after)

    moved = sum(old[name] != new[name] for name in accounts)
    assert 1.35 * len(accounts) / len(after) >= moved


@given(ACCOUNTS, st.lists(GATEWAYS, min_size=2, max_size=4), st.integers(1, 3))
def test_who_was_there_before_changes_nothing(
    accounts: list[str], succession: list[dict[str, float]], ranks: int
):
    """Worked out for one gathering after another, each answer is as if it were the first."""
    placement = Placement(accounts)

    for gateways in succession:
        for _ in placement.work_out(gateways, NOTHING, ranks=ranks):
            pass

        assert place(accounts, gateways, NOTHING, ranks=ranks) == placement.placed


def test_an_answer_is_whole_or_the_one_before():
    """While many accounts are placed anew, part by part, the former placement stands."""
    placement = Placement([f"account-{number}" for number in range(3 * PART)])
    before = placement.placed

    parts = [placement.placed is before for _ in placement.work_out({"one": 1.0}, NOTHING)]

    assert all(parts)
    assert 6 < len(parts)
    assert {("one",)} == set(placement.placed.values())


def test_every_version_gives_the_same_answer():
    """Gateways of two versions agree while one after the other is upgraded: nobody else decides."""
    gateways = {"gateway-1": 1.0, "gateway-2": 1.0, "gateway-3": 0.5}

    placed = place([f"account-{number}" for number in range(8)], gateways, NOTHING, ranks=3)

    numbers = {name: "".join(one[-1] for one in ranked) for name, ranked in placed.items()}
    assert ["123", "321", "132", "123", "123", "213", "231", "312"] == [
        numbers[f"account-{number}"] for number in range(8)
    ]
