"""What other gateways' clocks say."""

from gateway.cluster.clocks import Clocks
from gateway.cluster.notes import Member

SECOND = 10**9


def heard(ahead: float, delays: list[float]) -> Clocks:
    """One gateway, whose clock is so far ahead, was read after these delays, once a second."""
    clocks = Clocks()
    for number, delay in enumerate(delays):
        said = round((1000 + number + ahead) * SECOND)
        member = Member(name="other", session="s", version="1", clock_ns=said)
        for later in (0, 0.5):  # the same note is read twice
            clocks.hear({"other": member}, round((1000 + number + delay + later) * SECOND))
    return clocks


def test_the_quickest_reading_tells_most():
    """However long most took on their way, one that was quick shows the difference."""
    assert 20 * SECOND == heard(20, [0.4, 0.0, 3.0]).ahead_ns("other")
    assert -20 * SECOND == heard(-20, [0.4, 0.0, 3.0]).ahead_ns("other")


def test_little_is_no_difference():
    """A note that was on its way for half a second makes no clock wrong."""
    assert 0 == heard(0.2, [0.5, 0.6, 0.7]).ahead_ns("other")


def test_who_has_hardly_spoken_is_believed():
    """The first notes may be as old as a lease, and earlier versions tell no time."""
    assert 0 == heard(0, [4.0]).ahead_ns("other")
    assert 0 == Clocks().ahead_ns("other")
