"""Shared by the tests of the LBank adapter."""

import pytest

from tests.adapters.lbank.pretend import PretendLBank


@pytest.fixture
def venue() -> PretendLBank:
    """A pretend LBank; a test that waits asks for `autojump_clock` too."""
    return PretendLBank()
