"""Disks that fill up and system calls that fail or kill: tmpfs and strace.

What a machine cannot do is a reason to skip, which these fixtures and marks print.
"""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs strace (Debian package strace)"
)
needs_mount = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="needs root to mount a small tmpfs"
)


def strace(trace: Path, calls: str, *options: str) -> tuple[str, ...]:
    """A prefix under which a command is traced, in the process that was started.

    ``-DD`` keeps strace out of the way: the pid and the exit are the command's own. Not
    ``--seccomp-bpf``, though it is quicker: with it strace 6.1 delivers no injected signal.
    """
    return (
        "strace", "-DD", "-f", "-qq", "-o", str(trace),
        "-e", f"trace={calls}", *options, "--",
    )  # fmt: skip


def inject(calls: str, fault: str) -> tuple[str, str]:
    """Options of strace: what happens to which calls."""
    return "-e", f"inject={calls}:{fault}"


@contextmanager
def mounted(place: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own at `place`."""
    place.mkdir(parents=True, exist_ok=True)
    options = f"size={megabytes}m,mode=700"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=False)
    if done.returncode:
        pytest.skip("this machine mounts no tmpfs, not even for root")
    try:
        yield place
    finally:
        # Lazily: whatever a failed test left running must not keep the mount.
        subprocess.run(["umount", "--lazy", place], check=True)


def remount(place: Path, how: str) -> None:
    """Make it ``ro`` or ``rw``; ``ro`` only while nobody writes."""
    subprocess.run(["mount", "-o", f"remount,{how}", place], check=True)


def eat_space(disk: Path, leave_bytes: int = 0) -> Path:
    """Fill the disk to its last blocks with something else, whoever writes beside it."""
    glutton = disk / "glutton"
    block = bytes(os.statvfs(disk).f_frsize)
    with glutton.open("wb", buffering=0) as file:
        try:
            while file.write(block):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        file.truncate(file.tell() - leave_bytes)
    return glutton
