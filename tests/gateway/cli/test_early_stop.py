"""`gateway run`, told to stop before it has opened anything."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

DEADLINE_SECONDS = 30


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal by now."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(mask.split()[1], 16) & 1 << (number - 1))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_while_it_still_imports(
    number: int, write: Callable[..., Path], tmp_path: Path
) -> None:
    """Is an orderly one: exit 0, and no journal was made."""
    path = write(f"state_dir: {tmp_path}/state\nhttp: null\n")
    command = [sys.executable, "-m", "gateway", "-c", str(path), "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        deadline = time.monotonic() + DEADLINE_SECONDS
        # Python itself catches SIGINT from its first moment on; SIGTERM is only ours.
        while not catches(process.pid, signal.SIGTERM) and time.monotonic() < deadline:
            time.sleep(0.001)
        process.send_signal(number)
        said, _ = process.communicate(timeout=DEADLINE_SECONDS)

    assert (0, b"") == (process.returncode, said)
    assert not (tmp_path / "state").exists()
