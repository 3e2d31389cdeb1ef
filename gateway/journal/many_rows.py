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

_SIZES: Final = (64, 8, 1)
"""Rows of one statement, largest first. Each size is one more statement that SQLite
compiles once and keeps."""


def insert_rows(
    connection: apsw.Connection, insert: str, rows: Sequence[tuple[object, ...]]
) -> None:
    """Run `insert` (up to and with ``VALUES``) for all rows, which are equally wide."""
    done = 0
    for size in _SIZES:
        while len(rows) - done >= size:
            part = rows[done : done + size]
            done += size
            connection.execute(_statement(insert, len(part[0]), size), tuple(chain(*part)))


@lru_cache
def _statement(insert: str, width: int, rows: int) -> str:
    row = f"({', '.join('?' * width)})"
    return f"{insert} {', '.join([row] * rows)}"
