"""How Python itself is set for a daemon that runs for months."""

import gc
import sys
from typing import Final

_GARBAGE_AFTER: Final = 20_000
"""Objects made and kept before Python looks for cycles; its default of 700 is for
programs that make many. Events hold none: looking so often cost 8 % of the full path."""

_SWITCH_SECONDS: Final = 0.001
"""How long a thread that computes may keep the others waiting; Python's default is 5 ms.
Under a burst that is the loop, and a sink's thread needs a turn several times a batch."""


def tune_python() -> None:
    """Set it, once everything is imported."""
    # What is loaded by now stays to the end: nobody need look at it again.
    gc.freeze()
    gc.set_threshold(_GARBAGE_AFTER, *gc.get_threshold()[1:])
    sys.setswitchinterval(_SWITCH_SECONDS)
