"""Frames of a blast, made in this process, for benchmarks of single stages."""

import trio

from gateway import registry
from gateway.simulator import Scenario, load_dialect, open_simulator


def blast_frames(venue: str, count: int) -> list[str]:
    """So many pushes of new orders, as the pretend venue would send them."""

    async def make() -> list[str]:
        dialect = load_dialect(registry.find_venue(venue))
        scenario = Scenario(venue=venue, accounts=1, rate=0)
        async with open_simulator(dialect, scenario=scenario) as simulator:
            return simulator.venue.load_frames(0, count, 1)

    return trio.run(make)
