"""One tree of errors. Each class says who raises it and what is done about it.

Foreign errors (of sockets, TLS, HTTP, SQLite) become ours at one boundary: in
`gateway.wire`, in `gateway.journal`, in a sink's own file. Everything below
`StreamError` has exactly one row in the supervisor's table
(`gateway.accounts.policy`).
"""

from enum import IntEnum

from gateway.events.model import StreamReason


class ExitCode(IntEnum):
    """What the process tells whoever started it; after sysexits(3)."""

    OK = 0
    """Done, or an orderly stop by SIGTERM or SIGINT."""
    FAILURE = 1
    """The command failed; the message says why."""
    USAGE = 2
    """The command line was not understood; for `status`: the gateway is down."""
    WARNINGS = 3
    """`check --deny-warnings` found warnings."""
    JOURNAL_DAMAGED = 65
    """The journal is damaged; `gateway journal verify` says where."""
    UNREACHABLE = 69
    """`check --connect`: a venue or sink cannot be reached."""
    INTERNAL = 70
    """A defect in the gateway; the log has the traceback."""
    STATE_DIRECTORY = 73
    """The state directory is unusable, or another gateway uses it."""
    DISK = 74
    """Writing to disk failed for another cause than space."""
    SECRET = 77
    """A secret cannot be read."""
    CONFIGURATION = 78
    """The configuration has mistakes."""


class GatewayError(Exception):
    """The root. `str()` of it is a sentence for a person, free of secrets."""

    exit_code: ExitCode = ExitCode.FAILURE


# --- configuration ---------------------------------------------------------


class ConfigurationError(GatewayError):
    """`gateway.config` raises it with every mistake of the files at once."""

    exit_code = ExitCode.CONFIGURATION


class SecretUnreadable(GatewayError):
    """A referenced secret is missing, empty or not readable by this user."""

    exit_code = ExitCode.SECRET


# --- one stream of one account ---------------------------------------------


class StreamError(GatewayError):
    """A stream ended. Adapters and the wire raise the subclasses, never this.

    `reason` is the word that the declared gap will carry.
    """

    reason: StreamReason = StreamReason.INTERNAL_ERROR


class ConnectFailed(StreamError):
    """No connection came about: DNS, TCP, proxy, TLS or the upgrade. Back off.

    `stage` names which of them, for logs and metrics.
    """

    reason = StreamReason.CONNECTION_LOST

    def __init__(
        self, stage: str, detail: str, *, status: int | None = None, body: str = ""
    ) -> None:
        super().__init__(f"{stage}: {detail}")
        self.stage = stage
        self.detail = detail
        self.status = status
        """HTTP status of a refused upgrade."""
        self.body = body
        """Beginning of the answer to a refused upgrade."""


class ConnectionLost(StreamError):
    """An established connection ended. Back off; the first retry is at once."""

    def __init__(self, detail: str, reason: StreamReason = StreamReason.CONNECTION_LOST) -> None:
        super().__init__(detail)
        self.reason = reason


class HeartbeatMissed(StreamError):
    """The socket stands but the venue stopped answering. Back off."""

    reason = StreamReason.HEARTBEAT_MISSED


class SubscriptionRefused(StreamError):
    """The venue refused, never confirmed or silently lost a subscription. Back off."""

    reason = StreamReason.SUBSCRIPTION_DEAD


class KeyExpired(StreamError):
    """The stream key lapsed or its refresh was refused. Renew and reconnect at once."""

    reason = StreamReason.KEY_EXPIRED


class LoginRefused(StreamError):
    """The venue refused the credentials. The account is suspended until a person acts.

    `code` is the venue's, the message says in words what to change.
    """

    reason = StreamReason.LOGIN_REFUSED

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class ClockSkewed(StreamError):
    """The venue refused our timestamp. The offset was relearned; retry at once, once."""

    reason = StreamReason.CLOCK_SKEWED


class RateLimited(StreamError):
    """The venue asked for less. Wait as told, else back off."""

    reason = StreamReason.RATE_LIMITED

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class VenueUnavailable(StreamError):
    """REST failed, or answered with something that proves nothing. Back off."""

    reason = StreamReason.VENUE_UNAVAILABLE


# --- journal ----------------------------------------------------------------


class JournalError(GatewayError):
    """Root of what the journal raises."""

    exit_code = ExitCode.DISK


class JournalBlocked(JournalError):
    """The disk is full. Sources pause, a gap is declared, and it resumes by itself."""


class JournalFailed(JournalError):
    """A write or fsync failed for another cause than space. The house stops with 74."""


class JournalDamaged(JournalError):
    """What was read is not what was written. Never delivered; exit 65."""

    exit_code = ExitCode.JOURNAL_DAMAGED


class StateDirectoryError(GatewayError):
    """The state directory is unusable, or another gateway holds it."""

    exit_code = ExitCode.STATE_DIRECTORY


# --- sinks ------------------------------------------------------------------


class SinkUnavailable(GatewayError):
    """A sink cannot take events now. The worker retries the whole batch later.

    `retry_after_seconds` is what the peer asked for, if it asked.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ExtraMissing(GatewayError):
    """A sink's client library is not installed; the message names the extra."""

    exit_code = ExitCode.CONFIGURATION
