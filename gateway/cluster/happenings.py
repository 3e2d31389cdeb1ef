"""The happenings of a cluster: stable codes for logs and alerts."""

from gateway.telemetry.happenings import Happening, Level

JOINED = Happening("cluster_joined", Level.INFO, "This gateway is a member of its cluster.")
LAPSED = Happening(
    "cluster_lease_lapsed",
    Level.ERROR,
    "This gateway was silent for longer than its lease: others may own its accounts now.",
)
SAME_NAME = Happening(
    "cluster_same_name",
    Level.ERROR,
    "Another gateway uses this one's name: give each its own `name`, and restart.",
)
UNREACHABLE = Happening(
    "cluster_unreachable",
    Level.ERROR,
    "The cluster's engine does not answer: accounts go on where they are, and none moves.",
)
REACHABLE = Happening("cluster_reachable", Level.INFO, "The cluster's engine answers again.")
MEMBERS = Happening("cluster_members_changed", Level.WARNING, "A gateway joined or went away.")
TAKEN = Happening("cluster_account_taken", Level.INFO, "This gateway owns the account now.")
HANDED_OVER = Happening(
    "cluster_account_handed_over", Level.INFO, "The account went to another gateway, without a gap."
)
FENCED = Happening(
    "cluster_account_fenced",
    Level.WARNING,
    "Another gateway took the account over; what was not yet told goes out as older.",
)
STEP_FAILED = Happening(
    "cluster_step_failed", Level.WARNING, "An account could not be moved or copied; tried again."
)
HAND_OVER_CUT = Happening(
    "cluster_hand_over_cut",
    Level.WARNING,
    "The gateway stops though accounts were not handed over: their next owner declares a gap.",
)
CLOCKS_DIFFER = Happening(
    "cluster_clocks_differ",
    Level.WARNING,
    "Another gateway's clock is not this one's: gaps are bounded by clocks, so keep NTP running.",
)
FORGETFUL_ENGINE = Happening(
    "cluster_engine_forgetful",
    Level.WARNING,
    "This version of NATS may lose events that it acknowledged when its servers elect a leader.",
)
