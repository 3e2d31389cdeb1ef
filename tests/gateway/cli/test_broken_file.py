"""Commands that speak to a running gateway, while somebody has broken its file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., Path]
Run = Callable[..., Any]


@pytest.mark.parametrize(
    "broken",
    [
        "state_dir: {dir}\nnmae: x\n",
        "name: x\nstate_dir: {dir}  # beside the disk\naccounts: [\n",
        "state_dir: '{dir}'\naccounts: {{a: 1\n",
    ],
)
def test_it_is_sought_where_it_runs(broken: str, write: Write, tmp_path: Path, run: Run) -> None:
    """Its state directory is found in a file that is wrong, even in one that is no YAML."""
    outcome = run("-c", write(broken.format(dir=tmp_path / "state")), "reload")

    assert f"nobody listens on {tmp_path}/state/control.sock" in outcome.err


def test_without_the_line_it_is_the_default(
    write: Write, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a file that names none."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "default"))

    outcome = run("-c", write("accounts: [\n"), "status")

    assert (2, True) == (outcome.code, f"{tmp_path}/default/control.sock" in outcome.err)
