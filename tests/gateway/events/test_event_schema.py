"""The JSON Schema of events: what is sent passes, what could mislead does not."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway.config.docstrings import attribute_docs
from gateway.events.codec import encode, render_native
from gateway.events.model import (
    BODY_TYPES,
    Event,
    Kind,
    Origin,
    Stream,
    StreamReason,
    StreamStatus,
    Unrecognized,
)
from gateway.events.schema import event_schema
from gateway.events.times import Timestamp

GOLDEN: list[dict[str, Any]] = [
    json.loads(line)
    for line in Path(__file__).with_name("golden_events.jsonl").read_text().splitlines()
]
"""The venues' official examples as events, without what differs from run to run."""

ENVELOPE = {
    "schema": "1.0",
    "id": "0123456789abcdef0123456789abcdef",
    "seq": 7,
    "received_time": "2026-11-22T13:02:11.123456Z",
}


@pytest.fixture(name="validator", scope="module")
def _validator() -> jsonschema.Draft202012Validator:
    schema = event_schema(attribute_docs)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("golden", GOLDEN, ids=[one["kind"] for one in GOLDEN])
def test_golden_events_are_valid(
    golden: dict[str, Any], validator: jsonschema.Draft202012Validator
) -> None:
    """The documented results pass."""
    assert list(validator.iter_errors(ENVELOPE | golden)) == []


@pytest.mark.parametrize("golden", GOLDEN, ids=[one["kind"] for one in GOLDEN])
def test_golden_events_have_exactly_the_fields_of_the_schema(
    golden: dict[str, Any], validator: jsonschema.Draft202012Validator
) -> None:
    """No field of the contract is missing in the schema, none is there in addition."""
    definitions: Any = validator.schema["$defs"]  # type: ignore[index] # JSON of any shape
    kind = golden["kind"]

    assert list(definitions[kind]["properties"]) == list(golden[kind])
    assert {*ENVELOPE, *golden, "raw"} == set(definitions[f"{kind}_event"]["properties"])


@pytest.mark.parametrize(
    "body",
    [
        Stream(status=StreamStatus.LIVE, reason=StreamReason.SUBSCRIBED),
        Unrecognized(reason="not_json", frame="{"),
    ],
)
def test_what_the_codec_writes_is_valid(
    body: Any, validator: jsonschema.Draft202012Validator
) -> None:
    """Events about the gateway itself pass too, with and without the venue's text."""
    event = Event(
        id=ENVELOPE["id"],
        account="a",
        venue="v",
        origin=Origin.GATEWAY,
        received_time=Timestamp(ENVELOPE["received_time"]),
        body=body,
    )
    encoded = encode(event)

    for include_raw in (False, True):
        native = render_native(event.id, 1, encoded.tail, encoded.raw, include_raw=include_raw)
        assert list(validator.iter_errors(json.loads(native))) == []


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 0},
        {"id": "0123"},
        {"kind": "trade"},
        {"kind": "fill"},
        {"received_time": "2026-11-22T13:02:11Z"},
        {"order": None},
        {"order": GOLDEN[0]["order"] | {"price": 1.5}},
        {"order": GOLDEN[0]["order"] | {"price": "1e-8"}},
        {"order": GOLDEN[0]["order"] | {"status": "done"}},
        {"order": {k: v for k, v in GOLDEN[0]["order"].items() if k != "fee"}},
    ],
)
def test_what_is_no_event(
    change: dict[str, Any], validator: jsonschema.Draft202012Validator
) -> None:
    """Floats, exponents, unknown words, missing fields and foreign bodies are refused."""
    assert list(validator.iter_errors(ENVELOPE | GOLDEN[0] | change)) != []


def test_a_later_minor_version_is_valid(validator: jsonschema.Draft202012Validator) -> None:
    """Minor versions add fields: a consumer's check goes on working."""
    later = ENVELOPE | GOLDEN[0] | {"schema": "1.7", "shard": 3}

    assert list(validator.iter_errors(later)) == []


def test_every_kind_has_a_body() -> None:
    """No kind was forgotten."""
    assert set(BODY_TYPES) == set(Kind)
