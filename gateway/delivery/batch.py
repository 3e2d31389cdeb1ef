"""A stretch of the journal on its way to one sink, and how much of it is settled.

Pure. The rule for a batch that was accepted in part: each event keeps the verdict
that settled it (accepted or refused), only events without one are sent again, and
the cursor follows the longest settled stretch from the front. So nothing that came
out of order is sent or counted twice while this process lives; after a crash it is
sent again, with the same id.
"""

from collections.abc import Sequence

import msgspec

from gateway.contracts.sink import Accepted, Item, Later, Refused, Verdict


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """An event that the sink refused for good, after so many attempts."""

    item: Item
    verdict: Refused
    attempts: int


class Step(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How far the cursor may move, and what became of the events on that way."""

    to_seq: int
    delivered: int
    filtered: int
    refused: tuple[Refusal, ...]


class Batch:
    """Events after `after_seq` up to `to_seq`; those not among `items` were filtered."""

    def __init__(self, after_seq: int, to_seq: int, items: Sequence[Item]) -> None:
        self._after_seq = after_seq
        self._to_seq = to_seq
        self._items = list(items)
        self._settled: dict[int, Accepted | Refusal] = {}
        self.attempts = 0
        self.first_try_ns: int | None = None

    def unsettled(self) -> list[Item]:
        """What is to be sent, in order of seq."""
        return [item for item in self._items if item.record.seq not in self._settled]

    def oldest_ns(self) -> int | None:
        """When the first event still to be sent was received."""
        return next((item.record.received_ns for item in self.unsettled()), None)

    def settle(self, verdicts: Sequence[Verdict], now_ns: int) -> int:
        """Take the answers to `unsettled()`; gives how many events they settled."""
        self.attempts += 1
        if self.first_try_ns is None:
            self.first_try_ns = now_ns
        before = len(self._settled)
        for item, verdict in zip(self.unsettled(), verdicts, strict=True):
            if isinstance(verdict, Refused):
                self._settled[item.record.seq] = Refusal(item, verdict, self.attempts)
            elif isinstance(verdict, Accepted):
                self._settled[item.record.seq] = verdict
        return len(self._settled) - before

    def step(self) -> Step | None:
        """The settled stretch at the front, handed out once; None when there is none."""
        front: list[Accepted | Refusal] = []
        to_seq = self._to_seq
        for item in self._items:
            outcome = self._settled.get(item.record.seq)
            if outcome is None:
                to_seq = item.record.seq - 1
                break
            front.append(outcome)
        if to_seq == self._after_seq:
            return None
        refused = tuple(outcome for outcome in front if isinstance(outcome, Refusal))
        step = Step(
            to_seq=to_seq,
            delivered=len(front) - len(refused),
            filtered=to_seq - self._after_seq - len(front),
            refused=refused,
        )
        self.drop_to(to_seq)
        return step

    def drop_to(self, seq: int) -> None:
        """Forget events up to `seq`: the cursor is past them."""
        self._items = [item for item in self._items if item.record.seq > seq]
        self._settled = {at: outcome for at, outcome in self._settled.items() if at > seq}
        self._after_seq = max(self._after_seq, seq)

    @property
    def done(self) -> bool:
        """Nothing is left of it."""
        return self._after_seq >= self._to_seq


def first_later(verdicts: Sequence[Verdict]) -> Later | None:
    """The first event that has to wait decides for how long."""
    return next((verdict for verdict in verdicts if isinstance(verdict, Later)), None)
