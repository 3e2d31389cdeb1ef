"""Signatures: every vector of the field notes, and keys in every shape."""

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.lbank.auth import Signer, joined, load_rsa_key, prepared, random_echo, sign_md5
from gateway.errors import LoginRefused

API_KEY = "c821db84-6fbd-11e4-a9e3-c86000d26d7c"
SECRET = "0123456789ABCDEF0123456789ABCDEF"
ECHO = "P3LHfw6tUIYWc8R2VQNy0ilKmdg5pjhbxC7"
TIMESTAMP = 1585119477235
V1_TEXT = f"amount=1.0&api_key={API_KEY}&price=680&symbol=eth_btc&type=buy"
V1_PARAMS = {"amount": "1.0", "price": "680", "symbol": "eth_btc", "type": "buy"}

HMAC_VECTORS = {
    "get_key": (
        {},
        "79A77C711F984773E31C4BC152920D29",
        "9a63a9cd88cd6037819e34bf7fa6ce271b36b66cff5bb3d3000c3af5cc077a03",
    ),
    "refresh_key": (
        {"subscribeKey": "24d87a4000000d04b78713f42643000f4b6f63780000000358362600000000ab"},
        "C21AD84AD6E39363D49D901EE3063A48",
        "a8200794320580819953bbe4d42c50d2f90ebd7a0fc6cbb94577ad5b4b8a1647",
    ),
    "open_orders": (
        {"symbol": "eth_usdt", "current_page": "1", "page_length": "200"},
        "C8E71BA36359A37B24B4BA77D5CC6285",
        "da6902c3e0db4dd7b0d150892212fad648ac376f593c4b39915d6b26636adaeb",
    ),
    "a comma is not percent-encoded": (
        {
            "symbol": "eth_btc",
            "order_id": "24f7ce27-af1d-4dca-a8c1-ef1cbeec1b23,57a80854-cf31-489a-93b3-d25a2d4c12f2",
        },
        "74713352E43706D3A07FA5B3787125C9",
        "151566b03f1f0716796d2de9eb0eb9784d80798f0f3fa995e0167452a27e45e4",
    ),
    "space and colon are not percent-encoded": (
        {"symbol": "eth_usdt", "startTime": "2026-03-01 11:00:00", "limit": "100"},
        "6DA145BE626B777C0FBB385ED7A26FF7",
        "a26cb2f67dc290246d1cdc5fc3fc8a2ed16d074358c2f9b94b7f3103b4bf8063",
    ),
}


@pytest.fixture(scope="module")
def rsa_key() -> RSAPrivateKey:
    """A key made for these tests."""
    return generate_private_key(public_exponent=65537, key_size=2048)


def der(key: RSAPrivateKey, form: PrivateFormat) -> bytes:
    """A private key in one of its encodings."""
    return key.private_bytes(Encoding.DER, form, NoEncryption())


def pem(label: str, body: bytes) -> str:
    """The same with lines around it."""
    text = base64.encodebytes(body).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"


@pytest.mark.parametrize(
    ("params", "digest", "sign"), HMAC_VECTORS.values(), ids=HMAC_VECTORS.keys()
)
def test_hmac_vectors(params: dict[str, str], digest: str, sign: str):
    """API v2 by HmacSHA256 gives the known digest and signature."""
    signed = Signer(API_KEY, SECRET, "hmac-sha256", "v2").sign(
        params, timestamp_ms=TIMESTAMP, echo=ECHO
    )

    assert sign == signed.form["sign"]
    unsigned = {k: v for k, v in signed.form.items() if k != "sign"} | dict(signed.headers)
    assert digest == prepared(joined(unsigned))


def test_extras_travel_as_headers():
    """Timestamp, method and echo are signed along, but sent as headers only."""
    signed = Signer(API_KEY, SECRET, "hmac-sha256", "v2").sign({}, timestamp_ms=1, echo=ECHO)

    assert {"api_key", "sign"} == set(signed.form)
    assert {
        "timestamp": "1",
        "signature_method": "HmacSHA256",
        "echostr": ECHO,
    } == signed.headers


def test_rsa_signs_the_documented_text(rsa_key: RSAPrivateKey):
    """API v2 by RSA signs the official parameter string's digest, PKCS#1 v1.5 with SHA-256."""
    secret = base64.b64encode(der(rsa_key, PrivateFormat.PKCS8)).decode()

    signed = Signer(API_KEY, secret, "rsa", "v2").sign({}, timestamp_ms=TIMESTAMP, echo=ECHO)

    rsa_key.public_key().verify(
        base64.b64decode(signed.form["sign"]),
        b"1757B8E33F56F4E26425F5161756FD53",
        PKCS1v15(),
        hashes.SHA256(),
    )


def test_v1_rsa_carries_no_extras(rsa_key: RSAPrivateKey):
    """API v1 by RSA signs the README's string and sends nothing but the form."""
    secret = base64.b64encode(der(rsa_key, PrivateFormat.PKCS8)).decode()

    signed = Signer(API_KEY, secret, "rsa", "v1").sign(V1_PARAMS, timestamp_ms=1, echo=ECHO)

    assert {} == signed.headers
    rsa_key.public_key().verify(
        base64.b64decode(signed.form["sign"]),
        b"93B1978DF76F4944775DB6EAB1A5B440",
        PKCS1v15(),
        hashes.SHA256(),
    )


def test_v1_readme_digest():
    """The README's string has the known digest, with and without its final full stop."""
    assert prepared(V1_TEXT) == "93B1978DF76F4944775DB6EAB1A5B440"
    assert prepared(V1_TEXT + ".") == "7E16B221EB4B282E9EFA4D0D46DB8746"


def test_legacy_md5():
    """Before RSA came, the digest of the string with the secret appended was the signature."""
    signed = Signer(API_KEY, "secretKey", "md5", "v1").sign(V1_PARAMS, timestamp_ms=1, echo=ECHO)

    assert signed.form["sign"] == "CAFE5BAC1942DD691DE7625D56A3D872"
    assert sign_md5(V1_TEXT, "secretKey") == "CAFE5BAC1942DD691DE7625D56A3D872"


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("label", ["", "PRIVATE KEY", "RSA PRIVATE KEY"])
def test_rsa_keys_in_every_shape(rsa_key: RSAPrivateKey, form: PrivateFormat, label: str):
    """A key is read with or without PEM lines, under either label, in either encoding."""
    body = der(rsa_key, form)
    text = pem(label, body) if label else base64.b64encode(body).decode()

    assert rsa_key.private_numbers() == load_rsa_key(text).private_numbers()


@pytest.mark.parametrize("secret", ["", "nonsense!", "QUJD", SECRET])
def test_bad_rsa_key_is_explained(secret: str):
    """What is no RSA key is refused with words, none of them the secret."""
    with pytest.raises(LoginRefused, match=r"credentials\.secret") as caught:
        load_rsa_key(secret)

    assert not secret or secret not in str(caught.value)


def test_echo_is_within_the_documented_length():
    """Each echo is new, and 30 to 40 letters and digits."""
    echoes = {random_echo() for _ in range(100)}

    assert len(echoes) == 100
    assert all(30 <= len(echo) <= 40 and echo.isalnum() for echo in echoes)
