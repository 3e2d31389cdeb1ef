"""The orders of one account that ended lately, for late and repeated reports of them.

Such reports are rare and the orders are many, so they are kept packed: one piece of
320 bytes each, where a `KnownOrder` takes a dozen objects and 2.4 KiB. An account that
ends ten orders a second would else grow by 1.4 MiB a minute for as long as it is let.
"""

from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from gateway.contracts.told import KnownOrder, Mark
from gateway.events.model import Order

ENDED_KEPT: Final = 2_000
"""So many stay in any case, since pushes may come late or twice: minutes of the busiest
account, days of most. More stay only as long as a reading of REST may list them."""

ENDED_KEPT_NS: Final = 3 * 24 * 3600 * 10**9
"""None stays longer than three days."""

ENDED_MOST: Final = 50_000
"""While REST cannot be read for long there has to be an end to it: 20 MiB of an account."""

AGREED_SLACK_NS: Final = 60 * 10**9
"""A gap begins at the last proof of life, which may be a heartbeat older than an agreement."""

_IDS_KEPT: Final = 2
"""Of `KnownOrder.ids_here`: after its end an order comes back to no earlier state."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final[msgspec.msgpack.Decoder[Any]] = msgspec.msgpack.Decoder()


class EndedOrders:
    """By order id, that which ended first in front."""

    def __init__(self) -> None:
        self._packed: dict[str, bytes] = {}

    def find(self, order_id: str) -> KnownOrder | None:
        """What was known of an order when it ended."""
        packed = self._packed.get(order_id)
        return None if packed is None else _unpack(packed)

    def put(self, order_id: str, known: KnownOrder) -> None:
        """Keep an order, as that which ended last."""
        self._packed[order_id] = _pack(known)

    def discard(self, order_id: str) -> None:
        """Keep this one no longer, if it is here: something moved after its end."""
        self._packed.pop(order_id, None)

    def sort(self) -> None:
        """Put in order what was put in any."""
        self._packed = dict(sorted(self._packed.items(), key=lambda item: _ended_ns(item[1])))

    def let_go(self, now_ns: int, agreed_ns: int) -> list[str]:
        """Keep those no longer that nobody will ask for; their ids.

        `agreed_ns`: when REST last agreed with the book, 0 for never.
        """
        outdated_ns = now_ns - ENDED_KEPT_NS
        settled_ns = agreed_ns - AGREED_SLACK_NS
        gone = []
        for left, (order_id, packed) in zip(
            range(len(self._packed), 0, -1), self._packed.items(), strict=True
        ):
            ended_ns = _ended_ns(packed)
            if not (
                left > ENDED_MOST
                or ended_ns < outdated_ns
                or (left > ENDED_KEPT and ended_ns < settled_ns)
            ):
                break
            gone.append(order_id)
        for order_id in gone:
            del self._packed[order_id]
        return gone


def _pack(known: KnownOrder) -> bytes:
    return _ENCODER.encode(
        (
            known.received_ns,
            astuple(known.order),
            astuple(known.mark),
            known.symbol,
            known.venue_symbol,
            known.event_id,
            known.ids_here[-_IDS_KEPT:],
        )
    )


def _unpack(packed: bytes) -> KnownOrder:
    received_ns, order, mark, symbol, venue_symbol, event_id, ids_here = _DECODER.decode(packed)
    return KnownOrder(
        order=msgspec.convert(dict(zip(Order.__struct_fields__, order, strict=True)), Order),
        symbol=symbol,
        venue_symbol=venue_symbol,
        mark=Mark(*mark),
        event_id=event_id,
        received_ns=received_ns,
        ids_here=tuple(ids_here),
    )


def _ended_ns(packed: bytes) -> int:
    ended_ns: int = _DECODER.decode(packed)[0]
    return ended_ns
