"""Events to JSON and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.events.codec import DecodeError, decode, encode, render_cloudevent, render_native
from gateway.events.model import BODY_TYPES, Balance, Event, Fill, Origin, Unrecognized
from gateway.events.numbers import plain
from gateway.events.times import Timestamp

FILL = Event(
    id="0123456789abcdef0123456789abcdef",
    account="lbank-main",
    venue="lbank",
    symbol="ETH/BTC",
    venue_symbol="eth_btc",
    origin=Origin.PUSH,
    venue_time=Timestamp("2019-06-28T06:49:37.786Z"),
    received_time=Timestamp("2019-06-28T06:49:37.816123Z"),
    body=Fill(fill_id="da88", order_id="d0db", price=plain("0.02455211"), quantity=plain("0.003")),
    raw='{"type":"orderUpdate"}',
)


def native(event: Event, *, include_raw: bool = True) -> bytes:
    """The event as the seventh of a journal."""
    encoded = encode(event)
    return render_native(event.id, 7, encoded.tail, encoded.raw, include_raw=include_raw)


def test_fields_stand_in_the_order_of_the_schema():
    """The envelope's keys come in the documented order, the body under its kind."""
    assert list(json.loads(native(FILL))) == [
        "schema", "id", "seq", "kind", "account", "venue", "symbol", "venue_symbol",
        "origin", "venue_time", "received_time", "fill", "raw",
    ]  # fmt: skip


def test_raw_is_absent_unless_wanted():
    """Without include_raw the key is absent, not null."""
    assert "raw" not in json.loads(native(FILL, include_raw=False))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_event_reads_back_as_it_was(text: str):
    """Decoding gives the event and seq that were encoded, whatever text they carry."""
    event = Event(
        id="0" * 32,
        account="a",
        venue="v",
        origin=Origin.PUSH,
        received_time=Timestamp("2020-01-01T00:00:00.000000Z"),
        body=Unrecognized(reason="not_json", frame=text),
        raw=text,
    )

    assert decode(native(event)) == (7, event)


def test_every_kind_has_a_body_type():
    """No kind can be written that cannot be read back."""
    assert {kind.value for kind in BODY_TYPES} == {
        "order", "fill", "balance", "position", "stream", "unrecognized",
    }  # fmt: skip


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, b'{"schema":"2.0"}', b"\xff"])
def test_what_is_no_event_is_refused(data: bytes):
    """Bytes that are no event of schema 1.x raise DecodeError and nothing else."""
    with pytest.raises(DecodeError):
        decode(data)


def test_another_major_schema_is_refused():
    """A major version means that meanings changed, so it is not read."""
    with pytest.raises(DecodeError, match=r"2\.0"):
        decode(native(FILL).replace(b'"schema":"1.0"', b'"schema":"2.0"'))


def test_cloudevents_carry_the_native_event():
    """Structured CloudEvents 1.0: our id, a source common to all gateways, a padded sequence."""
    cloud = json.loads(render_cloudevent(FILL, 7, native(FILL, include_raw=False)))

    assert cloud.pop("data") == json.loads(native(FILL, include_raw=False))
    assert cloud == {
        "specversion": "1.0",
        "id": FILL.id,
        "source": "/accounts/lbank/lbank-main",
        "type": "gateway.fill.v1",
        "subject": "eth_btc",
        "time": "2019-06-28T06:49:37.786Z",
        "datacontenttype": "application/json",
        "account": "lbank-main",
        "venue": "lbank",
        "origin": "push",
        "sequence": "00000000000000000007",
    }


def test_the_subject_of_a_balance_is_its_asset():
    """Without a symbol the asset is the subject, and our receipt is the time."""
    balance = Event(
        id="0" * 32,
        account="a",
        venue="v",
        origin=Origin.RECOVERY,
        received_time=Timestamp("2020-01-01T00:00:00.000000Z"),
        body=Balance(asset="BTC", available=plain("1"), held=plain("0"), total=plain("1")),
    )
    cloud = json.loads(render_cloudevent(balance, 1, native(balance)))

    assert cloud["subject"] == "BTC"
    assert cloud["time"] == "2020-01-01T00:00:00.000000Z"
