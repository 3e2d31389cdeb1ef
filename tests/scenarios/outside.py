"""The daemon seen from outside: what its process holds, what its commands say."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import trio

from gateway.admin.client import ControlClient
from gateway.admin.doors import CONTROL_SOCKET
from gateway.admin.model import ReloadResult
from tests.scenarios.rig import Rig

MIB = 1024 * 1024
ANSWER_SECONDS = 30


class Said(msgspec.Struct, frozen=True):
    """How a command ended."""

    exit_code: int
    out: str
    err: str

    def lines(self) -> list[Any]:
        """Its output, where that is one JSON object a line."""
        return [json.loads(line) for line in self.out.splitlines()]


async def gateway(rig: Rig, *words: str) -> Said:
    """Run ``gateway WORDS -c …`` in a process of its own."""
    done = await trio.run_process(
        [sys.executable, "-m", "gateway", "-c", str(rig.daemon.config), *words],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | rig.daemon.environment,
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


def memory_bytes(pid: int) -> int:
    """What a process holds in memory."""
    return _status_bytes(pid, "VmRSS")


class PeakMemory:
    """The most that a process has held in memory since this was made."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # see proc_pid_clear_refs(5)
        self._before = memory_bytes(pid)

    def grown_mib(self) -> float:
        """What the peak was above the start."""
        return (_status_bytes(self._pid, "VmHWM") - self._before) / MIB


def _status_bytes(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024


def metric(rig: Rig, name: str) -> float:
    """A number without labels, as Prometheus would scrape it over control.sock."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(ANSWER_SECONDS)
        control.connect(str(rig.state_dir / CONTROL_SOCKET))
        control.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: control.recv(1 << 16), b"")).decode()
    [value] = re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(value)


def open_files(pid: int) -> int:
    """How many file descriptors a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def reload(rig: Rig) -> ReloadResult:
    """Order a reload and wait for what came of it. Raises `OrderRefused`."""
    client = ControlClient(rig.state_dir)
    # In a thread: the venues that the daemon says goodbye to live in this one.
    return await trio.to_thread.run_sync(client.post, "/api/v1/reload", ReloadResult)
