"""systemd/README.md, followed on a Debian with a real systemd: every command, in order."""

import sys
from collections.abc import Iterator

import pytest

from tests.ops import machine as machines
from tests.ops.distributions import REPOSITORY, Distributions
from tests.ops.guides import ENDED, commands, script
from tests.ops.machine import Machine

pytestmark = [pytest.mark.scenarios, pytest.mark.timeout(600)]

ROOT = """\
export PIP_NO_INDEX=1 PIP_FIND_LINKS={wheels}
cp -a {source} /root/clone
cd /root/clone
printf key-of-lbank > /root/pasted
sudo() {{ "$@"; }}  # the reader of this page is root already
sudoedit() {{  # only what the page asks for
    [ "$1" = gateway.yaml ] || sed -i 's#/var/lib/gateway#&-desk#; s#:8780#:8781#' "$1"
}}
"""


@pytest.fixture
def machine(
    distributions: Distributions, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """A booted machine that never heard of the gateway."""
    if reason := machines.why_not():
        pytest.skip(f"no machine with systemd: {reason}")
    if f"{sys.version_info.major}.{sys.version_info.minor}" != machines.PYTHON:
        pytest.skip(f"wheels for {machines.SUITE} are those of Python {machines.PYTHON}")
    with machines.boot(distributions.wheel, tmp_path_factory.mktemp("machine")) as machine:
        yield machine


def test_the_page_can_be_followed(machine: Machine):
    """From `make install-service` to a second gateway beside the first."""
    own = commands(REPOSITORY / "systemd" / "README.md")
    lines = [line.replace("/dev/stdin", "/root/pasted") for line in own]
    prologue = ROOT.format(wheels=machines.WHEELS, source=machines.SOURCE)
    text = prologue + script(lines, {"PATH_OF_PROJECT": "/root/clone"})

    told = machine.run("bash", "-c", text, seconds=400)

    assert ENDED in told
    for unit in ("gateway", "gateway@desk"):
        assert "active" == machine.show(f"{unit}.service", "ActiveState")
    releases = machine.run("ls", "/opt/exchange-event-gateway").split()
    assert 3 == len(releases), "two installations and the link `current`"
    assert "key-of-lbank" == machine.run("cat", "/etc/gateway/credentials/lbank-main.secret")
