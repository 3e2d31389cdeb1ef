"""Who may read what the journal leaves on disk."""

import stat
from pathlib import Path

import pytest

from tests.gateway.journal.conftest import OpenAt


def modes(directory: Path) -> set[int]:
    """Of all files there."""
    return {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir() if path.is_file()}


@pytest.mark.parametrize(("directory", "files"), [(0o700, 0o600), (0o750, 0o640), (0o755, 0o600)])
async def test_files_are_as_private_as_their_directory(
    tmp_path: Path, open_at: OpenAt, directory: int, files: int
):
    """A directory opened to its group, and to nobody else, lets that group read."""
    state = tmp_path / "state"
    async with open_at():
        pass
    state.chmod(directory)

    async with open_at():
        assert {files} == modes(state)
