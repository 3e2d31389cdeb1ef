"""Events to JSON and back.

An event is encoded once. What depends on the journal (`seq`) or on a sink's
wishes (`include_raw`, CloudEvents) is spliced around those bytes, so that neither
the journal nor any number of sinks encodes it again::

    {"schema":"1.0","id":"…","seq":7,  "kind":"fill", … "fill":{…}  ,"raw":"…"}
    └────────── head ──────────────┘  └────────── tail ─────────┘  └── raw ──┘
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from gateway.events.model import BODY_TYPES, SCHEMA_VERSION, Body, Event, Kind, Origin
from gateway.events.times import Timestamp

_ENCODER: Final = msgspec.json.Encoder()
_HEAD: Final = b'{"schema":"%b","id":"%%b","seq":%%d,' % SCHEMA_VERSION.encode()


class DecodeError(ValueError):
    """You get this when bytes are not an event of schema 1.x."""


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """One event's JSON in the two parts that never change."""

    tail: bytes
    """From ``"kind"`` to the end of the body, without the closing brace."""
    raw: bytes | None
    """The JSON string of the venue's text, quotes included."""


class _Head(msgspec.Struct, frozen=True, gc=False):
    kind: Kind
    account: str
    venue: str
    symbol: str | None
    venue_symbol: str | None
    origin: Origin
    venue_time: str | None
    received_time: str


_TAILS: Final[dict[Kind, Callable[..., msgspec.Struct]]] = {
    kind: msgspec.defstruct(f"_{kind}_tail", [(kind.value, body)], bases=(_Head,))
    for kind, body in BODY_TYPES.items()
}
"""With the body at the end, under the name of its kind: one pass encodes all."""


def encode(event: Event) -> Encoded:
    """Encode an event once, for the journal and every sink."""
    kind = event.body.KIND
    tail = _TAILS[kind](
        kind,
        event.account,
        event.venue,
        event.symbol,
        event.venue_symbol,
        event.origin,
        event.venue_time,
        event.received_time,
        event.body,
    )
    raw = None if event.raw is None else _ENCODER.encode(event.raw)
    return Encoded(_ENCODER.encode(tail)[1:-1], raw)


def render_native(
    event_id: str, seq: int, tail: bytes, raw: bytes | None, *, include_raw: bool
) -> bytes:
    """The event as one line of JSON, fields in the order of the schema."""
    head = _HEAD % (event_id.encode(), seq)
    if include_raw:
        return b'%b%b,"raw":%b}' % (head, tail, raw if raw is not None else b"null")
    return b"%b%b}" % (head, tail)


def render_cloudevent(event: Event, seq: int, native: bytes) -> bytes:
    """The event as CloudEvents 1.0 structured JSON, around its native form."""
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/accounts/{event.venue}/{event.account}",
        "type": f"gateway.{event.kind}.v1",
    }
    subject = event.venue_symbol or getattr(event.body, "asset", None)
    if subject is not None:
        attributes["subject"] = subject
    attributes |= {
        "time": event.venue_time or event.received_time,
        "datacontenttype": "application/json",
        "account": event.account,
        "venue": event.venue,
        "origin": event.origin,
        "sequence": f"{seq:020d}",
        "data": msgspec.Raw(native),
    }
    return _ENCODER.encode(attributes)


class _Wire(msgspec.Struct, frozen=True, gc=False):
    """The native form, as read back; exactly one body field is set."""

    schema: str
    id: str
    seq: int
    kind: Kind
    account: str
    venue: str
    origin: Origin
    received_time: str
    symbol: str | None = None
    venue_symbol: str | None = None
    venue_time: str | None = None
    order: msgspec.Raw = msgspec.Raw()
    fill: msgspec.Raw = msgspec.Raw()
    balance: msgspec.Raw = msgspec.Raw()
    position: msgspec.Raw = msgspec.Raw()
    stream: msgspec.Raw = msgspec.Raw()
    unrecognized: msgspec.Raw = msgspec.Raw()
    raw: str | None = None


_WIRE_DECODER: Final = msgspec.json.Decoder(_Wire)
_BODY_DECODERS: Final[dict[Kind, msgspec.json.Decoder[Any]]] = {
    kind: msgspec.json.Decoder(body) for kind, body in BODY_TYPES.items()
}


def decode(data: bytes) -> tuple[int, Event]:
    """Read a native event back: its seq and the event. Raises `DecodeError`."""
    try:
        wire = _WIRE_DECODER.decode(data)
        if wire.schema.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
            raise DecodeError(f"schema {wire.schema} is not {SCHEMA_VERSION}")
        body: Body = _BODY_DECODERS[wire.kind].decode(getattr(wire, wire.kind.value))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"not an event: {error}") from error
    return wire.seq, Event(
        id=wire.id,
        account=wire.account,
        venue=wire.venue,
        symbol=wire.symbol,
        venue_symbol=wire.venue_symbol,
        origin=wire.origin,
        venue_time=None if wire.venue_time is None else Timestamp(wire.venue_time),
        received_time=Timestamp(wire.received_time),
        body=body,
        raw=wire.raw,
    )
