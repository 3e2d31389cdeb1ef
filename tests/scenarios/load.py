"""Load: markets that move as fast as the daemon can follow, so that the oracle can judge it.

Unlike a blast, every frame has a truth behind it, and orders end: nothing piles up in
the daemon but what the scenario wants to pile up.
"""

import trio

from gateway.simulator.steps import Trade
from tests.scenarios.rig import Rig

MOVES = 20
"""Moves of each market between two looks at the daemon."""
APART_SECONDS = 0.002
"""Between two moves of a market. A balance that goes and comes back within the same
millisecond of the venue's clock cannot be told from one that is sent twice."""
LEAD_FACTS = 5000
"""So far the venues run ahead: far enough to keep the daemon busy, and no minutes behind."""
STILL_SECONDS = 0.5
"""A journal that grows no more for so long has all that made events."""


async def pour(rig: Rig, events: int) -> int:
    """Move the markets until the journal has grown by so many events; by how many it did."""
    first = seq = last_seq(rig)
    not_events = facts_told(rig) - seq
    while seq < first + events:
        for _ in range(MOVES):
            for venue in rig.venues.values():
                venue.do(Trade())
            await trio.sleep(APART_SECONDS)
        seq = last_seq(rig)
        if facts_told(rig) - not_events - seq > LEAD_FACTS:
            seq = await _follow(rig, facts_told(rig) - not_events - LEAD_FACTS // 2)
            if facts_told(rig) - not_events - seq > LEAD_FACTS // 2:
                not_events = facts_told(rig) - seq
    return seq - first


def last_seq(rig: Rig) -> int:
    """Where the journal ends."""
    seq: int = rig.daemon.status()["journal"]["last_seq"]
    return seq


def facts_told(rig: Rig) -> int:
    """How many facts there have been, on all venues."""
    logs = [venue.truth.facts for venue in rig.venues.values()]
    return sum(facts[-1].number for facts in logs if facts)


async def _follow(rig: Rig, aim: int) -> int:
    """Wait until the journal has come to `aim`, or grows no more; where it is then."""
    seq, grew_at = last_seq(rig), trio.current_time()
    while seq < aim and trio.current_time() < grew_at + STILL_SECONDS:
        await trio.sleep(0.02)  # another process sets no event of ours
        if (now := last_seq(rig)) != seq:
            seq, grew_at = now, trio.current_time()
    return seq
