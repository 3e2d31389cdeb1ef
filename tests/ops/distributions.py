"""Wheel and source distribution, built from what git would track, as a release is."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

REPOSITORY = Path(__file__).parents[2]


class Distributions(msgspec.Struct, frozen=True):
    """What a release uploads."""

    wheel: Path
    sdist: Path


def run(*command: str | Path, cwd: Path | None = None, seconds: float = 300) -> str:
    """Run a program to its end; its output. A failure shows all of it."""
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def copy_tracked(target: Path) -> Path:
    """The files that git does not ignore, as they are now."""
    names = run("git", "ls-files", "-z", "-c", "-o", "--exclude-standard", cwd=REPOSITORY)
    for name in names.split("\0"):
        source = REPOSITORY / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target


def build(directory: Path, *, version: str | None = None) -> Distributions:
    """Build the sdist from the tree, and the wheel from the sdist, as if it were `version`."""
    source = copy_tracked(directory / "source")
    if version is not None:
        project = source / "pyproject.toml"
        own = re.compile(r'^version = ".*"$', re.MULTILINE)
        project.write_text(own.sub(f'version = "{version}"', project.read_text()))
    run(sys.executable, "-m", "build", "--outdir", directory / "dist", source)
    [wheel] = (directory / "dist").glob("*.whl")
    [sdist] = (directory / "dist").glob("*.tar.gz")
    return Distributions(wheel, sdist)


def make_venv(directory: Path, *requirements: str | Path) -> Path:
    """An empty venv with these installed; its `bin` folder."""
    run(sys.executable, "-m", "venv", directory)
    pip = (directory / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "-c", REPOSITORY / "constraints.txt", *requirements)
    return directory / "bin"
