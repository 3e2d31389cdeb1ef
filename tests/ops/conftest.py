"""What the tests of packages, service and documents share."""

import pytest

from tests.ops.distributions import Distributions, build


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Wheel and sdist of the tree as it is."""
    return build(tmp_path_factory.mktemp("distributions"))
