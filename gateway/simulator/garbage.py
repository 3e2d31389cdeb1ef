"""Frames that should not be, for readers that must survive them."""

from collections.abc import Iterator
from typing import Final

from gateway.simulator import frames
from gateway.simulator.frames import Opcode
from gateway.simulator.steps import GarbageKind

_DEPTH: Final = 100_000
_DIGITS: Final = 4_000

_TEXTS: Final[dict[GarbageKind, str]] = {
    "cut": '{"orderUpdate":{"amount":"0.003","orderStatus":2,"pri',
    "deep": "[" * _DEPTH + "]" * _DEPTH,
    "double_key": '{"type":"orderUpdate","type":"account","account":{},"account":[]}',
    "exponent": '{"type":"account","account":{"currency":"BTC","available":1e999},"ts":1}',
    "long_integer": '{"type":"account","ts":' + "9" * _DIGITS + "}",
    "nan": '{"type":"account","account":{"currency":"BTC","available":NaN},"ts":1}',
    "not_json": "service busy, please retry",
    "wrong_type": '{"type":["orderUpdate"],"orderUpdate":7,"pair":null,"TS":false}',
}
_ANY: Final[tuple[GarbageKind, ...]] = (*_TEXTS, "binary")


def garbage_frames(kind: GarbageKind, count: int) -> Iterator[bytes]:
    """`count` frames of that kind, or of every harmless kind in turn."""
    for number in range(count):
        yield _frame(_ANY[number % len(_ANY)] if kind == "any" else kind)


def _frame(kind: GarbageKind) -> bytes:
    if kind == "binary":
        return frames.encode(Opcode.BINARY, bytes(range(256)))
    if kind == "invalid_utf8":
        return frames.encode(Opcode.TEXT, b'{"type":"\xff\xfe"}')
    return frames.text_frame(_TEXTS[kind])


def oversize_frame(size: int) -> bytes:
    """One text message of `size` bytes."""
    return frames.encode(Opcode.TEXT, b'{"filler":"' + b"x" * (size - 13) + b'"}')


def endless_fragments(size: int) -> Iterator[bytes]:
    """`size` bytes of a message that has no last fragment."""
    piece = b"x" * 65_000
    yield frames.encode(Opcode.TEXT, b'{"filler":"', final=False)
    for _ in range(size // len(piece) + 1):
        yield frames.encode(Opcode.CONTINUATION, piece, final=False)


def deflate_bomb(size: int) -> bytes:
    """A compressed message that unfolds to `size` bytes.

    To a client that did not offer compression it is a breach of the protocol.
    """
    payload = frames.deflated(b'{"filler":"' + b"x" * (size - 13) + b'"}')
    return frames.encode(Opcode.TEXT, payload, compressed=True)
