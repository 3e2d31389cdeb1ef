"""Mistakes in an LBank account's options that only show together."""

from typing import Any

import pytest

from adapters.lbank.settings import Credentials, Endpoints, Recovery, StreamKey
from gateway.contracts.values import Seconds, Secret
from tests.adapters.lbank.pretend import API_KEY, SECRET, settings_of


def credentials(signature: Any) -> Credentials:
    """Credentials with this signature."""
    return Credentials(api_key=Secret.of("k"), secret=Secret.of("s"), signature=signature)


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"pairs": ("ETH_BTC",)}, "pairs[0]", "for example eth_btc"),
        ({"pairs": ("eth_btc", "ethbtc")}, "pairs[1]", "'ethbtc'"),
        ({"pairs": ()}, "pairs", "no pair"),
        ({"recovery": Recovery(pairs=("eth/btc",))}, "recovery.pairs[0]", "eth/btc"),
        ({"recovery": Recovery(every=Seconds(0))}, "recovery.every", "longer than 0s"),
        ({"key": StreamKey(refresh=Seconds(3600))}, "key.refresh", "shorter than key.life"),
        ({"key": StreamKey(refresh=Seconds(0))}, "key.refresh", "longer than 0s"),
        ({"credentials": credentials("md5")}, "credentials.signature", "hmac-sha256 or rsa"),
        ({"endpoints": Endpoints(api="v1")}, "credentials.signature", "rsa or md5"),
        ({"endpoints": Endpoints(rest="api.lbkex.com")}, "endpoints.rest", "https://"),
        ({"endpoints": Endpoints(websocket="https://x/ws")}, "endpoints.websocket", "wss://"),
    ],
)
def test_mistake_is_named_with_its_key(changes: dict[str, Any], key: str, words: str) -> None:
    """Each mistake names the option and says what to do."""
    ((found, message),) = settings_of(**changes).problems()

    assert found == key
    assert words in message


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pairs": ("eth_btc", "vet_erc20_usdt")},
        {"credentials": credentials("md5"), "endpoints": Endpoints(api="v1")},
        {"endpoints": Endpoints(rest="http://127.0.0.1:1", websocket="ws://127.0.0.1:1/ws/V2/")},
    ],
)
def test_good_settings_have_no_problems(changes: dict[str, Any]) -> None:
    """What is fine is fine."""
    assert list(settings_of(**changes).problems()) == []


def test_settings_show_no_secret() -> None:
    """Printing settings gives nothing away."""
    text = repr(settings_of())

    assert API_KEY not in text
    assert SECRET not in text
