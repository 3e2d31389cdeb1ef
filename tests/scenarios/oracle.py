"""The oracle: what the venues truly did against what a sink holds.

Shared by every scenario. It knows the simulators' truth and the delivered JSON,
and nothing of the gateway: no adapter, no book, no journal is imported, or it
would share their mistakes. Letters in messages are those of `docs/reliability.md`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from gateway.simulator import Fact, FactKind, Fate, Truth

Delivered = dict[str, Any]
"""One delivered event, as JSON."""

CHECKED = timedelta(seconds=70)
"""How soon the next push about something makes one good that the venue swallowed on a socket
that stands: nothing but the next comparison with REST (every 60 s in virtual time) can tell,
and by then it is good. A push that met no connection at all has no such excuse."""

LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)
"""Before every fact."""

EDGE = timedelta(seconds=2)
"""How far a declared bound may lie from the first fact that was lost behind it. Not less: LBank
tells trades and order times in REST by the second, a push is on its way for a moment, and a find
that both explain moves no bound."""


class Verdict(msgspec.Struct, kw_only=True):
    """What the oracle found; everything empty is what we promise."""

    missing: list[str] = msgspec.field(default_factory=list)
    """I1: true facts that no event tells."""
    invented: list[str] = msgspec.field(default_factory=list)
    """I2: events that no fact stands behind."""
    disorder: list[str] = msgspec.field(default_factory=list)
    """I3: first occurrences out of `seq` order, or holes."""
    doubled: list[str] = msgspec.field(default_factory=list)
    """Two ids for one fact."""
    dishonest: list[str] = msgspec.field(default_factory=list)
    """I8: lost pushes outside every declared gap, or gaps left open."""
    repeats: int = 0
    """I4: lines that came again with the same id; harmless, and counted."""
    facts: int = 0
    events: int = 0

    def assert_kept(self) -> None:
        """Fail with everything that was found, cut to what a person reads."""
        found = {
            name: getattr(self, name)[:8]
            for name in ("missing", "invented", "disorder", "doubled", "dishonest")
            if getattr(self, name)
        }
        assert not found, f"promises broken ({self.facts} facts, {self.events} events): {found}"
        assert self.facts > 0, "nothing happened: the scenario proves nothing"

    def add(self, page: "Verdict") -> None:
        """Count a page that was kept."""
        self.facts += page.facts
        self.events += page.events
        self.repeats += page.repeats


def judge(
    delivered: Sequence[Delivered],
    truths: Mapping[str, tuple[Truth, int]],
    after_seq: int = 0,
    *,
    checked: timedelta = CHECKED,
) -> Verdict:
    """Compare. `truths` names, per account of the gateway, its truth and index there.

    `after_seq` is where an earlier judgement ended, when both sides have been
    cleared of what it judged; 0 for the first. `checked` is 0 where REST was compared between
    each push that was swallowed and the next.
    """
    verdict = Verdict(events=len(delivered))
    unique = _check_order(delivered, after_seq, verdict)
    by_account: dict[str, list[Delivered]] = defaultdict(list)
    for event in unique:
        by_account[event["account"]].append(event)
    for name, (truth, index) in truths.items():
        events = by_account[name]
        begin = LONG_AGO if after_seq else _first_live(events)
        _Account(name, truth, index, events, begin, verdict).judge(checked)
    return verdict


def _check_order(delivered: Sequence[Delivered], highest: int, verdict: Verdict) -> list[Delivered]:
    """I3 and I4: first occurrences follow `seq` without holes."""
    first: dict[str, Delivered] = {}
    for event in delivered:
        if event["id"] in first:
            verdict.repeats += 1
            if first[event["id"]] != event:
                verdict.invented.append(f"{event['id']} came again altered")
            continue
        first[event["id"]] = event
        if highest and event["seq"] != highest + 1:
            verdict.disorder.append(f"seq {event['seq']} after {highest}")
        highest = event["seq"]
    return list(first.values())


class _Account:
    def __init__(
        self,
        name: str,
        truth: Truth,
        index: int,
        events: list[Delivered],
        begin: datetime | None,
        verdict: Verdict,
    ) -> None:
        self.name = name
        self.verdict = verdict
        self.events = events
        self.truth = truth
        # What happened before the first `live` is the snapshot's, not the stream's.
        self.facts = [
            fact
            for fact in truth.of(index)
            if begin is not None and _at(fact.time_ms) >= begin - timedelta(milliseconds=500)
        ]
        self.all_facts = truth.of(index)
        verdict.facts += len(self.facts)

    def judge(self, checked: timedelta) -> None:
        self._judge_fills()
        self._judge_orders()
        self._judge_states(FactKind.BALANCE, "balance", ("available", "held"))
        self._judge_states(FactKind.POSITION, "position", ("quantity",))
        self._judge_gaps(checked)

    def _of(self, kind: str) -> list[Delivered]:
        return [event for event in self.events if event["kind"] == kind]

    def _facts(self, kind: FactKind) -> list[Fact]:
        return [fact for fact in self.facts if fact.kind == kind]

    def _judge_fills(self) -> None:
        """Each execution once; derived ones sum to the quantity that truly filled."""
        true_ids: dict[tuple[Any, ...], Fact] = {}
        true_sums: dict[str, Decimal] = defaultdict(Decimal)
        all_ids = {key for f in self.all_facts if f.kind == "fill" for key in _ids_of(f)}
        for fact in self._facts(FactKind.FILL):
            true_sums[str(fact.told["order_id"])] += _number(fact.told["quantity"])
            true_ids.update(dict.fromkeys(_ids_of(fact), fact))
        sums: dict[str, Decimal] = defaultdict(Decimal)
        seen: set[tuple[Any, ...]] = set()
        for event in self._of("fill"):
            fill = event["fill"]
            sums[fill["order_id"]] += _number(fill["quantity"])
            if fill["fill_id"] is not None:
                self._judge_one_fill(fill, true_ids, all_ids, seen)
        for order_id, total in true_sums.items():
            if sums[order_id] < total:
                self._note("missing", f"fills of {order_id}: {sums[order_id]} of {total}")
        everything = self._sum_of_all()
        for order_id, total in sums.items():
            if total > everything[order_id]:
                self._note("doubled", f"fills of {order_id}: {total} of {everything[order_id]}")

    def _judge_one_fill(
        self,
        fill: dict[str, Any],
        true_ids: dict[tuple[Any, ...], Fact],
        all_ids: set[tuple[Any, ...]],
        seen: set[tuple[Any, ...]],
    ) -> None:
        key = (fill["order_id"], fill["fill_id"])
        fact = true_ids.get(key)
        one = key if fact is None else _ids_of(fact)[0]
        if one in seen:
            self._note("doubled", f"fill {key} has two ids")
        seen.add(one)
        if fact is None:
            if key not in all_ids:
                self._note("invented", f"fill {key}")
            return
        for name in ("price", "quantity"):
            if _number(fill[name]) != _number(fact.told[name]):
                self._note("invented", f"fill {key}: {name} {fill[name]} was {fact.told[name]}")

    def _sum_of_all(self) -> dict[str, Decimal]:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for fact in self.all_facts:
            if fact.kind == "fill":
                sums[str(fact.told["order_id"])] += _number(fact.told["quantity"])
        return sums

    def _judge_orders(self) -> None:
        """The last state of each order is held; no state is told that never was."""
        true_states = {
            (str(f.told["order_id"]), f.told["status"], _number(f.told["filled_quantity"]))
            for f in self.all_facts
            if f.kind == "order"
        }
        words = {state[:2] for state in true_states}
        last: dict[str, dict[str, Any]] = {}
        for event in self._of("order"):
            order = event["order"]
            last[order["order_id"]] = order
            key = (order["order_id"], order["status"])
            filled = order["filled_quantity"]
            known = key in words if filled is None else (*key, _number(filled)) in true_states
            if not known:
                self._note("invented", f"order {key} filled {filled}")
        for order_id, fact in _last(self._facts(FactKind.ORDER)).items():
            held = last.get(order_id)
            if held is None or held["status"] != fact.told["status"]:
                state = None if held is None else held["status"]
                self._note("missing", f"order {order_id} is {fact.told['status']}, told {state}")

    def _judge_states(self, kind: FactKind, word: str, values: tuple[str, ...]) -> None:
        """The last balance or position is held; no value is told that never was."""
        key_name = "asset" if kind == FactKind.BALANCE else None
        held: dict[str, tuple[Decimal, ...]] = {}
        for event in self._of(word):
            body = event[word]
            key = body[key_name] if key_name else event["venue_symbol"]
            held[key] = tuple(_number(body[name]) for name in values)
        for key, fact in _last(self._facts(kind)).items():
            true = tuple(_number(fact.told[name]) for name in values)
            if held.get(key) != true:
                self._note("missing", f"{word} {key} is {true}, told {held.get(key)}")

    def _judge_gaps(self, checked: timedelta) -> None:
        """Every push that was taken away lies in a declared gap, and none is left open.

        A push that the venue swallowed is made good, and needs no gap, where the next one of
        the same order, asset or contract came through: states in between are not promised,
        and the fills between the two are judged by themselves (`missing`).
        """
        gaps = self._declared()
        carried = _with_fate(self.truth, set(Fate) - {Fate.LOST})
        swallowed = _with_fate(self.truth, {Fate.LOST})
        next_heard: dict[tuple[str, str], datetime] = {}
        for fact in reversed(self.facts):
            at, subject = _at(fact.time_ms), _subject(fact)
            if not fact.streamed:
                continue
            if fact.number in carried:
                next_heard[subject] = at
            elif fact.number in swallowed and _is_made_good(at, next_heard.get(subject), checked):
                continue
            elif not any(since - EDGE <= at <= until + EDGE for since, until in gaps):
                self._note("dishonest", f"{fact.kind} {fact.key} at {at} was lost in no gap")

    def _declared(self) -> list[tuple[datetime, datetime]]:
        spans: list[tuple[datetime, datetime]] = []
        opened: datetime | None = None
        for event in self._of("stream"):
            stream = event["stream"]
            if stream["status"] == "gap_opened":
                opened = time_of(stream["since"])
            elif stream["status"] == "gap_closed":
                until = time_of(stream["until"] or event["received_time"])
                spans.append((time_of(stream["since"]), until))
                opened = None
        if opened is not None:
            spans.append((opened, datetime.max.replace(tzinfo=UTC) - 2 * EDGE))
        return spans

    def _note(self, what: str, text: str) -> None:
        getattr(self.verdict, what).append(f"{self.name}: {text}")


def _is_made_good(lost: datetime, heard_next: datetime | None, checked: timedelta) -> bool:
    """Whether the next push about the same thing came in time."""
    return heard_next is not None and heard_next - lost <= checked


def _with_fate(truth: Truth, fates: Set[Fate]) -> set[int]:
    """Facts that met one of these fates on at least one connection."""
    return {
        number
        for delivery in truth.deliveries
        if delivery.fate in fates
        for number in delivery.facts
    }


def _ids_of(fact: Fact) -> list[tuple[str, Any]]:
    """What an execution is called: by pushes, and by a list of REST that has ids of its own."""
    names = (fact.told["fill_id"], fact.told.get("other_fill_id"))
    return [(str(fact.told["order_id"]), name) for name in names if name is not None]


def _subject(fact: Fact) -> tuple[str, str]:
    """The order, asset or contract that a fact is about; a fill is about its order."""
    if fact.kind in (FactKind.ORDER, FactKind.FILL):
        return ("order", str(fact.told["order_id"]))
    return (fact.kind.value, fact.key)


def _last(facts: Iterable[Fact]) -> dict[str, Fact]:
    return {fact.key: fact for fact in facts}


def _first_live(events: Iterable[Delivered]) -> datetime | None:
    for event in events:
        if event["kind"] == "stream" and event["stream"]["status"] == "live":
            return time_of(event["received_time"])
    return None


def _number(value: Any) -> Decimal:
    return Decimal(str(value))


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def time_of(text: str) -> datetime:
    """The instant that a timestamp of an event names."""
    return datetime.fromisoformat(text)
