"""The database's tables, and how an older journal becomes a current one.

`user_version` counts the steps that were taken; each is one transaction. A step
that was ever released is never edited: write the next one.
"""

from typing import Final

APPLICATION_ID: Final = 0x47574A31
"""``GWJ1``, at offset 68 of the file: this is a gateway's journal."""

PAGE_BYTES: Final = 4096

MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE ledger (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        epoch TEXT NOT NULL,
        first_seq INTEGER NOT NULL,
        next_seq INTEGER NOT NULL,
        checksum INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        id BLOB NOT NULL,
        kind TEXT NOT NULL,
        account TEXT NOT NULL,
        symbol TEXT,
        venue_symbol TEXT,
        received_ns INTEGER NOT NULL,
        tail BLOB NOT NULL,
        raw BLOB,
        checksum INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE sealed_ids (
        segment INTEGER NOT NULL,
        id BLOB NOT NULL,
        PRIMARY KEY (segment, id)
    ) WITHOUT ROWID, STRICT;

    CREATE TABLE id_segments (
        number INTEGER PRIMARY KEY,
        last_seq INTEGER NOT NULL,
        filter BLOB NOT NULL,
        checksum INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE book (
        account TEXT NOT NULL,
        section TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        checksum INTEGER NOT NULL,
        PRIMARY KEY (account, section, key)
    ) WITHOUT ROWID, STRICT;

    CREATE TABLE sinks (
        name TEXT PRIMARY KEY,
        type TEXT NOT NULL,
        start_seq INTEGER NOT NULL,
        cursor INTEGER NOT NULL,
        delivered INTEGER NOT NULL,
        filtered INTEGER NOT NULL,
        dropped INTEGER NOT NULL,
        dead_letters INTEGER NOT NULL,
        replayed INTEGER NOT NULL,
        holds_retention INTEGER NOT NULL,
        overflow TEXT NOT NULL,
        checksum INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT;

    CREATE TABLE dead_letters (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        sink TEXT NOT NULL,
        reason TEXT NOT NULL,
        excerpt TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        first_try_ns INTEGER NOT NULL,
        last_try_ns INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        id BLOB NOT NULL,
        kind TEXT NOT NULL,
        account TEXT NOT NULL,
        symbol TEXT,
        venue_symbol TEXT,
        received_ns INTEGER NOT NULL,
        tail BLOB NOT NULL,
        raw BLOB,
        checksum INTEGER NOT NULL
    ) STRICT;

    CREATE INDEX dead_letters_of_sink ON dead_letters (sink, number);
    """,
)

VERSION: Final = len(MIGRATIONS)
