"""The API of a whole daemon at work is what `/openapi.json` says."""

import re
from pathlib import Path

import pytest

from tests.doubles.api_prober import probe_api
from tests.scenarios.rig import open_rig

pytestmark = [pytest.mark.scenarios, pytest.mark.timeout(600)]


async def test_orders_and_questions_at_random(tmp_path: Path):
    """Thousands of requests, orders to reload, reconnect, forget and replay among them."""
    async with open_rig(tmp_path, accounts=1, seed=6) as rig:
        config = rig.daemon.config
        config.write_text(config.read_text().replace("http: null", "http: {listen: '127.0.0.1:0'}"))
        await rig.daemon.start()
        await rig.wait_live()
        rig.set_rate(20)
        [url] = set(re.findall(r"http://127\.0\.0\.1:\d+", rig.daemon.log.read_text()))

        await probe_api(url, tmp_path, account="lbank-1", sink="events", examples=60, seed=6)

        log = rig.daemon.log.read_text()
        assert "Traceback" not in log
        assert rig.daemon.status()["gateway"]["ready"]
