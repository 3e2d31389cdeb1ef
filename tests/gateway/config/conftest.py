"""Fixtures for everything that reads configuration."""

from collections.abc import Callable
from pathlib import Path

import pytest

THIRD_PARTY = Path(__file__).parent / "third_party"
"""An installed package with the venue `acme` and the sink `pigeon`."""


@pytest.fixture(autouse=True)
def _acme_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(THIRD_PARTY))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file, private to us, and give its path."""

    def write_file(text: str, name: str = "gateway.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write_file
