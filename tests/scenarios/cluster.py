"""A cluster of daemons and the engine they share, on loopback or in a private network."""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio

from gateway import registry
from gateway.simulator import Scenario, Simulator, load_dialect, open_simulator
from tests.doubles.servers.nats import (
    NODES,
    USER,
    NatsServer,
    open_nats_cluster,
    open_nats_server,
)
from tests.scenarios.cluster_log import NatsSharedLog, SharedLog
from tests.scenarios.oracle import Verdict
from tests.scenarios.private_network import PrivateNetwork
from tests.scenarios.rig import Daemon, _rate, wait_until

PASSWORD = "cluster-password"

VENUES_END, CONSUMER_END = "venues", "consumer"
GATEWAYS = ("gateway-1", "gateway-2", "gateway-3")
ENDS = (*GATEWAYS, *NODES, VENUES_END, CONSUMER_END)
"""Of a private network: every gateway and NATS server has an address of its own."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What a cluster is made of."""

    accounts: int = 3
    """Per venue."""
    seed: int = 1
    replicas: int = 1
    nats_servers: int = 1
    venues: tuple[str, ...] = ("lbank", "fmex")
    options: str = ""
    """More options of every account, as YAML lines."""
    more: str = ""
    """More of the whole configuration, as YAML lines."""


class Meeting(msgspec.Struct, frozen=True, kw_only=True):
    """Where the gateways of a cluster meet: an engine that is up."""

    options: str
    """What `cluster:` says of it, as YAML lines."""
    log: SharedLog
    servers: Sequence[NatsServer] = ()
    """To strike, where it is NATS."""


class Cluster:
    """Daemons by name, venues, and the engine that they share."""

    def __init__(
        self,
        directory: Path,
        shape: Shape,
        meeting: Meeting,
        network: PrivateNetwork | None = None,
    ) -> None:
        self.directory = directory
        self.shape = shape
        self.meeting = meeting
        self.servers = meeting.servers
        self.log = meeting.log
        self.network = network
        self.daemons: dict[str, Daemon] = {}
        self.venues: dict[str, Simulator] = {}
        self.accounts: dict[str, tuple[Simulator, int]] = {}
        self.origins: dict[str, str] = {}
        """Where an account finds its venue, if not where that listens by itself."""

    def add_daemon(self, name: str) -> Daemon:
        """Write a gateway's configuration; it is not started."""
        folder = self.directory / name
        folder.mkdir()
        daemon = Daemon(folder / "gateway.yaml", folder / "state")
        if self.network is not None:
            daemon.prefix = self.network.prefix(name)
        text = f"""\
name: {name}
state_dir: {daemon.state_dir}
http: null
cluster:
  password: {PASSWORD}
  replicas: {self.shape.replicas}
{self.meeting.options}{self.shape.more}accounts:
"""
        daemon.config.write_text(text + "".join(map(self._account, self.accounts)))
        self.daemons[name] = daemon
        return daemon

    def _account(self, name: str) -> str:
        venue, index = self.accounts[name]
        host = self.origins.get(name)
        if host is None:
            text = venue.configuration(name, index)
        else:
            stream = f"ws://{host}{venue.websocket_path}"
            text = venue.venue.configuration(name, index, f"http://{host}", stream)
        return text + self.shape.options

    # --- how it does -----------------------------------------------------------------

    def status(self, asked: Daemon | None = None) -> dict[str, Any]:
        """The cluster, as a daemon that runs sees it."""
        running = asked or next(each for each in self.daemons.values() if each.running)
        return running.status()["cluster"]

    def owned_by(self, name: str, *, asked: Daemon | None = None) -> list[str]:
        """The accounts that a gateway owns, by the notes on the board."""
        owners = self.status(asked)["accounts"]
        return [account for account, one in owners.items() if one["owner"] == name]

    def all_live(self) -> bool:
        """Every account is live where all agree that it is owned; no gap is open, no move begun."""
        live: dict[str, str] = {}
        views: list[dict[str, Any]] = []
        for name, daemon in self.daemons.items():
            if not daemon.running:
                continue
            if not daemon.is_ready():
                return False
            status = daemon.status()
            views.append(status["cluster"])
            for account, one in status["accounts"].items():
                if one["state"] != "live" or one["gaps"]["open"] or account in live:
                    return False  # recovering still, or let go in a moment
                live[account] = name
        return all(
            view["reachable"]
            and all(
                (one := view["accounts"].get(account))
                and one["owner"] == live.get(account)
                and one["successor"] is None
                for account in self.accounts
            )
            for view in views
        )

    def is_spread(self) -> bool:
        """Every daemon owns accounts, and all are live."""
        owners = {one["owner"] for one in self.status()["accounts"].values()}
        return owners == set(self.daemons) and self.all_live()

    async def wait_live(self, seconds: float = 60) -> None:
        """Until every account is live where it belongs."""
        await self.wait(self.all_live, seconds, "all live")

    async def wait_spread(self, seconds: float = 90) -> None:
        """Until every daemon has its share, and all accounts are live."""
        await self.wait(self.is_spread, seconds, "spread")

    async def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait as the rig does; a failure shows how everybody's log ends by then."""
        poll_seconds = max(0.02, len(self.accounts) / 1_000)  # asking costs a gateway time
        try:
            await wait_until(condition, seconds, what, poll_seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.status()}\n{self.tail()}") from None

    def tail(self) -> str:
        """The ends of the logs."""
        return "\n".join(f"{name}: {one.tail_of_log()}" for name, one in self.daemons.items())

    # --- what happens ----------------------------------------------------------------

    async def start(self) -> None:
        """Start every daemon at once, and wait until each has its share."""
        for daemon in self.daemons.values():
            daemon.launch()
        for daemon in self.daemons.values():
            await daemon.wait_ready()
        await self.wait_spread()

    async def operate(self, *command: str) -> str:
        """What an operator's `gateway cluster …` prints, given at the first gateway."""
        config = str(self.daemons[GATEWAYS[0]].config)
        program = [sys.executable, "-m", "gateway", "cluster", *command, "-c", config]
        done = await trio.run_process(
            program, capture_stdout=True, capture_stderr=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def set_rate(self, per_second: float) -> None:
        """How lively every market is, per account."""
        for venue in self.venues.values():
            venue.do(_rate(per_second))

    async def wait_quiet(self, seconds: float = 60) -> None:
        """Until the markets stand still and the shared log has everything."""
        self.set_rate(0)
        await self.wait_live(seconds)
        await self.wait(self._all_told, seconds, "all told")
        missing = ["the first look"]
        with trio.move_on_after(seconds):
            while missing := (await self.judge()).missing[:8]:  # noqa: ASYNC110 # another process
                await trio.sleep(0.2)
        assert not missing, f"not within {seconds:g} s: {missing}\n{self.tail()}"

    def _all_told(self) -> bool:
        return not any(
            daemon.status()["sinks"]["cluster:log"]["pending"]
            for daemon in self.daemons.values()
            if daemon.running
        )

    async def judge(self) -> Verdict:
        """Ask the oracle about the log."""
        return await self.log.judge(self.accounts)

    async def turn_page(self, seconds: float = 60) -> Verdict:
        """Come to rest, judge what happened since the last page, and forget it."""
        await self.wait_quiet(seconds)
        verdict = await self.judge()
        verdict.assert_kept()
        self.log.turn_page()
        for venue in self.venues.values():
            venue.truth.facts.clear()
            venue.truth.deliveries.clear()
        return verdict

    async def streams(self, account: str) -> list[dict[str, Any]]:
        """What the log says about an account's stream."""
        return [
            {**one.event["stream"], "epoch": one.epoch}
            for one in await self.log.read()
            if one.event["kind"] == "stream" and one.event["account"] == account
        ]

    async def gaps(self) -> list[str]:
        """The gaps that the log tells of, over all accounts."""
        return [
            f"{one.event['account']}: {one.event['stream']}"
            for one in await self.log.read()
            if one.event["kind"] == "stream" and one.event["stream"]["status"] == "gap_opened"
        ]


@asynccontextmanager
async def open_cluster_rig(
    directory: Path,
    shape: Shape | None = None,
    network: PrivateNetwork | None = None,
    meeting: Meeting | None = None,
) -> AsyncIterator[Cluster]:
    """The venues up, configurations written, no gateway started.

    Without a `meeting` they meet on NATS. In a private network there are three servers of
    it, and each gateway, server and the venues have addresses of their own.
    """
    shape = shape or Shape()
    async with AsyncExitStack() as stack:
        if meeting is None:
            meeting = await _meet_on_nats(stack, directory, shape, network)
        cluster = Cluster(directory, shape, meeting, network)
        for name in shape.venues:
            scenario = Scenario(seed=shape.seed, accounts=shape.accounts, rate=0)
            dialect = load_dialect(registry.find_venue(name))
            venue = await stack.enter_async_context(open_simulator(dialect, scenario=scenario))
            cluster.venues[name] = venue
            accounts = {f"{name}-{index + 1}": index for index in range(shape.accounts)}
            cluster.accounts |= {account: (venue, index) for account, index in accounts.items()}
            if network is not None:
                origin = await stack.enter_async_context(_found_in(network, venue))
                cluster.origins |= dict.fromkeys(accounts, origin)
        for name in GATEWAYS:
            cluster.add_daemon(name)
        try:
            yield cluster
        finally:
            for daemon in cluster.daemons.values():
                if daemon.running:
                    with trio.CancelScope(shield=True):
                        await daemon.kill()


@asynccontextmanager
async def _found_in(network: PrivateNetwork, venue: Simulator) -> AsyncIterator[str]:
    """Let a venue be found at its end of the network; gives host and port."""
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(network.listen(VENUES_END)))
    host, port = listener.socket.getsockname()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, venue.serve, [listener])
        yield f"{host}:{port}"
        nursery.cancel_scope.cancel()


async def _meet_on_nats(
    stack: AsyncExitStack, directory: Path, shape: Shape, network: PrivateNetwork | None
) -> Meeting:
    servers = await _open_servers(stack, directory, shape, network)
    enter = None if network is None else partial(network.enter, CONSUMER_END)
    options = f"""\
  engine: nats
  url: nats://{",".join(one.address for one in servers)}
  username: {USER}
  copies: {len(servers)}
"""
    log = NatsSharedLog(servers, PASSWORD, enter)
    return Meeting(options=options, log=log, servers=servers)


async def _open_servers(
    stack: AsyncExitStack, directory: Path, shape: Shape, network: PrivateNetwork | None
) -> list[NatsServer]:
    if network is None and shape.nats_servers == 1:
        single = open_nats_server(directory / "nats", PASSWORD)
        return [await stack.enter_async_context(single)]
    places = None
    if network is not None:
        places = {name: (network.address(name), network.prefix(name)) for name in NODES}
    return await stack.enter_async_context(open_nats_cluster(directory, PASSWORD, places))
