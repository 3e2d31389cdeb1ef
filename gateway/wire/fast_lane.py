"""The plain text frames, taken off what was read before a library sees it.

Nearly all that a venue sends is one kind of frame: text, whole, not compressed, not
masked. A protocol library takes 4 µs (websockets) or 18 µs (wsproto) to find that
out for each; here it takes half of one. Whatever else there is goes to the library
byte for byte: control frames, fragments, compressed and binary frames, large ones,
and every fault, so that the library alone knows and answers the protocol.

Both sides get whole frames, so they never disagree on where one begins. Order is
kept because the library gets the rest of a read from its first frame on.
"""

import re
import sys
from typing import Final

_WHOLE_TEXT: Final = 0x81
"""First byte of a text frame that is final and has no extension bit (RFC 6455, 5.2)."""
_FINAL: Final = 0x80
_OPCODE: Final = 0x0F
_CONTROL: Final = 0x08
"""Opcodes from here on are control frames, this one the close frame."""
_MASKED: Final = 0x80
_LENGTH: Final = 0x7F
_TWO_BYTES: Final = 126
"""In place of a length: it follows in two bytes."""
_EIGHT_BYTES: Final = 127
_MASK_BYTES: Final = 4
_LARGEST: Final = 4 + 0xFFFF
"""Bytes of the largest frame that is ours: its length stands in two bytes."""
_HEAD_END: Final = re.compile(rb"\n\r?\n")
"""As h11 finds the end of the answer to the handshake."""


class FastLane:
    """Divides what one connection reads between us and the library."""

    def __init__(self, max_message_bytes: int) -> None:
        self._max_bytes = max_message_bytes
        self._held = b""
        """The beginning of a frame; who gets it is told once it is whole."""
        self._owed = 0
        """Bytes to come of a frame whose beginning the library has."""
        self._fragmented = False
        """The library has a part of a message."""

    def begin(self, answer: bytes | bytearray) -> bytes:
        """What the library gets of the answer to the handshake, frames behind it included."""
        head = _HEAD_END.search(answer)
        end = len(answer) if head is None else head.end()
        return bytes(answer[:end]) + self.pass_by(bytes(answer[end:]))

    def pass_by(self, data: bytes | bytearray) -> bytes:
        """What the library gets of `data` when it is to get everything."""
        data = self._held + data
        end = self._follow(data, 0)
        self._held = data[end:]
        return data[:end]

    def split(self, data: bytes | bytearray) -> tuple[list[str], bytes]:
        """Texts at the beginning of `data`, and what the library gets of the rest."""
        if self._owed or self._fragmented:
            return [], self.pass_by(data)
        data = self._held + data
        texts: list[str] = []
        begin = self._take(data, texts)
        end = self._follow(data, begin)
        self._held = data[end:]
        return texts, data[begin:end]

    def _take(self, data: bytes, texts: list[str]) -> int:
        """Add whole texts from the beginning on; gives where something else stands."""
        at, end = 0, len(data)
        while end - at >= 4 and data[at] == _WHOLE_TEXT:
            begin, length = at + 2, data[at + 1]
            if length == _TWO_BYTES:
                begin, length = at + 4, data[at + 2] << 8 | data[at + 3]
            elif length > _TWO_BYTES:
                break
            stop = begin + length
            if stop > end or length > self._max_bytes:
                break
            try:
                texts.append(data[begin:stop].decode())
            except UnicodeDecodeError:
                break  # the library closes the connection for it
            at = stop
        return at

    def _follow(self, data: bytes, at: int) -> int:
        """Go along frames for the library; gives where that ends which it gets now."""
        end = len(data)
        while True:
            step = min(self._owed, end - at)
            at += step
            self._owed -= step
            size = _frame_bytes(data, at)
            if size is None or (at + size > end and self._may_be_ours(data[at], size)):
                return at
            self._note(data[at])
            self._owed = max(self._owed, size)

    def _may_be_ours(self, first: int, size: int) -> bool:
        whole = first == _WHOLE_TEXT and not self._fragmented
        return whole and size <= min(self._max_bytes, _LARGEST)

    def _note(self, first: int) -> None:
        """See what a frame for the library means for those that follow."""
        opcode = first & _OPCODE
        if opcode < _CONTROL:
            self._fragmented = not first & _FINAL
        elif opcode == _CONTROL:
            self._owed = sys.maxsize  # nothing that follows a close frame is a message


def _frame_bytes(data: bytes, at: int) -> int | None:
    """The size of the frame that begins there; None while that cannot be told."""
    here = len(data) - at
    if here < 2:
        return None
    length = data[at + 1] & _LENGTH
    head = 2 + (_MASK_BYTES if data[at + 1] & _MASKED else 0)
    more = {_TWO_BYTES: 2, _EIGHT_BYTES: 8}.get(length, 0)
    if not more:
        return head + length
    if here < 2 + more:
        return None
    return head + more + int.from_bytes(data[at + 2 : at + 2 + more], "big")
