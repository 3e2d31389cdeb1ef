"""An API's description held against the API: schemathesis, a prober that nobody here wrote.

It makes requests of each operation from `/openapi.json`, good ones and bad ones, and
wants every answer to be as described, every good request to be taken, every bad one refused.
"""

import subprocess
import sys
from pathlib import Path

import trio

CONFIG = """\
[[operations]]
include-path-regex = "/accounts/"
parameters = {{ "path.name" = "{account}" }}

[[operations]]
include-path-regex = "/sinks/"
parameters = {{ "path.name" = "{sink}" }}

# That `from` comes before `to` is a rule between two fields, which no schema can tell.
[[operations]]
include-path = "/api/v1/sinks/{{name}}/replay"
parameters = {{ "path.name" = "{sink}" }}
checks.positive_data_acceptance.enabled = false
"""
ENDLESS = "/events"
"""An answer without an end, which the prober would wait for; tests of its own follow it."""


async def probe_api(
    url: str,
    directory: Path,
    *,
    account: str,
    sink: str,
    token: str | None = None,
    examples: int = 10,
    seed: int = 1,
) -> None:
    """Ask all that the description allows, and much that it does not. Raises on a finding."""
    config = directory / "schemathesis.toml"
    config.write_text(CONFIG.format(account=account, sink=sink))
    allowed = [] if token is None else ["--header", f"Authorization: Bearer {token}"]
    done = await trio.run_process(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", config,
            "run", f"{url}/openapi.json", "--exclude-path", ENDLESS, "--checks", "all",
            "--max-examples", str(examples), "--seed", str(seed), "--generation-database", "none",
            "--continue-on-failure", "--request-timeout", "20", "--no-color", *allowed,
        ],
        cwd=directory, capture_stdout=True, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout.decode()[-6000:]
