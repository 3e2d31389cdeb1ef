"""Memory in holes goes back to the system."""

import subprocess
import sys

import pytest

from gateway.heap import find_trim

HOLES = """
from pathlib import Path
from gateway.heap import find_trim

def resident_mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

pieces = [bytes(1_000 + number % 200) for number in range(100_000)]
kept = pieces[::50]
del pieces
before = resident_mib()
find_trim()()
print(before - resident_mib())
"""


@pytest.mark.skipif(find_trim() is None, reason="this C library has no malloc_trim")
def test_holes_in_the_heap_are_given_back():
    """Of 100 MiB in small pieces, of which one in fifty stays, most is given back."""
    done = subprocess.run(
        [sys.executable, "-c", HOLES], capture_output=True, text=True, check=True, timeout=60
    )

    assert float(done.stdout) > 50
