"""Row 6: every sink at once on one gateway, and some of their servers killed in the middle."""

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import trio

from tests.doubles.crowd import Member, open_crowd
from tests.doubles.receiver import open_receiver
from tests.doubles.servers.postgres import PostgresServer, running_postgres
from tests.scenarios.results import Form, Results
from tests.scenarios.rig import Rig, open_rig, wait_until

FORMS = [
    pytest.param(Form.SHORT, ["redis"], id="short"),
    pytest.param(
        Form.CI,
        ["redis", "postgres", "nats"] * 4,
        id="ci",
        marks=[pytest.mark.scenarios, pytest.mark.timeout(900)],
    ),
]
RATE = 5.0
"""Per second and account."""
CALM_SECONDS = 1.0
"""Between two troubles."""
WAITING = 20
"""So many events have to wait for a server before it is started again."""


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """Its start needs a loop of its own."""
    with running_postgres() as server:
        yield server


@pytest.mark.parametrize(("form", "victims"), FORMS)
async def test_all_sinks_at_once(
    tmp_path: Path, results: Results, postgres: PostgresServer, form: Form, victims: list[str]
):
    """Each of them holds what was recorded, in order, whichever of their servers was killed."""
    async with (
        open_receiver() as phone,
        open_rig(tmp_path) as rig,
        open_crowd(tmp_path, rig.state_dir, postgres) as crowd,
    ):
        rig.sinks |= {name: member.sink() for name, member in crowd.items()}
        rig.sinks["phone"] = f'{{type: notify, url: "json://127.0.0.1:{phone.port}"}}'
        rig.write_config()
        await rig.daemon.start()
        await rig.wait_live()
        rig.set_rate(RATE)
        waited = [await trouble(rig, crowd, victim) for victim in victims]
        await rig.wait_quiet(120)
        verdict = await trio.to_thread.run_sync(rig.judge)
        verdict.assert_kept()
        recorded = {event["id"]: event["account"] for event in rig.delivered()}
        for name, member in crowd.items():
            held = list(dict.fromkeys(await member.read()))
            assert in_its_order(name, recorded) == in_its_order(name, pick(recorded, held)), name
        sinks = rig.daemon.status()["sinks"]
        rig.daemon.signal(signal.SIGTERM)
        assert await rig.daemon.wait_ended() == 0

    assert {0} == {sink["dead_letters"] for sink in sinks.values()}
    results.note(
        6, "every sink at once, servers killed", form, sinks=len(sinks), kills=len(victims),
        events=verdict.events, most_waiting=max(waited), messages_to_people=len(phone.posts),
    )  # fmt: skip


async def trouble(rig: Rig, crowd: dict[str, Member], victim: str) -> int:
    """Kill a server until events wait for it; how many did."""
    process = crowd[victim].process
    assert process is not None
    await trio.sleep(CALM_SECONDS)
    process.kill()
    await wait_until(lambda: pending(rig, victim) >= WAITING, 60, f"events to wait for {victim}")
    waited = pending(rig, victim)
    await process.start()
    await wait_until(lambda: pending(rig, victim) < WAITING, 60, f"{victim} to catch up")
    return waited


def pending(rig: Rig, sink: str) -> int:
    """How many events wait for a sink."""
    count: int = rig.daemon.status()["sinks"][sink]["pending"]
    return count


def pick(recorded: dict[str, str], held: Sequence[str]) -> dict[str, str]:
    """The accounts of what a sink holds, in its order; a stranger has none."""
    return {one: recorded.get(one, "") for one in held}


def in_its_order(sink: str, held: dict[str, str]) -> object:
    """What of the order a sink keeps: Kafka that of each account."""
    if sink != "kafka":
        return list(held)
    accounts = sorted(set(held.values()))
    return [[one for one, account in held.items() if account == name] for name in accounts]
