"""The Debian package, built, installed and run on a Debian with a real systemd."""

import sys
from collections.abc import Iterator

import pytest

from tests.ops import machine as machines
from tests.ops.distributions import REPOSITORY, Distributions, run
from tests.ops.machine import Machine

pytestmark = [pytest.mark.scenarios, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def machine(
    distributions: Distributions, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """A booted machine that has nothing but the package."""
    if reason := machines.why_not():
        pytest.skip(f"no machine with systemd: {reason}")
    if f"{sys.version_info.major}.{sys.version_info.minor}" != machines.PYTHON:
        pytest.skip(f"a package for {machines.SUITE} is built by Python {machines.PYTHON}")
    directory = tmp_path_factory.mktemp("machine")
    script = REPOSITORY / "packaging/debian/build"
    package = directory / "gateway.deb"
    run("env", f"PYTHON={sys.executable}", script, distributions.wheel, package)
    with machines.boot(distributions.wheel, directory) as machine:
        machine.run("apt", "install", "--yes", f"{machines.SOURCE}/gateway.deb")
        yield machine


def test_the_service_runs_and_its_group_may_ask(machine: Machine):
    """Installed, it waits for an operator; started, it journals, and its group needs no sudo."""
    assert "active" != machine.show("gateway.service", "ActiveState")
    machine.run("useradd", "--groups", "gateway", "ann")

    machine.run("systemctl", "start", "gateway")

    assert "gateway" == machine.show("gateway.service", "User")
    assert "1 sink" in machine.run("runuser", "-u", "ann", "--", "gateway", "status")
    exposure = machine.run("systemd-analyze", "security", "--no-pager", "gateway")
    assert " 1.1 OK" in exposure.splitlines()[-1]


def test_it_brings_a_manual_and_keeps_what_people_change(machine: Machine):
    """gateway(1) lists every command; removal leaves configuration and state alone."""
    page = machine.run("gzip", "-dc", "/usr/share/man/man1/gateway.1.gz")
    assert "gateway journal backup" in page
    machine.run("systemctl", "start", "gateway")

    machine.run("dpkg", "--remove", "exchange-event-gateway")

    assert machine.path("/etc/gateway/gateway.yaml").exists()
    assert machine.path("/var/lib/gateway/journal.db").exists()
    assert not machine.path("/usr/bin/gateway").exists()
