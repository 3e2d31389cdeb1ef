"""The rig: pretend venues in this process, the real daemon in another.

A scenario starts it, does its worst, and asks the oracle. Nothing here sleeps for
a fixed time: it waits for conditions, each with a generous deadline.
"""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import trio

from gateway import registry
from gateway.admin.client import ControlClient, NotRunning
from gateway.simulator import Scenario, Simulator, load_dialect, open_simulator
from gateway.simulator.truth import MAX_FACTS
from tests.scenarios.eventfile import EventFile
from tests.scenarios.oracle import Delivered, Verdict, judge

READY_SECONDS = 30.0
POLL_SECONDS = 0.02


async def wait_until(
    condition: Callable[[], bool],
    seconds: float = 30,
    what: str | Callable[[], str] = "",
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Wait for a condition about another process, which no event of ours can announce.

    `what` names it in the failure; a function is asked then, and not before.
    """
    with trio.move_on_after(seconds):
        while not condition():  # noqa: ASYNC110 # another process sets no event of ours
            await trio.sleep(poll_seconds)
        return
    lacking = what() if callable(what) else what
    raise AssertionError(f"not within {seconds:g} s: {lacking or condition}")


class Daemon:
    """`gateway run` in a process of its own, restarted as often as a scenario likes."""

    def __init__(self, config: Path, state_dir: Path) -> None:
        self.config = config
        self.state_dir = state_dir
        self.log = config.with_suffix(".log")
        self.starts = 0
        self.prefix: tuple[str, ...] = ()
        """Put before the command, for strace or faketime."""
        self.environment: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running daemon."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Start the process; it is not ready yet."""
        self.starts += 1
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "gateway", "run", "-c", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | self.environment,
                cwd=self.config.parent,
            )

    async def start(self) -> None:
        """Start it, and wait until it is journalling."""
        self.launch()
        await self.wait_ready()

    async def wait_ready(self) -> None:
        """Wait until `/readyz` would answer 200."""
        await wait_until(self.is_ready, READY_SECONDS, lambda: f"ready: {self.tail_of_log()}")

    def is_ready(self) -> bool:
        """Ask over control.sock. A daemon that ended is a failure, not a wait."""
        assert self.running, f"the daemon ended: {self.tail_of_log()}"
        try:
            return bool(self.status()["gateway"]["ready"])
        except NotRunning:
            return False

    def status(self) -> dict[str, Any]:
        """The model of `gateway status --json`."""
        return ControlClient(self.state_dir).get("/api/v1/status", dict[str, Any])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def wait_ended(self, seconds: float = 30) -> int:
        """Wait for the process to end; its exit code."""
        await wait_until(lambda: not self.running, seconds, "the daemon's end")
        assert self._process is not None
        return self._process.wait()

    async def kill(self) -> None:
        """SIGKILL: no goodbye, no fsync."""
        self.signal(signal.SIGKILL)
        await self.wait_ended()

    async def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.signal(signal.SIGTERM)
        return await self.wait_ended()

    def tail_of_log(self, lines: int = 8) -> str:
        """The end of its log, for messages."""
        if not self.log.exists():
            return ""
        return " | ".join(self.log.read_text(errors="replace").splitlines()[-lines:])


Origin = tuple[Literal["http", "https"], str]
"""Scheme, and host with port."""


class Rig:
    """Venues, daemon, and what its `jsonl` sink holds."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state_dir = directory / "state"
        self.daemon = Daemon(directory / "gateway.yaml", self.state_dir)
        self.venues: dict[str, Simulator] = {}
        self.accounts: dict[str, tuple[Simulator, int]] = {}
        self.sinks: dict[str, str] = {
            "events": "{type: jsonl, path: events.jsonl, start: earliest}"
        }
        self.settings: dict[str, str] = {}
        """More top-level sections, as YAML text."""
        self.patches: dict[str, str] = {}
        """More options of an account, as YAML lines to be added."""
        self.origins: dict[str, Origin] = {}
        """Where an account finds its venue, if not where that listens by itself."""
        self._file = EventFile()
        self._judged_seq = 0

    def write_config(self) -> None:
        """Write gateway.yaml for the venues as they are now."""
        lines = [
            "name: rig",
            f"state_dir: {self.state_dir}",
            "http: null",
            *(f"{name}: {text}" for name, text in self.settings.items()),
            "sinks:",
            *(f"  {name}: {text}" for name, text in self.sinks.items()),
            "accounts:",
        ]
        text = "\n".join(lines) + "\n"
        for name, (venue, index) in self.accounts.items():
            text += self._account(name, venue, index) + self.patches.get(name, "")
        self.daemon.config.write_text(text)

    def _account(self, name: str, venue: Simulator, index: int) -> str:
        origin = self.origins.get(name)
        if origin is None:
            return venue.configuration(name, index)
        http, host = origin
        rest, stream = f"{http}://{host}", f"{http.replace('http', 'ws')}://{host}"
        return venue.venue.configuration(name, index, rest, stream + venue.websocket_path)

    @property
    def events_path(self) -> Path:
        """Where the `jsonl` sink writes."""
        return self.state_dir / "events.jsonl"

    def delivered(self) -> list[Delivered]:
        """What the `jsonl` sink holds, whole lines only."""
        return self._file.read(self.events_path)

    def streams(self, account: str) -> list[dict[str, Any]]:
        """The delivered stream events of an account."""
        return [
            event["stream"]
            for event in self.delivered()
            if event["kind"] == "stream" and event["account"] == account
        ]

    def judge(self) -> Verdict:
        """Ask the oracle."""
        for venue in self.venues.values():
            assert len(venue.truth.facts) < MAX_FACTS, "the truth was forgotten: turn pages"
        truths = {name: (venue.truth, index) for name, (venue, index) in self.accounts.items()}
        return judge(self.delivered(), truths, self._judged_seq)

    async def turn_page(self, seconds: float = 60) -> Verdict:
        """Come to rest, judge what happened since the last page, and forget it.

        Runs of hours do so now and then: all that happens in them fits no memory.
        """
        await self.wait_quiet(seconds)
        verdict = await trio.to_thread.run_sync(self.judge)
        verdict.assert_kept()
        self._judged_seq = max(event["seq"] for event in self.delivered())
        self._file.turn_page()
        for venue in self.venues.values():
            venue.truth.facts.clear()
            venue.truth.deliveries.clear()
        return verdict

    async def wait_live(self, seconds: float = 30) -> None:
        """Until every account is live and no gap is open."""
        await wait_until(self.all_live, seconds, lambda: f"all live: {self.daemon.tail_of_log()}")

    def all_live(self) -> bool:
        """Every account live, no gap open, the first snapshot read."""
        accounts = self.daemon.status()["accounts"]
        return len(accounts) == len(self.accounts) and all(
            each["state"] == "live" and not each["gaps"]["open"] and each["last_agreement"]
            for each in accounts.values()
        )

    async def wait_quiet(self, seconds: float = 60) -> None:
        """Until the markets stand still and every sink has everything."""
        for venue in self.venues.values():
            venue.do(_rate(0))
        await self.wait_live(seconds)
        lacking = ["the first look"]
        with trio.move_on_after(seconds):
            while lacking := await self._lacking():  # noqa: ASYNC110 # as in `wait_until`
                await trio.sleep(POLL_SECONDS)
        assert not lacking, f"not within {seconds:g} s: {lacking}"

    async def _lacking(self) -> list[str]:
        """Sinks that have not everything yet; else what no event tells yet."""
        if waiting := self._waiting():
            return waiting
        # In a thread: a long run takes long to judge, and the venues must go on answering.
        verdict = await trio.to_thread.run_sync(self.judge)
        # Asked again, since more may have come meanwhile.
        return verdict.missing[:8] or self._waiting()

    def _waiting(self) -> list[str]:
        return [
            f"{sink['pending']} wait for {name}"
            for name, sink in self.daemon.status()["sinks"].items()
            if sink["pending"] and sink["state"] != "stopped"
        ]

    def set_rate(self, per_second: float) -> None:
        """How lively every market is, per account."""
        for venue in self.venues.values():
            venue.do(_rate(per_second))


def _rate(per_second: float):  # a step of the simulator
    from gateway.simulator.steps import Rate

    return Rate(per_second=per_second)


@asynccontextmanager
async def open_rig(
    directory: Path,
    *,
    accounts: int = 2,
    seed: int = 1,
    switches: Mapping[str, Mapping[str, Any]] | None = None,
    venues: tuple[str, ...] = ("lbank", "fmex"),
) -> AsyncIterator[Rig]:
    """Open the venues, at a standstill, and write the configuration; the daemon is not started."""
    rig = Rig(directory)
    async with AsyncExitStack() as stack:
        for name in venues:
            scenario = Scenario(
                seed=seed, accounts=accounts, rate=0, switches=dict((switches or {}).get(name, {}))
            )
            dialect = load_dialect(registry.find_venue(name))
            venue = await stack.enter_async_context(open_simulator(dialect, scenario=scenario))
            rig.venues[name] = venue
            for index in range(accounts):
                rig.accounts[f"{name}-{index + 1}"] = (venue, index)
        rig.write_config()
        try:
            yield rig
        finally:
            if rig.daemon.running:
                rig.daemon.signal(signal.SIGKILL)
                with trio.CancelScope(shield=True):
                    await rig.daemon.wait_ended()
