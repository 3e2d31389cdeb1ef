"""The jsonl sink keeps the promises of every sink, rotating and not."""

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import Sink, SinkContext, SinkOptions
from gateway.contracts.values import Bytes
from gateway.sinks.jsonl import JsonlSettings, open_jsonl
from gateway.sinks.jsonl.rotation import Rotation, rotated_files
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import SinkHarness, SinkSuite


class JsonlHarness:
    """A folder as the peer; broken, a file stands where the folder should be."""

    def __init__(self, folder: Path, rotate: Rotation | None = None) -> None:
        self._folder = folder / "events"
        self._settings = JsonlSettings(path="events/all.jsonl", rotate=rotate, compress=False)
        self._context = SinkContext(
            name="events",
            state_dir=folder,
            options=SinkOptions(type="jsonl"),
            clock=WALL_CLOCK,
            redactor=Redactor(),
        )

    def open(self) -> AbstractAsyncContextManager[Sink]:
        """The sink on that folder."""
        return open_jsonl(self._settings, self._context)

    async def held(self) -> Sequence[str]:
        """Ids of all whole lines, those of rotated files first."""
        path = self._folder / "all.jsonl"
        files = [*rotated_files(path), path]
        lines = b"".join(file.read_bytes() for file in files).split(b"\n")
        assert lines.pop() == b"", "the last line is torn"
        return [json.loads(line)["id"] for line in lines]

    async def break_peer(self) -> None:
        """Put a file in the place of the folder."""
        aside = self._folder.with_name("aside")
        if self._folder.exists():
            self._folder.rename(aside)
        self._folder.touch()

    async def mend_peer(self) -> None:
        """Put the folder back."""
        aside = self._folder.with_name("aside")
        self._folder.unlink()
        if aside.exists():
            aside.rename(self._folder)


class TestJsonl(SinkSuite):
    """`type: jsonl`."""

    @pytest.fixture
    def harness(self, tmp_path: Path) -> SinkHarness:
        """A fresh folder."""
        return JsonlHarness(tmp_path)


class TestRotatingJsonl(SinkSuite):
    """`type: jsonl` with files of 4 KiB."""

    @pytest.fixture
    def harness(self, tmp_path: Path) -> SinkHarness:
        """A fresh folder."""
        return JsonlHarness(tmp_path, Rotation(size=Bytes(4096)))
