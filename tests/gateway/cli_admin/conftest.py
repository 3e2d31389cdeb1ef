"""Commands run in this process against a gateway that runs in a thread."""

import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import structlog
import trio

from gateway.__main__ import main
from gateway.admin.server import open_admin
from gateway.admin.settings import HttpSettings
from gateway.telemetry import logs
from tests.doubles.house import MemoryHouse


class Ran(msgspec.Struct, frozen=True):
    """What a command did."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose state directory is beside it."""
    (tmp_path / "var").mkdir()
    path = tmp_path / "gateway.yaml"
    path.write_text(f"state_dir: {tmp_path}/var\nhttp: null\n", encoding="utf-8")
    return path


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `gateway -c CONFIG …` on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "160")

    def run_command(*arguments: str) -> Ran:
        code = main(["-c", str(config), *arguments])
        told = capsys.readouterr()
        return Ran(code, told.out, told.err)

    return run_command


@pytest.fixture
def house(config: Path) -> Iterator[MemoryHouse]:
    """A running gateway on the state directory of that configuration."""
    logs.configure(stream=io.StringIO())
    serving = threading.Event()
    made: list[MemoryHouse] = []
    stop: list[Callable[[], None]] = []

    async def serve() -> None:
        made.append(MemoryHouse())
        settings = HttpSettings(listen=None)
        async with open_admin(settings, made[0], state_dir=config.parent / "var"):
            token, done = trio.lowlevel.current_trio_token(), trio.Event()
            stop.append(lambda: token.run_sync_soon(done.set))
            serving.set()
            await done.wait()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    assert serving.wait(30)
    yield made[0]
    stop[0]()
    thread.join(30)
    structlog.reset_defaults()
