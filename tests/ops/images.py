"""Containers by podman, in a storage of their own that is thrown away.

No registry is asked: `BASE` is stood in for by the Debian of `tests.ops.machine`, whose
Python is the same version. Everything above it is what packaging/Dockerfile says.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ops import machine as machines
from tests.ops.distributions import run

BASE = f"docker.io/library/python:{machines.PYTHON}-slim-{machines.SUITE}"
LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
"""What this computer allows, whatever the engine would like to raise."""
PIP = "[global]\nno-index = true\nfind-links = /wheels\n"


def why_not() -> str | None:
    """What keeps this computer from building images; None when nothing does."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [name for name in ("podman", "runc", "debootstrap") if not shutil.which(name)]
    return f"needs {', '.join(missing)}" if missing else None


class Engine:
    """Podman, with everything it keeps in one folder."""

    def __init__(self, directory: Path, run_directory: Path) -> None:
        self._directory = directory
        self.command = (
            "podman", f"--root={directory / 'images'}", f"--runroot={run_directory}",
            "--runtime=runc", "--cgroup-manager=cgroupfs", "--events-backend=file",
        )  # fmt: skip

    def run(self, *arguments: str | Path) -> str:
        """A command of podman that must succeed; its output."""
        return run(*self.command, *arguments)

    def try_run(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        """A command of podman that may fail."""
        return subprocess.run(
            [*self.command, *arguments], capture_output=True, text=True, timeout=120, check=False
        )

    def import_base(self, root: Path) -> None:
        """Let a directory stand in for `BASE`; there, Python is called `python`."""
        archive, link = self._directory / "root.tar", self._directory / "usr/local/bin/python"
        link.parent.mkdir(parents=True)
        link.symlink_to("/usr/bin/python3")
        left_out = ("--exclude=./var/cache", "--exclude=./usr/share/doc")
        also = ("-C", self._directory, "./usr/local/bin/python")
        run("tar", "-C", root, *left_out, "-cf", archive, ".", *also)
        path = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        self.run("import", "--quiet", f"--change=ENV {path}", archive, BASE)
        archive.unlink()

    def build(self, dockerfile: Path, source: Path, wheels: Path) -> str:
        """Build an image as Docker would, with pip held to the wheels; its name."""
        pip = self._directory / "pip.conf"
        pip.write_text(PIP)
        self.run(
            "build", "--pull=never", "--isolation=chroot", "--network=host", "--format=docker",
            f"--volume={wheels}:/wheels:ro", f"--volume={pip}:/etc/pip.conf:ro",
            "--tag=gateway", "--file", dockerfile, source,
        )  # fmt: skip
        return "gateway"


@contextmanager
def open_engine(directory: Path) -> Iterator[Engine]:
    """An engine without images; at the end nothing of it is left."""
    # Podman wants at most 50 characters here, and folders of tests are longer.
    with tempfile.TemporaryDirectory(prefix="engine-", dir="/tmp") as run_directory:
        engine = Engine(directory, Path(run_directory))
        try:
            yield engine
        finally:
            engine.try_run("rm", "--all", "--force", "--time=1")
            engine.try_run("volume", "rm", "--all", "--force")
            engine.try_run("rmi", "--all", "--force")
