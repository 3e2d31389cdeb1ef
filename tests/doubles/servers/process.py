"""A real server on loopback, that a test kills, pauses, and starts again on the same port."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import trio

HOST = "127.0.0.1"
START_SECONDS = 30.0
"""Generous: it only turns a server that does not start into a failure."""
POLL_SECONDS = 0.02


def need(binary: str, package: str) -> str:
    """The path of a program, or a skipped test that says what to install."""
    found = shutil.which(binary, path="/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin")
    if found is None:
        pytest.skip(f"{binary} is not installed (Debian package {package})")
    return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """One server program; it dies with the test run, however that ends."""

    def __init__(
        self,
        command: Callable[[], Sequence[str]],
        folder: Path,
        says: str,
        prefix: Sequence[str] = (),
    ) -> None:
        self._prefix = ["/usr/bin/setpriv", "--pdeathsig", "KILL", *prefix]
        self._command = command
        """Asked anew at each start, so that a test may change the options."""
        self._says = says
        """Stands in the log once it serves."""
        folder.mkdir(exist_ok=True)
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it and return once it serves."""
        self._process = self._spawn()
        await self.wait_log(self._says)

    async def wait_log(self, text: str) -> None:
        """Return once the server has said this."""
        assert self._process is not None
        with trio.move_on_after(START_SECONDS):
            while self._process.poll() is None:
                if text in self._log.read_text(errors="replace"):
                    return
                await trio.sleep(POLL_SECONDS)
        self.kill()
        raise RuntimeError(f"no server: {self._log.read_text(errors='replace')[-2000:]}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [*self._prefix, *self._command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End it at once, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.poll() is None

    def pause(self) -> None:
        """It keeps its sockets and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def resume(self) -> None:
        """It goes on where it was."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
