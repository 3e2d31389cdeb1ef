from typing import Any

import pytest

from adapters.fmex import VENUE
from adapters.fmex.settings import Credentials, Endpoints, RecoverySettings, Settings
from gateway.contracts.values import Seconds, Secret

CREDENTIALS = Credentials(api_key=Secret.of("a"), secret=Secret.of("b"))


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"symbols": ()}, "symbols"),
        ({"symbols": ("BTCUSD_P",)}, "symbols"),
        ({"symbols": ("btc usd",)}, "symbols"),
        ({"recovery": RecoverySettings(every=Seconds(0))}, "recovery.every"),
        ({"endpoints": Endpoints(rest="api.fmex.com")}, "endpoints.rest"),
        ({"endpoints": Endpoints(websocket="https://api.fmex.com")}, "endpoints.websocket"),
        ({"endpoints": Endpoints(sign="wss://api.fmex.com")}, "endpoints.sign"),
        ({"endpoints": Endpoints(rest="https://[")}, "endpoints.rest"),
    ],
)
def test_mistake_is_named(options: dict[str, Any], path: str):
    """A mistake names its option, and what to write instead."""
    [(named, message)] = Settings(credentials=CREDENTIALS, **options).problems()

    assert path == named
    assert message


def test_defaults_are_no_mistake():
    """Credentials are all that has to be said."""
    assert list(Settings(credentials=CREDENTIALS).problems()) == []


def test_venue_is_described():
    """The entry point names its streams and its options."""
    assert (VENUE.name, VENUE.streams) == ("fmex", ("account", "orders", "positions"))
    assert VENUE.settings is Settings
