"""The console sink keeps the promises of every sink, on a pipe."""

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import Sink, SinkContext, SinkOptions
from gateway.sinks.console import ConsoleSettings, open_console
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import DEADLINE_SECONDS, SinkHarness, SinkSuite


class PipeReader:
    """Somebody who reads a pipe to its end."""

    def __init__(self, descriptor: int) -> None:
        self.text = b""
        self._descriptor = descriptor
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while chunk := os.read(self._descriptor, 1 << 16):
            self.text += chunk
        os.close(self._descriptor)

    def join(self) -> None:
        """Wait for the end; all writers must have closed."""
        self._thread.join(DEADLINE_SECONDS)
        assert not self._thread.is_alive()


class ConsoleHarness:
    """A pipe with a reader as the peer; broken, the reader is gone."""

    def __init__(self, state_dir: Path) -> None:
        self._read = b""
        reading, self._descriptor = os.pipe()
        self._reader: PipeReader | None = PipeReader(reading)
        self._context = SinkContext(
            name="screen",
            state_dir=state_dir,
            options=SinkOptions(type="console"),
            clock=WALL_CLOCK,
            redactor=Redactor(),
        )

    def open(self) -> AbstractAsyncContextManager[Sink]:
        """The sink on the pipe."""
        settings = ConsoleSettings(style="json")
        return open_console(settings, self._context, descriptor=self._descriptor)

    async def held(self) -> Sequence[str]:
        """Ids of the lines read; a line that was cut begins anew on the next."""
        await self._swap_pipe(broken=False)
        return [found for line in self._read.split(b"\n") if (found := whole_id(line))]

    async def break_peer(self) -> None:
        """Close the reading end."""
        await self._swap_pipe(broken=True)

    async def mend_peer(self) -> None:
        """A new reader on the same descriptor."""
        await self._swap_pipe(broken=False)

    async def _swap_pipe(self, *, broken: bool) -> None:
        reading, writing = os.pipe()
        os.dup2(writing, self._descriptor)  # closes what was there: its reader sees the end
        os.close(writing)
        if self._reader is not None:
            await trio.to_thread.run_sync(self._reader.join)
            self._read += self._reader.text
            self._reader = None
        if broken:
            os.close(reading)
        else:
            self._reader = PipeReader(reading)

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._descriptor)
        if self._reader is not None:
            self._reader.join()


def whole_id(line: bytes) -> str | None:
    """The id of a line, or None where it is empty or was cut."""
    try:
        return str(json.loads(line)["id"])
    except ValueError:
        return None


class TestConsole(SinkSuite):
    """`type: console`."""

    @pytest.fixture
    def harness(self, tmp_path: Path) -> Iterator[SinkHarness]:
        """A fresh pipe."""
        harness = ConsoleHarness(tmp_path)
        yield harness
        harness.close()
