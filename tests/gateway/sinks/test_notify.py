"""What is special to the notify sink: what is worth a message, and never a flood."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import ACCEPTED, Item, SinkContext, SinkOptions
from gateway.contracts.values import Seconds, Secret
from gateway.errors import SinkUnavailable
from gateway.events.model import (
    Balance,
    Body,
    Event,
    Fill,
    Order,
    OrderStatus,
    Position,
    PositionSide,
    Side,
    Stream,
    StreamReason,
    StreamStatus,
    Unrecognized,
)
from gateway.events.numbers import PlainDecimal
from gateway.events.times import Timestamp
from gateway.sinks.notify import NotifySettings, NotifySink, open_notify, probe_notify
from gateway.sinks.notify.digest import UNREADABLE
from gateway.sinks.notify.sentences import LONGEST, sentence
from gateway.sinks.notify.service import secrets_of
from gateway.sinks.notify.settings import About, is_worth_telling
from gateway.sinks.notify.sink import DELAYED
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import fills, item
from tests.doubles.events import fill_event
from tests.doubles.receiver import HOST, Receiver, Reply, open_receiver

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # by Apprise

HOUR = Seconds(3600)
NUMBER = PlainDecimal("0.5")


def stream(status: StreamStatus, **fields: Any) -> Stream:
    """Something about the stream."""
    return Stream(status=status, reason=StreamReason.CONNECTION_LOST, **fields)


def order(status: OrderStatus = OrderStatus.NEW, **fields: Any) -> Order:
    """A state of an order."""
    return Order(order_id="o-1", status=status, venue_status="1", final=False, **fields)


BODIES: dict[str, Body] = {
    "gap opened": stream(StreamStatus.GAP_OPENED),
    "gap closed": stream(StreamStatus.GAP_CLOSED),
    "suspended": stream(StreamStatus.SUSPENDED),
    "live": stream(StreamStatus.LIVE),
    "order": order(),
    "rejected": order(OrderStatus.REJECTED),
    "liquidation": order(liquidation=True),
    "fill": Fill(order_id="o-1", price=NUMBER, quantity=NUMBER),
    "balance": Balance(asset="BTC", available=NUMBER, held=NUMBER, total=NUMBER),
    "position": Position(side=PositionSide.LONG, quantity=NUMBER),
    "unrecognized": Unrecognized(reason="not JSON", frame="?"),
}


def with_body(body: Body, **fields: Any) -> Event:
    """An event about something."""
    return msgspec.structs.replace(fill_event(1), body=body, **fields)


class Phone:
    """A receiver, and sinks that lead to it."""

    def __init__(self, receiver: Receiver, state_dir: Path) -> None:
        self.receiver = receiver
        self._context = SinkContext(
            name="phone",
            state_dir=state_dir,
            options=SinkOptions(type="notify"),
            clock=WALL_CLOCK,
            redactor=Redactor(),
        )
        self.file = state_dir / "notify-phone.json"

    def open(self, **settings: Any) -> AbstractAsyncContextManager[NotifySink]:
        """The sink, told of all fills but where `settings` say otherwise."""
        url = Secret.of(f"json://{HOST}:{self.receiver.port}/t0ken-value")
        made = NotifySettings(**({"url": url, "about": (About.FILLS,)} | settings))
        return open_notify(made, self._context)

    async def probe(self, url: str) -> list[Any]:
        """What `check --connect` finds."""
        return await probe_notify(NotifySettings(url=Secret.of(url)), self._context)

    def messages(self) -> list[Any]:
        """What arrived, in Apprise's JSON."""
        return [json.loads(post.body) for post in self.receiver.accepted]

    def texts(self) -> list[str]:
        """The messages' texts."""
        return [message["message"] for message in self.messages()]


@pytest.fixture
async def phone(tmp_path: Path):
    """A phone that is on."""
    async with open_receiver() as receiver:
        yield Phone(receiver, tmp_path)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for the sink's own task to have done something."""
    with trio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - a receiver rings no bell
            await trio.sleep(0.005)


def sentences(items: Sequence[Item]) -> str:
    """How these events read."""
    return "\n".join(sentence(one.record.event()) for one in items)


# --- when ------------------------------------------------------------------------------


async def test_the_first_at_once_the_rest_folded(phone: Phone):
    """One message for the first event, one for all that came within the time after it."""
    items = fills(6)
    async with phone.open(digest=HOUR) as sink:
        for one in items:
            assert [ACCEPTED] == list(await sink.deliver([one]))
        assert [sentences(items[:1])] == phone.texts()

    assert [sentences(items[:1]), sentences(items[1:])] == phone.texts()
    assert ["Exchange gateway: 1 event", "Exchange gateway: 5 events"] == [
        message["title"] for message in phone.messages()
    ]
    assert not phone.file.exists()


async def test_a_digest_goes_out_when_its_time_comes(phone: Phone):
    """Nobody has to send another event for it."""
    items = fills(3)
    async with phone.open(digest=Seconds(0.3)) as sink:
        await sink.deliver(items[:1])
        await sink.deliver(items[1:])
        await until(lambda: len(phone.texts()) == 2)

    assert sentences(items[1:]) == phone.texts()[1]


async def test_a_burst_is_counted_not_listed(phone: Phone):
    """Ten events in words, thousands more as numbers, in one message."""
    items = fills(3000)
    gap = item(3001, with_body(BODIES["gap opened"]))
    async with phone.open(about=(About.FILLS, About.GAPS), digest=HOUR) as sink:
        await sink.deliver([*items[:11], gap])
        for begin in range(11, 3000, 500):
            await sink.deliver(items[begin : begin + 500])

    first, second = phone.texts()
    assert f"{sentences(items[:10])}\n… and 2 more: 1 fills, 1 stream events" == first
    assert f"{sentences(items[11:21])}\n… and 2979 more: 2979 fills" == second
    assert ["warning", "info"] == [message["type"] for message in phone.messages()]


async def test_never_more_messages_than_allowed(phone: Phone):
    """Whatever comes, a minute has its limit; what is over it waits for a digest."""
    async with phone.open(digest=Seconds(0), max_per_minute=2) as sink:
        for one in fills(20):
            await sink.deliver([one])
        assert 2 == len(phone.texts())

    assert [1, 1, 11] == [len(text.splitlines()) for text in phone.texts()]


async def test_what_is_not_worth_a_message_is_passed_over(phone: Phone):
    """Events that nobody wants to be told are accepted, and no one is disturbed."""
    async with phone.open(about=(About.GAPS,)) as sink:
        assert [ACCEPTED] * 50 == list(await sink.deliver(fills(50)))

    assert [] == phone.receiver.posts


async def test_a_digest_survives_a_stop(phone: Phone):
    """What could not be sent at the stop is sent at the next start, without a new event."""
    items = fills(3)
    before = DELAYED.count
    async with phone.open(digest=HOUR) as sink:
        await sink.deliver(items[:1])
        await sink.deliver(items[1:])
        await phone.receiver.stop()
    assert before + 1 == DELAYED.count
    assert oct(phone.file.stat().st_mode & 0o777) == "0o640"
    await phone.receiver.start()
    async with phone.open(digest=HOUR):
        await until(lambda: len(phone.texts()) == 2)

    assert sentences(items[1:]) == phone.texts()[1]
    assert not phone.file.exists()


async def test_a_message_in_flight_at_the_stop_is_not_sent_again(phone: Phone):
    """The close waits for an answer that is on its way, and believes it."""
    items = fills(2)
    async with phone.open(digest=Seconds(0.1)) as sink:
        await sink.deliver(items[:1])
        phone.receiver.reply = lambda _: Reply(delay_seconds=0.3)
        await sink.deliver(items[1:])
        await until(lambda: len(phone.receiver.posts) == 2)

    assert [sentences(items[:1]), sentences(items[1:])] == phone.texts()
    assert not phone.file.exists()


async def test_a_digest_that_cannot_be_read_back_is_left_out(phone: Phone):
    """A damaged file is told, and stops nothing."""
    phone.file.write_text('{"lines": 7}')
    before = UNREADABLE.count
    async with phone.open() as sink:
        await sink.deliver(fills(1))

    assert before + 1 == UNREADABLE.count
    assert [sentences(fills(1))] == phone.texts()


async def test_a_service_that_fails_lets_events_wait(phone: Phone):
    """A digest that nobody takes is told, and holds back what comes after it."""
    items = fills(4)
    before = DELAYED.count
    async with phone.open(digest=Seconds(0.1)) as sink:
        await sink.deliver(items[:1])
        phone.receiver.reply = lambda _: Reply(503)
        await sink.deliver(items[1:2])
        await until(lambda: before < DELAYED.count)
        with pytest.raises(SinkUnavailable, match=r"JSON: .*503"):
            await sink.deliver(items[2:3])
        phone.receiver.reply = lambda _: Reply()
        with trio.fail_after(30):
            while True:
                try:
                    await sink.deliver(items[2:3])
                    break
                except SinkUnavailable:
                    continue

    told = "\n".join(phone.texts()).splitlines()
    assert sentences(items[:3]).splitlines() == list(dict.fromkeys(told))


async def test_a_disk_that_takes_no_digest(phone: Phone):
    """An event is not accepted on the strength of memory alone."""
    async with phone.open(digest=HOUR) as sink:
        await sink.deliver(fills(1))
        phone.file.with_name("notify-phone.json.new").mkdir()
        with pytest.raises(SinkUnavailable, match=r"notify-phone.json: Is a directory"):
            await sink.deliver(fills(1))


# --- what ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("about", "told"),
    [
        (About.GAPS, {"gap opened", "gap closed"}),
        (About.SUSPENSIONS, {"suspended"}),
        (About.STREAMS, {"gap opened", "gap closed", "suspended", "live"}),
        (About.FILLS, {"fill"}),
        (About.ORDERS, {"order", "rejected", "liquidation"}),
        (About.REJECTIONS, {"rejected"}),
        (About.LIQUIDATIONS, {"liquidation"}),
        (About.BALANCES, {"balance"}),
        (About.POSITIONS, {"position"}),
        (About.UNRECOGNIZED, {"unrecognized"}),
    ],
)
def test_choices(about: About, told: set[str]):
    """Each word of `about` lets through exactly what it says."""
    settings = NotifySettings(url=Secret.of("x"), about=(about,))

    assert told == {
        name for name, body in BODIES.items() if is_worth_telling(with_body(body), settings)
    }


@pytest.mark.parametrize(
    ("told", "symbol", "fill"),
    [
        (True, "ETH/USDT", {"price": "100", "quantity": "100"}),
        (False, "ETH/USDT", {"price": "99.99", "quantity": "100"}),
        (False, "ETH/USDT", {"price": "99999", "quantity": "100", "value": "9999.99"}),
        (True, "ETH/BTC", {"price": "0.01", "quantity": "0.01"}),
        (True, "BTC/USD:BTC", {"price": "9000", "quantity": "500"}),
        (False, "BTC/USD:BTC", {"price": "9000", "quantity": "499"}),
        (True, None, {"price": "1", "quantity": "1"}),
    ],
)
def test_large_fills(told: bool, symbol: str | None, fill: dict[str, str]):
    """A limit by quote currency compares values, one by contract counts contracts."""
    limits = {"USDT": PlainDecimal("10000"), "BTC/USD:BTC": PlainDecimal("500")}
    settings = NotifySettings(url=Secret.of("x"), about=(About.FILLS,), fills_over=limits)
    event = with_body(Fill(order_id="o-1", **fill), symbol=symbol)  # type: ignore[arg-type] # any

    assert told is is_worth_telling(event, settings)


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (
            "bought 0.003 ETH/BTC at 0.02455211 (trade 7)",
            Fill(
                fill_id="7",
                order_id="o-1",
                side=Side.BUY,
                price=PlainDecimal("0.02455211"),
                quantity=PlainDecimal("0.003"),
            ),
        ),
        ("traded 0.5 ETH/BTC at 0.5", BODIES["fill"]),
        (
            "LIQUIDATION order o-1 partially filled: sell 2 ETH/BTC at 0.5 (filled 1)",
            order(
                OrderStatus.PARTIALLY_FILLED,
                liquidation=True,
                side=Side.SELL,
                quantity=PlainDecimal("2"),
                price=NUMBER,
                filled_quantity=PlainDecimal("1"),
            ),
        ),
        ("order o-1 rejected: ETH/BTC", BODIES["rejected"]),
        ("has 0.5 BTC (0.5 available)", BODIES["balance"]),
        ("long 0.5 ETH/BTC", BODIES["position"]),
        (
            "GAP: events may be missed (connection lost) since 2026-01-02T03:04:00.000Z",
            stream(StreamStatus.GAP_OPENED, since=Timestamp("2026-01-02T03:04:00.000Z")),
        ),
        (
            "gap closed (connection lost) with 3 events found - NOT complete - ask again",
            stream(StreamStatus.GAP_CLOSED, recovered=3, complete=False, detail="ask again"),
        ),
        ("sent something that was not understood (not JSON)", BODIES["unrecognized"]),
    ],
)
def test_sentences(words: str, body: Body):
    """How events read on a phone."""
    assert f"03:04:05 lbank-main: {words}" == sentence(with_body(body))


def test_a_venues_text_cannot_break_a_message():
    """Line breaks, control characters and direction marks are gone, and length is bounded."""
    nasty = Fill(
        fill_id="a\nb\x1b[31m\u202e" + "x" * 5000, order_id="", price=NUMBER, quantity=NUMBER
    )
    said = sentence(with_body(nasty))

    assert said.isprintable()
    assert len(said) == LONGEST


# --- configuration ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("about", {"about": ()}),
        ("fills_over", {"fills_over": {"USDT": PlainDecimal("1")}}),
        ("digest", {"digest": Seconds(-1)}),
    ],
)
def test_mistakes_are_found_before_the_start(key: str, settings: dict[str, Any]):
    """What no type shows is told with its key."""
    made = NotifySettings(url=Secret.of("x"), **settings)

    assert [key] == [where for where, _ in made.problems()]


async def test_an_address_that_is_none(phone: Phone):
    """It is told without being shown; a good one is named by its service."""
    [bad] = await phone.probe("nonsense://s3cret-value/x")
    [good] = await phone.probe("json://127.0.0.1:1/s3cret-value")

    assert (False, True) == (bad.ok, good.ok)
    assert "JSON; no message was sent" == good.detail
    assert "s3cret-value" not in bad.detail + good.detail
    assert [] == phone.receiver.posts


def test_tokens_are_found_in_an_address():
    """Wherever a service puts its token it is redacted; a host is not."""
    found = set(secrets_of("tgram://123456:AAbbCC/chat-7?x=query-token"))
    assert {"AAbbCC", "chat-7", "query-token"} <= found

    assert "mail.example.com" not in set(secrets_of("mailto://me:pa55word@mail.example.com"))
    assert "pa55word" in set(secrets_of("mailto://me:pa55word@mail.example.com"))
