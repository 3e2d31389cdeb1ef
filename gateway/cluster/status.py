"""How the cluster does, as any of its gateways sees it: the model behind `cluster status`."""

import msgspec

from gateway.cluster.view import View


class MemberStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway that lives."""

    version: str
    accounts: int
    """How many it owns."""
    weight: float
    leaving: bool
    """It is being stopped."""
    drained: bool
    """It is to own nothing, until `gateway cluster undrain`."""


class OwnerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Who has an account."""

    owner: str
    alive: bool
    """False: its gateway is gone, and another takes over."""
    epoch: int
    """How many owners it has had."""
    successor: str | None
    """A gateway that stands by to be handed the account."""
    pinned: str | None
    """Where an operator wants it."""


class ClusterStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The whole cluster."""

    name: str
    engine: str
    reachable: bool
    """False: the engine does not answer. What follows is as it was last seen."""
    members: dict[str, MemberStatus]
    accounts: dict[str, OwnerStatus]


def status_of(name: str, engine: str, view: View, *, reachable: bool) -> ClusterStatus:
    """The view, for people."""
    owned: dict[str, int] = {}
    for each in view.owners.values():
        owned[each.ownership.owner] = owned.get(each.ownership.owner, 0) + 1
    return ClusterStatus(
        name=name,
        engine=engine,
        reachable=reachable,
        members={
            member: MemberStatus(
                version=each.version,
                accounts=owned.get(member, 0),
                weight=each.weight,
                leaving=each.leaving,
                drained=member in view.wishes.drained,
            )
            for member, each in sorted(view.members.items())
        },
        accounts={
            account: OwnerStatus(
                owner=each.ownership.owner,
                alive=each.ownership.owner in view.members,
                epoch=each.ownership.epoch,
                successor=each.ownership.successor,
                pinned=view.wishes.pins.get(account),
            )
            for account, each in sorted(view.owners.items())
        },
    )
