"""Row 20: broken configuration files, through the commands a person uses."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.__main__ import main
from tests.scenarios.results import Results

CONFIGURATION = 78
ROOM = Path(__file__).parents[1] / "gateway/config"
THIRD_PARTY = ROOM / "third_party"
"""An installed package whose venue and sink stand in some of the files."""
BROKEN: list[dict[str, Any]] = yaml.safe_load((ROOM / "broken.yaml").read_text(encoding="utf-8"))
"""What each is to say, word by word, is proven where the files lie."""
PROCESSES = 3
"""So many of them go through `gateway run` in a process of its own."""


def test_every_mistake_is_told_by_the_command(
    tmp_path: Path,
    results: Results,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """`gateway check` exits 78 and tells each mistake with line and column, and no secret."""
    monkeypatch.syspath_prepend(str(THIRD_PARTY))
    told = 0
    for number, case in enumerate(BROKEN):
        path = tmp_path / f"{number}.yaml"
        path.write_text(case["text"], encoding="utf-8")
        with pytest.raises(SystemExit) as ended:
            main(["-c", str(path), "check"])
        said = capsys.readouterr().err.splitlines()
        assert ended.value.code == CONFIGURATION, case["name"]
        mistakes = [line for line in said if not line.startswith("warning: ")]
        assert len(mistakes) == len(case["expect"]), case["name"]
        assert all(line.startswith(f"{path}:") for line in mistakes)
        assert "Traceback" not in "".join(said)
        assert "hunter2" not in "".join(said)
        told += len(mistakes)

    assert len(BROKEN) >= 80
    results.note(
        20, "broken configuration files", "short", files=len(BROKEN), mistakes_told=told,
        exit_code=CONFIGURATION, tracebacks=0,
    )  # fmt: skip


@pytest.mark.parametrize("case", BROKEN[:: len(BROKEN) // PROCESSES], ids=lambda case: case["name"])
def test_the_daemon_does_not_start_with_a_broken_file(case: dict[str, Any], tmp_path: Path):
    """`gateway run` ends with 78 before it touches the state directory."""
    path = tmp_path / "gateway.yaml"
    path.write_text(case["text"], encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "gateway", "-c", str(path), "run"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(THIRD_PARTY)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == CONFIGURATION
    assert str(path) in done.stderr
    assert "Traceback" not in done.stderr
    assert [path] == list(tmp_path.iterdir())
