"""What the journal says about itself."""

from gateway.telemetry.happenings import Happening, Level

OPENED = Happening("journal_opened", Level.INFO, "The journal is open.")
TAIL_HEALED = Happening(
    "journal_tail_healed",
    Level.WARNING,
    "The last write was cut short by a crash and was left out; it had not been acknowledged.",
)
BLOCKED = Happening(
    "journal_blocked", Level.ERROR, "Nothing more can be kept: the sources pause until it can."
)
UNBLOCKED = Happening("journal_unblocked", Level.INFO, "The journal takes events again.")
FAILED = Happening("journal_failed", Level.ERROR, "A write failed; the gateway stops.")
CLOSE_TIMED_OUT = Happening(
    "journal_close_timed_out", Level.ERROR, "The disk did not answer while the journal was closed."
)
SINK_OVERFLOWED = Happening(
    "sink_overflowed",
    Level.ERROR,
    "The journal is at its size limit: a sink lost the oldest events that it had not taken.",
)
DEAD_LETTERS_FORGOTTEN = Happening(
    "dead_letters_forgotten", Level.WARNING, "A sink was forgotten together with its dead letters."
)
