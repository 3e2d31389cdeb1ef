"""One gateway per state directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from gateway.errors import ExitCode, StateDirectoryError
from gateway.journal.lock import LOCK_NAME, hold_state_directory, is_held
from tests.gateway.journal.conftest import OpenAt

HOLD = """
import sys
from pathlib import Path
from gateway.journal.lock import hold_state_directory
with hold_state_directory(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_gateway_is_told_the_first_ones_pid(tmp_path: Path, open_at: OpenAt):
    """Opening a held state directory fails with exit code 73, naming the holder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "state")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path.cwd(),
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert is_held(tmp_path / "state")
        with pytest.raises(StateDirectoryError, match=f"pid {other.pid}") as caught:
            trio.run(open_and_close, open_at)
        other.kill()

    assert caught.value.exit_code is ExitCode.STATE_DIRECTORY
    trio.run(open_and_close, open_at)


async def open_and_close(open_at: OpenAt) -> None:
    """Start and stop."""
    async with open_at():
        pass


def test_the_lock_ends_with_its_holder(tmp_path: Path):
    """After release nothing has to be cleaned up."""
    with hold_state_directory(tmp_path):
        pass

    assert not is_held(tmp_path)
    with hold_state_directory(tmp_path):
        assert is_held(tmp_path)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_an_unusable_directory_is_named(tmp_path: Path, place: str):
    """A state directory that cannot be made fails with what to do about it."""
    (tmp_path / "file").touch()

    with pytest.raises(StateDirectoryError, match="set state_dir to another"):
        hold_state_directory(tmp_path / place).__enter__()


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write anywhere")
def test_a_directory_of_somebody_else_is_named(tmp_path: Path):
    """A state directory without write permission fails with what to do about it."""
    tmp_path.chmod(0o500)

    with pytest.raises(StateDirectoryError, match="this user can write to"):
        hold_state_directory(tmp_path).__enter__()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_keeps_no_gateway_from_its_lock(tmp_path: Path):
    """The pid is for people: where there is no space for it, the lock holds all the same."""
    (tmp_path / LOCK_NAME).symlink_to("/dev/full")

    with hold_state_directory(tmp_path):
        assert is_held(tmp_path)
