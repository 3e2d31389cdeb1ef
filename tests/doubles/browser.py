"""A headless Chromium, driven by the DevTools protocol."""

import base64
import itertools
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio
from trio_websocket import WebSocketConnection, open_websocket_url

from tests.doubles.http_client import connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
"""None where it is not installed: tests then say so and are skipped."""

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0",
    "--remote-allow-origins=*", "about:blank",
)  # fmt: skip


class Tab:
    """One page in the browser."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        """What the console reported: errors of scripts, refusals by the policy."""
        self.requests: list[str] = []
        """Every URL that the page asked for."""

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its answer."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        await self._socket.send_message(msgspec.json.encode(message).decode())
        while True:
            told = msgspec.json.decode(await self._socket.get_message())
            if told.get("id") == number:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result
            self._note(told)

    async def open(self, url: str, width: int = 1280, height: int = 900) -> None:
        """Load a page in a window of that size."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.send(f"{domain}.enable")
        await self.resize(width, height)
        await self.send("Page.navigate", url=url)

    async def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """Another window, another taste."""
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])

    async def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        told = await self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def wait_for(self, script: str, seconds: float = 30) -> None:
        """Wait until a JavaScript expression is true."""
        with trio.fail_after(seconds):
            while not await self.evaluate(f"!!({script})"):  # noqa: ASYNC110 - a file - nobody rings
                await trio.sleep(0.05)

    async def screenshot(self, path: Path) -> None:
        """What a person would see."""
        told = await self.send("Page.captureScreenshot", format="png")
        await trio.Path(path).write_bytes(base64.b64decode(told["data"]))

    def _note(self, told: dict[str, Any]) -> None:
        match told.get("method"):
            case "Log.entryAdded":
                self.complaints.append(told["params"]["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(told["params"]["exceptionDetails"]))
            case "Network.requestWillBeSent":
                self.requests.append(told["params"]["request"]["url"])


@asynccontextmanager
async def open_browser() -> AsyncIterator[Tab]:
    """A browser with one tab, in a profile of its own."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, *_FLAGS[:-1], f"--user-data-dir={profile}", _FLAGS[-1]]
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(
                partial(
                    trio.run_process,
                    command,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=False,
                )
            )
            async with open_websocket_url(
                await _tab_url(Path(profile)), max_message_size=2**26
            ) as ws:
                yield Tab(ws)
            process.terminate()


async def _tab_url(profile: Path) -> str:
    port_file = trio.Path(profile, "DevToolsActivePort")
    with trio.fail_after(60):  # Chromium writes the file when it listens
        while not await port_file.exists() or "\n" not in await port_file.read_text():  # noqa: ASYNC110 (another process)
            await trio.sleep(0.05)
    port = int((await port_file.read_text()).split("\n")[0])
    async with connect(f"http://127.0.0.1:{port}") as client:
        tabs = (await client.ask("/json/list")).json()
    tab = next(each for each in tabs if each["type"] == "page")
    return f"ws://127.0.0.1:{port}/devtools/page/{tab['id']}"
