"""A pretend LBank: REST and WebSocket by the documents, a lively spot market, switches.

Written from LBank's own documents (API v1 of 2019 and v2) and from what live
captures show; it shares no code with the adapter, so that it can bear witness.
"""

from typing import Final

from adapters.lbank.simulator.switches import Switches
from adapters.lbank.simulator.venue import LbankVenue
from gateway.simulator.dialect import Stage


class LbankDialect:
    """What the engine needs to know of LBank."""

    name: Final = "lbank"
    websocket_path: Final = "/ws/V2/"
    switches: Final = Switches

    def open(self, stage: Stage) -> LbankVenue:
        """Start a pretend LBank."""
        return LbankVenue(stage)


SIMULATOR: Final = LbankDialect()
