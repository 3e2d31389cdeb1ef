"""WebSocket frames from the server's side, made by hand because that is quick.

A server's frames are not masked, so a frame is a short head and the payload.
"""

import zlib
from enum import IntEnum
from typing import Final

_FIN: Final = 0x80
_COMPRESSED: Final = 0x40
"""RSV1, which permessage-deflate (RFC 7692) puts on the first frame of a message."""
_SYNC_TAIL: Final = b"\x00\x00\xff\xff"


class Opcode(IntEnum):
    """RFC 6455, section 5.2."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


def encode(
    opcode: Opcode, payload: bytes, *, final: bool = True, compressed: bool = False
) -> bytes:
    """One frame."""
    first = opcode | (_FIN if final else 0) | (_COMPRESSED if compressed else 0)
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 65536:
        return bytes((first, 126)) + length.to_bytes(2, "big") + payload
    return bytes((first, 127)) + length.to_bytes(8, "big") + payload


def text_frame(text: str, *, deflate: bool = False) -> bytes:
    """One text message, compressed if the client understands that."""
    payload = text.encode()
    if deflate:
        return encode(Opcode.TEXT, deflated(payload), compressed=True)
    return encode(Opcode.TEXT, payload)


def close_frame(code: int, reason: str) -> bytes:
    """A closing frame; the reason is cut to what fits."""
    return encode(Opcode.CLOSE, code.to_bytes(2, "big") + reason.encode()[:123])


def deflated(payload: bytes) -> bytes:
    """A message of permessage-deflate with a context of its own."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH)
    return packed.removesuffix(_SYNC_TAIL)
