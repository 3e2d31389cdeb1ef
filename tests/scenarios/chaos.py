"""Random disasters from a seed: what strikes which account, when, and for how long.

Two sorts of faults are kept apart, because they promise different things: those
whose facts REST tells (they must end `complete: true`), and those of REST itself,
which only delay that.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gateway.contracts.values import Seconds
from gateway.simulator import steps
from gateway.simulator.steps import AnyStep

SPELL_SECONDS: Final = 40.0
"""From one fault to the next: most overlap with the healing of the one before."""
LONGEST_SECONDS: Final = 45.0

Make = Callable[[random.Random, int], AnyStep]


class Strike(msgspec.Struct, frozen=True):
    """One fault at one venue."""

    at: float
    venue: str
    step: AnyStep

    @property
    def name(self) -> str:
        """As `do:` calls it."""
        return str(self.step.__struct_config__.tag)


def _lasting(rng: random.Random) -> Seconds:
    return Seconds(round(rng.uniform(2, LONGEST_SECONDS), 1))


STREAM_FAULTS: Final[dict[str, Make]] = {
    "drop": lambda rng, who: steps.Drop(account=who, how=rng.choice(("rst", "fin"))),
    "close": lambda rng, who: steps.Close(account=who, code=rng.choice((1000, 1001, 1011, 4000))),
    "silence": lambda rng, who: steps.Silence(account=who, lasting=_lasting(rng)),
    "half_open": lambda rng, who: steps.HalfOpen(account=who, lasting=_lasting(rng)),
    "mute_heartbeat": lambda rng, who: steps.MuteHeartbeat(account=who, lasting=_lasting(rng)),
    "lose_subscription": lambda _, who: steps.LoseSubscription(account=who),
    "refuse_connect": lambda rng, _: steps.RefuseConnect(
        lasting=_lasting(rng), status=rng.choice((500, 502, 503))
    ),
    "stall_connect": lambda rng, _: steps.StallConnect(lasting=_lasting(rng)),
    "lose": lambda rng, who: steps.Lose(
        account=who, lasting=_lasting(rng), share=rng.choice((0.2, 0.6, 1.0))
    ),
    "delay": lambda rng, who: steps.Delay(
        account=who, lasting=_lasting(rng), by=Seconds(rng.uniform(0.1, 3))
    ),
    "duplicate": lambda rng, who: steps.Duplicate(account=who, lasting=_lasting(rng)),
    "reorder": lambda rng, who: steps.Reorder(account=who, lasting=_lasting(rng)),
    "garbage": lambda rng, who: steps.Garbage(account=who, count=rng.randint(1, 30)),
    "oversize": lambda _, who: steps.Oversize(account=who, size=5_000_000),
}
"""What befalls a stream; the account's REST knows all that happened meanwhile."""

KEY_FAULTS: Final[dict[str, Make]] = {
    "expire_key": lambda _, who: steps.ExpireKey(account=who),
    "void_key": lambda _, who: steps.VoidKey(account=who),
}
"""Only where streams have keys."""

REST_FAULTS: Final[dict[str, Make]] = {
    "status": lambda rng, _: steps.Status(
        lasting=_lasting(rng), status=rng.choice((429, 500, 502, 503))
    ),
    "html": lambda rng, _: steps.Html(lasting=_lasting(rng)),
    "hang": lambda rng, _: steps.Hang(lasting=_lasting(rng)),
    "slow": lambda rng, _: steps.Slow(lasting=_lasting(rng), by=Seconds(rng.uniform(0.5, 4))),
    "half_answer": lambda rng, _: steps.HalfAnswer(lasting=_lasting(rng)),
}
"""What befalls REST: recovery waits, and gives up nothing."""


def make_timeline(seed: int, venues: Sequence[str], accounts: int) -> list[Strike]:
    """Five to ten faults, spread over the venues and their accounts."""
    rng = random.Random(f"chaos {seed}")
    strikes = []
    at = 5.0
    for _ in range(rng.randint(5, 10)):
        venue = rng.choice(venues)
        faults = {**STREAM_FAULTS, **REST_FAULTS, **(KEY_FAULTS if venue == "lbank" else {})}
        make = faults[rng.choice(sorted(faults))]
        strikes.append(Strike(at, venue, make(rng, rng.randrange(accounts))))
        at += rng.expovariate(1 / SPELL_SECONDS)
    return strikes
