from collections.abc import Callable
from pathlib import Path

import pytest

FRAMES = Path(__file__).parent / "frames"


@pytest.fixture(scope="session")
def frame() -> Callable[[str], str]:
    """The text of a documented frame, by its file's name."""

    def read(name: str) -> str:
        return (FRAMES / f"{name}.json").read_text(encoding="utf-8").strip()

    return read
