# ruff: noqa: S608 - the statements are put together from constants of this room
"""Many rows in one statement, so that SQLite works beside Python and not in turns with it.

While a statement runs, Python's lock is free; after each one the writer's thread
queues for it again, and waits for as long as the loop's thread does not let go:
up to the switch interval, 5 ms. Row by row that made a busy loop and the journal
take turns on one processor.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

import apsw

_SIZES: Final = (512, 64, 8, 1)
"""Rows of one statement, largest first. Each size is one more statement that SQLite
compiles once and keeps, where its text has at most 16 KiB."""
_FILLED: Final = 4
"""A statement is used from this share of its rows on, an empty row in place of each that
lacks: passing over some is cheaper than several smaller statements."""


def insert_rows(
    connection: apsw.Connection, insert: str, rows: Sequence[tuple[object, ...]]
) -> None:
    """Run `insert` (up to the rows) for all rows: equally wide, the first column never null."""
    done = 0
    while (left := len(rows) - done) > 0:
        size = next(size for size in _SIZES if left * _FILLED > size)
        part = rows[done : done + size]
        done += len(part)
        width = len(part[0])
        empty = (None,) * (width * (size - len(part)))
        connection.execute(_statement(insert, width, size), (*chain(*part), *empty))


@lru_cache
def _statement(insert: str, width: int, rows: int) -> str:
    row = f"({','.join('?' * width)})"
    values = ",".join([row] * rows)
    if rows == 1:
        return f"{insert} VALUES {values}"
    return f"{insert} SELECT * FROM (VALUES {values}) WHERE column1 IS NOT NULL"
