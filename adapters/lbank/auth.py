"""How LBank wants requests signed. Pure but for the random text of API v2.

Every form starts from the parameters, sorted by name and joined *raw* (not
percent-encoded) as ``a=1&b=2``, and from the upper-case MD5 of that text:

=========  ==============================================================
v2 HMAC    HMAC-SHA256 of the MD5 text, keyed with the secret, lower-case hex
v2 RSA     SHA256withRSA (PKCS#1 v1.5) of the MD5 text, Base64
v1 RSA     the same, without timestamp, echostr and signature_method
v1 MD5     before 2018-08: the MD5 of the text with ``&secret_key=…`` appended
=========  ==============================================================

API v2 signs `timestamp`, `signature_method` and `echostr` along but sends them as
headers; everything else goes into the form body.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import string
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from adapters.lbank.endpoints import ECHO_LENGTH
from adapters.lbank.settings import ApiVersion, Signature
from gateway.errors import LoginRefused

_ECHO_LETTERS: Final = string.ascii_letters + string.digits
_METHODS: Final[dict[Signature, str]] = {"hmac-sha256": "HmacSHA256", "rsa": "RSA"}
"""What `signature_method` says, in exactly this case."""

Sign = Callable[[str], str]
"""From the joined parameters to the value of `sign`."""


class Signed(msgspec.Struct, frozen=True):
    """A request's parameters, ready to be sent."""

    form: Mapping[str, str]
    headers: Mapping[str, str]


class Signer:
    """Signs the requests of one API key in one API version."""

    def __init__(
        self, api_key: str, secret: str, signature: Signature, version: ApiVersion
    ) -> None:
        self.api_key: Final = api_key
        self._version = version
        self._method = _METHODS.get(signature, "")
        self._sign = _signing(secret, signature)

    def sign(self, params: Mapping[str, str], *, timestamp_ms: int, echo: str) -> Signed:
        """The form body and the headers of a request with these parameters."""
        form = {**params, "api_key": self.api_key}
        headers: dict[str, str] = {}
        if self._version == "v2":
            headers = {
                "timestamp": str(timestamp_ms),
                "signature_method": self._method,
                "echostr": echo,
            }
        form["sign"] = self._sign(joined({**form, **headers}))
        return Signed(form, headers)


def random_echo() -> str:
    """A fresh `echostr`."""
    return "".join(secrets.choice(_ECHO_LETTERS) for _ in range(ECHO_LENGTH))


def joined(params: Mapping[str, str]) -> str:
    """The text to be signed: sorted by name, values as they are."""
    return "&".join(f"{name}={params[name]}" for name in sorted(params))


def prepared(text: str) -> str:
    """The upper-case MD5 that stands for a text in every signature."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def sign_hmac(text: str, secret: str) -> str:
    """`sign` by HmacSHA256."""
    return hmac.new(secret.encode(), prepared(text).encode(), hashlib.sha256).hexdigest()


def sign_rsa(text: str, key: RSAPrivateKey) -> str:
    """`sign` by RSA."""
    signature = key.sign(prepared(text).encode(), PKCS1v15(), hashes.SHA256())
    return base64.b64encode(signature).decode()


def sign_md5(text: str, secret: str) -> str:
    """`sign` as it was before RSA came."""
    return prepared(f"{text}&secret_key={secret}")


def load_rsa_key(secret: str) -> RSAPrivateKey:
    """Read a private key: Base64 of PKCS#8 (or PKCS#1) DER, with or without PEM lines.

    The PEM label is not believed: LBank's own clients write ``RSA PRIVATE KEY``
    around PKCS#8. Raises `LoginRefused`, which shows nothing of the key.
    """
    lines = [line.strip() for line in secret.splitlines()]
    body = "".join(line for line in lines if not line.startswith("-----"))
    try:
        key = load_der_private_key(base64.b64decode(body, validate=True), password=None)
    except (ValueError, TypeError, binascii.Error, UnsupportedAlgorithm):
        raise LoginRefused(
            "credentials.secret is no RSA private key: it must be the Base64 text of a PKCS#8 key"
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise LoginRefused("credentials.secret is a private key, but not an RSA one")
    return key


def _signing(secret: str, signature: Signature) -> Sign:
    if signature == "rsa":
        key = load_rsa_key(secret)
        return lambda text: sign_rsa(text, key)
    if signature == "md5":
        return lambda text: sign_md5(text, secret)
    return lambda text: sign_hmac(text, secret)
