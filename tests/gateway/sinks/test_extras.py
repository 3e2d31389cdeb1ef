"""Client libraries that are not installed: told in the same words by every sink."""

import subprocess
import sys
from pathlib import Path

import pytest

EXTRAS = {
    "kafka": ("confluent_kafka", 'servers=("h",)'),
    "mqtt": ("paho", 'server="h"'),
    "nats": ("nats", 'servers=("h",)'),
    "notify": ("apprise", 'url=Secret.of("json://h")'),
    "parquet": ("pyarrow", 'path="lake"'),
    "postgres": ("psycopg", 'servers=("h",), database="d", username="u"'),
    "redis": ("coredis", 'servers=("h",)'),
}
"""The library behind each extra, and the least that its sink is configured with."""
PROGRAM = """
import sys, pathlib, trio
sys.modules[{library!r}] = None  # what `import` makes of it: not found
from gateway import registry
from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import SinkContext, SinkOptions
from gateway.contracts.values import Secret
from gateway.errors import ExtraMissing
from gateway.telemetry.redaction import Redactor

spec = registry.find_sink({sink!r})
settings = spec.settings({options})
context = SinkContext(
    name="desk", state_dir=pathlib.Path({folder!r}), options=SinkOptions(type={sink!r}),
    clock=WALL_CLOCK, redactor=Redactor(),
)

async def probe():
    try:
        return (await spec.probe(settings, context))[0].detail
    except ExtraMissing as error:
        return str(error)

print(trio.run(probe))
"""


@pytest.mark.parametrize("sink", EXTRAS)
def test_a_missing_library_is_told(sink: str, tmp_path: Path):
    """The package and the command that installs it, and no traceback."""
    library, options = EXTRAS[sink]
    program = PROGRAM.format(library=library, sink=sink, options=options, folder=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )

    assert "" == done.stderr
    assert f"pip install 'exchange-event-gateway[{sink}]'" in done.stdout
