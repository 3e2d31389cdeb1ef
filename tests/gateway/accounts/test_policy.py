"""The table of what follows from which error."""

import random

import pytest

from gateway.accounts.policy import STABLE_SECONDS, SUSPENSION_SECONDS, Policy, Remedy, reason_of
from gateway.accounts.status import AccountState
from gateway.errors import (
    ClockSkewed,
    ConnectFailed,
    ConnectionLost,
    HeartbeatMissed,
    KeyExpired,
    LoginRefused,
    RateLimited,
    SubscriptionRefused,
    VenueUnavailable,
)
from gateway.events.model import StreamReason
from gateway.wire.backoff import Backoff

NOT_UTF8 = ConnectionLost("1007", StreamReason.INVALID_UTF8)
TOLD_TO_WAIT = RateLimited("429", retry_after_seconds=7)


def policy() -> Policy:
    """A policy whose jitter always gives the whole delay."""
    return Policy(Backoff(0.5, 30, rng=_WholeDelay()))


class _WholeDelay(random.Random):
    def uniform(self, a: float, b: float) -> float:  # noqa: ARG002 # the signature is random's
        return b


@pytest.mark.parametrize(
    ("error", "state", "remedy", "delay", "reason"),
    [
        (ConnectFailed("dns", "no such name"), "backing_off", "back_off", 0.0, "connection_lost"),
        (ConnectionLost("reset"), "backing_off", "back_off", 0.0, "connection_lost"),
        (NOT_UTF8, "backing_off", "back_off", 0.0, "invalid_utf8"),
        (HeartbeatMissed("30 s"), "backing_off", "back_off", 0.0, "heartbeat_missed"),
        (SubscriptionRefused("41002"), "backing_off", "back_off", 0.0, "subscription_dead"),
        (VenueUnavailable("HTML"), "backing_off", "back_off", 0.0, "venue_unavailable"),
        (RateLimited("429"), "backing_off", "wait_as_told", 0.0, "rate_limited"),
        (TOLD_TO_WAIT, "backing_off", "wait_as_told", 7.0, "rate_limited"),
        (KeyExpired("key"), "connecting", "renew", 0.0, "key_expired"),
        (ClockSkewed("10600"), "connecting", "renew", 0.0, "clock_skewed"),
        (LoginRefused("10022", code="10022"), "suspended", "suspend", 300.0, "login_refused"),
        (ZeroDivisionError("a defect"), "backing_off", "back_off", 0.0, "internal_error"),
    ],
)  # fmt: skip
def test_each_error_has_its_state_remedy_and_reason(
    error: Exception, state: str, remedy: str, delay: float, reason: str
):
    """Every error leads to one state, one action and one word for the gap."""
    then = policy().after(error, lived_seconds=0)

    assert (then.state, then.remedy, then.delay_seconds) == (state, remedy, delay)
    assert reason_of(error) == reason


def test_the_first_retry_is_at_once_then_delays_double_to_the_cap():
    """0, then up to 0.5 s, doubling up to 30 s."""
    rule = policy()
    delays = [rule.after(ConnectionLost("x"), lived_seconds=0).delay_seconds for _ in range(9)]

    assert delays == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_a_stable_spell_starts_afresh():
    """A stream that lived a minute is retried at once again; a short one is not."""
    rule = policy()
    for _ in range(5):
        rule.after(ConnectionLost("x"), lived_seconds=0)

    assert rule.after(ConnectionLost("x"), lived_seconds=STABLE_SECONDS - 1).delay_seconds > 0
    assert rule.after(ConnectionLost("x"), lived_seconds=STABLE_SECONDS).delay_seconds == 0


def test_a_repeated_renewal_backs_off():
    """A key that is refused again and again does not become a tight loop."""
    rule = policy()
    delays = [rule.after(KeyExpired("x"), lived_seconds=0).delay_seconds for _ in range(4)]

    assert delays == [0.0, 0.0, 0.5, 1.0]


def test_a_wait_of_nothing_is_no_tight_loop():
    """A venue that says 'in 0 seconds' again and again is asked more and more rarely."""
    rule = policy()
    now = RateLimited("429", retry_after_seconds=0.0)
    delays = [rule.after(now, lived_seconds=0).delay_seconds for _ in range(4)]

    assert delays == [0.0, 0.5, 1.0, 2.0]


def test_refused_logins_climb_a_ladder():
    """5 min to 6 h, and there it stays."""
    rule = policy()
    delays = [rule.after(LoginRefused("x"), lived_seconds=0).delay_seconds for _ in range(6)]

    assert delays == [*SUSPENSION_SECONDS, SUSPENSION_SECONDS[-1]]


def test_being_let_in_resets_the_ladder():
    """A login that worked, however briefly, starts the ladder at its foot."""
    rule = policy()
    rule.after(LoginRefused("x"), lived_seconds=0)
    rule.after(ConnectionLost("x"), lived_seconds=1)

    then = rule.after(LoginRefused("x"), lived_seconds=0)

    assert (then.state, then.remedy) == (AccountState.SUSPENDED, Remedy.SUSPEND)
    assert then.delay_seconds == SUSPENSION_SECONDS[0]
