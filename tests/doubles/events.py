"""Events that are valid and tell themselves apart."""

from hashlib import blake2b

from gateway.events.model import Event, Fill, Origin, Stream, StreamReason, StreamStatus
from gateway.events.numbers import PlainDecimal
from gateway.events.times import Timestamp


def fill_event(number: int, *, account: str = "lbank-main", raw: str | None = "{}") -> Event:
    """The fill that is `number`; the same number is the same fact."""
    return Event(
        id=blake2b(f"{account}{number}".encode(), digest_size=16).hexdigest(),
        account=account,
        venue="lbank",
        symbol="ETH/BTC",
        venue_symbol="eth_btc",
        origin=Origin.PUSH,
        venue_time=Timestamp("2026-01-02T03:04:05.678Z"),
        received_time=Timestamp("2026-01-02T03:04:05.700123Z"),
        body=Fill(
            fill_id=str(number),
            order_id="o-1",
            price=PlainDecimal("0.02455211"),
            quantity=PlainDecimal("0.003"),
        ),
        raw=raw,
    )


def stream_event(number: int, *, account: str = "lbank-main") -> Event:
    """The sign of life that is `number`."""
    return Event(
        id=blake2b(f"{account}-stream-{number}".encode(), digest_size=16).hexdigest(),
        account=account,
        venue="lbank",
        origin=Origin.GATEWAY,
        received_time=Timestamp("2026-01-02T03:04:05.700123Z"),
        body=Stream(status=StreamStatus.ALIVE, reason=StreamReason.HEARTBEAT),
    )
