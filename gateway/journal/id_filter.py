"""Which of many segments may hold an id: one look, however many segments there are.

A Bloom filter per segment, laid side by side: byte `row * width + column` belongs
to the segment in `column`. A row of all segments is one slice, and four rows are
compared as whole integers, so that a million ids in sixteen segments cost the
same look as ten million in a hundred and sixty.
"""

from collections.abc import Iterable
from typing import Final

_ROWS: Final = 1 << 17
"""Bytes of one segment's filter."""
_MASK: Final = _ROWS * 8 - 1
_SHIFTS: Final = (0, 24, 48, 72)
"""With 16 bits an id, a segment of 65,536 is asked in vain once in 400 looks."""
_BIT: Final = tuple(1 << bit for bit in range(8))
_FIRST_WIDTH: Final = 8


class SegmentFilter:
    """The filter of one segment while it is made."""

    def __init__(self) -> None:
        self._bits = bytearray(_ROWS)

    def add(self, ids: Iterable[bytes]) -> None:
        """Learn ids."""
        bits = self._bits
        for event_id in ids:
            digits = int.from_bytes(event_id, "little")
            for shift in _SHIFTS:
                place = digits >> shift & _MASK
                bits[place >> 3] |= _BIT[place & 7]

    def finish(self) -> bytes:
        """The filter, to be kept."""
        return bytes(self._bits)


class FilterTable:
    """The filters of all sealed segments."""

    def __init__(self, segments: int = 0) -> None:
        """Make room for so many segments at once; more find room too, more slowly."""
        self._width = max(_FIRST_WIDTH, 1 << segments.bit_length())
        self._table = bytearray(_ROWS * self._width)
        self._columns: dict[int, int] = {}
        """Segment number → column."""
        self._ones = _ones(self._width)

    def put(self, segment: int, bits: bytes) -> None:
        """Add a sealed segment."""
        free = set(range(self._width)).difference(self._columns.values())
        if not free:
            self._widen()
            free = {self._width // 2}
        column = self._columns[segment] = min(free)
        self._table[column :: self._width] = bits

    def drop(self, segment: int) -> None:
        """Remove a segment whose records were retired."""
        column = self._columns.pop(segment)
        self._table[column :: self._width] = bytes(_ROWS)

    def candidates(self, event_id: bytes) -> list[int]:
        """The segments that may hold the id; nearly always none."""
        if not self._columns:
            return []
        width, table, found = self._width, self._table, self._ones
        for row, bit in _places(event_id):
            begin = row * width
            found &= int.from_bytes(table[begin : begin + width], "little") >> bit
            if not found:
                return []
        return [n for n, column in self._columns.items() if found >> (8 * column) & 1]

    def _widen(self) -> None:
        old, width = self._table, self._width
        self._width = 2 * width
        self._ones = _ones(self._width)
        self._table = bytearray(_ROWS * self._width)
        for column in range(width):
            self._table[column :: self._width] = old[column::width]


def _places(event_id: bytes) -> list[tuple[int, int]]:
    """Byte and bit of each hash. Ids are digests already: any part of them is a hash."""
    digits = int.from_bytes(event_id, "little")
    return [((digits >> shift & _MASK) >> 3, digits >> shift & 7) for shift in _SHIFTS]


def _ones(width: int) -> int:
    return int.from_bytes(b"\x01" * width, "little")
