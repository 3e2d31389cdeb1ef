"""Wall clocks of daemons that are set by a test; their timers stay in real time."""

from pathlib import Path
from typing import Final

import pytest

_LIBRARIES: Final = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))

needs_faketime = pytest.mark.skipif(
    not _LIBRARIES, reason="needs libfaketime (Debian package faketime)"
)


def environment_of(dial: Path) -> dict[str, str]:
    """For a daemon whose clock follows the dial."""
    return {
        "LD_PRELOAD": str(_LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(dial),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def turn(dial: Path, offset_seconds: int) -> None:
    """Set the clock; whole or not at all, since it is read all the time."""
    new = dial.with_suffix(".new")
    new.write_text(f"{offset_seconds:+d}\n")
    new.rename(dial)
