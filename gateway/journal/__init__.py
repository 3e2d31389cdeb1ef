"""The append-only truth, and the bus: what is here is on disk, in order, once.

`open_journal` gives the house its one writer; `open_reader` looks at a journal,
running or stopped, without writing. Events, cursors, dead letters and the book
stand in one SQLite file and move in one transaction. There is no second queue of
events anywhere.
"""

from gateway.journal.journal import Journal
from gateway.journal.lifetime import open_journal
from gateway.journal.reader import JournalInfo, JournalReader, Selection, open_reader
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
from gateway.journal.verify import Verdict, verify

__all__ = [
    "BlockReason",
    "BookChange",
    "Committed",
    "DeadLetter",
    "Journal",
    "JournalInfo",
    "JournalReader",
    "JournalSettings",
    "JournalStatus",
    "Retention",
    "Selection",
    "SinkPosition",
    "Ticket",
    "Verdict",
    "open_journal",
    "open_reader",
    "verify",
]
