"""The rig in virtual time: venues, adapters, sockets and accounts in one Trio loop.

Where the daemon's process, disk and sinks do not matter, hours pass in seconds:
everything is real (the sockets too, on loopback) but the clock and the journal,
which is in memory. The oracle judges it as it judges the daemon.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import trio
import trio.testing

from adapters.fmex.adapter import PerpetualAdapter
from adapters.lbank.adapter import SpotAdapter, Surroundings
from gateway import registry
from gateway.accounts import Roster, open_roster
from gateway.config import load_config
from gateway.contracts.adapter import Adapter, AdapterContext, ConfiguredAccount
from gateway.simulator import Scenario, Simulator, load_dialect, open_simulator
from gateway.simulator.steps import AnyStep, Rate
from gateway.telemetry.metrics import Metrics
from gateway.wire.limits import HostGate
from gateway.wire.rest import Answer, RestClient
from gateway.wire.websocket import Received, WebSocket, open_websocket
from tests.doubles.clocks import TrioWallClock
from tests.doubles.journal import MemoryJournal
from tests.scenarios.oracle import CHECKED, Delivered, Verdict, judge

PATIENCE_SECONDS = 5.0
"""Between two looks at whether all is told."""

REAL_PAUSE_SECONDS = 0.001
"""So long the loop must be idle before time jumps: what was sent on loopback has
arrived long before."""

CONFIG = """\
state_dir: {state}
http: null
defaults: {{lbank: {{recovery: {{every: {check}}}}}, fmex: {{recovery: {{every: {check}}}}}}}
sinks: {{events: {{type: jsonl, path: events.jsonl}}}}
accounts:
"""


class _Stamped:
    """A socket whose frames are stamped by the virtual clock."""

    def __init__(self, socket: WebSocket, clock: TrioWallClock) -> None:
        self._socket = socket
        self._clock = clock

    async def receive(self) -> Received:
        received = await self._socket.receive()
        return Received(received.frames, self._clock.now_ns())

    async def send(self, text: str) -> None:
        await self._socket.send(text)


class _Noted:
    """A REST client that notes when it was asked for what."""

    def __init__(self, rest: RestClient, note: Callable[[str], None]) -> None:
        self._rest = rest
        self._note = note
        self.close_idle = rest.close_idle
        self.aclose = rest.aclose

    async def request(self, method: str, path: str, **options: Any) -> Answer:
        self._note(path)
        return await self._rest.request(method, path, **options)


class VirtualRig:
    """Venues and running accounts, and what the journal holds."""

    def __init__(self, directory: Path, check: str) -> None:
        self.directory = directory
        self.check = check
        self.journal = MemoryJournal()
        self.clock = TrioWallClock()
        self.metrics = Metrics()
        self.gate = HostGate()
        self.venues: dict[str, Simulator] = {}
        self.accounts: dict[str, tuple[Simulator, int]] = {}
        self.patches: dict[str, str] = {}
        """More options of an account, as YAML lines to be added."""
        self.roster: Roster
        self.asked: list[tuple[float, str, str]] = []
        """Every REST request: Trio's time, account and path."""
        self._decoded: list[Delivered] = []

    # --- running ------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Roster]:
        """Run every account until the block ends; may be entered again, as after a restart."""
        opening: AbstractAsyncContextManager[Roster] = open_roster(
            journal=self.journal,  # type: ignore[arg-type] # the double has the same methods
            clock=self.clock,
            metrics=self.metrics,
            connect_gate=self.gate,
        )
        async with opening as self.roster:
            await self.roster.reconfigure(self.configured())
            yield self.roster

    def configured(self) -> dict[str, ConfiguredAccount]:
        """Every account, read from YAML as the daemon reads it."""
        text = CONFIG.format(state=self.directory / "state", check=self.check)
        for name, (venue, index) in self.accounts.items():
            text += venue.configuration(name, index) + self.patches.get(name, "")
        path = self.directory / "gateway.yaml"
        path.write_text(text)
        return {
            name: msgspec.structs.replace(
                each, spec=msgspec.structs.replace(each.spec, open=self._open_adapter)
            )
            for name, each in load_config(path).accounts.items()
        }

    def _open_adapter(self, settings: Any, context: AdapterContext) -> Adapter:
        client = RestClient(settings.endpoints.rest, clock=context.clock)
        rest = _Noted(
            client, lambda path: self.asked.append((trio.current_time(), context.account, path))
        )
        dial = self._open_websocket
        if self.accounts[context.account][0] is self.venues.get("fmex"):
            return PerpetualAdapter(settings, context, open_websocket=dial, rest=rest)
        outside = Surroundings(open_websocket=dial, rest=rest, elapsed=trio.current_time)
        return SpotAdapter(settings, context, outside)

    @asynccontextmanager
    async def _open_websocket(self, url: str, **options: Any) -> AsyncIterator[WebSocket]:
        async with open_websocket(url, **options) as socket:
            yield _Stamped(socket, self.clock)

    # --- the venues -----------------------------------------------------------------

    def do(self, step: AnyStep) -> None:
        """Perform a step at every venue."""
        for venue in self.venues.values():
            venue.do(step)

    def set_rate(self, per_second: float) -> None:
        """How lively every market is, per account."""
        self.do(Rate(per_second=per_second))

    def struck(self, name: str) -> int:
        """How often a fault met something, at all venues together."""
        return sum(venue.faults.struck[name] for venue in self.venues.values())

    # --- waiting --------------------------------------------------------------------

    async def wait_until(self, condition: Any, seconds: float = 300, what: str = "") -> float:
        """Wait for a condition in virtual time; gives how long it took."""
        began = trio.current_time()
        with trio.move_on_after(seconds):
            while not condition():  # noqa: ASYNC110 # what is awaited has no single event
                await trio.sleep(0.25)
            return trio.current_time() - began
        raise AssertionError(f"not within {seconds:g} s: {what}: {self.describe()}")

    async def wait_live(self, seconds: float = 900) -> float:
        """Until every account is live, no gap is open, the first snapshot read."""
        return await self.wait_until(self.all_live, seconds, "all live")

    async def wait_quiet(self, seconds: float = 900) -> None:
        """Until the markets stand still and everything that is true was told."""
        self.set_rate(0)
        await trio.sleep(PATIENCE_SECONDS)
        with trio.move_on_after(seconds):
            # Asking the oracle costs real time, of which virtual time knows nothing.
            while not self._told():  # noqa: ASYNC110 # as above
                await trio.sleep(PATIENCE_SECONDS)
            return
        raise AssertionError(f"not quiet within {seconds:g} s: {self.describe()}")

    def _told(self) -> bool:
        return self.all_live() and not self.judge().missing

    def all_live(self) -> bool:
        """As `wait_live` awaits."""
        states = self.roster.status()
        return len(states) == len(self.accounts) and all(
            each.state == "live" and not each.gaps.open and each.last_agreement
            for each in states.values()
        )

    def describe(self) -> str:
        """For messages."""
        found = {
            name: (str(each.state), each.gaps.open, each.detail)
            for name, each in self.roster.status().items()
        }
        return f"{found}; missing: {self.judge().missing[:5]}"

    # --- what came of it --------------------------------------------------------------

    def delivered(self) -> list[Delivered]:
        """What a sink would hold."""
        for seq in range(len(self._decoded) + 1, self.journal.last_seq + 1):
            record = self.journal.records[seq]
            self._decoded.append(msgspec.json.decode(record.native(include_raw=False)))
        return list(self._decoded)

    def streams(self, account: str, status: str | None = None) -> list[dict[str, Any]]:
        """The stream events of an account, of one status if asked."""
        return [
            event["stream"]
            for event in self.delivered()
            if event["kind"] == "stream"
            and event["account"] == account
            and status in (None, event["stream"]["status"])
        ]

    def reasons(self, account: str, status: str = "gap_opened") -> list[str]:
        """Why gaps (or others) were declared."""
        return [stream["reason"] for stream in self.streams(account, status)]

    def judge(self, checked: timedelta = CHECKED) -> Verdict:
        """Ask the oracle."""
        truths = {name: (venue.truth, index) for name, (venue, index) in self.accounts.items()}
        return judge(self.delivered(), truths, checked=checked)


@asynccontextmanager
async def open_virtual_rig(
    directory: Path,
    *,
    accounts: int = 1,
    seed: int = 1,
    switches: Mapping[str, Mapping[str, Any]] | None = None,
    venues: tuple[str, ...] = ("lbank", "fmex"),
    check: str = "60s",
    **scenario: Any,
) -> AsyncIterator[VirtualRig]:
    """Open the venues, at a standstill; the accounts are not started.

    The test must run on `autojump_clock`. `check` is `recovery.every`.
    """
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, trio.testing.MockClock), "ask for the fixture autojump_clock"
    clock.autojump_threshold = REAL_PAUSE_SECONDS
    rig = VirtualRig(directory, check)
    async with AsyncExitStack() as stack:
        for name in venues:
            wanted = Scenario(
                seed=seed,
                accounts=accounts,
                rate=0,
                switches=dict((switches or {}).get(name, {})),
                **scenario,
            )
            dialect = load_dialect(registry.find_venue(name))
            venue = await stack.enter_async_context(
                open_simulator(dialect, scenario=wanted, clock=rig.clock)
            )
            rig.venues[name] = venue
            for index in range(accounts):
                rig.accounts[f"{name}-{index + 1}"] = (venue, index)
        yield rig
