"""A real Prometheus on a gateway at work: it scrapes, rules load, the dashboard has answers."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.doubles.dashboard import queries
from tests.doubles.http_client import connect
from tests.ops.distributions import REPOSITORY
from tests.scenarios.rig import Rig, open_rig, wait_until

pytestmark = [
    pytest.mark.scenarios,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="needs prometheus: apt install prometheus"
    ),
]

ABOUT_TROUBLE = frozenset(
    {"Reconnects", "Not understood", "Dead letters", "Dropped", "Time in gaps"}
)
"""Panels that stay empty while nothing goes wrong."""


@contextmanager
def open_prometheus(target: str, directory: Path) -> Iterator[Path]:
    """A Prometheus that scrapes `target` each second; its log, where it says its address."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(REPOSITORY / "docs/monitoring/alerts.yml")],
        "scrape_configs": [{"job_name": "gateway", "static_configs": [{"targets": [target]}]}],
    }
    (directory / "prometheus.yml").write_text(json.dumps(config))
    log = directory / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                "prometheus", f"--config.file={directory}/prometheus.yml",
                f"--storage.tsdb.path={directory}/tsdb", "--web.listen-address=127.0.0.1:0",
            ],
            stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield log
    finally:
        process.terminate()
        process.wait(30)


def port_of(log: Path) -> str | None:
    """Where it listens, once it answers questions."""
    said = log.read_text()
    found = re.search(r"Listening on.* address=\S*?:(\d+)", said)
    return found[1] if found and "Server is ready to receive web requests" in said else None


async def ask(port: str, path: str, **parameters: str) -> Any:
    """What Prometheus's API answers."""
    async with connect(f"http://127.0.0.1:{port}") as client:
        told = (await client.ask(f"/api/v1/{path}?{urlencode(parameters)}")).json()
    assert told["status"] == "success", told
    return told["data"]


async def start(rig: Rig) -> str:
    """Start the daemon with an address; where it is."""
    config = rig.daemon.config
    config.write_text(config.read_text().replace("http: null", "http: {listen: '127.0.0.1:0'}"))
    await rig.daemon.start()
    await rig.wait_live()
    [address] = set(re.findall(r"http://(127\.0\.0\.1:\d+)", rig.daemon.log.read_text()))
    return str(address)


async def test_the_dashboard_has_answers(tmp_path: Path):
    """Every panel's query is answered; those of a healthy gateway with values; no alert fires."""
    async with open_rig(tmp_path, accounts=1) as rig:
        target = await start(rig)
        rig.set_rate(20)
        with open_prometheus(target, tmp_path) as log:
            await wait_until(lambda: port_of(log) is not None, 60, "a Prometheus that listens")
            port = str(port_of(log))
            empty = {"nothing was asked yet"}
            while empty - ABOUT_TROUBLE:
                empty = {
                    title
                    for title, query in queries()
                    if not (await ask(port, "query", query=query))["result"]
                }
            alerts = (await ask(port, "alerts"))["alerts"]
            groups = (await ask(port, "rules"))["groups"]

    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}
    assert {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"} <= {
        "DeadMansSwitch"
    }
