"""One POST: events as a body, with the headers that go with it. Pure."""

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.contracts.sink import Item
from gateway.sinks.webhook.signature import batch_id, sign

_CONTENT_TYPES: Final = {
    ("native", "single"): "application/json",
    ("native", "batch"): "application/json",
    ("cloudevents", "single"): "application/cloudevents+json",
    ("cloudevents", "batch"): "application/cloudevents-batch+json",
}


class Message(msgspec.Struct, frozen=True):
    """What is posted."""

    headers: dict[str, str]
    body: bytes


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """Makes messages of one sink."""

    format: str
    mode: str
    headers: dict[str, str]
    """Sent with every message. May hold secrets."""
    keys: tuple[bytes, ...]
    """What messages are signed with."""

    def write(self, items: Sequence[Item], now_ns: int) -> Message:
        """The message that carries `items`: in single mode exactly one."""
        if self.mode == "single":
            [item] = items
            message_id, body = item.record.id, item.body
        else:
            message_id = batch_id([item.record.id for item in items])
            body = b"[%b]" % b",".join(item.body for item in items)
        headers = {
            **self.headers,
            "content-type": _CONTENT_TYPES[self.format, self.mode],
            **sign(message_id, now_ns // 10**9, body, self.keys),
        }
        return Message(headers, body)
