"""The `parquet` sink: hourly files for analysis, by kind and account.

`staging` keeps what was accepted until its hour is over, `files` writes an hour's files.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import apsw
import msgspec
import trio

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import ACCEPTED, Item, SinkContext, SinkSpec, Verdict
from gateway.errors import ExtraMissing, SinkUnavailable
from gateway.sinks.database_file import describe
from gateway.sinks.extras import load_client, missing_extra
from gateway.sinks.one_thread import OneThread
from gateway.sinks.parquet.files import Files
from gateway.sinks.parquet.staging import Part, Staging, StagingClosed, hour_of
from gateway.telemetry.happenings import Happening, Level

__all__ = ["SINK", "ParquetSettings", "ParquetSink", "open_parquet", "probe_parquet"]

BUSY_SHARE: Final = 0.5
"""Share of the time limit to wait for a program that holds the staging file."""
LOOK_SECONDS: Final = 30.0
"""How often to look whether an hour is over."""
QUIET_SECONDS: Final = 60.0
"""An hour's files are written once nothing came for it for so long."""
ROWS_AT_ONCE: Final = 10_000
"""Events in memory while a file is written; also a row group."""
CLOSE_SECONDS: Final = 2.0
"""How long closing may wait for a disk that hangs."""

DELAYED = Happening(
    "parquet_files_delayed",
    Level.WARNING,
    "An hour's files could not be written; its events stay staged, and it is tried again.",
)


class ParquetSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a `parquet` sink."""

    path: str
    """The folder of the files, relative to `state_dir`."""

    def problems(self) -> list[tuple[str, str]]:
        """Mistakes that no type shows: the key, and what is wrong with it."""
        found = [] if self.path.strip("/. ") else [("path", "must name a folder")]
        return [*missing_extra("pyarrow", extra="parquet"), *found]


class ParquetSink:
    """Stages each batch, and writes the files of hours that are over."""

    def __init__(self, folder: Path, context: SinkContext) -> None:
        self._folder = folder
        self._name = context.name
        self._clock = context.clock
        self._staging = Staging(
            folder,
            include_raw=context.options.include_raw,
            busy_seconds=BUSY_SHARE * context.options.timeout,
        )
        self._files: Files | None = None
        self._last_staged: dict[str, float] = {}
        self._trouble = ""
        # A large file takes longer than a delivery may: each kind of work has its own thread.
        self._delivering = OneThread()
        self._writing = trio.CapacityLimiter(1)

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Stage all of them, or none and raise `SinkUnavailable`."""
        records = [item.record for item in items]
        try:
            hours = await self._delivering.run(self._staging.add, records)
        except (apsw.Error, OSError) as error:
            raise SinkUnavailable(f"{self._staging.path}: {describe(error)}") from error
        self._last_staged |= dict.fromkeys(hours, trio.current_time())
        return [ACCEPTED] * len(items)

    async def run(self) -> None:
        """Write files when their hour is over, until cancelled."""
        while True:
            await self.write_files()
            await trio.sleep(LOOK_SECONDS)

    async def write_files(self) -> None:
        """Write the files of each hour that is over and quiet."""
        try:
            before_hour = hour_of(self._clock.now_ns())
            parts = await trio.to_thread.run_sync(
                self._staging.parts, before_hour, limiter=self._writing, abandon_on_cancel=True
            )
            for part in parts:
                if self._is_quiet(part.hour):
                    # Not abandoned: a second one must not begin while this writes on.
                    await trio.to_thread.run_sync(self._write, part, limiter=self._writing)
            self._trouble = ""
        except StagingClosed:
            pass  # its events are still there
        except Exception as error:  # noqa: BLE001 - whatever it is, the staging has everything
            self._tell(error)

    def stop_writing(self) -> None:
        """Let a file that is being written be; its events are still staged."""
        self._staging.shut()

    async def aclose(self) -> None:
        """Close the staging, unless a hanging disk still holds it."""
        await self._delivering.finish(self._staging.close, CLOSE_SECONDS)

    def _is_quiet(self, hour: str) -> bool:
        last = self._last_staged.get(hour)
        if last is not None and trio.current_time() - last < QUIET_SECONDS:
            return False
        self._last_staged.pop(hour, None)
        return True

    def _write(self, part: Part) -> None:
        if self._files is None:
            self._files = Files(self._folder)
        mark = self._staging.mark()
        self._files.write(part, self._staging.events(part, mark, ROWS_AT_ONCE))
        # Only now: after a crash before this the same file is written again.
        self._staging.drop(part, mark)

    def _tell(self, error: Exception) -> None:
        text = describe(error) if isinstance(error, apsw.Error | OSError) else str(error)
        if text != self._trouble:
            DELAYED.emit(sink=self._name, folder=str(self._folder), error=text)
        self._trouble = text


@asynccontextmanager
async def open_parquet(
    settings: ParquetSettings, context: SinkContext
) -> AsyncIterator[ParquetSink]:
    """Open the sink. The staging is opened by the first delivery."""
    sink = ParquetSink(context.state_dir / settings.path, context)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sink.run, name=f"sink:{context.name}:files")
        try:
            yield sink
        finally:
            sink.stop_writing()
            nursery.cancel_scope.cancel()
            await sink.aclose()


async def probe_parquet(settings: ParquetSettings, context: SinkContext) -> list[ProbeFinding]:
    """Open the staging and the library; no event is written."""
    sink = ParquetSink(context.state_dir / settings.path, context)
    try:
        await trio.to_thread.run_sync(lambda: load_client("pyarrow.parquet", extra="parquet"))
        await sink.deliver([])
    except (ExtraMissing, SinkUnavailable) as error:
        return [ProbeFinding(what="folder", ok=False, detail=str(error))]
    finally:
        await sink.aclose()
    return [ProbeFinding(what="folder", ok=True, detail=str(context.state_dir / settings.path))]


SINK: Final = SinkSpec(
    name="parquet",
    summary="Hourly Parquet files by kind and account, for DuckDB, polars, pandas and Spark.",
    settings=ParquetSettings,
    open=open_parquet,
    probe=probe_parquet,
    writes_to=lambda settings: settings.path,
    extra="parquet",
    guarantees=(
        "An event is accepted once it is fsynced in the staging file, from which the files of an"
        " hour are written whole when that hour is over. Each event is in them once, also after a"
        " crash or a replay; rows stand in order of seq as they came. A reader sees a file whole"
        " or not at all."
    ),
    quick_start="""\
sinks:
  lake:
    type: parquet
    path: lake
    start: earliest
""",
)
