"""What is divided between us and the library arrives whole and in order, however it is cut."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.fast_lane import FastLane
from tests.gateway.wire.loopback import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame

LIMIT = 70_000

texts = st.text(max_size=200).map(lambda text: frame(TEXT, text.encode()))
others = st.one_of(
    st.integers(65_536, 65_600).map(lambda size: frame(TEXT, bytes(size))),
    st.just(frame(TEXT, b"\xff\xfe")),
    st.just(frame(PING, b"are you there")),
    st.binary(max_size=200).map(lambda data: frame(BINARY, data)),
    st.binary(max_size=20).map(
        lambda data: frame(TEXT, data, fin=False) + frame(PING, b"") + frame(CONTINUATION, data)
    ),
    # As permessage-deflate marks a compressed message.
    st.binary(min_size=1, max_size=200).map(lambda data: b"\xc1" + frame(TEXT, data)[1:]),
)


def divide(lane: FastLane, data: bytes, step: int):
    """All that both sides got, in the order in which they did, as the bytes it was."""
    passed = b""
    ours = 0
    for begin in range(0, len(data), step):
        found, rest = lane.split(data[begin : begin + step])
        ours += len(found)
        passed += b"".join(frame(TEXT, text.encode()) for text in found) + rest
    return passed, ours


@given(st.lists(st.one_of(texts, others), max_size=12), st.integers(1, 300))
def test_nothing_is_lost_or_changes_places(frames: list[bytes], step: int):
    """Whatever frames come in whatever pieces, both sides together got exactly them."""
    data = b"".join(frames)

    passed, _ = divide(FastLane(LIMIT), data, step)

    assert passed == data


@given(st.lists(texts.filter(lambda whole: len(whole) >= 4), max_size=12), st.integers(1, 300))
def test_plain_texts_never_reach_the_library(frames: list[bytes], step: int):
    """A stream of whole texts is ours alone."""
    _, ours = divide(FastLane(LIMIT), b"".join(frames), step)

    assert ours == len(frames)


def test_after_a_close_frame_all_is_the_librarys():
    """It knows that nothing more is a message."""
    lane = FastLane(LIMIT)
    lane.split(frame(CLOSE, b"\x03\xe8"))

    assert ([], frame(TEXT, b"late")) == lane.split(frame(TEXT, b"late"))


def test_a_text_inside_a_fragmented_message_is_the_librarys():
    """It breaks the protocol, and the library has to answer for it."""
    lane = FastLane(LIMIT)
    lane.split(frame(TEXT, b"begun", fin=False))

    assert ([], frame(TEXT, b"whole")) == lane.split(frame(TEXT, b"whole"))


def test_frames_behind_the_handshake_are_counted_too():
    """The library gets them with the answer; a half one is ours once it is whole."""
    lane = FastLane(LIMIT)
    head, whole, other = b"HTTP/1.1 101 Switching\r\n\r\n", frame(TEXT, b"one"), frame(TEXT, b"two")

    assert head + whole == lane.begin(head + whole + other[:3])
    assert (["two"], b"") == lane.split(other[3:])
