"""What the tests of packages, service and documents share."""

from collections.abc import Iterator

import pytest

from tests.ops import machine as machines
from tests.ops.distributions import Distributions, build

OLDER = "0.0.9"


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Wheel and sdist of the tree as it is."""
    return build(tmp_path_factory.mktemp("distributions"))


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The same by an older number: what people upgrade from."""
    return build(tmp_path_factory.mktemp("older"), version=OLDER)


@pytest.fixture
def usual_port() -> Iterator[None]:
    """The status page's usual port, which a machine's gateway wants on the same loopback."""
    with machines.locked_cache():
        yield
