"""What the deliveries say about themselves. One line per change of state, not per attempt."""

from gateway.telemetry.happenings import Happening, Level

STARTED = Happening("sink_started", Level.INFO, "A sink's worker began or went on.")
STOPPED = Happening("sink_stopped", Level.INFO, "A sink's worker ended in order.")
FAILING = Happening(
    "sink_failing", Level.WARNING, "A sink cannot take events now; they wait and are tried again."
)
CRASHED = Happening(
    "sink_crashed", Level.ERROR, "A sink failed by a defect of its own; it is tried again."
)
RECOVERED = Happening("sink_recovered", Level.INFO, "A sink takes events again.")
DEAD_LETTERS = Happening(
    "sink_dead_letters", Level.ERROR, "A sink refused events for good; see `gateway dlq list`."
)
OVERTAKEN = Happening(
    "sink_overtaken",
    Level.ERROR,
    "Events were removed from the journal before a sink had taken them.",
)
UNDELIVERED = Happening(
    "sink_undelivered",
    Level.WARNING,
    "The gateway stops while a sink still has events to take; they wait for the next start.",
)
PAUSED = Happening("sink_paused", Level.INFO, "Somebody paused a sink.")
RESUMED = Happening("sink_resumed", Level.INFO, "Somebody resumed a sink.")
FORGOTTEN = Happening("sink_forgotten", Level.WARNING, "Somebody had a sink's position forgotten.")
REPLAYED = Happening("sink_replayed", Level.INFO, "Somebody had events sent again.")
DISCARDED = Happening(
    "sink_dead_letters_discarded", Level.WARNING, "Somebody dropped dead letters."
)
