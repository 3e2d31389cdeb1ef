"""The pages as files, put together into one that asks nobody for anything.

Style and script are inlined, and the Content-Security-Policy names their digests:
whatever else finds its way into the page (a venue's text above all) cannot run.
"""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

import msgspec


class Page(msgspec.Struct, frozen=True):
    """One page, ready to serve."""

    html: bytes
    policy: str
    """For the `Content-Security-Policy` header."""


def load_page(page: str, style: str, *scripts: str) -> Page:
    """Read a page of this folder, with its style and scripts put in place."""
    css = _read(style)
    script = "\n".join(_read(name) for name in scripts)
    html = _read(page).replace("/*STYLE*/", css).replace("/*SCRIPT*/", script)
    policy = [
        "default-src 'none'",
        f"style-src {_digest(css)}",
        f"script-src {_digest(script)}" if scripts else "script-src 'none'",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
    return Page(html.encode(), "; ".join(policy))


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
