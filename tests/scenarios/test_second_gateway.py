"""Row 24: a second gateway on the same state directory."""

from pathlib import Path

import pytest

from tests.scenarios.results import Results
from tests.scenarios.rig import Daemon, open_rig

STARTS = [
    pytest.param(3, "short"),
    pytest.param(50, "CI", marks=pytest.mark.scenarios),
]
STATE_DIRECTORY = 73


@pytest.mark.parametrize(("starts", "form"), STARTS)
@pytest.mark.timeout(600)
async def test_a_second_gateway_stays_out(tmp_path: Path, results: Results, starts: int, form: str):
    """It exits with 73 and names the pid of the first, which does not notice."""
    async with open_rig(tmp_path, seed=24) as rig:
        await rig.daemon.start()
        await rig.wait_live()
        rig.set_rate(20)
        connections = {name: venue.connections_met for name, venue in rig.venues.items()}
        for number in range(starts):
            second = Daemon(rig.daemon.config, rig.state_dir)
            second.log = tmp_path / f"second-{number}.log"
            second.launch()
            assert await second.wait_ended() == STATE_DIRECTORY
            said = second.log.read_text()
            assert f"in use by another gateway (pid {rig.daemon.pid})" in said
            assert "Traceback" not in said
        await rig.wait_quiet()

        verdict = rig.judge()
        verdict.assert_kept()
        assert connections == {name: venue.connections_met for name, venue in rig.venues.items()}
        assert verdict.repeats == 0
    results.note(
        24, "a second gateway on the same state directory", form, starts=starts,
        facts=verdict.facts, events=verdict.events, lost=len(verdict.missing),
    )  # fmt: skip
