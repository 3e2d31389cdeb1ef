"""Versions of NATS whose copies may come apart are named."""

from pathlib import Path

import pytest

from gateway.cluster import happenings
from gateway.cluster.board import BoardUnavailable
from gateway.cluster.engines import ENGINES
from gateway.cluster.epochs import OwnedEpochs
from gateway.cluster.nats.connection import FAITHFUL_SINCE, is_forgetful
from gateway.cluster.settings import ClusterSettings
from gateway.contracts.values import Secret
from tests.doubles.servers.nats import USER, open_nats_server


@pytest.mark.parametrize(
    ("version", "copies", "forgetful"),
    [((2, 9), 3, True), ((2, 11), 3, True), ((2, 9), 1, False), ((2, 12), 3, False),
     ((3, 0), 3, False)],
)  # fmt: skip
def test_old_versions_are_told_apart(version: tuple[int, int], copies: int, forgetful: bool):
    """Only where there are copies can they come apart, and only before a certain version."""
    assert forgetful == is_forgetful(version, copies)


async def test_an_old_server_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """However often a gateway connects, its log says once that the engine may forget."""
    monkeypatch.setattr(
        "gateway.cluster.nats.connection.FAITHFUL_SINCE", (1000, *FAITHFUL_SINCE[1:])
    )
    async with open_nats_server(tmp_path, "password") as server:
        settings = ClusterSettings(
            engine="nats", url=f"nats://{server.address}", username=USER,
            password=Secret.of("password"), copies=3,
        )  # fmt: skip
        before = happenings.FORGETFUL_ENGINE.count

        async with ENGINES["nats"](settings, OwnedEpochs()) as engine:
            for _ in range(2):  # a server by itself keeps no three copies
                with pytest.raises(BoardUnavailable):
                    await engine.board.kept()

        assert before + 1 == happenings.FORGETFUL_ENGINE.count
