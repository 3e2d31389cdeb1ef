"""Disk blocks kept aside, so that the last words can be written on a full disk."""

import os
from pathlib import Path


class Reserve:
    """A file of real blocks. Releasing it makes room; making it proves that there is room."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    def make(self) -> bool:
        """Allocate the blocks; True when they are there."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(descriptor, 0, self._size)
        except OSError:
            # A part of it would only take away what others could use.
            self.release()
            return False
        else:
            return True
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Give the blocks back to whoever writes next."""
        self._path.unlink(missing_ok=True)
