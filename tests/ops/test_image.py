"""The container image: built from packaging/Dockerfile, run as its head says."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ops import images
from tests.ops import machine as machines
from tests.ops.distributions import copy_tracked
from tests.ops.images import LIMITS, Engine
from tests.scenarios.rig import wait_until

pytestmark = [pytest.mark.scenarios, pytest.mark.timeout(600)]

CONFIG = "http: null\naccounts: {}\nsinks: {events: {type: jsonl, path: events.jsonl}}\n"
NAME = "gateway-under-test"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine that has the image."""
    if reason := images.why_not():
        pytest.skip(f"no container engine: {reason}")
    if f"{sys.version_info.major}.{sys.version_info.minor}" != machines.PYTHON:
        pytest.skip(f"the image is of Python {machines.PYTHON}")
    directory = tmp_path_factory.mktemp("engine")
    source = copy_tracked(directory / "source")
    with images.open_engine(directory) as engine:
        with machines.locked_cache():
            engine.import_base(machines.prepare_root())
            wheels = machines.download_wheels(f"{source}[top]", "setuptools")
            engine.build(source / "packaging/Dockerfile", source, wheels)
        yield engine


@pytest.fixture
def container(engine: Engine, tmp_path: Path) -> Iterator[str]:
    """A gateway that runs in it: nothing writable but its volume, no rights."""
    config = tmp_path / "gateway.yaml"
    config.write_text(CONFIG)
    engine.run(
        "run", "--detach", f"--name={NAME}", "--network=host", *LIMITS, "--no-healthcheck",
        "--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL",
        "--security-opt=no-new-privileges", "--volume=gateway-state:/var/lib/gateway",
        f"--volume={config}:/etc/gateway/gateway.yaml:ro", "--stop-timeout=30", "gateway",
    )  # fmt: skip
    yield NAME
    engine.try_run("rm", "--force", "--time=1", NAME)


async def wait_ready(engine: Engine) -> None:
    """Wait until the gateway inside journals."""
    ready = lambda: engine.try_run("exec", NAME, "gateway", "status").returncode == 0  # noqa: E731 - it reads as the question it is
    await wait_until(ready, 60, "a gateway that answers")


async def test_it_runs_without_root_on_a_read_only_system(engine: Engine, container: str):
    """The daemon is an ordinary user, and finds nothing that it may write to but its volume."""
    await wait_ready(engine)

    assert "10001" == engine.run("exec", container, "id", "-u").strip()
    search = ("find", "/", "-xdev", "-type", "d", "-writable")  # what others own, it cannot enter
    writable = engine.try_run("exec", container, *search).stdout.split()
    assert ["/var/lib/gateway"] == writable
    assert "journal.db" in engine.run("exec", container, "ls", "/var/lib/gateway")


async def test_its_health_check_tells(engine: Engine, container: str):
    """The image's own check passes while the gateway answers, and fails when it does not."""
    await wait_ready(engine)
    [image] = json.loads(engine.run("image", "inspect", "gateway"))
    kind, *check = image["Healthcheck"]["Test"]

    assert "CMD" == kind
    assert 0 == engine.try_run("exec", container, *check).returncode
    engine.run("exec", container, "mv", "/var/lib/gateway/control.sock", "/var/lib/gateway/away")
    assert 0 != engine.try_run("exec", container, *check).returncode


async def test_a_stop_is_orderly(engine: Engine, container: str):
    """Process 1 obeys SIGTERM: exit code 0, and the log says that it stopped."""
    await wait_ready(engine)

    engine.run("stop", container)

    assert "0" == engine.run("inspect", "--format={{.State.ExitCode}}", container).strip()
    logs = engine.try_run("logs", container)
    assert "gateway_stopped" in logs.stdout + logs.stderr
