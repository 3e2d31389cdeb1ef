"""How far the clocks of other gateways are from ours, by what they say once a second. Pure.

Each says its time with its sign of life. We read that a moment later, half a second at
most: of many such differences the least is the nearest to the truth.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final

from gateway.cluster.notes import Member

KEPT: Final = 30
"""Differences of one gateway: of as many seconds, so that a clock that is set is noticed."""

ENOUGH: Final = 3
"""The first may be read when it is as old as a lease."""

SURE_NS: Final = 10**9
"""By less than that a clock may seem to differ which does not."""


class Clocks:
    """The clocks of those who say that they live, or did until lately."""

    def __init__(self) -> None:
        self._said: dict[str, deque[tuple[int, int]]] = {}
        """By gateway: what its clock said, and how much more ours did."""

    def hear(self, members: Mapping[str, Member], now_ns: int) -> None:
        """Take what they say now, as just read."""
        for name, member in members.items():
            said = self._said.setdefault(name, deque(maxlen=KEPT))
            if member.clock_ns and (not said or said[-1][0] != member.clock_ns):
                said.append((member.clock_ns, now_ns - member.clock_ns))

    def ahead_ns(self, gateway: str) -> int:
        """How far its clock is ahead of ours; 0 where it is not known, or too little to tell."""
        said = self._said.get(gateway, ())
        if len(said) < ENOUGH:
            return 0
        ahead = -min(difference for _, difference in said)
        return ahead if abs(ahead) >= SURE_NS else 0
