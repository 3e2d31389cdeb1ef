"""Who asks: logins of REST requests and of sockets."""

import hmac
from collections.abc import Callable, Sequence

from adapters.fmex.simulator.refusal import Refusal
from adapters.fmex.simulator.signing import (
    LoginFault,
    check_time,
    read_header_login,
    read_query_login,
    rest_texts,
    sign,
    socket_texts,
)
from adapters.fmex.simulator.switches import Switches
from gateway.simulator.dialect import Request, SimulatedAccount, Stage
from gateway.simulator.steps import RefuseLogin


class Logins:
    """Knows the accounts' keys."""

    def __init__(
        self, stage: Stage, accounts: Sequence[SimulatedAccount], switches: Callable[[], Switches]
    ) -> None:
        self._stage = stage
        self._switches = switches
        self._accounts = {account.api_key: account for account in accounts}

    def check_rest(self, request: Request) -> int:
        """The account of a REST request. Raises `Refusal`."""
        key, timestamp, signature = read_header_login(request)
        return self._check(key, timestamp, signature, rest_texts(request, timestamp))

    def check_socket(self, request: Request) -> int:
        """The account of an upgrade request. Raises `Refusal`."""
        form = self._switches().signature_query == "form"
        key, timestamp, signature = read_query_login(request, form=form)
        return self._check(key, timestamp, signature, socket_texts(request, timestamp))

    def _check(self, key: str, timestamp: str, signature: str, texts: Sequence[str]) -> int:
        account = self._accounts.get(key)
        if account is None:
            raise Refusal(LoginFault.KEY_INVALID)
        if fault := check_time(timestamp, self._stage.now_ms()):
            raise Refusal(fault)
        good = [sign(text, account.secret).encode() for text in texts]
        if not any(hmac.compare_digest(one, signature.encode()) for one in good):
            raise Refusal(LoginFault.SIGNATURE_INVALID)
        if refuse := self._stage.faults.find(RefuseLogin, account.index):
            raise Refusal(refuse.code or LoginFault.KEY_INVALID)
        return account.index
