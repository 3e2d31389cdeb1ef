"""Words that LBank may write in another case than its documents do."""

import pytest

from adapters.lbank.frames import OrderPush, OrderUpdate
from adapters.lbank.normalise import normalise_push
from adapters.lbank.vocabulary import terms_of
from gateway.contracts.told import ToldOrder
from gateway.events.model import Liquidity


@pytest.mark.parametrize("word", ["buy", "sell_ioc", "buy_market", "sell_maker", "buy_later"])
def test_an_order_type_means_the_same_in_capitals(word: str):
    """`SELL_IOC` is an order of type `sell_ioc`."""
    assert terms_of(word) == terms_of(word.upper())


def test_a_role_means_the_same_in_capitals():
    """`MAKER` is a maker."""
    update = OrderUpdate(
        uuid="o1", order_status=1, tx_uuid="t1", amount="1", price="2", role="MAKER"
    )

    told = normalise_push(OrderPush("ETH_BTC", update), "{}")

    assert isinstance(told, ToldOrder)
    assert told.trade is not None
    assert Liquidity.MAKER is told.trade.fill.liquidity
