"""Checks of LBank's signatures, from the documents: README (v1) and Authentication (v2).

v2: parameters, `api_key`, `timestamp`, `signature_method` and `echostr`, sorted and
joined raw; MD5 in upper-case hex; then HMAC-SHA256 in lower-case hex, or
SHA256withRSA in Base64. v1 signs without the three extras, by RSA, or (before
2018-08) by the MD5 of the string with `&secret_key=` behind it.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

OLDEST_MS: Final = 5_000
NEWEST_MS: Final = 1_000
"""A request may be so old, or so far ahead of the server (documented for `window`)."""
_ECHOSTR: Final = re.compile(r"[0-9A-Za-z]{30,40}", re.ASCII)
_METHODS: Final = ("HmacSHA256", "RSA")


class Refusal(Exception):
    """A request that is refused with one of LBank's codes."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def check_extras(extras: Mapping[str, str], now_ms: int) -> None:
    """Check timestamp, signature_method and echostr. The time comes before the key."""
    if not all(extras.get(name) for name in ("timestamp", "signature_method", "echostr")):
        raise Refusal(10202)
    if extras["signature_method"] not in _METHODS:
        raise Refusal(10203)
    if not _ECHOSTR.fullmatch(extras["echostr"]):
        raise Refusal(10031)
    if not extras["timestamp"].isdecimal():
        raise Refusal(10600)
    age_ms = now_ms - int(extras["timestamp"])
    if not -NEWEST_MS <= age_ms <= OLDEST_MS:
        raise Refusal(10600)


def check_v2(parameters: Mapping[str, str], extras: Mapping[str, str], secret: str) -> None:
    """Check the signature of an API v2 request."""
    signed = {name: value for name, value in parameters.items() if name != "sign"}
    signed |= {name: extras[name] for name in ("timestamp", "signature_method", "echostr")}
    digest = _digest(_joined(signed))
    given = parameters.get("sign", "")
    if extras["signature_method"] == "RSA":
        good = _is_rsa_signature(given, digest, secret)
    else:
        expected = hmac.new(secret.encode(), digest.encode(), hashlib.sha256).hexdigest()
        good = hmac.compare_digest(expected.encode(), given.encode())
    if not good:
        raise Refusal(10007)


def check_v1(parameters: Mapping[str, str], secret: str) -> None:
    """Check the signature of an API v1 request: RSA, or the MD5 of before 2018-08."""
    joined = _joined({name: value for name, value in parameters.items() if name != "sign"})
    given = parameters.get("sign", "")
    if given == _digest(f"{joined}&secret_key={secret}"):
        return
    if not _is_rsa_signature(given, _digest(joined), secret):
        raise Refusal(10007)


def make_rsa_secret() -> str:
    """A new private key as LBank shows it: Base64 of PKCS#8 DER, without a header."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return base64.b64encode(der).decode()


def _joined(parameters: Mapping[str, str]) -> str:
    return "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))


def _digest(joined: str) -> str:
    return hashlib.md5(joined.encode(), usedforsecurity=False).hexdigest().upper()


def _is_rsa_signature(given: str, digest: str, secret: str) -> bool:
    try:
        key = serialization.load_der_private_key(base64.b64decode(secret), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        key.public_key().verify(
            base64.b64decode(given, validate=True),
            digest.encode(),
            padding.PKCS1v15(),
            hashes.SHA256(),
        )
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
