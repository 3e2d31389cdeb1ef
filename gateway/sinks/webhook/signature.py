"""Standard Webhooks: the headers by which a receiver knows who sent a message.

See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
Pure. With several keys there are several signatures and one that fits is enough, so that
sender and receiver can change a key one after the other.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
"""Stands before the Base64 of a key, so that scanners recognise a leaked one."""


def decode_key(text: str) -> bytes:
    """The key behind ``whsec_…``. Raises `ValueError` that does not show it."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError(f"a signing secret is written {PREFIX} and the key in Base64")
    return key


def sign(
    message_id: str, timestamp_seconds: int, body: bytes, keys: Sequence[bytes]
) -> dict[str, str]:
    """The headers of one message; without keys it is named and dated, but not signed."""
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp_seconds)}
    if keys:
        signed = b"%b.%d.%b" % (message_id.encode(), timestamp_seconds, body)
        headers["webhook-signature"] = " ".join(_signature(key, signed) for key in keys)
    return headers


def batch_id(ids: Sequence[str]) -> str:
    """The id of a message that carries these events: the same batch has the same id."""
    return hashlib.blake2b("\n".join(ids).encode(), digest_size=16).hexdigest()


def _signature(key: bytes, signed: bytes) -> str:
    digest = hmac.digest(key, signed, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"
