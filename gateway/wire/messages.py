"""What a WebSocket hands over, and the words for how one ends."""

from enum import IntEnum
from typing import Final

import msgspec

from gateway.errors import ConnectionLost
from gateway.events.model import StreamReason

RECEIVE_BYTES: Final = 64 * 1024
"""How much to take at most of one read (`gateway.wire.reads`)."""


class Received(msgspec.Struct, frozen=True, gc=False):
    """One or more frames that arrived together, in order."""

    frames: list[str | bytes]
    """Text frames as str, binary frames as bytes."""
    received_ns: int
    """Epoch ns at which they were read here."""


class CloseCode(IntEnum):
    """The close codes of RFC 6455 that we send or must explain."""

    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    NO_STATUS = 1005
    ABNORMAL = 1006
    INVALID_UTF8 = 1007
    TOO_LARGE = 1009


_REASONS: Final[dict[int, StreamReason]] = {
    CloseCode.INVALID_UTF8: StreamReason.INVALID_UTF8,
    CloseCode.TOO_LARGE: StreamReason.FRAME_TOO_LARGE,
}


def lost_by_server(code: int, reason: str) -> ConnectionLost:
    """The server sent a close frame."""
    if code == CloseCode.NO_STATUS:
        return ConnectionLost("the server closed the connection without saying why")
    return ConnectionLost(f"the server closed the connection: {code} {reason!r}")


def lost_without_close() -> ConnectionLost:
    """The stream ended or broke in the middle."""
    return ConnectionLost("the connection broke without a close frame")


def lost_by_fault(code: int, detail: str) -> ConnectionLost:
    """We ended it with `code`, as RFC 6455 asks where the server breaks its rules."""
    return ConnectionLost(
        f"the server broke the protocol ({code}): {detail}",
        _REASONS.get(code, StreamReason.PROTOCOL_ERROR),
    )
