"""What is answered is what is described, to requests that nobody here thought of."""

import pytest

from gateway.contracts.values import Secret
from tests.doubles.api_prober import probe_api
from tests.gateway.admin.conftest import Serve


@pytest.mark.timeout(300)
@pytest.mark.parametrize("token", [None, "correct-horse"])
async def test_the_api_is_as_it_is_described(serve: Serve, token: str | None):
    """Good and bad requests of every operation meet answers of the documented shape."""
    secret = None if token is None else Secret.of(token)
    async with serve(token=secret) as served:
        served.house.journal.append_fills(20)
        await served.house.add_letter("desk")

        await probe_api(
            served.url, served.state_dir, account="lbank-main", sink="desk", token=token
        )
