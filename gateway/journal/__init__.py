"""The append-only truth, and the bus: what is here is on disk, in order, once.

`open_journal` gives the house its one writer; `open_reader` looks at a journal,
running or stopped, without writing. Events, cursors, dead letters and the book
stand in one SQLite file and move in one transaction. There is no second queue of
events anywhere.
"""

from gateway.journal.journal import Journal
from gateway.journal.lifetime import open_journal
from gateway.journal.reader import JournalReader, open_reader
from gateway.journal.records import (
    BlockReason,
    BookChange,
    Committed,
    DeadLetter,
    JournalStatus,
    SinkPosition,
)
from gateway.journal.reply import Ticket
from gateway.journal.settings import JournalSettings, Retention

__all__ = [
    "BlockReason",
    "BookChange",
    "Committed",
    "DeadLetter",
    "Journal",
    "JournalReader",
    "JournalSettings",
    "JournalStatus",
    "Retention",
    "SinkPosition",
    "Ticket",
    "open_journal",
    "open_reader",
]
