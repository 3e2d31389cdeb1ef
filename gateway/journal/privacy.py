"""Who may read the state directory's files: as who may enter the directory itself.

Closed to everybody else, as we make it, it holds files for our own user. Opened by an
operator to its group and to nobody beyond (mode 0750, systemd's `StateDirectoryMode=`),
it lets that group read: `gateway tail` works without sudo then, as `control.sock` does.
"""

import stat
from pathlib import Path
from typing import Final

OWN: Final = 0o600
SHARED: Final = 0o640


def file_mode(directory: Path) -> int:
    """The mode of each of our files in it."""
    mode = directory.stat().st_mode
    return SHARED if mode & stat.S_IXGRP and not mode & stat.S_IRWXO else OWN


def settle_modes(directory: Path, lock_name: str) -> None:
    """Give files of earlier starts the mode that holds now."""
    mode = file_mode(directory)
    for path in [*directory.glob("journal.*"), directory / lock_name]:
        if path.is_file() and stat.S_IMODE(path.stat().st_mode) != mode:
            path.chmod(mode)
