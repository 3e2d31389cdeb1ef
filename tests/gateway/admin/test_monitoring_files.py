"""What ships for Prometheus and Grafana speaks of metrics that exist."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.telemetry.metrics import CATALOGUE, MetricType
from tests.doubles.http_client import connect
from tests.gateway.admin.conftest import Served

FOLDER = Path(__file__).parents[3] / "docs" / "monitoring"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="needs promtool: apt install prometheus"
)


def exposed_names() -> set[str]:
    """Names as they stand in the text that Prometheus reads."""
    names = set()
    for spec in CATALOGUE:
        match spec.type:
            case MetricType.COUNTER:
                names.add(f"{spec.name}_total")
            case MetricType.HISTOGRAM:
                names |= {f"{spec.name}_{part}" for part in ("bucket", "sum", "count")}
            case MetricType.GAUGE:
                names.add(spec.name)
    return names


@pytest.mark.parametrize("name", ["alerts.yml", "alerts_test.yml"])
def test_every_metric_that_is_named_exists(name: str):
    """A renamed metric must not leave an alert that can never fire."""
    text = (FOLDER / name).read_text(encoding="utf-8")

    named = set(re.findall(r"\bgateway_\w+", text))

    assert named
    assert named <= exposed_names()


def test_every_alert_is_explained():
    """The README says of each alert what it means and what to do."""
    alerts = re.findall(r"- alert: (\w+)", (FOLDER / "alerts.yml").read_text(encoding="utf-8"))
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")

    assert [alert for alert in alerts if f"`{alert}`" not in readme] == []


@needs_promtool
def test_the_rules_pass_their_own_tests():
    """Promtool runs them over made-up series."""
    ran = subprocess.run(
        [str(PROMTOOL), "test", "rules", "alerts_test.yml"],
        cwd=FOLDER,
        capture_output=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr.decode()


@needs_promtool
async def test_promtool_finds_nothing_to_say_about_the_metrics(served: Served):
    """Names, types and help follow Prometheus's own rules."""
    metrics = served.house.metrics
    for spec in CATALOGUE:
        labels = ["x"] * len(spec.labels)
        if spec.type is MetricType.HISTOGRAM:
            metrics.histogram(spec.name, *labels).observe(0.1)
        else:
            metrics.cell(spec.name, *labels).set(1)
    async with connect(served.url) as client:
        text = (await client.ask("/metrics")).body

    ran = subprocess.run(  # noqa: ASYNC221 - half a second in a test of its own
        [str(PROMTOOL), "check", "metrics"], input=text, capture_output=True, check=False
    )

    assert (ran.returncode, ran.stderr.decode()) == (0, "")
