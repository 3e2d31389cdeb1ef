"""From the journal to the sinks: the mirror of `gateway.accounts`.

`deliveries` knows all sinks; `worker` is the loop of one; `feed` reads and filters
for it, `batch` knows what is settled, `courier` delivers and moves the cursor,
`policy` decides how long to wait, `errands` sends again what was asked for. What a
sink does wrong stays in its worker; what the journal raises ends the house.
"""

from gateway.delivery.deliveries import (
    Delivery,
    SinkCommandRefused,
    SinkNotReady,
    SinkUnknown,
    open_delivery,
)
from gateway.delivery.errands import Range, ReplayReport
from gateway.delivery.status import SinkState, SinkStatus

__all__ = [
    "Delivery",
    "Range",
    "ReplayReport",
    "SinkCommandRefused",
    "SinkNotReady",
    "SinkState",
    "SinkStatus",
    "SinkUnknown",
    "open_delivery",
]
