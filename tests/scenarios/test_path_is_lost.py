"""Row 10, for real: the kernel throws every packet away, and says nothing."""

from pathlib import Path

import pytest
import trio

from tests.scenarios.oracle import time_of
from tests.scenarios.private_network import needs_private_network, open_private_network
from tests.scenarios.results import Results
from tests.scenarios.rig import Rig, open_rig, wait_until

pytestmark = [pytest.mark.scenarios, needs_private_network]

NOTICED_SECONDS = 45.0
"""30 s of silence, and some for the beat before and for whoever looks."""
HEALED_SECONDS = 60.0
AFTERWARDS_SECONDS = 10.0
"""How long the path stays lost once that was noticed: new connections fail too."""


@pytest.mark.timeout(300)
async def test_a_lost_path_is_noticed_and_healed(tmp_path: Path, results: Results):
    """Where no FIN and no RST comes, the silence tells; the gap is honest and is filled."""
    with open_private_network(("client", "server")) as network:
        async with open_rig(tmp_path, accounts=1) as rig, trio.open_nursery() as nursery:
            rig.daemon.prefix = network.prefix("client")
            for name, (venue, _) in rig.accounts.items():
                listener = trio.SocketListener(
                    trio.socket.from_stdlib_socket(network.listen("server"))
                )
                host, port = listener.socket.getsockname()
                rig.origins[name] = ("http", f"{host}:{port}")
                nursery.start_soon(trio.serve_listeners, venue.serve, [listener])
            rig.write_config()
            await rig.daemon.start()
            await rig.wait_live()
            rig.set_rate(3)
            await trio.sleep(5)

            network.lose_packets(["client"], ["server"])
            lost_at = trio.current_time()
            noticed = {name: await when_noticed(rig, name) - lost_at for name in rig.accounts}
            await trio.sleep(AFTERWARDS_SECONDS)
            network.pass_packets()
            back_at = trio.current_time()
            await rig.wait_live(HEALED_SECONDS)
            healed = trio.current_time() - back_at
            await rig.wait_quiet()

            verdict = rig.judge()
            verdict.assert_kept()
            for name in rig.accounts:
                (opened, *_) = [
                    each for each in rig.streams(name) if each["status"] == "gap_opened"
                ]
                (closed,) = [each for each in rig.streams(name) if each["status"] == "gap_closed"]
                assert opened["reason"] == "heartbeat_missed"
                assert closed["complete"]
                assert closed["recovered"] > 0
                assert time_of(closed["since"]) < time_of(closed["until"])
            await rig.daemon.stop()
            nursery.cancel_scope.cancel()
        results.note(
            10, "path lost: lbank and fmex", "CI",
            seconds_to_notice=round(max(noticed.values()), 1), seconds_to_heal=round(healed, 1),
            facts=verdict.facts, lost=0, doubled=0,
        )  # fmt: skip


async def when_noticed(rig: Rig, name: str) -> float:
    """When the account's gap was told."""
    await wait_until(
        lambda: any(stream["status"] == "gap_opened" for stream in rig.streams(name)),
        NOTICED_SECONDS,
        f"noticed on {name}",
    )
    return trio.current_time()
