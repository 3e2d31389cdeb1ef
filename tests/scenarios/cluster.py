"""A cluster of daemons on one NATS server, and what its shared log holds."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import nats
import nats.errors
import trio

from gateway import registry
from gateway.simulator import Scenario, Simulator, load_dialect, open_simulator
from gateway.sinks.nats.loop import LoopThread
from tests.doubles.servers.nats import USER, NatsServer, open_nats_cluster, open_nats_server
from tests.scenarios.oracle import Delivered, Verdict, judge
from tests.scenarios.rig import Daemon, _rate, wait_until

PASSWORD = "cluster-password"


class Message(msgspec.Struct):
    """One event of the shared log."""

    event: dict[str, Any]
    epoch: int
    late: bool


class Cluster:
    """Daemons by name, venues, and the NATS server that they share."""

    def __init__(self, directory: Path, servers: list[NatsServer]) -> None:
        self.directory = directory
        self.servers = servers
        self.daemons: dict[str, Daemon] = {}
        self.venues: dict[str, Simulator] = {}
        self.accounts: dict[str, tuple[Simulator, int]] = {}
        self.replicas = 1

    def add_daemon(self, name: str) -> Daemon:
        """Write a gateway's configuration; it is not started."""
        folder = self.directory / name
        folder.mkdir()
        daemon = Daemon(folder / "gateway.yaml", folder / "state")
        text = f"""\
name: {name}
state_dir: {daemon.state_dir}
http: null
cluster:
  engine: nats
  url: nats://{",".join(one.address for one in self.servers)}
  username: {USER}
  password: {PASSWORD}
  replicas: {self.replicas}
  copies: {len(self.servers)}
accounts:
"""
        for account, (venue, index) in self.accounts.items():
            text += venue.configuration(account, index)
        daemon.config.write_text(text)
        self.daemons[name] = daemon
        return daemon

    def status(self, asked: Daemon | None = None) -> dict[str, Any]:
        """The cluster, as a daemon that runs sees it."""
        running = asked or next(each for each in self.daemons.values() if each.running)
        return running.status()["cluster"]

    def owned_by(self, name: str, *, asked: Daemon | None = None) -> list[str]:
        """The accounts that a gateway owns, by the notes on the board."""
        owners = self.status(asked)["accounts"]
        return [account for account, one in owners.items() if one["owner"] == name]

    def all_live(self) -> bool:
        """Every account is live where it is owned, no gap open, nobody waits for a move."""
        live: dict[str, str] = {}
        for name, daemon in self.daemons.items():
            if daemon.running and daemon.is_ready():
                for account, one in daemon.status()["accounts"].items():
                    if one["state"] == "live" and not one["gaps"]["open"]:
                        live[account] = name
        if not live:
            return False
        owners = self.status()["accounts"]
        return all(
            account in owners
            and owners[account]["owner"] == live.get(account)
            and owners[account]["successor"] is None
            for account in self.accounts
        )

    async def wait_live(self, seconds: float = 60) -> None:
        """Until every account is live where it belongs."""
        await self.wait(self.all_live, seconds, "all live")

    async def wait_spread(self, gateways: int, seconds: float = 90) -> None:
        """Until so many gateways own accounts, and all are live."""
        await self.wait(
            lambda: (
                len({o["owner"] for o in self.status()["accounts"].values()}) == gateways
                and self.all_live()
            ),
            seconds,
            f"spread over {gateways}",
        )

    async def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait as the rig does; a failure shows how everybody's log ends by then."""
        try:
            await wait_until(condition, seconds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.status()}\n{self.tail()}") from None

    def tail(self) -> str:
        """The ends of the logs."""
        return "\n".join(f"{name}: {one.tail_of_log()}" for name, one in self.daemons.items())

    def set_rate(self, per_second: float) -> None:
        """How lively every market is, per account."""
        for venue in self.venues.values():
            venue.do(_rate(per_second))

    async def wait_quiet(self, seconds: float = 60) -> None:
        """Until the markets stand still and the shared log has everything."""
        self.set_rate(0)
        await self.wait_live(seconds)
        missing = ["the first look"]
        with trio.move_on_after(seconds):
            while missing := (await self.judge()).missing[:8]:  # noqa: ASYNC110 # another process
                await trio.sleep(0.2)
        assert not missing, f"not within {seconds:g} s: {missing}\n{self.tail()}"

    async def log(self) -> list[Message]:
        """The shared log, in its order."""

        async def read() -> list[Message]:
            servers = [f"nats://{one.address}" for one in self.servers]
            client = await nats.connect(servers, user=USER, password=PASSWORD)
            try:
                jetstream = client.jetstream()
                last = (await jetstream.stream_info("gateway-log")).state.last_seq
                found = []
                subscription = await jetstream.subscribe("gateway-log.*", ordered_consumer=True)
                while last:
                    message = await subscription.next_msg(timeout=10)
                    headers = message.headers or {}
                    if "Gateway-Fence" not in headers:
                        found.append(
                            Message(
                                msgspec.json.decode(message.data),
                                int(headers["Gateway-Epoch"]),
                                "Gateway-Late" in headers,
                            )
                        )
                    if message.metadata.sequence.stream >= last:
                        break
                return found
            finally:
                await client.close()

        loop = LoopThread("log-reader")
        try:
            while True:
                with suppress(nats.errors.TimeoutError):  # its server was killed: ask another
                    return await loop.run(read())
        finally:
            await loop.aclose()

    async def judge(self) -> Verdict:
        """Ask the oracle about the log, read as its consumers are told to: by epoch and seq."""
        messages = await self.log()
        verdict = await trio.to_thread.run_sync(self._judge, messages)
        _check_log_order(messages, verdict)
        return verdict

    def _judge(self, messages: list[Message]) -> Verdict:
        by_account: dict[str, list[Message]] = defaultdict(list)
        for each in messages:
            by_account[each.event["account"]].append(each)
        told: list[Delivered] = []
        for each in by_account.values():
            for one in sorted(each, key=lambda message: (message.epoch, message.event["seq"])):
                told.append({**one.event, "seq": len(told) + 1})
        return judge(told, self.accounts_truth())

    def accounts_truth(self) -> dict[str, Any]:
        """As the oracle wants it."""
        return {name: (venue.truth, index) for name, (venue, index) in self.accounts.items()}

    async def streams(self, account: str) -> list[dict[str, Any]]:
        """What the log says about an account's stream."""
        return [
            {**one.event["stream"], "epoch": one.epoch}
            for one in await self.log()
            if one.event["kind"] == "stream" and one.event["account"] == account
        ]


def _check_log_order(messages: list[Message], verdict: Verdict) -> None:
    """Each id once, and per account in order of epoch and seq but for what says it is late."""
    seen: set[str] = set()
    newest: dict[str, tuple[int, int]] = {}
    for each in messages:
        event = each.event
        if event["id"] in seen:
            verdict.doubled.append(f"{event['id']} stands twice in the log")
        seen.add(event["id"])
        place = (each.epoch, event["seq"])
        if each.late:
            continue
        if place < newest.get(event["account"], (0, 0)):
            verdict.disorder.append(f"{event['account']}: {place} after {newest[event['account']]}")
        newest[event["account"]] = place


@asynccontextmanager
async def open_cluster_rig(
    directory: Path,
    *,
    accounts: int = 3,
    seed: int = 1,
    gateways: int = 3,
    replicas: int = 1,
    nats_servers: int = 1,
    venues: tuple[str, ...] = ("lbank", "fmex"),
) -> AsyncIterator[Cluster]:
    """NATS and the venues up, configurations written, no gateway started."""
    async with AsyncExitStack() as stack:
        if nats_servers == 1:
            single = open_nats_server(directory / "nats", PASSWORD)
            servers = [await stack.enter_async_context(single)]
        else:
            servers = await stack.enter_async_context(open_nats_cluster(directory, PASSWORD))
        cluster = Cluster(directory, servers)
        cluster.replicas = replicas
        for name in venues:
            scenario = Scenario(seed=seed, accounts=accounts, rate=0)
            dialect = load_dialect(registry.find_venue(name))
            venue = await stack.enter_async_context(open_simulator(dialect, scenario=scenario))
            cluster.venues[name] = venue
            for index in range(accounts):
                cluster.accounts[f"{name}-{index + 1}"] = (venue, index)
        for number in range(gateways):
            cluster.add_daemon(f"gateway-{number + 1}")
        try:
            yield cluster
        finally:
            for daemon in cluster.daemons.values():
                if daemon.running:
                    with trio.CancelScope(shield=True):
                        await daemon.kill()
