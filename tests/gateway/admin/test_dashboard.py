"""The Grafana dashboard: whole, and about metrics and labels that exist."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.telemetry.metrics import CATALOGUE, MetricType
from tests.doubles.dashboard import load_dashboard, queries

PROMTOOL = shutil.which("promtool")
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
OF_PROMETHEUS = frozenset({"instance", "le"})
"""Labels that scraping and histograms add."""
SERIES = re.compile(r"(gateway_\w+)\{([^}]*)\}")
GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")
PARTS = ("_bucket", "_sum", "_count")


def labels_by_series() -> dict[str, frozenset[str]]:
    """Each series of the catalogue with the labels that it has."""
    found = {}
    for spec in CATALOGUE:
        parts = PARTS if spec.type is MetricType.HISTOGRAM else ("",)
        for part in parts:
            found[f"{spec.exposed_name}{part}"] = OF_PROMETHEUS | frozenset(spec.labels)
    return found


@pytest.mark.parametrize(("title", "query"), list(queries()))
def test_a_query_names_what_exists(title: str, query: str):
    """Each metric is of the catalogue, and so is each label that it is asked by."""
    known = labels_by_series()
    asked = SERIES.findall(query)

    assert {name for name, _ in asked} == set(re.findall(r"\bgateway_\w+", query)), title
    for name, matchers in asked:
        assert set(re.findall(r"(\w+)=~?\"", matchers)) <= known[name], name
    common = frozenset.intersection(*(known[name] for name, _ in asked))
    for group in GROUPING.findall(query):
        assert {label.strip() for label in group.split(",")} <= common, group


@pytest.mark.skipif(PROMTOOL is None, reason="needs promtool: apt install prometheus")
def test_every_query_is_promql(tmp_path: Path):
    """Prometheus's own parser takes each of them."""
    rules = [
        {"record": f"panel:query:{number}", "expr": query}
        for number, (_, query) in enumerate(queries())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    ran = subprocess.run(
        [str(PROMTOOL), "check", "rules", file], capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
    assert f"{len(rules)} rules found" in ran.stdout


def test_it_can_be_imported_into_any_grafana():
    """It asks which data source to use, every panel uses that one, and it has an identity."""
    dashboard = load_dashboard()
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    source, instance = dashboard["templating"]["list"]

    assert re.fullmatch(r"[a-z0-9-]{1,40}", dashboard["uid"])
    assert dashboard["schemaVersion"] >= 39
    assert "id" not in dashboard
    assert ("datasource", "prometheus") == (source["type"], source["query"])
    assert DATASOURCE == instance["datasource"]
    assert "gateway_ready" in instance["query"]["query"]
    assert all(DATASOURCE == panel["datasource"] for panel in panels)
    assert all(panel["title"] and panel["description"] for panel in panels)
    for panel in panels:
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters), panel["title"]


def test_its_panels_stand_side_by_side():
    """They have ids of their own, do not overlap, and keep within Grafana's 24 columns."""
    panels = load_dashboard()["panels"]
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24
