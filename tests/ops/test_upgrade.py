"""From an older version to this one under load: by wheel and by Debian package."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from gateway.errors import GatewayError
from tests.ops import machine as machines
from tests.ops.conftest import OLDER
from tests.ops.distributions import REPOSITORY, Distributions, run
from tests.ops.machine import Machine
from tests.scenarios.rig import Rig, open_rig, wait_until

pytestmark = [pytest.mark.scenarios, pytest.mark.timeout(600)]

CONFIG = "/etc/gateway/gateway.yaml"
STATE = "/var/lib/gateway"
UNIT = "gateway.service"
Step = Callable[[Machine], None]


@pytest.fixture
def machine(
    distributions: Distributions, older: Distributions, tmp_path: Path
) -> Iterator[Machine]:
    """A booted machine that never heard of the gateway; both versions lie ready."""
    if reason := machines.why_not():
        pytest.skip(f"no machine with systemd: {reason}")
    if f"{sys.version_info.major}.{sys.version_info.minor}" != machines.PYTHON:
        pytest.skip(f"wheels for {machines.SUITE} are those of Python {machines.PYTHON}")
    directory = tmp_path / "machine"
    directory.mkdir()
    with machines.boot(distributions.wheel, directory) as machine:
        machine.add_wheel(older.wheel)
        yield machine


def install_wheel(wheel: Path) -> Step:
    """As systemd/README.md says, the restart included."""

    def install(machine: Machine) -> None:
        environment = ("env", "PIP_NO_INDEX=1", f"PIP_FIND_LINKS={machines.WHEELS}")
        script = f"{machines.SOURCE}/systemd/install"
        machine.run(*environment, script, f"{machines.WHEELS}/{wheel.name}")
        machine.run("systemctl", "try-restart", UNIT)

    return install


def install_package(wheel: Path, directory: Path) -> Step:
    """The two commands of docs/operations.md."""
    package = directory / f"{wheel.stem}.deb"

    def install(machine: Machine) -> None:
        script = REPOSITORY / "packaging/debian/build"
        run("env", f"PYTHON={sys.executable}", script, wheel, package)
        machine.path(f"/root/{package.name}").write_bytes(package.read_bytes())
        machine.run("dpkg", "--force-confold", "--install", f"/root/{package.name}")

    return install


@pytest.mark.parametrize("way", ["wheel", "package"])
async def test_an_upgrade_loses_nothing(
    machine: Machine, distributions: Distributions, older: Distributions, tmp_path: Path, way: str
):
    """The journal goes on, its gap is filled, and every event of before and after is there."""
    steps = {
        "wheel": (install_wheel(older.wheel), install_wheel(distributions.wheel)),
        "package": (
            install_package(older.wheel, tmp_path),
            install_package(distributions.wheel, tmp_path),
        ),
    }
    install_old, install_new = steps[way]
    async with open_rig(tmp_path, accounts=1, seed=31) as rig:
        await trio.to_thread.run_sync(install_old, machine)
        move_in(rig, machine)
        machine.run("systemctl", "start", UNIT)
        await rig.wait_live(60)
        rig.set_rate(20)
        await wait_until(lambda: len(rig.delivered()) > 50, 60, "events of the older version")
        assert OLDER == rig.daemon.status()["gateway"]["version"]
        epoch, held = epoch_of(machine), len(rig.delivered())

        await trio.to_thread.run_sync(install_new, machine)

        await wait_until(lambda: is_new(rig), 60, "the new version at work")
        await wait_until(lambda: len(rig.delivered()) > held + 50, 60, "events of the new one")
        await rig.wait_quiet()
        rig.judge().assert_kept()
        assert epoch == epoch_of(machine)
        seqs = [event["seq"] for event in rig.delivered()]
        assert list(range(1, len(seqs) + 1)) == seqs


def move_in(rig: Rig, machine: Machine) -> None:
    """Let the rig's venues be served by the service."""
    rig.state_dir = rig.daemon.state_dir = Path(STATE)
    rig.write_config()
    machine.write(CONFIG, rig.daemon.config.read_text())
    machine.run("systemctl", "start", UNIT)  # makes the state directory, wherever that is
    place = machine.run("readlink", "-f", STATE).strip()
    machine.run("systemctl", "stop", UNIT)
    rig.state_dir = rig.daemon.state_dir = machine.path(place)


def is_new(rig: Rig) -> bool:
    """Whether another version than the older answers, with every account live."""
    try:
        return bool(rig.daemon.status()["gateway"]["version"] != OLDER and rig.all_live())
    except GatewayError:  # it is being restarted
        return False


def epoch_of(machine: Machine) -> str:
    """Which journal it is."""
    return str(json.loads(machine.run("gateway", "journal", "info", "--json"))["epoch"])
