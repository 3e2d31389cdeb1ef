"""How much is asked of a socket at once."""

import trio
from trio.testing import memory_stream_pair

from gateway.wire.reads import LEAST_BYTES, MOST_BYTES, MeasuredStream


class Asked(trio.abc.ReceiveStream):
    """Notes how much is asked for, and has always more than that."""

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.sizes: list[int | None] = []

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """As much as is asked for, up to `longest`."""
        self.sizes.append(max_bytes)
        assert max_bytes is not None
        return bytes(min(max_bytes, self.longest))

    async def aclose(self) -> None:
        """Nothing to close."""


def measured(below: Asked) -> MeasuredStream:
    """A stream that reads from `below`."""
    return MeasuredStream(trio.StapledStream(memory_stream_pair()[0].send_stream, below))


async def test_a_stream_that_always_has_more_is_asked_for_more():
    """The room doubles while it is filled, up to a bound."""
    below = Asked(longest=MOST_BYTES * 4)
    stream = measured(below)
    for _ in range(6):
        await stream.receive_some()

    doubling = [LEAST_BYTES, LEAST_BYTES * 2, LEAST_BYTES * 4, LEAST_BYTES * 8]
    assert below.sizes == [*doubling, MOST_BYTES, MOST_BYTES]


async def test_after_a_burst_the_room_shrinks_again():
    """Small pushes are read with little room, whatever came before them."""
    below = Asked(longest=MOST_BYTES)
    stream = measured(below)
    for _ in range(5):
        await stream.receive_some()
    below.longest = 600
    for _ in range(6):
        await stream.receive_some(MOST_BYTES)

    assert below.sizes[-1] == LEAST_BYTES


async def test_never_more_is_read_than_was_asked_for():
    """Who asks for less than the room gets no more."""
    below = Asked(longest=MOST_BYTES)

    assert len(await measured(below).receive_some(10)) == 10
    assert below.sizes == [10]
