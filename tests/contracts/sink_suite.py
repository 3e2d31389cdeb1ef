"""What every sink must do: one suite, run against each of them.

A sink's own test file gives the suite a `SinkHarness` (how to open the sink, look
at what its peer holds, break the peer and mend it) by the fixture `harness`, and
subclasses `SinkSuite`. See README.md in this folder.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import msgspec
import pytest
import trio

from gateway.contracts.sink import Accepted, Item, Record, Sink, Verdict
from gateway.delivery.attempt import Answer, attempt
from gateway.delivery.policy import Result
from gateway.events.codec import encode
from gateway.events.model import Balance, Event, Kind, Origin
from gateway.events.numbers import PlainDecimal
from gateway.events.times import Timestamp, to_nanoseconds
from tests.doubles.events import fill_event

DEADLINE_SECONDS = 30.0
"""Generous: it only turns a hang into a failure."""
CANARY = "canary-0123456789abcdef"
"""Stands in for every secret of a harness's sink."""


class SinkHarness(Protocol):
    """One sink type with a peer that a test can break."""

    def open(self) -> AbstractAsyncContextManager[Sink]:
        """Open the sink, as the worker does; several times one after the other."""

    async def held(self) -> Sequence[str]:
        """Ids of what the peer holds, in order of arrival, repeats included."""

    async def break_peer(self) -> None:
        """Make the peer unable to take anything."""

    async def mend_peer(self) -> None:
        """Make it able again; what it held, it still holds."""


def item(seq: int, event: Event) -> Item:
    """An event as a worker hands it over, in native form with `raw`."""
    encoded = encode(event)
    record = Record(
        seq,
        event.id,
        event.kind,
        event.account,
        event.symbol,
        event.venue_symbol,
        to_nanoseconds(event.received_time),
        encoded.tail,
        encoded.raw,
    )
    return Item(record, record.native(include_raw=True))


def fills(count: int, first: int = 1) -> list[Item]:
    """So many different fills, numbered from `first`."""
    return [item(seq, fill_event(seq)) for seq in range(first, first + count)]


def extreme_events() -> list[Event]:
    """Values that break careless code: long decimals, odd text, nothing, a lot."""
    plain = fill_event(1000)
    body = plain.body
    digits = PlainDecimal("-0." + "0" * 29 + "1")
    texts = [
        "'; DROP TABLE x; --",
        'käse\u202e\u0000\x1b[31m\n\r\t\\"',
        "🦀" * 50,
        "\u2028\x7f\ufeff",
    ]
    events = [
        msgspec.structs.replace(body, price=digits, quantity=PlainDecimal("9" * 31 + ".5")),
        *(msgspec.structs.replace(body, fill_id=text, order_id=text) for text in texts),
        Balance(asset="BTC", available=digits, held=PlainDecimal("0"), total=digits),
    ]
    made = [
        msgspec.structs.replace(fill_event(1000 + number), body=made)
        for number, made in enumerate(events)
    ]
    bare = Event(
        id="f" * 32,
        account="a",
        venue="v",
        origin=Origin.GATEWAY,
        received_time=Timestamp("1970-01-01T00:00:00.000000Z"),
        body=Balance(asset="X", available=digits, held=digits, total=digits),
    )
    huge = msgspec.structs.replace(fill_event(2000), raw="ü" * (512 * 1024))
    return [*made, bare, huge]


async def deliver(sink: Sink, items: Sequence[Item]) -> Answer:
    """One attempt, as the worker makes it."""
    with trio.fail_after(DEADLINE_SECONDS):
        return await attempt(sink, items, DEADLINE_SECONDS)


async def deliver_all(sink: Sink, items: Sequence[Item]) -> None:
    """Attempts until everything is accepted."""
    rest = list(items)
    with trio.fail_after(DEADLINE_SECONDS):
        while rest:
            answer = await attempt(sink, rest, DEADLINE_SECONDS)
            assert answer.result is not Result.CRASHED, answer.trouble
            rest = unsettled(rest, answer.verdicts)
            await trio.sleep(0.01 if rest else 0)


def unsettled(items: Sequence[Item], verdicts: Sequence[Verdict]) -> list[Item]:
    """What has to be sent again."""
    pairs = zip(items, verdicts, strict=True)
    return [item for item, verdict in pairs if not isinstance(verdict, Accepted)]


def ids(items: Sequence[Item]) -> list[str]:
    """Ids, in order."""
    return [item.record.id for item in items]


def first_arrivals(held: Sequence[str]) -> list[str]:
    """What a peer holds without the repeats."""
    return list(dict.fromkeys(held))


class SinkSuite:
    """The promises of every sink. Subclass it as `TestX` beside a `harness` fixture."""

    async def test_events_arrive_in_order(self, harness: SinkHarness):
        """Batches are accepted whole and held in order of seq."""
        items = fills(30)
        async with harness.open() as sink:
            for begin in range(0, 30, 7):
                answer = await deliver(sink, items[begin : begin + 7])
                assert answer.result is Result.ACCEPTED

        assert ids(items) == list(await harness.held())

    async def test_a_repeated_batch_is_harmless(self, harness: SinkHarness):
        """The same batch twice leaves the same set of ids, in the same order."""
        items = fills(5)
        async with harness.open() as sink:
            await deliver_all(sink, items)
            await deliver_all(sink, items)

        assert ids(items) == first_arrivals(await harness.held())

    async def test_a_restart_goes_on(self, harness: SinkHarness):
        """Opened anew it adds to what its peer holds; repeats of the last batch are harmless."""
        items = fills(9)
        async with harness.open() as sink:
            await deliver_all(sink, items[:6])
        async with harness.open() as sink:
            await deliver_all(sink, items[3:])

        assert ids(items) == first_arrivals(await harness.held())

    async def test_a_peer_that_is_down_at_the_start(self, harness: SinkHarness):
        """Opening does not fail and delivering says `Later`, without a crash; then it heals."""
        items = fills(4)
        await harness.break_peer()
        async with harness.open() as sink:
            answer = await deliver(sink, items)
            assert answer.result is Result.LATER, answer
            await harness.mend_peer()
            await deliver_all(sink, items)

        assert ids(items) == first_arrivals(await harness.held())

    async def test_a_peer_that_goes_down_and_comes_back(self, harness: SinkHarness):
        """What cannot be delivered meanwhile is delivered afterwards, in order."""
        items = fills(12)
        async with harness.open() as sink:
            await deliver_all(sink, items[:4])
            await harness.break_peer()
            for _ in range(3):
                answer = await deliver(sink, items[4:8])
                assert answer.result is Result.LATER, answer
            await harness.mend_peer()
            await deliver_all(sink, items[4:8])
            await deliver_all(sink, items[8:])

        assert ids(items) == first_arrivals(await harness.held())

    @pytest.mark.parametrize("delay_seconds", [0, 0.0005, 0.005])
    async def test_a_cancelled_delivery_is_repeated(
        self, harness: SinkHarness, delay_seconds: float
    ):
        """A delivery cut in the middle and sent again loses nothing and tears nothing."""
        items = [*fills(300), *fills(20, first=301)]
        async with harness.open() as sink:
            with trio.move_on_after(delay_seconds):
                await sink.deliver(items[:300])
            await deliver_all(sink, items[:300])
            await deliver_all(sink, items[300:])

        assert ids(items) == first_arrivals(await harness.held())

    async def test_extreme_values(self, harness: SinkHarness):
        """Long decimals, odd text, missing fields and a megabyte of `raw` pass through."""
        items = [item(seq, event) for seq, event in enumerate(extreme_events(), start=1)]
        async with harness.open() as sink:
            await deliver_all(sink, items)

        assert ids(items) == first_arrivals(await harness.held())

    async def test_closing_leaves_nothing_open(self, harness: SinkHarness):
        """Opened, used and closed many times, the sink leaves no descriptor behind."""
        async with harness.open() as sink:
            await deliver_all(sink, fills(1))
        before = open_descriptors()
        for number in range(5):
            async with harness.open() as sink:
                await deliver_all(sink, fills(1, first=number + 2))

        assert open_descriptors() <= before

    async def test_errors_show_no_secret(self, harness: SinkHarness):
        """What a failing sink says names the peer, and none of its secrets."""
        await harness.break_peer()
        async with harness.open() as sink:
            answer = await deliver(sink, fills(1))
        await harness.mend_peer()

        assert answer.trouble is not None
        assert answer.trouble.message.strip()
        assert CANARY not in repr(answer)

    async def test_kinds_of_all_sorts(self, harness: SinkHarness):
        """A batch may hold events of several kinds."""
        mixed = [fill_event(1), extreme_events()[5], fill_event(2)]
        items = [item(seq, event) for seq, event in enumerate(mixed, start=1)]
        async with harness.open() as sink:
            await deliver_all(sink, items)

        assert {Kind.FILL, Kind.BALANCE} == {item.record.kind for item in items}
        assert ids(items) == first_arrivals(await harness.held())


def open_descriptors() -> int:
    """How many file descriptors this process holds."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
