"""What a gateway decides: one row per case."""

import pytest

from gateway.cluster.notes import Member, Ownership
from gateway.cluster.placement import Wishes
from gateway.cluster.view import Act, Owned, Plan, Presence, View, decide

ABSENT, STANDING_BY, READY, RUNNING = Presence


def members(*names: str, leaving: str | None = None) -> dict[str, Member]:
    """Gateways that live."""
    return {
        name: Member(name=name, session=name, version="0", leaving=name == leaving)
        for name in names
    }


def view(owner: str | None, *, to: str | None = None, there: str = "me other", **more) -> View:  # noqa: ANN003 - whatever fields a view has
    """The account `a`, pinned to `me` unless said otherwise."""
    owners = {} if owner is None else {"a": Owned(Ownership(epoch=1, owner=owner, successor=to), 7)}
    wishes = Wishes(pins={"a": more.get("pin", "me")})
    return View(
        members=members(*there.split(), leaving=more.get("leaving")),
        owners=owners,
        wishes=wishes,
        is_steady=more.get("steady", True),
    )


def decided(seen: View, presence: Presence, *, replicas: int = 1) -> list[tuple[str, Act]]:
    """What `me` does about the account."""
    plan = Plan("me", replicas=replicas)
    for _ in plan.renew(frozenset(["a"]), seen):
        pass
    return list(decide("me", seen, plan.placed, {"a": presence}))


ROWS = [
    ("nobody has it, and it is mine to have", view(None), ABSENT, Act.TAKE),
    ("nobody has it, but another should", view(None, pin="other"), ABSENT, None),
    ("its owner is dead", view("dead"), ABSENT, Act.TAKE),
    ("its owner is dead, and I listened", view("dead"), READY, Act.TAKE),
    ("its owner is dead, but another should", view("dead", pin="other"), ABSENT, None),
    ("it is another's, and should be mine", view("other"), ABSENT, Act.STAND_BY),
    ("I connect to it", view("other"), STANDING_BY, None),
    ("I am live for it", view("other"), READY, Act.ASK),
    ("I have asked for it", view("other", to="me"), READY, None),
    ("it was handed to me", view("me"), READY, Act.ADMIT),
    ("it was handed to me while I lost the connection", view("me"), STANDING_BY, Act.ADMIT),
    ("it is mine, and I have just started", view("me"), ABSENT, Act.RUN),
    ("it is mine, as it should", view("me"), RUNNING, None),
    ("it should be another's, who is not live", view("me", pin="other"), RUNNING, None),
    ("another stands by for it", view("me", to="other", pin="other"), RUNNING, Act.HAND_OVER),
    ("another stood by, but should not any more", view("me", to="other"), RUNNING, None),
    ("who stood by is gone", view("me", to="gone", pin="other"), RUNNING, None),
    ("another took it from me", view("other", pin="other"), RUNNING, Act.GIVE_UP),
    ("another took it, though it should be mine", view("other"), RUNNING, Act.GIVE_UP),
    ("I stand by for what should be another's", view("other", pin="other"), READY, Act.GIVE_UP),
    (
        "I asked for what should be another's",
        view("other", to="me", pin="other"),
        READY,
        Act.WITHDRAW,
    ),
    ("the board forgot that I have it", view(None), RUNNING, Act.TAKE),
    ("it has no owner, but I have only just come", view(None, steady=False), ABSENT, None),
    ("its owner may only be late", view("dead", steady=False), ABSENT, None),
    ("it is mine, whoever else is there", view("me", steady=False), ABSENT, Act.RUN),
    ("I am not sure who else is there", view("other", steady=False), READY, None),
    ("I stand by, and others may be late", view("dead", pin="x", steady=False), READY, None),
    ("another took it meanwhile", view("other", steady=False), RUNNING, Act.GIVE_UP),
    ("I am leaving", view("other", leaving="me"), ABSENT, None),
    ("I am alone and leaving", view("me", there="me", leaving="me"), RUNNING, None),
]


@pytest.mark.parametrize(("case", "seen", "presence", "act"), ROWS, ids=[row[0] for row in ROWS])
def test_what_follows(case: str, seen: View, presence: Presence, act: Act | None):
    """From what stands on the board and what runs here follows one step, or none."""
    assert ([] if act is None else [("a", act)]) == decided(seen, presence), case


def test_a_second_replica_listens():
    """With two replicas the next in the ranking stands by for good, and asks for nothing."""
    seen = view("other", pin="other")

    assert [("a", Act.STAND_BY)] == decided(seen, ABSENT, replicas=2)
    assert [] == decided(seen, READY, replicas=2)
