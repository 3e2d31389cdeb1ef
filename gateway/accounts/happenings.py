"""The happenings of accounts: stable codes for logs and alerts."""

from gateway.telemetry.happenings import Happening, Level

STARTED = Happening("account_started", Level.INFO, "An account's task began.")
LIVE = Happening("account_live", Level.INFO, "A connection is subscribed and proven alive.")
LOST = Happening("account_connection_lost", Level.WARNING, "A connection ended; see `reason`.")
STILL_DOWN = Happening(
    "account_still_down", Level.DEBUG, "A connection failed once more, for the reason told before."
)
RECONNECTING = Happening("account_reconnecting", Level.INFO, "A connection is opened again.")
SUSPENDED = Happening(
    "account_suspended", Level.ERROR, "The venue refused the credentials: a person must act."
)
CRASHED = Happening(
    "account_crashed", Level.ERROR, "A defect ended an account's stream; it restarts."
)
REPLACING = Happening(
    "account_connection_replacing", Level.INFO, "A successor is opened before this one ends."
)
GAP_OPENED = Happening("gap_opened", Level.WARNING, "Pushes may be missed from `since` on.")
GAP_CLOSED = Happening("gap_closed", Level.INFO, "REST was read for a gap.")
GAP_UNRECOVERED = Happening(
    "gap_unrecovered", Level.ERROR, "A gap was closed, but something may be missing."
)
RECOVERY_FAILED = Happening("recovery_failed", Level.WARNING, "Reading REST failed; tried again.")
CHECK_DISAGREED = Happening(
    "check_disagreed", Level.WARNING, "REST tells what no push had told: the subscription is dead."
)
KEY_RENEWED = Happening("stream_key_renewed", Level.INFO, "A stream key was extended or replaced.")
UNRECOGNIZED = Happening("frame_unrecognized", Level.WARNING, "A frame was not understood; kept.")
UNKNOWN_WORD = Happening(
    "unknown_order_status", Level.WARNING, "A venue used a status that no document names."
)
PAUSED = Happening(
    "process_paused", Level.WARNING, "The gateway did not run for longer than a heartbeat."
)
SOURCES_PAUSED = Happening(
    "sources_paused", Level.ERROR, "The journal cannot write: all streams are closed until it can."
)
SOURCES_RESUMED = Happening("sources_resumed", Level.INFO, "The journal writes again.")
STOPPED = Happening("account_stopped", Level.INFO, "An account's task ended.")
