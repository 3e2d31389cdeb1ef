"""The processes that a benchmark starts: pretend venues, the gateway, its rivals."""

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.admin.client import ControlClient, NotRunning
from gateway.admin.doors import CONTROL_SOCKET
from gateway.admin.unix_sockets import connect_to_path

PATIENCE_SECONDS: Final = 300
_POLL_SECONDS: Final = 0.02
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def wait_until(
    condition: Callable[[], bool],
    what: str,
    seconds: float = PATIENCE_SECONDS,
    poll_seconds: float = _POLL_SECONDS,
) -> None:
    """Wait for a condition about another process."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(poll_seconds)


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_bytes(pid: int) -> int:
    """Memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Venue:
    """A pretend venue in a process of its own, its market at a standstill."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        text = ""
        while "\naccounts:\n" not in text:
            line = process.stdout.readline()
            assert line, f"gateway simulate {name} ended"
            text += line
        self.name = name
        self.rest_url = _found(r"REST\s+(\S+)", text)
        self.websocket_url = _found(r"WebSocket\s+(\S+)", text)
        self._process = process

    def read_configuration(self, accounts: int) -> str:
        """The section of `gateway.yaml` that the venue prints."""
        assert self._process.stdout is not None
        text = ""
        while text.count("endpoints:") < accounts:
            text += self._process.stdout.readline()
        return text

    def keys(self, configuration: str) -> list[str]:
        """Key and secret of each account, as `benchmarks.peers` takes them."""
        api_keys = re.findall(r'api_key: "([^"]+)"', configuration)
        secrets = re.findall(r'secret: "([^"]+)"', configuration)
        return [":".join(pair) for pair in zip(api_keys, secrets, strict=True)]

    def blast(self, frames: int, states: int = 1) -> None:
        """Have each connection told so many frames, as fast as it takes them.

        `states` successive ones are about the same order.
        """
        self._ask("POST", "/_sim/do", {"do": "blast", "frames": frames, "states": states})

    def pace(self, frames: int, per_second: float) -> None:
        """Have each connection told so many frames, evenly."""
        step = {"do": "blast", "frames": frames, "per_second": per_second}
        self._ask("POST", "/_sim/do", step)

    def set_rate(self, per_second: float) -> None:
        """Let the market move so often on each account."""
        self._ask("POST", "/_sim/do", {"do": "rate", "per_second": per_second})

    def drop(self) -> None:
        """Cut every socket."""
        self._ask("POST", "/_sim/do", {"do": "drop"})

    def connections(self) -> int:
        """How many sockets are open."""
        return len(self._ask("GET", "/_sim/connections", None))

    def _ask(self, method: str, path: str, body: Any) -> Any:
        connection = http.client.HTTPConnection(self.rest_url.removeprefix("http://"), timeout=60)
        connection.request(method, path, None if body is None else msgspec.json.encode(body))
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data
        connection.close()
        return msgspec.json.decode(data)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, pattern
    return match.group(1)


@contextmanager
def open_process(*command: str, log: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """A child of this interpreter's kind; ended at the end, whatever happened."""
    errors = None if log is None else log.open("ab")
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=errors, text=True
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


@contextmanager
def open_venue(name: str, accounts: int) -> Iterator[Venue]:
    """`gateway simulate`, listening."""
    command = ("-m", "gateway", "simulate", name, "--rate", "0", "--accounts", str(accounts))
    with open_process(*command) as process:
        yield Venue(name, process)


class Gateway:
    """`gateway run` in a process of its own, with one `jsonl` sink."""

    def __init__(self, directory: Path, pid: int) -> None:
        self.pid = pid
        self.events = directory / "state" / "events.jsonl"
        self._control = ControlClient(directory / "state")
        self._socket = directory / "state" / CONTROL_SOCKET

    def status(self) -> dict[str, Any]:
        """The model of `gateway status --json`."""
        return self._control.get("/api/v1/status", dict[str, Any])

    def metric(self, name: str) -> float:
        """The value of a metric that has no labels."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = connect_to_path(self._socket, PATIENCE_SECONDS)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return float(_found(rf"(?m)^{name} (\S+)", text))

    def wait_live(self, accounts: int) -> None:
        """Until every account is live and its first snapshot read."""

        def all_live() -> bool:
            try:
                found = self.status()["accounts"].values()
            except NotRunning:
                return False
            live = [each for each in found if each["state"] == "live" and not each["gaps"]["open"]]
            return len(live) == accounts and all(each["last_agreement"] for each in live)

        # Seldom enough that asking a thousand accounts does not slow them down.
        wait_until(all_live, "every account live", poll_seconds=max(0.02, accounts / 2_000))


def options_added(accounts: str, transport: str) -> str:
    """The accounts with a transport, and without waiting for their turn to connect."""
    options = f"    transport: {transport}\n    connect_rate: 1000\n    venue:"
    return accounts.replace("    venue:", options)


@contextmanager
def open_gateway(directory: Path, accounts: str, transport: str) -> Iterator[Gateway]:
    """Start it on `accounts`, a section of YAML as the venues print it."""
    accounts = options_added(accounts, transport)
    config = directory / "gateway.yaml"
    config.write_text(
        f"name: bench\nstate_dir: {directory / 'state'}\nhttp: null\n"
        "sinks:\n  events: {type: jsonl, path: events.jsonl, start: earliest}\n"
        f"accounts:\n{accounts}"
    )
    command = ("-m", "gateway", "run", "-c", str(config))
    with open_process(*command, log=directory / "gateway.log") as process:
        yield Gateway(directory, process.pid)
