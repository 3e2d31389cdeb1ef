"""The pretend LBank's signature checks: vectors computed apart, and every refusal."""

import base64

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from adapters.lbank.simulator.signing import (
    Refusal,
    check_extras,
    check_v1,
    check_v2,
    make_rsa_secret,
)

SECRET = "0123456789ABCDEF0123456789ABCDEF"
API_KEY = "c821db84-6fbd-11e4-a9e3-c86000d26d7c"
NOW = 1585119477235
EXTRAS = {
    "timestamp": str(NOW),
    "signature_method": "HmacSHA256",
    "echostr": "P3LHfw6tUIYWc8R2VQNy0ilKmdg5pjhbxC7",
}
# Computed with two independent programs, an openssl run among them; the secret is invented.
VECTORS = {
    "9a63a9cd88cd6037819e34bf7fa6ce271b36b66cff5bb3d3000c3af5cc077a03": {},
    "a8200794320580819953bbe4d42c50d2f90ebd7a0fc6cbb94577ad5b4b8a1647": {
        "subscribeKey": "24d87a4000000d04b78713f42643000f4b6f63780000000358362600000000ab"
    },
    "da6902c3e0db4dd7b0d150892212fad648ac376f593c4b39915d6b26636adaeb": {
        "symbol": "eth_usdt",
        "current_page": "1",
        "page_length": "200",
    },
    "151566b03f1f0716796d2de9eb0eb9784d80798f0f3fa995e0167452a27e45e4": {
        "symbol": "eth_btc",
        "order_id": "24f7ce27-af1d-4dca-a8c1-ef1cbeec1b23,57a80854-cf31-489a-93b3-d25a2d4c12f2",
    },
    "a26cb2f67dc290246d1cdc5fc3fc8a2ed16d074358c2f9b94b7f3103b4bf8063": {
        "symbol": "eth_usdt",
        "startTime": "2026-03-01 11:00:00",
        "limit": "100",
    },
}
# The parameters of the README of API v1, and the MD5 with a secret behind them.
V1_PARAMETERS = {
    "amount": "1.0",
    "api_key": API_KEY,
    "price": "680",
    "symbol": "eth_btc",
    "type": "buy",
}


def rsa_sign(digest: str, secret: str) -> str:
    """SHA256withRSA, PKCS#1 v1.5, in Base64."""
    key = serialization.load_der_private_key(base64.b64decode(secret), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return base64.b64encode(key.sign(digest.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()


@pytest.mark.parametrize("sign", VECTORS)
def test_known_signatures_pass(sign: str):
    """Each vector is accepted, and refused with one digit changed."""
    parameters = {"api_key": API_KEY, "sign": sign, **VECTORS[sign]}
    check_v2(parameters, EXTRAS, SECRET)
    wrong = {**parameters, "sign": sign[:-1] + ("0" if sign[-1] != "0" else "1")}
    with pytest.raises(Refusal) as refused:
        check_v2(wrong, EXTRAS, SECRET)
    assert refused.value.code == 10007


def test_rsa_signatures_pass():
    """The official parameter string has a known digest; its RSA signature is accepted."""
    secret = make_rsa_secret()
    extras = {**EXTRAS, "signature_method": "RSA"}
    sign = rsa_sign("1757B8E33F56F4E26425F5161756FD53", secret)
    check_v2({"api_key": API_KEY, "sign": sign}, extras, secret)
    for wrong in ("", "AAAA", "not base64!", sign[::-1]):
        with pytest.raises(Refusal):
            check_v2({"api_key": API_KEY, "sign": wrong}, extras, secret)


def test_v1_signatures_pass():
    """MD5 with the secret behind (before 2018-08), and RSA over the MD5 (after)."""
    check_v1({**V1_PARAMETERS, "sign": "CAFE5BAC1942DD691DE7625D56A3D872"}, "secretKey")
    secret = make_rsa_secret()
    sign = rsa_sign("93B1978DF76F4944775DB6EAB1A5B440", secret)
    check_v1({**V1_PARAMETERS, "sign": sign}, secret)
    with pytest.raises(Refusal):
        check_v1({**V1_PARAMETERS, "sign": "CAFE5BAC1942DD691DE7625D56A3D872"}, "anotherKey")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, None),
        ({"timestamp": ""}, 10202),
        ({"echostr": ""}, 10202),
        ({"signature_method": "hmacsha256"}, 10203),
        ({"echostr": "a" * 29}, 10031),
        ({"echostr": "a" * 41}, 10031),
        ({"echostr": "a" * 30 + "-"}, 10031),
        ({"timestamp": str(NOW - 5_000)}, None),
        ({"timestamp": str(NOW - 5_001)}, 10600),
        ({"timestamp": str(NOW + 1_000)}, None),
        ({"timestamp": str(NOW + 1_001)}, 10600),
        ({"timestamp": "yesterday"}, 10600),
    ],
)
def test_extras_are_checked(change: dict[str, str], code: int | None):
    """Missing, malformed and untimely extras are refused with their own codes."""
    if code is None:
        check_extras({**EXTRAS, **change}, NOW)
        return
    with pytest.raises(Refusal) as refused:
        check_extras({**EXTRAS, **change}, NOW)
    assert refused.value.code == code
