"""The frames that we receive, in LBank's words.

Decoding is tolerant where the venue is loose: numbers come as strings today and
as JSON numbers elsewhere, fields were added over the years, keys stand in any
order, and two different `type` keys live on two levels. Values are taken as they
are here; `normalise` decides what they mean. JSON numbers keep their exact text
(`float_hook`), so no float exists at any point.
"""

from typing import Any, Final

import msgspec

NO_VALUE: Final = (None, "")
"""How LBank writes that there is nothing: it leaves the field out, or sends ``""``."""


class OrderUpdate(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """`orderUpdate`: the page's form of 2019, and with the fields added since."""

    uuid: Any = None
    """Order id."""
    tx_uuid: Any = None
    """Id of the latest trade; unique only together with `uuid`."""
    order_status: Any = None
    update_time: Any = None
    """Epoch milliseconds, true UTC."""
    amount: Any = None
    """Quantity of the *latest trade*."""
    volume_price: Any = None
    """Value of the *latest trade*, in quote units."""
    price: Any = None
    """Price of the latest trade with status 1 and 2, else the order's price."""
    role: Any = None
    """Of the latest trade; filled in without one too."""
    symbol: Any = None
    type: Any = None
    """One of ten order types, such as `buy_market`."""
    order_amt: Any = None
    """Ordered quantity; the quote amount to spend for `buy_market`."""
    order_price: Any = None
    avg_price: Any = None
    """"0" before the first fill."""
    acc_amt: Any = None
    """Cumulative filled quantity."""
    customer_id: Any = msgspec.field(name="customerID", default=None)
    # remainAmt is left out: it is in quote units for buys, in base units for sells.


class AssetUpdate(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The `data` of an `assetUpdate`."""

    asset_code: Any = None
    free: Any = None
    freeze: Any = None
    time: Any = None
    """Epoch milliseconds."""
    type: Any = None
    """`DEPOSIT` `WITHDRAW` `ORDER_CREATE` `ORDER_DEAL` `ORDER_CANCEL`."""


class OrderPush(msgspec.Struct, frozen=True, gc=False):
    """An order was created, traded or changed its status."""

    pair: Any
    update: OrderUpdate


class AssetPush(msgspec.Struct, frozen=True, gc=False):
    """A balance changed."""

    update: AssetUpdate


class Ping(msgspec.Struct, frozen=True, gc=False):
    """The server asks for a sign of life; the answer must carry the same id."""

    ping_id: Any


class Pong(msgspec.Struct, frozen=True, gc=False):
    """The server answers our ping."""

    ping_id: Any


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """An error frame: a sentence, no code. It echoes our address, maybe the key."""

    message: str


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """A frame that no document describes, or one that is broken."""

    reason: str


Frame = OrderPush | AssetPush | Ping | Pong | Refusal | Unknown


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    type: Any = None
    pair: Any = None
    order_update: OrderUpdate | None = msgspec.field(name="orderUpdate", default=None)
    """Decoded in the same pass, since nearly every frame has it."""
    data: msgspec.Raw = msgspec.Raw()
    action: Any = None
    ping: Any = None
    pong: Any = None
    status: Any = None
    message: Any = None


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope, float_hook=str)
_ASSET: Final = msgspec.json.Decoder(AssetUpdate, float_hook=str)


def decode_frame(text: str) -> Frame:
    """Tell what kind of frame a text is. Never raises."""
    try:
        return _sorted_out(_ENVELOPE.decode(text))
    except msgspec.ValidationError:
        return Unknown("wrong_type")
    except RecursionError:
        return Unknown("too_deep")
    except (msgspec.DecodeError, UnicodeError):
        return Unknown("not_json")


def _sorted_out(envelope: _Envelope) -> Frame:
    match envelope.type:
        case "orderUpdate":
            if envelope.order_update is None:
                return Unknown("missing_field")
            return OrderPush(envelope.pair, envelope.order_update)
        case "assetUpdate":
            if not envelope.data:
                return Unknown("missing_field")
            return AssetPush(_ASSET.decode(envelope.data))
    match envelope.action:
        case "ping":
            return Ping(envelope.ping)
        case "pong":
            return Pong(envelope.pong)
    if envelope.status == "error":
        return Refusal(str(envelope.message))
    return Unknown("unknown_type")
