"""Row 17: the name is not found, or whoever answers cannot be trusted."""

import json
import os
import re
import shutil
from pathlib import Path
from statistics import median

import httpx
import pytest
import trio

from gateway.simulator import steps
from tests.scenarios.front_door import REASONS, FrontDoor, Trouble, open_front_door
from tests.scenarios.results import Results
from tests.scenarios.rig import Rig, open_rig

pytestmark = [
    pytest.mark.scenarios,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("unshare") is None,
        reason="needs root and unshare for a name server of its own",
    ),
]

OWN_RESOLV_CONF = ("unshare", "--mount", "sh", "-c")
TROUBLE_SECONDS = 30.0
NAMES_REMEMBERED_SECONDS = 6.0
HEALED_SECONDS = 90.0
LAG_SECONDS = 0.1
STUCK_SECONDS = 2.0
"""No machine is so busy that the loop runs this late; a blocking look-up takes longer."""


@pytest.mark.timeout(300)
async def test_no_trouble_with_names_or_certificates_spreads(tmp_path: Path, results: Results):
    """Each trouble is told in one line, no other account notices, and all heal by themselves."""
    troubles = list(Trouble)
    async with (
        open_rig(tmp_path, accounts=len(troubles)) as rig,
        open_front_door(rig.venues["fmex"], tmp_path) as door,
    ):
        lead_through(rig, door)
        await rig.daemon.start()
        await rig.wait_live()
        rig.set_rate(1)
        await trio.sleep(2)
        door.is_troubled = True
        await trio.sleep(NAMES_REMEMBERED_SECONDS)
        rig.venues["fmex"].do(steps.Drop())
        lags = await watch_lag(rig, TROUBLE_SECONDS)
        during = rig.daemon.status()["accounts"]
        told = warnings(rig)
        door.is_troubled = False
        began = trio.current_time()
        await rig.wait_live(HEALED_SECONDS)
        healed = trio.current_time() - began
        await rig.wait_quiet()

        verdict = rig.judge()
        verdict.assert_kept()
        assert door.unverified == 0
        for number, trouble in enumerate(troubles, 1):
            lines = [line for line in told if line.get("account") == f"fmex-{number}"]
            reasons = [line["error"] for line in lines if REASONS[trouble] in line["error"]]
            assert len(reasons) == 1, (trouble, lines)
            assert REASONS[trouble] in during[f"fmex-{number}"]["detail"]
            assert during[f"fmex-{number}"]["state"] in ("backing_off", "connecting")
            assert during[f"lbank-{number}"]["state"] == "live"
            assert during[f"lbank-{number}"]["reconnects"] == 0
            (closed,) = [s for s in rig.streams(f"fmex-{number}") if s["status"] == "gap_closed"]
            assert closed["complete"]
        assert median(lags) <= LAG_SECONDS
        assert max(lags) <= STUCK_SECONDS
        results.note(
            17, "DNS and TLS, seven ways at once", "CI", troubles=len(troubles),
            other_accounts_loop_lag_ms=round(max(lags) * 1000), unverified=0,
            seconds_to_heal=round(healed, 1), facts=verdict.facts, lost=0, doubled=0,
        )  # fmt: skip


def lead_through(rig: Rig, door: FrontDoor) -> None:
    """Let FMEX's accounts find their venue by name and TLS, each by a way of its own."""
    for number, trouble in enumerate(Trouble, 1):
        rig.origins[f"fmex-{number}"] = ("https", f"{trouble.host}:{door.ports[trouble]}")
    rig.write_config()
    bind = f'mount --bind {door.resolv_conf} /etc/resolv.conf && exec "$@"'
    rig.daemon.prefix = (*OWN_RESOLV_CONF, bind, "-")
    rig.daemon.environment["SSL_CERT_FILE"] = str(door.authority)


async def watch_lag(rig: Rig, seconds: float) -> list[float]:
    """How late the daemon's loop ran, probe by probe."""
    lags = []
    until = trio.current_time() + seconds
    control = httpx.AsyncHTTPTransport(uds=str(rig.state_dir / "control.sock"))
    async with httpx.AsyncClient(transport=control, base_url="http://localhost") as client:
        while trio.current_time() < until:
            text = (await client.get("/metrics")).text
            (lag,) = re.findall(r"^gateway_loop_lag_seconds (\S+)$", text, re.MULTILINE)
            lags.append(float(lag))
            await trio.sleep(0.5)
    return lags


def warnings(rig: Rig) -> list[dict[str, str]]:
    """The log's lines from warnings up that name an error."""
    lines = [json.loads(line) for line in rig.daemon.log.read_text().splitlines() if line[0] == "{"]
    return [line for line in lines if line["level"] in ("warning", "error") and "error" in line]
