"""The Grafana dashboard as Grafana would put it to Prometheus."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "docs" / "monitoring" / "grafana.json"
VARIABLES = {"$__rate_interval": "1m", "$instance": ".*"}
"""What Grafana fills in: built in the first, of the dashboard's own the second."""


def load_dashboard() -> dict[str, Any]:
    """The file."""
    dashboard: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return dashboard


def queries() -> Iterator[tuple[str, str]]:
    """Title of the panel and PromQL, with the variables filled in."""
    for panel in load_dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], fill_in(target["expr"])


def fill_in(expression: str) -> str:
    """PromQL without Grafana's variables."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert not re.search(r"\$\w", expression), expression
    return expression
