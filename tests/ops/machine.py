"""A Debian machine with a real systemd: a container in which it is process 1.

The root file system is made once by `debootstrap` and kept in `CACHE`, with the wheels
that the gateway needs; every boot sees it through an overlay and leaves nothing behind.
The network is the host's, so that the daemon in it can reach pretend venues of the test.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ops.distributions import REPOSITORY, copy_tracked, run

CACHE = Path(os.environ.get("GATEWAY_TEST_MACHINE", "/var/tmp/gateway-test-machine"))
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates,make"
SUITE = "bookworm"
PYTHON = "3.11"
"""Of that suite."""
BOOT_SECONDS = 60.0
SOURCE = "/source"
WHEELS = "/wheels"


def mirror() -> str:
    """Where this computer's own apt gets the suite: no address of ours."""
    asked = ["apt-get", "indextargets", "--format", "$(SITE)", f"Codename: {SUITE}"]
    sites = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    assert sites, f"apt knows no source of {SUITE}: run apt-get update"
    return sites[0]


def why_not() -> str | None:
    """What keeps this computer from booting such a machine; None when nothing does."""
    if os.geteuid() != 0:
        return "needs root"
    for program in ("systemd-nspawn", "debootstrap", "nsenter"):
        if shutil.which(program) is None:
            return f"needs {program} (Debian: systemd-container, debootstrap, util-linux)"
    return None


SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


class Machine:
    """A booted machine."""

    def __init__(self, leader: int) -> None:
        self.leader = leader
        """Its process 1, as this computer counts processes."""

    def path(self, inside: str) -> Path:
        """A path of the machine, as this computer reaches it."""
        return Path(f"/proc/{self.leader}/root", inside.lstrip("/"))

    def try_run(self, *command: str, seconds: float = 120) -> "subprocess.CompletedProcess[str]":
        """Run a program in the machine, as root."""
        enter = ("nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w")
        # A test run in the background ignores Ctrl-C, and what it starts would too.
        clean = ("env", "-i", "--default-signal=INT", f"PATH={SEARCH_PATH}")
        return subprocess.run(
            [*enter, *clean, *command],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )

    def run(self, *command: str, seconds: float = 120) -> str:
        """Run a program in the machine that must succeed; its output."""
        done = self.try_run(*command, seconds=seconds)
        if done.returncode != 0:
            log = self.try_run("journalctl", "--boot", "--lines=30", "--output=short").stdout
            said = f"{done.stdout}{done.stderr}\n{log}"
            raise AssertionError(f"{command}: {done.returncode}\n{said}")
        return done.stdout

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def add_wheel(self, wheel: Path) -> str:
        """Lay another wheel beside those for pip; where the machine sees it."""
        shutil.copy2(wheel, CACHE / "wheels")
        return f"{WHEELS}/{wheel.name}"

    def write(self, inside: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the machine."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode)
        path.write_text(text)
        path.chmod(mode)


@contextmanager
def boot(wheel: Path, directory: Path) -> Iterator[Machine]:
    """Boot a machine that has the source tree at `SOURCE`, and wheels for pip at `WHEELS`."""
    with locked_cache():
        prepare_root()
        wheels = download_wheels(f"{wheel}[top]", "setuptools")
        copy_tracked(directory)
        log = (directory / "boot.log").open("wb")
        container = subprocess.Popen(
            [
                "systemd-nspawn", f"--directory={CACHE / 'root'}", "--volatile=overlay",
                "--boot", "--register=no", "--keep-unit", "--link-journal=no",
                f"--machine=gateway-{os.getpid()}",
                f"--bind-ro={directory}:{SOURCE}", f"--bind-ro={wheels}:{WHEELS}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
        )  # fmt: skip
        try:
            yield _wait_booted(container, directory / "boot.log")
        finally:
            container.send_signal(signal.SIGTERM)  # an orderly shutdown
            try:
                container.wait(30)
            except subprocess.TimeoutExpired:
                container.kill()
                container.wait(30)
            log.close()


@contextmanager
def locked_cache() -> Iterator[None]:
    """Be the only one who uses the root: two at a time would see each other's files."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepare_root() -> Path:
    """A Debian of `SUITE`, made once per computer."""
    root, complete = CACHE / "root", CACHE / "root.complete"
    if not complete.exists() or complete.read_text() != PACKAGES:
        shutil.rmtree(root, ignore_errors=True)
        include = f"--include={PACKAGES}"
        run("debootstrap", "--variant=minbase", include, SUITE, root, mirror(), seconds=600)
        complete.write_text(PACKAGES)
    return root


def download_wheels(*requirements: str) -> Path:
    """A folder with these and all that they need, for the Python of `SUITE`."""
    wheels = CACHE / "wheels"
    for old in wheels.glob("exchange_event_gateway-*"):
        old.unlink()
    run(
        sys.executable, "-m", "pip", "download", "--quiet", "--python-version", PYTHON,
        "--only-binary=:all:", "--find-links", wheels, "--dest", wheels,
        "-c", REPOSITORY / "constraints.txt", *requirements,
    )  # fmt: skip
    return wheels


def _wait_booted(container: "subprocess.Popen[bytes]", log: Path) -> Machine:
    deadline = time.monotonic() + BOOT_SECONDS
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
    while time.monotonic() < deadline and container.poll() is None:
        for child in children.read_text().split():
            machine = Machine(int(child))
            state = machine.try_run("systemctl", "is-system-running").stdout.strip()
            if state in ("running", "degraded"):
                return machine
        time.sleep(0.1)
    container.kill()
    said = log.read_text(errors="replace")[-2000:]
    pytest.skip(f"no systemd boots in a container here: {said}")
