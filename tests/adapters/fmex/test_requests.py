import msgspec
from hypothesis import given
from hypothesis import strategies as st

from adapters.fmex.requests import ping_command, subscribe_commands, wanted_topics


def test_topics_of_each_stream():
    """Orders and positions have one topic per contract, in lower case."""
    assert wanted_topics(("account", "orders", "positions"), ("BTCUSD_P", "ethusd_p")) == (
        "account", "order.btcusd_p", "order.ethusd_p", "position.btcusd_p", "position.ethusd_p",
    )  # fmt: skip
    assert wanted_topics(("account",), ("btcusd_p",)) == ("account",)


@given(st.lists(st.text(min_size=1), max_size=70, unique=True))
def test_commands_of_at_most_twenty_topics(topics: list[str]):
    """Every topic is asked for once, in commands that the venue accepts, each with its id."""
    commands = [msgspec.json.decode(text) for text in subscribe_commands(topics)]

    assert topics == [topic for command in commands for topic in command["args"]]
    assert all(len(command["args"]) <= 20 and command["cmd"] == "sub" for command in commands)
    assert len(commands) == len({command["id"] for command in commands})


def test_ping_carries_our_time():
    """The answer can then tell how far our clock is off."""
    ping = msgspec.json.decode(ping_command(1540557696867))

    assert (ping["cmd"], ping["args"]) == ("ping", [1540557696867])
