"""The floors of the house, as `make check` sees them."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LINTER = Path(sys.executable).with_name("lint-imports")


@pytest.mark.skipif(not LINTER.exists(), reason="import-linter comes with the extra `check`")
def test_imports_only_go_down() -> None:
    """Each module stands on its floor; a new one must be given a floor."""
    done = subprocess.run(
        [str(LINTER), "--no-cache"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
