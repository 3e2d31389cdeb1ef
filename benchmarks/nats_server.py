"""The NATS server that a benchmark starts, and what it says of itself."""

import json
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from subprocess import DEVNULL, Popen
from typing import Any

from benchmarks.processes import wait_until


class NatsProcess:
    """`nats-server` with JetStream on disk, and its monitoring port."""

    def __init__(self, pid: int, port: int, monitoring_port: int) -> None:
        self.pid = pid
        self.address = f"127.0.0.1:{port}"
        self._monitoring = f"http://127.0.0.1:{monitoring_port}"

    def traffic_bytes(self) -> int:
        """What clients sent and were sent so far."""
        varz = self.ask("/varz")
        return int(varz["in_bytes"]) + int(varz["out_bytes"])

    def log_size(self) -> tuple[int, int]:
        """Messages and bytes of the shared log."""
        account = self.ask("/jsz?streams=true")["account_details"][0]
        states = [one["state"] for one in account["stream_detail"] if one["name"] == "gateway-log"]
        return int(states[0]["messages"]), int(states[0]["bytes"])

    def ask(self, path: str) -> Any:
        """The JSON of a monitoring page."""
        with urllib.request.urlopen(self._monitoring + path, timeout=10) as answer:
            return json.load(answer)


@contextmanager
def open_nats(folder: Path) -> Iterator[NatsProcess]:
    """A server that answers; killed at the end."""
    binary = which("nats-server", path="/usr/local/bin:/usr/bin:/usr/sbin")
    assert binary is not None, "nats-server is not installed (Debian package nats-server)"
    port, monitoring_port = _free_port(), _free_port()
    config = folder / "nats.conf"
    config.write_text(
        json.dumps(
            {
                "listen": f"127.0.0.1:{port}",
                "http": f"127.0.0.1:{monitoring_port}",
                "jetstream": {"store_dir": str(folder / "nats")},
            }
        )
    )
    with Popen([binary, "-c", str(config)], stdout=DEVNULL, stderr=DEVNULL) as process:
        server = NatsProcess(process.pid, port, monitoring_port)
        try:
            wait_until(lambda: _answers(server), "nats-server")
            yield server
        finally:
            process.kill()


def _answers(server: NatsProcess) -> bool:
    try:
        return bool(server.ask("/varz"))
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
