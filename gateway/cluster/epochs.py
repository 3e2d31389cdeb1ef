"""When this gateway owned what: each epoch of each account, from which seq on.

Kept in the journal's database beside the book, so that events that wait for the shared
log through a restart go out under the ownership in which they were made.
"""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.accounts.rows import BookChange, Rows, Section, change, load_section

KEPT: Final = 16
"""Epochs remembered per account; what waits for the log is hardly ever older than two."""


class Span(msgspec.Struct, frozen=True, order=True):
    """From `first_seq` on the account's events were made in `epoch`; 0 for none of ours."""

    first_seq: int
    epoch: int


class OwnedEpochs:
    """Implements `gateway.cluster.board.Epochs`. Read in another thread, too."""

    def __init__(self) -> None:
        self._spans: dict[str, tuple[Span, ...]] = {}
        self._passed_over: dict[str, list[str]] = {}

    def knows(self, account: str) -> bool:
        """Whether `load` was called for it."""
        return account in self._spans

    def load(self, account: str, rows: Rows) -> None:
        """Take over what an earlier run noted."""
        held: Mapping[str, int] = load_section(rows, Section.OWNERSHIP)
        self._spans[account] = tuple(sorted(Span(int(seq), epoch) for seq, epoch in held.items()))

    def begin(self, account: str, epoch: int, first_seq: int) -> list[BookChange]:
        """Note an epoch (0: owned no more); the rows to be written with it."""
        spans = self._spans.get(account, ())
        kept = (*(one for one in spans if one.first_seq < first_seq), Span(first_seq, epoch))
        gone = {one.first_seq for one in spans} - {one.first_seq for one in kept[-KEPT:]}
        self._spans[account] = kept[-KEPT:]
        return [
            *(change(account, Section.OWNERSHIP, str(seq), None) for seq in sorted(gone)),
            change(account, Section.OWNERSHIP, str(first_seq), epoch),
        ]

    def latest(self, account: str) -> int:
        """The epoch that the account is in; 0 where it is not ours."""
        spans = self._spans.get(account, ())
        return spans[-1].epoch if spans else 0

    def epoch_of(self, account: str, seq: int) -> int | None:
        """See the contract."""
        spans = self._spans.get(account, ())
        place = bisect_right(spans, seq, key=lambda one: one.first_seq)
        return (spans[place - 1].epoch or None) if place else None

    def pass_over(self, account: str, event_id: str) -> None:
        """See the contract."""
        self._passed_over.setdefault(account, []).append(event_id)

    def take_passed_over(self, account: str) -> list[str]:
        """What the log did not take of former epochs, since this was last asked."""
        return self._passed_over.pop(account, [])
