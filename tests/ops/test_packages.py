"""Wheel and source distribution: what is in them, and that they run on their own."""

import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.ops.distributions import REPOSITORY, Distributions, make_venv, run

pytestmark = [pytest.mark.scenarios, pytest.mark.timeout(600)]


def test_the_wheel_holds_the_two_packages_and_nothing_else(distributions: Distributions):
    """No tests, no documents; every page file and `py.typed` of the tree."""
    names = zipfile.ZipFile(distributions.wheel).namelist()
    tops = {name.split("/")[0] for name in names}

    assert {"gateway", "adapters"} == {top for top in tops if not top.endswith(".dist-info")}
    for package in ("gateway", "adapters"):
        for path in (REPOSITORY / package).rglob("*"):
            if path.is_file() and path.suffix in (".html", ".css", ".js", ".typed"):
                assert str(path.relative_to(REPOSITORY)) in names


def test_the_sdist_holds_what_a_packager_needs(distributions: Distributions):
    """The service, its install script with its mode, documents, pins and tests."""
    with tarfile.open(distributions.sdist) as archive:
        modes = {member.name.partition("/")[2]: member.mode for member in archive.getmembers()}

    wanted = {
        "systemd/gateway.service", "systemd/install", "constraints.txt", "gateway.yaml",
        "docs/operations.md", "tests/README.md", "CHANGELOG.md", "LICENSE", "Makefile",
    }  # fmt: skip
    assert wanted <= modes.keys()
    assert modes["systemd/install"] & 0o100


@pytest.mark.usefixtures("usual_port")
def test_it_installs_into_an_empty_venv_and_runs(distributions: Distributions, tmp_path: Path):
    """Nothing but the wheel and what it asks for: the demo runs, the commands answer."""
    binaries = make_venv(tmp_path / "venv", distributions.wheel)
    gateway = binaries / "gateway"

    shown = run(gateway, "demo", "--for", "3s", "--dir", tmp_path / "demo", cwd=tmp_path)
    assert "account" in shown or "lbank" in shown
    assert (tmp_path / "demo" / "events.jsonl").stat().st_size > 0
    assert "lbank" in run(gateway, "list", "venues", cwd=tmp_path)
    assert "jsonl" in run(gateway, "list", "sinks", cwd=tmp_path)
    run(binaries / "python", "-m", "pip", "check", cwd=tmp_path)
