"""A gateway as the HTTP side sees it: complete, small, in memory."""

from collections.abc import Sequence

import msgspec
import trio

from gateway.accounts.status import AccountState, AccountStatus, GapCounts
from gateway.admin.house import NotFound, NotNow
from gateway.admin.model import (
    AccountView,
    GatewayStatus,
    HeldPosition,
    OpenOrder,
    Probe,
    ReloadResult,
    ReplayOrder,
    Status,
)
from gateway.cluster.status import ClusterStatus, MemberStatus, OwnerStatus
from gateway.contracts.sink import Record
from gateway.delivery.status import SinkState, SinkStatus
from gateway.events.codec import encode
from gateway.events.identity import digest
from gateway.events.model import (
    Balance,
    Body,
    Event,
    Fill,
    MarginMode,
    Order,
    OrderStatus,
    OrderType,
    Origin,
    Position,
    PositionSide,
    Side,
    Stream,
    StreamReason,
    StreamStatus,
)
from gateway.events.numbers import PlainDecimal
from gateway.events.times import Timestamp, from_nanoseconds, to_nanoseconds
from gateway.journal.records import DeadLetter, JournalStatus
from gateway.telemetry.metrics import Metrics

START_NS = to_nanoseconds(Timestamp("2026-11-22T12:00:00.000000Z"))
SECOND_NS = 1_000_000_000


class FixedClock:
    """Stands until somebody moves it."""

    def __init__(self, now_ns: int = START_NS) -> None:
        self.now = now_ns

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC."""
        return self.now


class MemoryLog:
    """A journal in memory: `append` is a commit, `retire` is retention."""

    def __init__(self, epoch: str = "epoch-1") -> None:
        self.epoch = epoch
        self._records: list[Record] = []
        self._first = 1
        self._bell = trio.Event()

    @property
    def first_seq(self) -> int:
        """Oldest event kept."""
        return self._first

    @property
    def last_seq(self) -> int:
        """Newest event."""
        return self._first + len(self._records) - 1

    async def read(self, after_seq: int, limit: int) -> list[Record]:
        """Events that follow `after_seq`."""
        await trio.lowlevel.checkpoint()
        start = max(0, after_seq + 1 - self._first)
        return self._records[start : start + limit]

    async def wait_past(self, seq: int) -> None:
        """Return once there is a later event."""
        await trio.lowlevel.checkpoint()
        while self.last_seq <= seq:
            await self._bell.wait()

    def append(self, body: Body, account: str = "lbank-main", at_ns: int | None = None) -> int:
        """Record one event; its seq."""
        seq = self.last_seq + 1
        received_ns = START_NS + seq * 1_000_000 if at_ns is None else at_ns
        event = Event(
            id=digest(account, "lbank", body.KIND, (str(seq), self.epoch)),
            account=account,
            venue="lbank",
            symbol="ETH/BTC",
            venue_symbol="eth_btc",
            origin=Origin.PUSH,
            received_time=from_nanoseconds(received_ns),
            body=body,
            raw="{}",
        )
        encoded = encode(event)
        self._records.append(
            Record(
                seq, event.id, event.kind, account, event.symbol, event.venue_symbol,
                received_ns, encoded.tail, encoded.raw,
            )
        )  # fmt: skip
        self._bell.set()
        self._bell = trio.Event()
        return seq

    def append_fills(self, count: int, account: str = "lbank-main") -> None:
        """Record so many fills."""
        for _ in range(count):
            self.append(fill(), account)

    def retire(self, count: int) -> None:
        """Delete so many of the oldest events."""
        del self._records[:count]
        self._first += count


def fill() -> Fill:
    """A fill that says little."""
    return Fill(order_id="o-1", price=PlainDecimal("0.0245"), quantity=PlainDecimal("0.003"))


def gap(status: StreamStatus, since: Timestamp, until: Timestamp | None = None) -> Stream:
    """A gap that opens, or closes completely recovered."""
    closed = status is StreamStatus.GAP_CLOSED
    return Stream(
        status=status,
        reason=StreamReason.RECOVERED if closed else StreamReason.CONNECTION_LOST,
        since=since,
        until=until,
        complete=True if closed else None,
        recovered=3 if closed else None,
    )


def account_status(state: AccountState = AccountState.LIVE) -> AccountStatus:
    """An account that does well, or whose state says otherwise."""
    stamp = from_nanoseconds(START_NS)
    return AccountStatus(
        venue="lbank",
        state=state,
        since=stamp,
        last_frame=stamp,
        last_event=stamp,
        last_proof_of_life=stamp,
        last_agreement=None,
        connections=1,
        key_expires=from_nanoseconds(START_NS + 3600 * SECOND_NS),
        gaps=GapCounts(open=0, total=2, unrecovered=0),
        reconnects=2,
        events=1234,
        detail=None,
    )


def sink_status(state: SinkState = SinkState.RUNNING) -> SinkStatus:
    """A sink that has taken everything."""
    return SinkStatus(
        type="jsonl", state=state, delivered_seq=9, recorded=9, delivered=8, filtered=1,
        dropped=0, dead_letters=0, pending=0, replayed=0,
    )  # fmt: skip


class MemoryHouse:
    """A gateway with accounts and sinks that exist only in name."""

    def __init__(self) -> None:
        self.journal = MemoryLog()
        self.metrics = Metrics()
        self.cluster: ClusterStatus | None = None
        """None: it is in no cluster. `join` puts it into one."""
        self.accounts = {"lbank-main": account_status(), "fmex-hedge": account_status()}
        self.sinks = {"desk": sink_status(), "events": sink_status()}
        self.letters: list[DeadLetter] = []
        self.orders: list[tuple[str, ...]] = []
        """What was asked of it, in order."""
        self.healthy = Probe(ok=True, reason="the loop and the journal writer answer")
        self.ready = Probe(ok=True, reason="journalling")
        self.next_reload = ReloadResult(ok=True, message="nothing changed")

    def health(self) -> Probe:
        """As set."""
        return self.healthy

    def readiness(self) -> Probe:
        """As set."""
        return self.ready

    def status(self) -> Status:
        """The accounts and sinks as set."""
        stamp = from_nanoseconds(START_NS)
        return Status(
            gateway=GatewayStatus(
                name="desk-1", version="0.1.0", started=stamp, ready=self.ready.ok
            ),
            accounts=dict(self.accounts),
            sinks=dict(self.sinks),
            journal=JournalStatus(
                epoch=self.journal.epoch,
                first_seq=self.journal.first_seq,
                last_seq=self.journal.last_seq,
                bytes=73 * 1024 * 1024,
                free_bytes=41 * 1024**3,
                blocked=False,
                blocked_reason=None,
                queue_events=0,
            ),
            cluster=self.cluster,
        )

    def join(self, *, dead: str | None = None) -> None:
        """Have it share its accounts with a second gateway."""
        owners = dict(zip(self.accounts, ("desk-1", "desk-2"), strict=True))
        members = ("desk-1", "desk-2")
        self.cluster = ClusterStatus(
            name="gateway",
            engine="nats",
            reachable=True,
            members={
                name: MemberStatus(
                    version="0.1.0", accounts=1, weight=1.0, leaving=False, drained=False
                )
                for name in members
                if name != dead
            },
            accounts={
                account: OwnerStatus(
                    owner=owner, alive=owner != dead, epoch=1, successor=None, pinned=None
                )
                for account, owner in owners.items()
            },
        )

    async def account(self, name: str) -> AccountView | None:
        """One balance, one position and one open order for each."""
        await trio.lowlevel.checkpoint()
        if name not in self.accounts:
            return None
        return AccountView(
            account=name,
            stream=self.accounts[name],
            balances=(_balance("BTC"), _balance("USDT")),
            positions=(HeldPosition(symbol="BTC/USD:BTC", venue_symbol="B", position=_position()),),
            open_orders=(OpenOrder(symbol="ETH/BTC", venue_symbol="eth_btc", order=_order()),),
        )  # fmt: skip

    async def reload(self) -> ReloadResult:
        """As set."""
        self.orders.append(("reload",))
        await trio.lowlevel.checkpoint()
        return self.next_reload

    async def reconnect(self, account: str) -> None:
        """Note it."""
        await self._note("reconnect", account, self.accounts)

    async def recover(self, account: str) -> None:
        """Note it."""
        await self._note("recover", account, self.accounts)

    async def drain(self, gateway: str) -> None:
        """Note it."""
        await self._note("drain", gateway, self.cluster.members if self.cluster else {})

    async def undrain(self, gateway: str) -> None:
        """Note it."""
        await self._note("undrain", gateway, self.cluster.members if self.cluster else {})

    async def pin(self, account: str, gateway: str | None) -> None:
        """Note it."""
        await self._note(f"pin {gateway}", account, self.accounts)
        if self.cluster is not None and gateway is not None:
            moved = msgspec.structs.replace(self.cluster.accounts[account], owner=gateway)
            self.cluster.accounts[account] = moved

    async def pause(self, sink: str) -> None:
        """Note it."""
        await self._note("pause", sink, self.sinks)
        self.sinks[sink] = sink_status(SinkState.PAUSED)

    async def resume(self, sink: str) -> None:
        """Note it."""
        await self._note("resume", sink, self.sinks)
        self.sinks[sink] = sink_status()

    async def forget(self, sink: str) -> None:
        """Only a paused one."""
        if sink in self.sinks and self.sinks[sink].state is not SinkState.PAUSED:
            raise NotNow(f"sink {sink} is running: pause it first")
        await self._note("forget", sink, self.sinks)

    async def replay(self, sink: str, order: ReplayOrder) -> int:
        """Note it."""
        await self._note("replay", sink, self.sinks)
        start = order.start if isinstance(order.start, int) else 1
        return self.journal.last_seq - start + 1

    async def dead_letters(self, sink: str | None, after: int, limit: int) -> Sequence[DeadLetter]:
        """Those it holds."""
        await trio.lowlevel.checkpoint()
        found = [
            letter
            for letter in self.letters
            if (letter.number or 0) > after and sink in (None, letter.sink)
        ]
        return found[:limit]

    async def replay_dead_letters(self, sink: str | None, numbers: Sequence[int] | None) -> int:
        """They are accepted now."""
        return await self._settle("dlq replay", sink, numbers)

    async def drop_dead_letters(self, sink: str | None, numbers: Sequence[int] | None) -> int:
        """They are gone."""
        return await self._settle("dlq drop", sink, numbers)

    async def add_letter(self, sink: str) -> None:
        """One more dead letter, about a new event."""
        self.journal.append(fill())
        (record,) = await self.journal.read(self.journal.last_seq - 1, 1)
        self.letters.append(
            DeadLetter(
                number=len(self.letters) + 1, sink=sink, record=record, reason="400",
                excerpt="no such column", first_try_ns=START_NS, last_try_ns=START_NS + SECOND_NS,
            )
        )  # fmt: skip

    async def _settle(self, order: str, sink: str | None, numbers: Sequence[int] | None) -> int:
        await trio.lowlevel.checkpoint()
        self.orders.append((order, sink or "*"))
        left = [
            letter
            for letter in self.letters
            if sink not in (None, letter.sink) or not (numbers is None or letter.number in numbers)
        ]
        settled = len(self.letters) - len(left)
        self.letters = left
        return settled

    async def _note(self, order: str, name: str, among: dict[str, object]) -> None:
        await trio.lowlevel.checkpoint()
        if name not in among:
            raise NotFound(f"there is no {name!r}; configured: {', '.join(among)}")
        self.orders.append((order, name))


def _balance(asset: str) -> Balance:
    return Balance(
        asset=asset,
        available=PlainDecimal("1.34242880408925"),
        held=PlainDecimal("0.0"),
        total=PlainDecimal("1.34242880408925"),
    )


def _position() -> Position:
    return Position(
        side=PositionSide.LONG,
        quantity=PlainDecimal("1"),
        entry_price=PlainDecimal("9278.5"),
        leverage=PlainDecimal("50"),
        margin_mode=MarginMode.ISOLATED,
    )


def _order() -> Order:
    return Order(
        order_id="o-1",
        status=OrderStatus.NEW,
        venue_status="0",
        final=False,
        side=Side.BUY,
        type=OrderType.LIMIT,
        price=PlainDecimal("0.0245"),
        quantity=PlainDecimal("3"),
        filled_quantity=PlainDecimal("0"),
        remaining_quantity=PlainDecimal("3"),
    )
