"""A pretend FMEX: signed socket, JSON numbers, an inverse contract, REST with paging.

Written from FMEX's own documents and, where they are silent, from what its users'
clients and its sibling exchanges show; it shares no code with the adapter, so that
it can bear witness.
"""

from typing import Final

from adapters.fmex.simulator.switches import Switches
from adapters.fmex.simulator.venue import FmexVenue
from gateway.simulator.dialect import Stage


class FmexDialect:
    """What the engine needs to know of FMEX."""

    name: Final = "fmex"
    websocket_path: Final = "/v2/user/ws"
    switches: Final = Switches

    def open(self, stage: Stage) -> FmexVenue:
        """Start a pretend FMEX."""
        return FmexVenue(stage)


SIMULATOR: Final = FmexDialect()
