"""What a receiver's status means for the events that it was sent. Pure.

The question behind the table is whom the answer is about. About this message: refused
for good, since no repeat will change it. About the sender, the address or the moment:
later, since a wrong token must not empty a whole stream into the dead letters.
"""

from enum import Enum, auto
from typing import Final

from gateway.wire.rest import Answer

EXCERPT_CHARACTERS: Final = 300
"""As much of an answer as a person needs to see what is wrong."""


class Meaning(Enum):
    """What an answer says."""

    ACCEPTED = auto()
    LATER = auto()
    """Trouble that passes by itself."""
    TURNED_AWAY = auto()
    """Trouble that stays until a person acts."""
    REFUSED = auto()
    """This message, for good."""


_PASSING: Final = frozenset({408, 421, 425, 429})
_ABOUT_THE_MESSAGE: Final = frozenset({400, 409, 413, 422})
"""409 is here because receivers use it for a message that they already have."""


def meaning_of(status: int) -> Meaning:
    """What a status says; redirects are not followed, they have to be configured."""
    if 200 <= status < 300:
        return Meaning.ACCEPTED
    if status in _ABOUT_THE_MESSAGE:
        return Meaning.REFUSED
    if status in _PASSING or status >= 500:
        return Meaning.LATER
    return Meaning.TURNED_AWAY


def excerpt(answer: Answer) -> str:
    """The beginning of an answer's text, on one line."""
    text = answer.body[: 4 * EXCERPT_CHARACTERS].decode("utf-8", "replace")
    return " ".join(text.split())[:EXCERPT_CHARACTERS]


def remedy(status: int) -> str:
    """What a person may do about being turned away."""
    if 300 <= status < 400:
        return "the receiver moved: write its new address in `url`"
    if status in {401, 403, 407}:
        return "look at `headers`, `secrets` and what the receiver allows"
    if status in {404, 405, 410}:
        return "look at `url`: no receiver takes events there"
    return "look at how the receiver wants to be called"


def describe(answer: Answer) -> str:
    """Why an event has to wait, and what a person may do about it."""
    said = excerpt(answer)
    text = f"answered {answer.status}" + (f": {said}" if said else "")
    turned_away = meaning_of(answer.status) is Meaning.TURNED_AWAY
    return f"{text} ({remedy(answer.status)})" if turned_away else text
