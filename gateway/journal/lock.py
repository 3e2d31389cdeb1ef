"""One gateway per state directory: a lock that dies with its holder."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from gateway.errors import StateDirectoryError

LOCK_NAME: Final = "gateway.lock"

_PID_WIDTH: Final = 10
"""Always the same, so that a pid takes the place of the last one."""

_TRIES: Final = 3
_TRY_EVERY_SECONDS: Final = 0.02


@contextmanager
def hold_state_directory(directory: Path) -> Iterator[None]:
    """Make the directory if needed and hold it. Raises `StateDirectoryError`.

    The lock is the kernel's (flock), not the file's existence, so a killed
    gateway leaves nothing to clean up. The file names the holder for a person.
    """
    descriptor = _open_lock(directory)
    try:
        _take(descriptor, directory)
        # For people only: on a full disk the file stays as it is.
        with suppress(OSError):
            os.pwrite(descriptor, f"{os.getpid():<{_PID_WIDTH}}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _open_lock(directory: Path) -> int:
    try:
        # Events tell what somebody trades: nobody else's business.
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StateDirectoryError(
            f"state directory {directory}: {error.strerror}; make it a directory that this"
            " user can write to, or set state_dir to another"
        ) from error


def _take(descriptor: int, directory: Path) -> None:
    try:
        _lock(descriptor)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        raise StateDirectoryError(
            f"state directory {directory} is in use by another gateway (pid {holder or 'unknown'});"
            " stop it, or give this one a state_dir of its own"
        ) from None
    except OSError as error:
        raise StateDirectoryError(
            f"state directory {directory} cannot be locked: {error.strerror};"
            " use a local file system"
        ) from error


def _lock(descriptor: int) -> None:
    """Take the lock; a command that looks (`is_held`) has it for a moment, a gateway for long."""
    for _ in range(_TRIES - 1):
        with suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(_TRY_EVERY_SECONDS)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_held(directory: Path) -> bool:
    """True while a gateway runs on this state directory."""
    try:
        descriptor = os.open(directory / LOCK_NAME, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
